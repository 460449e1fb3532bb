// A schedule in short, on a loop that is written by hand, for its readers. Passes that would find nothing are not asked for.
//
// RUN: flash-opt %s --split-input-file --verify-diagnostics --flash-split-schedule | FileCheck %s

// CHECK-LABEL: @nothing
// CHECK: scf.forall
// CHECK: } {flash.tiling = #flash.tiling<m = 64, n = 32, d = 16>, flash_tile.kernel = #flash_tile.kernel<warps = 4, instruction = #flash_tile.mma_sync, stages = 2>}
func.func @nothing() {
  scf.forall (%i) in (4) {
  } {flash.schedule = #flash.schedule<m = 64, n = 32, d = 16, warps = 4, stages = 2, instruction = mma_sync>}
  return
}

// A CPU's thread has a tile to itself.
// CHECK-LABEL: @cpu
// CHECK: } {flash.tiling = #flash.tiling<m = 48, n = 48, d = 1, transposed = true, peel = true, reverseKeys = true, summaries = true>}
func.func @cpu() {
  scf.forall (%i) in (4) {
  } {flash.schedule = #flash.schedule<m = 48, n = 48, d = 1, transposed = true, peel = true, reverseKeys = true>}
  return
}

// What was asked for by name is asked of the pass, whatever the loop holds.
// CHECK-LABEL: @asked
// CHECK: flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, outer_stages = 2, cluster = 2, roles = <producer_registers = 40, consumer_registers = 232>>
// CHECK-SAME: flash_tile.passes = [#flash_tile.order<turns = 16>, #flash_tile.split_tiles<parts = 4>, #flash_tile.persistent<unlike = true>, #flash_tile.store_tma<columns = 64>, #flash_tile.prefetch_tiles<blocks = 8>, #flash_tile.peel_masks<first = true>, #flash_tile.overlap_tiles, #flash_tile.ping_pong]
func.func @asked() {
  scf.forall (%i) in (4) {
  } {flash.schedule = #flash.schedule<warps = 8, stages = 2, queryStages = 2, cluster = 2, instruction = wgmma, specialize = true, tma = true,
      producerRegisters = 40, consumerRegisters = 232, headTurns = 16, splitTiles = 4, persistent = true, storeTma = true, storeColumns = 64,
      prefetchBlocks = 8, peelMasks = true, reverseKeys = true, overlapTiles = true, pingPong = true>}
  return
}

// Softmax and products are looked for.
// CHECK-LABEL: @products
// CHECK: flash_tile.passes = [#flash_tile.partial_sums, #flash_tile.overlap<delay_puts = true>, #flash_tile.lazy_softmax<early_check = true>]
// CHECK: flash_tile.passes = [#flash_tile.start_products]
// CHECK: flash_tile.passes = [#flash_tile.keep_operands]
func.func @products(%a: tensor<64x64xf16>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %s = tensor.empty() : tensor<64x64xf32>
  %p = tensor.empty() : tensor<64x64xf16>
  %m = tensor.empty() : tensor<64xf32>
  scf.forall (%i) in (4) {
    scf.for %j = %c0 to %n step %c1 {
      %0 = linalg.matmul ins(%a, %a : tensor<64x64xf16>, tensor<64x64xf16>) outs(%s : tensor<64x64xf32>) -> tensor<64x64xf32>
      %1:4 = flash.online_softmax ins(%0 : tensor<64x64xf32>) outs(%p, %m, %m, %m : tensor<64x64xf16>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {dim = 1 : i64, scale = 0.125 : f32}
      %2 = linalg.matmul ins(%1#0, %a : tensor<64x64xf16>, tensor<64x64xf16>) outs(%s : tensor<64x64xf32>) -> tensor<64x64xf32>
    }
  } {flash.schedule = #flash.schedule<warps = 4, instruction = wgmma, specialize = true, tma = true, producerRegisters = 40, consumerRegisters = 232,
      keysFirst = true, lazy = true, earlyCheck = true>}
  scf.forall (%i) in (4) {
    scf.for %j = %c0 to %n step %c1 {
      %0 = linalg.matmul ins(%a, %a : tensor<64x64xf16>, tensor<64x64xf16>) outs(%s : tensor<64x64xf32>) -> tensor<64x64xf32>
      %1 = linalg.matmul ins(%a, %a : tensor<64x64xf16>, tensor<64x64xf16>) outs(%0 : tensor<64x64xf32>) -> tensor<64x64xf32>
      %2 = linalg.matmul ins(%a, %a : tensor<64x64xf16>, tensor<64x64xf16>) outs(%1 : tensor<64x64xf32>) -> tensor<64x64xf32>
    }
  } {flash.schedule = #flash.schedule<warps = 4, instruction = wgmma, specialize = true, tma = true, producerRegisters = 40, consumerRegisters = 232>}
  scf.forall (%i) in (4) {
    scf.for %j = %c0 to %n step %c1 {
      %0 = linalg.matmul ins(%a, %a : tensor<64x64xf16>, tensor<64x64xf16>) outs(%s : tensor<64x64xf32>) -> tensor<64x64xf32>
    }
  } {flash.schedule = #flash.schedule<warps = 4, instruction = mma_sync>}
  return
}

// -----
func.func @both() {
  // expected-error @below {{has 'flash.schedule' and 'flash_tile.kernel', which it stands for: write one of them}}
  scf.forall (%i) in (4) {
  } {flash.schedule = #flash.schedule<warps = 8>, flash_tile.kernel = #flash_tile.kernel<warps = 8>}
  return
}

// -----
func.func @registers() {
  // expected-error @below {{the schedule describes no kernel: a role has a multiple of 8 registers from 24 to 256, not 0}}
  scf.forall (%i) in (4) {
  } {flash.schedule = #flash.schedule<warps = 8, instruction = wgmma, specialize = true, tma = true, consumerRegisters = 232>}
  return
}
