// RUN: flash-opt %s --flash-raise --canonicalize -split-input-file | FileCheck %s
// RUN: flash-opt %s --flash-raise="round-probabilities" --canonicalize -split-input-file | FileCheck %s --check-prefix=ROUND

// linalg.softmax, the scale on the transposed keys, one dimension for batch and
// heads: reshapes to four dimensions.

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// CHECK-LABEL: func @scaled_keys(
// CHECK-SAME: %[[Q:.+]]: tensor<6x4x8xf32>, %[[K:.+]]: tensor<6x5x8xf32>, %[[V:.+]]: tensor<6x5x16xf32>)
// CHECK-DAG: %[[Q4:.+]] = tensor.expand_shape %[[Q]] {{\[\[}}0, 1], [2], [3]] output_shape [6, 1, 4, 8]
// CHECK-DAG: %[[K4:.+]] = tensor.expand_shape %[[K]]
// CHECK-DAG: %[[V4:.+]] = tensor.expand_shape %[[V]]
// CHECK: %[[O:.+]] = flash.attention %[[Q4]], %[[K4]], %[[V4]] {scale = 5.000000e-01 : f32}
// CHECK-SAME: -> tensor<6x1x4x16xf32>
// CHECK: %[[R:.+]] = tensor.collapse_shape %[[O]] {{\[\[}}0, 1], [2], [3]]
// CHECK: return %[[R]]
func.func @scaled_keys(%q: tensor<6x4x8xf32>, %k: tensor<6x5x8xf32>, %v: tensor<6x5x16xf32>) -> tensor<6x4x16xf32> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %ek = tensor.empty() : tensor<6x8x5xf32>
  %kt = linalg.transpose ins(%k : tensor<6x5x8xf32>) outs(%ek : tensor<6x8x5xf32>) permutation = [0, 2, 1]
  %ks = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%kt : tensor<6x8x5xf32>) outs(%ek : tensor<6x8x5xf32>) {
  ^bb0(%x: f32, %o: f32):
    %0 = arith.mulf %x, %half : f32
    linalg.yield %0 : f32
  } -> tensor<6x8x5xf32>
  %e = tensor.empty() : tensor<6x4x5xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<6x4x5xf32>) -> tensor<6x4x5xf32>
  %s = linalg.batch_matmul ins(%q, %ks : tensor<6x4x8xf32>, tensor<6x8x5xf32>) outs(%z : tensor<6x4x5xf32>) -> tensor<6x4x5xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<6x4x5xf32>) outs(%e : tensor<6x4x5xf32>) -> tensor<6x4x5xf32>
  %eo = tensor.empty() : tensor<6x4x16xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<6x4x16xf32>) -> tensor<6x4x16xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<6x4x5xf32>, tensor<6x5x16xf32>) outs(%zo : tensor<6x4x16xf32>) -> tensor<6x4x16xf32>
  return %o : tensor<6x4x16xf32>
}

// -----

// Exponentials of the scores themselves, a sum, a reciprocal; the factors of
// both contractions the other way round; f64.

