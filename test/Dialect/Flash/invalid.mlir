// RUN: flash-opt %s -split-input-file -verify-diagnostics

func.func @elements(%q: tensor<1x1x4x8xf32>, %k: tensor<1x1x4x8xf16>) {
  // expected-error @below {{'flash.attention' op element types differ: query has 'f32', key has 'f16'}}
  %o = flash.attention %q, %k, %q : tensor<1x1x4x8xf32>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf32> -> tensor<1x1x4x8xf32>
  return
}

// -----

func.func @value_element(%q: tensor<1x1x4x8xf32>, %k: tensor<1x1x4x8xf16>) {
  // expected-error @below {{element types differ: query has 'f32', value has 'f16'}}
  %o = flash.attention %q, %q, %k : tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf16> -> tensor<1x1x4x8xf32>
  return
}

// -----

func.func @output_element(%q: tensor<1x1x4x8xf16>) {
  // expected-error @below {{output has element type 'bf16', but must have the query's, 'f16', or f32}}
  %o = flash.attention %q, %q, %q : tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16> -> tensor<1x1x4x8xbf16>
  return
}

// -----

func.func @dynamic_head_dim(%q: tensor<1x1x4x?xf16>) {
  // expected-error @below {{head dim of query (dimension 3) must be static}}
  %o = flash.attention %q, %q, %q : tensor<1x1x4x?xf16>, tensor<1x1x4x?xf16>, tensor<1x1x4x?xf16> -> tensor<1x1x4x?xf16>
  return
}

// -----

func.func @large_head_dim(%q: tensor<1x1x4x8xf16>, %v: tensor<1x1x4x4097xf16>) {
  // expected-error @below {{head dim of value (dimension 3) is 4097, but must be from 1 to 4096}}
  %o = flash.attention %q, %q, %v : tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x4097xf16> -> tensor<1x1x4x4097xf16>
  return
}

// -----

func.func @batch(%q: tensor<1x1x4x8xf16>, %k: tensor<2x1x4x8xf16>) {
  // expected-error @below {{batch differs: query has 1 (dimension 0), key has 2 (dimension 0)}}
  %o = flash.attention %q, %k, %k : tensor<1x1x4x8xf16>, tensor<2x1x4x8xf16>, tensor<2x1x4x8xf16> -> tensor<1x1x4x8xf16>
  return
}

// -----

func.func @qk_head_dim(%q: tensor<1x1x4x8xf16>, %k: tensor<1x1x4x16xf16>) {
  // expected-error @below {{head dim differs: query has 8 (dimension 3), key has 16 (dimension 3)}}
  %o = flash.attention %q, %k, %k : tensor<1x1x4x8xf16>, tensor<1x1x4x16xf16>, tensor<1x1x4x16xf16> -> tensor<1x1x4x16xf16>
  return
}

// -----

