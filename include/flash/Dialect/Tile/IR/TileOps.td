//===- TileOps.td - Operations of the tile dialect ---------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Moving tiles, multiplying them, element-wise work on fragments, roles of a
// block, and the launch in the host function.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEOPS_TD
#define FLASH_DIALECT_TILE_IR_TILEOPS_TD

include "flash/Dialect/Tile/IR/TileTypes.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"

class FlashTile_Op<string mnemonic, list<Trait> traits = []>
    : Op<FlashTile_Dialect, mnemonic, traits>;

/// What all transfers between device memory and tiles share: a place in a
/// strided memref (or tensor map) and how much of the tile exists.
class FlashTile_TransferOp<string mnemonic, list<Trait> traits = []>
    : FlashTile_Op<mnemonic, !listconcat([AttrSizedOperandSegments], traits)> {
  let hasVerifier = 1;
  code transferDeclaration = [{
    /// The dimension of the memref that the rows of the tile run along.
    int64_t getRowDimension() {
      if (auto dim = getRowDim())
        return *dim;
      return getTransferRank() - std::min<int64_t>(getTileRank(), getTransferRank());
    }
    int64_t getTransferRank() { return getOffsets().size(); }
  }];
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

def FlashTile_LoadOp : FlashTile_TransferOp<"load", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "copies a tile of a memref to shared memory and waits for it";
  let description = [{
    Copies rows `offsets[row_dim]` on and columns `offsets[last]` on, at the
    position that the other offsets give, to a tile in shared memory that this
    op owns. All threads of the block copy, and all may read the tile
    afterwards: the op is a barrier before and after.

    Only the first `rows` rows and `cols` columns of the tile exist (all, when
    an operand is absent): the others are not read and become zero. Negative
    counts are as zero, larger ones as all.

    `row_dim` is the dimension of the memref along the rows, the last but one
    by default. The last dimension must be contiguous. `alignment` is what is
    known of the address of each row's first element, in bytes (default: the
    size of an element): 16 allows 16-byte `cp.async`, less is copied in
    smaller pieces.

    `shared_offset` is the place in shared memory, set by
    `flash-tile-allocate-shared`.

    Example:

    ```mlir
    %t = flash_tile.load %k[%b, %h, %i, %c0] rows(%n) {alignment = 16 : i64}
        : memref<?x8x?x128xbf16> -> !flash_tile.shared<64x128xbf16>
    ```
  }];
  let arguments = (ins
    Arg<AnyStridedMemRef, "where the tile is read from">:$source,
    Variadic<Index>:$offsets, Optional<Index>:$rows, Optional<Index>:$cols,
    OptionalAttr<I64Attr>:$row_dim, DefaultValuedAttr<I64Attr, "0">:$alignment,
    OptionalAttr<I64Attr>:$shared_offset);
  let results = (outs FlashTile_Shared:$tile);
  let assemblyFormat = [{
    $source `[` $offsets `]` (`rows` `(` $rows^ `)`)? (`cols` `(` $cols^ `)`)?
    attr-dict `:` type($source) `->` qualified(type($tile))
  }];
  let extraClassDeclaration = transferDeclaration # [{
    int64_t getTileRank() { return 2; }
  }];
}

