//===- Regions.cpp - Score and mask functions as regions --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes an expression of scalars again, over (batch, head, query, key):
//
//   s + slope[h] * (k - q)     ^bb0(%s, %b, %h, %i, %j, %slope: tensor<4xf32>):
//                                %0 = tensor.extract %slope[%h]; ...
//
// Tensors become captures, at the first place on the way that does not hold a
// number for each pair of a query and a key, so that nothing of that size is
// computed before. Floating point is in the score's type throughout.
//
//===----------------------------------------------------------------------===//

#include "Regions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;
using namespace flash::raise;

Type RegionWriter::convert(Type type) const {
  return isa<FloatType>(type) ? scoreType : type;
}

Value RegionWriter::constant(Location loc, TypedAttr value) {
  return arith::ConstantOp::create(builder, loc, value);
}

void RegionWriter::begin(Region &region, bool isScore, Location loc) {
  SmallVector<Type> types(4, builder.getIndexType());
  if (isScore)
    types.insert(types.begin(), scoreType);
  Block *block = builder.createBlock(&region, region.end(), types,
                                     SmallVector<Location>(types.size(), loc));
  auto arguments = block->getArguments().take_back(4);
  score = isScore ? Value(block->getArgument(0)) : Value();
  batch = arguments[0];
  head = arguments[1];
  query = arguments[2];
  key = arguments[3];
}

void RegionWriter::moveTo(AttentionOp op) {
  for (auto [body, target] : {std::pair(scoreBody.get(), &op.getScoreBody()),
                              {maskBody.get(), &op.getMaskBody()}}) {
    if (body->empty())
      continue;
    Region &region = *target;
    region.takeBody(*body);
    for (Value capture : captures) {
      Value argument =
          region.front().addArgument(capture.getType(), capture.getLoc());
      capture.replaceUsesWithIf(argument, [&](OpOperand &use) {
        return region.isAncestor(use.getOwner()->getParentRegion());
      });
    }
  }
}

/// Whether there is an element for each pair of a query and a key.
bool RegionWriter::isPerScore(ArrayRef<AffineExpr> at) const {
  auto reads = [&](std::optional<unsigned> dim) {
    return dim && llvm::any_of(at, [&](AffineExpr index) {
             return index.isFunctionOfDim(*dim);
           });
  };
  return reads(roles.query) && reads(roles.key);
}

bool RegionWriter::isOfQueryOrKey(ArrayRef<AffineExpr> at) const {
  return llvm::any_of(at, [&](AffineExpr index) {
    return index.isFunctionOfDim(*roles.key) ||
           (roles.query && index.isFunctionOfDim(*roles.query));
  });
}

bool RegionWriter::isOfPositions(Scalar scalar) const {
  scalar = tracer.trace(scalar);
  if (scalar.isElement())
    return !isOfQueryOrKey(scalar.at);
  Operation *def = scalar.getDefiningOp();
  if (!def || !def->getParentOfType<linalg::LinalgOp>() ||
      isa<linalg::IndexOp>(def))
    return true;
  return isa<arith::ArithDialect>(def->getDialect()) &&
         llvm::all_of(def->getOperands(), [&](Value operand) {
           return isOfPositions({operand, scalar.at});
         });
}

