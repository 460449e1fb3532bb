// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-tile-attention))'

func.func @no_schedule(%q: tensor<1x4x7x8xf16>) -> tensor<1x4x7x8xf16> {
  // expected-error @below {{has no complete schedule (m, n and d): run flash-choose-schedule before}}
  %o = flash.attention %q, %q, %q : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}

// -----

func.func @tile_of_blocks(%q: tensor<1x4x7x8xf16>, %n: tensor<1x1x2xi32>, %l: tensor<1x1x2x9xi32>) -> tensor<1x4x7x8xf16> {
  // expected-error @below {{schedule has m = 4, which does not divide the mask's blocks of 6}}
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x2xi32>, tensor<1x1x2x9xi32>, tensor<1x1x2xi32>, tensor<1x1x2x9xi32>)
      {mask = #flash.block_sparse<bq = 6, bk = 8>, schedule = #flash.schedule<m = 4, n = 4, d = 4>}
      : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}
