//===- TileProblem.cpp - What of an attention decides its schedule --------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   flash.attention %q, %k, %v {mask = #flash.causal, scores = [#flash.alibi]}
//   ->  head dims, bits, which predicates and functions there are, what they
//       read, whether scores drift along the keys
//
// What the model of registers and memory asks, and what tables have keys for.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/CaptureReads.h"
#include "flash/Dialect/Flash/Analysis/PackHeads.h"
#include "flash/Dialect/Flash/IR/MaskRange.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace flash;

/// `#flash.softcap<3.0 : f32>` is `softcap`.
static std::string nameOf(Attribute attribute, bool parameters) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  for (size_t at; (at = text.find("#flash.")) != std::string::npos;)
    text.erase(at, StringRef("#flash.").size());
  return parameters ? text : text.substr(0, text.find('<'));
}

/// The longer of queries and keys.
static int64_t lengthOf(AttentionOpInterface op) {
  if (op.isRagged() || op.isPaged() || op.getKvLengths() ||
      op.getKeySliceAttr())
    return TileProblem::kLengthInData;
  int64_t queries = op.getQuery().getType().getDimSize(op.getLengthDim());
  int64_t keys = op.getKey().getType().getDimSize(op.getLengthDim());
  if (ShapedType::isDynamic(queries) || ShapedType::isDynamic(keys))
    return TileProblem::kLengthAtRunTime;
  return std::max(queries, keys);
}

/// Whether the range of keys that a row sees is known from its position, and
/// ends there. Where lengths are data, masked blocks have no loop of their own.
static bool endsAtDiagonal(AttentionOpInterface op, int64_t length) {
  MaskAttrInterface mask = op.getEffectiveMask();
  return mask && mask.hidesLaterKeys() &&
         !mayHaveHoles(mask, op.getMaskBody()) &&
         mask.getNumMaskOperands() == 0 && length != TileProblem::kLengthInData;
}

/// The mask that is asked for elements: of one that lists blocks, what decides
/// inside them.
static MaskAttrInterface getElementMask(AttentionOpInterface op) {
  MaskAttrInterface mask = op.getEffectiveMask();
  auto lists = dyn_cast_if_present<BlockSparseAttr>(mask);
  return lists ? lists.getPartial() : mask;
}

TileProblem TileProblem::get(AttentionOpInterface op) {
  unsigned bits = op.getQuery().getType().getElementTypeBitWidth();
  TileProblem problem;
  problem.qkDim = op.getQKHeadDim();
  problem.vDim = op.getVHeadDim();
  problem.elementBytes = int64_t(bits / 8);
  std::tie(problem.queryBlock, problem.keyBlock) = op.getMaskBlockSizes();
  problem.uneven = static_cast<bool>(op.getEffectiveMask());
  MaskAttrInterface inside = getElementMask(op);
  problem.predicate = static_cast<bool>(inside);
  problem.wideMask = inside && !isa<CausalAttr>(inside);
  auto forward = dyn_cast<AttentionOp>(op.getOperation());
  problem.lse = forward && forward.getLse();
  problem.offsets = op.getQOffset() || op.getKvOffset() || op.getKeySliceAttr();
  problem.length = lengthOf(op);
  int64_t queries = op.getQuery().getType().getDimSize(op.getLengthDim());
  if (!op.isRagged() && !ShapedType::isDynamic(queries))
    problem.queries = queries;
  problem.headGroup = findHeadGroup(op);
  problem.ragged = op.isRagged();
  bool diagonal = endsAtDiagonal(op, problem.length);
  for (ScoreAttrInterface function : op.getEffectiveScores()) {
    bool recedes = isa<AlibiAttr>(function) && diagonal;
    problem.recedes |= recedes;
    problem.drifts |= !recedes && !isa<SoftcapAttr>(function);
    problem.functions |= isa<SoftcapAttr, RegionAttr>(function);
    problem.elementData |= isa<BiasAttr>(function);
  }
  for (int64_t reads : countReads(op, op.getScoreBody()))
    problem.elementData |= reads > 0;
  // What a row or a column has, as the document it is of, is read for all of
  // it.
  problem.elementData |= readsElements(op.getMaskBody());
  if (op.isPaged())
    problem.pageSize = std::max<int64_t>(
        op.getKey().getType().getDimSize(op.getLengthDim()), 0);
  if (MaskAttrInterface mask = op.getEffectiveMask())
    problem.mask = nameOf(mask, /*parameters=*/!isa<WindowAttr>(mask));
  SmallVector<std::string> scores;
  for (ScoreAttrInterface score : op.getEffectiveScores())
    scores.push_back(nameOf(score, /*parameters=*/false));
  if (op.getSinks())
    scores.push_back("sinks");
  if (op.getDropoutP())
    scores.push_back("dropout");
  problem.scores = llvm::join(scores, ", ");
  problem.paged = op.isPaged();
  return problem;
}
