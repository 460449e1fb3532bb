// RUN: flash-opt %s --flash-gpu-pipeline=target=sm_80 | flash-translate --flash-to-plan --flash-target=sm_80 | FileCheck %s
// RUN: flash-opt %s --flash-gpu-pipeline=target=sm_90a | flash-translate --flash-to-plan --flash-target=sm_90a | FileCheck %s --check-prefix=TMA
// RUN: flash-opt %s --flash-gpu-pipeline="target=sm_80 split-kv=2" | flash-translate --flash-to-plan --flash-target=sm_80 | FileCheck %s --check-prefix=SPLIT

func.func @attention(%q: tensor<?x?x?x128xbf16> {flash.name = "q"}, %k: tensor<?x?x?x128xbf16> {flash.name = "k"},
    %v: tensor<?x?x?x128xbf16> {flash.name = "v"}) -> (tensor<?x?x?x128xbf16>, tensor<?x?x?xf32>) {
  %o, %lse = flash.attention %q, %k, %v : tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>
      -> tensor<?x?x?x128xbf16>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x128xbf16>, tensor<?x?x?xf32>
}

// CHECK: plan @attention(q: bf16[?, ?, ?, 128], k: bf16[?, ?, ?, 128], v: bf16[?, ?, ?, 128])
// CHECK-SAME: -> (result0: bf16[dim(0, 0), dim(0, 1), dim(0, 2), 128], result1: f32[dim(0, 0), dim(0, 1), dim(0, 2)])
// CHECK: check dim(0, 0) == dim(1, 0): "batch differs: query has {lhs}, key has {rhs}"
// CHECK: check dim(1, 0) == dim(2, 0): "batch differs: key has {lhs}, value has {rhs}"
// CHECK: check dim(1, 1) == dim(2, 1): "number of heads differs: key has {lhs}, value has {rhs}"
// CHECK: check dim(1, 2) == dim(2, 2): "length differs: key has {lhs}, value has {rhs}"
// CHECK: check dim(0, 1) divisible by dim(1, 1): "number of query heads ({lhs}) is not a multiple of the number of key heads ({rhs})"
// CHECK: launch @attention of module #0 grid (dim(0, 0) * dim(0, 1) * floordiv(dim(0, 2) + 127, 128), 1, 1)
// CHECK: pointer #0
// CHECK: pointer #3

// TMA: launch @attention of module #0 grid {{.*}} block (384, 1, 1)
// TMA: tensor_map #0 : bf16[128, dim(0, 2), dim(0, 1), dim(0, 0)] strides {{.*}} box [64, 128, 1, 1] swizzle 128
// TMA: tensor_map #1
// TMA: tensor_map #2

// Parts are temporaries in f32; the second one's keys start in the middle.
// SPLIT: buffer #3 = temporary {{.*}}, 4 * {{.*}} bytes
// SPLIT: launch @attention of
// SPLIT: launch @attention_{{.*}} of
// SPLIT: pointer #1 + {{.*}}
// SPLIT: launch @attention_{{.*}} of
