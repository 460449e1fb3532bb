//===- Raise.cpp - From linalg to attention -------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Recognises attention in linalg on tensors, opt-in:
//
//   %s = linalg.batch_matmul ins(%q, %kt); %p = softmax of %s * 0.125
//   %o = linalg.batch_matmul ins(%p, %v)
//   // becomes
//   %o = flash.attention %q, %k, %v {scale = 0.125 : f32}
//
// Starting from each contraction, matchers ask what its factors are as scalars:
// a softmax of scores, which are a product of a query and a key. It comes before
// everything, on what frontends make, with calls inlined.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/LinalgToFlash/Passes.h"

#include "Output.h"
#include "Rearrange.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/Support/DebugLog.h"

#define DEBUG_TYPE "flash-raise"

namespace flash {
#define GEN_PASS_DEF_RAISE
#include "flash/Conversion/LinalgToFlash/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;
using namespace flash::raise;

namespace {
/// Everything about an attention that was recognised.
struct Attention {
  Operand query, key, value;
  Roles roles;
  Output output;
  double scale;
  bool causal = false;
  /// Of the first query, where causal masks are not aligned bottom-right.
  std::optional<int64_t> qOffset;
};
} // namespace

static bool isInputType(Type type) {
  return type.isF32() || type.isF16() || type.isBF16();
}

/// Q, K and V, as 16-bit tensors if the probabilities are rounded alike.
static LogicalResult matchOperands(Match &match, bool mayRound,
                                   const Softmax &softmax,
                                   const Contraction &scores, Scalar value,
                                   Attention &attention) {
  Tracer &tracer = match.tracer;
  linalg::LinalgOp product = scores.op;
  attention.value = peelOperand(tracer, value, /*casts=*/true);
  Type type = attention.value.element.getElementType();
  bool casts = mayRound || softmax.bits <= type.getIntOrFloatBitWidth();
  if (!casts) {
    attention.value = peelOperand(tracer, value, /*casts=*/false);
    type = attention.value.element.getElementType();
  }
  if (!attention.value.element.isElement() || softmax.bits > 64 ||
      (!casts && type.getIntOrFloatBitWidth() < 32))
    return match.miss(value.getLoc(),
                      "the probabilities are not rounded to the value's type");
  attention.query = peelOperand(tracer, scores.lhs, casts);
  attention.key = peelOperand(tracer, scores.rhs, casts);
  for (auto [name, operand] :
       {std::pair("query", &attention.query), {"key", &attention.key}}) {
    if (!operand->element.isElement())
      return match.miss(product.getLoc(),
                        Twine("the ") + name + " is not a tensor");
    if (operand->element.getElementType() != type)
      return match.miss(product.getLoc(),
                        Twine("the ") + name +
                            " and the value have different element types");
  }
  if (!isInputType(type))
    return match.miss(product.getLoc(), "the element type is not f32, f16 or "
                                          "bf16");
  return success();
}

/// The mask as causal, with the first query's position.
static LogicalResult matchMask(Match &match, const VisibleKeys &keys,
                               const Scores &scores, const Softmax &softmax,
                               Attention &attention, Location loc) {
  if (keys.atLeastZero.empty())
    return success();
  Domain &domain = match.tracer.getDomain();
  const Roles &roles = attention.roles;
  const LinearSum &sum = keys.atLeastZero.front();
  int64_t query = 0, key = 0;
  for (const LinearSum::Term &term : sum.terms) {
    if (roles.query == term.dim)
      query = term.factor;
    else if (roles.key == term.dim)
      key = term.factor;
    else
      return match.miss(loc, "the mask depends on more than the positions of "
                             "query and key");
  }
  if (keys.atLeastZero.size() != 1 || key != -1 ||
      query != (roles.query ? 1 : 0))
    return match.miss(loc, "the mask is not causal");
  bool infinite = llvm::all_of(scores.masks,
                               [](const Mask &mask) { return mask.infinite; });
  if (sum.constant < 0 && !infinite)
    return match.miss(loc, "rows that see no key take an average of the values "
                           "here, and are 0 in flash.attention");
  attention.causal = true;
  int64_t queries = roles.query ? domain.getSize(*roles.query) : 1,
          keyCount = domain.getSize(*roles.key);
  if (ShapedType::isDynamic(queries) || ShapedType::isDynamic(keyCount) ||
      sum.constant != keyCount - queries)
    attention.qOffset = sum.constant;
  return success();
}

/// Matches an attention whose second contraction is `op`.
static FailureOr<Attention> matchAttention(Match &match, linalg::LinalgOp op,
                                           bool mayRound) {
  Tracer &tracer = match.tracer;
  Domain &domain = tracer.getDomain();
  Indices loops;
  std::optional<AffineExpr> key;
  for (auto [kind, size] :
       llvm::zip(op.getIteratorTypesArray(), op.getStaticLoopRanges())) {
    loops.push_back(domain.addLoop(size));
    if (kind != utils::IteratorType::reduction || size == 1)
      continue;
    if (key)
      return failure(); // sums over more than keys
    key = loops.back();
  }
  std::optional<Contraction> product = getContraction(tracer, op, loops);
  if (!product || !key)
    return failure();

  Scalar value = product->rhs;
  FailureOr<Softmax> softmax = matchSoftmax(match, product->lhs, *key);
  if (failed(softmax) && !match.nearMiss) {
    value = product->lhs;
    softmax = matchSoftmax(match, product->rhs, *key);
  }
  if (failed(softmax))
    return failure();
  auto keyDim = dyn_cast<AffineDimExpr>(*key);
  if (!keyDim)
    return match.miss(op.getLoc(), "the keys are several dimensions");

  FailureOr<Scores> scores = matchScores(match, *softmax);
  if (failed(scores))
    return failure();
  Attention attention;
  if (failed(matchOperands(match, mayRound, *softmax, scores->product, value,
                           attention)))
    return failure();
  // Which factor is the query shows by the dimension of keys.
  auto hasKey = [&](const Operand &operand) {
    return llvm::any_of(operand.element.at, [&](AffineExpr index) {
      return index.isFunctionOfDim(keyDim.getPosition());
    });
  };
  if (hasKey(attention.query))
    std::swap(attention.query, attention.key);
  attention.scale =
      scores->scale * attention.query.scale * attention.key.scale;
  if (attention.value.scale != 1)
    return match.miss(op.getLoc(), "the value is scaled");

  auto output = followOutput(match, *product, *softmax, *key,
                             attention.query.element.getElementType());
  FailureOr<VisibleKeys> keys = matchVisibleKeys(match, scores->masks);
  if (failed(output) || failed(keys))
    return failure();
  attention.output = *output;

  std::optional<unsigned> queryHint;
  for (const LinearSum &sum : keys->atLeastZero)
    for (const LinearSum::Term &term : sum.terms)
      if (term.dim != keyDim.getPosition())
        queryHint = term.dim;
  FailureOr<Roles> roles = matchRoles(
      match, attention.query, attention.key, attention.value,
      attention.output.at, op.getLoc(), queryHint, keyDim.getPosition());
  if (failed(roles))
    return failure();
  attention.roles = *roles;
  Location maskLoc = scores->masks.empty()
                         ? op.getLoc()
                         : scores->masks.front().condition.getLoc();
  if (failed(matchMask(match, *keys, *scores, *softmax, attention, maskLoc)) ||
      failed(checkOnlyUse(match, scores->product, *output)))
    return failure();
  if (!std::isfinite(attention.scale))
    return match.miss(op.getLoc(), "the scale is not finite");
  for (const Operand *operand : {&attention.query, &attention.value}) {
    auto headDim = operand == &attention.query ? roles->headDim
                                               : roles->valueDim;
    if (!headDim)
      continue;
    int64_t size = domain.getSize(*headDim);
    if (ShapedType::isDynamic(size) || size > 256)
      return match.miss(op.getLoc(),
                        "a head dim is dynamic, or larger than 256");
  }
  return attention;
}

namespace {
/// Q, K, V and O with the dimensions that each is made of.
struct Arrangement {
  SmallVector<SmallVector<unsigned>> query, key, value, output;

