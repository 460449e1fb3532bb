// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80},flash-tile-attention),flash-count-io,canonicalize)' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3},flash-tile-attention,flash-decompose-attention),flash-count-io,canonicalize)' | FileCheck %s --check-prefix=L2
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-split-kv{parts=2},flash-choose-schedule{target=sm_80},flash-tile-attention),flash-count-io)' | FileCheck %s --check-prefix=SPLIT

// One counter for each tensor and loop; the attribute says which.
// CHECK: memref.global @flash_io_counters : memref<5xi64> = dense<0>
// CHECK-SAME: {access = "load", operation = 0 : i64, value = "arg0"}
// CHECK-SAME: {access = "load", operation = 0 : i64, value = "arg1"}
// CHECK-SAME: {access = "load", operation = 0 : i64, value = "arg2"}
// CHECK-SAME: {access = "store", operation = 0 : i64, value = "op0.0"}
// CHECK-SAME: {access = "store", operation = 0 : i64, value = "op0.1"}

// CHECK-LABEL: func.func @attention
// CHECK-DAG: %[[ROW:.*]] = arith.constant 128 : index
// CHECK: scf.forall
// CHECK: %[[ROWS:.*]] = arith.minsi
// CHECK: tensor.extract_slice %arg0
// The rows that exist, 64 bf16 each; padding is not counted.
// CHECK: %[[BYTES:.*]] = arith.muli %[[ROWS]], %[[ROW]]
// CHECK: %[[I64:.*]] = arith.index_cast %[[BYTES]] : index to i64
// CHECK: %[[GLOBAL:.*]] = memref.get_global @flash_io_counters
// CHECK: memref.atomic_rmw addi %[[I64]], %[[GLOBAL]][%{{.*}}] : (i64, memref<5xi64>) -> i64
// CHECK: scf.for
// CHECK: tensor.extract_slice %arg1
// CHECK: memref.atomic_rmw
// CHECK: tensor.extract_slice %arg2
// CHECK: memref.atomic_rmw
// CHECK: flash.online_attention
// The two stores, before the terminator; a part of a tile is no load.
// CHECK: tensor.extract_slice
// CHECK-NOT: memref.atomic_rmw
// CHECK: tensor.extract_slice
// CHECK: memref.atomic_rmw
// CHECK: memref.atomic_rmw
// CHECK-NEXT: scf.forall.in_parallel

// At L2 on the CPU: whole blocks, and the ragged one.
// L2: memref.global @flash_io_counters : memref<5xi64>
// L2-COUNT-7: memref.atomic_rmw
// L2-NOT: memref.atomic_rmw

// SPLIT: memref.global @flash_io_counters : memref<16xi64>
// SPLIT-SAME: {access = "load", operation = 2 : i64, value = "op0.1"}
// SPLIT-SAME: {access = "load", operation = 2 : i64, value = "op1.0"}
func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>)
    -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
  %o, %l = flash.attention %q, %k, %v {mask = #flash.causal}
      : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %o, %l : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
}
