//===- HalfMma.td - An instruction that lives outside Flash -*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "flash/Dialect/Tile/IR/TileInterfaces.td"

def HalfDialect : Dialect {
  let name = "half";
  let cppNamespace = "::half";
  let useDefaultAttributePrinterParser = 1;
}

// docs: begin attribute
def MmaAttr : AttrDef<HalfDialect, "Mma",
    [DeclareAttrInterfaceMethods<FlashTile_InstructionAttrInterface, ["getWarpProduct"]>]> {
  let mnemonic = "mma";
  let summary = "mma.sync.m16n8k8, which contracts half as much as mma.sync.m16n8k16";
}
// docs: end attribute
