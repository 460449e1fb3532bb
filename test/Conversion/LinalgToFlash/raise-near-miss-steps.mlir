// RUN: flash-opt %s --flash-raise -split-input-file -verify-diagnostics

// What stands between a softmax and the second contraction and cannot be seen through: a call, a reshape whose sizes are data.

func.func private @softmax(%s: tensor<2x4x6xf32>) -> tensor<2x4x6xf32> {
  %e = tensor.empty() : tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  return %p : tensor<2x4x6xf32>
}
func.func @softmax_called(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  // expected-note @+1 {{seen here}}
  %p = func.call @softmax(%s) : (tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  // expected-remark @+1 {{not raised to flash.attention: the probabilities are the result of a call; calls have to be inlined before}}
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// A whole attention that is called, and projected: the projection is none.
func.func private @attention(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  // expected-remark @+1 {{not raised to flash.attention: the second contraction adds to what its destination holds}}
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%q : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}
func.func @attention_called(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>, %w: tensor<2x8x5xf32>) -> tensor<2x4x5xf32> {
  %zero = arith.constant 0.0 : f32
  %a = func.call @attention(%q, %kt, %v) : (tensor<2x4x8xf32>, tensor<2x8x6xf32>, tensor<2x6x8xf32>) -> tensor<2x4x8xf32>
  %eo = tensor.empty() : tensor<2x4x5xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  %o = linalg.batch_matmul ins(%a, %w : tensor<2x4x8xf32>, tensor<2x8x5xf32>) outs(%zo : tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  return %o : tensor<2x4x5xf32>
}

// -----

func.func @reshaped_by_data(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<?x6x8xf32>, %shape: tensor<3xindex>, %n: index) -> tensor<?x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  // expected-note @+1 {{seen here}}
  %r = tensor.reshape %p(%shape) : (tensor<2x4x6xf32>, tensor<3xindex>) -> tensor<?x4x6xf32>
  %eo = tensor.empty(%n) : tensor<?x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<?x4x8xf32>) -> tensor<?x4x8xf32>
  // expected-remark @+1 {{not raised to flash.attention: the probabilities go through 'tensor.reshape' before the second contraction}}
  %o = linalg.batch_matmul ins(%r, %v : tensor<?x4x6xf32>, tensor<?x6x8xf32>) outs(%zo : tensor<?x4x8xf32>) -> tensor<?x4x8xf32>
  return %o : tensor<?x4x8xf32>
}

// -----

// A reshape of dynamic dimensions before the softmax: it is not known where the product is.
func.func @scores_reshaped_by_data(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<?x6x8xf32>, %shape: tensor<3xindex>, %n: index) -> tensor<?x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  // expected-note @+1 {{seen here}}
  %r = tensor.reshape %s(%shape) : (tensor<2x4x6xf32>, tensor<3xindex>) -> tensor<?x4x6xf32>
  %ep = tensor.empty(%n) : tensor<?x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%r : tensor<?x4x6xf32>) outs(%ep : tensor<?x4x6xf32>) -> tensor<?x4x6xf32>
  %eo = tensor.empty(%n) : tensor<?x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<?x4x8xf32>) -> tensor<?x4x8xf32>
  // expected-remark @+1 {{not raised to flash.attention: the scores are not a product of queries and keys}}
  %o = linalg.batch_matmul ins(%p, %v : tensor<?x4x6xf32>, tensor<?x6x8xf32>) outs(%zo : tensor<?x4x8xf32>) -> tensor<?x4x8xf32>
  return %o : tensor<?x4x8xf32>
}

// -----

// The output is divided by a sum that has what the exponentials do not.
#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#row = affine_map<(d0, d1, d2) -> (d0, d1)>
func.func @sum_of_more(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %x = linalg.exp ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %el = tensor.empty() : tensor<2x4xf32>
  %zl = linalg.fill ins(%zero : f32) outs(%el : tensor<2x4xf32>) -> tensor<2x4xf32>
  %l = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x : tensor<2x4x6xf32>) outs(%zl : tensor<2x4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %a, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<2x4xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) {
  ^bb0(%a: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi sge, %i, %j : index
    %keep = arith.uitofp %c : i1 to f32
    %0 = arith.mulf %a, %keep : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  // expected-remark @+1 {{not raised to flash.attention: exponentials are set to 0 that their sum over the keys has}}
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %d = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%o, %l : tensor<2x4x8xf32>, tensor<2x4xf32>) outs(%eo : tensor<2x4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.divf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x8xf32>
  return %d : tensor<2x4x8xf32>
}

// -----

// A number that may be a penalty as well is added as it is.
#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
func.func @penalty(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  // expected-note @+1 {{seen here}}
  %large = arith.constant -1.0e4 : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %m = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) {
  ^bb0(%x: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi sge, %i, %j : index
    %0 = arith.select %c, %x, %large : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%m : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  // expected-remark @+1 {{raised to flash.attention, but a mask of -10000 is added to the scores as it is; if none of them comes near it, --flash-raise=finite-minima-hide makes it a mask, which skips blocks}}
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// torch-mlir's op, of a head dim that is not known.
func.func @dynamic_head_dim(%q: tensor<2x4x?xf32>, %k: tensor<2x6x?xf32>, %v: tensor<2x6x?xf32>, %o: tensor<2x4x?xf32>) -> tensor<2x4x?xf32> {
  // expected-remark @+1 {{not raised to flash.attention: its head dim is dynamic, or its operands are not of one rank}}
  %0 = tm_tensor.attention ins(%q, %k, %v : tensor<2x4x?xf32>, tensor<2x6x?xf32>, tensor<2x6x?xf32>) outs(%o : tensor<2x4x?xf32>) -> tensor<2x4x?xf32>
  return %0 : tensor<2x4x?xf32>
}
