// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{table=none target=sm_80}))' | FileCheck %s --check-prefix=SM80
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{table=none target=sm_90a}))' | FileCheck %s --check-prefix=SM90
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{table=none target=cpu:x86-64-v3}))' | FileCheck %s --check-prefix=CPU
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{table=none target=sm_80 schedule=#flash.schedule<n=16>}))' | FileCheck %s --check-prefix=OPTION
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=#flash.target<kind="sm_80",cores=4,fastMemory=40000,registers=65536>}))' | FileCheck %s --check-prefix=SMALL
// RUN: not flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_75}))' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{schedule=#flash.causal}))' 2>&1 | FileCheck %s --check-prefix=WRONG

// SM80: #flash.schedule<m = 128, {{.*}}instruction = mma_sync>
// SM80: n = 48
// SM90: instruction = wgmma, specialize = true, tma = true, producerRegisters = 40, consumerRegisters = 232
// SM90: n = 48
// CPU: transposed = true, peel = true
// CPU: n = 48
// OPTION: n = 16,
// OPTION: n = 48
// Shared memory bounds the tile.
// SMALL: #flash.schedule<m = 64, n = 16,
// UNKNOWN: error: flash-choose-schedule: no target 'sm_75'; there are cpu, sm_80, sm_86, sm_89, sm_90a, sm_100, sm_120, cpu:NAME (cpu:x86-64-v3, cpu:znver4, ...), or a #flash.target attribute
// WRONG: error: flash-choose-schedule: '#flash.causal' is not a #flash.schedule attribute
func.func @attention(%q: tensor<2x4x?x128xbf16>) -> (tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>) {
  %o = flash.attention %q, %q, %q : tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16> -> tensor<2x4x?x128xbf16>
  // What the op says wins.
  %p = flash.attention %q, %q, %q {schedule = #flash.schedule<n = 48>} : tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16> -> tensor<2x4x?x128xbf16>
  return %o, %p : tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>
}

// What Hopper's instructions do not serve takes the other tensor cores'.
// SM90-LABEL: @dropped
// SM90: flash.attention {{.*}}instruction = mma_sync
// SM90-LABEL: @paged
// SM90: flash.attention {{.*}}instruction = mma_sync
// Lengths that are data: the producer reads them, too; how long a sequence's tiles take differs.
// SM90-LABEL: @lengths
// SM90: flash.attention {{.*}}instruction = wgmma, specialize = true, tma = true, producerRegisters = 40, consumerRegisters = 232
// SM90-LABEL: @ragged
// SM90: flash.attention {{.*}}instruction = wgmma, specialize = true, {{.*}}dynamic = true
func.func @dropped(%q: tensor<2x4x?x128xbf16>, %seed: i64) -> tensor<2x4x?x128xbf16> {
  %o = flash.attention %q, %q, %q dropout(%seed, %seed) {dropout_p = 0.5 : f32} : tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16> -> tensor<2x4x?x128xbf16>
  return %o : tensor<2x4x?x128xbf16>
}
func.func @paged(%q: tensor<2x4x?x128xbf16>, %k: tensor<?x4x128x128xbf16>, %lengths: tensor<2xi32>, %table: tensor<2x?xi32>) -> tensor<2x4x?x128xbf16> {
  %o = flash.attention %q, %k, %k kv_lengths(%lengths : tensor<2xi32>) page_table(%table : tensor<2x?xi32>) : tensor<2x4x?x128xbf16>, tensor<?x4x128x128xbf16>, tensor<?x4x128x128xbf16> -> tensor<2x4x?x128xbf16>
  return %o : tensor<2x4x?x128xbf16>
}

func.func @lengths(%q: tensor<2x4x?x256xbf16>, %lengths: tensor<2xi32>) -> tensor<2x4x?x256xbf16> {
  %o = flash.attention %q, %q, %q kv_lengths(%lengths : tensor<2xi32>) {mask = #flash.causal} : tensor<2x4x?x256xbf16>, tensor<2x4x?x256xbf16>, tensor<2x4x?x256xbf16> -> tensor<2x4x?x256xbf16>
  return %o : tensor<2x4x?x256xbf16>
}
func.func @ragged(%q: tensor<1x4x?x128xbf16>, %starts: tensor<?xi32>) -> tensor<1x4x?x128xbf16> {
  %o = flash.attention %q, %q, %q cu_seqlens_q(%starts : tensor<?xi32>) cu_seqlens_k(%starts : tensor<?xi32>) {mask = #flash.causal} : tensor<1x4x?x128xbf16>, tensor<1x4x?x128xbf16>, tensor<1x4x?x128xbf16> -> tensor<1x4x?x128xbf16>
  return %o : tensor<1x4x?x128xbf16>
}

// Scores that fall from the diagonal on have the first maxima as a reference where keys are walked from there; what may grow
// has none.
// SM90-LABEL: @alibi
// SM90: lazy = true, {{.*}}reverseKeys = true
// SM90: mask = #flash.window<left = 99, right = 0>{{.*}}lazy = true, {{.*}}reverseKeys = true
// SM90-NOT: lazy = true
// SM90-NOT: reverseKeys
// SM90-LABEL: @softcap
// SM90: lazy = true
// SM90-NOT: reverseKeys
func.func @alibi(%q: tensor<2x4x?x128xbf16>, %a: tensor<4xf32>, %b: tensor<1x1x?x?xf32>) {
  %o0 = flash.attention %q, %q, %q score_operands(%a : tensor<4xf32>) {scores = [#flash.alibi], mask = #flash.causal} : tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16> -> tensor<2x4x?x128xbf16>
  %o1 = flash.attention %q, %q, %q score_operands(%a : tensor<4xf32>) {scores = [#flash.softcap<30.0>, #flash.alibi], mask = #flash.window<left = 99, right = 0>} : tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16> -> tensor<2x4x?x128xbf16>
  %o2 = flash.attention %q, %q, %q score_operands(%a : tensor<4xf32>) {scores = [#flash.alibi]} : tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16> -> tensor<2x4x?x128xbf16>
  %o3 = flash.attention %q, %q, %q score_operands(%a : tensor<4xf32>) {scores = [#flash.alibi], mask = #flash.window<right = 9>} : tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16> -> tensor<2x4x?x128xbf16>
  %o4 = flash.attention %q, %q, %q score_operands(%a, %b : tensor<4xf32>, tensor<1x1x?x?xf32>) {scores = [#flash.alibi, #flash.bias], mask = #flash.causal} : tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16> -> tensor<2x4x?x128xbf16>
  return
}
func.func @softcap(%q: tensor<2x4x?x128xbf16>) {
  %o = flash.attention %q, %q, %q {scores = [#flash.softcap<30.0>], mask = #flash.causal} : tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16>, tensor<2x4x?x128xbf16> -> tensor<2x4x?x128xbf16>
  return
}

// Tiles are parts of a mask's blocks, and how long one takes is data: they are taken as they come. 192 queries, the
// choice for few head dims, divide no block of 128; blocks of 64 have one warpgroup.
// SM90-LABEL: @blocks
// SM90: flash.attention {{.*}}schedule = #flash.schedule<m = 128, n = 128, {{.*}}instruction = wgmma, specialize = true{{.*}}dynamic = true
// SM90-LABEL: @small_blocks
// SM90: flash.attention {{.*}}schedule = #flash.schedule<m = 64, n = 96, {{.*}}warps = 4, {{.*}}instruction = wgmma
// SM80-LABEL: @blocks
// SM80: flash.attention {{.*}}schedule = #flash.schedule<m = 128, n = 64, {{.*}}instruction = mma_sync
func.func @blocks(%q: tensor<2x4x?x64xbf16>, %n: tensor<1x1x?xi32>, %l: tensor<1x1x?x?xi32>) -> tensor<2x4x?x64xbf16> {
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>) {mask = #flash.block_sparse<bq = 128, bk = 128>}
      : tensor<2x4x?x64xbf16>, tensor<2x4x?x64xbf16>, tensor<2x4x?x64xbf16> -> tensor<2x4x?x64xbf16>
  return %o : tensor<2x4x?x64xbf16>
}
func.func @small_blocks(%q: tensor<2x4x?x64xbf16>, %n: tensor<1x1x?xi32>, %l: tensor<1x1x?x?xi32>) -> tensor<2x4x?x64xbf16> {
  %o = flash.attention %q, %q, %q mask_operands(%n, %l, %n, %l : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>) {mask = #flash.block_sparse<bq = 64, bk = 96>}
      : tensor<2x4x?x64xbf16>, tensor<2x4x?x64xbf16>, tensor<2x4x?x64xbf16> -> tensor<2x4x?x64xbf16>
  return %o : tensor<2x4x?x64xbf16>
}
