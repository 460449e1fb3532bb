//===- LaneLoops.cpp - Loops over vectors of lanes --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Outer loops, panels of lanes, rows of a register tile, reductions, and the
// body at each point (the example is VectorizeLanes.cpp's). An element-wise op
// that makes a contraction's initial values is taken over by it.
//
//===----------------------------------------------------------------------===//

#include "LaneLoops.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace flash;

/// Takes over the element-wise op right before a contraction that writes the
/// buffer which the contraction adds to, so that the buffer is not written and
/// read once more. What it reads has to be the same a little later.
void LaneLoops::foldInit() {
  if (!plan.isContraction || op.getNumDpsInits() != 1)
    return;
  OpOperand &init = op.getDpsInitsMutable()[0];
  Operation *previous = op->getPrevNode();
  while (previous && isMemoryEffectFree(previous))
    previous = previous->getPrevNode();
  auto producer = dyn_cast_or_null<linalg::LinalgOp>(previous);
  if (!producer || producer.getNumDpsInits() != 1 ||
      producer.getNumParallelLoops() != producer.getNumLoops() ||
      producer.getDpsInitOperand(0)->get() != init.get() ||
      !isFreshBuffer(init.get()))
    return;
  for (Value input : producer.getDpsInputs())
    if (isa<MemRefType>(input.getType()) &&
        (!isFreshBuffer(input) || input == init.get()))
      return;
  FailureOr<LanePlan> found = LanePlan::get(rewriter, producer);
  if (failed(found))
    return;
  OpOperand &output = *producer.getDpsInitOperand(0);
  AffineMap map = found->map(output);
  if (!map.isPermutation())
    return;
  // Its loops along ours: they meet in the dimensions of the buffer.
  auto matching = [&](int64_t dim) -> int64_t {
    auto position = dim < 0 ? std::nullopt : plan.positionOf(init, dim);
    return position ? map.getDimPosition(*position) : -1;
  };
  found->lanes = matching(plan.lanes);
  found->row = matching(plan.row);
  if (found->lanes >= 0)
    initPlan = *found;
}

/// The value that an output starts from.
Value LaneLoops::initialValue(OpOperand &init, const LanePanel &panel,
                              int64_t r, int64_t v) {
  LaneBody::Cache cache;
  if (!initPlan)
    return body.load(init, panel, r, v, cache);
  OpOperand &output = *initPlan->op.getDpsInitOperand(0);
  AffineMap theirs = initPlan->map(output), ours = plan.map(init);
  LanePanel there = panel;
  there.position.assign(theirs.getNumDims(), Value());
  for (unsigned i = 0, e = theirs.getNumResults(); i < e; ++i)
    there.position[theirs.getDimPosition(i)] =
        panel.position[ours.getDimPosition(i)];
  return LaneBody(rewriter, *initPlan)
      .evaluate(there, r, v, {Value()}, cache)
      .front();
}

/// The number of iterations of each loop.
void LaneLoops::findExtents() {
  for (auto [dim, size] : llvm::enumerate(plan.sizes)) {
    if (!ShapedType::isDynamic(size)) {
      extents.push_back(constant(size));
      continue;
    }
    for (OpOperand &operand : op->getOpOperands()) {
      auto position = plan.positionOf(operand, dim);
      if (!position)
        continue;
      extents.push_back(
          memref::DimOp::create(rewriter, loc, operand.get(), *position));
      break;
    }
  }
}

LaneLoops::Values
LaneLoops::loop(Value lower, Value upper, int64_t step, ValueRange init,
                function_ref<Values(Value, ValueRange)> inside) {
  auto forOp = scf::ForOp::create(
      rewriter, loc, lower, upper, constant(step), init,
      [&](OpBuilder &b, Location l, Value iv, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(b.getInsertionBlock());
        Values yielded = inside(iv, args);
        scf::YieldOp::create(rewriter, l, yielded);
      });
  return Values(forOp.getResults());
}

/// A reduction has the lanes outermost, so that a panel stays in the first
/// cache; an element-wise op innermost, in the order of memory.
void LaneLoops::emit() {
  rewriter.setInsertionPoint(op);
  findExtents();
  foldInit();
  LanePanel panel;
  panel.position.resize(op.getNumLoops());
  if (plan.reductions.empty())
    emitOuter(panel, 0, [&](LanePanel inner) { emitLanes(inner); });
  else
    emitLanes(panel);
  if (initPlan)
    rewriter.eraseOp(initPlan->op);
  rewriter.eraseOp(op);
}

void LaneLoops::emitOuter(LanePanel panel, unsigned next,
                          function_ref<void(LanePanel)> inside) {
  if (next == plan.outer.size())
    return inside(panel);
  int64_t dim = plan.outer[next];
  loop(constant(0), extents[dim], 1, {}, [&](Value iv, ValueRange) {
    panel.position[dim] = iv;
    emitOuter(panel, next + 1, inside);
    return Values();
  });
}

