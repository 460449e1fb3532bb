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
  // expected-error@+1 {{has no result: ask for the gradient of at least one of query, key and value}}
  "flash.attention_backward"(%t, %t, %t, %t, %l, %t) <{operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>, resultSegmentSizes = array<i32: 0, 0, 0>}> ({}, {}) : (!t, !t, !t, !t, !l, !t) -> ()
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
