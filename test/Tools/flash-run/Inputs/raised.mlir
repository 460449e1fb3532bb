// What raising leaves around an attention, and booleans.

// A mask of booleans, read by a mask region.
func.func @mask(%q: tensor<2x?x?x32xf32>, %k: tensor<2x?x?x32xf32>, %v: tensor<2x?x?x32xf32>, %seen: tensor<2x1x?x?xi1>) -> tensor<2x?x?x32xf32> {
  %first = arith.constant 0 : index
  %o = flash.attention %q, %k, %v q_offset(%first) captures(%seen : tensor<2x1x?x?xi1>) {mask = #flash.region} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %m: tensor<2x1x?x?xi1>):
    %c0 = arith.constant 0 : index
    %0 = tensor.extract %m[%b, %c0, %i, %j] : tensor<2x1x?x?xi1>
    flash.yield %0 : i1
  } : tensor<2x?x?x32xf32>, tensor<2x?x?x32xf32>, tensor<2x?x?x32xf32> -> tensor<2x?x?x32xf32>
  return %o : tensor<2x?x?x32xf32>
}

// Two masks become one before the attention, as booleans.
#id = affine_map<(b, i, j) -> (b, i, j)>
#keys = affine_map<(b, i, j) -> (b, j)>
func.func @combined(%q: tensor<2x4x37x32xf32>, %k: tensor<2x4x75x32xf32>, %v: tensor<2x4x75x32xf32>, %padding: tensor<2x75xi1>, %seen: tensor<2x37x75xi1>, %segment: tensor<2x75xi32>)
    -> tensor<2x4x37x32xf32> {
  %zero = arith.constant dense<0> : tensor<2x75xi32>
  %e = tensor.empty() : tensor<2x37x75xi1>
  %m = linalg.generic {indexing_maps = [#keys, #keys, #keys, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%padding, %segment, %zero, %seen : tensor<2x75xi1>, tensor<2x75xi32>, tensor<2x75xi32>, tensor<2x37x75xi1>) outs(%e : tensor<2x37x75xi1>) {
  ^bb0(%a: i1, %s: i32, %n: i32, %c: i1, %out: i1):
    %first = arith.cmpi eq, %s, %n : i32
    %0 = arith.andi %a, %first : i1
    %1 = arith.ori %0, %c : i1
    linalg.yield %1 : i1
  } -> tensor<2x37x75xi1>
  %x = tensor.expand_shape %m [[0], [1, 2], [3]] output_shape [2, 1, 37, 75] : tensor<2x37x75xi1> into tensor<2x1x37x75xi1>
  %first = arith.constant 0 : index
  %o = flash.attention %q, %k, %v q_offset(%first) captures(%x : tensor<2x1x37x75xi1>) {mask = #flash.region} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %t: tensor<2x1x37x75xi1>):
    %c0 = arith.constant 0 : index
    %0 = tensor.extract %t[%b, %c0, %i, %j] : tensor<2x1x37x75xi1>
    flash.yield %0 : i1
  } : tensor<2x4x37x32xf32>, tensor<2x4x75x32xf32>, tensor<2x4x75x32xf32> -> tensor<2x4x37x32xf32>
  return %o : tensor<2x4x37x32xf32>
}

// Heads are split from the features and joined again; a float constant, a table of constants, a sum over the keys.
#bsd = affine_map<(b, s, d) -> (b, s, d)>
#gain = affine_map<(b, s, d) -> (d)>
func.func @block(%q: tensor<?x?x64xf32>, %k: tensor<?x?x64xf32>, %v: tensor<?x?x64xf32>) -> tensor<?x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %half = arith.constant 5.0e-01 : f32
  %gain = arith.constant dense<[1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5,
                                1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5, 1.0, -2.0, 3.0, 0.5]> : tensor<64xf32>
  %b = tensor.dim %q, %c0 : tensor<?x?x64xf32>
  %bk = tensor.dim %k, %c0 : tensor<?x?x64xf32>
  %same = arith.cmpi eq, %b, %bk : index
  cf.assert %same, "queries and keys differ in their batch"
  %sq = tensor.dim %q, %c1 : tensor<?x?x64xf32>
  %sk = tensor.dim %k, %c1 : tensor<?x?x64xf32>
  %q4 = tensor.expand_shape %q [[0], [1], [2, 3]] output_shape [%b, %sq, 2, 32] : tensor<?x?x64xf32> into tensor<?x?x2x32xf32>
  %k4 = tensor.expand_shape %k [[0], [1], [2, 3]] output_shape [%b, %sk, 2, 32] : tensor<?x?x64xf32> into tensor<?x?x2x32xf32>
  %v4 = tensor.expand_shape %v [[0], [1], [2, 3]] output_shape [%b, %sk, 2, 32] : tensor<?x?x64xf32> into tensor<?x?x2x32xf32>
  %o4 = flash.attention %q4, %k4, %v4 {layout = #flash.layout<bshd>, mask = #flash.causal} : tensor<?x?x2x32xf32>, tensor<?x?x2x32xf32>, tensor<?x?x2x32xf32> -> tensor<?x?x2x32xf32>
  %o = tensor.collapse_shape %o4 [[0], [1], [2, 3]] : tensor<?x?x2x32xf32> into tensor<?x?x64xf32>
  %e = tensor.empty(%b, %sq) : tensor<?x?x64xf32>
  %r = linalg.generic {indexing_maps = [#bsd, #gain, #bsd], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%o, %gain : tensor<?x?x64xf32>, tensor<64xf32>) outs(%e : tensor<?x?x64xf32>) {
  ^bb0(%x: f32, %g: f32, %out: f32):
    %0 = arith.mulf %x, %half : f32
    %1 = arith.mulf %0, %g : f32
    linalg.yield %1 : f32
  } -> tensor<?x?x64xf32>
  return %r : tensor<?x?x64xf32>
}

// On a GPU neither is supported.
func.func @booleans16(%q: tensor<1x4x64x64xf16>, %k: tensor<1x4x64x64xf16>, %v: tensor<1x4x64x64xf16>, %seen: tensor<64x64xi1>) -> tensor<1x4x64x64xf16> {
  %o = flash.attention %q, %k, %v captures(%seen : tensor<64x64xi1>) {mask = #flash.region} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %m: tensor<64x64xi1>):
    %0 = tensor.extract %m[%i, %j] : tensor<64x64xi1>
    flash.yield %0 : i1
  } : tensor<1x4x64x64xf16>, tensor<1x4x64x64xf16>, tensor<1x4x64x64xf16> -> tensor<1x4x64x64xf16>
  return %o : tensor<1x4x64x64xf16>
}
func.func @joined16(%q: tensor<1x4x64x64xf16>, %k: tensor<1x4x64x64xf16>, %v: tensor<1x4x64x64xf16>) -> tensor<4x64x64xf16> {
  %o = flash.attention %q, %k, %v : tensor<1x4x64x64xf16>, tensor<1x4x64x64xf16>, tensor<1x4x64x64xf16> -> tensor<1x4x64x64xf16>
  %j = tensor.collapse_shape %o [[0, 1], [2], [3]] : tensor<1x4x64x64xf16> into tensor<4x64x64xf16>
  return %j : tensor<4x64x64xf16>
}
