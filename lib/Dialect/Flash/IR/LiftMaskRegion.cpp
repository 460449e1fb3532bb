//===- LiftMaskRegion.cpp - Distances in a mask region ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   mask { %c = cmpi sle, %j, %i ; %d = ... ; yield andi(%c, %d) }
//   ->  {mask = #flash.and<#flash.causal, #flash.region>} mask { yield %d }
//
// A term of what the region yields that bounds i - j by a constant is causal or
// one side of a window. Schedules are known for those, and blocks that they cut
// have a loop of their own.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/MaskRange.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;

namespace {
/// query * i + key * j + constant.
struct Linear {
  int64_t query = 0, key = 0, constant = 0;
};
/// i - j is at least `least` and at most `most`.
struct Distances {
  std::optional<int64_t> least, most;
};
} // namespace

static constexpr int64_t kMost = int64_t(1) << 40;

static bool has64Bits(Value value) {
  return value.getType().isIndex() || value.getType().isInteger(64);
}

static std::optional<Linear> linear(Value value, Block &body) {
  APInt number;
  if (value == body.getArgument(2))
    return Linear{1, 0, 0};
  if (value == body.getArgument(3))
    return Linear{0, 1, 0};
  if (matchPattern(value, m_ConstantInt(&number)) && number.abs().ule(kMost))
    return Linear{0, 0, number.getSExtValue()};
  Operation *op = value.getDefiningOp();
  // A position in 64 bits is the same.
  if (isa_and_nonnull<arith::IndexCastOp>(op) && has64Bits(value) &&
      has64Bits(op->getOperand(0)))
    return linear(op->getOperand(0), body);
  if (!isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op) || !has64Bits(value))
    return std::nullopt;
  std::optional<Linear> x = linear(op->getOperand(0), body),
                        y = linear(op->getOperand(1), body);
  if (!x || !y)
    return std::nullopt;
  int64_t sign = isa<arith::AddIOp>(op) ? 1 : -1;
  Linear sum{x->query + sign * y->query, x->key + sign * y->key,
             x->constant + sign * y->constant};
  if (std::abs(sum.constant) > kMost)
    return std::nullopt;
  return sum;
}

/// What lhs <= rhs says.
static std::optional<Distances> atMost(std::optional<Linear> lhs,
                                       std::optional<Linear> rhs) {
  if (!lhs || !rhs)
    return std::nullopt;
  int64_t query = rhs->query - lhs->query, key = rhs->key - lhs->key,
          room = rhs->constant - lhs->constant;
  if (query == 1 && key == -1) // 0 <= i - j + room
    return Distances{-room, {}};
  if (query == -1 && key == 1)
    return Distances{{}, room};
  return std::nullopt;
}

/// What a term says of the distance, if nothing else.
static std::optional<Distances> distancesOf(Value term, Block &body) {
  using P = arith::CmpIPredicate;
  auto negation = term.getDefiningOp<arith::XOrIOp>();
  bool negated = negation && matchPattern(negation.getRhs(), m_One());
  auto compare =
      (negated ? negation.getLhs() : term).getDefiningOp<arith::CmpIOp>();
  if (!compare || !has64Bits(compare.getLhs()))
    return std::nullopt;
  P predicate = negated ? arith::invertPredicate(compare.getPredicate())
                        : compare.getPredicate();
  Value small = compare.getLhs(), large = compare.getRhs();
  if (predicate == P::sgt || predicate == P::sge) {
    std::swap(small, large);
    predicate = predicate == P::sgt ? P::slt : P::sle;
  }
  if (predicate != P::slt && predicate != P::sle)
    return std::nullopt;
  std::optional<Linear> limit = linear(large, body);
  if (limit && predicate == P::slt)
    --limit->constant;
  if (auto distance = small.getDefiningOp<math::AbsIOp>()) {
    std::optional<Linear> inner = linear(distance.getOperand(), body);
    if (!inner || !limit || limit->query || limit->key)
      return std::nullopt;
    Linear opposite{-inner->query, -inner->key, -inner->constant};
    std::optional<Distances> above = atMost(inner, limit),
                             below = atMost(opposite, limit);
    if (!above || !below)
      return std::nullopt;
    return Distances{above->least ? above->least : below->least,
                     above->most ? above->most : below->most};
  }
  return atMost(linear(small, body), limit);
}

