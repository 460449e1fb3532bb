//===- TileFragmentOps.td - Fragments ----------------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Element-wise work on fragments, reductions, and online softmax.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEFRAGMENTOPS_TD
#define FLASH_DIALECT_TILE_IR_TILEFRAGMENTOPS_TD

include "flash/Dialect/Tile/IR/TileOpBase.td"

def FlashTile_YieldOp : FlashTile_Op<"yield", [Pure, Terminator,
    ParentOneOf<["MapOp", "ClearUnseenOp", "WatchOp", "SpecializeOp", "InTurnOp", "ByWarpgroupOp"]>]> {
  let summary = "ends a region";
  let description = [{
    The values of one element in `flash_tile.map`; whether a row is seen in
    `flash_tile.clear_unseen` and `flash_tile.watch`; nothing in
    `flash_tile.specialize`.

    Example: `flash_tile.yield %x : f32`
  }];
  let arguments = (ins
    Arg<Variadic<AnyType>, "what the region around it asks for">:$values);
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

def FlashTile_MapOp : FlashTile_Op<"map", [RecursiveMemoryEffects, SingleBlock]> {
  let summary = "element-wise function of fragments";
  let description = [{
    Computes each element of the results by the scalar body. The body's
    arguments are the element's row and, for results of rank two, its column
    within the block's tile (type index), then one element of each input. In a
    map of rank two a row fragment is broadcast along the columns, and, of
    accumulators, a col fragment along the rows. Values from outside may be captured. With a
    `row_partial` (or `col_partial`) input a map of rank one gives such results
    and computes with each lane's own value.

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
  let arguments = (ins
    Arg<Variadic<FlashTile_Fragment>, "fragments whose elements the body gets, of one shape or broadcast">:$inputs);
  let results = (outs
    Res<Variadic<FlashTile_Fragment>, "what the body yields for each element">:$results);
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
  let summary = "reduces a fragment along its columns or its rows";
  let description = [{
    To `row`: the value of the whole row (two shuffles among the four lanes
    that share a row); it needs a layout without groups of columns. To
    `row_partial`: only over the columns of each lane. To `col_partial`: over
    the rows of each lane, a value for each column, of acc and lhs. `all_reduce` makes complete
    values of partial ones. `max` and `min` ignore NaN, `maximum` and `minimum`
    keep it.

    Example:

    ```mlir
    %m = flash_tile.reduce max %s : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
        -> !flash_tile.fragment<128xf32, #flash_tile.row<8>>
    %c = flash_tile.reduce add %s : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
        -> !flash_tile.fragment<64xf32, #flash_tile.col_partial<8>>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_ReduceKind, "how values are joined">:$kind,
    Arg<FlashTile_Fragment, "M x N">:$source);
  let results = (outs
    Res<FlashTile_Fragment, "M values (row, row_partial) or N (col_partial)">:$result);
  let assemblyFormat = [{
    $kind $source attr-dict `:` qualified(type($source)) `->` qualified(type($result))
  }];
  let hasVerifier = 1;
}

def FlashTile_AllReduceOp : FlashTile_Op<"all_reduce",
    [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
     DeclareOpInterfaceMethods<ConditionallySpeculatable>]> {
  let summary = "joins the partial values of each row or column";
  let description = [{
    From `row_partial` to `row`, or from `col_partial` to `col`: by shuffles
    among the lanes that share a row or a column, then, where several warps
    share it, through shared memory, with a barrier of the computing warps
    before and after. `shared_offset` is the place there, set by
    `flash-tile-allocate-shared`.

    Example:

    ```mlir
    %l = flash_tile.all_reduce add %partial
        : !flash_tile.fragment<128xf32, #flash_tile.row_partial<8>>
        -> !flash_tile.fragment<128xf32, #flash_tile.row<8>>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_ReduceKind, "how values are joined">:$kind,
    Arg<FlashTile_Fragment, "each lane's partial values">:$source,
    Arg<OptionalAttr<I64Attr>, "place in shared memory, in bytes, where several warps share a value">:$shared_offset);
  let results = (outs
    Res<FlashTile_Fragment, "complete values, the same in all lanes that share a row or a column">:$result);
  let assemblyFormat = [{
    $kind $source attr-dict `:` qualified(type($source)) `->` qualified(type($result))
  }];
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::flash::tile::ReduceKind":$kind,
                                 "::mlir::Value":$source)>];
  let extraClassDeclaration = [{
    /// Warps that hold parts of one value.
    int64_t getSharingWarps();
    /// What the op owns in shared memory; 0 where lanes of one warp share.
    int64_t getSharedBytes();
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
  let arguments = (ins
    Arg<FlashTile_Fragment, "a condition for each row">:$source);
  let results = (outs
    Res<I1, "whether it holds for a row of this warp">:$result);
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
  let arguments = (ins
    Arg<AnyType, "the value">:$value);
  let results = (outs
    Res<FlashTile_Fragment, "a fragment that has it everywhere">:$result);
  let assemblyFormat = "$value attr-dict `:` qualified(type($result))";
}

def FlashTile_ConvertOp : FlashTile_Op<"convert", [Pure]> {
  let summary = "rounds a fragment to another element type";
  let description = [{
    From an f32 accumulator to a 16-bit accumulator (to be stored) or a 16-bit
    A operand (to be multiplied), or from a stream fragment to one that lies
    alike. Rounds to nearest even. Nothing moves between
    lanes.

    Example:

    ```mlir
    %a = flash_tile.convert %p : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
        -> !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
    ```
  }];
  let arguments = (ins
    Arg<FlashTile_Fragment, "elements of f32, or of a stream fragment">:$source);
  let results = (outs
    Res<FlashTile_Fragment, "the same, rounded to nearest even">:$result);
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
  let arguments = (ins
    Arg<FlashTile_Fragment, "M x N: a block of scores before scaling">:$scores,
    Arg<FlashTile_Fragment, "M: running maximum of the scores before scaling">:$max,
    Arg<FlashTile_Fragment, "M: running sum of the exponentials, each lane's part as row_partial">:$sum,
    Arg<F32Attr, "factor of the scores, positive">:$scale);
  let results = (outs
    Res<FlashTile_Fragment, "M x N: exp2((scores - max_out) * scale * log2(e)), not rounded">:$exponentials,
    Res<FlashTile_Fragment, "max after this block">:$max_out,
    Res<FlashTile_Fragment, "sum after this block">:$sum_out,
    Res<FlashTile_Fragment, "M: the factor that takes what was accumulated before to the new maximum">:$alpha);
  let assemblyFormat = [{
    $scores `,` $max `,` $sum attr-dict
    `:` qualified(type($scores)) `,` qualified(type($max)) `,` qualified(type($sum))
  }];
  let hasVerifier = 1;
}

#endif // FLASH_DIALECT_TILE_IR_TILEFRAGMENTOPS_TD
