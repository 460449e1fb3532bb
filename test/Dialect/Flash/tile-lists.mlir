// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{table=none target=sm_90a},flash-tile-attention),canonicalize,cse,flash-verify-level{level=L1})' | FileCheck %s
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{table=none target=sm_90a},flash-tile-attention,flash-decompose-attention),canonicalize,cse)' | FileCheck %s --check-prefix=STEP

// Where a producer brings tiles, both lists have one loop: the full blocks, then those inside which the causal mask
// decides. Whether some block is cut by the end of the keys is known before.
// CHECK-LABEL: @both
// CHECK-SAME: %[[PN:[^:]*]]: tensor<1x4x?xi32>, %[[PL:[^:]*]]: tensor<1x4x?x?xi32>, %[[FN:[^:]*]]: tensor<1x4x?xi32>, %[[FL:[^:]*]]: tensor<1x4x?x?xi32>
// CHECK: scf.forall
// CHECK: %[[PCOUNT:.*]] = tensor.extract %[[PN]]
// CHECK: %[[FCOUNT:.*]] = tensor.extract %[[FN]]
// CHECK: %[[FULL:.*]] = arith.maxsi
// CHECK: %[[ALL:.*]] = arith.addi %[[FULL]], %{{.*}}
// CHECK: %[[CUT:.*]] = arith.cmpi sgt
// CHECK: %[[LAST:.*]] = arith.select %[[CUT]]
// CHECK: scf.for %[[N:.*]] = %c0{{.*}} to %[[ALL]] step %c1
// CHECK: %[[LISTED:.*]] = arith.cmpi slt, %[[N]], %[[FULL]]
// CHECK: %[[NUMBER:.*]] = scf.if %[[LISTED]] -> (i32) {
// CHECK: tensor.extract %[[FL]][%{{.*}}, %{{.*}}, %{{.*}}, %[[N]]]
// CHECK: } else {
// CHECK: %[[AT:.*]] = arith.subi %[[N]], %[[FULL]]
// CHECK: tensor.extract %[[PL]][%{{.*}}, %{{.*}}, %{{.*}}, %[[AT]]]
// CHECK: arith.minsi %{{.*}}, %[[LAST]]
// CHECK: %[[KEYS:.*]] = arith.select %[[CUT]], %{{.*}}, %c128
// CHECK: flash.online_attention {{.*}} keys(%[[KEYS]]) {{.*}} listed_full(%[[LISTED]])
// CHECK-SAME: mask = #flash.block_sparse<bq = 128, bk = 128, partial = #flash.causal>
// CHECK-NOT: scf.for %

