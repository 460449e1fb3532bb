// RUN: flash-opt %s --split-input-file --verify-diagnostics

func.func @dimension(%x: tensor<2x8xi64>, %start: tensor<2xi64>) {
  // expected-error @+1 {{'tm_tensor.scan' op has dimension 2, but 'tensor<2x8xi64>' has 2}}
  %0:2 = tm_tensor.scan dimension(2) inclusive(true) ins(%x : tensor<2x8xi64>) outs(%x, %start : tensor<2x8xi64>, tensor<2xi64>) {
  ^bb0(%a: i64, %b: i64):
    tm_tensor.yield %a : i64
  } -> tensor<2x8xi64>, tensor<2xi64>
  return
}

// -----

func.func @accumulator(%x: tensor<2x8xi64>) {
  // expected-error @+1 {{'tm_tensor.scan' op has to have one input and two outputs, the sums and the accumulator}}
  %0 = tm_tensor.scan dimension(1) inclusive(true) ins(%x : tensor<2x8xi64>) outs(%x : tensor<2x8xi64>) {
  ^bb0(%a: i64, %b: i64):
    tm_tensor.yield %a : i64
  } -> tensor<2x8xi64>
  return
}

// -----

func.func @shape(%x: tensor<2x8xi64>, %y: tensor<2x7xi64>, %start: tensor<2xi64>) {
  // expected-error @+1 {{'tm_tensor.scan' op has to have sums of the input's shape, and an accumulator without the dimension}}
  %0:2 = tm_tensor.scan dimension(1) inclusive(true) ins(%x : tensor<2x8xi64>) outs(%y, %start : tensor<2x7xi64>, tensor<2xi64>) {
  ^bb0(%a: i64, %b: i64):
    tm_tensor.yield %a : i64
  } -> tensor<2x7xi64>, tensor<2xi64>
  return
}

// -----

func.func @body(%x: tensor<2x8xi64>, %start: tensor<2xi64>) {
  // expected-error @+1 {{'tm_tensor.scan' op has to have a body over elements: ('i64', 'i64')}}
  %0:2 = tm_tensor.scan dimension(1) inclusive(true) ins(%x : tensor<2x8xi64>) outs(%x, %start : tensor<2x8xi64>, tensor<2xi64>) {
  ^bb0(%a: i64):
    tm_tensor.yield %a : i64
  } -> tensor<2x8xi64>, tensor<2xi64>
  return
}

// -----

func.func @results(%x: tensor<2x8xi64>, %start: tensor<2xi64>) {
  // expected-error @+1 {{'tm_tensor.scan' op has to have a result for each of 'outs', of the same type}}
  %0 = tm_tensor.scan dimension(1) inclusive(true) ins(%x : tensor<2x8xi64>) outs(%x, %start : tensor<2x8xi64>, tensor<2xi64>) {
  ^bb0(%a: i64, %b: i64):
    tm_tensor.yield %a : i64
  } -> tensor<2x8xi64>
  return
}

// -----

func.func @order(%x: tensor<8xi64>) {
  // expected-error @+1 {{'tm_tensor.sort' op has to yield 'i1'}}
  %0 = tm_tensor.sort dimension(0) outs(%x : tensor<8xi64>) {
  ^bb0(%a: i64, %b: i64):
    tm_tensor.yield %a : i64
  } -> tensor<8xi64>
  return
}

// -----

func.func @sorted_inputs(%x: tensor<8xi64>) {
  // expected-error @+1 {{'tm_tensor.sort' op has to have outputs alone}}
  %0 = tm_tensor.sort dimension(0) ins(%x : tensor<8xi64>) outs(%x : tensor<8xi64>) {
  ^bb0(%a: i64, %b: i64):
    %1 = arith.cmpi sle, %a, %b : i64
    tm_tensor.yield %1 : i1
  } -> tensor<8xi64>
  return
}

// -----

func.func @scattered(%u: tensor<4xf32>, %x: tensor<8xf32>) {
  // expected-error @+1 {{'tm_tensor.scatter' op has to have two inputs, updates and indices, and one output}}
  %0 = tm_tensor.scatter {dimension_map = array<i64: 0>} unique_indices(true) ins(%u : tensor<4xf32>) outs(%x : tensor<8xf32>) {
  ^bb0(%new: f32, %old: f32):
    tm_tensor.yield %new : f32
  } -> tensor<8xf32>
  return
}

// -----

func.func @top(%x: tensor<2x8xf32>, %v: tensor<2x3xf32>) {
  // expected-error @+1 {{'tm_tensor.topk' op has to have values and perhaps indices as inputs, and both as outputs}}
  %0 = tm_tensor.topk dimension(1) ins(%x : tensor<2x8xf32>) outs(%v : tensor<2x3xf32>) {
  ^bb0(%next: f32, %taken: f32):
    %1 = arith.cmpf ogt, %next, %taken : f32
    tm_tensor.yield %1 : i1
  } -> tensor<2x3xf32>
  return
}

// -----

func.func @attention(%q: tensor<2x8x4xf32>) {
  // expected-error @+1 {{'tm_tensor.attention' op has to have query, key, value and perhaps a mask as inputs, and one output}}
  %0 = tm_tensor.attention ins(%q, %q : tensor<2x8x4xf32>, tensor<2x8x4xf32>) outs(%q : tensor<2x8x4xf32>) -> tensor<2x8x4xf32>
  return
}
