//===- TileElementwise.cpp - Element-wise ops as loops over tiles ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %y = linalg.generic ins(%x, %w : tensor<?x8x?x64xbf16>, tensor<64xbf16>)
//   {mulf}
//   ->
//   %y = scf.forall (%b, %h, %i) in (...) {
//     %t = tensor.extract_slice %x[%b, %h, %i * 64, 0] [1, 1, %rows, 64]
//     %r = linalg.generic ins(%t) { mulf %in, (tensor.extract %w[%j]) }
//   }
//
// What a program does to tensors before and after an attention, on a GPU: a
// kernel for each chain of such ops. Operands that have the tile's rows and
// columns are read as tiles, others element by element. A CPU has loops and
// vectors for it, and does not need this.
//
//===----------------------------------------------------------------------===//

#include "TileUtils.h"

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace flash {
#define GEN_PASS_DEF_TILEELEMENTWISE
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

namespace {
constexpr int64_t kRows = 64, kColumns = 128, kVector = 128;

/// The loop over tiles of one op.
class ElementwiseTiler {
public:
  ElementwiseTiler(RewriterBase &rewriter, linalg::GenericOp op)
      : b(rewriter), op(op), loc(op.getLoc()), index(rewriter, op.getLoc()),
        rank(op.getNumLoops()), isVector(rank == 1) {}

  SmallVector<Value> tile();

private:
  OpFoldResult existing(Value first, int64_t dim, int64_t most);
  /// Whether an operand is read as a tile.
  bool hasTile(OpOperand &operand);
  Value readTile(OpOperand &operand);
  Value readElement(OpBuilder &nested, OpOperand &operand,
                    ArrayRef<Value> position);
  /// Offsets and sizes of the tile in a tensor with this map.
  void slice(AffineMap map, SmallVector<OpFoldResult> &offsets,
             SmallVector<OpFoldResult> &sizes);

  RewriterBase &b;
  linalg::GenericOp op;
  Location loc;
  IndexBuilder index;
  int64_t rank;
  bool isVector;
  /// Sizes of the loops.
  SmallVector<OpFoldResult> sizes;
  /// The tile's shape, padded, and how much of it there is.
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> exist;
  /// Where it begins in each loop.
  SmallVector<Value> first;
  SmallVector<Value> results;
};
} // namespace

/// Columns of a tile: all, or a divisor of them.
static std::optional<int64_t> chooseColumns(int64_t all) {
  if (all <= kColumns)
    return roundUp(all, 8);
  for (int64_t columns = kColumns; columns >= 32; columns -= 8)
    if (all % columns == 0)
      return columns;
  return std::nullopt;
}

static bool isFloat(Type type) {
  return type.isF32() || type.isF16() || type.isBF16();
}

/// Why an op has no such loop; nothing where it has.
static const char *findObstacle(linalg::GenericOp op) {
  if (op.getNumParallelLoops() != op.getNumLoops() || op.getNumLoops() == 0)
    return "it reduces";
  for (OpOperand &init : op.getDpsInitsMutable()) {
    auto type = dyn_cast<RankedTensorType>(init.get().getType());
    if (!type || !op.getMatchingIndexingMap(&init).isIdentity())
      return "it does not write its results in the order of its loops";
    if (!isFloat(type.getElementType()))
      return "its result is not f32, f16 or bf16";
    if (type.getRank() > 1 && (type.isDynamicDim(type.getRank() - 1) ||
                               !chooseColumns(type.getShape().back())))
      return "its last dimension is not known, or over 128 and of no divisor "
             "that is a multiple of 8";
  }
  for (AffineMap map : op.getIndexingMapsArray())
    if (!map.isProjectedPermutation(/*allowZeroInResults=*/true))
      return "it reads an operand by more than a choice of dimensions";
  return nullptr;
}

OpFoldResult ElementwiseTiler::existing(Value start, int64_t dim,
                                        int64_t most) {
  if (std::optional<int64_t> all = getConstantIntValue(sizes[dim]))
    if (*all % most == 0)
      return b.getIndexAttr(most);
  Value rest =
      index.sub(getValueOrCreateConstantIndexOp(b, loc, sizes[dim]), start);
  return getAsOpFoldResult(index.min(rest, index.constant(most)));
}

bool ElementwiseTiler::hasTile(OpOperand &operand) {
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  // Constants are memory of the kernels, which has no tiles.
  if (!type || !isFloat(type.getElementType()) ||
      operand.get().getDefiningOp<arith::ConstantOp>())
    return false;
  // Rows before columns, which lie side by side.
  AffineMap map = op.getMatchingIndexingMap(&operand);
  auto row = map.getResultPosition(b.getAffineDimExpr(isVector ? 0 : rank - 2)),
       column = map.getResultPosition(b.getAffineDimExpr(rank - 1));
  return row && column && *row <= *column && *column + 1 == map.getNumResults();
}

void ElementwiseTiler::slice(AffineMap map, SmallVector<OpFoldResult> &offsets,
                             SmallVector<OpFoldResult> &extents) {
  int64_t tiled = rank - int64_t(shape.size());
  for (AffineExpr expr : map.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    int64_t loop = dim ? dim.getPosition() : -1;
    offsets.push_back(dim ? getAsOpFoldResult(first[loop])
                          : OpFoldResult(b.getIndexAttr(0)));
    extents.push_back(loop >= tiled ? exist[loop - tiled]
                                    : OpFoldResult(b.getIndexAttr(1)));
  }
}

Value ElementwiseTiler::readTile(OpOperand &operand) {
  Value tensor = operand.get();
  Type element = getElementTypeOrSelf(tensor.getType());
  SmallVector<OpFoldResult> offsets, extents;
  slice(op.getMatchingIndexingMap(&operand), offsets, extents);
  SmallVector<int64_t> part;
  for (OpFoldResult size : exist)
    part.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  SmallVector<OpFoldResult> ones(offsets.size(), b.getIndexAttr(1));
  Value tile = tensor::ExtractSliceOp::create(
      b, loc, RankedTensorType::get(part, element), tensor, offsets, extents,
      ones);
  if (part == shape)
    return tile;
  SmallVector<OpFoldResult> low(shape.size(), b.getIndexAttr(0)), high;
  for (auto [size, whole] : llvm::zip(exist, shape)) {
    std::optional<int64_t> known = getConstantIntValue(size);
    high.push_back(known ? OpFoldResult(b.getIndexAttr(whole - *known))
                         : getAsOpFoldResult(index.sub(index.constant(whole),
                                                       cast<Value>(size))));
  }
  Value zero = arith::ConstantOp::create(
      b, loc, cast<TypedAttr>(b.getZeroAttr(element)));
  return tensor::PadOp::create(b, loc, RankedTensorType::get(shape, element),
                               tile, low, high, zero);
}

/// An element at a place that exists: what pads a tile asks for the last.
Value ElementwiseTiler::readElement(OpBuilder &nested, OpOperand &operand,
                                    ArrayRef<Value> position) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  auto type = cast<RankedTensorType>(operand.get().getType());
  IndexBuilder inside(nested, loc);
  SmallVector<Value> indices;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop) {
      indices.push_back(inside.constant(0));
      continue;
    }
    Value place = position[loop.getPosition()];
    int64_t tiled =
        int64_t(loop.getPosition()) - (rank - int64_t(shape.size()));
    if (tiled >= 0 && getConstantIntValue(exist[tiled]) != shape[tiled]) {
      Value size = type.isDynamicDim(dim)
                       ? index.dim(operand.get(), int64_t(dim))
                       : index.constant(type.getDimSize(dim));
      place = inside.min(place, index.sub(size, index.constant(1)));
    }
    indices.push_back(place);
  }
  return tensor::ExtractOp::create(nested, loc, operand.get(), indices);
}

