//===- DifferentiateFunctions.cpp - A function's forward and backward -----===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   func.func @f(%q, %k, %v) -> %o
//   ->  func.func @f_forward(%q, %k, %v) -> (%o, kept: %o, %lse)
//       func.func @f_backward(%do, %q, %k, %v, kept ...) -> (%dq, %dk, %dv)
//
// The reverse mode at L0, operation by operation. What the backward needs of
// the forward is computed again where it costs nothing (views, sizes,
// constants), and else kept; scores and probabilities are inside of the
// attention, and never kept.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Gradients.h"
#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace flash {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

static bool isFloatTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

/// Whether the backward computes the op again rather than have it kept: views,
/// sizes, and what is made of no data.
static bool isCheap(Operation *op) {
  if (isa<arith::ArithDialect, affine::AffineDialect>(op->getDialect()))
    return !llvm::any_of(op->getResultTypes(), [](Type type) {
      return isFloatTensor(type);
    }) || isa<arith::ConstantOp>(op);
  return isa<tensor::DimOp, tensor::EmptyOp, tensor::CastOp,
             tensor::ExtractSliceOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp, tensor::ReshapeOp, tensor::FromElementsOp,
             linalg::FillOp>(op);
}

//===----------------------------------------------------------------------===//
// Which values have gradients
//===----------------------------------------------------------------------===//

/// The float tensors that depend on one of `arguments`, which it holds.
static llvm::DenseSet<Value> findActive(func::FuncOp func,
                                        ArrayRef<unsigned> arguments) {
  llvm::DenseSet<Value> active;
  for (unsigned number : arguments)
    active.insert(func.getArgument(number));
  for (Operation &op : func.getBody().front()) {
    bool depends = false;
    op.walk([&](Operation *inner) {
      depends |= llvm::any_of(inner->getOperands(), [&](Value operand) {
        return active.contains(operand);
      });
    });
    if (!depends || isa<tensor::DimOp>(op))
      continue;
    for (Value result : op.getResults())
      if (isFloatTensor(result.getType()) || isa<FloatType>(result.getType()))
        active.insert(result);
  }
  return active;
}

