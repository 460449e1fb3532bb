// torch-mlir's own op for attention, with a causal mask as a tensor and repeated keys.
#id = affine_map<(b, i, j) -> (b, i, j)>
#grouped = affine_map<(b, g, j, d) -> (b, j, d)>
#all = affine_map<(b, g, j, d) -> (b, g, j, d)>
module {
func.func @main(%q: tensor<6x5x8xf32>, %k: tensor<3x5x8xf32>, %v: tensor<3x5x8xf32>) -> tensor<6x5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %minus = arith.constant 0xFF800000 : f32
  %me = tensor.empty() : tensor<6x5x5xf32>
  %mask = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]} outs(%me : tensor<6x5x5xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi sge, %i, %j : index
    %0 = arith.select %c, %zero, %minus : f32
    linalg.yield %0 : f32
  } -> tensor<6x5x5xf32>
  %ke = tensor.empty() : tensor<3x2x5x8xf32>
  %k2 = linalg.generic {indexing_maps = [#grouped, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%k : tensor<3x5x8xf32>) outs(%ke : tensor<3x2x5x8xf32>) {
  ^bb0(%x: f32, %out: f32):
    linalg.yield %x : f32
  } -> tensor<3x2x5x8xf32>
  %v2 = linalg.generic {indexing_maps = [#grouped, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%v : tensor<3x5x8xf32>) outs(%ke : tensor<3x2x5x8xf32>) {
  ^bb0(%x: f32, %out: f32):
    linalg.yield %x : f32
  } -> tensor<3x2x5x8xf32>
  %keys = tensor.collapse_shape %k2 [[0, 1], [2], [3]] : tensor<3x2x5x8xf32> into tensor<6x5x8xf32>
  %values = tensor.collapse_shape %v2 [[0, 1], [2], [3]] : tensor<3x2x5x8xf32> into tensor<6x5x8xf32>
  %e = tensor.empty() : tensor<6x5x8xf32>
  %o = tm_tensor.attention ins(%q, %keys, %values, %mask : tensor<6x5x8xf32>, tensor<6x5x8xf32>, tensor<6x5x8xf32>, tensor<6x5x5xf32>) outs(%e : tensor<6x5x8xf32>) -> tensor<6x5x8xf32>
  return %o : tensor<6x5x8xf32>
}
}