// The predicate is asked only of what the list of partial blocks names.
// STEP-LABEL: @both
// STEP: %[[LISTED:.*]] = arith.cmpi slt, %{{.*}}, %{{.*}} : index
// STEP: %[[CAUSAL:.*]] = arith.cmpi sle
// STEP: %[[FULL:.*]] = arith.ori %[[LISTED]], %[[CAUSAL]]
// STEP: %[[PARTIAL:.*]] = arith.xori %[[FULL]], %true
// STEP: arith.ori %{{.*}}, %[[PARTIAL]]
// STEP: linalg.generic
// STEP: %[[SEEN:.*]] = arith.cmpi sle
// STEP: arith.ori %{{.*}}, %[[SEEN]]
func.func @both(%q: tensor<?x4x?x128xbf16>, %pn: tensor<1x4x?xi32>, %pl: tensor<1x4x?x?xi32>, %fn: tensor<1x4x?xi32>, %fl: tensor<1x4x?x?xi32>) -> tensor<?x4x?x128xbf16> {
  %o = flash.attention %q, %q, %q mask_operands(%pn, %pl, %fn, %fl : tensor<1x4x?xi32>, tensor<1x4x?x?xi32>, tensor<1x4x?xi32>, tensor<1x4x?x?xi32>)
      {mask = #flash.block_sparse<bq = 128, bk = 128, partial = #flash.causal>}
      : tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16> -> tensor<?x4x?x128xbf16>
  return %o : tensor<?x4x?x128xbf16>
}

// -----

// Both lists leave the same to ask: here the causal mask, of every block, and with no mask at all, nothing.
// CHECK-LABEL: @alike
// CHECK: flash.online_attention
// CHECK-NOT: listed_full
// CHECK-SAME: mask = #flash.and<#flash.causal>
func.func @alike(%q: tensor<1x1x256x64xf16>, %n: tensor<1x1x2xi32>, %l: tensor<1x1x2x2xi32>) -> tensor<1x1x256x64xf16> {
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x2xi32>, tensor<1x1x2x2xi32>, tensor<1x1x2xi32>, tensor<1x1x2x2xi32>)
      {mask = #flash.and<#flash.causal, #flash.block_sparse<bq = 128, bk = 128>>}
      : tensor<1x1x256x64xf16>, tensor<1x1x256x64xf16>, tensor<1x1x256x64xf16> -> tensor<1x1x256x64xf16>
  return %o : tensor<1x1x256x64xf16>
}

// -----

// CHECK-LABEL: @whole
// CHECK: flash.online_attention {{.*}} keys(%c128) {{.*}}{scale = 1.250000e-01 : f32}
// STEP-LABEL: @whole
// STEP: linalg.matmul
// STEP-NOT: scf.if
// STEP: flash.online_softmax
func.func @whole(%q: tensor<1x1x256x64xf16>, %n: tensor<1x1x2xi32>, %l: tensor<1x1x2x2xi32>) -> tensor<1x1x256x64xf16> {
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x2xi32>, tensor<1x1x2x2xi32>, tensor<1x1x2xi32>, tensor<1x1x2x2xi32>)
      {mask = #flash.block_sparse<bq = 128, bk = 128>}
      : tensor<1x1x256x64xf16>, tensor<1x1x256x64xf16>, tensor<1x1x256x64xf16> -> tensor<1x1x256x64xf16>
  return %o : tensor<1x1x256x64xf16>
}

// -----

// Lists may name blocks behind a batch's keys: none is walked where there are no keys, and each is cut at the end.
// CHECK-LABEL: @lengths
// CHECK: scf.forall
// CHECK: %[[KEYS:.*]] = arith.minsi
// CHECK: %[[SOME:.*]] = arith.cmpi sgt, %[[KEYS]], %c0
// CHECK: %[[PARTIAL:.*]] = arith.select %[[SOME]], %{{.*}}, %c0
// CHECK: %[[FULL:.*]] = arith.select %[[SOME]], %{{.*}}, %c0
// CHECK: %[[ALL:.*]] = arith.addi %[[FULL]], %[[PARTIAL]]
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %[[ALL]] step %c1
// CHECK: %[[K0:.*]] = arith.minsi %{{.*}}, %[[KEYS]]
// CHECK: %[[REST:.*]] = arith.subi %[[KEYS]], %[[K0]]
// CHECK: %[[EXISTING:.*]] = arith.minsi %[[REST]], %c128
// CHECK: flash.online_attention {{.*}} keys(%[[EXISTING]])
func.func @lengths(%q: tensor<?x4x?x128xbf16>, %n: tensor<?xi32>, %pn: tensor<1x4x?xi32>, %pl: tensor<1x4x?x?xi32>, %fn: tensor<1x4x?xi32>, %fl: tensor<1x4x?x?xi32>) -> tensor<?x4x?x128xbf16> {
  %o = flash.attention %q, %q, %q kv_lengths(%n : tensor<?xi32>) mask_operands(%pn, %pl, %fn, %fl : tensor<1x4x?xi32>, tensor<1x4x?x?xi32>, tensor<1x4x?xi32>, tensor<1x4x?x?xi32>)
      {mask = #flash.block_sparse<bq = 128, bk = 128, partial = #flash.causal>}
      : tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16>, tensor<?x4x?x128xbf16> -> tensor<?x4x?x128xbf16>
  return %o : tensor<?x4x?x128xbf16>
}

// -----

// Blocks of 100 queries and 40 keys: a block of queries has two tiles of 64, of which the second one ends after 36, and a
// block of keys two steps of 32, of which the second one ends after 8.
// CHECK-LABEL: @cut
// CHECK: %[[WHOLE:.*]] = arith.divui %{{.*}}, %c100
// CHECK: %[[EACH:.*]] = arith.muli %[[WHOLE]], %c2
// CHECK: %[[REST:.*]] = arith.divui %{{.*}}, %c64
// CHECK: %[[TILES:.*]] = arith.addi %[[EACH]], %[[REST]]
// CHECK: scf.forall (%{{.*}}, %[[T:[a-z0-9]+]]) in (4, %[[TILES]])
// CHECK: %[[BLOCK:.*]] = arith.divui %[[T]], %c2
// CHECK: %[[PART:.*]] = arith.subi %[[T]],
// CHECK: %[[BEFORE:.*]] = arith.muli %[[PART]], %c64
// CHECK: %[[LEFT:.*]] = arith.subi %c100, %[[BEFORE]]
// CHECK: %[[START:.*]] = arith.muli %[[BLOCK]], %c100
// CHECK: %[[FIRST:.*]] = arith.addi %[[START]], %[[BEFORE]]
// CHECK: %[[MOST:.*]] = arith.minsi %[[LEFT]], %c64
// CHECK: arith.minsi %[[MOST]], %{{.*}}
// CHECK: scf.for %[[N:.*]] = %c0 to
// CHECK: %[[ENTRY:.*]] = arith.divui %[[N]], %c2
// CHECK: %[[KBEFORE:.*]] = arith.muli %{{.*}}, %c32
// CHECK: arith.muli %{{.*}}, %c40
// CHECK: %[[KLEFT:.*]] = arith.subi %c40, %[[KBEFORE]]
// CHECK: arith.minsi %[[KLEFT]], %c32
func.func @cut(%q: tensor<1x4x?x64xf16>, %n: tensor<1x1x?xi32>, %l: tensor<1x1x?x?xi32>) -> tensor<1x4x?x64xf16> {
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>)
      {mask = #flash.block_sparse<bq = 100, bk = 40>, schedule = #flash.schedule<m = 64, n = 32, d = 16, warps = 4, instruction = mma_sync, specialize = false>}
      : tensor<1x4x?x64xf16>, tensor<1x4x?x64xf16>, tensor<1x4x?x64xf16> -> tensor<1x4x?x64xf16>
  return %o : tensor<1x4x?x64xf16>
}