def FlashTile_RingOp : FlashTile_Op<"ring", [MemoryEffects<[MemAlloc, MemWrite]>]> {
  let summary = "a ring of stages in shared memory";
  let description = [{
    Reserves the stages and, for the kind `mbarrier`, initialises their
    barriers. Stands at the top of the kernel; `flash_tile.specialize` makes
    the barriers visible to both roles.

    Example:

    ```mlir
    %ring = flash_tile.ring : !flash_tile.ring<2, 128x128xbf16, mbarrier>
    ```
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$shared_offset);
  let results = (outs FlashTile_Ring:$ring);
  let assemblyFormat = "attr-dict `:` qualified(type($ring))";
}

def FlashTile_PutOp : FlashTile_TransferOp<"put", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "starts filling a stage of a ring";
  let description = [{
    Starts to copy a tile to stage `iteration % stages` and does not wait. The
    operands are those of `flash_tile.load`.

    Ring of kind `cp_async`, source a memref: all threads copy, and the copies
    are one commit group. When the condition is given and false nothing is
    copied, but the group is committed: counts of groups stay the same. The
    program sees to it that nobody reads the stage any more (`release`).

    Ring of kind `mbarrier`, source a tensor map: in the producer only. Waits
    until the stage is empty, then has the copy engine fill it; bounds are
    those of the map, so `rows` and `cols` are not allowed. To a ring that the
    blocks of a cluster share, each block copies its part of the rows to all:
    the box has as many, and the offsets are the same in all blocks. `hint` is
    for the L2 cache.

    Example:

    ```mlir
    flash_tile.put %ring[%i], %map[%b, %h, %k0, %c0]
        : !flash_tile.ring<2, 128x128xbf16, mbarrier>, !flash_tile.tensor_map<1x1x128x64xbf16>
    flash_tile.put %ring[%i], %k[%b, %h, %k0, %c0] rows(%n) if(%more) {alignment = 16 : i64}
        : !flash_tile.ring<2, 64x128xbf16, cp_async>, memref<?x8x?x128xbf16>
    ```
  }];
  let arguments = (ins
    FlashTile_Ring:$ring, Index:$iteration,
    AnyTypeOf<[AnyStridedMemRef, FlashTile_TensorMap]>:$source,
    Variadic<Index>:$offsets, Optional<Index>:$rows, Optional<Index>:$cols,
    Optional<I1>:$condition, OptionalAttr<FlashTile_CacheHint>:$hint,
    OptionalAttr<I64Attr>:$row_dim, DefaultValuedAttr<I64Attr, "0">:$alignment);
  let assemblyFormat = [{
    $ring `[` $iteration `]` `,` $source `[` $offsets `]`
    (`rows` `(` $rows^ `)`)? (`cols` `(` $cols^ `)`)? (`if` `(` $condition^ `)`)?
    attr-dict `:` qualified(type($ring)) `,` qualified(type($source))
  }];
  let extraClassDeclaration = transferDeclaration # [{
    int64_t getTileRank() { return 2; }
  }];
}

def FlashTile_QueueOp : FlashTile_Op<"queue", [MemoryEffects<[MemAlloc, MemWrite]>]> {
  let summary = "a queue of tile numbers in shared memory";
  let description = [{
    Reserves the queue and initialises its barriers. Stands at the top of the kernel.

    Example: `%queue = flash_tile.queue`
  }];
  let arguments = (ins OptionalAttr<I64Attr>:$shared_offset);
  let results = (outs FlashTile_Queue:$queue);
  let assemblyFormat = "attr-dict";
}

def FlashTile_PostOp : FlashTile_Op<"post", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "tells the consumers a tile number";
  let description = [{
    In the producer. Waits until all consumers have received what was posted two
    iterations before, then writes the number.

    Example: `flash_tile.post %queue[%i], %tile`
  }];
  let arguments = (ins FlashTile_Queue:$queue, Index:$iteration, Index:$number);
  let assemblyFormat = "$queue `[` $iteration `]` `,` $number attr-dict";
}

def FlashTile_ReceiveOp : FlashTile_Op<"receive", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for a tile number of the producer";
  let description = [{
    In consumers. Waits for what is posted in this iteration, reads it, and gives
    the place back.

    Example: `%tile = flash_tile.receive %queue[%i]`
  }];
  let arguments = (ins FlashTile_Queue:$queue, Index:$iteration);
  let results = (outs Index:$number);
  let assemblyFormat = "$queue `[` $iteration `]` attr-dict";
}

def FlashTile_NextTileOp : FlashTile_Op<"next_tile", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "takes a tile that no block has taken yet";
  let description = [{
    In the producer, once for each tile that the block has. Every block has one at
    launch, that of its own number; further ones are counted in device memory. The
    result is not below `tiles` where none is left. Who counts last puts 0 back:
    between launches the counter is 0.

    Example: `%next = flash_tile.next_tile %counter of %tiles : memref<1xi32>`
  }];
  let arguments = (ins AnyStridedMemRef:$counter, Index:$tiles);
  let results = (outs Index:$tile);
  let assemblyFormat = "$counter `of` $tiles attr-dict `:` type($counter)";
}