/// The terms of an and.
static void collectTerms(Value condition, SmallVectorImpl<Value> &terms) {
  if (auto both = condition.getDefiningOp<arith::AndIOp>()) {
    collectTerms(both.getLhs(), terms);
    collectTerms(both.getRhs(), terms);
    return;
  }
  terms.push_back(condition);
}

/// Whether an attribute can say it: i - j >= -right, with right at least 0, and
/// i - j <= left.
static bool isWindow(const Distances &distances) {
  return (!distances.least || *distances.least <= 0) &&
         (!distances.most || *distances.most >= 0);
}

/// `yielded`, or what is left of the region, becomes the mask.
static void keepTerms(RewriterBase &rewriter, Block &body,
                      ArrayRef<Value> terms) {
  Operation *yield = body.getTerminator();
  rewriter.setInsertionPoint(yield);
  Value all;
  for (Value term : terms)
    all = all ? arith::AndIOp::create(rewriter, yield->getLoc(), all, term)
                    .getResult()
              : term;
  rewriter.modifyOpInPlace(yield, [&] { yield->setOperand(0, all); });
  SmallVector<Operation *> ops;
  for (Operation &op : body.without_terminator())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (isOpTriviallyDead(op))
      rewriter.eraseOp(op);
}

/// `op` has the mask from now on, and captures where a region reads them.
template <typename OpT>
static void setMask(RewriterBase &rewriter, OpT op, MaskAttrInterface mask) {
  rewriter.modifyOpInPlace(op, [&] {
    if (op.getMaskBody().empty() && op.getScoreBody().empty())
      op.getCapturesMutable().clear();
    op.setMaskAttr(mask);
  });
}

LogicalResult flash::liftMaskRegion(RewriterBase &rewriter,
                                    AttentionOpInterface op) {
  if (!isa<AttentionOp, AttentionBackwardOp>(op.getOperation()) ||
      op.getMaskBody().empty() || !op.getMaskBody().hasOneBlock())
    return failure();
  // Beside the region, the mask has other parts, or none.
  SmallVector<MaskAttrInterface> others;
  if (MaskAttrInterface mask = op.getMaskAttr()) {
    auto all = dyn_cast<AndAttr>(mask);
    if (all)
      llvm::copy_if(all.getMasks(), std::back_inserter(others),
                    [](Attribute part) { return !isa<RegionAttr>(part); });
    bool stands = all ? others.size() + 1 == all.getMasks().size()
                      : isa<RegionAttr>(mask);
    if (!stands)
      return failure();
  }
  Block &body = op.getMaskBody().front();
  SmallVector<Value> terms, left;
  collectTerms(cast<YieldOp>(body.getTerminator()).getValue(), terms);
  Distances known;
  for (Value term : terms) {
    std::optional<Distances> distances = distancesOf(term, body);
    if (!distances || !isWindow(*distances)) {
      left.push_back(term);
      continue;
    }
    if (distances->least)
      known.least = std::max(*distances->least, known.least.value_or(-kMost));
    if (distances->most)
      known.most = std::min(*distances->most, known.most.value_or(kMost));
  }
  if (!known.least && !known.most)
    return failure();
  MLIRContext *context = op.getContext();
  int64_t right = known.least ? -*known.least : -1;
  auto lifted =
      known.least == 0 && !known.most
          ? cast<MaskAttrInterface>(
                static_cast<Attribute>(CausalAttr::get(context)))
          : cast<MaskAttrInterface>(static_cast<Attribute>(
                WindowAttr::get(context, known.most.value_or(-1), right)));
  SmallVector<MaskAttrInterface> parts{lifted};
  llvm::append_range(parts, others);
  if (!left.empty())
    parts.push_back(cast<MaskAttrInterface>(
        static_cast<Attribute>(RegionAttr::get(context))));
  auto joined = parts.size() == 1
                    ? lifted
                    : cast<MaskAttrInterface>(
                          static_cast<Attribute>(AndAttr::get(context, parts)));
  if (left.empty()) {
    rewriter.eraseBlock(&body);
  } else {
    OpBuilder::InsertionGuard guard(rewriter);
    keepTerms(rewriter, body, left);
  }
  llvm::TypeSwitch<Operation *>(op).Case<AttentionOp, AttentionBackwardOp>(
      [&](auto attention) { setMask(rewriter, attention, joined); });
  return success();
}
