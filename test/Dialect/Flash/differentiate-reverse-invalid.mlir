// RUN: flash-opt %s -split-input-file -verify-diagnostics --flash-test-differentiate=reverse

func.func @loop(%s: f32, %t: tensor<4xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  // expected-error @below {{'scf.for' carries what depends on a score or on captures, which has no gradient of captures: write its steps one after another}}
  %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %s) -> f32 {
    %x = tensor.extract %t[%i] : tensor<4xf32>
    %b = arith.mulf %a, %x : f32
    scf.yield %b : f32
  }
  return %r : f32
}

// -----

func.func @bits(%s: f32, %t: tensor<4xf32>, %h: index) -> f32 {
  %x = tensor.extract %t[%h] : tensor<4xf32>
  // expected-error @below {{'arith.bitcast' makes bits of a score}}
  %a = arith.bitcast %x : f32 to i32
  %b = arith.bitcast %a : i32 to f32
  %r = arith.addf %s, %b : f32
  return %r : f32
}
