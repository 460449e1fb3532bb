// A call's checks are inserted for an attention of another dialect.
//
//   attention-op-opt decode.mlir --pass-pipeline='builtin.module(func.func(
//     flash-insert-checks,flash-choose-schedule{target=cpu:x86-64-v3}))'

// CHECK-LABEL: func.func @decode
// CHECK-SAME: %[[Q:.*]]: tensor<?x1x32x128xbf16>, %[[K:.*]]: tensor<?x?x8x128xbf16>, %[[V:.*]]: tensor<?x?x8x128xbf16>, %[[N:.*]]: tensor<?xi32>
// CHECK: cf.assert %{{.*}}, "batch differs: query has {lhs}, key has {rhs}"
// CHECK: cf.assert %{{.*}}, "batch differs: key has {lhs}, value has {rhs}"
// The layout is the op's: lengths are dimension 1, and heads (2) are known.
// CHECK: tensor.dim %[[K]], %c1
// CHECK: tensor.dim %[[V]], %c1
// CHECK: cf.assert %{{.*}}, "length differs: key has {lhs}, value has {rhs}"
// CHECK-NOT: number of heads
// CHECK: tensor.dim %[[N]], %c0
// CHECK: cf.assert %{{.*}}, "batch differs: operand 'kv_lengths' has {lhs} (dimension 0), the attention has {rhs}"
// CHECK: serving.decode %[[Q]], %[[K]], %[[V]], %[[N]]
func.func @decode(%q: tensor<?x1x32x128xbf16>, %k: tensor<?x?x8x128xbf16>, %v: tensor<?x?x8x128xbf16>, %n: tensor<?xi32>)
    -> tensor<?x1x32x128xbf16> {
  %o = serving.decode %q, %k, %v, %n
      : (tensor<?x1x32x128xbf16>, tensor<?x?x8x128xbf16>, tensor<?x?x8x128xbf16>, tensor<?xi32>) -> tensor<?x1x32x128xbf16>
  return %o : tensor<?x1x32x128xbf16>
}
