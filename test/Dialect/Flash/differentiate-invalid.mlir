// RUN: flash-opt %s -split-input-file -verify-diagnostics --flash-test-differentiate

func.func @bits(%s: f32) -> f32 {
  %mask = arith.constant -65536 : i32
  // expected-error @below {{'arith.bitcast' makes bits of a score, which has no derivative: round it with 'arith.truncf' or the functions of math}}
  %a = arith.bitcast %s : f32 to i32
  %b = arith.andi %a, %mask : i32
  %r = arith.bitcast %b : i32 to f32
  return %r : f32
}

// -----

func.func @while(%s: f32) -> f32 {
  %c = arith.constant 2.0 : f32
  // expected-error @below {{'scf.while' of a score has no derivative, which a backward needs: write the score with ops that have one (docs/Functions.md)}}
  %r = scf.while (%a = %s) : (f32) -> f32 {
    %more = arith.cmpf olt, %a, %c : f32
    scf.condition(%more) %a : f32
  } do {
  ^bb0(%a: f32):
    %b = arith.mulf %a, %c : f32
    scf.yield %b : f32
  }
  return %r : f32
}

// -----

!t = tensor<1x2x8x16xf32>
func.func @region(%q: !t) -> !t {
  %o = flash.attention %q, %q, %q {scores = [#flash.softcap<30.0>, #flash.region]} score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    // expected-error @below {{'arith.bitcast' makes bits of a score}}
    %a = arith.bitcast %s : f32 to i32
    %r = arith.bitcast %a : i32 to f32
    flash.yield %r : f32
  } : !t, !t, !t -> !t
  return %o : !t
}