#s = affine_map<(b, j, i, d) -> (b, j, i)>
#k = affine_map<(b, j, i, d) -> (b, j, d)>
#q = affine_map<(b, j, i, d) -> (b, i, d)>
#v = affine_map<(b, i, d, j) -> (b, j, d)>
#p = affine_map<(b, i, d, j) -> (b, j, i)>
#o = affine_map<(b, i, d, j) -> (b, i, d)>
#id = affine_map<(b, j, i) -> (b, j, i)>
#row = affine_map<(b, j, i) -> (b, i)>
// CHECK-LABEL: func @keys_first(
// CHECK: flash.attention {{.+}} {scale = -2.500000e-01 : f32}
// CHECK-SAME: tensor<2x1x4x8xf64>, tensor<2x1x5x8xf64>, tensor<2x1x5x8xf64> -> tensor<2x1x4x8xf64>
// CHECK-NOT: linalg
func.func @keys_first(%q: tensor<2x4x8xf64>, %k: tensor<2x5x8xf64>, %v: tensor<2x5x8xf64>) -> tensor<2x4x8xf64> {
  %zero = arith.constant 0.0 : f64
  %one = arith.constant 1.0 : f64
  %four = arith.constant 4.0 : f64
  %e = tensor.empty() : tensor<2x5x4xf64>
  %z = linalg.fill ins(%zero : f64) outs(%e : tensor<2x5x4xf64>) -> tensor<2x5x4xf64>
  %s = linalg.contract indexing_maps = [#k, #q, #s] ins(%k, %q : tensor<2x5x8xf64>, tensor<2x4x8xf64>) outs(%z : tensor<2x5x4xf64>) -> tensor<2x5x4xf64>
  %x = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x5x4xf64>) outs(%e : tensor<2x5x4xf64>) {
  ^bb0(%a: f64, %o: f64):
    %0 = arith.divf %a, %four : f64
    %1 = arith.negf %0 : f64
    %2 = math.exp %1 : f64
    linalg.yield %2 : f64
  } -> tensor<2x5x4xf64>
  %el = tensor.empty() : tensor<2x4xf64>
  %zl = linalg.fill ins(%zero : f64) outs(%el : tensor<2x4xf64>) -> tensor<2x4xf64>
  %l = linalg.reduce { arith.addf } ins(%x : tensor<2x5x4xf64>) outs(%zl : tensor<2x4xf64>) dimensions = [1]
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %l : tensor<2x5x4xf64>, tensor<2x4xf64>) outs(%e : tensor<2x5x4xf64>) {
  ^bb0(%a: f64, %b: f64, %o: f64):
    %0 = arith.divf %one, %b : f64
    %1 = arith.mulf %0, %a : f64
    linalg.yield %1 : f64
  } -> tensor<2x5x4xf64>
  %eo = tensor.empty() : tensor<2x4x8xf64>
  %zo = linalg.fill ins(%zero : f64) outs(%eo : tensor<2x4x8xf64>) -> tensor<2x4x8xf64>
  %o = linalg.contract indexing_maps = [#v, #p, #o] ins(%v, %p : tensor<2x5x8xf64>, tensor<2x5x4xf64>) outs(%zo : tensor<2x4x8xf64>) -> tensor<2x4x8xf64>
  return %o : tensor<2x4x8xf64>
}

// -----

// Without a batch, with run-time lengths.

// CHECK-LABEL: func @matmul(
// CHECK: flash.attention {{.+}} {scale = 1.000000e+00 : f32} : tensor<1x1x?x8xf32>, tensor<1x1x?x8xf32>, tensor<1x1x?x8xf32>
func.func @matmul(%q: tensor<?x8xf32>, %kt: tensor<8x?xf32>, %v: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %q, %c0 : tensor<?x8xf32>
  %n = tensor.dim %v, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<?x8xf32>, tensor<8x?xf32>) outs(%z : tensor<?x?xf32>) -> tensor<?x?xf32>
  %p = linalg.softmax dimension(1) ins(%s : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %eo = tensor.empty(%m) : tensor<?x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<?x8xf32>) -> tensor<?x8xf32>
  %o = linalg.matmul ins(%p, %v : tensor<?x?xf32>, tensor<?x8xf32>) outs(%zo : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %o : tensor<?x8xf32>
}

// -----

// One query of a decoder (its dimension is 1), grouped: two dimensions of
// queries alone, of which the larger is taken for their length.

#q = affine_map<(b, h, g, j, d) -> (b, h, g, 0, d)>
#k = affine_map<(b, h, g, j, d) -> (b, h, j, d)>
#s = affine_map<(b, h, g, j, d) -> (b, h, g, j)>
#p = affine_map<(b, h, g, d, j) -> (b, h, g, j)>
#v = affine_map<(b, h, g, d, j) -> (b, h, j, d)>
#o = affine_map<(b, h, g, d, j) -> (b, h, g, d)>
// CHECK-LABEL: func @one_query(
// CHECK: flash.attention {{.+}} : tensor<2x3x4x8xf32>, tensor<2x3x6x8xf32>, tensor<2x3x6x8xf32> -> tensor<2x3x4x8xf32>
func.func @one_query(%q: tensor<2x3x4x1x8xf32>, %k: tensor<2x3x6x8xf32>, %v: tensor<2x3x6x8xf32>) -> tensor<2x3x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x4x6xf32>) -> tensor<2x3x4x6xf32>
  %s = linalg.generic {indexing_maps = [#q, #k, #s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : tensor<2x3x4x1x8xf32>, tensor<2x3x6x8xf32>) outs(%z : tensor<2x3x4x6xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %0, %acc : f32
    linalg.yield %1 : f32
  } -> tensor<2x3x4x6xf32>
  %p = linalg.softmax dimension(3) ins(%s : tensor<2x3x4x6xf32>) outs(%e : tensor<2x3x4x6xf32>) -> tensor<2x3x4x6xf32>
  %eo = tensor.empty() : tensor<2x3x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x3x4x8xf32>) -> tensor<2x3x4x8xf32>
  %o = linalg.contract indexing_maps = [#p, #v, #o] ins(%p, %v : tensor<2x3x4x6xf32>, tensor<2x3x6x8xf32>) outs(%zo : tensor<2x3x4x8xf32>) -> tensor<2x3x4x8xf32>
  return %o : tensor<2x3x4x8xf32>
}