def FlashTile_TileOfOp : FlashTile_Op<"tile_of", [Pure]> {
  let summary = "the tile of this turn of a persistent block";
  let description = [{
    Is `number`, the tile that a fixed order gives the block in this turn, unless
    `flash-tile-dynamic-order` makes the loop over tiles ask the counter.

    Example: `%tile = flash_tile.tile_of %number of %tiles counter(%counter : memref<1xi32>)`
  }];
  let arguments = (ins Index:$number, Index:$tiles, AnyStridedMemRef:$counter);
  let results = (outs Index:$tile);
  let assemblyFormat = [{
    $number `of` $tiles `counter` `(` $counter `:` type($counter) `)` attr-dict
  }];
}

def FlashTile_PrefetchOp : FlashTile_Op<"prefetch", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "asks for a tile to be brought into the L2 cache";
  let description = [{
    In the producer. A hint: nothing waits for it, and what lies outside of the
    tensor is not fetched. `tile` is what a `put` of the same place would fill.

    Example:

    ```mlir
    flash_tile.prefetch %map[%b, %h, %k0, %c0] : !flash_tile.tensor_map<1x1x128x64xbf16> as !flash_tile.shared<128x128xbf16>
    ```
  }];
  let arguments = (ins FlashTile_TensorMap:$source, Variadic<Index>:$offsets,
    TypeAttr:$tile);
  let assemblyFormat = [{
    $source `[` $offsets `]` attr-dict `:` qualified(type($source)) `as` $tile
  }];
  let hasVerifier = 1;
}

def FlashTile_GetOp : FlashTile_Op<"get", [MemoryEffects<[MemRead, MemWrite]>,
    TypesMatchWith<"tile has the type of the ring's tiles", "ring", "tile",
      "::llvm::cast<::flash::tile::RingType>($_self).getTile()">]> {
  let summary = "waits for a stage of a ring and gives its tile";
  let description = [{
    Waits until stage `iteration % stages` is filled for this iteration. The
    tile may be read until the stage is released.

    Ring of kind `cp_async`: waits until at most `in_flight` of the latest
    commit groups (puts of all rings) are unfinished, and is a barrier of all
    computing warps. Ring of kind `mbarrier`: waits for the stage's barrier;
    `in_flight` is not allowed. With `when`, does not wait where that is false:
    what the tile holds then is not known.

    Example:

    ```mlir
    %k = flash_tile.get %ring[%i] in_flight 1 : !flash_tile.ring<2, 64x128xbf16, cp_async>
    ```
  }];
  let arguments = (ins FlashTile_Ring:$ring, Index:$iteration,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntNonNegative]>, "0">:$in_flight,
    Optional<I1>:$when);
  let results = (outs FlashTile_Shared:$tile);
  let assemblyFormat = [{
    $ring `[` $iteration `]` (`in_flight` $in_flight^)? (`when` $when^)? attr-dict `:` qualified(type($ring))
  }];
  let hasVerifier = 1;
}

def FlashTile_ReleaseOp : FlashTile_Op<"release", [MemoryEffects<[MemWrite]>]> {
  let summary = "gives a stage of a ring back";
  let description = [{
    Says that this role no longer reads the stage. Everything that reads the
    tile must be complete: a matrix instruction in flight must be waited for.

    Ring of kind `mbarrier`: one lane of each warp arrives on the stage's empty
    barrier. Ring of kind `cp_async`: a barrier of the computing warps. There
    it may be left out where any `get` (which is a barrier, too) stands between
    the last use of the stage and the `put` that fills it again.

    Example: `flash_tile.release %ring[%i] : !flash_tile.ring<2, 64x128xbf16, cp_async>`
  }];
  let arguments = (ins FlashTile_Ring:$ring, Index:$iteration);
  let assemblyFormat = "$ring `[` $iteration `]` attr-dict `:` qualified(type($ring))";
}

