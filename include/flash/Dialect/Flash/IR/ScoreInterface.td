//===- ScoreInterface.td - What changes a score -------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A score function maps a scaled score to another, one element at a time,
// before the mask. A new one is an attribute that implements this interface.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_SCOREINTERFACE
#define FLASH_DIALECT_FLASH_IR_SCOREINTERFACE

include "mlir/IR/OpBase.td"

def ScoreAttrInterface : AttrInterface<"ScoreAttrInterface"> {
  let cppNamespace = "::flash";
  let description = [{
    Scores are of the accumulation type (f32; f64 for f64 inputs). `q` and `k`
    are positions (index), asked only where both exist.
  }];
  let methods = [
    InterfaceMethod<[{
        The score that `score`, of the query at position q and the key at
        position k, becomes.
      }],
      "::mlir::Value", "buildScore",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "const ::flash::TilePlace &":$at, "::mlir::Value":$score,
           "::mlir::Value":$q, "::mlir::Value":$k)>,
    InterfaceMethod<"What each of the score operands that it takes has to be.",
      "::llvm::SmallVector<::flash::OperandKind>", "getScoreOperandKinds", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
  ];
  let extraClassDeclaration = [{
    unsigned getNumScoreOperands() { return getScoreOperandKinds().size(); }
  }];
}

#endif // FLASH_DIALECT_FLASH_IR_SCOREINTERFACE
