//===- BF16ToBits.cpp - bf16 as 16-bit integers ---------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which lengths of bf16 vectors LLVM can handle depends on the CPU: with
// AVX512-BF16, 8, 16 and 32 are registers, one left over of 9 is not, and the
// code generator ends the process. Integers it handles in every length on every
// CPU. By now bf16 is only moved: conversions have become integer arithmetic.
//
//   %x = llvm.load %p : !llvm.ptr -> vector<9xbf16>
//   %y = llvm.bitcast %x : vector<9xbf16> to vector<9xi16>
//   ->
//   %y = llvm.load %p : !llvm.ptr -> vector<9xi16>
//
// On the LLVM dialect, last: what vectorizers of LLVM make of it is integers,
// too.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"

#define DEBUG_TYPE "flash-bf16-to-bits"

namespace flash {
#define GEN_PASS_DEF_BF16TOBITSPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

void flash::bf16ToBits(ModuleOp module) {
  AttrTypeReplacer replacer;
  Type i16 = IntegerType::get(module.getContext(), 16);
  replacer.addReplacement([=](BFloat16Type) { return i16; });
  replacer.addReplacement([=](FloatAttr attr) -> std::optional<Attribute> {
    if (!attr.getType().isBF16())
      return std::nullopt;
    return IntegerAttr::get(i16, attr.getValue().bitcastToAPInt());
  });
  replacer.addReplacement(
      [=](DenseElementsAttr attr) -> std::optional<Attribute> {
        if (!attr.getElementType().isBF16())
          return std::nullopt;
        return attr.bitcast(i16);
      });
  replacer.recursivelyReplaceElementsIn(module, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
  module.walk([](LLVM::BitcastOp op) {
    if (op.getArg().getType() != op.getType())
      return;
    op.replaceAllUsesWith(op.getArg());
    op.erase();
  });
}

namespace {

struct BF16ToBitsPass : flash::impl::BF16ToBitsPassBase<BF16ToBitsPass> {
  void runOnOperation() override { flash::bf16ToBits(getOperation()); }
};

} // namespace
