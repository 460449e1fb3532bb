//===- FlashSliceOps.td - Sums over iterations  ------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A result to which several iterations of a parallel loop add: the gradient of a
// query, say, where a loop over keys is outside.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_FLASHSLICEOPS
#define FLASH_DIALECT_FLASH_IR_FLASHSLICEOPS

include "flash/Dialect/Flash/IR/FlashOpBase.td"
include "mlir/Interfaces/ParallelCombiningOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/ViewLikeInterface.td"

/// A slice of `dest` as tensor.insert_slice has it, with strides of 1.
class Flash_SliceOp<string mnemonic, list<Trait> traits>
    : Flash_Op<mnemonic, traits # [AttrSizedOperandSegments, OffsetSizeAndStrideOpInterface]> {
  let arguments = (ins
    Arg<AnyRankedTensor, "what is added, of the slice's sizes">:$source,
    Arg<AnyRankedTensor, "the tensor that it is added to">:$dest,
    Arg<Variadic<Index>, "where the slice begins, those that are not static">:$offsets,
    Arg<Variadic<Index>, "how large it is, alike">:$sizes,
    Arg<Variadic<Index>, "its strides, alike">:$strides,
    Arg<DenseI64ArrayAttr, "the same offsets, with a mark where one is an operand">:$static_offsets,
    Arg<DenseI64ArrayAttr, "sizes, alike">:$static_sizes,
    Arg<DenseI64ArrayAttr, "strides, alike; each 1">:$static_strides);
  code sliceDeclaration = [{
    ::mlir::RankedTensorType getSourceType() { return getSource().getType(); }
    ::mlir::RankedTensorType getDestType() { return getDest().getType(); }
    /// The expected rank of each of the static arrays.
    std::array<unsigned, 3> getArrayAttrMaxRanks() {
      unsigned rank = getDestType().getRank();
      return {rank, rank, rank};
    }
    /// Dimensions of dest that the source does not have.
    ::llvm::SmallBitVector getDroppedDims();
    /// Operands before the offsets.
    static unsigned getOffsetSizeAndStrideStartOperandIndex() { return 2; }
  }];
  let hasVerifier = 1;
}

def Flash_AddSliceOp : Flash_SliceOp<"add_slice", [Pure,
    TypesMatchWith<"the result has the type of dest", "dest", "result", "$_self">]> {
  let summary = "Adds a tile to a slice of a tensor";
  let description = [{
    The result is `dest` with `source` added to the slice of it that offsets and
    sizes say, as `tensor.insert_slice` would replace it; strides are 1.

    A loop that begins with zeros, adds slices, and gives the sum to
    `flash.parallel_add_slice` needs no tensor of its own on a GPU: each tile is
    added to the result in device memory.

    Example:

    ```mlir
    %dq1 = flash.add_slice %t into %dq[%i, 0] [64, 128] [1, 1] : tensor<64x128xf32> into tensor<?x128xf32>
    ```
  }];
  let results = (outs
    Res<AnyRankedTensor, "dest with source added to the slice">:$result);
  let assemblyFormat = [{
    $source `into` $dest ``
    custom<DynamicIndexList>($offsets, $static_offsets)
    custom<DynamicIndexList>($sizes, $static_sizes)
    custom<DynamicIndexList>($strides, $static_strides)
    attr-dict `:` type($source) `into` type($dest)
  }];
  let extraClassDeclaration = sliceDeclaration;
}

def Flash_ParallelAddSliceOp : Flash_SliceOp<"parallel_add_slice", [
    DeclareOpInterfaceMethods<ParallelCombiningOpInterface,
      ["getUpdatedDestinations", "getIteratingParent"]>]> {
  let summary = "Adds what an iteration of a parallel loop computed to a result";
  let description = [{
    In `scf.forall.in_parallel`, beside `tensor.parallel_insert_slice`: the loop's
    result is its shared output plus the sources of all iterations, each added to
    its slice; strides are 1. In which order they are added is not known, so that
    sums of floats may differ from run to run.

    Example:

    ```mlir
    scf.forall.in_parallel {
      flash.parallel_add_slice %dq1 into %out[0, 0] [4096, 128] [1, 1] : tensor<4096x128xf32> into tensor<4096x128xf32>
    }
    ```
  }];
  let assemblyFormat = [{
    $source `into` $dest ``
    custom<DynamicIndexList>($offsets, $static_offsets)
    custom<DynamicIndexList>($sizes, $static_sizes)
    custom<DynamicIndexList>($strides, $static_strides)
    attr-dict `:` type($source) `into` type($dest)
  }];
  let extraClassDeclaration = sliceDeclaration;
}

#endif // FLASH_DIALECT_FLASH_IR_FLASHSLICEOPS
