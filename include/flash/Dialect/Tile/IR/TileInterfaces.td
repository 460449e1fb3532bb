//===- TileInterfaces.td - Interfaces of tile attributes ---*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a register layout and a matrix instruction have to say about
// themselves. A new layout or instruction is one attribute with the interface;
// no op and no verifier names a particular one.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TILE_IR_TILEINTERFACES_TD
#define FLASH_DIALECT_TILE_IR_TILEINTERFACES_TD

include "mlir/IR/Interfaces.td"
include "mlir/IR/OpBase.td"

def FlashTile_LayoutAttrInterface : AttrInterface<"LayoutAttrInterface"> {
  let cppNamespace = "::flash::tile";
  let description = [{
    How the elements of a fragment are distributed over the lanes of the
    computing warps.
  }];
  let methods = [
    InterfaceMethod<"Number of computing warps.", "int64_t", "getWarps">,
    InterfaceMethod<"Equal parts of the columns that groups of warps hold.", "int64_t", "getColumnGroups">,
    InterfaceMethod<"Rank of the fragments with this layout.", "int64_t", "getRank">,
    InterfaceMethod<"Elements that one lane holds of a fragment of the shape.",
      "int64_t", "getElementsPerLane", (ins "::llvm::ArrayRef<int64_t>":$shape)>,
    InterfaceMethod<"Neighbouring columns that a lane holds: its run.", "int64_t", "getRun", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return 2;">,
    InterfaceMethod<[{Where the elements that a lane holds lie, in order, counted from the lane's first
      row (`16 * w + lane / 4`, w being the warp's number along the rows) and its
      first column (`run * (lane % 4)` of its group's); 0 along what a vector has not.}],
      "::llvm::SmallVector<::flash::tile::LanePlace>", "getLanePlaces",
      (ins "::llvm::ArrayRef<int64_t>":$shape)>,
    InterfaceMethod<"Whether a fragment of this shape and element type can have the layout.",
      "::llvm::LogicalResult", "verifyFragment",
      (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
           "::llvm::ArrayRef<int64_t>":$shape, "::mlir::Type":$elementType)>
  ];
}

def FlashTile_InstructionAttrInterface : AttrInterface<"InstructionAttrInterface"> {
  let cppNamespace = "::flash::tile";
  let description = [{
    A matrix instruction: which operands are legal for it, whether it runs
    asynchronously, and, of one that a warp executes alone, its PTX
    (docs/AddAnInstruction.md).
  }];
  let methods = [
    InterfaceMethod<"Whether `mma_start` is available.", "bool", "isAsynchronous">,
    InterfaceMethod<"Warps that execute one instruction together.", "int64_t", "getWarpsPerInstruction">,
    InterfaceMethod<"Granularity of the contracted dimension for the type, 0 if not supported.",
      "int64_t", "getKGranularity", (ins "::mlir::Type":$elementType)>,
    InterfaceMethod<[{
        Whether half of the least contracted dimension is allowed, all of it in one
        A operand in registers: zeros stand for the other half.
      }], "bool", "takesHalfStep", (ins), /*methodBody=*/"", /*defaultImplementation=*/"return false;">,
    InterfaceMethod<"Granularity of the columns of B.", "int64_t", "getNGranularity">,
    InterfaceMethod<"Most columns of B that one instruction takes.", "int64_t", "getMaxN">,
    InterfaceMethod<[{
        PTX for one product of a warp, 16 rows by 8 columns over 16 of the contracted
        dimension: `$0` to `$3` are the sums (f32, `#flash_tile.acc`), which it adds
        to; `$4` to `$7` four registers of A (`#flash_tile.lhs`); `$8` and `$9` two of
        B, as `ldmatrix` gives them. Empty, the default, for an instruction whose
        lowering is a pattern of its own.
      }],
      "std::string", "getWarpProduct", (ins "::mlir::Type":$elementType),
      /*methodBody=*/"", /*defaultImplementation=*/"return {};">
  ];
}

def FlashTile_PassAttrInterface : AttrInterface<"PassAttrInterface"> {
  let cppNamespace = "::flash::tile";
  let description = [{
    What a pass reads of a kernel's schedule and nobody else does. The pass works on
    kernels whose list `flash_tile.passes` has its attribute, and on no others; where
    it leaves one of these as it is, it says why in a remark.
  }];
  let methods = [
    StaticInterfaceMethod<"The argument of the pass that reads it.", "::llvm::StringRef", "getPass">
  ];
}

#endif // FLASH_DIALECT_TILE_IR_TILEINTERFACES_TD
