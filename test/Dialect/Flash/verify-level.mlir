// RUN: flash-opt %s --flash-verify-level=level=L0
// RUN: not flash-opt %s --flash-verify-level=level=L1 2>&1 | FileCheck %s --check-prefix=L1
// RUN: not flash-opt %s --flash-verify-level=level=L2 2>&1 | FileCheck %s --check-prefix=L2
// RUN: not flash-opt %s --flash-verify-level=level=L3 2>&1 | FileCheck %s --check-prefix=L3
// RUN: not flash-opt %s --flash-verify-level=level=L4 2>&1 | FileCheck %s --check-prefix=L4
// RUN: not flash-opt %s --flash-verify-level=level=L5 2>&1 | FileCheck %s --check-prefix=L5

// L1: verify-level.mlir:14:{{.*}} error: 'flash.attention' op does not belong to L1: it should have been tiled
// L2: error: 'flash.attention' op does not belong to L2: it should have been tiled
// L3: error: 'flash.attention' op does not belong to L3: it should have become a tile program
// L4: error: 'flash.attention' op does not belong to L4: it should have been lowered
// L5: error: flash-verify-level: no level 'L5'; there are L0, L1, L2, L3 and L4
func.func @f(%q: tensor<1x4x7x8xf16>) -> tensor<1x4x7x8xf16> {
  %o = flash.attention %q, %q, %q : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}