  static Arrangement get(const Domain &domain, const Attention &attention) {
    auto atoms = [&](Value tensor, ArrayRef<AffineExpr> at) {
      return *getAtoms(domain, at, cast<RankedTensorType>(tensor.getType()));
    };
    auto ofOperand = [&](const Operand &operand) {
      return atoms(operand.element.value, operand.element.at);
    };
    return {ofOperand(attention.query), ofOperand(attention.key),
            ofOperand(attention.value),
            atoms(attention.output.value, attention.output.at)};
  }
};
} // namespace

static SmallVector<SmallVector<unsigned>> toList(const Roles::Shape &shape) {
  return SmallVector<SmallVector<unsigned>>(shape.begin(), shape.end());
}

static Arrangement getTarget(const Roles &roles, Layout layout) {
  unsigned query = roles.query.value_or(~0u);
  return {toList(roles.getShape(layout, false, query, roles.headDim)),
          toList(roles.getShape(layout, true, *roles.key, roles.headDim)),
          toList(roles.getShape(layout, true, *roles.key, roles.valueDim)),
          toList(roles.getShape(layout, false, query, roles.valueDim))};
}

/// How many of Q, K, V and O have to be transposed.
static int countTransposes(const Arrangement &from, const Arrangement &to) {
  auto differ = [](AtomLists a, AtomLists b) {
    SmallVector<unsigned> flatA, flatB;
    for (const auto &list : a)
      llvm::append_range(flatA, list);
    for (const auto &list : b)
      llvm::append_range(flatB, list);
    return flatA != flatB ? 1 : 0;
  };
  return differ(from.query, to.query) + differ(from.key, to.key) +
         differ(from.value, to.value) + differ(from.output, to.output);
}

/// Builds the op, in the layout that needs fewer transposes, and puts it in the
/// place of the output.
static void build(RewriterBase &rewriter, const Domain &domain,
                  const Attention &attention, Location loc) {
  rewriter.setInsertionPoint(attention.output.value.getDefiningOp());
  Arrangement from = Arrangement::get(domain, attention);
  Layout layout =
      countTransposes(from, getTarget(attention.roles, Layout::BSHD)) <
              countTransposes(from, getTarget(attention.roles, Layout::BHSD))
          ? Layout::BSHD
          : Layout::BHSD;
  Arrangement to = getTarget(attention.roles, layout);

  AtomSizes sizes;
  auto staticSize = [&](unsigned dim) { return domain.getSize(dim); };
  auto learn = [&](const Operand &operand, AtomLists atoms) {
    addAtomSizes(rewriter, loc, operand.element.value, atoms, staticSize,
                 sizes);
  };
  learn(attention.query, from.query);
  learn(attention.key, from.key);
  learn(attention.value, from.value);
  auto arrange = [&](const Operand &operand, AtomLists from, AtomLists to) {
    return rearrange(rewriter, loc, operand.element.value, from, to, sizes);
  };
  Value query = arrange(attention.query, from.query, to.query);
  Value key = arrange(attention.key, from.key, to.key);
  Value value = arrange(attention.value, from.value, to.value);

  auto queryType = cast<RankedTensorType>(query.getType()),
       valueType = cast<RankedTensorType>(value.getType());
  auto target = cast<RankedTensorType>(attention.output.value.getType());
  SmallVector<int64_t> shape(queryType.getShape());
  shape[3] = valueType.getDimSize(3);
  auto outputType = RankedTensorType::get(shape, target.getElementType());
  Value qOffset;
  if (attention.qOffset)
    qOffset = arith::ConstantIndexOp::create(rewriter, loc, *attention.qOffset);
  auto op = AttentionOp::create(
      rewriter, loc, outputType, /*lse=*/Type(), query, key, value, qOffset,
      /*kv_offset=*/Value(), layout,
      attention.causal ? MaskAttrInterface(
                             CausalAttr::get(rewriter.getContext()))
                       : MaskAttrInterface(),
      rewriter.getF32FloatAttr(attention.scale), ScheduleAttr());
  Value result = rearrange(rewriter, loc, op.getOutput(), to.output,
                           from.output, sizes);
  if (result.getType() != target)
    result = tensor::CastOp::create(rewriter, loc, target, result);
  rewriter.replaceAllUsesWith(attention.output.value, result);
}

/// Raises the attention whose second contraction is `op`, if it is one.
static LogicalResult raiseAttention(RewriterBase &rewriter,
                                    linalg::LinalgOp op, bool mayRound) {
  Splits splits;
  // Each restart adds a cut; there are at most as many as factors of sizes.
  constexpr int kMaxRestarts = 32;
  for (int attempt = 0; attempt < kMaxRestarts; ++attempt) {
    Domain domain(op.getContext(), splits);
    Tracer tracer(domain);
    Match match{tracer};
    FailureOr<Attention> attention = matchAttention(match, op, mayRound);
    if (domain.wantsRestart())
      continue;
    if (succeeded(attention)) {
      build(rewriter, domain, *attention, op.getLoc());
      return success();
    }
    if (match.nearMiss) {
      InFlightDiagnostic remark =
          op->emitRemark() << "not raised to flash.attention: "
                           << match.nearMiss->reason;
      if (match.nearMiss->loc != op.getLoc())
        remark.attachNote(match.nearMiss->loc) << "seen here";
    }
    return failure();
  }
  LDBG() << "too many restarts at " << op.getLoc();
  return failure();
}

namespace {
struct RaisePass : flash::impl::RaiseBase<RaisePass> {
  using RaiseBase::RaiseBase;

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> candidates;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (isContraction(op))
        candidates.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : candidates)
      if (succeeded(raiseAttention(rewriter, op, roundProbabilities)))
        ++numRaised;
    if (numRaised > 0)
      (void)runRegionDCE(rewriter, getOperation()->getRegions());
  }
};
} // namespace
