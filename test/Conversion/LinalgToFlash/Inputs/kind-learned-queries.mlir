// Queries that are the same in the whole batch are read as they are broadcast.
#q = affine_map<(b, h, i, j, d) -> (b, h, i, d)>
#k = affine_map<(b, h, i, j, d) -> (b, h, j, d)>
#s = affine_map<(b, h, i, j, d) -> (b, h, i, j)>
#p = affine_map<(b, h, i, d, j) -> (b, h, i, j)>
#v = affine_map<(b, h, i, d, j) -> (b, h, j, d)>
#o = affine_map<(b, h, i, d, j) -> (b, h, i, d)>
#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#row = affine_map<(b, h, i, j) -> (b, h, i)>
#hij = affine_map<(b, h, i, j) -> (h, i, j)>
module {
func.func @main(%q: tensor<3x5x8xf32>, %k: tensor<2x3x7x8xf32>, %v: tensor<2x3x7x8xf32>) -> tensor<2x3x5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %minus = arith.constant 0xFF800000 : f32
  %scale = arith.constant 0.3 : f32
  %e = tensor.empty() : tensor<2x3x5x7xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %qe = tensor.empty() : tensor<2x3x5x8xf32>
  %queries = linalg.broadcast ins(%q : tensor<3x5x8xf32>) outs(%qe : tensor<2x3x5x8xf32>) dimensions = [0]
  %qk = linalg.contract indexing_maps = [#q, #k, #s] ins(%queries, %k : tensor<2x3x5x8xf32>, tensor<2x3x7x8xf32>) outs(%z : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%qk : tensor<2x3x5x7xf32>) outs(%e : tensor<2x3x5x7xf32>) {
  ^bb0(%x: f32, %out: f32):
    %s = arith.mulf %x, %scale : f32
    linalg.yield %s : f32
  } -> tensor<2x3x5x7xf32>
  %me = tensor.empty() : tensor<2x3x5xf32>
  %mi = linalg.fill ins(%minus : f32) outs(%me : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%w : tensor<2x3x5x7xf32>) outs(%mi : tensor<2x3x5xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %0 = arith.maximumf %x, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x5xf32>
  %exps = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%w, %m : tensor<2x3x5x7xf32>, tensor<2x3x5xf32>) outs(%e : tensor<2x3x5x7xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.subf %x, %y : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x3x5x7xf32>
  %li = linalg.fill ins(%zero : f32) outs(%me : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %l = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%exps : tensor<2x3x5x7xf32>) outs(%li : tensor<2x3x5xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %0 = arith.addf %x, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x5xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%exps, %l : tensor<2x3x5x7xf32>, tensor<2x3x5xf32>) outs(%e : tensor<2x3x5x7xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.divf %x, %y : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x5x7xf32>
  %oe = tensor.empty() : tensor<2x3x5x8xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<2x3x5x8xf32>) -> tensor<2x3x5x8xf32>
  %o = linalg.contract indexing_maps = [#p, #v, #o] ins(%p, %v : tensor<2x3x5x7xf32>, tensor<2x3x7x8xf32>) outs(%oz : tensor<2x3x5x8xf32>) -> tensor<2x3x5x8xf32>
  return %o : tensor<2x3x5x8xf32>
}
}
