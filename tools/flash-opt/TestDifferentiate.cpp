//===- TestDifferentiate.cpp - Shows derivatives of scalar bodies ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// flash-test-differentiate, for tests alone. A function of a score (its first
// argument) gives the derivative of its result as well:
//
//   func.func @f(%s: f32) -> f32 {      func.func @f(%s: f32) -> (f32, f32) {
//     %r = math.exp %s : f32        ->    %r = math.exp %s : f32
//     return %r : f32                     return %r, %r : f32, f32
//   }                                   }
//
// With `reverse`, it gets a cotangent of its result as well, and gives those of
// the score and of each element that it reads, with the indices. A derivative
// that may be no number for some score is marked `unbounded`.
//
// For each attention of a function @f there comes a function @f_score of score,
// batch, head, the two positions, score operands and captures.
//
//===----------------------------------------------------------------------===//

#include "TestDifferentiate.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Flash/Transforms/Differentiate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace flash;

/// The derivative, as a constant where it is 1.
static Value derivativeOf(OpBuilder &b, Location loc,
                          const ValueAndDerivative &both) {
  if (both.derivative)
    return both.derivative;
  return arith::ConstantOp::create(b, loc,
                                   b.getFloatAttr(both.value.getType(), 1.0));
}

/// What the new function returns: the copy of the old one's result, and the
/// derivative or cotangents.
static FailureOr<SmallVector<Value>> copyBody(OpBuilder &b, Block &body,
                                              IRMapping &mapping,
                                              Value cotangent,
                                              bool &isBounded) {
  Value result = body.getTerminator()->getOperand(0), wrt = body.getArgument(0);
  if (!cotangent) {
    FailureOr<ValueAndDerivative> both =
        copyWithDerivative(b, body, result, wrt, mapping);
    if (failed(both))
      return failure();
    isBounded = both->isBounded;
    return SmallVector<Value>{both->value,
                              derivativeOf(b, result.getLoc(), *both)};
  }
  FailureOr<ValueAndCotangents> all =
      copyWithCotangents(b, body, result, cotangent, wrt, mapping);
  if (failed(all))
    return failure();
  SmallVector<Value> values{all->value, all->cotangent};
  for (ElementCotangent &element : all->elements) {
    values.push_back(element.cotangent);
    values.append(element.indices);
  }
  return values;
}

static LogicalResult differentiate(func::FuncOp function, bool reverse) {
  Block &body = function.getBody().front();
  auto *copied = new Block();
  function.getBody().push_back(copied);
  IRMapping mapping;
  for (BlockArgument argument : body.getArguments())
    mapping.map(argument,
                copied->addArgument(argument.getType(), argument.getLoc()));
  Value cotangent;
  if (reverse)
    cotangent =
        copied->addArgument(function.getResultTypes()[0], function.getLoc());
  OpBuilder b = OpBuilder::atBlockBegin(copied);
  bool isBounded = true;
  FailureOr<SmallVector<Value>> values =
      copyBody(b, body, mapping, cotangent, isBounded);
  if (failed(values)) {
    copied->erase();
    return failure();
  }
  if (!isBounded)
    function->setAttr("unbounded", b.getUnitAttr());
  func::ReturnOp::create(b, function.getLoc(), *values);
  body.erase();
  function.setFunctionType(b.getFunctionType(copied->getArgumentTypes(),
                                             TypeRange(ValueRange(*values))));
  return success();
}

static LogicalResult addScore(func::FuncOp function, AttentionOp op) {
  OpBuilder b(function->getContext());
  b.setInsertionPointAfter(function);
  Location loc = op.getLoc();
  Type score = op.getAccumulatorType(), index = b.getIndexType();
  SmallVector<Type> types{score, index, index, index, index};
  llvm::append_range(types, op.getScoreOperands().getTypes());
  llvm::append_range(types, op.getCaptures().getTypes());
  auto made = func::FuncOp::create(b, loc, function.getName().str() + "_score",
                                   b.getFunctionType(types, {score, score}));
  Block *entry = made.addEntryBlock();
  b.setInsertionPointToStart(entry);
  ValueRange arguments = entry->getArguments();
  TilePlace at;
  at.batch = arguments[1];
  at.head = arguments[2];
  at.queryOrigin = at.keyOrigin = arith::ConstantIndexOp::create(b, loc, 0);
  at.body = &op.getScoreBody();
  at.captures = arguments.take_back(op.getCaptures().size());
  FailureOr<ValueAndDerivative> both =
      buildScoreAndDerivative(b, loc, op.getEffectiveScores(), at,
                              arguments.slice(5, op.getScoreOperands().size()),
                              arguments[0], arguments[3], arguments[4]);
  if (failed(both)) {
    made.erase();
    return failure();
  }
  if (!both->isBounded)
    made->setAttr("unbounded", b.getUnitAttr());
  func::ReturnOp::create(b, loc,
                         ValueRange{both->value, derivativeOf(b, loc, *both)});
  return success();
}

namespace {
struct TestDifferentiatePass
    : PassWrapper<TestDifferentiatePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestDifferentiatePass)

  TestDifferentiatePass() = default;
  TestDifferentiatePass(const TestDifferentiatePass &other)
      : PassWrapper(other) {}
  Option<bool> reverse{*this, "reverse",
                       llvm::cl::desc("Cotangents of all that is read")};

  StringRef getArgument() const override { return "flash-test-differentiate"; }
  StringRef getDescription() const override {
    return "Test derivatives of scores: functions of scalars, attentions";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect, math::MathDialect,
                    scf::SCFDialect, tensor::TensorDialect>();
  }
  void runOnOperation() override {
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      auto attentions = llvm::to_vector(function.getOps<AttentionOp>());
      for (AttentionOp op : attentions)
        if (failed(addScore(function, op)))
          return signalPassFailure();
      if (attentions.empty() && failed(differentiate(function, reverse)))
        return signalPassFailure();
    }
  }
};
} // namespace

void flash::registerTestDifferentiatePass() {
  PassRegistration<TestDifferentiatePass>();
}
