//===- MatchAttention.cpp - The matchers, one after the other ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From the second contraction inwards: softmax, scores, first contraction,
// operands, output, dimensions, masks.
//
//===----------------------------------------------------------------------===//

#include "Attention.h"
#include "Conditions.h"
#include "VisibleRows.h"

using namespace mlir;
using namespace flash;
using namespace flash::raise;

/// Masks of positions make a window, the others a region.
static LogicalResult matchMasks(Match &match, const Scores &scores,
                                Attention &attention, Clauses &others) {
  Tracer &tracer = match.tracer;
  bool infinite = true;
  for (const Mask &mask : scores.masks) {
    for (const Clause &clause : mask.visible) {
      bool isSingle = clause.size() == 1 && clause.front().sum;
      auto window = isSingle ? matchWindow(*clause.front().sum, attention.roles)
                             : std::nullopt;
      if (!window || !attention.window.intersect(*window))
        others = conjoin(tracer, std::move(others), {clause});
    }
    infinite &= mask.infinite;
  }
  if (infinite || match.options.finiteMinimaHide)
    return success();
  auto conditions = whenEachQuerySees(tracer, attention, scores.masks, others);
  // An attention whose parts are merged by LSE may well see no key.
  if (!conditions || (!conditions->empty() && attention.lse)) {
    match.wantsFiniteMasksKept = true;
    return failure();
  }
  attention.seesIf = *conditions;
  return success();
}

/// What is added to the scores and is not one of batch, heads, queries and keys
/// is read in a region. The functions before it are additions, which commute,
/// or go to the region, too.
static void placeBiases(const Domain &domain, const Roles &roles,
                        std::vector<ScoreFunction> &functions) {
  auto isPlaced = [&](const ScoreFunction &function) {
    return function.kind != ScoreFunction::Bias ||
           getBiasShape(domain, roles, function.scalar);
  };
  auto last = llvm::find_if_not(llvm::reverse(functions), isPlaced);
  if (last == functions.rend())
    return;
  auto end = last.base();
  ScoreFunction region{ScoreFunction::Region};
  std::vector<ScoreFunction> kept;
  if (llvm::all_of(llvm::make_range(functions.begin(), end),
                   [](const ScoreFunction &function) {
                     return function.kind == ScoreFunction::Bias;
                   })) {
    for (const ScoreFunction &function :
         llvm::make_range(functions.begin(), end)) {
      if (isPlaced(function))
        kept.push_back(function);
      else
        region.addends.push_back(function.scalar);
    }
  } else {
    region.scalar = last->whole;
  }
  llvm::append_range(kept, llvm::make_range(end, functions.end()));
  functions.assign(1, region);
  llvm::append_range(functions, kept);
}

/// The factor of the product where it first stands in a scalar.
static std::optional<double> findScale(Tracer &tracer, Scalar scalar,
                                       const Contraction &product) {
  if (auto scale = getScaleOf(tracer, scalar, product))
    return scale;
  scalar = tracer.traceCasts(scalar);
  Operation *def = scalar.getDefiningOp();
  if (!def || scalar.isElement())
    return std::nullopt;
  for (unsigned i = 0; i < def->getNumOperands(); ++i)
    if (auto scale = findScale(tracer, tracer.operand(scalar, i), product))
      return scale;
  return std::nullopt;
}

/// Score functions as attributes where there is one, and the region.
static LogicalResult matchFunctions(Match &match, Scores &scores,
                                    const Clauses &masks, Attention &attention,
                                    Location loc) {
  Type element = attention.element;
  Type scoreType =
      element.isF64() ? element : Float32Type::get(element.getContext());
  LinearSum firstQuery = attention.window.getMask(element.getContext()).second;
  placeBiases(match.tracer.getDomain(), attention.roles, scores.functions);
  attention.regions = std::make_unique<RegionWriter>(
      match, attention.roles, scores.product, scoreType, firstQuery);
  double operandScale = attention.query.scale * attention.key.scale;
  for (ScoreFunction &function : scores.functions) {
    if (function.kind != ScoreFunction::Region)
      continue;
    if (!function.addends.empty()) {
      if (failed(attention.regions->writeSum(function.addends)))
        return failure();
      continue;
    }
    // The region is given the scaled product: its scale is the first in it.
    scores.scale =
        findScale(match.tracer, function.scalar, scores.product).value_or(1);
    if (failed(attention.regions->writeScore(function.scalar, function.factor,
                                             scores.scale)))
      return failure();
  }
  attention.scale = scores.scale * operandScale;
  if (!std::isfinite(attention.scale))
    return match.miss(loc, "the scale is not finite");
  attention.functions = scores.functions;
  return masks.empty() ? success() : attention.regions->writeMask(masks, loc);
}

/// A sink is one number for each head, or for all.
static LogicalResult matchSinks(Match &match, const Softmax &softmax,
                                Attention &attention) {
  attention.sinkNumber = softmax.sinkNumber;
  if (!softmax.sink)
    return success();
  const Domain &domain = match.tracer.getDomain();
  Operand sink = peelOperand(match.tracer, *softmax.sink,
                             {/*casts=*/true, /*factors=*/false});
  auto fail = [&] {
    return match.miss(softmax.sink->getLoc(),
                      "the sink is not one number for each head: give a tensor "
                      "of heads, broadcast to a column");
  };
  if (!sink.element.isElement())
    return fail();
  auto atoms = getAtoms(domain, sink.element.at,
                        cast<RankedTensorType>(sink.element.value.getType()));
  if (!atoms)
    return fail();
  SmallVector<unsigned> heads(attention.roles.keyHeads), present;
  llvm::append_range(heads, attention.roles.groups);
  for (const SmallVector<unsigned> &list : *atoms)
    llvm::append_range(present, list);
  llvm::sort(heads);
  llvm::sort(present);
  if (heads != present)
    return fail();
  attention.sink = sink;
  return success();
}

