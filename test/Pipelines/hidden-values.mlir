// Where values that no query sees are cleared in a kernel: in iterations that masks cut, and behind the loops, but in none over whole
// blocks, whose code is what it is without.
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none},flash-tile-attention,flash-decompose-attention),flash-gpu-tile-pipeline{target=sm_90a hide-unseen})' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none schedule=#flash.schedule<reverseKeys=true>},flash-tile-attention,flash-decompose-attention),flash-gpu-tile-pipeline{target=sm_90a hide-unseen})' | FileCheck %s --check-prefix=BACKWARD
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80},flash-tile-attention,flash-decompose-attention),flash-gpu-tile-pipeline{target=sm_80 hide-unseen})' | FileCheck %s --check-prefix=AMPERE

// CHECK: } consumers
// The first loop is over whole blocks.
// CHECK: scf.for
// CHECK-NOT: flash_tile.clear_unseen
// CHECK: flash_tile.mma_start
// CHECK-NOT: flash_tile.clear_unseen
// CHECK: scf.yield
// The second has masks; it multiplies the values of the block before.
// CHECK: scf.for
// CHECK: flash_tile.mma_start
// CHECK: flash_tile.get
// CHECK-NEXT: flash_tile.clear_unseen
// CHECK: flash_tile.mma_start
// CHECK: scf.yield
// CHECK: flash_tile.get
// CHECK-NEXT: flash_tile.clear_unseen
// CHECK: flash_tile.mma

// Where keys are walked in reverse, blocks that masks cut come first.
// BACKWARD: } consumers
// BACKWARD: scf.for
// BACKWARD: flash_tile.clear_unseen
// BACKWARD: scf.yield
// BACKWARD: scf.for
// BACKWARD-NOT: flash_tile.clear_unseen
// BACKWARD: flash_tile.mma_start
// BACKWARD-NOT: flash_tile.clear_unseen
// BACKWARD: scf.yield
// BACKWARD: flash_tile.clear_unseen

// AMPERE: scf.for
// AMPERE: flash_tile.get {{.*}}cp_async
// AMPERE: flash_tile.get {{.*}}cp_async
// AMPERE: flash_tile.clear_unseen
// AMPERE: flash_tile.mma
func.func @attention(%q: tensor<?x4x?x128xbf16>, %at: index) -> tensor<?x4x?x128xbf16> {
  %o = flash.attention %q, %q, %q q_offset(%at) {mask = #flash.causal} : tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16> -> tensor<?x4x?x128xbf16>
  return %o : tensor<?x4x?x128xbf16>
}
