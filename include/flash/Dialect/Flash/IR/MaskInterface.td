//===- MaskInterface.td - What a mask tells the compiler ----*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mask decides which keys a query sees, from their positions alone. It answers
// for a whole block too, so that hidden blocks are never loaded and full ones
// need no predicate. A new mask is an attribute that implements this interface.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_MASKINTERFACE
#define FLASH_DIALECT_FLASH_IR_MASKINTERFACE

include "mlir/IR/OpBase.td"

def MaskAttrInterface : AttrInterface<"MaskAttrInterface"> {
  let cppNamespace = "::flash";
  let description = [{
    Positions are values of type index and may be negative; comparisons are
    signed. "First" and "last" bound a block inclusively.
  }];
  let methods = [
    InterfaceMethod<[{
        The keys that some query of [qFirst, qLast] may see, as positions
        [first, end). A null value on either side means unbounded. The range may
        be empty (end <= first), and may hold keys that no query sees.
      }],
      "std::pair<::mlir::Value, ::mlir::Value>", "buildVisibleKeys",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$qFirst, "::mlir::Value":$qLast)>,
    InterfaceMethod<[{
        An i1: true only if each query of [qFirst, qLast] sees each key of
        [kFirst, kLast], so that the block needs no predicate.
      }],
      "::mlir::Value", "buildIsFull",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$qFirst, "::mlir::Value":$qLast,
           "::mlir::Value":$kFirst, "::mlir::Value":$kLast)>,
    InterfaceMethod<[{
        An i1: whether the query at position q sees the key at position k.
      }],
      "::mlir::Value", "buildIsVisible",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$q, "::mlir::Value":$k)>,
  ];
}

#endif // FLASH_DIALECT_FLASH_IR_MASKINTERFACE