/// The log-sum-exps of what is differentiated: the backward reads them.
static void addLogSumExps(func::FuncOp func,
                          const llvm::DenseSet<Value> &active) {
  SmallVector<Operation *> ops;
  func.walk([&](Operation *op) {
    if (isa<AttentionOp, MergeOp>(op) && op->getNumResults() == 1 &&
        active.contains(op->getResult(0)))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    OpBuilder builder(op);
    SmallVector<Type> types(op->getResultTypes());
    if (auto attention = dyn_cast<AttentionOp>(op)) {
      RankedTensorType query = attention.getQuery().getType();
      types.push_back(RankedTensorType::get(
          {query.getDimSize(0), query.getDimSize(attention.getHeadsDim()),
           query.getDimSize(attention.getLengthDim())},
          attention.getAccumulatorType()));
    } else {
      types.push_back(cast<MergeOp>(op).getLses().front().getType());
    }
    OperationState state(op->getLoc(), op->getName(), op->getOperands(), types,
                         op->getAttrs());
    for (Region &region : op->getRegions())
      state.addRegion()->takeBody(region);
    Operation *made = builder.create(state);
    op->getResult(0).replaceAllUsesWith(made->getResult(0));
    op->erase();
  }
}

//===----------------------------------------------------------------------===//
// The backward
//===----------------------------------------------------------------------===//

namespace {
/// Builds @f_backward from @f_forward, which it makes return what is kept.
class FunctionBackward : public GradientBuilder {
public:
  FunctionBackward(func::FuncOp forward, func::FuncOp backward,
                   ArrayRef<unsigned> wrt)
      : GradientBuilder(forward.getContext()), forward(forward),
        backward(backward), wrt(wrt), active(findActive(forward, wrt)) {}

  LogicalResult build();

  Value get(Value value) override;
  Value gradientFor(Value value) override { return sums.lookup(value); }
  bool wants(Value value) override { return active.contains(value); }
  void add(Value value, Value gradient) override;

private:
  func::FuncOp forward, backward;
  SmallVector<unsigned> wrt;
  llvm::DenseSet<Value> active;
  /// Values of the forward in the backward, and gradients for them.
  IRMapping values;
  llvm::DenseMap<Value, Value> sums;
  SmallVector<Value> kept;
};
} // namespace

Value FunctionBackward::get(Value value) {
  if (Value known = values.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!isCheap(op)) {
    kept.push_back(value);
    Value argument =
        backward.getBody().front().addArgument(value.getType(), value.getLoc());
    values.map(value, argument);
    return argument;
  }
  for (Value operand : op->getOperands())
    (void)get(operand);
  // Views of what is known are made where they are first asked for; all of the
  // backward is one block, so that they stand before who else asks.
  b.clone(*op, values);
  return values.lookup(value);
}

void FunctionBackward::add(Value value, Value gradient) {
  if (!wants(value))
    return;
  Value &sum = sums[value];
  if (!sum) {
    sum = gradient;
    return;
  }
  Value cast =
      b.createOrFold<tensor::CastOp>(value.getLoc(), sum.getType(), gradient);
  sum = mapElements(b, value.getLoc(), {sum, cast}, getElementTypeOrSelf(value),
                    [](OpBuilder &nested, Location l, ValueRange in) -> Value {
                      return arith::AddFOp::create(nested, l, in[0], in[1]);
                    });
}

LogicalResult FunctionBackward::build() {
  Block &from = forward.getBody().front(), *to = backward.addEntryBlock();
  b.setInsertionPointToStart(to);
  auto end = cast<func::ReturnOp>(from.getTerminator());
  unsigned next = 0;
  for (Value result : end.getOperands())
    if (isFloatTensor(result.getType()))
      add(result, to->getArgument(next++));
  for (BlockArgument argument : from.getArguments())
    values.map(argument, to->getArgument(next++));

  for (Operation &op : llvm::reverse(from.without_terminator())) {
    bool hasGradient = llvm::any_of(op.getResults(), [&](Value result) {
      return bool(sums.lookup(result));
    });
    bool passesOn = false;
    op.walk([&](Operation *inner) {
      passesOn |= llvm::any_of(inner->getOperands(),
                               [&](Value operand) { return wants(operand); });
    });
    if (hasGradient && passesOn && failed(buildGradients(*this, &op)))
      return failure();
  }

  SmallVector<Value> results;
  SmallVector<Type> types;
  for (unsigned number : wrt) {
    Value argument = forward.getArgument(number);
    Value gradient = gradientFor(argument);
    if (!gradient)
      gradient = zerosLike(argument);
    results.push_back(b.createOrFold<tensor::CastOp>(
        argument.getLoc(), argument.getType(), gradient));
    types.push_back(argument.getType());
  }
  func::ReturnOp::create(b, forward.getLoc(), results);
  backward.setFunctionType(b.getFunctionType(to->getArgumentTypes(), types));

  // What is kept leaves the forward after its results.
  SmallVector<Type> forwardTypes(forward.getResultTypes());
  for (Value value : kept) {
    end->insertOperands(end->getNumOperands(), value);
    forwardTypes.push_back(value.getType());
  }
  forward.setFunctionType(
      b.getFunctionType(forward.getArgumentTypes(), forwardTypes));
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// The numbers of the arguments with gradients: those that `text` lists (0, 2),
/// those of the attribute `wrt`, or all float tensors.
static FailureOr<SmallVector<unsigned>> getWrt(func::FuncOp func,
                                               StringRef text) {
  SmallVector<int64_t> numbers;
  bool given = !text.empty();
  SmallVector<StringRef> parts;
  text.trim("[]{} ").split(parts, ',');
  for (StringRef part : parts) {
    int64_t number;
    if (part.trim().empty())
      continue;
    if (part.trim().getAsInteger(10, number))
      return func.emitError() << "wrt lists numbers of arguments, as in "
                                 "wrt=0,2, not '"
                              << part.trim() << "'";
    numbers.push_back(number);
  }
  if (!given) {
    if (auto array = func->getAttrOfType<DenseI64ArrayAttr>(kWrtAttrName)) {
      given = true;
      llvm::append_range(numbers, array.asArrayRef());
    } else if (auto list = func->getAttrOfType<ArrayAttr>(kWrtAttrName)) {
      given = true;
      for (Attribute element : list) {
        auto number = dyn_cast<IntegerAttr>(element);
        if (!number)
          return func.emitError() << "has wrt = " << list
                                  << ", but needs numbers of arguments: write "
                                     "wrt = [0, 2]";
        numbers.push_back(number.getInt());
      }
    }
  }
  SmallVector<unsigned> wrt;
  if (!given) {
    for (auto [number, type] : llvm::enumerate(func.getArgumentTypes()))
      if (isFloatTensor(type))
        wrt.push_back(number);
  }
  for (int64_t number : numbers) {
    if (number < 0 || number >= int64_t(func.getNumArguments()))
      return func.emitError() << "wrt has " << number << ", but there are "
                              << func.getNumArguments() << " arguments";
    Type type = func.getArgumentTypes()[number];
    if (!isFloatTensor(type))
      return func.emitError()
             << "wrt has " << number << ", an argument of type " << type
             << ", but gradients are of tensors of "
                "floats";
    wrt.push_back(unsigned(number));
  }
  if (wrt.empty())
    return func.emitError() << "has no argument with a gradient: no tensor of "
                               "floats, or an empty wrt";
  return wrt;
}

FailureOr<std::pair<func::FuncOp, func::FuncOp>>
flash::differentiate(func::FuncOp func, StringRef wrtText) {
  if (func.isExternal() || !func.getBody().hasOneBlock())
    return func.emitError() << "has not one block, which differentiating needs";
  FailureOr<SmallVector<unsigned>> wrt = getWrt(func, wrtText);
  if (failed(wrt))
    return failure();
  OpBuilder builder(func);
  builder.setInsertionPointAfter(func);
  auto forward = cast<func::FuncOp>(builder.clone(*func));
  forward.setName((func.getName() + "_forward").str());
  forward->removeAttr(kWrtAttrName);
  addLogSumExps(forward, findActive(forward, *wrt));

  SmallVector<Type> inputs;
  for (Type type : func.getResultTypes())
    if (isFloatTensor(type))
      inputs.push_back(type);
  llvm::append_range(inputs, func.getArgumentTypes());
  auto backward = func::FuncOp::create(builder, func.getLoc(),
                                       (func.getName() + "_backward").str(),
                                       builder.getFunctionType(inputs, {}));
  if (failed(FunctionBackward(forward, backward, *wrt).build())) {
    forward.erase();
    backward.erase();
    return failure();
  }
  return std::pair{forward, backward};
}

FailureOr<func::FuncOp> flash::addForwardAndBackward(func::FuncOp func) {
  FailureOr<std::pair<func::FuncOp, func::FuncOp>> pair = differentiate(func);
  if (failed(pair))
    return failure();
  auto [forward, backward] = *pair;
  unsigned ownResults = func.getNumResults(),
           gradients = backward.getNumArguments() - forward.getNumArguments() -
                       (forward.getNumResults() - ownResults);
  SmallVector<Type> inputs(func.getArgumentTypes()), results;
  llvm::append_range(inputs, backward.getArgumentTypes().take_front(gradients));
  llvm::append_range(results, func.getResultTypes());
  llvm::append_range(results, backward.getResultTypes());
  OpBuilder builder(backward);
  auto both = func::FuncOp::create(builder, func.getLoc(),
                                   (func.getName() + "_gradients").str(),
                                   builder.getFunctionType(inputs, results));
  Block *block = both.addEntryBlock();
  ValueRange arguments = block->getArguments();
  builder.setInsertionPointToStart(block);
  // Copies a body, and gives what it returns.
  auto append = [&](func::FuncOp from, ValueRange with) {
    IRMapping mapping;
    mapping.map(from.getArguments(), with);
    Block &body = from.getBody().front();
    for (Operation &op : body.without_terminator())
      builder.clone(op, mapping);
    return llvm::map_to_vector(
        body.getTerminator()->getOperands(),
        [&](Value value) { return mapping.lookup(value); });
  };
  ValueRange own = arguments.take_front(func.getNumArguments());
  SmallVector<Value> made = append(forward, own), with;
  llvm::append_range(with, arguments.take_back(gradients));
  llvm::append_range(with, own);
  llvm::append_range(with, ArrayRef(made).drop_front(ownResults));
  SmallVector<Value> returned(ArrayRef(made).take_front(ownResults));
  llvm::append_range(returned, append(backward, with));
  func::ReturnOp::create(builder, func.getLoc(), returned);
  return both;
}

namespace {
struct DifferentiatePass : flash::impl::DifferentiateBase<DifferentiatePass> {
  using DifferentiateBase::DifferentiateBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> functions;
    for (auto func : module.getOps<func::FuncOp>()) {
      if (!function.empty() ? func.getName() == function : holdsAttention(func))
        functions.push_back(func);
    }
    if (!function.empty() && functions.empty()) {
      module.emitError() << "flash-differentiate: there is no function @"
                         << function;
      return signalPassFailure();
    }
    for (func::FuncOp func : functions) {
      for (StringRef suffix : {"_forward", "_backward"})
        if (module.lookupSymbol((func.getName() + suffix).str())) {
          func.emitError() << "would get a function @" << func.getName()
                           << suffix << ", but there is one";
          return signalPassFailure();
        }
      if (failed(differentiate(func, wrt)))
        return signalPassFailure();
      ++numDifferentiated;
    }
  }

  static bool holdsAttention(func::FuncOp func) {
    return func
        .walk([](Operation *op) {
          return isa<AttentionOp, MergeOp>(op) ? WalkResult::interrupt()
                                               : WalkResult::advance();
        })
        .wasInterrupted();
  }
};
} // namespace
