// RUN: flash-opt %s --split-input-file --verify-diagnostics

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @gradient_type(%t: !t, %l: !l) -> tensor<1x8x128x64xf32> {
  // expected-error@+1 {{element types differ: query has 'bf16', gradient of query has 'f32'}}
  %dq = flash.attention_backward %t, %t, %t, %t, %l, %t : !t, !t, !t, !t, !l, !t -> query tensor<1x8x128x64xf32>
  return %dq : tensor<1x8x128x64xf32>
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @gradient_shape(%t: !t, %l: !l) -> tensor<1x8x64x64xbf16> {
  // expected-error@+1 {{size differs: value has 128 (dimension 2), gradient of value has 64 (dimension 2)}}
  %dv = flash.attention_backward %t, %t, %t, %t, %l, %t : !t, !t, !t, !t, !l, !t -> value tensor<1x8x64x64xbf16>
  return %dv : tensor<1x8x64x64xbf16>
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @no_result(%t: !t, %l: !l) {
  // expected-error@+1 {{has no result: ask for the gradient of at least one of query, key, value, sinks and operands}}
  "flash.attention_backward"(%t, %t, %t, %t, %l, %t) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>, resultSegmentSizes = array<i32: 0, 0, 0, 0, 0>}> ({}, {}) : (!t, !t, !t, !t, !l, !t) -> ()
  return
}

// -----

!t = tensor<1x8x128x64xbf16>
func.func @lse_type(%t: !t, %l: tensor<1x8x128xf64>) -> !t {
  // expected-error@+1 {{lse has element type 'f64', but must have 'f32'}}
  %dq = flash.attention_backward %t, %t, %t, %t, %l, %t : !t, !t, !t, !t, tensor<1x8x128xf64>, !t -> query !t
  return %dq : !t
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @d_lse_shape(%t: !t, %l: !l, %d: tensor<1x8x64xf32>) -> !t {
  // expected-error@+1 {{length differs: query has 128 (dimension 2), d_lse has 64 (dimension 2)}}
  %dq = flash.attention_backward %t, %t, %t, %t, %l, %t d_lse(%d : tensor<1x8x64xf32>) : !t, !t, !t, !t, !l, !t -> query !t
  return %dq : !t
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @d_output_type(%t: !t, %l: !l, %do: tensor<1x8x128x64xf32>) -> !t {
  // expected-error@+1 {{element types differ: query has 'bf16', d_output has 'f32'}}
  %dq = flash.attention_backward %t, %t, %t, %t, %l, %do : !t, !t, !t, !t, !l, tensor<1x8x128x64xf32> -> query !t
  return %dq : !t
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @output_shape(%t: !t, %l: !l, %o: tensor<1x4x128x64xbf16>) -> !t {
  // expected-error@+1 {{number of heads differs: query has 8 (dimension 1), output has 4 (dimension 1)}}
  %dq = flash.attention_backward %t, %t, %t, %o, %l, %t : !t, !t, !t, tensor<1x4x128x64xbf16>, !l, !t -> query !t
  return %dq : !t
}

// -----

func.func @step_sum(%q: tensor<32x16xf32>, %k: tensor<64x16xf32>, %l: tensor<32xf32>, %dq: tensor<64x16xf32>, %i: index) -> tensor<64x16xf32> {
  // expected-error@+1 {{rows differs: d_query has 64 (dimension 0), tile has 32 (dimension 0)}}
  %r = flash.backward_step ins(%q, %k, %k, %q, %l, %l
        : tensor<32x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>, tensor<32x16xf32>, tensor<32xf32>, tensor<32xf32>)
      d_query(%dq : tensor<64x16xf32>) positions(%i, %i) keys(%i) {scale = 0.25 : f32} -> query tensor<64x16xf32>
  return %r : tensor<64x16xf32>
}

// -----

func.func @step_mask(%q: tensor<32x16xf32>, %k: tensor<64x16xf32>, %l: tensor<32xf32>, %dq: tensor<32x16xf32>, %i: index) -> tensor<32x16xf32> {
  // expected-error@+1 {{mask needs queries}}
  %r = flash.backward_step ins(%q, %k, %k, %q, %l, %l
        : tensor<32x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>, tensor<32x16xf32>, tensor<32xf32>, tensor<32xf32>)
      d_query(%dq : tensor<32x16xf32>) positions(%i, %i) keys(%i) {scale = 0.25 : f32, mask = #flash.causal} -> query tensor<32x16xf32>
  return %r : tensor<32x16xf32>
}

// -----

func.func @rows_of_statistics(%q: tensor<32x16xbf16>, %k: tensor<64x16xbf16>, %l: tensor<8x32xbf16>, %dq: tensor<32x16xf32>, %i: index) -> tensor<32x16xf32> {
  // expected-error @below {{lse is 'tensor<8x32xbf16>': as a product it has 16 rows, in a step that is transposed}}
  %r = flash.backward_step ins(%q, %k, %k, %q, %l, %l
        : tensor<32x16xbf16>, tensor<64x16xbf16>, tensor<64x16xbf16>, tensor<32x16xbf16>, tensor<8x32xbf16>, tensor<8x32xbf16>)
      d_query(%dq : tensor<32x16xf32>) positions(%i, %i) keys(%i) {scale = 0.25 : f32, transposed} -> query tensor<32x16xf32>
  return %r : tensor<32x16xf32>
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @no_numbers(%t: !t, %l: !l, %s: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error@+1 {{has 1 gradients for operands, but operands_with_gradient numbers 0: write a number for each}}
  %ds = flash.attention_backward %t, %t, %t, %t, %l, %t score_operands(%s : tensor<8xf32>) {scores = [#flash.alibi]} : !t, !t, !t, !t, !l, !t -> operands tensor<8xf32>
  return %ds : tensor<8xf32>
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @number(%t: !t, %l: !l, %s: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error@+1 {{has 1 in operands_with_gradient, but numbers rise, and there are 1 score_operands and captures, from 0 on}}
  %ds = flash.attention_backward %t, %t, %t, %t, %l, %t score_operands(%s : tensor<8xf32>) {scores = [#flash.alibi], operands_with_gradient = array<i64: 1>} : !t, !t, !t, !t, !l, !t -> operands tensor<8xf32>
  return %ds : tensor<8xf32>
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @integers(%t: !t, %l: !l, %s: tensor<8xi32>) -> tensor<8xi32> {
  // expected-error@+1 {{has 0 in operands_with_gradient, of type 'tensor<8xi32>', but gradients are of tensors of floats}}
  %ds = flash.attention_backward %t, %t, %t, %t, %l, %t captures(%s : tensor<8xi32>) {operands_with_gradient = array<i64: 0>} score {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index, %u: tensor<8xi32>):
    flash.yield %x : f32
  } : !t, !t, !t, !t, !l, !t -> operands tensor<8xi32>
  return %ds : tensor<8xi32>
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @type(%t: !t, %l: !l, %s: tensor<8xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{gives 'tensor<4xf32>' for operand 0, but a gradient has the type of what it is for, 'tensor<8xf32>'}}
  %ds = flash.attention_backward %t, %t, %t, %t, %l, %t score_operands(%s : tensor<8xf32>) {scores = [#flash.alibi], operands_with_gradient = array<i64: 0>} : !t, !t, !t, !t, !l, !t -> operands tensor<4xf32>
  return %ds : tensor<4xf32>
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @no_sinks(%t: !t, %l: !l) -> tensor<8xf32> {
  // expected-error@+1 {{gives a gradient for sinks, but has none}}
  %ds = flash.attention_backward %t, %t, %t, %t, %l, %t : !t, !t, !t, !t, !l, !t -> sinks tensor<8xf32>
  return %ds : tensor<8xf32>
}

// -----

!t = tensor<1x8x128x64xbf16>
!l = tensor<1x8x128xf32>
func.func @sinks(%t: !t, %l: !l, %s: tensor<8xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{number of heads differs: gradient of sinks has 4 (dimension 0), sinks has 8 (dimension 0)}}
  %ds = flash.attention_backward %t, %t, %t, %t, %l, %t sinks(%s : tensor<8xf32>) : !t, !t, !t, !t, !l, !t -> sinks tensor<4xf32>
  return %ds : tensor<4xf32>
}

// -----

func.func @step_scores(%q: tensor<32x16xf32>, %k: tensor<64x16xf32>, %l: tensor<32xf32>, %i: index) -> tensor<64x32xf32> {
  // expected-error@+1 {{query rows differs: scores has 64 (dimension 0), query has 32 (dimension 0)}}
  %r:2 = flash.backward_step ins(%q, %k, %k, %q, %l, %l
        : tensor<32x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>, tensor<32x16xf32>, tensor<32xf32>, tensor<32xf32>)
      positions(%i, %i) keys(%i) {scale = 0.25 : f32} -> scores tensor<64x32xf32> d_scores tensor<64x32xf32>
  return %r#0 : tensor<64x32xf32>
}