// -----

// Everything widened to f32, probabilities too: f32 operands, unless rounding
// is allowed.

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// CHECK-LABEL: func @widened(
// CHECK: flash.attention {{.+}} : tensor<2x1x4x8xf32>, tensor<2x1x6x8xf32>, tensor<2x1x6x8xf32>
// ROUND-LABEL: func @widened(
// ROUND: flash.attention {{.+}} : tensor<2x1x4x8xf16>, tensor<2x1x6x8xf16>, tensor<2x1x6x8xf16> -> tensor<2x1x4x8xf16>
// ROUND: return
func.func @widened(%q16: tensor<2x4x8xf16>, %k16: tensor<2x6x8xf16>, %v16: tensor<2x6x8xf16>) -> tensor<2x4x8xf16> {
  %zero = arith.constant 0.0 : f32
  %eq = tensor.empty() : tensor<2x4x8xf32>
  %ek = tensor.empty() : tensor<2x6x8xf32>
  %q = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q16 : tensor<2x4x8xf16>) outs(%eq : tensor<2x4x8xf32>) {
  ^bb0(%x: f16, %o: f32):
    %0 = arith.extf %x : f16 to f32
    linalg.yield %0 : f32
  } -> tensor<2x4x8xf32>
  %k = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k16 : tensor<2x6x8xf16>) outs(%ek : tensor<2x6x8xf32>) {
  ^bb0(%x: f16, %o: f32):
    %0 = arith.extf %x : f16 to f32
    linalg.yield %0 : f32
  } -> tensor<2x6x8xf32>
  %v = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%v16 : tensor<2x6x8xf16>) outs(%ek : tensor<2x6x8xf32>) {
  ^bb0(%x: f16, %o: f32):
    %0 = arith.extf %x : f16 to f32
    linalg.yield %0 : f32
  } -> tensor<2x6x8xf32>
  %ekt = tensor.empty() : tensor<2x8x6xf32>
  %kt = linalg.transpose ins(%k : tensor<2x6x8xf32>) outs(%ekt : tensor<2x8x6xf32>) permutation = [0, 2, 1]
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eq : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %eh = tensor.empty() : tensor<2x4x8xf16>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%o : tensor<2x4x8xf32>) outs(%eh : tensor<2x4x8xf16>) {
  ^bb0(%x: f32, %y: f16):
    %0 = arith.truncf %x : f32 to f16
    linalg.yield %0 : f16
  } -> tensor<2x4x8xf16>
  return %h : tensor<2x4x8xf16>
}

// -----

// A value that is scaled stays the tensor that it is.

