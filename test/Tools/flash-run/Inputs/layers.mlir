// Layers that are called, in a loop and under a condition; operations on tensors; integers beside the output; a score function by name.
!t = tensor<1x2x8x16xf32>
!i = tensor<1x2x8xi32>
func.func @main(%q: !t, %k: !t, %v: !t, %n: index, %steps: tensor<2xi32>) -> (!t, !i, tensor<2xi32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0 : i32
  %least = arith.constant 0xFF800000 : f32
  %half = arith.constant 0.5 : f32
  // Data decide how often: nobody knows before it runs.
  %more = tensor.extract %steps[%c1] : tensor<2xi32>
  %last = scf.while (%i = %more) : (i32) -> i32 {
    %go = arith.cmpi sgt, %i, %zero : i32
    scf.condition(%go) %i : i32
  } do {
  ^bb0(%i: i32):
    %two = arith.constant 2 : i32
    %less = arith.subi %i, %two : i32
    scf.yield %less : i32
  }
  %x = scf.for %l = %c0 to %c3 step %c1 iter_args(%y = %q) -> !t {
    %o = func.call @layer(%y, %k, %v) : (!t, !t, !t) -> !t
    %r = arith.addf %o, %y : !t
    %c = arith.constant dense<0.5> : !t
    %s = arith.mulf %r, %c : !t
    scf.yield %s : !t
  }
  %kind = scf.index_switch %n -> !t
  case 1 {
    scf.yield %k : !t
  }
  default {
    %w = math.tanh %k : !t
    scf.yield %w : !t
  }
  %rows = tensor.extract_slice %kind[0, 0, 0, 0] [1, 2, 8, 8] [1, 1, 1, 2] : !t to tensor<1x2x8x8xf32>
  %keys = tensor.insert_slice %rows into %v[0, 0, 0, 1] [1, 2, 8, 8] [1, 1, 1, 2] : tensor<1x2x8x8xf32> into !t
  %part = tensor.extract_slice %keys[0, 0, 0, 0] [1, 2, 6, 16] [1, 1, 1, 1] : !t to tensor<1x2x6x16xf32>
  %padded = tensor.pad %part low[0, 0, 1, 0] high[0, 0, 1, 0] {
  ^bb0(%a: index, %b: index, %i: index, %j: index):
    %p = arith.index_cast %j : index to i32
    %f = arith.sitofp %p : i32 to f32
    %g = arith.mulf %f, %half : f32
    tensor.yield %g : f32
  } : tensor<1x2x6x16xf32> to !t
  %e = tensor.empty() : !t
  %weights = linalg.softmax dimension(3) ins(%padded : !t) outs(%e : !t) -> !t
  %o = func.call @layer(%x, %weights, %v) : (!t, !t, !t) -> !t
  %m = tensor.empty() : tensor<1x2x8xf32>
  %z = tensor.empty() : !i
  %m0 = linalg.fill ins(%least : f32) outs(%m : tensor<1x2x8xf32>) -> tensor<1x2x8xf32>
  %z0 = linalg.fill ins(%zero : i32) outs(%z : !i) -> !i
  %best:2 = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (a, b, c)>,
                                             affine_map<(a, b, c, d) -> (a, b, c)>],
                            iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%v : !t) outs(%m0, %z0 : tensor<1x2x8xf32>, !i) {
  ^bb0(%a: f32, %b: f32, %i: i32):
    %d = linalg.index 3 : index
    %p = arith.index_cast %d : index to i32
    %g = arith.cmpf ogt, %a, %b : f32
    %u = arith.select %g, %a, %b : f32
    %w = arith.select %g, %p, %i : i32
    linalg.yield %u, %w : f32, i32
  } -> (tensor<1x2x8xf32>, !i)
  %counted = tensor.insert %last into %steps[%c0] : tensor<2xi32>
  return %o, %best#1, %counted : !t, !i, tensor<2xi32>
}
func.func @layer(%q: !t, %k: !t, %v: !t) -> !t {
  %o = flash.attention %q, %k, %v {mask = #flash.causal} score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %r = func.call @cap(%s) : (f32) -> f32
    flash.yield %r : f32
  } : !t, !t, !t -> !t
  return %o : !t
}
func.func private @cap(%s: f32) -> f32 {
  %r = math.tanh %s : f32
  return %r : f32
}
