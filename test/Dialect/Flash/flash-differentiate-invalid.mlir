// RUN: flash-opt %s --split-input-file --flash-differentiate --verify-diagnostics

!t = tensor<1x4x64x16xf32>
!n = tensor<1x4x64x16xi8>
func.func @factors(%t: !t, %n: !n, %s: tensor<4xf32>) -> !t {
  // expected-error@+1 {{has no gradient for its key_scale yet: leave their arguments out by wrt = [...], the numbers of the arguments that want one}}
  %o = flash.attention %t, %n, %n key_scale(%s : tensor<4xf32>) value_scale(%s : tensor<4xf32>) : !t, !n, !n -> !t
  return %o : !t
}

// -----

!t = tensor<1x4x64x16xf32>
func.func @loop(%t: !t, %n: index) -> !t {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error@+1 {{has no gradient: flash-differentiate knows flash.attention, flash.merge, linalg on tensors, and the slices, casts and reshapes of tensor}}
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %t) -> !t {
    %o = flash.attention %x, %t, %t : !t, !t, !t -> !t
    scf.yield %o : !t
  }
  return %r : !t
}

// -----

!t = tensor<1x4x64x16xf32>
// expected-error@+1 {{wrt has 1, an argument of type 'index', but gradients are of tensors of floats}}
func.func @index(%t: !t, %n: index) -> !t attributes {wrt = [1]} {
  %o = flash.attention %t, %t, %t : !t, !t, !t -> !t
  return %o : !t
}

// -----

!t = tensor<1x4x64x16xf32>
// expected-error@+1 {{wrt has 7, but there are 1 arguments}}
func.func @number(%t: !t) -> !t attributes {wrt = [7]} {
  %o = flash.attention %t, %t, %t : !t, !t, !t -> !t
  return %o : !t
}

// -----

!t = tensor<1x4x64x16xf32>
#id = affine_map<(b, h, s, d) -> (b, h, s, d)>
#row = affine_map<(b, h, s, d) -> (b, h, s)>
func.func @maximum(%t: !t) -> tensor<1x4x64xf32> {
  %o = flash.attention %t, %t, %t : !t, !t, !t -> !t
  %z = arith.constant dense<0.0> : tensor<1x4x64xf32>
  // expected-error@+1 {{is a reduction that is not a sum, and so has no gradient here}}
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%o : !t) outs(%z : tensor<1x4x64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %x = arith.maximumf %a, %b : f32
    linalg.yield %x : f32
  } -> tensor<1x4x64xf32>
  return %m : tensor<1x4x64xf32>
}

// -----

!t = tensor<1x4x64x16xf32>
func.func @f_forward() {
  return
}
// expected-error@+1 {{would get a function @f_forward, but there is one}}
func.func @f(%t: !t) -> !t {
  %o = flash.attention %t, %t, %t : !t, !t, !t -> !t
  return %o : !t
}
