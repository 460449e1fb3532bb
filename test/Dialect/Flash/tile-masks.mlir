// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule=#flash.schedule<m=64,n=32>},flash-tile-attention),canonicalize,flash-verify-level{level=L1})' | FileCheck %s

// A window bounds the loop on both sides; the first block is a whole one.
// CHECK-LABEL: @window
// CHECK-DAG: %[[BEFORE:.*]] = arith.constant -40 : index
// CHECK: scf.forall
// CHECK: %[[LOW:.*]] = arith.addi %{{.*}}, %[[BEFORE]]
// CHECK: %[[FIRST:.*]] = arith.maxsi %[[LOW]]
// CHECK-NOT: scf.if
// CHECK: flash.online_attention
// CHECK-SAME: queries(
// CHECK-NOT: place(
// CHECK-SAME: mask = #flash.window<left = 40, right = 2>
func.func @window(%q: tensor<1x4x?x64xf32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %q, %q {mask = #flash.window<left = 40, right = 2>} : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}

// -----

// Between a prefix and a window lie blocks that nobody sees: each block is asked before it is read.
// CHECK-LABEL: @holes
// CHECK: scf.forall
// CHECK: scf.for
// CHECK: %[[WINDOW:.*]] = arith.xori
// CHECK: %[[PREFIX:.*]] = arith.cmpi sle
// CHECK: %[[HIDDEN:.*]] = arith.andi %[[WINDOW]], %[[PREFIX]]
// CHECK: scf.if %[[HIDDEN]]
// CHECK: } else {
// CHECK: tensor.extract_slice
// CHECK: flash.online_attention
// CHECK-SAME: queries(%{{.*}}) place(%{{.*}}, %{{.*}}) origins(%{{.*}}, %{{.*}}) mask_operands(%{{.*}} : tensor<?xi32>)
func.func @holes(%q: tensor<?x4x?x64xf32>, %p: tensor<?xi32>) -> tensor<?x4x?x64xf32> {
  %o = flash.attention %q, %q, %q mask_operands(%p : tensor<?xi32>) {mask = #flash.or<#flash.window<left = 40, right = 0>, #flash.prefix>}
      : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x64xf32>
  return %o : tensor<?x4x?x64xf32>
}

// -----

// Ragged: the blocks of all sequences lie one after another; each finds its sequence's rows. Rows in no sequence are those
// of two more, without keys.
// CHECK-LABEL: @ragged
// CHECK-SAME: %[[Q:.*]]: tensor<1x4x?x64xf32>, %[[CU:.*]]: tensor<?xi32>
// CHECK-NOT: linalg.fill ins(%{{.*}} : f32) outs(%{{.*}} : tensor<1x4x?x64xf32>)
// CHECK: scf.forall ({{.*}}) in
// CHECK: scf.for
// CHECK: tensor.extract %[[CU]]
// CHECK: tensor.extract_slice %[[Q]][0, %{{.*}}, %{{.*}}, 0]
// CHECK: flash.online_attention
// CHECK-SAME: mask = #flash.causal
func.func @ragged(%q: tensor<1x4x?x64xf32>, %cu: tensor<?xi32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %q, %q cu_seqlens_q(%cu : tensor<?xi32>) cu_seqlens_k(%cu : tensor<?xi32>) {mask = #flash.causal}
      : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}

// -----

// Blocks of 32 keys cross no page of 64: they are read where they lie.
// CHECK-LABEL: @paged
// CHECK-SAME: %[[K:[^:]*]]: tensor<?x4x64x64xf32>, %[[TABLE:[^:]*]]: tensor<2x?xi32>
// CHECK: scf.forall (%[[N:.*]], %{{.*}}, %{{.*}}) in
// CHECK: scf.for %[[K0:.*]] =
// CHECK: tensor.extract %[[TABLE]][%[[N]], %{{.*}}]
// CHECK: tensor.extract_slice %[[K]][%{{.*}}, %{{.*}}, %{{.*}}, 0] [1, 1, 32, 64]
func.func @paged(%q: tensor<2x4x?x64xf32>, %k: tensor<?x4x64x64xf32>, %t: tensor<2x?xi32>, %n: tensor<2xi32>) -> tensor<2x4x?x64xf32> {
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<2xi32>) page_table(%t : tensor<2x?xi32>)
      : tensor<2x4x?x64xf32>, tensor<?x4x64x64xf32>, tensor<?x4x64x64xf32> -> tensor<2x4x?x64xf32>
  return %o : tensor<2x4x?x64xf32>
}

// -----

// Pages of another size: a tile is put together.
// CHECK-LABEL: @small_pages
// CHECK-SAME: %[[K:[a-z0-9]+]]: tensor<?x4x7x64xf32>, %[[TABLE:[a-z0-9]+]]: tensor<2x?xi32>
// CHECK: scf.forall (%[[N:.*]], %[[H:.*]], %{{.*}}) in
// CHECK: scf.for %[[FROM:[a-z0-9]+]] =
// CHECK: %[[COUNT:.*]] = arith.minsi
// CHECK: flash.read_pages %[[K]][%{{.*}}] page_table(%[[TABLE]][%[[N]]]) first(%[[FROM]]) rows(%[[COUNT]]) : tensor<?x4x7x64xf32>, tensor<2x?xi32> -> tensor<
// CHECK: flash.online_attention
func.func @small_pages(%q: tensor<2x4x?x64xf32>, %k: tensor<?x4x7x64xf32>, %t: tensor<2x?xi32>, %n: tensor<2xi32>) -> tensor<2x4x?x64xf32> {
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<2xi32>) page_table(%t : tensor<2x?xi32>)
      : tensor<2x4x?x64xf32>, tensor<?x4x7x64xf32>, tensor<?x4x7x64xf32> -> tensor<2x4x?x64xf32>
  return %o : tensor<2x4x?x64xf32>
}

// -----

// One loop for the list of partial blocks, where the causal mask decides, and one for that of full blocks.
// CHECK-LABEL: @lists
// CHECK-SAME: %[[PN:[^:]*]]: tensor<1x4x?xi32>, %[[PL:[^:]*]]: tensor<1x4x?x?xi32>, %[[FN:[^:]*]]: tensor<1x4x?xi32>, %[[FL:[^:]*]]: tensor<1x4x?x?xi32>
// CHECK: scf.forall
// CHECK-DAG: tensor.extract %[[PN]]
// CHECK-DAG: tensor.extract %[[FN]]
// CHECK: scf.for
// CHECK: tensor.extract %[[PL]]
// CHECK: flash.online_attention
// CHECK-SAME: mask = #flash.causal
// CHECK: scf.for
// CHECK: tensor.extract %[[FL]]
// CHECK: flash.online_attention
// CHECK-NOT: mask =
func.func @lists(%q: tensor<?x4x?x64xf32>, %pn: tensor<1x4x?xi32>, %pl: tensor<1x4x?x?xi32>, %fn: tensor<1x4x?xi32>, %fl: tensor<1x4x?x?xi32>) -> tensor<?x4x?x64xf32> {
  %o = flash.attention %q, %q, %q mask_operands(%pn, %pl, %fn, %fl : tensor<1x4x?xi32>, tensor<1x4x?x?xi32>, tensor<1x4x?xi32>, tensor<1x4x?x?xi32>)
      {mask = #flash.block_sparse<bq = 64, bk = 64, partial = #flash.causal>}
      : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x64xf32>
  return %o : tensor<?x4x?x64xf32>
}

// -----

// 96 keys in blocks of 64: the second half of the last block is beyond them, though tiles of 32 divide them.
// CHECK-LABEL: @past_the_end
// CHECK: scf.for
// CHECK: %[[K0:.*]] = arith.minsi %{{.*}}, %c96
// CHECK: %[[LEFT:.*]] = arith.subi %c96, %[[K0]]
// CHECK: %[[EXIST:.*]] = arith.minsi %[[LEFT]], %c32
// CHECK: flash.online_attention {{.*}} keys(%[[EXIST]])
func.func @past_the_end(%q: tensor<1x1x64x64xf32>, %k: tensor<1x1x96x64xf32>, %n: tensor<1x1x1xi32>, %l: tensor<1x1x1x2xi32>) -> tensor<1x1x64x64xf32> {
  %o = flash.attention %q, %k, %k mask_operands(%n, %l, %n, %l : tensor<1x1x1xi32>, tensor<1x1x1x2xi32>, tensor<1x1x1xi32>, tensor<1x1x1x2xi32>)
      {mask = #flash.block_sparse<bq = 64, bk = 64>} : tensor<1x1x64x64xf32>, tensor<1x1x96x64xf32>, tensor<1x1x96x64xf32> -> tensor<1x1x64x64xf32>
  return %o : tensor<1x1x64x64xf32>
}

// -----

// Listed blocks of 40 keys begin where tiles of 32 do not: one that begins at 40 crosses the end of a page of 64.
// CHECK-LABEL: @listed_pages
// CHECK: flash.read_pages
// CHECK: flash.read_pages
// CHECK-NOT: tensor.extract_slice {{.*}} : tensor<?x4x64x64xf32>
func.func @listed_pages(%q: tensor<2x4x?x64xf32>, %k: tensor<?x4x64x64xf32>, %t: tensor<2x?xi32>, %n: tensor<2xi32>, %c: tensor<1x1x?xi32>, %l: tensor<1x1x?x?xi32>) -> tensor<2x4x?x64xf32> {
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<2xi32>) page_table(%t : tensor<2x?xi32>)
      mask_operands(%c, %l, %c, %l : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>)
      {mask = #flash.block_sparse<bq = 64, bk = 40>, schedule = #flash.schedule<m = 64, n = 32>}
      : tensor<2x4x?x64xf32>, tensor<?x4x64x64xf32>, tensor<?x4x64x64xf32> -> tensor<2x4x?x64xf32>
  return %o : tensor<2x4x?x64xf32>
}
