// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a},flash-tile-attention,flash-decompose-attention),convert-flash-to-tile,canonicalize,cse)' | FileCheck %s

!t = tensor<1x4x?x64xbf16>

// The head's slope is read in front of the loop over keys; bodies use it as a scalar.
// CHECK-LABEL: gpu.func @alibi
// CHECK-SAME: %[[SLOPES:[a-z0-9]*]]: memref<4xf32
// CHECK: %[[SLOPE:.*]] = memref.load %[[SLOPES]]
// CHECK: scf.for
// CHECK-NOT: memref.load
// CHECK: flash_tile.mma
// CHECK: flash_tile.map
// CHECK: arith.mulf %[[SLOPE]]
func.func @alibi(%q: !t, %slopes: tensor<4xf32>) -> !t {
  %o = flash.attention %q, %q, %q score_operands(%slopes : tensor<4xf32>) {scores = [#flash.alibi], mask = #flash.causal} : !t, !t, !t -> !t
  return %o : !t
}

// Each element of a bias is read where it is used: without a look where the tile is whole, else where it exists.
// CHECK-LABEL: gpu.func @bias
// CHECK-SAME: %[[BIAS:[a-z0-9]*]]: memref<1x4x?x?xbf16
// CHECK: scf.for
// CHECK: flash_tile.mma
// CHECK: scf.if
// CHECK: flash_tile.map
// CHECK-NOT: scf.if
// CHECK: memref.load %[[BIAS]]
// CHECK: else
// CHECK: flash_tile.map
// CHECK: scf.if
// CHECK: memref.load %[[BIAS]]
func.func @bias(%q: !t, %bias: tensor<1x4x?x?xbf16>) -> !t {
  %o = flash.attention %q, %q, %q score_operands(%bias : tensor<1x4x?x?xbf16>) {scores = [#flash.bias]} : !t, !t, !t -> !t
  return %o : !t
}
