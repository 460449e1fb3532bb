//===- VectorizeLanes.cpp - Register-tile linalg ops on buffers -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Turns every linalg op on buffers into loops over 1-D vectors held in
// registers:
//
//   linalg.matmul ins(%k, %q) outs(%s)          // s(n,m) += k(n,d) * q(d,m)
//   ->
//   scf.for %m step 24  scf.for %n step 4       // a register tile of 4 x 3
//   vectors
//     %acc:12 = scf.for %d iter_args(...)       // loads 3 vectors, broadcasts
//     4
//       math.fma ...                            // scalars, 12 multiply-adds
//
// One loop dimension, the lanes, is chosen so that most operands are contiguous
// along it; operands without it are broadcast. Contractions, reductions and
// element-wise ops are one algorithm with different register tiles. It runs
// after bufferization, when "in place" is a fact, and keeps loops as loops, so
// that code stays small and compiles fast.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/SmallBitVector.h"

#define DEBUG_TYPE "flash-vectorize-lanes"

namespace flash {
#define GEN_PASS_DEF_VECTORIZELANESPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

namespace {

/// Emits the loops of one op. Loop dimensions play four parts: the lanes, at
/// most one row dimension (unrolled, so that a vector loaded once serves
/// several rows), other parallel ones, and reductions.
class LaneEmitter {
public:
  LaneEmitter(RewriterBase &rewriter, linalg::LinalgOp op, RegisterTile tile)
      : rewriter(rewriter), op(op), tile(tile), loc(op.getLoc()) {}

  LogicalResult run();

private:
  /// A register tile in the making: `rows` x `vectors` vectors of `width`
  /// lanes, whose origin is `position`.
  struct Panel {
    int64_t rows = 1, vectors = 1, width = 1;
    SmallVector<Value> position;
  };
  using Values = SmallVector<Value>;
  /// A vector (or broadcast scalar) already loaded, keyed by operand number,
  /// row and vector; -1 where the operand does not depend on it.
  using LoadCache = DenseMap<std::tuple<unsigned, int64_t, int64_t>, Value>;

  LogicalResult analyze();
  LogicalResult checkBody();
  void emitLanes(Panel panel);
  void emitInside(Panel panel);
  void emitOuter(Panel panel, unsigned next, function_ref<void(Panel)> inside);
  void emitRows(Panel panel);
  void emitTile(Panel panel);
  void emitReductions(Panel &panel, unsigned next, Values &accumulators,
                      const LoadCache &hoisted);
  void emitBody(Panel &panel, Values &accumulators, LoadCache &cache);

  AffineMap map(OpOperand &operand) {
    return op.getMatchingIndexingMap(&operand);
  }
  bool dependsOn(OpOperand &operand, int64_t dim) {
    return dim >= 0 && map(operand).isFunctionOfDim(dim);
  }
  bool isAccumulator(OpOperand &init) {
    return llvm::any_of(reductions,
                        [&](int64_t d) { return !dependsOn(init, d); });
  }
  bool isAccumulated(OpOperand &input) {
    return llvm::any_of(reductions,
                        [&](int64_t d) { return dependsOn(input, d); });
  }
  Value constant(int64_t v) {
    return arith::ConstantIndexOp::create(rewriter, loc, v);
  }
  Value offset(Value base, int64_t by) {
    return by == 0 ? base
                   : arith::AddIOp::create(rewriter, loc, base, constant(by));
  }
  Value indexOf(Panel &panel, int64_t dim, int64_t r, int64_t v) {
    if (dim == row)
      return offset(panel.position[dim], r);
    if (dim == lanes)
      return offset(panel.position[dim], v * panel.width);
    return panel.position[dim];
  }
  Values indicesOf(OpOperand &operand, Panel &panel, int64_t r, int64_t v);
  bool isContiguous(OpOperand &operand);
  Value load(OpOperand &operand, Panel &panel, int64_t r, int64_t v,
             LoadCache *cache);
  void store(OpOperand &operand, Panel &panel, int64_t r, int64_t v,
             Value value);
  Value splat(Value scalar, int64_t width) {
    return vector::BroadcastOp::create(
        rewriter, loc, VectorType::get({width}, scalar.getType()), scalar);
  }
  Value loop(Value lower, Value upper, int64_t step, ValueRange init,
             function_ref<Values(Value, ValueRange)> body,
             SmallVectorImpl<Value> *results = nullptr);