SmallVector<Value> ElementwiseTiler::tile() {
  auto type = cast<RankedTensorType>(op.getDpsInits()[0].getType());
  Value init = op.getDpsInits()[0];
  auto empty = init.getDefiningOp<tensor::EmptyOp>();
  sizes = empty ? empty.getMixedSizes() : tensor::getMixedSizes(b, loc, init);
  SmallVector<Value> outs;
  for (Value each : op.getDpsInits())
    outs.push_back(tensor::EmptyOp::create(
        b, loc, sizes, getElementTypeOrSelf(each.getType())));
  if (isVector)
    shape = {kVector};
  else
    shape = {kRows, *chooseColumns(type.getShape().back())};
  int64_t tiled = rank - int64_t(shape.size());
  SmallVector<OpFoldResult> blocks(sizes.begin(), sizes.begin() + tiled);
  for (auto [n, size] : llvm::enumerate(shape))
    blocks.push_back(getAsOpFoldResult(index.ceilDiv(
        getValueOrCreateConstantIndexOp(b, loc, sizes[tiled + n]), size)));
  auto forall = scf::ForallOp::create(b, loc, blocks, outs,
                                      /*mapping=*/std::nullopt);
  b.setInsertionPoint(forall.getTerminator());
  for (auto [dim, variable] : llvm::enumerate(forall.getInductionVars())) {
    int64_t n = int64_t(dim) - tiled;
    first.push_back(n < 0 ? variable
                          : index.mul(variable, index.constant(shape[n])));
    if (n < 0)
      continue;
    std::optional<int64_t> all = getConstantIntValue(sizes[dim]);
    exist.push_back(all && *all < shape[n]
                        ? OpFoldResult(b.getIndexAttr(*all))
                        : existing(first.back(), int64_t(dim), shape[n]));
  }

  SmallVector<Value> tiles;
  SmallVector<OpOperand *> inTiles, others;
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (argument.use_empty())
      continue;
    if (hasTile(operand)) {
      tiles.push_back(readTile(operand));
      inTiles.push_back(&operand);
    } else {
      others.push_back(&operand);
    }
  }
  SmallVector<Type> elements;
  for (Value each : op.getDpsInits())
    elements.push_back(getElementTypeOrSelf(each.getType()));
  SmallVector<AffineMap> maps(tiles.size(),
                              b.getMultiDimIdentityMap(shape.size()));
  SmallVector<Value> computed = mapTiles(
      b, loc, shape, tiles, maps, elements,
      [&](OpBuilder &nested, Location at, ValueRange in) {
        IndexBuilder inside(nested, at);
        SmallVector<Value> position(first);
        for (int64_t n = 0; n < int64_t(shape.size()); ++n)
          position[tiled + n] = inside.add(
              first[tiled + n], linalg::IndexOp::create(nested, at, n));
        IRMapping mapping;
        for (auto [operand, value] : llvm::zip(inTiles, in))
          mapping.map(op.getMatchingBlockArgument(operand), value);
        for (OpOperand *operand : others)
          mapping.map(op.getMatchingBlockArgument(operand),
                      isa<RankedTensorType>(operand->get().getType())
                          ? readElement(nested, *operand, position)
                          : operand->get());
        for (Operation &inner : op.getBody()->without_terminator()) {
          if (auto place = dyn_cast<linalg::IndexOp>(inner))
            mapping.map(place.getResult(), position[place.getDim()]);
          else
            nested.clone(inner, mapping);
        }
        SmallVector<Value> yielded;
        for (Value value : op.getBody()->getTerminator()->getOperands())
          yielded.push_back(mapping.lookupOrDefault(value));
        return yielded;
      });

  SmallVector<OpFoldResult> zero(shape.size(), b.getIndexAttr(0)),
      one(shape.size(), b.getIndexAttr(1)), offsets, extents;
  slice(b.getMultiDimIdentityMap(rank), offsets, extents);
  SmallVector<OpFoldResult> ones(rank, b.getIndexAttr(1));
  hoistInvariants(computed.front().getDefiningOp());
  for (auto [value, out] : llvm::zip(computed, forall.getRegionIterArgs())) {
    b.setInsertionPoint(forall.getTerminator());
    Value part =
        tensor::ExtractSliceOp::create(b, loc, value, zero, exist, one);
    b.setInsertionPointToEnd(forall.getTerminator().getBody());
    tensor::ParallelInsertSliceOp::create(b, loc, part, out, offsets, extents,
                                          ones);
  }
  b.setInsertionPointAfter(forall);
  for (auto [result, was] : llvm::zip(forall.getResults(), op.getResults()))
    results.push_back(
        b.createOrFold<tensor::CastOp>(loc, was.getType(), result));
  return results;
}

