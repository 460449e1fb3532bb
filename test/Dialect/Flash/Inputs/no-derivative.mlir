func.func @main(%query: tensor<1x2x8x16xf32>, %key: tensor<1x2x8x16xf32>, %value: tensor<1x2x8x16xf32>) -> tensor<1x2x8x16xf32> {
  %o = flash.attention %query, %key, %value score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %c3 = arith.constant 3 : index
    %k = arith.remui %j, %c3 : index
    %r = scf.index_switch %k -> f32
    case 0 {
      scf.yield %s : f32
    }
    default {
      %half = arith.mulf %s, %s : f32
      scf.yield %half : f32
    }
    flash.yield %r : f32
  } : tensor<1x2x8x16xf32>, tensor<1x2x8x16xf32>, tensor<1x2x8x16xf32> -> tensor<1x2x8x16xf32>
  return %o : tensor<1x2x8x16xf32>
}
// -----
func.func @main(%query: tensor<1x2x8x16xf32>, %key: tensor<1x2x8x16xf32>, %value: tensor<1x2x8x16xf32>) -> tensor<1x2x8x16xf32> {
  %o = flash.attention %query, %key, %value score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %r = scf.execute_region -> f32 {
      %x = math.sin %s : f32
      scf.yield %x : f32
    }
    flash.yield %r : f32
  } : tensor<1x2x8x16xf32>, tensor<1x2x8x16xf32>, tensor<1x2x8x16xf32> -> tensor<1x2x8x16xf32>
  return %o : tensor<1x2x8x16xf32>
}
// -----
func.func @main(%query: tensor<1x2x8x16xf32>, %key: tensor<1x2x8x16xf32>, %value: tensor<1x2x8x16xf32>) -> tensor<1x2x8x16xf32> {
  %o = flash.attention %query, %key, %value score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %one = arith.constant 1.0 : f32
    %r = scf.while (%x = %s) : (f32) -> f32 {
      %more = arith.cmpf ogt, %x, %one : f32
      scf.condition(%more) %x : f32
    } do {
    ^bb0(%y: f32):
      %z = arith.subf %y, %one : f32
      scf.yield %z : f32
    }
    flash.yield %r : f32
  } : tensor<1x2x8x16xf32>, tensor<1x2x8x16xf32>, tensor<1x2x8x16xf32> -> tensor<1x2x8x16xf32>
  return %o : tensor<1x2x8x16xf32>
}
// -----
func.func @main(%query: tensor<1x2x8x16xf32>, %key: tensor<1x2x8x16xf32>, %value: tensor<1x2x8x16xf32>) -> tensor<1x2x8x16xf32> {
  %o = flash.attention %query, %key, %value score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %half = arith.constant 0.5 : f32
    %r = affine.for %l = 0 to 3 iter_args(%a = %s) -> f32 {
      %q = arith.mulf %a, %half : f32
      affine.yield %q : f32
    }
    flash.yield %r : f32
  } : tensor<1x2x8x16xf32>, tensor<1x2x8x16xf32>, tensor<1x2x8x16xf32> -> tensor<1x2x8x16xf32>
  return %o : tensor<1x2x8x16xf32>
}
// -----
func.func @main(%query: tensor<1x2x8x16xf32>, %key: tensor<1x2x8x16xf32>, %value: tensor<1x2x8x16xf32>) -> tensor<1x2x8x16xf32> {
  %o = flash.attention %query, %key, %value score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %half = arith.constant 0.5 : f32
    %t = tensor.from_elements %s, %half : tensor<2xf32>
    %r = tensor.extract %t[%h] : tensor<2xf32>
    flash.yield %r : f32
  } : tensor<1x2x8x16xf32>, tensor<1x2x8x16xf32>, tensor<1x2x8x16xf32> -> tensor<1x2x8x16xf32>
  return %o : tensor<1x2x8x16xf32>
}
