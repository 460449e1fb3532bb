// RUN: flash-opt %s --canonicalize --flash-raise --canonicalize --split-input-file | FileCheck %s

// What flash-raise takes for granted of dynamic sizes is asserted; what the program says itself is not.

#id = affine_map<(b, i, d) -> (b, i, d)>
// CHECK-LABEL: @broadcast
// CHECK-SAME: (%[[Q:.*]]: tensor<?x?x8xf32>, %[[K:.*]]: tensor<?x?x8xf32>, %[[V:.*]]: tensor<?x?x8xf32>)
// CHECK-DAG: %[[QB:.*]] = tensor.dim %[[Q]], %c0
// CHECK-DAG: %[[KB:.*]] = tensor.dim %[[K]], %c0
// CHECK: %[[SAME:.*]] = arith.cmpi eq, %[[QB]], %[[KB]]
// CHECK: cf.assert %[[SAME]], "sizes that flash-raise took to be the same differ: a dynamic dimension is not broadcast to another size"
// CHECK-NOT: cf.assert
// CHECK: flash.attention {{.*}} : tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>
func.func @broadcast(%q: tensor<?x?x8xf32>, %k: tensor<?x?x8xf32>, %v: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %k, %c0 : tensor<?x?x8xf32>
  %qb = tensor.dim %q, %c0 : tensor<?x?x8xf32>
  %n = tensor.dim %q, %c1 : tensor<?x?x8xf32>
  %m = tensor.dim %k, %c1 : tensor<?x?x8xf32>
  %qe = tensor.empty(%b, %n) : tensor<?x?x8xf32>
  %q0 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]} outs(%qe : tensor<?x?x8xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %d = linalg.index 2 : index
    %single = arith.cmpi eq, %qb, %c1 : index
    %at = arith.select %single, %c0, %i : index
    %x = tensor.extract %q[%at, %j, %d] : tensor<?x?x8xf32>
    linalg.yield %x : f32
  } -> tensor<?x?x8xf32>
  %kte = tensor.empty(%b, %m) : tensor<?x8x?xf32>
  %kt = linalg.transpose ins(%k : tensor<?x?x8xf32>) outs(%kte : tensor<?x8x?xf32>) permutation = [0, 2, 1]
  %e = tensor.empty(%b, %n, %m) : tensor<?x?x?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %s = linalg.batch_matmul ins(%q0, %kt : tensor<?x?x8xf32>, tensor<?x8x?xf32>) outs(%z : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<?x?x?xf32>) outs(%e : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%qe : tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<?x?x?xf32>, tensor<?x?x8xf32>) outs(%oz : tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  return %o : tensor<?x?x8xf32>
}

// -----

// A reshape by computed sizes: the batch and the heads are joined, and -1 stands for the length. That batch and length of V are those of K
// the program does not say.
// CHECK-LABEL: @reshape
// CHECK-SAME: (%[[Q:.*]]: tensor<?x4x?x8xf32>, %[[K:.*]]: tensor<?x4x?x8xf32>, %[[V:.*]]: tensor<?x4x?x8xf32>)
// CHECK-NOT: cf.assert
// CHECK-NOT: tensor.reshape %[[Q]]
// CHECK-NOT: tensor.reshape %[[K]]
// CHECK: %[[O:.*]] = flash.attention %[[Q]], %[[K]], %{{.*}} {scale = 1.000000e+00 : f32}
// CHECK: return %[[O]]
func.func @reshape(%q: tensor<?x4x?x8xf32>, %k: tensor<?x4x?x8xf32>, %v: tensor<?x4x?x8xf32>) -> tensor<?x4x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c0_i64 = arith.constant 0 : i64
  %c1_i64 = arith.constant 1 : i64
  %c4_i64 = arith.constant 4 : i64
  %c8_i64 = arith.constant 8 : i64
  %b = tensor.dim %q, %c0 : tensor<?x4x?x8xf32>
  %n = tensor.dim %q, %c2 : tensor<?x4x?x8xf32>
  %m = tensor.dim %k, %c2 : tensor<?x4x?x8xf32>
  %b64 = arith.index_cast %b : index to i64
  %n64 = arith.index_cast %n : index to i64
  %m64 = arith.index_cast %m : index to i64
  %bh = arith.muli %b64, %c4_i64 : i64
  %inferred = arith.cmpi slt, %bh, %c0_i64 : i64
  %known = arith.select %inferred, %c1_i64, %bh : i64
  %all = arith.muli %bh, %n64 : i64
  %all8 = arith.muli %all, %c8_i64 : i64
  %part = arith.muli %known, %c8_i64 : i64
  %len = arith.divsi %all8, %part : i64
  %qs = tensor.from_elements %known, %len, %c8_i64 : tensor<3xi64>
  %ks = tensor.from_elements %bh, %m64, %c8_i64 : tensor<3xi64>
  %os = tensor.from_elements %b64, %c4_i64, %n64, %c8_i64 : tensor<4xi64>
  %q3 = tensor.reshape %q(%qs) : (tensor<?x4x?x8xf32>, tensor<3xi64>) -> tensor<?x?x8xf32>
  %k3 = tensor.reshape %k(%ks) : (tensor<?x4x?x8xf32>, tensor<3xi64>) -> tensor<?x?x8xf32>
  %v3 = tensor.reshape %v(%ks) : (tensor<?x4x?x8xf32>, tensor<3xi64>) -> tensor<?x?x8xf32>
  %bhi = arith.index_cast %bh : i64 to index
  %kte = tensor.empty(%bhi, %m) : tensor<?x8x?xf32>
  %kt = linalg.transpose ins(%k3 : tensor<?x?x8xf32>) outs(%kte : tensor<?x8x?xf32>) permutation = [0, 2, 1]
  %e = tensor.empty(%bhi, %n, %m) : tensor<?x?x?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %s = linalg.batch_matmul ins(%q3, %kt : tensor<?x?x8xf32>, tensor<?x8x?xf32>) outs(%z : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<?x?x?xf32>) outs(%e : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %oe = tensor.empty(%bhi, %n) : tensor<?x?x8xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %o3 = linalg.batch_matmul ins(%p, %v3 : tensor<?x?x?xf32>, tensor<?x?x8xf32>) outs(%oz : tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  %o = tensor.reshape %o3(%os) : (tensor<?x?x8xf32>, tensor<4xi64>) -> tensor<?x4x?x8xf32>
  return %o : tensor<?x4x?x8xf32>
}
