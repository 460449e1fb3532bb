// RUN: flash-opt %s -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none}))'

func.func @block_sparse(%q: tensor<1x4x300x64xbf16>, %n: tensor<1x1x15xi32>, %l: tensor<1x1x15x?xi32>) -> tensor<1x4x300x64xbf16> {
  // expected-remark @+2 {{64 queries do not divide the mask's blocks of 20}}
  // expected-error @below {{has a mask of blocks of 20 queries and 30 keys, which tiles of 64 and 16 do not divide: not supported on a GPU yet}}
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x15xi32>, tensor<1x1x15x?xi32>, tensor<1x1x15xi32>, tensor<1x1x15x?xi32>)
      {mask = #flash.block_sparse<bq = 20, bk = 30>}
      : tensor<1x4x300x64xbf16>, tensor<1x4x300x64xbf16>, tensor<1x4x300x64xbf16> -> tensor<1x4x300x64xbf16>
  return %o : tensor<1x4x300x64xbf16>
}

func.func @pages(%q: tensor<?x8x1x128xbf16>, %k: tensor<?x2x16x128xbf16>, %n: tensor<?xi32>, %t: tensor<?x?xi32>) -> tensor<?x8x1x128xbf16> {
  // expected-remark @+2 {{attention by mma.sync instead of wgmma: pages of keys are not one tensor that could be copied as such}}
  // expected-error @below {{has pages of 16 keys, which blocks of 64 do not divide: not supported on a GPU yet}}
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<?xi32>) page_table(%t : tensor<?x?xi32>) : tensor<?x8x1x128xbf16>, tensor<?x2x16x128xbf16>, tensor<?x2x16x128xbf16> -> tensor<?x8x1x128xbf16>
  return %o : tensor<?x8x1x128xbf16>
}
