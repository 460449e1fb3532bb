//===- Passes.td - Passes of the tile dialect --------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_TRANSFORMS_PASSES
#define FLASH_DIALECT_TILE_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def TileSplitTiles : Pass<"flash-tile-split-tiles", "::mlir::ModuleOp"> {
  let summary = "Several blocks work on a tile of the last round";
  let description = [{
    For kernels with `#flash_tile.split_tiles`. Where the tiles are not whole
    rounds of the device's cores, those of the last round are split along the keys,
    into as many parts as there are cores for, at most `parts`. A part hands
    its running output, maximum and sum over to the next one; the last stores. The
    order is fixed, so that results are the same in every run. Where tiles take
    unequally long, as under a causal mask, only a grid of less than a round is
    split. Kernels that are not of this form stay as they are; see the remark.

    ```mlir
    flash_tile.launch @k grid(%n) ; %b = gpu.block_id x
    %o, %m, %l = scf.for %j = %lo to %hi ... ; store
    // becomes
    flash_tile.launch @k grid(%whole + %rest * %parts)
    %o, %m, %l = scf.for %j = %lo1 to %hi1 ...
    scf.if %part > 0 { flash_tile.take_over ; merge }
    scf.if last { store } else { flash_tile.hand_over }
    ```
  }];
  let options = [
    Option<"cores", "cores", "int64_t", "132", "Blocks that run at the same time">,
    Option<"blocks", "blocks", "int64_t", "4", "Blocks of keys that a part has at the least">
  ];
  let statistics = [Statistic<"numSplit", "num-split", "Kernels that split tiles">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def TilePersistent : Pass<"flash-tile-persistent", "::mlir::ModuleOp"> {
  let summary = "Launch as many blocks as there are cores, each with several tiles";
  let description = [{
    For kernels with `#flash_tile.persistent` that are to have roles. The kernel gets
    the number of tiles as its last parameter and works through those of its block,
    to and fro: in even rounds the first block has the first tile, in odd ones the
    last. Unless tiles are `unlike` or taken as they come (`dynamic`), the blocks are
    as few as take no more rounds. The blocks of a cluster count as one.

    ```mlir
    flash_tile.launch @k grid(%n) ; %b = gpu.block_id x ; ...
    // becomes
    flash_tile.launch @k grid(min(%n, 132)) args(..., %n)
    scf.for %t = %c0 to %visits step %c1 { %b = ... ; ... } {flash_tile.tiles}
    ```
  }];
  let options = [Option<"cores", "cores", "int64_t", "132", "Blocks that run at the same time">];
  let statistics = [Statistic<"numPersistent", "num-persistent", "Kernels made persistent">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TilePartialSums : Pass<"flash-tile-partial-sums", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Keep row sums by lane while a loop runs";
  let description = [{
    For kernels with `#flash_tile.partial_sums`. A row sum that a loop only passes
    from softmax to softmax stays a partial sum of each lane, and is joined once
    after the loop.

    ```mlir
    scf.for ... iter_args(%sum = %zero : !row) { flash_tile.online_softmax %s, %max, %sum : !acc, !row, !row }
    // becomes
    %l = scf.for ... iter_args(%sum = %zero : !row_partial) { flash_tile.online_softmax ... : !acc, !row, !row_partial }
    flash_tile.all_reduce add %l
    ```
  }];
  let statistics = [Statistic<"numPartialSums", "num-partial-sums", "Row sums kept by lane">];
}

def TileLazySoftmax : Pass<"flash-tile-lazy-softmax", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Keep the first block's maximum as the reference of online softmax";
  let description = [{
    Changes numerics: the reference of a row's exponentials is no longer its exact
    running maximum but an older one, so that probabilities before normalisation may
    exceed 1. The result is the same function, rounded elsewhere.

    For kernels with `#flash_tile.lazy_softmax`, in every step but the first, and, with
    `cut_exact`, but those over blocks that masks cut. When a row
    sum of a warp is not below 2^30 (2^12 where probabilities are rounded to f16),
    the warp computes its scores again with mma.sync and takes the textbook step.

    ```mlir
    %e, %m1, %l1, %a = flash_tile.online_softmax %s, %m, %l ; %o1 = flash_tile.map(%a, %o) {a * o}
    // becomes
    %e0 = flash_tile.map(%s, %m) {exp2(s * c - m * c)} ; %t = flash_tile.reduce add %e0
    %e, %m1, %l1, %o1 = scf.if %out_of_range {
      %s2 = flash_tile.mma #flash_tile.mma_sync %q, %k
      flash_tile.online_softmax %s2, %m, %l ; flash_tile.map(%a, %o) {a * o}
    } else { %e0, %m, %l + %t, %o }
    ```
  }];
  let statistics = [Statistic<"numLazy", "num-lazy", "Steps made lazy">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect"];
}

def TileSplitMaps : Pass<"flash-tile-split-maps", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Maps that wait for the last product with a part only";
  let description = [{
    For kernels with `#flash_tile.start_products`, whose pass it prepares, in loops
    with more than two asynchronous products:

    ```mlir
    %s = flash_tile.mma ... ; %t = flash_tile.mma ...
    %p, %d = flash_tile.map(%s, %t) { %x = exp2 %s ; %y = mulf %x, %t ; yield %x, %y }
    // becomes
    %p = flash_tile.map(%s) { exp2 }
    %d = flash_tile.map(%p, %t) { mulf }
    ```
  }];
  let statistics = [Statistic<"numSplit", "num-split", "Maps that became two">];
}

def TileTurnProducts : Pass<"flash-tile-turn-products", "::mlir::ModuleOp"> {
  let summary = "What only leaves is computed whole by one warpgroup in its turn";
  let description = [{
    In the consumers of a specialised kernel, in loops with more than two
    asynchronous products: one whose left operand is stored to shared memory in the
    same iteration, whose result is only added to device memory, and of whose
    columns each warpgroup has a part, is computed whole, by one warpgroup, another
    one at each iteration, and an iteration late. Its operand goes through a ring of
    two stages, its result through one of one stage, to a helper that has it stored.
    A persistent kernel counts iterations on from tile to tile.

    ```mlir
    scf.for %i ... {
      %t = flash_tile.store_shared %ds ; %dq = flash_tile.mma %t, %k transpose_a
      flash_tile.store add %dq, %out[%i]
    }
    // becomes
    consumers {
      %n = scf.for %i = %l to %u iter_args(%n = %c0) {
        flash_tile.fill %ring[%n], %ds
        flash_tile.in_turn %n when %i > %l {
          %t = flash_tile.get %ring[%n - 1] ; %dq = flash_tile.mma %t, %k transpose_a
          flash_tile.release %ring[%n - 1]
          flash_tile.fill %sums[%n - 1], %dq
        }
      }
      flash_tile.in_turn %n when %u > %l { the last one }
    } helper "writer" {
      scf.for %i ... iter_args(%n = %c0) {
        %t = flash_tile.get %sums[%n] ; flash_tile.store_tile add %t, %map[%i]
        flash_tile.release %sums[%n]
      }
    }
    ```

    A part of the columns for each warpgroup reads the left operand once for each, at
    the rate of which shared memory bounds the loop; and a warpgroup has time while
    the other one multiplies.
  }];
  let statistics = [Statistic<"numTurned", "num-turned", "Products that are computed in turn">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileDelayProducts : Pass<"flash-tile-delay-products", "::mlir::gpu::GPUFuncOp"> {
  let summary = "What only leaves is computed one iteration late";
  let description = [{
    In the consumers of a specialised kernel, in loops with more than two
    asynchronous products: one whose left operand is stored to shared memory in the
    same iteration, and whose result only leaves to device memory, runs beside the
    products of the next iteration. Its operand goes through a ring of two stages, so
    that warps wait for the stage, and not for each other.

    ```mlir
    scf.for %i ... {
      %t = flash_tile.store_shared %ds ; %dq = flash_tile.mma %t, %k transpose_a
      flash_tile.store_async add %dq, %map[%i]
    }
    // becomes
    flash_tile.fill %ring[%c0], zeros
    %n, %last = scf.for %i ... iter_args(%n = %c1, %before = %first) {
      %t = flash_tile.get %ring[%n - 1] ; %dq = flash_tile.mma %t, %k transpose_a
      flash_tile.release %ring[%n - 1]
      flash_tile.fill %ring[%n], %ds
      flash_tile.store_async add %dq, %map[%before] when %i > %first
    }
    the same for the last one
    ```

    The first iteration multiplies zeros, so that it is like the others: a branch would
    end the products in flight. A persistent kernel counts stages on from tile to tile.
  }];
  let statistics = [Statistic<"numDelayed", "num-delayed", "Products that are delayed">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileStartProducts : Pass<"flash-tile-start-products", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Products in flight beside other work, in loops with many";
  let description = [{
    For kernels with `#flash_tile.start_products`, in the consumers of a specialised
    kernel, in loops with more than two asynchronous products (`flash-tile-overlap` has its own order for two):

    ```mlir
    %s = flash_tile.mma ... ; %p = flash_tile.map(%s) ; %t = flash_tile.mma ... ; %d = flash_tile.map(%p, %t)
    // becomes
    %s0 = flash_tile.mma_start ... ; %t0 = flash_tile.mma_start ...
    %s, %t1 = flash_tile.mma_wait %s0, %t0 in_flight 1 ; %p = flash_tile.map(%s)
    %t = flash_tile.mma_wait %t1 ; %d = flash_tile.map(%p, %t)
    ```

    Products start in their order, as soon as what they read is there. Registers
    of products in flight are distinct until everything is waited for, which is
    where the consumers' registers would not suffice.
  }];
  let options = [Option<"advance", "advance", "bool", "true",
      "flash-tile-advance-products comes after: a first product that it takes is complete before others start">];
  let statistics = [Statistic<"numLoops", "num-loops", "Loops whose products are in flight">];
}

def TileAdvanceProducts : Pass<"flash-tile-advance-products", "::mlir::gpu::GPUFuncOp"> {
  let summary = "The first product of an iteration starts in the one before";
  let description = [{
    In loops with more than two products that have been started: the first one, if it
    reads only what is loaded, starts at the end of the iteration before, and is waited
    for where its own starts another. It starts beside the last products, if there are
    registers for all of them, else after their wait. The last iteration starts one, too, whose result
    nobody reads: its operand is what the stage holds. What is awaited before the loop and
    that product does not read is awaited after its start. The ring is marked `ahead`:
    `flash-tile-allocate-shared` gives it a stage more where there is room.

    ```mlir
    scf.for %i ... iter_args(%n = %c0) {
      %s0 = flash_tile.mma_start %q, %ring[%n] ; %s = flash_tile.mma_wait %s0
    }
    // becomes
    %first = flash_tile.mma_start %q, %ring[%c0]
    scf.for %i ... iter_args(%n = %c0, %s0 = %first) {
      %s = flash_tile.mma_wait %s0
      %next = flash_tile.mma_start %q, %ring[%n + 1]
    }
    flash_tile.mma_wait
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let statistics = [Statistic<"numAdvanced", "products-advanced", "Products that start an iteration ahead">];
}

def TileJoinRings : Pass<"flash-tile-join-rings", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Little tiles that come with a large one have its barriers";
  let description = [{
    In a specialised kernel with `#flash_tile.start_products`: a ring whose stages
    are at most a quarter of another ring's, filled in the same iterations and read
    by the same products, has the barriers of the other: one wait and one release
    for both.

    ```mlir
    %q = flash_tile.get %large[%n] ; %l = flash_tile.get %little[%n]
    ...
    flash_tile.release %little[%n] ; ... flash_tile.release %large[%n]
    // becomes, with %little = flash_tile.ring with(%large)
    %q = flash_tile.get %large[%n] ; %l = flash_tile.get %little[%n]
    ...
    flash_tile.release %large[%n]
    ```
  }];
  let statistics = [Statistic<"numJoined", "num-joined", "Rings that have another one's barriers">];
}

def TileDealProducts : Pass<"flash-tile-deal-products", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Two tiles that become operands are made by one warpgroup each";
  let description = [{
    In a specialised kernel of two warpgroups with `#flash_tile.start_products`: two
    tiles that are made by products and maps, of which each warpgroup would have a
    part of the columns, and stored to shared memory. What the second reads of the
    first goes through shared memory, too, as two tiles of the operand's type
    that add up to it.

    ```mlir
    %s = flash_tile.mma ... ; %p = flash_tile.map(%s) ; %t0 = flash_tile.store_shared %p
    %g = flash_tile.mma ... ; %d = flash_tile.map(%g, %p) ; %t1 = flash_tile.store_shared %d
    // becomes
    flash_tile.in_turn 0 { ... flash_tile.fill %high[%n], %p0 ; flash_tile.fill %low[%n], %p1 }
    flash_tile.in_turn 1 { ... flash_tile.get %high[%n] ; flash_tile.get %low[%n] ; flash_tile.fill %ring[%n], %d }
    %t0 = flash_tile.get %high[%n]
    %t1 = flash_tile.get %ring[%n]
    ```
  }];
  let statistics = [Statistic<"numDealt", "num-dealt", "Loops whose tiles are dealt">];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def TileOrderSums : Pass<"flash-tile-order-sums", "::mlir::ModuleOp"> {
  let summary = "Sums in memory lie as accumulators hold them";
  let description = [{
    Memory of a function's own, to which kernels with wgmma add whole rows, and which
    others fetch, has each 16 rows in the order of an accumulator: nobody deals columns
    among lanes, and a warp adds 512 bytes at a time, or through shared memory all of its
    rows in one piece. Before the passes that choose who has sums stored.

    ```mlir
    %sums = memref.alloc ... ; flash_tile.launch @add args(%sums) ; flash_tile.launch @round args(%sums)
    // @add:   flash_tile.store add %dq, %sums[...] : !flash_tile.fragment<64x256xf32, #flash_tile.acc<8, column_groups = 2>>, ...
    // @round: %x = flash_tile.fetch %sums[...] -> !flash_tile.fragment<64x256xf32, #flash_tile.stream<4, run = 4>>
    // becomes
    // @add:   flash_tile.store add %dq, %sums[...] strips : ...
    // @round: %x = flash_tile.fetch %sums[...] strips -> !flash_tile.fragment<64x256xf32, #flash_tile.acc<4>>
    ```
  }];
  let statistics = [Statistic<"numOrdered", "num-ordered", "Allocations whose rows lie in strips">];
}

def TileSplitTurns : Pass<"flash-tile-split-turns", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Warpgroups that compute different things have their own code";
  let description = [{
    Where all turns of the consumers belong to a certain warpgroup each, the consumers
    become a `flash_tile.by_warpgroup`, in whose regions nobody takes a turn any more.

    ```mlir
    scf.for %i ... { flash_tile.in_turn %c0 { A } ; flash_tile.in_turn %c1 { B } ; C }
    // becomes
    flash_tile.by_warpgroup {
      scf.for %i ... { A ; C }
    }, {
      scf.for %i ... { B ; C }
    }
    ```
  }];
  let statistics = [Statistic<"numSplit", "num-split", "Kernels whose warpgroups have their own code">];
}

def TileHalveSteps : Pass<"flash-tile-halve-steps", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Products of a few rows take half of a tile";
  let description = [{
    A product of a constant fragment and a tile of shared memory of whose rows at most
    half exist, the others being zero, where the instruction takes half a step of
    the contracted dimension: the tile has half of the rows.

    ```mlir
    %b = flash_tile.load %m[...] rows(%c3) -> !flash_tile.shared<16x64xbf16>
    %a = flash_tile.splat %one : !flash_tile.fragment<128x16xbf16, #flash_tile.lhs<8>>
    %s = flash_tile.mma #flash_tile.wgmma %a, %b
    // becomes
    %b = flash_tile.load %m[...] rows(%c3) -> !flash_tile.shared<8x64xbf16>
    %a = flash_tile.splat %one : !flash_tile.fragment<128x8xbf16, #flash_tile.lhs<8>>
    %s = flash_tile.mma #flash_tile.wgmma %a, %b
    ```
  }];
  let statistics = [Statistic<"numHalved", "num-halved", "Products of half a step">];
}

def TileKeepColumns : Pass<"flash-tile-keep-columns", "::mlir::gpu::GPUFuncOp"> {
  let summary = "The first columns of what a loop multiplies stay in registers";
  let description = [{
    In a specialised kernel with `#flash_tile.start_products`: a product that is
    complete before its iteration ends, and whose first operand is the same tile
    of shared memory in each iteration, has that tile's first columns in
    registers from before the loop on. An instruction of 64 columns takes all of
    the bandwidth of shared memory for a first operand there, and half of it for
    one in registers.

    ```mlir
    scf.for ... { %s = flash_tile.mma_start #flash_tile.wgmma %v, %do ... }
    // becomes
    %h = flash_tile.load_fragment %v
    scf.for ... { %s = flash_tile.mma_start #flash_tile.wgmma %v, %do head(%h : ...) ... }
    ```
  }];
  let options = [Option<"columns", "columns", "int64_t", "32", "Columns of each product, in whole steps of 16">];
  let statistics = [Statistic<"numKept", "num-kept", "Products with columns in registers">];
}

def TileUnswitchLoops : Pass<"flash-tile-unswitch-loops", "::mlir::gpu::GPUFuncOp"> {
  let summary = "One loop for each answer to a condition that no iteration changes";
  let description = [{
    In loops with more than two products in flight:

    ```mlir
    scf.for %i ... { %m = scf.if %cut { ... } else { ... } }
    // becomes
    scf.if %cut { scf.for %i ... } else { scf.for %i ... }
    ```
  }];
  let statistics = [Statistic<"numUnswitched", "num-unswitched", "Loops that became two">];
  let dependentDialects = ["::mlir::scf::SCFDialect"];
}

def TileLowerSoftmax : Pass<"flash-tile-lower-softmax", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Write online softmax as maps and reductions of fragments";
  let description = [{
    The textbook form, with a running maximum.

    ```mlir
    %e, %max1, %sum1, %alpha = flash_tile.online_softmax %s, %max, %sum {scale = 0.125 : f32}
    // becomes
    %r = flash_tile.reduce max %s
    %max1, %shift, %alpha = flash_tile.map(%max, %r) {...}
    %e = flash_tile.map(%s, %shift) { exp2(s * c - shift) }
    %t = flash_tile.reduce add %e
    %sum1 = flash_tile.map(%sum, %alpha, %t) {...}
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def TileKeepOperands : Pass<"flash-tile-keep-operands", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Keep loop-invariant first operands of mma.sync in registers";
  let description = [{
    For kernels with `#flash_tile.keep_operands`. A tile in shared memory that a loop
    multiplies again and again is read into
    registers once, before the loop, where the estimate of the loop's registers
    leaves room for it.

    ```mlir
    %q = flash_tile.load ...
    scf.for ... { flash_tile.mma #flash_tile.mma_sync %q, %k ... }
    // becomes
    %f = flash_tile.load_fragment %q
    scf.for ... { flash_tile.mma #flash_tile.mma_sync %f, %k ... }
    ```
  }];
  let options = [Option<"maxRegisters", "max-registers", "int64_t", "150",
                        "Registers of a thread for the fragments that live in the loop">];
}

def TilePrefetch : Pass<"flash-tile-prefetch", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Software pipelining of loads with rings and cp.async";
  let description = [{
    For kernels without roles whose `#flash_tile.kernel` has `stages`. Loads in a loop
    go through a ring of S stages: S - 1 iterations are under way
    before the loop, and each iteration starts the one that is S - 1 ahead. Loads
    before the loop are started before those, and awaited where they are used.

    ```mlir
    scf.for %j = %lo to %hi step %n { %k = flash_tile.load %key[.., %j, ..] ; use %k }
    // becomes, for S = 2,
    flash_tile.put %ring[0], %key[.., %lo, ..] if(%lo < %hi)
    scf.for %j = %lo to %hi step %n iter_args(%i = 0) {
      %k = flash_tile.get %ring[%i]
      flash_tile.put %ring[%i + 1], %key[.., %j + %n, ..] if(%j + %n < %hi)
      use %k
    }
    ```
  }];
  let options = [Option<"stages", "stages", "int64_t", "0",
                        "Stages of a ring; 0: those of the kernel. With 1, nothing is done">];
  let statistics = [Statistic<"numRings", "num-rings", "Rings made">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileSpecialize : Pass<"flash-tile-specialize", "::mlir::ModuleOp"> {
  let summary = "Split kernels into a producer that copies and consumers that compute";
  let description = [{
    For kernels whose `#flash_tile.kernel` has `roles`. Loads become rings of
    kind `mbarrier`: an elected thread of one more warpgroup runs the loop with the
    copies, made by the tensor memory accelerator; the computing warps run the
    rest. Each source becomes a tensor map, a parameter of the kernel. Both roles
    read the scalars in memory on which places and loops depend. The accelerator
    fills with zero what lies outside of a tensor; where rows end before it does,
    at a length that is data, the get clears the others, unless nothing depends on
    what they hold. A `flash_tile.clear_unseen` becomes a `flash_tile.watch` of a
    watcher, which computes what its mask needs as the producer computes places.
    With `#flash_tile.start_products` a tile's own copies in a persistent kernel come
    after those of its first iteration: these have a stage before the tile ahead ends.
    What does not fit the pattern stays as it is; see the remark.

    ```mlir
    %q = flash_tile.load %query[...]
    scf.for ... { %k = flash_tile.load %key[...] ; use }
    // becomes
    flash_tile.specialize producer(40) {
      flash_tile.put %ringq[0], %mapq[...]
      scf.for ... iter_args(%i) { flash_tile.put %ringk[%i], %mapk[...] }
    } consumers(232) {
      %q = flash_tile.get %ringq[0]
      scf.for ... iter_args(%i) { %k = flash_tile.get %ringk[%i] ; use ; flash_tile.release %ringk[%i] }
    }
    ```
  }];
  let options = [Option<"cacheHints", "cache-hints", "bool", "false",
                        "Tell the L2 cache to keep what several blocks read">];
  let statistics = [Statistic<"numSpecialized", "num-specialized", "Kernels specialised">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileStoreTma : Pass<"flash-tile-store-tma", "::mlir::ModuleOp"> {
  let summary = "Store results through shared memory and the tensor memory accelerator";
  let description = [{
    In specialised kernels with `#flash_tile.store_tma`, for results of 16-bit
    elements whose rows are aligned to 16 bytes. Other stores stay as they are. Where
    rows end before the tensor does (those of the next sequence follow), tiles that
    have all of their rows go this way, and others are stored as they were. Where a
    helper has sums stored, the results at the end of a persistent kernel's tile stay
    as they are: after sums and the next tile's copies they would have to wait.

    ```mlir
    flash_tile.store %o, %out[...] rows(%n)
    // becomes
    flash_tile.store_async %o, %map[...]
    ... // at the role's end
    flash_tile.store_wait
    ```
  }];
  let options = [Option<"cacheHints", "cache-hints", "bool", "false",
                        "Tell the L2 cache to keep what several blocks read">];
  let statistics = [Statistic<"numStores", "num-stores", "Stores made asynchronous">];
}

def TileClearEarly : Pass<"flash-tile-clear-early", "::mlir::ModuleOp"> {
  let summary = "A kernel that is launched before clears what later ones add to";
  let description = [{
    A `flash_tile.clear` after the launch of a kernel without roles, on a grid of one
    dimension, becomes a share of each of its blocks: the memory is written beside
    what the kernel reads, and one launch is saved.

    ```mlir
    flash_tile.launch @kernels::@statistics grid(%n) args(%o)
    flash_tile.clear %sums : memref<?x128xf32>
    // becomes
    flash_tile.launch @kernels::@statistics grid(%n) args(%o, %sums)
    // and in the kernel
    flash_tile.clear_share %arg1 : memref<?x128xf32>
    ```
  }];
  let statistics = [Statistic<"numMoved", "num-moved", "Clears that a kernel does">];
}

def TileShareTiles : Pass<"flash-tile-share-tiles", "::mlir::ModuleOp"> {
  let summary = "Let the blocks of a cluster load a tile together";
  let description = [{
    For kernels whose `#flash_tile.kernel` has a `cluster`. A ring whose puts do not depend
    on the block's rank in its cluster is shared: each block copies a part of the
    rows to all of them.

    ```mlir
    flash_tile.put %ring[%i], %map[%b, %h, %j, %c0]
        : !flash_tile.ring<2, 128x64xbf16, mbarrier>, !flash_tile.tensor_map<1x1x128x64xbf16>
    // becomes
    flash_tile.put %ring[%i], %map[%b, %h, %j, %c0]
        : !flash_tile.ring<2, 128x64xbf16, mbarrier, cluster 2>, !flash_tile.tensor_map<1x1x64x64xbf16>
    ```
  }];
  let statistics = [Statistic<"numShared", "num-shared", "Rings shared">];
}

def TileOverlap : Pass<"flash-tile-overlap", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Run the last matrix product of an iteration beside the next iteration";
  let description = [{
    For kernels with `#flash_tile.overlap`. Of the two asynchronous products of a loop, the one whose result is only carried to
    the next iteration is delayed into it: it runs while the next iteration's first
    product and what depends on it are computed.

    ```mlir
    scf.for { %s = mma %q, %k ; %p = f(%s) ; %o = mma %p, %v acc(%o0) ; yield %o }
    // becomes
    %s = mma ... ; %p = f(%s)
    scf.for {
      %s' = mma_start %q, %k ; %o' = mma_start %p, %v acc(%o0)
      %s = mma_wait in_flight 1 ; f(%s) ; %o = mma_wait ; ...
    }
    mma %p, %v
    ```
  }];
  let options = [Option<"delayPuts", "delay-puts", "bool", "true",
                        "With `delay_puts`, the producer fills the rings in the new order; false: nowhere">];
  let statistics = [Statistic<"numOverlapped", "num-overlapped", "Loops rotated">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TilePrefetchTiles : Pass<"flash-tile-prefetch-tiles", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Bring the operands of the next tile into the L2 cache";
  let description = [{
    For persistent, specialised kernels with `#flash_tile.prefetch_tiles`: the
    producer asks for the first blocks of keys and values of the tile after the one
    that it begins. Of these, each thread block asks for every fourth, and its
    neighbours, which work on the same head, for the others.

    ```mlir
    scf.for %t { put %q ; scf.for %j { put %k ; put %v } }
    // becomes
    scf.for %t {
      scf.if %more { prefetch %q1 ; scf.for { prefetch %k1 ; prefetch %v1 } }
      put %q ; scf.for %j { put %k ; put %v }
    }
    ```
  }];
  let statistics = [Statistic<"numPrefetched", "num-prefetched", "Producers that fetch ahead">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileDynamicOrder : Pass<"flash-tile-dynamic-order", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Blocks of a persistent kernel take the next tile when they are done with one";
  let description = [{
    For kernels that `#flash_tile.persistent<dynamic = true>` gave a counter. The producer
    counts tiles in device memory and tells the consumers; both loop until none is
    left. In other kernels the fixed order stays.

    ```mlir
    producer { scf.for %t { %tile = tile_of %number of %tiles counter(%c) ; P } }
    consumers { scf.for %t { %tile = tile_of %number of %tiles counter(%c) ; C } }
    // becomes
    producer { scf.while (%t = 0, %tile = block_id) { post %queue[%t], %tile ; condition(%tile < %tiles) }
               do { %next = next_tile %c of %tiles ; P ; yield %t + 1, %next } }
    consumers { scf.while (%t = 0) { %tile = receive %queue[%t] ; condition(%tile < %tiles) %t, %tile }
                do { C ; yield %t + 1 } }
    ```
  }];
  let options = [
    Option<"counted", "counted", "bool", /*default=*/"true", "false: the fixed order stays everywhere">
  ];
  let statistics = [Statistic<"numDynamic", "num-dynamic", "Kernels that count tiles">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TilePeelMasks : Pass<"flash-tile-peel-masks", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Split loops over keys where masks begin to cut blocks";
  let description = [{
    For kernels with `#flash_tile.peel_masks`, in loops that overlap products. Blocks
    before the diagonal and before the end of the keys need no predicate; the first
    loop, over these, loses the branch. Where blocks that masks cut may come `first`, it
    is the last loop, or the middle one of three if a window has a far end; with
    `one_more`, one whole block goes with the loop before it.

    ```mlir
    scf.for %j = %lo to %hi step %n { ... ; scf.if %cut { mask } ; ... }
    // becomes
    scf.for %j = %lo to %mid step %n { ... }
    scf.for %j = %mid to %hi step %n { ... ; scf.if %cut { mask } ; ... }
    ```
  }];
  let statistics = [Statistic<"numPeeled", "num-peeled", "Loops split">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileOverlapTiles : Pass<"flash-tile-overlap-tiles", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Run the next tile's first matrix product beside the end of a tile";
  let description = [{
    For persistent, specialised kernels with `#flash_tile.overlap_tiles`, whose
    ring of queries has two stages. The first product of a tile is carried in from the
    iteration before, which starts it after its own last product and waits for it
    after its results are stored.

    ```mlir
    scf.for %t { %s = mma %q, %k ; ... ; %o = mma %p, %v ; store %o }
    // becomes
    %s0 = mma %q, %k
    scf.for %t iter_args(%s = %s0) {
      ... ; %o' = mma_start %p, %v ; %s' = mma_start %q1, %k1
      %o = mma_wait in_flight 1 ; store %o ; %s1 = mma_wait ; yield %s1
    }
    ```
  }];
  let statistics = [Statistic<"numRotated", "num-rotated", "Loops over tiles rotated">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TilePingPong : Pass<"flash-tile-ping-pong", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Consumer warpgroups take turns to issue their products";
  let description = [{
    For specialised kernels with `#flash_tile.ping_pong`, in loops that start two
    products or more in an iteration.

    ```mlir
    scf.for { flash_tile.mma_start ... ; flash_tile.mma_start ... ; flash_tile.mma_wait }
    // becomes
    scf.for { flash_tile.take_turn ; flash_tile.mma_start ... ; flash_tile.mma_start ... ; flash_tile.pass_turn ; flash_tile.mma_wait }
    ```
  }];
  let statistics = [Statistic<"numLoops", "num-loops", "Loops with turns">];
}

def TileNarrowLoops : Pass<"flash-tile-narrow-loops", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Loops count in 32 bits";
  let description = [{
    In kernels with `#flash_tile.start_products`, whose products need all registers:
    induction variables, bounds and carried numbers of loops have 32 bits, and one
    register, not two. Positions in a tensor, of which they are, are below 2^31.

    ```mlir
    scf.for %i = %c0 to %n step %c1 iter_args(%m = %c0) -> (index) { ... }
    // becomes
    scf.for %i = %c0 to %n32 step %c1 iter_args(%m = %c0) -> (i32) : i32 {
      %wide = arith.index_castui %i : i32 to index ; ...
    }
    ```
  }];
  let statistics = [Statistic<"numNarrowed", "num-narrowed", "Loops that count in 32 bits">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def TileDelayRole : Pass<"flash-tile-delay-role", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Make one role of a specialised kernel late (a test of its barriers)";
  let description = [{
    Puts a `flash_tile.delay` at the start of the role and of every iteration of
    its loops. A kernel whose barriers are right gives the same bits with any role
    late. Not every kernel has a watcher or a writer: one without it is left as it
    is. Any other role that the kernel does not have is an error.

    ```mlir
    flash_tile.specialize producer(40) { scf.for ... { put } } consumers(232) { scf.for ... { get ; use } }
    // with role=consumer1
    flash_tile.specialize producer(40) { scf.for ... { put } }
        consumers(232) { delay 2000 warpgroup 1 ; scf.for ... { delay 2000 warpgroup 1 ; get ; use } }
    ```
  }];
  let options = [
    Option<"role", "role", "std::string", /*default=*/"\"producer\"",
           "producer, watcher, consumers, consumerN (one of the consumer warpgroups), "
           "or a helper's name, as writer">,
    Option<"nanoseconds", "nanoseconds", "int64_t", /*default=*/"2000", "How late">
  ];
}

def TileAllocateShared : Pass<"flash-tile-allocate-shared", "::mlir::gpu::GPUFuncOp"> {
  let summary = "Give every tile and ring its place in shared memory";
  let description = [{
    Places are multiples of 1024 bytes, which the swizzle needs. The total becomes
    the kernel's attribute `flash_tile.shared_bytes`; more than `limit` is an error
    at the kernel. Asynchronous stores take the place of rings that are over, or, at the
    end of a persistent kernel's tile, of a ring that only consumers use: a
    `flash_tile.store_wait` with a barrier stands before its next use.
  }];
  let options = [Option<"limit", "limit", "int64_t", "232448",
                        "Bytes of shared memory that a block may have">];
}

#endif // FLASH_DIALECT_TILE_TRANSFORMS_PASSES