func.func @kv_length(%q: tensor<1x4x1x8xf16>, %k: tensor<1x5x1x8xf16>) {
  // expected-error @below {{length differs: key has 5 (dimension 1), value has 4 (dimension 1)}}
  %o = flash.attention %q, %k, %q {layout = #flash.layout<bshd>} : tensor<1x4x1x8xf16>, tensor<1x5x1x8xf16>, tensor<1x4x1x8xf16> -> tensor<1x4x1x8xf16>
  return
}

// -----

func.func @output_length(%q: tensor<1x1x4x8xf16>) {
  // expected-error @below {{length differs: query has 4 (dimension 2), output has 5 (dimension 2)}}
  %o = flash.attention %q, %q, %q : tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16>, tensor<1x1x4x8xf16> -> tensor<1x1x5x8xf16>
  return
}

// -----

func.func @kv_heads(%q: tensor<1x4x4x8xf16>, %k: tensor<1x2x4x8xf16>) {
  // expected-error @below {{number of heads differs: key has 2 (dimension 1), value has 4 (dimension 1)}}
  %o = flash.attention %q, %k, %q : tensor<1x4x4x8xf16>, tensor<1x2x4x8xf16>, tensor<1x4x4x8xf16> -> tensor<1x4x4x8xf16>
  return
}

// -----

func.func @groups(%q: tensor<1x4x4x8xf16>, %k: tensor<1x3x4x8xf16>) {
  // expected-error @below {{number of query heads (4) is not a multiple of the number of key heads (3)}}
  %o = flash.attention %q, %k, %k : tensor<1x4x4x8xf16>, tensor<1x3x4x8xf16>, tensor<1x3x4x8xf16> -> tensor<1x4x4x8xf16>
  return
}

// -----

func.func @lse(%q: tensor<1x4x7x8xf16>) {
  // expected-error @below {{length differs: query has 7 (dimension 2), lse has 4 (dimension 2)}}
  %o, %l = flash.attention %q, %q, %q : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>, tensor<1x4x4xf32>
  return
}

// -----

func.func @scale(%q: tensor<1x4x7x8xf16>) {
  // expected-error @below {{scale must be finite}}
  %o = flash.attention %q, %q, %q {scale = 0x7F800000 : f32} : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return
}

// -----

func.func @no_parts() -> tensor<1x4x7x8xf16> {
  // expected-error @below {{'flash.merge' op needs at least one part}}
  %o = "flash.merge"() {layout = #flash.layout<bhsd>} : () -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}

// -----

func.func @merge_length(%a: tensor<1x4x7x8xf32>, %b: tensor<1x4x9x8xf32>, %l: tensor<1x4x7xf32>) {
  // expected-error @below {{dimension 2 differs: result has 7 (dimension 2), output 1 has 9 (dimension 2)}}
  %o = flash.merge outputs(%a, %b : tensor<1x4x7x8xf32>, tensor<1x4x9x8xf32>) lses(%l, %l : tensor<1x4x7xf32>, tensor<1x4x7xf32>) -> tensor<1x4x7x8xf32>
  return
}

// -----

func.func @merge_lse(%a: tensor<1x4x7x8xf32>, %l: tensor<1x4x6xf32>) {
  // expected-error @below {{length differs: result has 7 (dimension 2), lse 0 has 6 (dimension 2)}}
  %o = flash.merge outputs(%a : tensor<1x4x7x8xf32>) lses(%l : tensor<1x4x6xf32>) -> tensor<1x4x7x8xf32>
  return
}

// -----

func.func @merge_element(%a: tensor<1x4x7x8xf32>, %b: tensor<1x4x7x8xf16>, %l: tensor<1x4x7xf32>) {
  // expected-error @below {{element types differ: output 0 has 'f32', output 1 has 'f16'}}
  %o = flash.merge outputs(%a, %b : tensor<1x4x7x8xf32>, tensor<1x4x7x8xf16>) lses(%l, %l : tensor<1x4x7xf32>, tensor<1x4x7xf32>) -> tensor<1x4x7x8xf32>
  return
}

// -----

func.func @dynamic_tile(%q: tensor<?x8xf16>, %acc: tensor<?x8xf32>, %r: tensor<?xf32>, %i: index) {
  // expected-error @below {{tiles must be static, but query is 'tensor<?x8xf16>'}}
  %a:3 = flash.online_attention ins(%q, %q, %q : tensor<?x8xf16>, tensor<?x8xf16>, tensor<?x8xf16>)
      outs(%acc, %r, %r : tensor<?x8xf32>, tensor<?xf32>, tensor<?xf32>) positions(%i, %i) keys(%i) {scale = 1.0 : f32}
  return
}

// -----

func.func @tile_keys(%q: tensor<4x8xf16>, %v: tensor<5x8xf16>, %acc: tensor<4x8xf32>, %r: tensor<4xf32>, %i: index) {
  // expected-error @below {{keys differs: key has 4 (dimension 0), value has 5 (dimension 0)}}
  %a:3 = flash.online_attention ins(%q, %q, %v : tensor<4x8xf16>, tensor<4x8xf16>, tensor<5x8xf16>)
      outs(%acc, %r, %r : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>) positions(%i, %i) keys(%i) {scale = 1.0 : f32}
  return
}

// -----

func.func @tile_rows(%q: tensor<4x8xf16>, %acc: tensor<4x8xf32>, %r: tensor<4xf32>, %s: tensor<6xf32>, %i: index) {
  // expected-error @below {{query rows differs: query has 4 (dimension 0), sum has 6 (dimension 0)}}
  %a:3 = flash.online_attention ins(%q, %q, %q : tensor<4x8xf16>, tensor<4x8xf16>, tensor<4x8xf16>)
      outs(%acc, %r, %s : tensor<4x8xf32>, tensor<4xf32>, tensor<6xf32>) positions(%i, %i) keys(%i) {scale = 1.0 : f32}
  return
}

// -----

func.func @softmax_rows(%s: tensor<4x8xf32>, %r: tensor<4xf32>, %x: tensor<8xf32>) {
  // expected-error @below {{query rows differs: scores has 4 (dimension 0), max has 8 (dimension 0)}}
  %b:4 = flash.online_softmax ins(%s : tensor<4x8xf32>)
      outs(%s, %x, %r, %r : tensor<4x8xf32>, tensor<8xf32>, tensor<4xf32>, tensor<4xf32>) {scale = 0.125 : f32, dim = 1}
  return
}

// -----

func.func @softmax_scale(%s: tensor<4x8xf32>, %r: tensor<4xf32>) {
  // expected-error @below {{scale must be positive and finite, but is -1.000000e+00}}
  %b:4 = flash.online_softmax ins(%s : tensor<4x8xf32>)
      outs(%s, %r, %r, %r : tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {scale = -1.0 : f32, dim = 1}
  return
}