bool flash::raise::hasSplitQueries(const Domain &domain,
                                   const Attention &attention) {
  const Roles &roles = attention.roles;
  const Scalar &query = attention.query.element;
  if (!roles.query)
    return false;
  return llvm::any_of(roles.groups, [&](unsigned group) {
    return domain.areOfOneLoop(group, *roles.query) &&
           llvm::any_of(query.at, [&](AffineExpr index) {
             return index.isFunctionOfDim(group) &&
                    index.isFunctionOfDim(*roles.query);
           });
  });
}

/// A mask that compares another dimension with the key's says which is the
/// query's; one that compares a position of run time says that it is one query.
static QueryHint getQueryHint(const Scores &scores, unsigned keyDim) {
  QueryHint hint;
  for (const Mask &mask : scores.masks)
    for (const Clause &clause : mask.visible)
      for (const Literal &literal : clause) {
        if (!literal.sum)
          continue;
        bool isOfKey = false, isOfMore = false;
        for (const LinearSum::Term &term : literal.sum->terms) {
          (term.dim == keyDim ? isOfKey : isOfMore) = true;
          if (term.dim != keyDim)
            hint.dim = term.dim;
        }
        hint.isSingle |= isOfKey && !isOfMore && !literal.sum->symbols.empty();
      }
  return hint;
}

FailureOr<Attention> flash::raise::matchAttention(Match &match,
                                                  linalg::LinalgOp op) {
  Tracer &tracer = match.tracer;
  Domain &domain = tracer.getDomain();
  Indices loops;
  std::optional<AffineExpr> key;
  for (auto [kind, size] :
       llvm::zip(op.getIteratorTypesArray(), op.getStaticLoopRanges())) {
    loops.push_back(domain.addLoop(size));
    if (kind != utils::IteratorType::reduction || size == 1)
      continue;
    if (key) {
      explainSumOverMore(match, op);
      return failure();
    }
    key = loops.back();
    domain.keepWhole(cast<AffineDimExpr>(*key).getPosition());
  }
  if (match.keepQueriesWhole)
    for (auto [number, loop] : llvm::enumerate(loops)) {
      auto isRead = [&, number = number](OpOperand *input) {
        return op.getMatchingIndexingMap(input).isFunctionOfDim(number);
      };
      if (auto dim = dyn_cast<AffineDimExpr>(loop);
          dim && llvm::count_if(op.getDpsInputOperands(), isRead) == 1)
        domain.keepWhole(dim.getPosition());
    }
  std::optional<Contraction> product = getContraction(tracer, op, loops);
  if (!product && key)
    explainAccumulation(match, op);
  if (!product || !key)
    return failure();

  Scalar value = product->rhs;
  FailureOr<Softmax> softmax = matchSoftmax(match, product->lhs, *key);
  if (failed(softmax) && !match.nearMiss) {
    value = product->lhs;
    softmax = matchSoftmax(match, product->rhs, *key);
  }
  if (failed(softmax)) {
    if (!match.nearMiss)
      explainChangedSoftmax(match, *product);
    return failure();
  }
  unsigned keyDim = cast<AffineDimExpr>(*key).getPosition();
  FailureOr<Scores> scores = matchScores(match, *softmax, *key);
  if (failed(scores))
    return failure();
  Attention attention;
  if (failed(matchOperands(match, *softmax, *product, scores->product, value,
                           keyDim, attention)))
    return failure();

  auto output =
      followOutput(match, *product, *softmax, *key, attention.element);
  if (failed(output))
    return failure();
  attention.output = *output;
  QueryHint queryHint = getQueryHint(*scores, keyDim);
  FailureOr<Roles> roles =
      matchRoles(match, attention.query, attention.key, attention.value,
                 attention.output.at, op.getLoc(), queryHint, keyDim);
  if (failed(roles))
    return failure();
  attention.roles = *roles;
  Clauses masks;
  if (failed(matchSinks(match, *softmax, attention)))
    return failure();
  attention.lse = findLogSumExp(match, *softmax, scores->product);
  if (failed(checkOnlyUse(match, scores->product, *output, attention.lse)) ||
      failed(matchMasks(match, *scores, attention, masks)))
    return failure();
  for (const Operand *operand : {&attention.query, &attention.value}) {
    auto headDim =
        operand == &attention.query ? roles->headDim : roles->valueDim;
    if (!headDim)
      continue;
    int64_t size = domain.getSize(*headDim);
    constexpr int64_t kMostHeadDim = 4096;
    if (ShapedType::isDynamic(size) || size > kMostHeadDim)
      return match.miss(op.getLoc(),
                        "a head dim is dynamic, or larger than 4096; give it a "
                        "size that is known");
  }
  if (failed(matchFunctions(match, *scores, masks, attention, op.getLoc())))
    return failure();
  auto queries = getNumQueries(tracer, attention),
       keys = getNumKeys(tracer, attention);
  attention.isSquare = queries && keys && *queries == *keys;
  return attention;
}