  RewriterBase &rewriter;
  linalg::LinalgOp op;
  RegisterTile tile;
  Location loc;
  SmallVector<int64_t> sizes; // static, or ShapedType::kDynamic
  SmallVector<Value> extents; // the same as values
  SmallVector<int64_t> outer; // other parallel dimensions
  SmallVector<int64_t> reductions;
  int64_t lanes = -1, row = -1;
  bool isContraction = false;
};

/// Whether the last dimension of the buffer has stride one.
static bool hasUnitStride(MemRefType type) {
  int64_t offset;
  SmallVector<int64_t> strides;
  return type.getRank() > 0 &&
         succeeded(type.getStridesAndOffset(strides, offset)) &&
         strides.back() == 1;
}

bool LaneEmitter::isContiguous(OpOperand &operand) {
  AffineMap m = map(operand);
  auto type = cast<MemRefType>(operand.get().getType());
  return m.getNumResults() > 0 &&
         m.getResult(m.getNumResults() - 1) ==
             getAffineDimExpr(lanes, rewriter.getContext()) &&
         hasUnitStride(type);
}

/// Only bodies of element-wise ops can be widened.
LogicalResult LaneEmitter::checkBody() {
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (isa<linalg::IndexOp, arith::ConstantOp>(inner))
      continue;
    if (!OpTrait::hasElementwiseMappableTraits(&inner))
      return rewriter.notifyMatchFailure(
          op, "the body holds an op that is not element-wise");
  }
  return success();
}

LogicalResult LaneEmitter::analyze() {
  if (!op.hasPureBufferSemantics())
    return rewriter.notifyMatchFailure(op, "operands are not buffers");
  if (op.getNumLoops() == 0)
    return rewriter.notifyMatchFailure(op, "there is no loop to vectorize");
  for (OpOperand &operand : op->getOpOperands()) {
    if (!map(operand).isProjectedPermutation())
      return rewriter.notifyMatchFailure(
          op, "an indexing map is not a projected permutation");
  }
  if (failed(checkBody()))
    return failure();

  sizes = op.getStaticLoopRanges();
  auto types = op.getIteratorTypesArray();
  for (auto [dim, type] : llvm::enumerate(types))
    if (type == utils::IteratorType::reduction)
      reductions.push_back(dim);
  for (OpOperand &init : op.getDpsInitsMutable()) {
    int64_t seen = llvm::count_if(
        reductions, [&](int64_t d) { return dependsOn(init, d); });
    if (seen != 0 && seen != (int64_t)reductions.size())
      return rewriter.notifyMatchFailure(
          op, "an output depends on some of the reduction dimensions only");
  }

  // The lanes: the parallel dimension along which most operands are
  // contiguous. An output weighs more, for a scattered store is the dearest.
  int64_t best = std::numeric_limits<int64_t>::min();
  for (auto [dim, type] : llvm::enumerate(types)) {
    if (type != utils::IteratorType::parallel)
      continue;
    lanes = dim;
    int64_t score = 0;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()) || !dependsOn(operand, dim))
        continue;
      int64_t weight = op.isDpsInit(&operand) ? 3 : 2;
      score += isContiguous(operand) ? weight : -weight;
    }
    if (score >= best) {
      best = score;
      row = dim; // Borrowed to remember the choice.
    }
  }
  lanes = std::exchange(row, -1);
  if (lanes < 0)
    return rewriter.notifyMatchFailure(op, "there is no parallel dimension");

  isContraction = !reductions.empty() && op.getNumDpsInputs() >= 2;
  for (auto [dim, type] : llvm::enumerate(types)) {
    if (type != utils::IteratorType::parallel || (int64_t)dim == lanes)
      continue;
    if (isContraction && !ShapedType::isDynamic(sizes[dim]))
      row = dim; // The innermost one that can be unrolled.
  }
  for (auto [dim, type] : llvm::enumerate(types))
    if (type == utils::IteratorType::parallel && (int64_t)dim != lanes &&
        (int64_t)dim != row)
      outer.push_back(dim);

  for (int64_t dim = 0, e = op.getNumLoops(); dim < e; ++dim) {
    if (!ShapedType::isDynamic(sizes[dim])) {
      extents.push_back(constant(sizes[dim]));
      continue;
    }
    for (OpOperand &operand : op->getOpOperands()) {
      auto position =
          map(operand).getResultPosition(rewriter.getAffineDimExpr(dim));
      if (!position)
        continue;
      extents.push_back(
          memref::DimOp::create(rewriter, loc, operand.get(), *position));
      break;
    }
  }
  return success();
}

LaneEmitter::Values LaneEmitter::indicesOf(OpOperand &operand, Panel &panel,
                                           int64_t r, int64_t v) {
  Values indices;
  for (AffineExpr e : map(operand).getResults())
    indices.push_back(
        indexOf(panel, cast<AffineDimExpr>(e).getPosition(), r, v));
  return indices;
}

