// Keys beyond a length of each batch: the region compares positions.
#q = affine_map<(b, h, i, j, d) -> (b, h, i, d)>
#k = affine_map<(b, h, i, j, d) -> (b, h, j, d)>
#s = affine_map<(b, h, i, j, d) -> (b, h, i, j)>
#p = affine_map<(b, h, i, d, j) -> (b, h, i, j)>
#v = affine_map<(b, h, i, d, j) -> (b, h, j, d)>
#o = affine_map<(b, h, i, d, j) -> (b, h, i, d)>
#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#row = affine_map<(b, h, i, j) -> (b, h, i)>
#b = affine_map<(b, h, i, j) -> (b)>
#bj = affine_map<(b, h, i, j) -> (b, j)>
module {
func.func @main(%q: tensor<2x3x5x8xf32>, %k: tensor<2x3x7x8xf32>, %v: tensor<2x3x7x8xf32>, %lengths: tensor<2xi32>) -> tensor<2x3x5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %minus = arith.constant 0xFF800000 : f32
  %scale = arith.constant 0.3 : f32
  %e = tensor.empty() : tensor<2x3x5x7xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %qk = linalg.contract indexing_maps = [#q, #k, #s] ins(%q, %k : tensor<2x3x5x8xf32>, tensor<2x3x7x8xf32>) outs(%z : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %ke = tensor.empty() : tensor<2x7xi1>
  %keep = linalg.generic {indexing_maps = [affine_map<(b, j) -> (b)>, affine_map<(b, j) -> (b, j)>], iterator_types = ["parallel", "parallel"]} ins(%lengths : tensor<2xi32>) outs(%ke : tensor<2x7xi1>) {
  ^bb0(%n: i32, %out: i1):
    %j = linalg.index 1 : index
    %j0 = arith.index_cast %j : index to i32
    %0 = arith.cmpi sle, %j0, %n : i32
    linalg.yield %0 : i1
  } -> tensor<2x7xi1>
  %w = linalg.generic {indexing_maps = [#id, #bj, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%qk, %keep : tensor<2x3x5x7xf32>, tensor<2x7xi1>) outs(%e : tensor<2x3x5x7xf32>) {
  ^bb0(%x: f32, %y: i1, %out: f32):
    %s = arith.mulf %x, %scale : f32
    %0 = arith.select %y, %s, %minus : f32
    linalg.yield %0 : f32
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
