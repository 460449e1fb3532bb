// RUN: flash-opt %s --flash-raise -split-input-file -verify-diagnostics

// What a score function cannot read. The batch is two dimensions; of the inner one, a factor's place in both is not known.
#id = affine_map<(b, c, h, i, j) -> (b, c, h, i, j)>
#t = affine_map<(b, c, h, i, j) -> (b)>
#q = affine_map<(b, c, h, i, j, d) -> (b, c, h, i, d)>
#k = affine_map<(b, c, h, i, j, d) -> (b, c, h, j, d)>
#s = affine_map<(b, c, h, i, j, d) -> (b, c, h, i, j)>
#p = affine_map<(b, c, h, i, d, j) -> (b, c, h, i, j)>
#v = affine_map<(b, c, h, i, d, j) -> (b, c, h, j, d)>
#o = affine_map<(b, c, h, i, d, j) -> (b, c, h, i, d)>
// expected-note @+1 {{seen here}}
func.func @factor_of_outer_batch(%q: tensor<2x?x3x4x8xf32>, %k: tensor<2x?x3x6x8xf32>, %v: tensor<2x?x3x6x8xf32>, %t: tensor<2xf32>, %n: index) -> tensor<2x?x3x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<2x?x3x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x?x3x4x6xf32>) -> tensor<2x?x3x4x6xf32>
  %s = linalg.contract indexing_maps = [#q, #k, #s] ins(%q, %k : tensor<2x?x3x4x8xf32>, tensor<2x?x3x6x8xf32>) outs(%z : tensor<2x?x3x4x6xf32>) -> tensor<2x?x3x4x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #t, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %t : tensor<2x?x3x4x6xf32>, tensor<2xf32>) outs(%e : tensor<2x?x3x4x6xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.mulf %x, %y : f32
    linalg.yield %0 : f32
  } -> tensor<2x?x3x4x6xf32>
  %p = linalg.softmax dimension(4) ins(%m : tensor<2x?x3x4x6xf32>) outs(%e : tensor<2x?x3x4x6xf32>) -> tensor<2x?x3x4x6xf32>
  %eo = tensor.empty(%n) : tensor<2x?x3x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x?x3x4x8xf32>) -> tensor<2x?x3x4x8xf32>
  // expected-remark @+1 {{not raised to flash.attention: a score function reads a dimension whose place in the batch or heads is dynamic}}
  %o = linalg.contract indexing_maps = [#p, #v, #o] ins(%p, %v : tensor<2x?x3x4x6xf32>, tensor<2x?x3x6x8xf32>) outs(%zo : tensor<2x?x3x4x8xf32>) -> tensor<2x?x3x4x8xf32>
  return %o : tensor<2x?x3x4x8xf32>
}

// -----

// The same of the inner one: its index is a remainder by its size.
#id = affine_map<(b, c, h, i, j) -> (b, c, h, i, j)>
#t = affine_map<(b, c, h, i, j) -> (c)>
#q = affine_map<(b, c, h, i, j, d) -> (b, c, h, i, d)>
#k = affine_map<(b, c, h, i, j, d) -> (b, c, h, j, d)>
#s = affine_map<(b, c, h, i, j, d) -> (b, c, h, i, j)>
#p = affine_map<(b, c, h, i, d, j) -> (b, c, h, i, j)>
#v = affine_map<(b, c, h, i, d, j) -> (b, c, h, j, d)>
#o = affine_map<(b, c, h, i, d, j) -> (b, c, h, i, d)>
// expected-note @+1 {{seen here}}
func.func @factor_of_inner_batch(%q: tensor<2x?x3x4x8xf32>, %k: tensor<2x?x3x6x8xf32>, %v: tensor<2x?x3x6x8xf32>, %t: tensor<?xf32>, %n: index) -> tensor<2x?x3x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<2x?x3x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x?x3x4x6xf32>) -> tensor<2x?x3x4x6xf32>
  %s = linalg.contract indexing_maps = [#q, #k, #s] ins(%q, %k : tensor<2x?x3x4x8xf32>, tensor<2x?x3x6x8xf32>) outs(%z : tensor<2x?x3x4x6xf32>) -> tensor<2x?x3x4x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #t, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %t : tensor<2x?x3x4x6xf32>, tensor<?xf32>) outs(%e : tensor<2x?x3x4x6xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.mulf %x, %y : f32
    linalg.yield %0 : f32
  } -> tensor<2x?x3x4x6xf32>
  %p = linalg.softmax dimension(4) ins(%m : tensor<2x?x3x4x6xf32>) outs(%e : tensor<2x?x3x4x6xf32>) -> tensor<2x?x3x4x6xf32>
  %eo = tensor.empty(%n) : tensor<2x?x3x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x?x3x4x8xf32>) -> tensor<2x?x3x4x8xf32>
  // expected-remark @+1 {{not raised to flash.attention: a score function reads a dimension whose place in the batch or heads is dynamic}}
  %o = linalg.contract indexing_maps = [#p, #v, #o] ins(%p, %v : tensor<2x?x3x4x6xf32>, tensor<2x?x3x6x8xf32>) outs(%zo : tensor<2x?x3x4x8xf32>) -> tensor<2x?x3x4x8xf32>
  return %o : tensor<2x?x3x4x8xf32>
}

// -----

// Other probabilities for each feature of the value.
#id = affine_map<(b, i, d, j) -> (b, i, d, j)>
#bij = affine_map<(b, i, d, j) -> (b, i, j)>
#t = affine_map<(b, i, d, j) -> (d)>
#v = affine_map<(b, i, d, j) -> (b, j, d)>
#o = affine_map<(b, i, d, j) -> (b, i, d)>
// expected-note @+1 {{seen here}}
func.func @factor_of_feature(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x5xf32>, %t: tensor<5xf32>) -> tensor<2x4x5xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %em = tensor.empty() : tensor<2x4x5x6xf32>
  %m = linalg.generic {indexing_maps = [#bij, #t, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %t : tensor<2x4x6xf32>, tensor<5xf32>) outs(%em : tensor<2x4x5x6xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.mulf %x, %y : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x5x6xf32>
  %p = linalg.softmax dimension(3) ins(%m : tensor<2x4x5x6xf32>) outs(%em : tensor<2x4x5x6xf32>) -> tensor<2x4x5x6xf32>
  %eo = tensor.empty() : tensor<2x4x5xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  // expected-remark @+1 {{not raised to flash.attention: a score function reads a dimension that is not batch, head, query or key}}
  %o = linalg.contract indexing_maps = [#id, #v, #o] ins(%p, %v : tensor<2x4x5x6xf32>, tensor<2x6x5xf32>) outs(%zo : tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  return %o : tensor<2x4x5xf32>
}

// -----

// A bias for the blocks of two keys around each.
#id = affine_map<(b, i, j) -> (b, i, j)>
#block = affine_map<(b, i, j) -> (j ceildiv 2)>
// expected-note @+1 {{seen here}}
func.func @bias_of_blocks(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>, %t: tensor<4xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #block, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s, %t : tensor<2x4x6xf32>, tensor<4xf32>) outs(%e : tensor<2x4x6xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %0 = arith.addf %x, %y : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%m : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  // expected-remark @+1 {{not raised to flash.attention: a score function reads at an index that is not a sum of dimensions}}
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}
