//===- WindowMask.td - A mask that lives outside Flash ------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "flash/Dialect/Flash/IR/MaskInterface.td"

def WindowDialect : Dialect {
  let name = "window";
  let cppNamespace = "::window";
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

// docs: begin attribute
def MaskAttr : AttrDef<WindowDialect, "Mask",
    [DeclareAttrInterfaceMethods<MaskAttrInterface, ["buildVisibleQueries"]>]> {
  let mnemonic = "mask";
  let summary = "A query sees its own position and the `keys` - 1 before it";
  let parameters = (ins "int64_t":$keys);
  let assemblyFormat = "`<` $keys `>`";
  let genVerifyDecl = 1;
}
// docs: end attribute
