// RUN: flash-opt %s --flash-gpu-pipeline=target=sm_80 | flash-translate --flash-to-plan --flash-target=sm_80 | FileCheck %s

// A bias or slopes that are too short would be read past their end on the device: the plan asks before it launches anything.
// Dimensions that types say stand on the right.
// CHECK-DAG: check dim(3, 0) == 1 or dim(0, 0): "batch differs: operand 'bias' has {lhs} (dimension 0), the attention has {rhs}; 1 serves all"
// CHECK-DAG: check dim(3, 2) == 1 or dim(0, 2): "number of queries differs: operand 'bias' has {lhs} (dimension 2), the attention has {rhs}; 1 serves all"
// CHECK-DAG: check dim(3, 3) == 1 or dim(1, 2): "number of keys differs: operand 'bias' has {lhs} (dimension 3), the attention has {rhs}; 1 serves all"
// CHECK-DAG: check dim(4, 0) == 4: "number of heads differs: operand 'slopes' has {lhs} (dimension 0), the attention has {rhs}"
// CHECK-DAG: check dim(5, 0) == dim(0, 0): "batch differs: operand 'prefix lengths' has {lhs} (dimension 0), the attention has {rhs}"
// CHECK: launch @attention
func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x4x?x64xbf16>, %v: tensor<?x4x?x64xbf16>, %bias: tensor<?x4x?x?xf32>,
                     %slopes: tensor<?xf32>, %prefix: tensor<?xi32>) -> tensor<?x4x?x64xbf16> {
  %o = flash.attention %q, %k, %v mask_operands(%prefix : tensor<?xi32>) score_operands(%bias, %slopes : tensor<?x4x?x?xf32>, tensor<?xf32>)
      {mask = #flash.prefix, scores = [#flash.bias, #flash.alibi]}
      : tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xbf16>
  return %o : tensor<?x4x?x64xbf16>
}