Value LaneEmitter::load(OpOperand &operand, Panel &panel, int64_t r, int64_t v,
                        LoadCache *cache) {
  if (!isa<MemRefType>(operand.get().getType()))
    return splat(operand.get(), panel.width);
  std::tuple<unsigned, int64_t, int64_t> key{
      operand.getOperandNumber(), dependsOn(operand, row) ? r : -1,
      dependsOn(operand, lanes) ? v : -1};
  if (cache)
    if (Value known = cache->lookup(key))
      return known;

  Values indices = indicesOf(operand, panel, r, v);
  auto type = cast<MemRefType>(operand.get().getType());
  auto vectorType = VectorType::get({panel.width}, type.getElementType());
  Value result;
  if (!dependsOn(operand, lanes)) {
    result =
        splat(memref::LoadOp::create(rewriter, loc, operand.get(), indices),
              panel.width);
  } else if (isContiguous(operand)) {
    result = vector::LoadOp::create(rewriter, loc, vectorType, operand.get(),
                                    indices);
  } else {
    // Strided: lane by lane.
    auto position =
        *map(operand).getResultPosition(rewriter.getAffineDimExpr(lanes));
    SmallVector<Value> elements;
    Value base = indices[position];
    for (int64_t lane = 0; lane < panel.width; ++lane) {
      indices[position] = offset(base, lane);
      elements.push_back(
          memref::LoadOp::create(rewriter, loc, operand.get(), indices));
    }
    result =
        vector::FromElementsOp::create(rewriter, loc, vectorType, elements);
  }
  if (cache)
    (*cache)[key] = result;
  return result;
}

void LaneEmitter::store(OpOperand &operand, Panel &panel, int64_t r, int64_t v,
                        Value value) {
  Values indices = indicesOf(operand, panel, r, v);
  if (isContiguous(operand)) {
    vector::StoreOp::create(rewriter, loc, value, operand.get(), indices);
    return;
  }
  auto position =
      *map(operand).getResultPosition(rewriter.getAffineDimExpr(lanes));
  Value base = indices[position];
  for (int64_t lane = 0; lane < panel.width; ++lane) {
    indices[position] = offset(base, lane);
    Value element = vector::ExtractOp::create(rewriter, loc, value, lane);
    memref::StoreOp::create(rewriter, loc, element, operand.get(), indices);
  }
}

Value LaneEmitter::loop(Value lower, Value upper, int64_t step, ValueRange init,
                        function_ref<Values(Value, ValueRange)> body,
                        SmallVectorImpl<Value> *results) {
  auto forOp = scf::ForOp::create(
      rewriter, loc, lower, upper, constant(step), init,
      [&](OpBuilder &b, Location l, Value iv, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(b.getInsertionBlock());
        Values yielded = body(iv, args);
        scf::YieldOp::create(rewriter, l, yielded);
      });
  if (results)
    results->assign(forOp.getResults().begin(), forOp.getResults().end());
  return Value();
}

/// Covers the lanes with panels: whole register tiles, then a narrower tile,
/// then what is less than a vector. A run-time size has vectors, then single
/// lanes.
void LaneEmitter::emitLanes(Panel panel) {
  auto cut = [&](Value lower, Value upper, int64_t vectors, int64_t width) {
    loop(lower, upper, vectors * width, {}, [&](Value iv, ValueRange) {
      Panel inner = panel;
      inner.vectors = vectors;
      inner.width = width;
      inner.position[lanes] = iv;
      emitInside(inner);
      return Values();
    });
  };

  int64_t vl = tile.lanes;
  int64_t vectors = reductions.empty() ? 1 : tile.vectors;
  if (ShapedType::isDynamic(sizes[lanes])) {
    Value width = constant(vl);
    Value rest = arith::RemUIOp::create(rewriter, loc, extents[lanes], width);
    Value whole = arith::SubIOp::create(rewriter, loc, extents[lanes], rest);
    cut(constant(0), whole, 1, vl);
    cut(whole, extents[lanes], 1, 1);
    return;
  }
  int64_t size = sizes[lanes], done = 0;
  auto cover = [&](int64_t count, int64_t width) {
    if (count < 1 || width < 1 || size - done < count * width)
      return;
    int64_t end = done + (size - done) / (count * width) * (count * width);
    cut(constant(done), constant(end), count, width);
    done = end;
  };
  cover(vectors, vl);
  cover((size - done) / vl, vl);
  cover(1, size - done);
}

