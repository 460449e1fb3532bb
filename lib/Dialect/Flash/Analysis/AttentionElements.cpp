//===- AttentionElements.cpp - What scores read one by one ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Biases, and captures of regions where the place that is read depends on the
// query or the key: an element for each score that is computed. No tile of
// theirs is loaded, so no counter sees them.
//
//===----------------------------------------------------------------------===//

#include "AttentionModel.h"
#include "flash/Dialect/Flash/Analysis/CaptureReads.h"

using namespace mlir;
using namespace flash;
using namespace flash::io;

/// Bytes of an element, and of the whole tensor as far as its shape is known.
static std::pair<int64_t, int64_t> bytesOf(Value tensor,
                                           const IndexInterpreter &known) {
  unsigned bits =
      getElementTypeOrSelf(tensor.getType()).getIntOrFloatBitWidth();
  int64_t size = int64_t(llvm::divideCeil(bits, 8)), whole = size;
  if (const KnownValue *value = known.find(tensor))
    for (int64_t dim : value->shape)
      whole *= dim;
  return {size, whole};
}

void AttentionModel::addBiases(OperationIO &io, const KeyLoop &loop,
                               const Totals &totals,
                               function_ref<OperandIO &(StringRef)> add) {
  ValueRange operands = op.getScoreOperands();
  for (ScoreAttrInterface score : op.getEffectiveScores()) {
    unsigned count = score.getNumScoreOperands();
    if (isa<BiasAttr>(score)) {
      auto [size, whole] = bytesOf(operands[0], known);
      OperandIO &operand = add("bias");
      // A mask may hide any of it.
      operand.compulsory.read =
          mask->hasMask() ? 0 : std::min(whole, totals.pairs * size);
      operand.schedule.onChip.read = loop.pairs * size;
      operand.schedule.hbm.read = std::min(whole, loop.pairs * size);
      operand.unfused.onChip.read = totals.pairs * size;
      operand.unfused.hbm.read = std::min(whole, totals.pairs * size);
    }
    operands = operands.drop_front(count);
  }
}

void AttentionModel::addCaptures(OperationIO &io, const KeyLoop &loop,
                                 const Totals &totals,
                                 function_ref<OperandIO &(StringRef)> add) {
  SmallVector<int64_t> byScore = countReads(op, op.getScoreBody()),
                       byMask = countReads(op, op.getMaskBody());
  for (auto [i, capture] : llvm::enumerate(op.getCaptures())) {
    if (byScore[i] + byMask[i] == 0)
      continue;
    auto [size, whole] = bytesOf(capture, known);
    OperandIO &operand = add("captures");
    // A predicate is not asked where a block is full. What of a capture is
    // needed at all is up to the region: 0 is the bound that is safe.
    int64_t bytes =
        (byScore[i] * loop.pairs + byMask[i] * loop.askedPairs) * size;
    int64_t all = (byScore[i] + byMask[i]) * totals.pairs * size;
    operand.schedule.onChip.read = bytes;
    operand.schedule.hbm.read = std::min(whole, bytes);
    operand.unfused.onChip.read = all;
    operand.unfused.hbm.read = std::min(whole, all);
  }
}
