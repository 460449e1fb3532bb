// Sequence numbers by a running sum over jumps of the positions, of which there are none (transformers).
#q = affine_map<(b, h, i, j, d) -> (b, h, i, d)>
#k = affine_map<(b, h, i, j, d) -> (b, h, j, d)>
#s = affine_map<(b, h, i, j, d) -> (b, h, i, j)>
#p = affine_map<(b, h, i, d, j) -> (b, h, i, j)>
#v = affine_map<(b, h, i, d, j) -> (b, h, j, d)>
#o = affine_map<(b, h, i, d, j) -> (b, h, i, d)>
#id = affine_map<(b, h, i, j) -> (b, h, i, j)>
#row = affine_map<(b, h, i, j) -> (b, h, i)>
#head = affine_map<(b, h, i, j) -> (h)>
#two = affine_map<(b, i) -> (b, i)>
module {
func.func @main(%q: tensor<2x3x5x8xf32>, %k: tensor<2x3x7x8xf32>, %v: tensor<2x3x7x8xf32>) -> tensor<2x3x5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %minus = arith.constant 0xFF800000 : f32
  %scale = arith.constant 0.3 : f32
  %e = tensor.empty() : tensor<2x3x5x7xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %qk = linalg.contract indexing_maps = [#q, #k, #s] ins(%q, %k : tensor<2x3x5x8xf32>, tensor<2x3x7x8xf32>) outs(%z : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%qk : tensor<2x3x5x7xf32>) outs(%e : tensor<2x3x5x7xf32>) {
  ^bb0(%x: f32, %o: f32):
    %0 = arith.mulf %x, %scale : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x5x7xf32>
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %pe = tensor.empty() : tensor<2x7xi64>
  %pos = linalg.generic {indexing_maps = [#two], iterator_types = ["parallel", "parallel"]} outs(%pe : tensor<2x7xi64>) {
  ^bb0(%out: i64):
    %0 = linalg.index 1 : index
    %1 = arith.index_cast %0 : index to i64
    linalg.yield %1 : i64
  } -> tensor<2x7xi64>
  %first = tensor.extract_slice %pos[0, 0] [2, 1] [1, 1] : tensor<2x7xi64> to tensor<2x1xi64>
  %fe = tensor.empty() : tensor<2x1xi64>
  %before = linalg.generic {indexing_maps = [#two, #two], iterator_types = ["parallel", "parallel"]} ins(%first : tensor<2x1xi64>) outs(%fe : tensor<2x1xi64>) {
  ^bb0(%x: i64, %out: i64):
    %0 = arith.subi %x, %c1 : i64
    linalg.yield %0 : i64
  } -> tensor<2x1xi64>
  %cat = tensor.concat dim(1) %before, %pos : (tensor<2x1xi64>, tensor<2x7xi64>) -> tensor<2x8xi64>
  %a = tensor.extract_slice %cat[0, 0] [2, 7] [1, 1] : tensor<2x8xi64> to tensor<2x7xi64>
  %b = tensor.extract_slice %cat[0, 1] [2, 7] [1, 1] : tensor<2x8xi64> to tensor<2x7xi64>
  %jump = linalg.generic {indexing_maps = [#two, #two, #two], iterator_types = ["parallel", "parallel"]} ins(%b, %a : tensor<2x7xi64>, tensor<2x7xi64>) outs(%pe : tensor<2x7xi64>) {
  ^bb0(%x: i64, %y: i64, %out: i64):
    %0 = arith.subi %x, %y : i64
    %1 = arith.cmpi ne, %0, %c1 : i64
    %2 = arith.extui %1 : i1 to i64
    linalg.yield %2 : i64
  } -> tensor<2x7xi64>
  %se = tensor.empty() : tensor<2xi64>
  %si = linalg.fill ins(%c0 : i64) outs(%se : tensor<2xi64>) -> tensor<2xi64>
  %ze = linalg.fill ins(%c0 : i64) outs(%pe : tensor<2x7xi64>) -> tensor<2x7xi64>
  %seq:2 = tm_tensor.scan dimension(1) inclusive(true) ins(%jump : tensor<2x7xi64>) outs(%ze, %si : tensor<2x7xi64>, tensor<2xi64>) {
  ^bb0(%sum: i64, %x: i64):
    %0 = arith.addi %sum, %x : i64
    tm_tensor.yield %0 : i64
  } -> tensor<2x7xi64>, tensor<2xi64>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x3x5x7xf32>) outs(%e : tensor<2x3x5x7xf32>) {
  ^bb0(%x0: f32, %out: f32):
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %b0 = linalg.index 0 : index
    %jj = arith.index_cast %j : index to i64
    %n = arith.constant 7 : i64
    %neg = arith.cmpi slt, %jj, %c0 : i64
    %wrap = arith.addi %jj, %n : i64
    %at = arith.select %neg, %wrap, %jj : i64
    %place = arith.index_cast %at : i64 to index
    %pj = tensor.extract %pos[%b0, %place] : tensor<2x7xi64>
    %pi = tensor.extract %pos[%b0, %i] : tensor<2x7xi64>
    %sj = tensor.extract %seq#0[%b0, %place] : tensor<2x7xi64>
    %si0 = tensor.extract %seq#0[%b0, %i] : tensor<2x7xi64>
    %causal = arith.cmpi sle, %pj, %pi : i64
    %one = arith.cmpi eq, %sj, %si0 : i64
    %both = arith.andi %causal, %one : i1
    %0 = arith.select %both, %x0, %minus : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x5x7xf32>
  %me = tensor.empty() : tensor<2x3x5xf32>
  %mi = linalg.fill ins(%minus : f32) outs(%me : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%w : tensor<2x3x5x7xf32>) outs(%mi : tensor<2x3x5xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %0 = arith.maximumf %x, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x5xf32>
  %exps = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%w, %m : tensor<2x3x5x7xf32>, tensor<2x3x5xf32>) outs(%e : tensor<2x3x5x7xf32>) {
  ^bb0(%x0: f32, %x1: f32, %out: f32):
    %0 = arith.subf %x0, %x1 : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x3x5x7xf32>
  %le = tensor.empty() : tensor<2x3x5xf32>
  %li = linalg.fill ins(%zero : f32) outs(%le : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %l = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%exps : tensor<2x3x5x7xf32>) outs(%li : tensor<2x3x5xf32>) {
  ^bb0(%x: f32, %acc: f32):
    %0 = arith.addf %x, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x5xf32>
  %p = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exps, %l : tensor<2x3x5x7xf32>, tensor<2x3x5xf32>) outs(%e : tensor<2x3x5x7xf32>) {
  ^bb0(%x0: f32, %x1: f32, %out: f32):
    %0 = arith.divf %x0, %x1 : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x5x7xf32>
  %oe = tensor.empty() : tensor<2x3x5x8xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<2x3x5x8xf32>) -> tensor<2x3x5x8xf32>
  %o = linalg.contract indexing_maps = [#p, #v, #o] ins(%p, %v : tensor<2x3x5x7xf32>, tensor<2x3x7x8xf32>) outs(%oz : tensor<2x3x5x8xf32>) -> tensor<2x3x5x8xf32>
  return %o : tensor<2x3x5x8xf32>
}
}
