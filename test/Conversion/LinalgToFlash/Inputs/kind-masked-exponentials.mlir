// Exponentials times a mask, summed, and the output divided.
#q = affine_map<(b, h, i, j, d) -> (b, h, i, d)>
#k = affine_map<(b, h, i, j, d) -> (b, h, j, d)>
#s = affine_map<(b, h, i, j, d) -> (b, h, i, j)>
#p = affine_map<(b, h, i, d, j) -> (b, h, i, j)>
#v = affine_map<(b, h, i, d, j) -> (b, h, j, d)>
#o = affine_map<(b, h, i, d, j) -> (b, h, i, d)>
#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#row = affine_map<(b, h, i, j) -> (b, h, i)>
module {
func.func @main(%q: tensor<2x3x6x8xf32>, %k: tensor<2x3x6x8xf32>, %v: tensor<2x3x6x8xf32>) -> tensor<2x3x6x8xf32> {
  %zero = arith.constant 0.0 : f32
  %minus = arith.constant 0xFF800000 : f32
  %scale = arith.constant 0.3 : f32
  %large = arith.constant -1.0e30 : f32
  %e = tensor.empty() : tensor<2x3x6x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x6x6xf32>) -> tensor<2x3x6x6xf32>
  %qk = linalg.contract indexing_maps = [#q, #k, #s] ins(%q, %k : tensor<2x3x6x8xf32>, tensor<2x3x6x8xf32>) outs(%z : tensor<2x3x6x6xf32>) -> tensor<2x3x6x6xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%qk : tensor<2x3x6x6xf32>) outs(%e : tensor<2x3x6x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %s = arith.mulf %x, %scale : f32
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %c = arith.cmpi sge, %i, %j : index
    %0 = arith.select %c, %s, %large : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x6x6xf32>
  %me = tensor.empty() : tensor<2x3x6xf32>
  %mi = linalg.fill ins(%minus : f32) outs(%me : tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%w : tensor<2x3x6x6xf32>) outs(%mi : tensor<2x3x6xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %0 = arith.maximumf %x, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x6xf32>
  %exps = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%w, %m : tensor<2x3x6x6xf32>, tensor<2x3x6xf32>) outs(%e : tensor<2x3x6x6xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %c = arith.cmpi sge, %i, %j : index
    %keep = arith.uitofp %c : i1 to f32
    %0 = arith.subf %x, %y : f32
    %1 = math.exp %0 : f32
    %2 = arith.mulf %1, %keep : f32
    linalg.yield %2 : f32
  } -> tensor<2x3x6x6xf32>
  %li = linalg.fill ins(%zero : f32) outs(%me : tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
  %l = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%exps : tensor<2x3x6x6xf32>) outs(%li : tensor<2x3x6xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %0 = arith.addf %x, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x6xf32>
  %oe = tensor.empty() : tensor<2x3x6x8xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<2x3x6x8xf32>) -> tensor<2x3x6x8xf32>
  %late = linalg.contract indexing_maps = [#p, #v, #o] ins(%exps, %v : tensor<2x3x6x6xf32>, tensor<2x3x6x8xf32>) outs(%oz : tensor<2x3x6x8xf32>) -> tensor<2x3x6x8xf32>
  %o = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%late, %l : tensor<2x3x6x8xf32>, tensor<2x3x6xf32>) outs(%oe : tensor<2x3x6x8xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.divf %x, %y : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x6x8xf32>
  return %o : tensor<2x3x6x8xf32>
}
}
