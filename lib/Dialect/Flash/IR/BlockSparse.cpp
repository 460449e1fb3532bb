//===- BlockSparse.cpp - Blocks that a list names ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// #flash.block_sparse hands out two lists of key blocks for a block of queries,
// the partial ones, inside which another mask may decide, and the full ones.
// Blocks that stand in no list cost nothing.
//
//===----------------------------------------------------------------------===//

#include "MaskUtils.h"

using namespace mlir;
using namespace flash;

LogicalResult
BlockSparseAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                        int64_t bq, int64_t bk, MaskAttrInterface partial) {
  for (auto [name, size] : {std::pair{"bq", bq}, {"bk", bk}})
    if (size < 1)
      return emitError() << "block_sparse has " << name << " = " << size
                         << ", but must have at least 1";
  bool nested = false;
  if (partial)
    partial.walk([&](BlockSparseAttr) { nested = true; });
  if (nested)
    return emitError()
           << "#flash.block_sparse stands alone or in #flash.and, once";
  return success();
}

SmallVector<OperandKind> BlockSparseAttr::getMaskOperandKinds() const {
  SmallVector<OperandDim> counts{{Along::Batch, true},
                                 {Along::Heads, true},
                                 {Along::Queries, false, getBq()}};
  SmallVector<OperandDim> lists(counts);
  lists.emplace_back();
  SmallVector<OperandKind> kinds{{"number of partial blocks", counts},
                                 {"partial blocks", lists},
                                 {"number of full blocks", counts},
                                 {"full blocks", lists}};
  if (getPartial())
    kinds.append(getPartial().getMaskOperandKinds());
  return kinds;
}

std::pair<int64_t, int64_t> BlockSparseAttr::getBlockSizes() const {
  return {getBq(), getBk()};
}

SmallVector<KeyBlocks> BlockSparseAttr::buildKeyBlocks(OpBuilder &builder,
                                                       Location loc,
                                                       const TilePlace &at,
                                                       Value qFirst) const {
  MaskBuilder b(builder, loc);
  Value row = arith::SubIOp::create(builder, loc, qFirst, at.queryOrigin);
  Value block = arith::DivUIOp::create(builder, loc, row, b.constant(getBq()));
  auto list = [&](Value counts, Value numbers) {
    SmallVector<Value> place{b.broadcastIndex(counts, 0, at.batch),
                             b.broadcastIndex(counts, 1, at.head), block};
    // A count that says more than the list holds would read past its end.
    Value capacity = tensor::DimOp::create(builder, loc, numbers, 3);
    KeyBlocks blocks;
    blocks.size = getBk();
    blocks.count = b.max(b.min(b.read(counts, place), capacity), b.constant(0));
    SmallVector<Value> inList{b.broadcastIndex(numbers, 0, at.batch),
                              b.broadcastIndex(numbers, 1, at.head), block};
    blocks.number = [numbers, inList](OpBuilder &builder, Location loc,
                                      Value n) {
      SmallVector<Value> indices(inList);
      indices.push_back(n);
      return MaskBuilder(builder, loc).read(numbers, indices);
    };
    return blocks;
  };
  KeyBlocks partial = list(at.operands[0], at.operands[1]);
  partial.mask = getPartial();
  llvm::append_range(partial.operands, at.operands.drop_front(4));
  partial.full = !getPartial();
  KeyBlocks full = list(at.operands[2], at.operands[3]);
  full.full = true;
  return {partial, full};
}

// These are asked inside blocks that a list names. In a loop over one list
// `partial`, or nothing, is asked in this mask's place; in a loop over both,
// the mask is asked, and told which of them it is.

std::pair<Value, Value> BlockSparseAttr::buildVisibleKeys(OpBuilder &, Location,
                                                          const TilePlace &,
                                                          Value, Value) const {
  return {Value(), Value()};
}

Value BlockSparseAttr::buildIsFull(OpBuilder &builder, Location loc,
                                   const TilePlace &at, Value qFirst,
                                   Value qLast, Value kFirst,
                                   Value kLast) const {
  MaskBuilder b(builder, loc);
  if (!at.listedFull || !getPartial())
    return b.boolean(true);
  return b.either(at.listedFull,
                  getPartial().buildIsFull(builder, loc,
                                           at.with(at.operands.drop_front(4)),
                                           qFirst, qLast, kFirst, kLast));
}

Value BlockSparseAttr::buildIsVisible(OpBuilder &builder, Location loc,
                                      const TilePlace &at, Value q,
                                      Value k) const {
  MaskBuilder b(builder, loc);
  if (!at.listedFull || !getPartial())
    return b.boolean(true);
  return b.either(at.listedFull,
                  getPartial().buildIsVisible(
                      builder, loc, at.with(at.operands.drop_front(4)), q, k));
}