namespace {
/// A size of what an op makes is that of where it makes it.
struct SizeOfInit : OpRewritePattern<tensor::DimOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::DimOp op,
                                PatternRewriter &rewriter) const override {
    auto maker = op.getSource().getDefiningOp<linalg::LinalgOp>();
    if (!maker)
      return rewriter.notifyMatchFailure(op, "is not of what linalg makes");
    Value init = maker.getTiedOpOperand(cast<OpResult>(op.getSource()))->get();
    rewriter.modifyOpInPlace(op, [&] { op.getSourceMutable().assign(init); });
    return success();
  }
};
} // namespace

/// Gives the ops one form, and makes one of a chain.
static LogicalResult fuseChains(func::FuncOp func) {
  IRRewriter rewriter(func.getContext());
  SmallVector<linalg::LinalgOp> named;
  func.walk([&](linalg::LinalgOp op) {
    if (!isa<linalg::GenericOp, linalg::FillOp>(op) &&
        op.getNumParallelLoops() == op.getNumLoops())
      named.push_back(op);
  });
  for (linalg::LinalgOp op : named) {
    rewriter.setInsertionPoint(op);
    (void)linalg::generalizeNamedOp(rewriter, op);
  }
  RewritePatternSet patterns(func.getContext());
  linalg::populateElementwiseOpsFusionPatterns(
      patterns, [](OpOperand *operand) {
        return operand->get().getDefiningOp() && operand->get().hasOneUse();
      });
  patterns.add<SizeOfInit>(func.getContext());
  GreedyRewriteConfig config;
  config.enableFolding(false).enableConstantCSE(false);
  return applyPatternsGreedily(func, std::move(patterns), config);
}

namespace {
struct TileElementwisePass
    : flash::impl::TileElementwiseBase<TileElementwisePass> {
  void runOnOperation() override {
    // Those of loops over tiles are steps.
    auto isAround = [](Operation *op) {
      return isa<func::FuncOp>(op->getParentOp());
    };
    bool any = false;
    getOperation().walk([&](linalg::LinalgOp op) {
      any |= isAround(op) && !isa<linalg::FillOp>(op);
    });
    if (!any)
      return;
    if (failed(fuseChains(getOperation())))
      return signalPassFailure();
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) {
      if (isAround(op))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::GenericOp op : ops) {
      if (const char *obstacle = findObstacle(op)) {
        op.emitError() << "'" << op->getName()
                       << "' around an attention is a kernel on a GPU where it "
                          "is element-wise, but here "
                       << obstacle
                       << "; do it to the caller's tensors before or after the "
                          "call, or, if it is done to scores, in a `score` "
                          "region";
        return signalPassFailure();
      }
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, ElementwiseTiler(rewriter, op).tile());
    }
  }
};
} // namespace