/// What lies inside the loop over lanes. A reduction has it outermost, so that
/// a panel stays in the first cache; an element-wise op innermost, in the order
/// of memory.
void LaneEmitter::emitInside(Panel panel) {
  if (reductions.empty())
    return emitRows(panel);
  emitOuter(panel, 0, [&](Panel inner) { emitRows(inner); });
}

void LaneEmitter::emitOuter(Panel panel, unsigned next,
                            function_ref<void(Panel)> inside) {
  if (next == outer.size())
    return inside(panel);
  int64_t dim = outer[next];
  loop(constant(0), extents[dim], 1, {}, [&](Value iv, ValueRange) {
    panel.position[dim] = iv;
    emitOuter(panel, next + 1, inside);
    return Values();
  });
}

void LaneEmitter::emitRows(Panel panel) {
  if (row < 0)
    return emitTile(panel);
  int64_t size = sizes[row], done = 0;
  for (int64_t rows : {tile.rows, size % tile.rows}) {
    if (rows == 0 || size - done < rows)
      continue;
    int64_t end = done + (size - done) / rows * rows;
    loop(constant(done), constant(end), rows, {}, [&](Value iv, ValueRange) {
      Panel inner = panel;
      inner.rows = rows;
      inner.position[row] = iv;
      emitTile(inner);
      return Values();
    });
    done = end;
  }
}

/// One register tile: accumulators are read, carried through the reduction
/// loops in registers, and written back.
void LaneEmitter::emitTile(Panel panel) {
  Values accumulators;
  auto forEachAccumulator = [&](auto &&visit) {
    for (OpOperand &init : op.getDpsInitsMutable())
      if (isAccumulator(init))
        for (int64_t r = 0; r < panel.rows; ++r)
          for (int64_t v = 0; v < panel.vectors; ++v)
            visit(init, r, v);
  };
  forEachAccumulator([&](OpOperand &init, int64_t r, int64_t v) {
    accumulators.push_back(load(init, panel, r, v, nullptr));
  });
  // What a reduction loop only reads, and reads at one place, is read before
  // it.
  LoadCache hoisted;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (reductions.empty() || isAccumulated(*input))
      continue;
    for (int64_t r = 0; r < panel.rows; ++r)
      for (int64_t v = 0; v < panel.vectors; ++v)
        (void)load(*input, panel, r, v, &hoisted);
  }
  emitReductions(panel, 0, accumulators, hoisted);
  unsigned i = 0;
  forEachAccumulator([&](OpOperand &init, int64_t r, int64_t v) {
    store(init, panel, r, v, accumulators[i++]);
  });
}

void LaneEmitter::emitReductions(Panel &panel, unsigned next,
                                 Values &accumulators,
                                 const LoadCache &hoisted) {
  if (next == reductions.size()) {
    LoadCache cache = hoisted;
    return emitBody(panel, accumulators, cache);
  }
  int64_t dim = reductions[next];
  Values results;
  loop(
      constant(0), extents[dim], 1, accumulators,
      [&](Value iv, ValueRange args) {
        Values inner(args.begin(), args.end());
        panel.position[dim] = iv;
        emitReductions(panel, next + 1, inner, hoisted);
        return inner;
      },
      &results);
  accumulators = results;
}

