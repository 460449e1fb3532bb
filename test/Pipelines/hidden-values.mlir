// Where keys and values that no query sees are cleared in a kernel: with roles by a watcher, between the copies and the consumers, whose
// code is what it is without; else by the warps that compute, before the product.
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none},flash-tile-attention,flash-decompose-attention),flash-gpu-tile-pipeline{target=sm_90a hide-unseen=true})' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80},flash-tile-attention,flash-decompose-attention),flash-gpu-tile-pipeline{target=sm_80 hide-unseen=true})' | FileCheck %s --check-prefix=AMPERE
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none},flash-tile-attention,flash-decompose-attention),flash-gpu-tile-pipeline{target=sm_90a})' | FileCheck %s --check-prefix=OFF
// RUN: flash-run %s --entry=apart --differentiate --target=sm_90a --passes=hide-unseen=true --print-ir-after-level=L3 --compile-only | FileCheck %s --check-prefix=BACKWARD
// RUN: flash-run %s --entry=apart --differentiate --target=sm_80 --passes=hide-unseen=true --print-ir-after-level=L3 --compile-only | FileCheck %s --check-prefix=EARLIER

// CHECK: %[[K:.*]] = flash_tile.ring {{.*}}, mbarrier>
// CHECK: %[[V:.*]] = flash_tile.ring {{.*}}, mbarrier, watched>
// CHECK: flash_tile.specialize producer
// CHECK: flash_tile.put %[[V]]
// CHECK: } watcher {
// CHECK: scf.for
// CHECK: scf.for %{{.*}} iter_args(%[[I:.*]] = %{{.*}}) -> (index) {
// CHECK-NOT: flash_tile.put
// CHECK: flash_tile.watch %[[V]][%[[I]]] when %{{.*}} queries(%c128) : !flash_tile.ring<{{.*}}, watched> {
// CHECK: arith.cmpi sle
// CHECK: flash_tile.yield
// CHECK: } consumers
// CHECK-NOT: flash_tile.clear_unseen
// CHECK: gpu.return

// OFF-NOT: watch
// OFF-NOT: clear_unseen
// OFF: gpu.return

// Of the keys of a block of a backward those go that none of all its queries sees, before the loop over them.
// BACKWARD: gpu.func @apart_gradients_3
// BACKWARD: %[[K:.*]] = flash_tile.ring {{.*}} : !flash_tile.ring<1, {{.*}}, watched
// BACKWARD: %[[V:.*]] = flash_tile.ring {{.*}} : !flash_tile.ring<1, {{.*}}, watched
// BACKWARD: } watcher {
// BACKWARD: scf.while
// BACKWARD-NOT: scf.for
// BACKWARD: flash_tile.watch %[[K]]
// BACKWARD: flash_tile.watch %[[V]]
// BACKWARD: } consumers
// EARLIER: gpu.func @apart_gradients_1
// EARLIER: flash_tile.clear_unseen
// EARLIER: flash_tile.clear_unseen
// EARLIER: scf.for
// EARLIER-NOT: flash_tile.clear_unseen
// EARLIER: gpu.return

// AMPERE: scf.for
// AMPERE: flash_tile.get {{.*}}cp_async
// AMPERE: flash_tile.get {{.*}}cp_async
// AMPERE: flash_tile.clear_unseen
// AMPERE: flash_tile.mma
func.func @attention(%q: tensor<?x4x?x128xbf16>, %at: index) -> tensor<?x4x?x128xbf16> {
  %o = flash.attention %q, %q, %q q_offset(%at) {mask = #flash.causal} : tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16> -> tensor<?x4x?x128xbf16>
  return %o : tensor<?x4x?x128xbf16>
}
func.func @apart(%q: tensor<1x2x?x64xbf16>, %k: tensor<1x2x?x64xbf16>, %v: tensor<1x2x?x64xbf16>) -> tensor<1x2x?x64xbf16> {
  %o = flash.attention %q, %k, %v {mask = #flash.causal} : tensor<1x2x?x64xbf16>, tensor<1x2x?x64xbf16>, tensor<1x2x?x64xbf16> -> tensor<1x2x?x64xbf16>
  return %o : tensor<1x2x?x64xbf16>
}
