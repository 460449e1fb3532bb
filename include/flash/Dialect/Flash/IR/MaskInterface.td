//===- MaskInterface.td - What a mask tells the compiler ----*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mask decides which keys a query sees. It answers for a whole block too, so
// that hidden blocks are never loaded and full ones need no predicate. A new
// mask is an attribute that implements this interface: three methods where
// positions say everything, a few more where run-time operands do.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_MASKINTERFACE
#define FLASH_DIALECT_FLASH_IR_MASKINTERFACE

include "mlir/IR/OpBase.td"

def MaskAttrInterface : AttrInterface<"MaskAttrInterface"> {
  let cppNamespace = "::flash";
  let description = [{
    Positions are values of type index and may be negative; comparisons are
    signed. "First" and "last" bound a block inclusively. `at` says where the
    tile stands (batch, head) and holds the mask's own operands; a mask of
    positions alone does not look at it.
  }];
  let methods = [
    InterfaceMethod<[{
        The keys that some query of [qFirst, qLast] may see, as positions
        [first, end). A null value on either side means unbounded. The range may
        be empty (end <= first), and may hold keys that no query sees.
      }],
      "std::pair<::mlir::Value, ::mlir::Value>", "buildVisibleKeys",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "const ::flash::TilePlace &":$at,
           "::mlir::Value":$qFirst, "::mlir::Value":$qLast)>,
    InterfaceMethod<[{
        The queries that may see some key of [kFirst, kLast], as positions
        [first, end): the question of `buildVisibleKeys` in the other direction,
        which a loop over keys outside asks. Unbounded by default.
      }],
      "std::pair<::mlir::Value, ::mlir::Value>", "buildVisibleQueries",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "const ::flash::TilePlace &":$at,
           "::mlir::Value":$kFirst, "::mlir::Value":$kLast),
      /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
    InterfaceMethod<[{
        An i1: true only if each query of [qFirst, qLast] sees each key of
        [kFirst, kLast], so that the block needs no predicate.
      }],
      "::mlir::Value", "buildIsFull",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "const ::flash::TilePlace &":$at,
           "::mlir::Value":$qFirst, "::mlir::Value":$qLast,
           "::mlir::Value":$kFirst, "::mlir::Value":$kLast)>,
    InterfaceMethod<[{
        An i1: whether the query at position q sees the key at position k. Of a
        mask with operands or a region it is asked only where both exist.
      }],
      "::mlir::Value", "buildIsVisible",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "const ::flash::TilePlace &":$at,
           "::mlir::Value":$q, "::mlir::Value":$k)>,
    InterfaceMethod<[{
        An i1: true only if no query of [qFirst, qLast] sees any key of [kFirst,
        kLast], so that the block need not be loaded. Null, the default, where
        nothing is known.
      }],
      "::mlir::Value", "buildIsHidden",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "const ::flash::TilePlace &":$at,
           "::mlir::Value":$qFirst, "::mlir::Value":$qLast,
           "::mlir::Value":$kFirst, "::mlir::Value":$kLast),
      /*methodBody=*/"", /*defaultImplementation=*/"return ::mlir::Value();">,
    InterfaceMethod<[{
        Whether blocks between visible ones can be hidden, so that each block of
        the visible range is to be asked `buildIsHidden`.
      }],
      "bool", "hasHoles", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return false;">,
    InterfaceMethod<[{
        How many values sum up what the mask's data say of rows; 0, the default,
        where there is nothing to sum up.
      }],
      "unsigned", "getSummarySize", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return 0;">,
    InterfaceMethod<[{
        Those values for `count` rows (queries or keys that exist) from position
        `first` on; IR that reads each row once. Where one thread has a block
        (`summaries` of the tiling), its queries are summed up before the
        loop over keys and its keys in each step, with those of the queries in
        `at`: then `at` has both summaries in the questions about blocks and
        elements, and any block may be hidden. Else `at` has none, and the mask
        answers without, unless it `needsSummary`.
      }],
      "::llvm::SmallVector<::mlir::Value>", "buildSummary",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "const ::flash::TilePlace &":$at, "::flash::Along":$rows,
           "::mlir::Value":$first, "::mlir::Value":$count),
      /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
    InterfaceMethod<[{
        Whether the mask cannot answer without summaries of rows; then there are
        some whoever has a block.
      }],
      "bool", "needsSummary", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return false;">,
    InterfaceMethod<[{
        Whether some query of a range sees each key of `buildVisibleKeys`'
        range for it, so that what none of them sees lies outside of it.
      }],
      "bool", "fillsVisibleKeys", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return false;">,
    InterfaceMethod<[{
        Whether no query sees a key after its own position.
      }],
      "bool", "hidesLaterKeys", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return false;">,
    InterfaceMethod<[{
        Lists of key blocks that are walked in the place of all blocks of the
        visible range (see `KeyBlocks`); none by default. What no list holds is
        hidden, and what one holds no other does. Of a mask in which lists stand
        otherwise, all blocks of the range are asked whether a list names them.
      }],
      "::llvm::SmallVector<::flash::KeyBlocks>", "buildKeyBlocks",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "const ::flash::TilePlace &":$at, "::mlir::Value":$qFirst),
      /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
    InterfaceMethod<[{
        How many queries and keys the blocks have that its lists number, of lists
        for several sizes what divides them all; 0 where it has no lists. No tile
        crosses such a block: the last one in it is cut off.
      }],
      "std::pair<int64_t, int64_t>", "getBlockSizes", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return {0, 0};">,
    InterfaceMethod<[{
        What each of the mask operands that it takes has to be, those of the masks
        in it included.
      }],
      "::llvm::SmallVector<::flash::OperandKind>", "getMaskOperandKinds", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
  ];
  let extraClassDeclaration = [{
    unsigned getNumMaskOperands() { return getMaskOperandKinds().size(); }
  }];
}

#endif // FLASH_DIALECT_FLASH_IR_MASKINTERFACE
