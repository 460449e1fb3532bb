//===- LazySoftmax.cpp - Softmax with a maximum that stays ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %e, %m1, %l1, %a = online_softmax %s, %m, %l
//   %p = convert %e ; %o1 = map(%a, %o) { a * o }
//   ->  %e = map(%s, %m) { exp2(s * c - m * c) } ; %t = reduce add %e
//       %p, %m1, %l1, %o1 = scf.if any(!(%t < 2^4)) {          // warm
//         %p0 = convert %e ; %r = reduce add %p0
//         scf.if any(!(%r < 2^30)) {                           // cold
//           %s = mma #flash_tile.mma_sync %q, %k               // once more
//           online_softmax %s, %m, %l ; convert ; map(%a, %o) { a * o }
//         } else { %p0, %m, %l + %r, %o }
//       } else { convert %e, %m, %l + %t, %o }
//
// Softmax is the same with any reference in place of the maximum, as long as
// nothing overflows: no maximum, no shuffles, no rescaling. The first block's
// maxima are the references; where a row sum grows out of range (a NaN is never
// in range), the warp takes the textbook step with its scores computed again:
// the exponentials have taken their registers. Where probabilities exceed the
// reference's by much, few of them may make up the row; the largest is then not
// exactly 1, and its rounding has to cancel: the rounded ones are summed. To
// sum them always costs 2 % (docs/rationale/gpu.md). Where the kernel also
// stores the logarithm of the sum, that has to be exact. It runs after the
// products are scheduled, so that the first block is on its own and stays as it
// is. So do loops over blocks that masks cut where keys are walked backward:
// in the first (flash-tile-peel-masks) a row may have seen none of its keys
// before, and in a window's last, predicates leave few registers to a cold
// path.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "mlir/IR/Dominance.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

