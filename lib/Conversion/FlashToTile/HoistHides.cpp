//===- HoistHides.cpp - Tiles that a loop over queries reads --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %k = read
//   scf.for %i = %lo to %hi step %s {
//     %w = flash.hide_unseen %k when %c(%i) queries(%n) { sees(%i, %q, %j) }
//   }
//   ->  %w = flash.hide_unseen %k when %c(%lo) and %c(last) queries(count * %n)
//   {
//         sees(%lo + %q / %n * %s, %q mod %n, %j)
//       }
//       scf.for %i { ... %w ... }
//
// A kernel clears a tile where it lies. In a backward all blocks of queries
// read the same keys, so that a row may go only which none of them sees: what a
// row holds that one of them sees is for the others to bear. Whether there may
// be such rows is asked of the first and the last iteration, which has the
// queries at the ends.
//
//===----------------------------------------------------------------------===//

#include "HoistHides.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace flash;

/// Collects the scalars in the loop's body on which `value` depends, in order;
/// fails where one is what the loop carries, or more than arithmetic. Sizes of
/// tensors move in front of the loop.
static LogicalResult collect(Value value, scf::ForOp loop,
                             SetVector<Operation *> &ops) {
  if (loop.isDefinedOutsideOfLoop(value) || value == loop.getInductionVar())
    return success();
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != loop.getBody() || op->getNumRegions() ||
      !isMemoryEffectFree(op) || isa<TensorType>(value.getType()))
    return failure();
  if (ops.contains(op))
    return success();
  // A kernel asks for sizes outside of bodies.
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    if (!index || !loop.isDefinedOutsideOfLoop(dim.getSource()))
      return failure();
    OpBuilder before(loop);
    dim.getIndexMutable().assign(
        arith::ConstantIndexOp::create(before, dim.getLoc(), *index));
    dim->moveBefore(loop);
    return success();
  }
  for (Value operand : op->getOperands())
    if (failed(collect(operand, loop, ops)))
      return failure();
  ops.insert(op);
  return success();
}

namespace {
/// Moves one op in front of a loop.
class Hoist {
public:
  Hoist(HideUnseenOp op, scf::ForOp loop)
      : op(op), loop(loop), b(loop), loc(op.getLoc()) {}

  LogicalResult run();

private:
  /// The scalars `ops` as they are in the iteration at `position`.
  IRMapping at(OpBuilder &builder, ArrayRef<Operation *> ops, Value position) {
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), position);
    for (Operation *inner : ops)
      builder.clone(*inner, mapping);
    return mapping;
  }
  Value number(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value when(Value iterations);

  HideUnseenOp op;
  scf::ForOp loop;
  OpBuilder b;
  Location loc;
};
} // namespace

/// Whether the loop runs, and rows may be hidden from its first and its last
/// iteration. What is read where it runs only is not asked for.
Value Hoist::when(Value iterations) {
  Value some = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt,
                                     iterations, number(0));
  SetVector<Operation *> ops;
  if (failed(collect(op.getWhen(), loop, ops)) ||
      llvm::any_of(ops, llvm::IsaPred<tensor::ExtractOp>))
    return some;
  Value last = arith::AddIOp::create(
      b, loc, loop.getLowerBound(),
      arith::MulIOp::create(
          b, loc, arith::SubIOp::create(b, loc, iterations, number(1)),
          loop.getStep()));
  for (Value position : {loop.getLowerBound(), last})
    some = arith::AndIOp::create(
        b, loc, some,
        at(b, ops.getArrayRef(), position).lookupOrDefault(op.getWhen()));
  return some;
}

LogicalResult Hoist::run() {
  SetVector<Value> captures;
  getUsedValuesDefinedAbove(op.getBody(), captures);
  SetVector<Operation *> ofBody, ofQueries;
  for (Value value : captures)
    if (failed(collect(value, loop, ofBody)))
      return failure();
  if (failed(collect(op.getQueries(), loop, ofQueries)))
    return failure();
  Value queries = at(b, ofQueries.getArrayRef(), loop.getLowerBound())
                      .lookupOrDefault(op.getQueries());
  Value length =
      arith::SubIOp::create(b, loc, loop.getUpperBound(), loop.getLowerBound());
  Value iterations = arith::CeilDivSIOp::create(b, loc, length, loop.getStep());
  Value cut = when(iterations);
  auto hoisted =
      HideUnseenOp::create(b, loc, op.getType(), op.getValues(), cut,
                           arith::MulIOp::create(b, loc, iterations, queries));

  OpBuilder::InsertionGuard guard(b);
  Type index = b.getIndexType();
  Block *body =
      b.createBlock(&hoisted.getBody(), {}, {index, index}, {loc, loc});
  Value iteration =
      arith::DivUIOp::create(b, loc, body->getArgument(0), queries);
  Value position = arith::AddIOp::create(
      b, loc, loop.getLowerBound(),
      arith::MulIOp::create(b, loc, iteration, loop.getStep()));
  Value row =
      arith::SubIOp::create(b, loc, body->getArgument(0),
                            arith::MulIOp::create(b, loc, iteration, queries));
  IRMapping mapping = at(b, ofBody.getArrayRef(), position);
  Block &old = op.getBody().front();
  mapping.map(old.getArgument(0), row);
  mapping.map(old.getArgument(1), body->getArgument(1));
  for (Operation &inner : old)
    b.clone(inner, mapping);
  op.replaceAllUsesWith(hoisted.getResult());
  op.erase();
  return success();
}

LogicalResult flash::hoistHides(Operation *root) {
  SmallVector<HideUnseenOp> hides;
  root->walk([&](HideUnseenOp op) { hides.push_back(op); });
  for (HideUnseenOp op : hides) {
    auto loop = dyn_cast<scf::ForOp>(op->getParentOp());
    if (!loop || !loop.isDefinedOutsideOfLoop(op.getValues()))
      continue;
    if (failed(Hoist(op, loop).run()))
      return op.emitOpError("of a tile that all iterations of a loop read must "
                            "follow from their positions on a GPU");
  }
  return success();
}