def FlashTile_LoadFragmentOp : FlashTile_Op<"load_fragment", [MemoryEffects<[MemRead]>]> {
  let summary = "loads an A operand from shared memory to registers";
  let description = [{
    Every warp loads its rows with `ldmatrix`. Used for a query tile that is
    multiplied many times.

    Example:

    ```mlir
    %a = flash_tile.load_fragment %q
        : !flash_tile.shared<128x64xbf16> -> !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
    ```
  }];
  let arguments = (ins FlashTile_Shared:$tile);
  let results = (outs FlashTile_Fragment:$result);
  let assemblyFormat = "$tile attr-dict `:` qualified(type($tile)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def FlashTile_StoreOp : FlashTile_TransferOp<"store", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "stores a fragment to a memref";
  let description = [{
    Stores the first `rows` rows and `cols` columns (all, when absent) of an
    accumulator or row fragment. A row fragment is a vector along `row_dim`,
    the last dimension by default; of a matrix fragment it is the last but
    one. Neighbouring columns are stored together where `alignment` (bytes,
    of each row's first element) allows.

    Example:

    ```mlir
    flash_tile.store %o, %out[%b, %h, %i, %c0] rows(%n) {alignment = 16 : i64}
        : !flash_tile.fragment<128x128xbf16, #flash_tile.acc<8>>, memref<?x32x?x128xbf16>
    flash_tile.store %lse, %stat[%b, %h, %i] rows(%n)
        : !flash_tile.fragment<128xf32, #flash_tile.row<8>>, memref<?x32x?xf32>
    ```
  }];
  let arguments = (ins
    FlashTile_Fragment:$value,
    Arg<AnyStridedMemRef, "where the tile is written to">:$destination,
    Variadic<Index>:$offsets, Optional<Index>:$rows, Optional<Index>:$cols,
    OptionalAttr<I64Attr>:$row_dim, DefaultValuedAttr<I64Attr, "0">:$alignment);
  let assemblyFormat = [{
    $value `,` $destination `[` $offsets `]` (`rows` `(` $rows^ `)`)? (`cols` `(` $cols^ `)`)?
    attr-dict `:` qualified(type($value)) `,` type($destination)
  }];
  let extraClassDeclaration = transferDeclaration # [{
    int64_t getTileRank() { return getValue().getType().getRank(); }
  }];
}

def FlashTile_StoreAsyncOp : FlashTile_Op<"store_async", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "starts storing a fragment through shared memory";
  let description = [{
    Each warp waits until its last `store_async` has left the op's tile in shared
    memory, writes its rows of the fragment there, and has the copy engine store
    them; it does not wait for that. Rows and columns outside of the tensor are not
    written. The box of the map is 16 rows of a panel.

    With `columns`, a multiple of those of a panel, the op's tile has only so many,
    and the fragment goes through it a part at a time.

    `flash_tile.store_wait` stands behind the last one: a block may not end before
    its shared memory has been read. `shared_offset` is the place in shared memory,
    set by `flash-tile-allocate-shared`.

    Example:

    ```mlir
    flash_tile.store_async %o, %map[%b, %h, %i, %c0]
        : !flash_tile.fragment<128x128xbf16, #flash_tile.acc<8>>, !flash_tile.tensor_map<1x1x16x64xbf16>
    ```
  }];
  let arguments = (ins FlashTile_Fragment:$value, FlashTile_TensorMap:$destination,
    Variadic<Index>:$offsets, OptionalAttr<ConfinedAttr<I64Attr, [IntPositive]>>:$columns,
    OptionalAttr<FlashTile_CacheHint>:$hint, OptionalAttr<I64Attr>:$shared_offset);
  let assemblyFormat = [{
    $value `,` $destination `[` $offsets `]` (`columns` $columns^)? attr-dict
    `:` qualified(type($value)) `,` qualified(type($destination))
  }];
  let extraClassDeclaration = [{
    /// What the op owns in shared memory.
    SharedType getTile() {
      FragmentType type = getValue().getType();
      return SharedType::get(type.getRows(), getColumns().value_or(type.getColumns()),
                             type.getElementType());
    }
  }];
  let hasVerifier = 1;
}

def FlashTile_StoreWaitOp : FlashTile_Op<"store_wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits until asynchronous stores have read shared memory";
  let description = [{
    For those of the executing warps. What they store is visible when the kernel
    has ended.

    Example: `flash_tile.store_wait`
  }];
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