void LaneEmitter::emitBody(Panel &panel, Values &accumulators,
                           LoadCache &cache) {
  Block *source = op.getBlock();
  // Accumulators are laid out output by output, then row, then vector.
  DenseMap<unsigned, unsigned> firstAccumulator;
  unsigned count = 0;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    if (!isAccumulator(init))
      continue;
    firstAccumulator[init.getOperandNumber()] = count;
    count += panel.rows * panel.vectors;
  }

  for (int64_t r = 0; r < panel.rows; ++r) {
    for (int64_t v = 0; v < panel.vectors; ++v) {
      IRMapping mapping;
      for (OpOperand &operand : op->getOpOperands()) {
        BlockArgument arg = op.getMatchingBlockArgument(&operand);
        if (arg.use_empty())
          continue;
        auto it = firstAccumulator.find(operand.getOperandNumber());
        mapping.map(arg, it != firstAccumulator.end()
                             ? accumulators[it->second + r * panel.vectors + v]
                             : load(operand, panel, r, v, &cache));
      }
      auto lookup = [&](Value value) -> Value {
        if (Value known = mapping.lookupOrNull(value))
          return known;
        // Captured from outside, or a constant of the body: the same in all
        // lanes.
        Value wide = splat(value, panel.width);
        mapping.map(value, wide);
        return wide;
      };
      for (Operation &inner : source->without_terminator()) {
        if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
          int64_t dim = index.getDim();
          Value wide = splat(indexOf(panel, dim, r, v), panel.width);
          if (dim == lanes) {
            auto steps = llvm::to_vector(llvm::seq<int64_t>(0, panel.width));
            wide = arith::AddIOp::create(
                rewriter, loc, wide,
                arith::ConstantOp::create(rewriter, loc,
                                          rewriter.getIndexVectorAttr(steps)));
          }
          mapping.map(index.getResult(), wide);
          continue;
        }
        if (isa<arith::ConstantOp>(inner)) {
          mapping.map(inner.getResult(0),
                      splat(rewriter.clone(inner)->getResult(0), panel.width));
          continue;
        }
        // acc + a * b is one instruction, with one rounding.
        if (auto mul = dyn_cast<arith::MulFOp>(inner);
            mul && isContraction && mul->hasOneUse() &&
            isa<arith::AddFOp>(*mul->user_begin()))
          continue;
        if (auto add = dyn_cast<arith::AddFOp>(inner); add && isContraction) {
          auto fused = [&](Value product, Value other) {
            auto mul = product.getDefiningOp<arith::MulFOp>();
            if (!mul || !mul->hasOneUse() || mul->getBlock() != source)
              return false;
            mapping.map(add.getResult(),
                        math::FmaOp::create(rewriter, loc, lookup(mul.getLhs()),
                                            lookup(mul.getRhs()),
                                            lookup(other)));
            return true;
          };
          if (fused(add.getRhs(), add.getLhs()) ||
              fused(add.getLhs(), add.getRhs()))
            continue;
        }
        SmallVector<Value> operands;
        SmallVector<Type> types;
        for (Value value : inner.getOperands())
          operands.push_back(lookup(value));
        for (Type type : inner.getResultTypes())
          types.push_back(VectorType::get({panel.width}, type));
        Operation *wide = rewriter.create(loc, inner.getName().getIdentifier(),
                                          operands, types, inner.getAttrs());
        mapping.map(inner.getResults(), wide->getResults());
      }
      for (auto [value, init] :
           llvm::zip_equal(source->getTerminator()->getOperands(),
                           op.getDpsInitsMutable())) {
        Value result = lookup(value);
        auto it = firstAccumulator.find(init.getOperandNumber());
        if (it != firstAccumulator.end())
          accumulators[it->second + r * panel.vectors + v] = result;
        else
          store(init, panel, r, v, result);
      }
    }
  }
}

LogicalResult LaneEmitter::run() {
  rewriter.setInsertionPoint(op);
  if (failed(analyze()))
    return failure();
  Panel panel;
  panel.position.resize(op.getNumLoops());
  if (reductions.empty())
    emitOuter(panel, 0, [&](Panel inner) { emitLanes(inner); });
  else
    emitLanes(panel);
  rewriter.eraseOp(op);
  return success();
}

struct VectorizeLanesPass
    : public flash::impl::VectorizeLanesPassBase<VectorizeLanesPass> {
  using VectorizeLanesPassBase::VectorizeLanesPassBase;

  void runOnOperation() override {
    RegisterTile tile = RegisterTile::get(vectorBits, registers);
    IRRewriter rewriter(&getContext());
    // A copy of a part of a buffer would become a call an element.
    getOperation()->walk([&](memref::CopyOp copy) {
      auto type = dyn_cast<MemRefType>(copy.getSource().getType());
      if (!type || type.getRank() == 0)
        return;
      rewriter.setInsertionPoint(copy);
      linalg::CopyOp::create(rewriter, copy.getLoc(), copy.getSource(),
                             copy.getTarget());
      rewriter.eraseOp(copy);
    });
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops)
      ++(succeeded(vectorizeLanes(rewriter, op, tile)) ? numVectorized
                                                       : numLeft);
  }
};

} // namespace

LogicalResult flash::vectorizeLanes(RewriterBase &rewriter, linalg::LinalgOp op,
                                    RegisterTile tile) {
  return LaneEmitter(rewriter, op, tile).run();
}

/// Three vectors wide, as many rows as leave a register for each vector of the
/// panel and one for the broadcast: 4 x 3 of 16 registers, 8 x 3 of 32.
RegisterTile RegisterTile::get(unsigned vectorBits, unsigned registers) {
  RegisterTile tile;
  tile.lanes = std::max<int64_t>(1, vectorBits / 32);
  tile.vectors = 3;
  tile.rows = 1;
  while (2 * tile.rows * tile.vectors + tile.vectors + 1 <= registers)
    tile.rows *= 2;
  return tile;
}
