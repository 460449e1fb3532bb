// Relative positions of rows and of columns are added to the scores (ViTDet, SAM).
#i3 = affine_map<(b, i, j) -> (b, i, j)>
#r3 = affine_map<(b, i, j) -> (b, i)>
#id = affine_map<(b, i, j, k, l) -> (b, i, j, k, l)>
#rh = affine_map<(b, i, j, k, l) -> (b, i, j, k)>
#rw = affine_map<(b, i, j, k, l) -> (b, i, j, l)>
module {
func.func @main(%q: tensor<3x6x8xf32>, %k: tensor<3x8x8xf32>, %v: tensor<3x8x8xf32>, %rh: tensor<3x2x3x2xf32>, %rw: tensor<3x2x3x4xf32>) -> tensor<3x6x8xf32> {
  %zero = arith.constant 0.0 : f32
  %minus = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<3x6x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<3x6x8xf32>) -> tensor<3x6x8xf32>
  %kte = tensor.empty() : tensor<3x8x8xf32>
  %kt = linalg.transpose ins(%k : tensor<3x8x8xf32>) outs(%kte : tensor<3x8x8xf32>) permutation = [0, 2, 1]
  %s = linalg.batch_matmul ins(%q, %kt : tensor<3x6x8xf32>, tensor<3x8x8xf32>) outs(%z : tensor<3x6x8xf32>) -> tensor<3x6x8xf32>
  %s5 = tensor.expand_shape %s [[0], [1, 2], [3, 4]] output_shape [3, 2, 3, 2, 4] : tensor<3x6x8xf32> into tensor<3x2x3x2x4xf32>
  %e5 = tensor.empty() : tensor<3x2x3x2x4xf32>
  %b5 = linalg.generic {indexing_maps = [#id, #rh, #rw, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%s5, %rh, %rw : tensor<3x2x3x2x4xf32>, tensor<3x2x3x2xf32>, tensor<3x2x3x4xf32>) outs(%e5 : tensor<3x2x3x2x4xf32>) {
  ^bb0(%x: f32, %y: f32, %w: f32, %out: f32):
    %0 = arith.addf %x, %y : f32
    %1 = arith.addf %0, %w : f32
    linalg.yield %1 : f32
  } -> tensor<3x2x3x2x4xf32>
  %b = tensor.collapse_shape %b5 [[0], [1, 2], [3, 4]] : tensor<3x2x3x2x4xf32> into tensor<3x6x8xf32>
  %me = tensor.empty() : tensor<3x6xf32>
  %mi = linalg.fill ins(%minus : f32) outs(%me : tensor<3x6xf32>) -> tensor<3x6xf32>
  %m = linalg.reduce { arith.maximumf } ins(%b : tensor<3x6x8xf32>) outs(%mi : tensor<3x6xf32>) dimensions = [2]
  %exps = linalg.generic {indexing_maps = [#i3, #r3, #i3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%b, %m : tensor<3x6x8xf32>, tensor<3x6xf32>) outs(%e : tensor<3x6x8xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.subf %x, %y : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<3x6x8xf32>
  %le = tensor.empty() : tensor<3x6xf32>
  %li = linalg.fill ins(%zero : f32) outs(%le : tensor<3x6xf32>) -> tensor<3x6xf32>
  %l = linalg.reduce { arith.addf } ins(%exps : tensor<3x6x8xf32>) outs(%li : tensor<3x6xf32>) dimensions = [2]
  %p = linalg.generic {indexing_maps = [#i3, #r3, #i3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%exps, %l : tensor<3x6x8xf32>, tensor<3x6xf32>) outs(%e : tensor<3x6x8xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.divf %x, %y : f32
    linalg.yield %0 : f32
  } -> tensor<3x6x8xf32>
  %oe = tensor.empty() : tensor<3x6x8xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<3x6x8xf32>) -> tensor<3x6x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<3x6x8xf32>, tensor<3x8x8xf32>) outs(%oz : tensor<3x6x8xf32>) -> tensor<3x6x8xf32>
  return %o : tensor<3x6x8xf32>
}
}
