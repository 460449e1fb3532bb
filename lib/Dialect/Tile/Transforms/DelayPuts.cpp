//===- DelayPuts.cpp - The producer in the consumers' order ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   scf.for %j { put %k[%j] ; put %v[%j] }
//   ->  put %k[first]
//       scf.for %j from the second on { put %k[%j] ; put %v[%j before] }
//       put %v[last]
//
// Consumers whose products overlap get K of the next iteration before V of this
// one, and give K back earlier. A producer in the order of the program would
// wait for V's stage before it asks for K.
//
//===----------------------------------------------------------------------===//

#include "RingUtils.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace flash::tile;

namespace {
/// A producer's loop, with the put that goes an iteration later.
class PutRotation {
public:
  explicit PutRotation(PutOp late)
      : loop(dyn_cast<scf::ForOp>(late->getParentOp())), late(late) {}

  bool match();
  void rotate();

private:
  bool isCounter(Value value);
  IRMapping cloneEarly(OpBuilder &builder, Value position, ValueRange args);
  void cloneLate(OpBuilder &builder, Value position, ValueRange args);
  SmallVector<Value> yielded(const IRMapping &mapping);

  scf::ForOp loop;
  PutOp late;
  /// What the put needs from its iteration and the next one does not know. A
  /// producer has few registers: position and counter are computed back.
  SetVector<Value> carried;
};
} // namespace

bool PutRotation::match() {
  if (!loop)
    return false;
  Block *body = loop.getBody();
  // What stands before it in the body is done earlier, and there is something.
  if (llvm::none_of(*body, [&](Operation &op) {
        return isa<PutOp>(op) && op.isBeforeInBlock(late);
      }))
    return false;
  for (Value operand : late->getOperands())
    if (operand.getParentBlock() == body && operand != loop.getInductionVar() &&
        !isCounter(operand))
      carried.insert(operand);
  return true;
}

/// Whether each iteration adds 1 to the value.
bool PutRotation::isCounter(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != loop.getBody() ||
      argument == loop.getInductionVar())
    return false;
  auto next = loop.getTiedLoopYieldedValue(argument)
                  ->get()
                  .getDefiningOp<arith::AddIOp>();
  return next && next.getLhs() == argument &&
         getConstantIntValue(next.getRhs()) == 1;
}

/// The ops of an iteration without the late put.
IRMapping PutRotation::cloneEarly(OpBuilder &builder, Value position,
                                  ValueRange args) {
  IRMapping mapping;
  mapping.map(loop.getInductionVar(), position);
  mapping.map(loop.getRegionIterArgs(), args);
  for (Operation &op : loop.getBody()->without_terminator())
    if (&op != late)
      builder.clone(op, mapping);
  return mapping;
}

/// The put of the iteration before that of `position`, whose iteration
/// arguments, then what is carried, are `args`.
void PutRotation::cloneLate(OpBuilder &builder, Value position,
                            ValueRange args) {
  Location loc = late.getLoc();
  IRMapping mapping;
  auto before = [&](Value value, Value step) -> Value {
    return arith::SubIOp::create(builder, loc, value, step);
  };
  for (Value operand : late->getOperands())
    if (operand == loop.getInductionVar())
      mapping.map(operand, before(position, loop.getStep()));
    else if (isCounter(operand))
      mapping.map(operand,
                  before(args[cast<BlockArgument>(operand).getArgNumber() - 1],
                         arith::ConstantIndexOp::create(builder, loc, 1)));
  mapping.map(carried.getArrayRef(), args.take_back(carried.size()));
  builder.clone(*late, mapping);
}

SmallVector<Value> PutRotation::yielded(const IRMapping &mapping) {
  SmallVector<Value> values;
  for (Value value : loop.getBody()->getTerminator()->getOperands())
    values.push_back(mapping.lookupOrDefault(value));
  for (Value value : carried)
    values.push_back(mapping.lookupOrDefault(value));
  return values;
}

void PutRotation::rotate() {
  OpBuilder builder(loop);
  Location loc = loop.getLoc();
  unsigned results = loop.getNumResults();
  Value some =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                            loop.getLowerBound(), loop.getUpperBound());
  auto whole = scf::IfOp::create(
      builder, loc, some,
      [&](OpBuilder &b, Location l) {
        IRMapping first =
            cloneEarly(b, loop.getLowerBound(), loop.getInitArgs());
        Value second =
            arith::AddIOp::create(b, l, loop.getLowerBound(), loop.getStep());
        auto rest = scf::ForOp::create(
            b, l, second, loop.getUpperBound(), loop.getStep(), yielded(first),
            [&](OpBuilder &inner, Location, Value position, ValueRange args) {
              IRMapping mapping =
                  cloneEarly(inner, position, args.take_front(results));
              cloneLate(inner, position, args);
              scf::YieldOp::create(inner, l, yielded(mapping));
            });
        // Behind the last iteration.
        Value length = arith::SubIOp::create(b, l, loop.getUpperBound(),
                                             loop.getLowerBound());
        Value end = arith::AddIOp::create(
            b, l, loop.getLowerBound(),
            arith::MulIOp::create(
                b, l, arith::CeilDivSIOp::create(b, l, length, loop.getStep()),
                loop.getStep()));
        cloneLate(b, end, rest.getResults());
        scf::YieldOp::create(b, l, rest.getResults().take_front(results));
      },
      [&](OpBuilder &b, Location l) {
        scf::YieldOp::create(b, l, loop.getInitArgs());
      });
  loop.replaceAllUsesWith(whole.getResults());
  loop.erase();
}

void flash::tile::delayPuts(Value ring) {
  SmallVector<PutOp> puts;
  for (Operation *user : ring.getUsers())
    if (auto put = dyn_cast<PutOp>(user))
      puts.push_back(put);
  for (PutOp put : puts) {
    PutRotation rotation(put);
    if (rotation.match())
      rotation.rotate();
  }
}
