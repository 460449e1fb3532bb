// RUN: flash-opt %s -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a}))' | FileCheck %s
// RUN: grep -v expected-remark %s | flash-opt --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80}))' 2>&1 | FileCheck %s --check-prefix=AMPERE --implicit-check-not=remark

// What Hopper's instructions cannot compute is computed as on older GPUs, and a remark says why. These have none there.
// AMPERE: @odd

// CHECK-LABEL: @odd
func.func @odd(%q: tensor<1x4x?x60xbf16>) -> tensor<1x4x?x60xbf16> {
  // CHECK: instruction = mma_sync
  // expected-remark @below {{attention by mma.sync instead of wgmma: rows of 60 elements are not whole numbers of 16 bytes}}
  %o = flash.attention %q, %q, %q : tensor<1x4x?x60xbf16>, tensor<1x4x?x60xbf16>, tensor<1x4x?x60xbf16> -> tensor<1x4x?x60xbf16>
  return %o : tensor<1x4x?x60xbf16>
}

// CHECK-LABEL: @paged
func.func @paged(%q: tensor<?x8x1x128xbf16>, %k: tensor<?x2x256x128xbf16>, %n: tensor<?xi32>, %t: tensor<?x?xi32>) -> tensor<?x8x1x128xbf16> {
  // CHECK: instruction = mma_sync
  // expected-remark @below {{attention by mma.sync instead of wgmma: pages of keys are not one tensor that could be copied as such}}
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<?xi32>) page_table(%t : tensor<?x?xi32>) : tensor<?x8x1x128xbf16>, tensor<?x2x256x128xbf16>, tensor<?x2x256x128xbf16> -> tensor<?x8x1x128xbf16>
  return %o : tensor<?x8x1x128xbf16>
}

// Pages of a few keys are put together to a tile of many.
// CHECK-LABEL: @small_pages
func.func @small_pages(%q: tensor<?x8x1x128xbf16>, %k: tensor<?x2x16x128xbf16>, %n: tensor<?xi32>, %t: tensor<?x?xi32>) -> tensor<?x8x1x128xbf16> {
  // CHECK: n = 64, {{.*}}instruction = mma_sync
  // expected-remark @below {{attention by mma.sync instead of wgmma: pages of keys are not one tensor that could be copied as such}}
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<?xi32>) page_table(%t : tensor<?x?xi32>) : tensor<?x8x1x128xbf16>, tensor<?x2x16x128xbf16>, tensor<?x2x16x128xbf16> -> tensor<?x8x1x128xbf16>
  return %o : tensor<?x8x1x128xbf16>
}

// A warp for each 16 queries of a small block; half of the last one's rows, and 2 of 32 keys, are not there.
// CHECK-LABEL: @small_blocks
func.func @small_blocks(%q: tensor<1x4x300x64xbf16>, %n: tensor<1x1x15xi32>, %l: tensor<1x1x15x?xi32>) -> tensor<1x4x300x64xbf16> {
  // CHECK: m = 32, n = 32, {{.*}}warps = 2, {{.*}}instruction = mma_sync
  // expected-remark @below {{attention by mma.sync instead of wgmma: the mask's blocks of 20 queries fill no more than half of the 64 rows of a product}}
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x15xi32>, tensor<1x1x15x?xi32>, tensor<1x1x15xi32>, tensor<1x1x15x?xi32>)
      {mask = #flash.block_sparse<bq = 20, bk = 30>}
      : tensor<1x4x300x64xbf16>, tensor<1x4x300x64xbf16>, tensor<1x4x300x64xbf16> -> tensor<1x4x300x64xbf16>
  return %o : tensor<1x4x300x64xbf16>
}

// A quarter of the rows stays empty: less than is lost by other instructions.
// CHECK-LABEL: @cut_blocks
func.func @cut_blocks(%q: tensor<1x4x300x64xbf16>, %n: tensor<1x1x4xi32>, %l: tensor<1x1x4x?xi32>) -> tensor<1x4x300x64xbf16> {
  // CHECK: m = 128, n = 48, {{.*}}instruction = wgmma
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x4xi32>, tensor<1x1x4x?xi32>, tensor<1x1x4xi32>, tensor<1x1x4x?xi32>)
      {mask = #flash.block_sparse<bq = 96, bk = 48>}
      : tensor<1x4x300x64xbf16>, tensor<1x4x300x64xbf16>, tensor<1x4x300x64xbf16> -> tensor<1x4x300x64xbf16>
  return %o : tensor<1x4x300x64xbf16>
}

// CHECK-LABEL: @dropout
func.func @dropout(%q: tensor<1x4x?x64xf16>, %seed: i64, %offset: i64) -> tensor<1x4x?x64xf16> {
  // CHECK: instruction = mma_sync
  // expected-remark @below {{attention by mma.sync instead of wgmma: dropout's bits would be computed where P's registers are still read by a product in flight}}
  %o = flash.attention %q, %q, %q dropout(%seed, %offset) {dropout_p = 0.1 : f32} : tensor<1x4x?x64xf16>, tensor<1x4x?x64xf16>, tensor<1x4x?x64xf16> -> tensor<1x4x?x64xf16>
  return %o : tensor<1x4x?x64xf16>
}

// The tile of results, the LSE, a sequence's bounds and the softcap's exponentials leave no registers for keys.
// CHECK-LABEL: @ragged
func.func @ragged(%q: tensor<1x4x?x256xbf16>, %s: tensor<?xi32>) -> (tensor<1x4x?x256xbf16>, tensor<1x4x?xf32>) {
  // CHECK: instruction = mma_sync
  // expected-remark @below {{attention by mma.sync instead of wgmma: 16 keys a block need 237 registers a thread of 232}}
  %o, %l = flash.attention %q, %q, %q cu_seqlens_q(%s : tensor<?xi32>) cu_seqlens_k(%s : tensor<?xi32>) {scores = [#flash.softcap<3.0>]} : tensor<1x4x?x256xbf16>, tensor<1x4x?x256xbf16>, tensor<1x4x?x256xbf16> -> tensor<1x4x?x256xbf16>, tensor<1x4x?xf32>
  return %o, %l : tensor<1x4x?x256xbf16>, tensor<1x4x?xf32>
}

// Nothing is said of what was asked for, or is as good as it gets.
// CHECK-LABEL: @asked
func.func @asked(%q: tensor<1x4x?x64xbf16>) -> tensor<1x4x?x64xbf16> {
  // CHECK: instruction = mma_sync
  %o = flash.attention %q, %q, %q {schedule = #flash.schedule<m = 64, n = 64, warps = 4, instruction = mma_sync>} : tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16> -> tensor<1x4x?x64xbf16>
  // CHECK: instruction = wgmma
  %p = flash.attention %o, %o, %o : tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16> -> tensor<1x4x?x64xbf16>
  return %p : tensor<1x4x?x64xbf16>
}
