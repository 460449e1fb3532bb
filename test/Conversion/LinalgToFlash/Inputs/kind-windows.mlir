// A mask for each window of an image, and a bias for each head (Swin).
#q = affine_map<(b, h, i, j, d) -> (b, h, i, d)>
#k = affine_map<(b, h, i, j, d) -> (b, h, j, d)>
#s = affine_map<(b, h, i, j, d) -> (b, h, i, j)>
#p = affine_map<(b, h, i, d, j) -> (b, h, i, j)>
#v = affine_map<(b, h, i, d, j) -> (b, h, j, d)>
#o = affine_map<(b, h, i, d, j) -> (b, h, i, d)>
#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#row = affine_map<(b, h, i, j) -> (b, h, i)>
#head = affine_map<(b, h, i, j) -> (h)>
#hij = affine_map<(b, h, i, j) -> (h, i, j)>
#id5 = affine_map<(b, w, h, i, j) -> (b, w, h, i, j)>
#w5 = affine_map<(b, w, h, i, j) -> (w, i, j)>
module {
func.func @main(%q: tensor<4x3x5x8xf32>, %k: tensor<4x3x7x8xf32>, %v: tensor<4x3x7x8xf32>, %mask: tensor<2x5x7xf32>, %bias: tensor<3x5x7xf32>) -> tensor<4x3x5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %minus = arith.constant 0xFF800000 : f32
  %scale = arith.constant 0.3 : f32
  %e = tensor.empty() : tensor<4x3x5x7xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<4x3x5x7xf32>) -> tensor<4x3x5x7xf32>
  %qk = linalg.contract indexing_maps = [#q, #k, #s] ins(%q, %k : tensor<4x3x5x8xf32>, tensor<4x3x7x8xf32>) outs(%z : tensor<4x3x5x7xf32>) -> tensor<4x3x5x7xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%qk : tensor<4x3x5x7xf32>) outs(%e : tensor<4x3x5x7xf32>) {
  ^bb0(%x: f32, %o: f32):
    %0 = arith.mulf %x, %scale : f32
    linalg.yield %0 : f32
  } -> tensor<4x3x5x7xf32>
  %sb = linalg.generic {indexing_maps = [#id, #hij, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %bias : tensor<4x3x5x7xf32>, tensor<3x5x7xf32>) outs(%e : tensor<4x3x5x7xf32>) {
  ^bb0(%x0: f32, %x1: f32, %out: f32):
    %0 = arith.addf %x0, %x1 : f32
    linalg.yield %0 : f32
  } -> tensor<4x3x5x7xf32>
  %s5 = tensor.expand_shape %sb [[0, 1], [2], [3], [4]] output_shape [2, 2, 3, 5, 7] : tensor<4x3x5x7xf32> into tensor<2x2x3x5x7xf32>
  %e5 = tensor.empty() : tensor<2x2x3x5x7xf32>
  %m5 = linalg.generic {indexing_maps = [#id5, #w5, #id5], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%s5, %mask : tensor<2x2x3x5x7xf32>, tensor<2x5x7xf32>) outs(%e5 : tensor<2x2x3x5x7xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.addf %x, %y : f32
    linalg.yield %0 : f32
  } -> tensor<2x2x3x5x7xf32>
  %sm = tensor.collapse_shape %m5 [[0, 1], [2], [3], [4]] : tensor<2x2x3x5x7xf32> into tensor<4x3x5x7xf32>
  %me = tensor.empty() : tensor<4x3x5xf32>
  %mi = linalg.fill ins(%minus : f32) outs(%me : tensor<4x3x5xf32>) -> tensor<4x3x5xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%sm : tensor<4x3x5x7xf32>) outs(%mi : tensor<4x3x5xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %0 = arith.maximumf %x, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<4x3x5xf32>
  %exps = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%sm, %m : tensor<4x3x5x7xf32>, tensor<4x3x5xf32>) outs(%e : tensor<4x3x5x7xf32>) {
  ^bb0(%x0: f32, %x1: f32, %out: f32):
    %0 = arith.subf %x0, %x1 : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x3x5x7xf32>
  %le = tensor.empty() : tensor<4x3x5xf32>
  %li = linalg.fill ins(%zero : f32) outs(%le : tensor<4x3x5xf32>) -> tensor<4x3x5xf32>
  %l = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%exps : tensor<4x3x5x7xf32>) outs(%li : tensor<4x3x5xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %0 = arith.addf %x, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<4x3x5xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exps, %l : tensor<4x3x5x7xf32>, tensor<4x3x5xf32>) outs(%e : tensor<4x3x5x7xf32>) {
  ^bb0(%x0: f32, %x1: f32, %out: f32):
    %0 = arith.divf %x0, %x1 : f32
    linalg.yield %0 : f32
  } -> tensor<4x3x5x7xf32>
  %oe = tensor.empty() : tensor<4x3x5x8xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<4x3x5x8xf32>) -> tensor<4x3x5x8xf32>
  %o = linalg.contract indexing_maps = [#p, #v, #o] ins(%p, %v : tensor<4x3x5x7xf32>, tensor<4x3x7x8xf32>) outs(%oz : tensor<4x3x5x8xf32>) -> tensor<4x3x5x8xf32>
  return %o : tensor<4x3x5x8xf32>
}
}