def FlashTile_MmaOp : FlashTile_Op<"mma", [MemoryEffects<[MemRead]>,
    OptionalTypesMatchWith<"accumulator and result have one type", "result", "acc", "$_self">]> {
  let summary = "matrix product of tiles";
  let description = [{
    `result = acc + a * b`, or `a * b` without an accumulator. `a` is M x K, an
    A operand fragment or a shared tile; `b` is a shared tile, K x N, or N x K
    with `transpose_b`. Complete when the op is: an asynchronous instruction is
    waited for.

    Example:

    ```mlir
    %s = flash_tile.mma #flash_tile.mma_sync %q, %k transpose_b
        : !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>, !flash_tile.shared<32x64xbf16>
        -> !flash_tile.fragment<128x32xf32, #flash_tile.acc<8>>
    %o1 = flash_tile.mma #flash_tile.wgmma %p, %v acc(%o0)
        : !flash_tile.fragment<128x32xbf16, #flash_tile.lhs<8>>, !flash_tile.shared<32x64xbf16>
        -> !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
    ```
  }];
  let arguments = (ins FlashTile_InstructionAttrInterface:$instruction,
    AnyTypeOf<[FlashTile_Fragment, FlashTile_Shared]>:$a, FlashTile_Shared:$b,
    Optional<FlashTile_Fragment>:$acc, UnitAttr:$transpose_b);
  let results = (outs FlashTile_Fragment:$result);
  let assemblyFormat = [{
    $instruction $a `,` $b (`acc` `(` $acc^ `)`)? (`transpose_b` $transpose_b^)?
    attr-dict `:` qualified(type($a)) `,` qualified(type($b)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def FlashTile_MmaStartOp : FlashTile_Op<"mma_start", [MemoryEffects<[MemRead, MemWrite]>,
    OptionalTypesMatchWith<"accumulator has the type of the result in flight", "result", "acc",
      "::llvm::cast<::flash::tile::PendingType>($_self).getAccumulator()">]> {
  let summary = "starts a matrix product";
  let description = [{
    As `flash_tile.mma` with an asynchronous instruction, without waiting: one
    group of instructions is issued and committed. Between the start and the
    wait nothing may touch the accumulator or overwrite the operands. It is not
    allowed under a condition while another product is in flight, and a product
    in flight across a loop's back edge costs registers: assemblers serialise
    what they cannot follow.

    Example:

    ```mlir
    %p = flash_tile.mma_start #flash_tile.wgmma %q, %k transpose_b
        : !flash_tile.shared<128x64xbf16>, !flash_tile.shared<128x64xbf16>
        -> !flash_tile.pending<!flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>>
    ```
  }];
  let arguments = (ins FlashTile_InstructionAttrInterface:$instruction,
    AnyTypeOf<[FlashTile_Fragment, FlashTile_Shared]>:$a, FlashTile_Shared:$b,
    Optional<FlashTile_Fragment>:$acc, UnitAttr:$transpose_b);
  let results = (outs FlashTile_Pending:$result);
  let assemblyFormat = [{
    $instruction $a `,` $b (`acc` `(` $acc^ `)`)? (`transpose_b` $transpose_b^)?
    attr-dict `:` qualified(type($a)) `,` qualified(type($b)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def FlashTile_MmaWaitOp : FlashTile_Op<"mma_wait", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for matrix products";
  let description = [{
    Waits until at most `in_flight` of the groups started last are unfinished,
    and passes its operands through, in order: a result of accumulator type is
    complete, one of pending type is still in flight. A value has to come
    through a wait to be read, which is what keeps reads behind it. At most
    `in_flight` results are pending.

    Example:

    ```mlir
    %s, %o1 = flash_tile.mma_wait %s0, %o0 in_flight 1
        : !flash_tile.pending<!acc_s>, !flash_tile.pending<!acc_o> -> !acc_s, !flash_tile.pending<!acc_o>
    ```
  }];
  let arguments = (ins Variadic<FlashTile_Pending>:$pending,
    DefaultValuedAttr<ConfinedAttr<I64Attr, [IntNonNegative]>, "0">:$in_flight);
  let results = (outs Variadic<AnyTypeOf<[FlashTile_Fragment, FlashTile_Pending]>>:$results);
  let assemblyFormat = [{
    $pending (`in_flight` $in_flight^)? attr-dict
    `:` qualified(type($pending)) `->` qualified(type($results))
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Fragments
//===----------------------------------------------------------------------===//

def FlashTile_YieldOp : FlashTile_Op<"yield", [Pure, Terminator,
    ParentOneOf<["MapOp", "SpecializeOp"]>]> {
  let summary = "ends a region";
  let description = [{
    The values of one element in `flash_tile.map`; nothing in
    `flash_tile.specialize`.

    Example: `flash_tile.yield %x : f32`
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

def FlashTile_MapOp : FlashTile_Op<"map", [RecursiveMemoryEffects, SingleBlock]> {
  let summary = "element-wise function of fragments";
  let description = [{
    Computes each element of the results by the scalar body. The body's
    arguments are the element's row and, for results of rank two, its column
    within the block's tile (type index), then one element of each input. In a
    map of rank two a row fragment is broadcast along the columns. Values from
    outside may be captured. With a `row_partial` input a map of rank one gives
    `row_partial` results and computes with each lane's own value.

    The body must be free of fragments and of tiles; it may read memory, at
    positions that exist.

    Example:

    ```mlir
    %p = flash_tile.map(%s, %m) : (!acc, !row) -> !acc {
    ^bb0(%i: index, %j: index, %se: f32, %me: f32):
      %d = arith.subf %se, %me : f32
      %e = math.exp2 %d : f32
      flash_tile.yield %e : f32
    }
    ```
  }];
  let arguments = (ins Variadic<FlashTile_Fragment>:$inputs);
  let results = (outs Variadic<FlashTile_Fragment>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `(` $inputs `)` attr-dict `:` functional-type($inputs, $results) $body
  }];
  let skipDefaultBuilders = 1;
  let builders = [
    OpBuilder<(ins "::mlir::TypeRange":$results, "::mlir::ValueRange":$inputs,
      CArg<"::llvm::function_ref<void(::mlir::OpBuilder &, ::mlir::Location, ::mlir::ValueRange)>",
           "nullptr">:$bodyBuilder)>,
    // Region clones go through the generic builder.
    OpBuilder<(ins "::mlir::TypeRange":$results, "::mlir::ValueRange":$operands,
      "::llvm::ArrayRef<::mlir::NamedAttribute>":$attributes)>];
  let extraClassDeclaration = [{
    /// Shape that is iterated over: that of the results.
    ::llvm::ArrayRef<int64_t> getIterationShape() {
      return ::llvm::cast<FragmentType>(getResult(0).getType()).getShape();
    }
    /// Leading body arguments that are positions.
    unsigned getNumPositions() { return getIterationShape().size(); }
  }];
  let hasCanonicalizer = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def FlashTile_ReduceOp : FlashTile_Op<"reduce", [Pure]> {
  let summary = "reduces a fragment along its columns";
  let description = [{
    To `row`: the value of the whole row (two shuffles among the four lanes
    that share a row). To `row_partial`: only over the columns of each lane. A
    maximum ignores NaN.

    Example:

    ```mlir
    %m = flash_tile.reduce max %s : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
        -> !flash_tile.fragment<128xf32, #flash_tile.row<8>>
    ```
  }];
  let arguments = (ins FlashTile_ReduceKind:$kind, FlashTile_Fragment:$source);
  let results = (outs FlashTile_Fragment:$result);
  let assemblyFormat = [{
    $kind $source attr-dict `:` qualified(type($source)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def FlashTile_AllReduceOp : FlashTile_Op<"all_reduce", [Pure]> {
  let summary = "joins the partial values of each row";
  let description = [{
    From `row_partial` to `row`, by two shuffles.

    Example:

    ```mlir
    %l = flash_tile.all_reduce add %partial
        : !flash_tile.fragment<128xf32, #flash_tile.row_partial<8>>
        -> !flash_tile.fragment<128xf32, #flash_tile.row<8>>
    ```
  }];
  let arguments = (ins FlashTile_ReduceKind:$kind, FlashTile_Fragment:$source);
  let results = (outs FlashTile_Fragment:$result);
  let assemblyFormat = [{
    $kind $source attr-dict `:` qualified(type($source)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def FlashTile_AnyOp : FlashTile_Op<"any", [Pure]> {
  let summary = "whether a condition holds for any row";
  let description = [{
    True when an element of the row or row_partial fragment of i1 is true. The answer is
    that of each warp for its own rows: control flow under it may diverge
    between warps, and may contain only what a warp does alone (`map`,
    `reduce`, `all_reduce`, `convert`, `splat`, `load_fragment`, and `mma` with
    an instruction of one warp).

    Example: `%b = flash_tile.any %overflow : !flash_tile.fragment<128xi1, #flash_tile.row<8>>`
  }];
  let arguments = (ins FlashTile_Fragment:$source);
  let results = (outs I1:$result);
  let assemblyFormat = "$source attr-dict `:` qualified(type($source))";
  let hasVerifier = 1;
}

def FlashTile_SplatOp : FlashTile_Op<"splat", [Pure,
    TypesMatchWith<"value has the element type of the fragment", "result", "value",
      "::llvm::cast<::flash::tile::FragmentType>($_self).getElementType()">]> {
  let summary = "a fragment of one value";
  let description = [{
    A `row_partial` fragment has the value in each of the four lanes: of a sum,
    zero is the only value that means the same.

    Example: `%acc = flash_tile.splat %zero : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>`
  }];
  let arguments = (ins AnyType:$value);
  let results = (outs FlashTile_Fragment:$result);
  let assemblyFormat = "$value attr-dict `:` qualified(type($result))";
}

def FlashTile_ConvertOp : FlashTile_Op<"convert", [Pure]> {
  let summary = "rounds a fragment to another element type";
  let description = [{
    From an f32 accumulator to a 16-bit accumulator (to be stored) or a 16-bit
    A operand (to be multiplied). Rounds to nearest even. Nothing moves between
    lanes.

    Example:

    ```mlir
    %a = flash_tile.convert %p : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
        -> !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
    ```
  }];
  let arguments = (ins FlashTile_Fragment:$source);
  let results = (outs FlashTile_Fragment:$result);
  let assemblyFormat = "$source attr-dict `:` qualified(type($source)) `->` qualified(type($result))";
  let hasVerifier = 1;
}

def FlashTile_OnlineSoftmaxOp : FlashTile_Op<"online_softmax", [Pure,
    AllTypesMatch<["scores", "exponentials"]>, AllTypesMatch<["max", "max_out", "alpha"]>,
    AllTypesMatch<["sum", "sum_out"]>]> {
  let summary = "running softmax over one block of scores, in fragments";
  let description = [{
    `flash.online_softmax` on fragments: what it computes is defined there, only
    that the exponentials are not rounded yet. The sum is that of each row, or,
    as `row_partial`, each lane's part of it.

    Which form it takes is the choice of passes: `flash-tile-lazy-softmax` keeps
    the maximum of the first block where it can, `flash-tile-lower-softmax`
    writes what is left as maps and reductions with a running maximum.

    Example:

    ```mlir
    %e, %max1, %sum1, %alpha = flash_tile.online_softmax %s, %max, %sum {scale = 0.125 : f32}
        : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>, !flash_tile.fragment<128xf32, #flash_tile.row<8>>,
          !flash_tile.fragment<128xf32, #flash_tile.row_partial<8>>
    ```
  }];
  let arguments = (ins FlashTile_Fragment:$scores, FlashTile_Fragment:$max, FlashTile_Fragment:$sum,
                       F32Attr:$scale);
  let results = (outs FlashTile_Fragment:$exponentials, FlashTile_Fragment:$max_out,
                      FlashTile_Fragment:$sum_out, FlashTile_Fragment:$alpha);
  let assemblyFormat = [{
    $scores `,` $max `,` $sum attr-dict
    `:` qualified(type($scores)) `,` qualified(type($max)) `,` qualified(type($sum))
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Roles of a block
//===----------------------------------------------------------------------===//

def FlashTile_SpecializeOp : FlashTile_Op<"specialize", [RecursiveMemoryEffects,
    SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "a producer and consumers, each with code and registers of its own";
  let description = [{
    The computing warps (W / 4 warpgroups) run `consumers`; one elected thread
    of one more warpgroup runs `producer`. The numbers are the registers a
    thread of each role gets (`setmaxnreg`): multiples of 8 whose sum over the
    warpgroups fits what the kernel is launched with.

    The producer has no fragments and no `get`; the consumers no `put` to a
    ring of kind `mbarrier`. Both see the values defined before. Stands at the
    top level of the kernel, once.

    Example:

    ```mlir
    flash_tile.specialize producer(40) {
      flash_tile.put %ring[%i], %map[%b, %h, %k0, %c0] : ...
    } consumers(232) {
      %k = flash_tile.get %ring[%i] : ...
      ...
      flash_tile.release %ring[%i] : ...
    }
    ```
  }];
  let arguments = (ins I64Attr:$producer_registers, I64Attr:$consumer_registers);
  let regions = (region SizedRegion<1>:$producer, SizedRegion<1>:$consumers);
  let assemblyFormat = [{
    `producer` `(` $producer_registers `)` $producer
    `consumers` `(` $consumer_registers `)` $consumers attr-dict
  }];
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "int64_t":$producerRegisters, "int64_t":$consumerRegisters)>];
  let hasVerifier = 1;
}

def FlashTile_TakeTurnOp : FlashTile_Op<"take_turn", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "waits for this warpgroup's turn";
  let description = [{
    The consumer warpgroups have the turn one after the other, the first one
    first. A role takes and passes its turn equally often.

    Example: `flash_tile.take_turn`
  }];
  let assemblyFormat = "attr-dict";
  let hasVerifier = 1;
}

def FlashTile_PassTurnOp : FlashTile_Op<"pass_turn", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "gives the turn to the next warpgroup";
  let description = [{
    Does not wait.

    Example: `flash_tile.pass_turn`
  }];
  let assemblyFormat = "attr-dict";
  let hasVerifier = 1;
}

def FlashTile_DelayOp : FlashTile_Op<"delay", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "makes whoever runs it late";
  let description = [{
    Sleeps for about `nanoseconds`; with `warpgroup`, only that one of the
    computing warpgroups does. Nothing may depend on how long a role takes:
    `flash-tile-delay-role` puts delays into one role at a time, and the results
    must stay the same.

    Example: `flash_tile.delay 2000 warpgroup 1`
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntPositive, IntMaxValue<1000000>]>:$nanoseconds,
                       OptionalAttr<ConfinedAttr<I64Attr, [IntNonNegative]>>:$warpgroup);
  let assemblyFormat = "$nanoseconds (`warpgroup` $warpgroup^)? attr-dict";
}

//===----------------------------------------------------------------------===//
// Host
//===----------------------------------------------------------------------===//

def FlashTile_TensorMapOp : FlashTile_Op<"tensor_map", [Pure]> {
  let summary = "a TMA descriptor of a memref (host)";
  let description = [{
    In the host function, an argument for a launch: the runtime encodes the
    descriptor from the memref's address, sizes and strides.

    Example:

    ```mlir
    %m = flash_tile.tensor_map %k : memref<?x8x?x128xbf16> -> !flash_tile.tensor_map<1x1x128x64xbf16>
    ```
  }];
  let arguments = (ins AnyStridedMemRef:$source);
  let results = (outs FlashTile_TensorMap:$map);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` qualified(type($map))";
  let hasVerifier = 1;
}

def FlashTile_LaunchOp : FlashTile_Op<"launch", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "launches a kernel (host)";
  let description = [{
    Runs a kernel on a grid of one to three dimensions. Threads and shared
    memory of a block are the kernel's own attributes.

    Example:

    ```mlir
    flash_tile.launch @kernels::@attention grid(%blocks, %heads, %batch)
        args(%q, %k, %v, %o : memref<?x32x?x128xbf16>, ...)
    ```
  }];
  let arguments = (ins SymbolRefAttr:$kernel, Variadic<Index>:$grid, Variadic<AnyType>:$args);
  let assemblyFormat = [{
    $kernel `grid` `(` $grid `)` (`args` `(` $args^ `:` qualified(type($args)) `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

#endif // FLASH_DIALECT_TILE_IR_TILEOPS_TD
