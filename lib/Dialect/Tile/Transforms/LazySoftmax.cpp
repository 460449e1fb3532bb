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
//   ->  %p0 = convert (map(%s, %m) { exp2(s * c - m * c) }) ; %t = reduce add
//   %p0
//       %p, %m1, %l1, %o1 = scf.if any(!(%t < 2^30)) {       // cold
//         %s = mma #flash_tile.mma_sync %q, %k               // once more
//         online_softmax %s, %m, %l ; convert ; map(%a, %o) { a * o }
//       } else { %p0, %m, %l + %t, %o }
//
// Softmax is the same with any reference in place of the maximum, as long as
// nothing overflows: no maximum, no shuffles, no rescaling. The first block's
// maxima are the references; where a row sum grows out of range (a NaN is never
// in range), the warp takes the textbook step with its scores computed again:
// the exponentials have taken their registers. What is summed are the rounded
// probabilities: the largest is no longer exactly 1, and its rounding has to
// cancel; only where the kernel also stores the logarithm of the sum, that has
// to be exact. It runs after the products are scheduled, so that the first
// block is on its own and stays as it is.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "mlir/IR/Dominance.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include <limits>

namespace flash::tile {
#define GEN_PASS_DEF_TILELAZYSOFTMAX
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using flash::ScheduleAttr;
using namespace flash::tile;

static Value constant(OpBuilder &b, Location loc, float value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

namespace {
/// One softmax and what it takes to compute its scores again.
class LazySoftmax {
public:
  explicit LazySoftmax(OnlineSoftmaxOp op)
      : op(op), block(op->getBlock()), loc(op.getLoc()) {}

  /// Empty if the op can be rewritten, else the reason.
  StringRef match();
  void rewrite();

private:
  StringRef matchScores(Value value);
  MapOp findRescale();
  Operation *findPlace();
  Value recomputeScores(OpBuilder &builder);
  void releaseLater(Operation *place);
  Value emitExponentials(OpBuilder &builder);
  Value emitOutOfRange(OpBuilder &builder, Value sum);

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

StringRef LazySoftmax::match() {
  if (auto splat = op.getMax().getDefiningOp<SplatOp>())
    if (matchPattern(splat.getValue(), m_NegInfFloat()))
      return "it is the first block";
  if (StringRef reason = matchScores(op.getScores()); !reason.empty())
    return reason;
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
  bool transposed = isa<MmaOp>(product)
                        ? cast<MmaOp>(product).getTransposeB()
                        : cast<MmaStartOp>(product).getTransposeB();
  auto again = MmaOp::create(
      builder, product->getLoc(), productResult.getType(),
      MmaSyncAttr::get(builder.getContext()), product->getOperand(0),
      product->getOperand(1), /*acc=*/Value(),
      transposed ? builder.getUnitAttr() : UnitAttr());
  mapping.map(productResult, again.getResult());
  for (Operation *needed : slice)
    builder.clone(*needed, mapping);
  return mapping.lookup(op.getScores());
}

/// The tile of keys is read again: it is given back after `place`.
void LazySoftmax::releaseLater(Operation *place) {
  auto get = product->getOperand(1).getDefiningOp<GetOp>();
  if (!get)
    return;
  for (auto release : llvm::make_early_inc_range(block->getOps<ReleaseOp>()))
    if (release.getRing() == get.getRing() && get->isBeforeInBlock(release) &&
        release.getIteration() == get.getIteration() &&
        release->isBeforeInBlock(place))
      release->moveAfter(place);
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

/// Whether a sum of this warp is not below the limit, or not a number.
Value LazySoftmax::emitOutOfRange(OpBuilder &builder, Value sum) {
  // f16 ends at 2^16; bf16 has the exponents of f32.
  bool narrow = convert.getResult().getType().getElementType().isF16();
  float limit = narrow ? 0x1p12f : 0x1p30f;
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

void LazySoftmax::rewrite() {
  OpBuilder builder(op);
  IRMapping fast;
  fast.map(op.getExponentials(), emitExponentials(builder));
  Operation *place = findPlace();
  builder.setInsertionPoint(place);
  Value rounded = builder.clone(*convert, fast)->getResult(0);
  Value sum = ReduceOp::create(
      builder, loc, op.getSum().getType(), ReduceKind::Add,
      storesRows(op) ? fast.lookup(op.getExponentials()) : rounded);
  Value outOfRange = emitOutOfRange(builder, sum);
  auto branch = scf::IfOp::create(
      builder, loc, outOfRange,
      [&](OpBuilder &b, Location l) {
        auto step = OnlineSoftmaxOp::create(b, l, op->getResultTypes(),
                                            recomputeScores(b), op.getMax(),
                                            op.getSum(), op.getScaleAttr());
        IRMapping mapping;
        mapping.map(op->getResults(), step->getResults());
        Value p = b.clone(*convert, mapping)->getResult(0);
        Value last = rescale ? Value(b.clone(*rescale, mapping)->getResult(0))
                             : Value(step.getAlpha());
        scf::YieldOp::create(
            b, l, ValueRange{p, step.getMaxOut(), step.getSumOut(), last});
      },
      [&](OpBuilder &b, Location l) {
        Value added =
            MapOp::create(b, l, TypeRange(op.getSum().getType()),
                          ValueRange{op.getSum(), sum},
                          [&](OpBuilder &n, Location nl, ValueRange args) {
                            YieldOp::create(
                                n, nl,
                                arith::AddFOp::create(n, nl, args[1], args[2])
                                    .getResult());
                          })
                .getResult(0);
        Value last = rescale
                         ? Value(rescale.getInputs()[rescale.getInputs()[0] ==
                                                     op.getAlpha()])
                         : Value(SplatOp::create(b, l, op.getAlpha().getType(),
                                                 constant(b, l, 1.0f)));
        scf::YieldOp::create(b, l,
                             ValueRange{rounded, op.getMax(), added, last});
      });
  releaseLater(branch);
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
    auto schedule =
        getOperation()->getAttrOfType<ScheduleAttr>("flash.schedule");
    if (!schedule || !schedule.getLazy())
      return;
    SmallVector<OnlineSoftmaxOp> ops;
    getOperation().walk([&](OnlineSoftmaxOp op) { ops.push_back(op); });
    for (OnlineSoftmaxOp op : ops) {
      LazySoftmax softmax(op);
      if (StringRef reason = softmax.match(); !reason.empty()) {
        if (reason != "it is the first block")
          op.emitRemark("flash-tile-lazy-softmax keeps the running maximum: ")
              << reason;
        continue;
      }
      softmax.rewrite();
      ++numLazy;
    }
  }
};
} // namespace