// CHECK-LABEL: func @scaled_value(
// CHECK: %[[V:.+]] = linalg.mul
// CHECK: tensor.expand_shape %[[V]]
// CHECK: flash.attention
func.func @scaled_value(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant dense<2.0> : tensor<2x6x8xf32>
  %e = tensor.empty() : tensor<2x4x6xf32>
  %ev = tensor.empty() : tensor<2x6x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %v2 = linalg.mul ins(%v, %two : tensor<2x6x8xf32>, tensor<2x6x8xf32>) outs(%ev : tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v2 : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// Two windows of positions make one; the first query that sees keys is moved to
// row 0. A single query at row 0 would be aligned otherwise.

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// CHECK-LABEL: func @window(
// CHECK: %[[C:.+]] = arith.constant -1 : index
// CHECK: flash.attention {{.+}} q_offset(%[[C]]) {mask = #flash.window<left = 1, right = 0>, scale = 1.000000e+00 : f32}
func.func @window(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %c2 = arith.constant 2 : index
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) {
  ^bb0(%x: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi slt, %j, %i : index
    %0 = arith.select %c, %x, %inf : f32
    %i2 = arith.subi %i, %c2 : index
    %far = arith.cmpi sgt, %i2, %j : index
    %hide = arith.select %far, %inf, %zero : f32
    %1 = arith.addf %hide, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%m : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// Softcap, then a bias for each head and key, then a mask that is data.

#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#bias = affine_map<(b, h, i, j) -> (h, j)>
#mask = affine_map<(b, h, i, j) -> (b, j)>
#q = affine_map<(b, h, i, j, d) -> (b, h, i, d)>
#k = affine_map<(b, h, i, j, d) -> (b, h, j, d)>
#s = affine_map<(b, h, i, j, d) -> (b, h, i, j)>
#p = affine_map<(b, h, i, d, j) -> (b, h, i, j)>
#v = affine_map<(b, h, i, d, j) -> (b, h, j, d)>
#o = affine_map<(b, h, i, d, j) -> (b, h, i, d)>
// CHECK-LABEL: func @functions(
// CHECK-SAME: %[[BIAS:[a-z0-9]+]]: tensor<3x6xf32>, %[[MASK:[a-z0-9]+]]: tensor<2x6xi1>)
// CHECK: %[[B4:.+]] = tensor.expand_shape %[[BIAS]] {{\[\[}}0, 1, 2], [3]] output_shape [1, 3, 1, 6]
// CHECK: flash.attention {{.+}} score_operands(%[[B4]] : tensor<1x3x1x6xf32>) captures(%[[MASK]] : tensor<2x6xi1>)
// CHECK-SAME: mask = #flash.region, scale = 2.500000e-01 : f32, scores = [#flash.softcap<2.000000e+01 : f32>, #flash.bias]}
// CHECK-SAME: mask {
// CHECK-NEXT: ^bb0(%[[B:.+]]: index, %{{.+}}: index, %{{.+}}: index, %[[J:.+]]: index, %[[M:.+]]: tensor<2x6xi1>):
// CHECK-NEXT: %[[SEEN:.+]] = tensor.extract %[[M]][%[[B]], %[[J]]]
// CHECK-NEXT: flash.yield %[[SEEN]] : i1
func.func @functions(%q: tensor<2x3x4x8xf32>, %k: tensor<2x3x6x8xf32>, %v: tensor<2x3x6x8xf32>, %bias: tensor<3x6xf32>, %mask: tensor<2x6xi1>) -> tensor<2x3x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %quarter = arith.constant 0.25 : f32
  %cap = arith.constant 20.0 : f32
  %e = tensor.empty() : tensor<2x3x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x4x6xf32>) -> tensor<2x3x4x6xf32>
  %s = linalg.contract indexing_maps = [#q, #k, #s] ins(%q, %k : tensor<2x3x4x8xf32>, tensor<2x3x6x8xf32>) outs(%z : tensor<2x3x4x6xf32>) -> tensor<2x3x4x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #bias, #mask, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %bias, %mask : tensor<2x3x4x6xf32>, tensor<3x6xf32>, tensor<2x6xi1>) outs(%e : tensor<2x3x4x6xf32>) {
  ^bb0(%x: f32, %y: f32, %seen: i1, %o: f32):
    %0 = arith.mulf %x, %quarter : f32
    %1 = arith.divf %0, %cap : f32
    %2 = math.tanh %1 : f32
    %3 = arith.mulf %cap, %2 : f32
    %4 = arith.addf %3, %y : f32
    %5 = arith.select %seen, %4, %inf : f32
    linalg.yield %5 : f32
  } -> tensor<2x3x4x6xf32>
  %p = linalg.softmax dimension(3) ins(%m : tensor<2x3x4x6xf32>) outs(%e : tensor<2x3x4x6xf32>) -> tensor<2x3x4x6xf32>
  %eo = tensor.empty() : tensor<2x3x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x3x4x8xf32>) -> tensor<2x3x4x8xf32>
  %o = linalg.contract indexing_maps = [#p, #v, #o] ins(%p, %v : tensor<2x3x4x6xf32>, tensor<2x3x6x8xf32>) outs(%zo : tensor<2x3x4x8xf32>) -> tensor<2x3x4x8xf32>
  return %o : tensor<2x3x4x8xf32>
}

// -----

// A score function of another kind: a scale that is an argument, and a bias
// looked up in a table by buckets. Positions are rows, so the offset is 0.

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#pair = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-LABEL: func @region(
// CHECK-SAME: %[[T:[a-z0-9]+]]: f32, %[[TABLE:[a-z0-9]+]]: tensor<9xf16>, %[[BUCKETS:[a-z0-9]+]]: tensor<4x6xi32>)
// CHECK: flash.attention {{.+}} q_offset(%{{.+}}) captures(%[[T]], %[[BUCKETS]], %[[TABLE]] : f32, tensor<4x6xi32>, tensor<9xf16>)
// CHECK-SAME: {scale = 1.000000e+00 : f32, scores = [#flash.region]} score {
// CHECK-NEXT: ^bb0(%[[S:.+]]: f32, %{{.+}}: index, %{{.+}}: index, %[[I:.+]]: index, %[[J:.+]]: index, %[[TC:.+]]: f32, %[[BC:.+]]: tensor<4x6xi32>, %[[TAC:.+]]: tensor<9xf16>):
// CHECK-NEXT: %[[ST:.+]] = arith.mulf %[[S]], %[[TC]] : f32
// CHECK-NEXT: %[[N:.+]] = tensor.extract %[[BC]][%[[I]], %[[J]]]
// CHECK-NEXT: %[[NI:.+]] = arith.index_cast %[[N]] : i32 to index
// CHECK-NEXT: %[[E:.+]] = tensor.extract %[[TAC]][%[[NI]]]
// CHECK-NEXT: %[[EF:.+]] = arith.extf %[[E]] : f16 to f32
// CHECK-NEXT: %[[R:.+]] = arith.addf %[[ST]], %[[EF]] : f32
// CHECK-NEXT: flash.yield %[[R]] : f32
func.func @region(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>, %t: f32, %table: tensor<9xf16>, %buckets: tensor<4x6xi32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #pair, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s, %buckets : tensor<2x4x6xf32>, tensor<4x6xi32>) outs(%e : tensor<2x4x6xf32>) {
  ^bb0(%x: f32, %n: i32, %o: f32):
    %0 = arith.mulf %x, %t : f32
    %i = arith.index_cast %n : i32 to index
    %y = tensor.extract %table[%i] : tensor<9xf16>
    %1 = arith.extf %y : f16 to f32
    %2 = arith.addf %0, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%m : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// -1e7 is no -inf: kept as what it is.

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// CHECK-LABEL: func @large_penalty(
// CHECK: flash.attention {{.+}} scores = [#flash.region]} score {
// CHECK: arith.cmpi sge
// CHECK: arith.select
// CHECK: arith.addf
func.func @large_penalty(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %large = arith.constant -1.0e7 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) {
  ^bb0(%x: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi sge, %i, %j : index
    %0 = arith.select %c, %zero, %large : f32
    %1 = arith.addf %x, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%m : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// The pixels of an image as keys: the reshape that joins them stays before the attention.

// CHECK-LABEL: func @pixels(
// CHECK-SAME: %[[Q:.+]]: tensor<2x4x8xf32>, %[[K:.+]]: tensor<2x8x3x2xf32>, %[[V:.+]]: tensor<2x3x2x8xf32>
// CHECK-DAG: tensor.collapse_shape %[[K]] {{\[\[}}0], [1], [2, 3]] : tensor<2x8x3x2xf32> into tensor<2x8x6xf32>
// CHECK-DAG: tensor.collapse_shape %[[V]] {{\[\[}}0], [1, 2], [3]] : tensor<2x3x2x8xf32> into tensor<2x6x8xf32>
// CHECK: flash.attention {{.+}} : tensor<2x1x4x8xf32>, tensor<2x1x6x8xf32>, tensor<2x1x6x8xf32> -> tensor<2x1x4x8xf32>
func.func @pixels(%q: tensor<2x4x8xf32>, %k: tensor<2x8x3x2xf32>, %v: tensor<2x3x2x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %kt = tensor.collapse_shape %k [[0], [1], [2, 3]] : tensor<2x8x3x2xf32> into tensor<2x8x6xf32>
  %vs = tensor.collapse_shape %v [[0], [1, 2], [3]] : tensor<2x3x2x8xf32> into tensor<2x6x8xf32>
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %vs : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// torch-mlir keeps the state of random numbers beside the function.

// CHECK: ml_program.global private mutable @global_seed(dense<0> : tensor<i64>) : tensor<i64>
// CHECK-LABEL: func @beside_state(
// CHECK: flash.attention
ml_program.global private mutable @global_seed(dense<0> : tensor<i64>) : tensor<i64>
func.func @beside_state(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}