/// Covers the lanes with panels: whole register tiles, then a narrower tile,
/// then what is less than a vector. A run-time size has vectors, then single
/// lanes.
void LaneLoops::emitLanes(LanePanel panel) {
  auto cut = [&](Value lower, Value upper, int64_t vectors, int64_t width) {
    loop(lower, upper, vectors * width, {}, [&](Value iv, ValueRange) {
      LanePanel inner = panel;
      inner.vectors = vectors;
      inner.width = width;
      inner.position[plan.lanes] = iv;
      if (plan.reductions.empty())
        emitRows(inner);
      else
        emitOuter(inner, 0, [&](LanePanel p) { emitRows(p); });
      return Values();
    });
  };

  int64_t width = tile.lanes, size = plan.sizes[plan.lanes];
  if (ShapedType::isDynamic(size)) {
    Value extent = extents[plan.lanes];
    Value rest = arith::RemUIOp::create(rewriter, loc, extent, constant(width));
    Value whole = arith::SubIOp::create(rewriter, loc, extent, rest);
    cut(constant(0), whole, 1, width);
    cut(whole, extent, 1, 1);
    return;
  }
  int64_t done = 0;
  auto cover = [&](int64_t vectors, int64_t width) {
    int64_t lanes = vectors * width;
    if (lanes < 1 || size - done < lanes)
      return;
    int64_t end = done + (size - done) / lanes * lanes;
    cut(constant(done), constant(end), vectors, width);
    done = end;
  };
  cover(plan.reductions.empty() ? 1 : tile.vectors, width);
  cover((size - done) / width, width);
  cover(1, size - done);
}

void LaneLoops::emitRows(LanePanel panel) {
  if (plan.row < 0)
    return emitTile(panel);
  int64_t size = plan.sizes[plan.row], done = 0;
  // Squares can be turned.
  int64_t most = plan.isContraction ? tile.rows : panel.width;
  for (int64_t rows : {most, size % most}) {
    if (rows == 0 || size - done < rows)
      continue;
    int64_t end = done + (size - done) / rows * rows;
    loop(constant(done), constant(end), rows, {}, [&](Value iv, ValueRange) {
      LanePanel inner = panel;
      inner.rows = rows;
      inner.position[plan.row] = iv;
      emitTile(inner);
      return Values();
    });
    done = end;
  }
}

/// Accumulators lie output by output, then row, then vector.
template <typename Visit>
void LaneLoops::forEachAccumulator(LanePanel &panel, Visit visit) {
  unsigned next = 0;
  for (OpOperand &init : op.getDpsInitsMutable())
    if (plan.isAccumulator(init))
      for (int64_t r = 0; r < panel.rows; ++r)
        for (int64_t v = 0; v < panel.vectors; ++v)
          visit(init, r, v, next++);
}

/// One register tile: accumulators are read, carried through the reduction
/// loops in registers, and written back.
void LaneLoops::emitTile(LanePanel panel) {
  Values accumulators;
  forEachAccumulator(panel,
                     [&](OpOperand &init, int64_t r, int64_t v, unsigned) {
                       accumulators.push_back(initialValue(init, panel, r, v));
                     });
  // What a reduction loop only reads, and reads at one place, is read before.
  LaneBody::Cache hoisted;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (plan.reductions.empty() || plan.dependsOnReduction(*input))
      continue;
    for (int64_t r = 0; r < panel.rows; ++r)
      for (int64_t v = 0; v < panel.vectors; ++v)
        (void)body.load(*input, panel, r, v, hoisted);
  }
  ahead.beforeTile(panel);
  emitReductions(panel, 0, accumulators, hoisted);
  forEachAccumulator(panel,
                     [&](OpOperand &init, int64_t r, int64_t v, unsigned i) {
                       body.store(init, panel, r, v, accumulators[i]);
                     });
}

void LaneLoops::emitReductions(LanePanel &panel, unsigned next,
                               Values &accumulators,
                               const LaneBody::Cache &hoisted) {
  if (next == plan.reductions.size()) {
    ahead.atStep(panel);
    return emitPoints(panel, accumulators, hoisted);
  }
  int64_t dim = plan.reductions[next];
  accumulators = loop(constant(0), extents[dim], 1, accumulators,
                      [&](Value iv, ValueRange args) {
                        Values inner(args.begin(), args.end());
                        panel.position[dim] = iv;
                        emitReductions(panel, next + 1, inner, hoisted);
                        return inner;
                      });
}

/// The body at each row and vector of the tile.
void LaneLoops::emitPoints(LanePanel &panel, Values &accumulators,
                           LaneBody::Cache cache) {
  MutableArrayRef<OpOperand> inits = op.getDpsInitsMutable();
  for (int64_t r = 0; r < panel.rows; ++r) {
    for (int64_t v = 0; v < panel.vectors; ++v) {
      Values current(inits.size());
      unsigned next = r * panel.vectors + v;
      for (auto [init, value] : llvm::zip_equal(inits, current)) {
        if (!plan.isAccumulator(init))
          continue;
        value = accumulators[next];
        next += panel.rows * panel.vectors;
      }
      Values results = body.evaluate(panel, r, v, current, cache);
      next = r * panel.vectors + v;
      for (auto [init, result] : llvm::zip_equal(inits, results)) {
        if (!plan.isAccumulator(init)) {
          body.store(init, panel, r, v, result);
          continue;
        }
        accumulators[next] = result;
        next += panel.rows * panel.vectors;
      }
    }
  }
}