Value RegionWriter::toScoreType(Value value, Location loc) {
  Type type = value.getType();
  if (!isa<FloatType>(type) || type == scoreType)
    return value;
  if (type.getIntOrFloatBitWidth() < scoreType.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(builder, loc, scoreType, value);
  return arith::TruncFOp::create(builder, loc, scoreType, value);
}

FailureOr<Value> RegionWriter::writeElement(const Scalar &element) {
  Location loc = element.getLoc();
  linalg::LinalgOp op = product.op;
  if (element.getDefiningOp() == op.getOperation())
    return match.miss(loc, "a score function reads the score of another query "
                           "or key");
  SmallVector<Value> indices;
  for (AffineExpr index : element.at) {
    FailureOr<Value> value = writeIndex(index, loc);
    if (failed(value))
      return failure();
    indices.push_back(*value);
  }
  captures.insert(element.value);
  Value read = tensor::ExtractOp::create(builder, loc, element.value, indices);
  return toScoreType(read, loc);
}

FailureOr<Value> RegionWriter::writeOp(const Scalar &scalar) {
  Operation *def = scalar.getDefiningOp();
  Location loc = scalar.getLoc();
  // A number of the function around, such as a scale that is an argument.
  Value value = scalar.value;
  if (!value.getParentRegion()->getParentOfType<linalg::LinalgOp>()) {
    captures.insert(value);
    return toScoreType(value, loc);
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(def)) {
    SmallVector<Value> indices;
    for (Value index : extract.getIndices()) {
      FailureOr<Value> value = write({index, scalar.at});
      if (failed(value))
        return failure();
      indices.push_back(*value);
    }
    captures.insert(extract.getTensor());
    Value read =
        tensor::ExtractOp::create(builder, loc, extract.getTensor(), indices);
    return toScoreType(read, loc);
  }
  // An accumulator does not come this far: no sum is of the same exponential.
  if (def->getNumRegions() != 0 || def->getNumResults() != 1 ||
      !isa<arith::ArithDialect, math::MathDialect>(def->getDialect()))
    return match.miss(loc, Twine("a score function cannot hold '") +
                               def->getName().getStringRef() + "'");
  // A sum with a mask, which hides by itself.
  if (isa<arith::AddFOp, arith::SubFOp>(def))
    for (unsigned i : {1, 0}) {
      if (i == 0 && isa<arith::SubFOp>(def))
        break;
      const auto *left = match.findUnmasked(
          tracer.traceCasts({def->getOperand(i), scalar.at}));
      if (left && !*left)
        return write({def->getOperand(1 - i), scalar.at});
    }
  SmallVector<Value> operands;
  for (Value operand : def->getOperands()) {
    FailureOr<Value> value = write({operand, scalar.at});
    if (failed(value))
      return failure();
    operands.push_back(*value);
  }
  // Changes of precision are gone.
  if (isa<arith::ExtFOp, arith::TruncFOp>(def))
    return operands.front();
  Operation *copy =
      builder.create(def->getLoc(), def->getName().getIdentifier(), operands,
                     {convert(def->getResult(0).getType())}, def->getAttrs());
  return copy->getResult(0);
}

FailureOr<Value> RegionWriter::write(Scalar scalar) {
  Location loc = scalar.getLoc();
  Type type = scalar.getElementType();
  if (isa<FloatType>(type)) {
    if (const auto *left = match.findUnmasked(tracer.traceCasts(scalar)))
      return *left ? write(**left)
                   : constant(loc, builder.getFloatAttr(scoreType, 0));
    if (auto factor = getScaleOf(tracer, scalar, product)) {
      if (*factor == scale)
        return score;
      Value ratio =
          constant(loc, builder.getFloatAttr(scoreType, *factor / scale));
      return Value(arith::MulFOp::create(builder, loc, score, ratio));
    }
    if (auto number = tracer.getNumber(scalar))
      return constant(loc, builder.getFloatAttr(scoreType, *number));
  } else if (auto index = matchIndex(tracer, scalar);
             index && !type.isInteger(1)) {
    FailureOr<Value> value = writeIndex(*index, loc);
    if (failed(value) || type.isIndex())
      return value;
    return Value(arith::IndexCastOp::create(builder, loc, type, *value));
  }
  std::optional<Scalar> next = scalar;
  while (next) {
    scalar = *next;
    // Blocks of a mask are classified by positions, not by what a tensor holds.
    bool isPosition = !isa<FloatType>(type) && scalar.isElement() &&
                      isOfQueryOrKey(scalar.at) && isOfPositions(scalar);
    if (scalar.isElement() && !isPerScore(scalar.at) && !isPosition)
      break;
    next = tracer.step(scalar);
  }
  APInt integer;
  if (matchPattern(scalar.value, m_ConstantInt(&integer)) &&
      isa<IntegerType>(type))
    return constant(loc, builder.getIntegerAttr(type, integer));
  return scalar.isElement() ? writeElement(scalar) : writeOp(scalar);
}

LogicalResult RegionWriter::writeScore(const Scalar &scalar, double factor,
                                       double scale) {
  this->scale = scale;
  Location loc = scalar.getLoc();
  begin(*scoreBody, /*isScore=*/true, loc);
  FailureOr<Value> value = write(scalar);
  if (failed(value))
    return failure();
  if (factor != 1)
    value = Value(arith::MulFOp::create(
        builder, loc, *value,
        constant(loc, builder.getFloatAttr(scoreType, factor))));
  YieldOp::create(builder, loc, *value);
  return success();
}

LogicalResult RegionWriter::writeSum(ArrayRef<Scalar> addends) {
  Location loc = addends.front().getLoc();
  begin(*scoreBody, /*isScore=*/true, loc);
  Value total = score;
  for (const Scalar &addend : addends) {
    FailureOr<Value> value = writeElement(addend);
    if (failed(value))
      return failure();
    total = arith::AddFOp::create(builder, loc, total, *value);
  }
  YieldOp::create(builder, loc, total);
  return success();
}

FailureOr<Value> RegionWriter::writeLiteral(const Literal &literal,
                                            Location loc) {
  if (literal.sum) {
    FailureOr<Value> sum = writeSum(*literal.sum, loc);
    if (failed(sum))
      return failure();
    return Value(arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                       *sum,
                                       constant(loc, builder.getIndexAttr(0))));
  }
  FailureOr<Value> condition = write(literal.condition);
  if (failed(condition) || literal.wanted)
    return condition;
  return Value(arith::XOrIOp::create(builder, loc, *condition,
                                     constant(loc, builder.getBoolAttr(true))));
}

LogicalResult RegionWriter::writeMask(const Clauses &clauses, Location loc) {
  begin(*maskBody, /*isScore=*/false, loc);
  Value visible;
  for (const Clause &clause : clauses) {
    Value any;
    for (const Literal &literal : clause) {
      FailureOr<Value> holds = writeLiteral(literal, loc);
      if (failed(holds))
        return failure();
      any =
          any ? Value(arith::OrIOp::create(builder, loc, any, *holds)) : *holds;
    }
    if (!any)
      any = constant(loc, builder.getBoolAttr(false));
    visible = visible ? Value(arith::AndIOp::create(builder, loc, visible, any))
                      : any;
  }
  YieldOp::create(builder, loc, visible);
  return success();
}
