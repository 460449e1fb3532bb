//===- TranslateInlinePtx.cpp - PTX with several results in LLVM IR -------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %a, %b = flash_tile.inline_ptx "...", "=f,=f,r" %x : (i32) -> (f32, f32)
//   ->
//   %s = call { float, float } asm "...", "=f,=f,r"(i32 %x)
//   %a = extractvalue { float, float } %s, 0
//   %b = extractvalue { float, float } %s, 1
//
//===----------------------------------------------------------------------===//

#include "TranslateInlinePtx.h"

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Target/LLVMIR/LLVMTranslationInterface.h"
#include "mlir/Target/LLVMIR/ModuleTranslation.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"

using namespace mlir;
using namespace flash;

static LogicalResult translate(tile::InlinePtxOp op, llvm::IRBuilderBase &b,
                               LLVM::ModuleTranslation &translation) {
  SmallVector<llvm::Type *> results, operands;
  for (Type type : op.getResultTypes())
    results.push_back(translation.convertType(type));
  SmallVector<llvm::Value *> values =
      translation.lookupValues(op.getOperands());
  for (llvm::Value *value : values)
    operands.push_back(value->getType());
  auto *type =
      llvm::FunctionType::get(llvm::StructType::get(b.getContext(), results),
                              operands, /*isVarArg=*/false);
  llvm::CallInst *call =
      b.CreateCall(llvm::InlineAsm::get(type, op.getText(), op.getConstraints(),
                                        op.getHasSideEffects()),
                   values);
  for (auto [i, result] : llvm::enumerate(op.getResults()))
    translation.mapValue(result, b.CreateExtractValue(call, i));
  return success();
}

namespace {
class TileTranslation : public LLVMTranslationDialectInterface {
public:
  using LLVMTranslationDialectInterface::LLVMTranslationDialectInterface;

  LogicalResult
  convertOperation(Operation *op, llvm::IRBuilderBase &builder,
                   LLVM::ModuleTranslation &translation) const override {
    if (auto ptx = dyn_cast<tile::InlinePtxOp>(op))
      return translate(ptx, builder, translation);
    return op->emitOpError("is not of L4: only flash_tile.inline_ptx is");
  }
};
} // namespace

void flash::registerInlinePtxTranslation(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, tile::FlashTileDialect *dialect) {
    dialect->addInterfaces<TileTranslation>();
  });
}
