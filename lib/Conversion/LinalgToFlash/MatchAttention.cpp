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

static bool isInputType(Type type) {
  return type.isF64() || type.isF32() || type.isF16() || type.isBF16();
}

/// The type that two types are widened to.
static Type widest(Type a, Type b) {
  if (a == b)
    return a;
  unsigned bitsA = a.getIntOrFloatBitWidth(), bitsB = b.getIntOrFloatBitWidth();
  if (bitsA == bitsB)
    return Float32Type::get(a.getContext()); // f16 and bf16
  return bitsA > bitsB ? a : b;
}

namespace {
/// An operand, and what it was peeled from.
struct Peeled {
  Operand *operand;
  Scalar from;
  Peeling peeling;
};
} // namespace

/// Where one of Q, K and V alone lacks a dimension of the output, such as
/// learned queries that are the same in the whole batch, it is read as it is
/// broadcast.
static void keepBroadcast(Tracer &tracer, ArrayRef<AffineExpr> output,
                          unsigned keyDim, MutableArrayRef<Peeled> operands) {
  auto has = [](ArrayRef<AffineExpr> at, unsigned dim) {
    return llvm::any_of(
        at, [&](AffineExpr index) { return index.isFunctionOfDim(dim); });
  };
  for (unsigned dim = 0; dim < tracer.getDomain().getNumDims(); ++dim) {
    SmallVector<Peeled *> lacking;
    for (Peeled &peeled : operands)
      if (!has(peeled.operand->element.at, dim))
        lacking.push_back(&peeled);
    if (dim == keyDim || lacking.size() != 1 || !has(output, dim))
      continue;
    Peeled &one = *lacking.front();
    one.peeling.dims.push_back(dim);
    Operand whole = peelOperand(tracer, one.from, one.peeling);
    if (whole.element.isElement())
      *one.operand = whole;
  }
}

/// Q, K and V, as 16-bit tensors if the probabilities are rounded alike.
static LogicalResult matchOperands(Match &match, const Softmax &softmax,
                                   const Contraction &scores, Scalar value,
                                   ArrayRef<AffineExpr> output, unsigned keyDim,
                                   Attention &attention) {
  Tracer &tracer = match.tracer;
  linalg::LinalgOp product = scores.op;
  // The value as it is: a factor would have to go to the output.
  attention.value =
      peelOperand(tracer, value, {/*casts=*/true, /*factors=*/false});
  Type type = attention.value.getType();
  bool casts = match.options.roundProbabilities ||
               softmax.bits <= type.getIntOrFloatBitWidth();
  if (!casts) {
    attention.value =
        peelOperand(tracer, value, {/*casts=*/false, /*factors=*/false});
    type = attention.value.getType();
  }
  if (!attention.value.element.isElement() || softmax.bits > 64 ||
      (!casts && type.getIntOrFloatBitWidth() < 32))
    return match.miss(value.getLoc(),
                      "the probabilities are not rounded to the value's type");
  // What a wider value needs is not taken from before it is widened.
  casts &= type.getIntOrFloatBitWidth() < 32;
  auto peel = [&](const Scalar &scalar) {
    Operand operand = peelOperand(tracer, scalar, {casts, /*factors=*/true});
    return operand.element.isElement()
               ? operand
               : peelOperand(tracer, scalar, {true, /*factors=*/true});
  };
  attention.query = peel(scores.lhs);
  attention.key = peel(scores.rhs);
  // Which factor is the key shows by the dimension of keys; what is no element
  // has all dimensions of the contraction.
  Scalar query = scores.lhs, key = scores.rhs;
  auto hasKey = [&](const Operand &operand) {
    return llvm::any_of(operand.element.at, [&](AffineExpr index) {
      return index.isFunctionOfDim(keyDim);
    });
  };
  if (attention.query.element.isElement() ? hasKey(attention.query)
                                          : !hasKey(attention.key))
  {
    std::swap(attention.query, attention.key);
    std::swap(query, key);
  }
  Peeled peeled[] = {
      {&attention.query, query, {casts, /*factors=*/true}},
      {&attention.key, key, {casts, /*factors=*/true}},
      {&attention.value, value, {casts, /*factors=*/false}}};
  keepBroadcast(tracer, output, keyDim, peeled);
  attention.element = type;
  for (auto [name, operand] :
       {std::pair("query", &attention.query), {"key", &attention.key}}) {
    if (!operand->element.isElement())
      return match.miss(product.getLoc(),
                        Twine("the ") + name + " is not a tensor");
    Type own = operand->getType();
    if (!isInputType(own) || !isInputType(type))
      return match.miss(product.getLoc(), "the element type is not f64, f32, "
                                          "f16 or bf16");
    attention.element = widest(attention.element, own);
  }
  return success();
}

/// Says that 16-bit operands are widened because the probabilities are not
/// rounded, and what rounds them.
static void adviseRounding(Match &match, const Contraction &product,
                           const Contraction &scores, const Scalar &value,
                           Type element) {
  if (match.options.roundProbabilities || element.getIntOrFloatBitWidth() <= 16)
    return;
  Type narrow;
  for (const Scalar &scalar : {value, scores.lhs, scores.rhs}) {
    Operand operand =
        peelOperand(match.tracer, scalar,
                    {/*casts=*/true, /*factors=*/&scalar != &value});
    if (!operand.element.isElement() || !isInputType(operand.getType()))
      return;
    narrow = narrow ? widest(narrow, operand.getType()) : operand.getType();
  }
  if (narrow.getIntOrFloatBitWidth() != 16)
    return;
  linalg::LinalgOp op = product.op;
  std::string from, to;
  llvm::raw_string_ostream(from) << element;
  llvm::raw_string_ostream(to) << narrow;
  match.advise(op.getLoc(),
               "in " + from + ": '" + op->getName().getStringRef().str() +
                   "' takes the probabilities in " + from +
                   ", so that " + to +
                   " operands are widened; --flash-raise=round-probabilities "
                   "rounds them to " +
                   to + ", and takes the operands as they are");
}

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
  if (failed(matchOperands(match, *softmax, scores->product, value,
                           product->at, keyDim, attention)))
    return failure();

  auto output =
      followOutput(match, *product, *softmax, *key, attention.element);
  if (failed(output))
    return failure();
  attention.output = *output;
  adviseRounding(match, *product, scores->product, value, attention.element);

  // A mask that compares another dimension with the key's says which is the
  // query's.
  std::optional<unsigned> queryHint;
  for (const Mask &mask : scores->masks)
    for (const Clause &clause : mask.visible)
      for (const Literal &literal : clause)
        for (const LinearSum::Term &term :
             literal.sum.value_or(LinearSum()).terms)
          if (term.dim != keyDim)
            queryHint = term.dim;
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
    if (ShapedType::isDynamic(size) || size > 256)
      return match.miss(op.getLoc(),
                        "a head dim is dynamic, or larger than 256");
  }
  if (failed(matchFunctions(match, *scores, masks, attention, op.getLoc())))
    return failure();
  auto queries = getNumQueries(tracer, attention),
       keys = getNumKeys(tracer, attention);
  attention.isSquare = queries && keys && *queries == *keys;
  return attention;
}
