// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80 table=none},flash-tile-attention))'
// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80 table=none}),flash-io-report{target=sm_80 dims=sq=9,sk=11,batch=1})'

func.func @unknown(%q: tensor<1x?x7x64xf16>, %k: tensor<1x2x9x64xf16>) -> tensor<1x?x7x64xf16> {
  // expected-error @below {{schedule has packHeads = 4, but the types do not say how many query heads share a key head}}
  %o = flash.attention %q, %k, %k {schedule = #flash.schedule<packHeads = 4>} : tensor<1x?x7x64xf16>, tensor<1x2x9x64xf16>, tensor<1x2x9x64xf16> -> tensor<1x?x7x64xf16>
  return %o : tensor<1x?x7x64xf16>
}

// -----

func.func @ratio(%q: tensor<1x6x7x64xf16>, %k: tensor<1x1x9x64xf16>) -> tensor<1x6x7x64xf16> {
  // expected-error @below {{schedule has packHeads = 4, but 6 query heads share a key head}}
  %o = flash.attention %q, %k, %k {schedule = #flash.schedule<packHeads = 4>} : tensor<1x6x7x64xf16>, tensor<1x1x9x64xf16>, tensor<1x1x9x64xf16> -> tensor<1x6x7x64xf16>
  return %o : tensor<1x6x7x64xf16>
}

// -----

func.func @rows(%q: tensor<1x6x7x64xf16>, %k: tensor<1x1x9x64xf16>) -> tensor<1x6x7x64xf16> {
  // expected-error @below {{schedule has packHeads = 3, but tiles have 64 rows}}
  %o = flash.attention %q, %k, %k {schedule = #flash.schedule<m = 64, warps = 4, packHeads = 3>} : tensor<1x6x7x64xf16>, tensor<1x1x9x64xf16>, tensor<1x1x9x64xf16> -> tensor<1x6x7x64xf16>
  return %o : tensor<1x6x7x64xf16>
}

// -----

func.func @region(%q: tensor<1x4x7x64xf16>, %k: tensor<1x1x9x64xf16>) -> tensor<1x4x7x64xf16> {
  // expected-error @below {{schedule has packHeads = 4, but the mask tells heads apart}}
  %o = flash.attention %q, %k, %k {mask = #flash.region, schedule = #flash.schedule<packHeads = 4>} mask {
    ^bb0(%b: index, %h: index, %i: index, %j: index):
      %visible = arith.cmpi sle, %h, %j : index
      flash.yield %visible : i1
  } : tensor<1x4x7x64xf16>, tensor<1x1x9x64xf16>, tensor<1x1x9x64xf16> -> tensor<1x4x7x64xf16>
  return %o : tensor<1x4x7x64xf16>
}

// -----

func.func @lists(%q: tensor<1x4x?x64xf16>, %k: tensor<1x1x?x64xf16>, %n: tensor<1x4x?xi32>, %l: tensor<1x4x?x?xi32>) -> tensor<1x4x?x64xf16> {
  // expected-error @below {{schedule has packHeads = 4, but the mask tells heads apart}}
  %o = flash.attention %q, %k, %k mask_operands(%n, %l, %n, %l : tensor<1x4x?xi32>, tensor<1x4x?x?xi32>, tensor<1x4x?xi32>, tensor<1x4x?x?xi32>) {mask = #flash.block_sparse<bq = 128, bk = 128>, schedule = #flash.schedule<packHeads = 4>} : tensor<1x4x?x64xf16>, tensor<1x1x?x64xf16>, tensor<1x1x?x64xf16> -> tensor<1x4x?x64xf16>
  return %o : tensor<1x4x?x64xf16>
}

// -----

// expected-error @below {{packing has heads = 1, but a tile of one head needs none}}
func.func private @one() attributes {packing = #flash.packing<heads = 1>}

// -----

func.func @step(%q: tensor<64x16xf16>, %k: tensor<32x16xf16>, %acc: tensor<64x16xf32>, %row: tensor<64xf32>, %i: index) {
  // expected-error @below {{has 64 query rows, which are not those of 3 heads}}
  %a, %m, %s = flash.online_attention ins(%q, %k, %k : tensor<64x16xf16>, tensor<32x16xf16>, tensor<32x16xf16>) outs(%acc, %row, %row : tensor<64x16xf32>, tensor<64xf32>, tensor<64xf32>) positions(%i, %i) keys(%i) {packing = #flash.packing<heads = 3>, scale = 1.0 : f32}
  return
}

// -----

func.func @many(%q: tensor<1x8x7x64xf16>, %k: tensor<1x1x9x64xf16>) -> tensor<1x8x7x64xf16> {
  // expected-error @below {{schedule has packHeads = 4096, but 8 query heads share a key head}}
  %o = flash.attention %q, %k, %k {schedule = #flash.schedule<packHeads = 4096>} : tensor<1x8x7x64xf16>, tensor<1x1x9x64xf16>, tensor<1x1x9x64xf16> -> tensor<1x8x7x64xf16>
  return %o : tensor<1x8x7x64xf16>
}
