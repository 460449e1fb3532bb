// RUN: flash-opt %s --flash-gpu-pipeline=target=sm_80 | flash-translate --flash-to-plan --flash-target=sm_80 | FileCheck %s

// The grid of ragged sequences follows from shapes: rows / m, a block for each bound, and one for what lies behind them.
// CHECK-LABEL: plan @ragged
// CHECK: check 2 <= dim(3, 0): "cu_seqlens_q has {rhs} entries, but needs at least 2"
// CHECK: launch @ragged of module #{{[0-9]+}} grid (min(dim(0, 2), 1) * 4 * (floordiv(dim(0, 2), 128) + (dim(3, 0) + 1)), 1, 1)
func.func @ragged(%q: tensor<1x4x?x64xbf16>, %k: tensor<1x4x?x64xbf16>, %v: tensor<1x4x?x64xbf16>, %cq: tensor<?xi32>, %ck: tensor<?xi32>)
    -> tensor<1x4x?x64xbf16> {
  %o = flash.attention %q, %k, %v cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : tensor<?xi32>)
      : tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16> -> tensor<1x4x?x64xbf16>
  return %o : tensor<1x4x?x64xbf16>
}
