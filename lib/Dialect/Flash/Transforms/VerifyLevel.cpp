//===- VerifyLevel.cpp - What belongs to a level ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each level of the lowering has a set of operations. This pass stops at the
// first one that does not belong, at its location, so that a broken pipeline is
// found where it broke; and at an attribute of ours that nobody reads.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"
#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/StringSwitch.h"

namespace flash {
#define GEN_PASS_DEF_VERIFYLEVEL
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

static bool isTarget(Operation *op) {
  StringRef dialect = op->getName().getDialectNamespace();
  return dialect == "llvm" || dialect == "nvvm" || dialect == "gpu" ||
         dialect == "builtin";
}

static bool hasTensor(TypeRange types) {
  return llvm::any_of(types, [](Type type) { return isa<TensorType>(type); });
}

/// Why `op` does not belong to `level`, or an empty string.
static StringRef reasonAgainst(Operation *op, int level) {
  bool inKernel = op->getParentOfType<gpu::GPUModuleOp>() != nullptr;
  bool tile = op->getName().getDialectNamespace() == "flash_tile";
  switch (level) {
  case 0:
    if (isa<OnlineAttentionOp, BackwardStepOp, OnlineSoftmaxOp, HideUnseenOp>(
            op))
      return "is a tiled form";
    return tile ? "belongs to L3" : "";
  case 1:
    if (isa<AttentionOp, AttentionBackwardOp, MergeOp>(op))
      return "should have been tiled";
    if (isa<OnlineSoftmaxOp, HideUnseenOp>(op))
      return "belongs to L2";
    return tile ? "belongs to L3" : "";
  case 2:
    if (isa<AttentionOp, AttentionBackwardOp, MergeOp>(op))
      return "should have been tiled";
    if (isa<OnlineAttentionOp, BackwardStepOp>(op))
      return "should have been decomposed";
    return tile ? "belongs to L3" : "";
  case 3:
    if (isa<FlashDialect>(op->getDialect()))
      return "should have become a tile program";
    if (inKernel &&
        (hasTensor(op->getOperandTypes()) || hasTensor(op->getResultTypes())))
      return "has a tensor, but kernels work on fragments and shared memory";
    return "";
  default:
    if (isa<FlashDialect>(op->getDialect()))
      return "should have been lowered";
    if (inKernel && !isTarget(op) && !isa<tile::InlinePtxOp>(op))
      return "is not of the target's dialects (llvm, nvvm, gpu)";
    return "";
  }
}

/// Whether an attribute of ours has a name without a dialect on an operation of
/// another one, where nothing reads it and nothing but this checks it. An error
/// is emitted.
static bool hasLostAttribute(Operation *op) {
  if (!op->isRegistered())
    return false;
  for (NamedAttribute attribute : op->getDiscardableAttrs()) {
    StringRef name = attribute.getName();
    StringRef owner = attribute.getValue().getDialect().getNamespace();
    if (name.contains('.') || (owner != "flash" && owner != "flash_tile"))
      continue;
    InFlightDiagnostic error = op->emitOpError()
                               << "has an attribute '" << name
                               << "', which says nothing here";
    for (StringRef ours : {FlashDialect::getScheduleAttrName(),
                           FlashDialect::getTilingAttrName(),
                           tile::FlashTileDialect::getKernelAttrName()})
      if (ours.substr(ours.find('.') + 1) == name)
        error << "; did you mean '" << ours << "'?";
    return true;
  }
  return false;
}

namespace {
struct VerifyLevelPass : flash::impl::VerifyLevelBase<VerifyLevelPass> {
  using VerifyLevelBase::VerifyLevelBase;

  LogicalResult initialize(MLIRContext *context) override {
    number = llvm::StringSwitch<int>(level)
                 .Case("L0", 0)
                 .Case("L1", 1)
                 .Case("L2", 2)
                 .Case("L3", 3)
                 .Case("L4", 4)
                 .Default(-1);
    if (number < 0)
      return emitError(UnknownLoc::get(context))
             << "flash-verify-level: no level '" << level
             << "'; there are L0, L1, L2, L3 and L4";
    return success();
  }

  void runOnOperation() override {
    WalkResult walk = getOperation()->walk([&](Operation *op) {
      if (hasLostAttribute(op))
        return WalkResult::interrupt();
      StringRef reason = op->getDialect() ? reasonAgainst(op, number) : "";
      if (reason.empty())
        return WalkResult::advance();
      op->emitOpError() << "does not belong to " << level << ": it " << reason;
      return WalkResult::interrupt();
    });
    if (walk.wasInterrupted())
      signalPassFailure();
    markAllAnalysesPreserved();
  }

  int number = 0;
};
} // namespace