namespace flash::tile {
#define GEN_PASS_DEF_TILELAZYSOFTMAX
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

static Value constant(OpBuilder &b, Location loc, float value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

/// Of steps that are meant to keep the running maximum.
static constexpr StringLiteral keptAsIs = "it makes the reference";

namespace {
/// One softmax and what it takes to compute its scores again.
class LazySoftmax {
public:
  explicit LazySoftmax(OnlineSoftmaxOp op)
      : op(op), block(op->getBlock()), loc(op.getLoc()) {}

  /// Empty if the op can be rewritten, else the reason.
  StringRef match(bool cutExact);
  void rewrite(bool checkEarly);

private:
  StringRef matchScores(Value value);
  bool isCutApart();
  MapOp findRescale();
  Operation *findPlace();
  Value recomputeScores(OpBuilder &builder);
  SmallVector<ReleaseOp> findReleases(Operation *place);
  bool releaseEarly(OpBuilder &builder, ArrayRef<ReleaseOp> releases,
                    Value again);
  Value emitExponentials(OpBuilder &builder);
  Value emitReaches(OpBuilder &builder, Value sum, float limit);
  SmallVector<Value> emitCold(OpBuilder &builder);
  SmallVector<Value> emitKept(OpBuilder &builder, Value rounded, Value sum);

  OnlineSoftmaxOp op;
  Block *block;
  Location loc;
  /// Ops from the product, exclusively, to the scores.
  SetVector<Operation *> slice;
  /// The product: an mma, or a start whose result comes through a wait.
  Operation *product = nullptr;
  Value productResult;
  /// What rounds the exponentials.
  ConvertOp convert;
  /// acc * alpha, done in the cold path only; null if alpha has other uses.
  MapOp rescale;
};
} // namespace

/// Collects what lies between the product and `value`.
StringRef LazySoftmax::matchScores(Value value) {
  Operation *definition = value.getDefiningOp();
  if (!definition || definition->getBlock() != block)
    return "its scores are not computed beside it";
  if (slice.contains(definition))
    return "";
  if (auto wait = dyn_cast<MmaWaitOp>(definition)) {
    Value pending = wait.getPending()[cast<OpResult>(value).getResultNumber()];
    while (auto earlier = pending.getDefiningOp<MmaWaitOp>())
      pending = earlier.getPending()[cast<OpResult>(pending).getResultNumber()];
    definition = pending.getDefiningOp<MmaStartOp>();
  }
  if (isa_and_nonnull<MmaOp, MmaStartOp>(definition)) {
    if (product && product != definition)
      return "its scores come from more than one product";
    product = definition;
    productResult = value;
    return "";
  }
  if (!definition || !isa<MapOp, scf::IfOp>(definition))
    return "its scores are not a product with element-wise functions";
  SetVector<Value> inputs(definition->operand_begin(),
                          definition->operand_end());
  getUsedValuesDefinedAbove(definition->getRegions(), inputs);
  for (Value input : inputs)
    if (isa<FragmentType>(input.getType()))
      if (StringRef reason = matchScores(input); !reason.empty())
        return reason;
  slice.insert(definition);
  return "";
}

/// The one op that multiplies an accumulator with alpha.
MapOp LazySoftmax::findRescale() {
  Value alpha = op.getAlpha();
  if (!alpha.hasOneUse())
    return {};
  auto map = dyn_cast<MapOp>(*alpha.getUsers().begin());
  if (!map || map->getBlock() != block || map.getNumResults() != 1 ||
      map.getInputs().size() != 2)
    return {};
  Block &body = map.getBody().front();
  auto yield = cast<YieldOp>(body.getTerminator());
  auto product = yield.getValues()[0].getDefiningOp<arith::MulFOp>();
  bool bothInputs =
      product && llvm::all_of(body.getArguments().take_back(2),
                              [&](BlockArgument argument) {
                                return argument == product.getLhs() ||
                                       argument == product.getRhs();
                              });
  return bothInputs ? map : MapOp();
}

/// The first op that needs what the softmax gives.
Operation *LazySoftmax::findPlace() {
  Operation *place = block->getTerminator();
  for (Operation *user : op->getUsers()) {
    Operation *ancestor = block->findAncestorOpInBlock(*user);
    if (ancestor && ancestor->isBeforeInBlock(place))
      place = ancestor;
  }
  return place;
}

/// Whether the step's loop is over blocks that masks cut, beside one over whole
/// blocks.
bool LazySoftmax::isCutApart() {
  auto loop = dyn_cast<scf::ForOp>(block->getParentOp());
  return loop && loop->hasAttr(FlashTileDialect::getMaskedAttrName());
}

StringRef LazySoftmax::match(bool cutExact) {
  if (auto splat = op.getMax().getDefiningOp<SplatOp>())
    if (matchPattern(splat.getValue(), m_NegInfFloat()))
      return keptAsIs;
  if (StringRef reason = matchScores(op.getScores()); !reason.empty())
    return reason;
  if (cutExact && isCutApart())
    return keptAsIs;
  if (!product)
    return "its scores do not come from a product";
  if (product->getNumOperands() != 2)
    return "its scores come from a product with an accumulator";
  if (!op.getExponentials().hasOneUse())
    return "its exponentials have more than one use";
  convert = dyn_cast<ConvertOp>(*op.getExponentials().getUsers().begin());
  if (!convert || convert->getBlock() != block)
    return "its exponentials are not rounded beside it";
  rescale = findRescale();
  if (rescale) {
    Value acc = rescale.getInputs()[rescale.getInputs()[0] == op.getAlpha()];
    if (!DominanceInfo().properlyDominates(acc, findPlace()))
      rescale = {};
  }
  return "";
}

/// The ops of the slice once more, from a product that each warp does alone.
Value LazySoftmax::recomputeScores(OpBuilder &builder) {
  IRMapping mapping;
  UnitAttr transposeA, transposeB;
  llvm::TypeSwitch<Operation *>(product).Case<MmaOp, MmaStartOp>([&](auto op) {
    transposeA = op.getTransposeAAttr();
    transposeB = op.getTransposeBAttr();
  });
  auto again = MmaOp::create(
      builder, product->getLoc(), productResult.getType(),
      MmaSyncAttr::get(builder.getContext()), product->getOperand(0),
      product->getOperand(1), /*acc=*/Value(), transposeA, transposeB);
  mapping.map(productResult, again.getResult());
  for (Operation *needed : slice)
    builder.clone(*needed, mapping);
  return mapping.lookup(op.getScores());
}

/// What gives the tile of keys back, before `place`: it is read again.
SmallVector<ReleaseOp> LazySoftmax::findReleases(Operation *place) {
  SmallVector<ReleaseOp> releases;
  auto get = product->getOperand(1).getDefiningOp<GetOp>();
  if (!get)
    return releases;
  for (auto release : block->getOps<ReleaseOp>())
    if (release.getRing() == get.getRing() && get->isBeforeInBlock(release) &&
        release.getIteration() == get.getIteration() &&
        release->isBeforeInBlock(place))
      releases.push_back(release);
  return releases;
}

/// Where nothing will be computed again, the keys are given back at once,
/// before the wait for a product in flight. That also keeps the assembler from
/// putting exponentials after the wait. False if a release is a barrier of all
/// warps: one cannot stand in a warp's branch.
bool LazySoftmax::releaseEarly(OpBuilder &builder, ArrayRef<ReleaseOp> releases,
                               Value again) {
  if (releases.empty() || llvm::any_of(releases, [](ReleaseOp release) {
        return release.getRing().getType().getKind() != RingKind::MBarrier;
      }))
    return false;
  auto branch = scf::IfOp::create(builder, loc, again,
                                  /*withElseRegion=*/true);
  OpBuilder inside = branch.getElseBodyBuilder();
  for (ReleaseOp release : releases)
    inside.clone(*release.getOperation());
  return true;
}

/// Exponentials with the old reference.
Value LazySoftmax::emitExponentials(OpBuilder &builder) {
  float c = op.getScale().convertToFloat() * 1.44269504088896340736f;
  Type row = op.getMax().getType(), scores = op.getScores().getType();
  // A row that has seen nothing yet has no reference: any visible score
  // overflows.
  Value shift =
      MapOp::create(
          builder, loc, TypeRange(row), ValueRange(op.getMax()),
          [&](OpBuilder &b, Location l, ValueRange args) {
            constexpr float inf = std::numeric_limits<float>::infinity();
            constexpr float huge = std::numeric_limits<float>::max();
            Value none = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OEQ,
                                               args[1], constant(b, l, -inf));
            Value scaled =
                arith::MulFOp::create(b, l, args[1], constant(b, l, -c));
            YieldOp::create(b, l,
                            arith::SelectOp::create(
                                b, l, none, constant(b, l, huge), scaled)
                                .getResult());
          })
          .getResult(0);
  return MapOp::create(
             builder, loc, TypeRange(scores), ValueRange{op.getScores(), shift},
             [&](OpBuilder &b, Location l, ValueRange args) {
               Value exponent = math::FmaOp::create(b, l, args[2],
                                                    constant(b, l, c), args[3]);
               YieldOp::create(
                   b, l, math::Exp2Op::create(b, l, exponent).getResult());
             })
      .getResult(0);
}

/// Whether a sum of this warp is not below `limit`, or not a number.
Value LazySoftmax::emitReaches(OpBuilder &builder, Value sum, float limit) {
  auto sumType = cast<FragmentType>(sum.getType());
  auto flags = FragmentType::get(sumType.getShape(), builder.getI1Type(),
                                 sumType.getLayout());
  Value out =
      MapOp::create(builder, loc, TypeRange(flags), ValueRange(sum),
                    [&](OpBuilder &b, Location l, ValueRange args) {
                      // Unordered: true for NaN.
                      YieldOp::create(
                          b, l,
                          arith::CmpFOp::create(b, l, arith::CmpFPredicate::UGE,
                                                args[1], constant(b, l, limit))
                              .getResult());
                    })
          .getResult(0);
  return AnyOp::create(builder, loc, builder.getI1Type(), out);
}

/// The textbook step: probabilities, maximum, sum, and the accumulator or the
/// factor that rescales it.
SmallVector<Value> LazySoftmax::emitCold(OpBuilder &builder) {
  auto step = OnlineSoftmaxOp::create(builder, loc, op->getResultTypes(),
                                      recomputeScores(builder), op.getMax(),
                                      op.getSum(), op.getScaleAttr());
  IRMapping mapping;
  mapping.map(op->getResults(), step->getResults());
  Value p = builder.clone(*convert, mapping)->getResult(0);
  Value last = rescale ? Value(builder.clone(*rescale, mapping)->getResult(0))
                       : Value(step.getAlpha());
  return {p, step.getMaxOut(), step.getSumOut(), last};
}

/// The same where the reference stays: `sum` is added, nothing rescaled.
SmallVector<Value> LazySoftmax::emitKept(OpBuilder &builder, Value rounded,
                                         Value sum) {
  Value added =
      MapOp::create(
          builder, loc, TypeRange(op.getSum().getType()),
          ValueRange{op.getSum(), sum},
          [&](OpBuilder &b, Location l, ValueRange args) {
            YieldOp::create(
                b, l,
                arith::AddFOp::create(b, l, args[1], args[2]).getResult());
          })
          .getResult(0);
  Value last;
  if (rescale)
    last = rescale.getInputs()[rescale.getInputs()[0] == op.getAlpha()];
  else
    last = SplatOp::create(builder, loc, op.getAlpha().getType(),
                           constant(builder, loc, 1.0f));
  return {rounded, op.getMax(), added, last};
}

/// Whether the kernel stores row vectors: the LSE.
static bool storesRows(OnlineSoftmaxOp op) {
  WalkResult walk =
      op->getParentOfType<gpu::GPUFuncOp>().walk([](StoreOp store) {
        return store.getValue().getType().getRank() == 1
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      });
  return walk.wasInterrupted();
}

void LazySoftmax::rewrite(bool checkEarly) {
  OpBuilder builder(op);
  Operation *place = findPlace();
  IRMapping fast;
  fast.map(op.getExponentials(), emitExponentials(builder));
  auto sumUp = [&](OpBuilder &b, Value probabilities) -> Value {
    return ReduceOp::create(b, loc, op.getSum().getType(), ReduceKind::Add,
                            probabilities);
  };
  // f16 ends at 2^16; bf16 has the exponents of f32.
  bool narrow = convert.getResult().getType().getElementType().isF16();
  float outOfRange = narrow ? 0x1p12f : 0x1p30f, large = 0x1p4f;
  bool exact = storesRows(op);
  if (!checkEarly)
    builder.setInsertionPoint(place);
  Value sum = sumUp(builder, fast.lookup(op.getExponentials()));
  Value reaches = emitReaches(builder, sum, exact ? outOfRange : large);
  SmallVector<ReleaseOp> releases = findReleases(place);
  bool early = checkEarly && releaseEarly(builder, releases, reaches);

  builder.setInsertionPoint(place);
  Value rounded = builder.clone(*convert, fast)->getResult(0);
  auto warm = [&](OpBuilder &b, Location l) -> SmallVector<Value> {
    Value roundedSum = sumUp(b, rounded);
    return scf::IfOp::create(
               b, l, emitReaches(b, roundedSum, outOfRange),
               [&](OpBuilder &n, Location nl) {
                 scf::YieldOp::create(n, nl, emitCold(n));
               },
               [&](OpBuilder &n, Location nl) {
                 scf::YieldOp::create(n, nl, emitKept(n, rounded, roundedSum));
               })
        .getResults();
  };
  auto branch = scf::IfOp::create(
      builder, loc, reaches,
      [&](OpBuilder &b, Location l) {
        SmallVector<Value> results = exact ? emitCold(b) : warm(b, l);
        if (early)
          for (ReleaseOp release : releases)
            b.clone(*release);
        scf::YieldOp::create(b, l, results);
      },
      [&](OpBuilder &b, Location l) {
        scf::YieldOp::create(b, l, emitKept(b, rounded, sum));
      });
  for (ReleaseOp release : releases) {
    if (early)
      release.erase();
    else
      release->moveAfter(branch);
  }
  convert.getResult().replaceAllUsesWith(branch.getResult(0));
  op.getMaxOut().replaceAllUsesWith(branch.getResult(1));
  op.getSumOut().replaceAllUsesWith(branch.getResult(2));
  Value replaced = rescale ? Value(rescale.getResult(0)) : Value(op.getAlpha());
  replaced.replaceAllUsesWith(branch.getResult(3));
  convert.erase();
  if (rescale)
    rescale.erase();

  op.erase();
}

namespace {
struct TileLazySoftmaxPass
    : flash::tile::impl::TileLazySoftmaxBase<TileLazySoftmaxPass> {
  using TileLazySoftmaxBase::TileLazySoftmaxBase;

  void runOnOperation() override {
    PassGate<LazySoftmaxAttr> gate(
        getOperation(), "it has no softmax that follows a first one");
    if (!gate)
      return;
    SmallVector<OnlineSoftmaxOp> ops;
    getOperation().walk([&](OnlineSoftmaxOp op) { ops.push_back(op); });
    for (OnlineSoftmaxOp op : ops) {
      LazySoftmax softmax(op);
      if (StringRef reason = softmax.match(gate->getCutExact());
          !reason.empty()) {
        if (reason != keptAsIs)
          gate.leave(reason);
        continue;
      }
      softmax.rewrite(gate->getEarlyCheck());
      gate.worked();
      ++numLazy;
    }
  }
};
} // namespace
