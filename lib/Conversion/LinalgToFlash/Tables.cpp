//===- Tables.cpp - Conditions that constants decide ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The expression is compiled once to nodes over dimensions, and these are
// evaluated at each place.
//
//===----------------------------------------------------------------------===//

#include "Tables.h"
#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace flash::raise;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

std::optional<ConstantNumbers> ConstantNumbers::get(Value tensor) {
  Attribute attr;
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || !type.getElementType().isIntOrFloat() ||
      !matchPattern(tensor, m_Constant(&attr)))
    return std::nullopt;
  ConstantNumbers numbers(type);
  if ((numbers.dense = dyn_cast<DenseElementsAttr>(attr)))
    return numbers;
  auto resource = dyn_cast<DenseResourceElementsAttr>(attr);
  if (!resource || !resource.getRawHandle().getBlob())
    return std::nullopt;
  numbers.raw = resource.getRawHandle().getBlob()->getData();
  // Booleans are a byte each.
  int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  if (int64_t(numbers.raw.size()) != bytes * type.getNumElements())
    return std::nullopt;
  return numbers;
}

static double toDouble(APFloat value) {
  bool lost;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
  return value.convertToDouble();
}

static double toDouble(const APInt &value) {
  return value.getBitWidth() == 1 ? double(!value.isZero())
                                  : double(value.getSExtValue());
}

double ConstantNumbers::operator[](int64_t index) const {
  Type element = type.getElementType();
  auto floating = dyn_cast<FloatType>(element);
  if (dense)
    return floating ? toDouble(dense.getValues<APFloat>()[index])
                    : toDouble(dense.getValues<APInt>()[index]);
  unsigned bits = element.getIntOrFloatBitWidth();
  uint64_t word = 0;
  size_t bytes = llvm::divideCeil(bits, 8);
  std::memcpy(&word, raw.data() + index * bytes, bytes);
  APInt number = APInt(64, word).trunc(bits);
  return floating ? toDouble(APFloat(floating.getFloatSemantics(), number))
                  : toDouble(number);
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

namespace {
/// A sum of dimensions, an element of a table, or an op of other nodes.
struct Node {
  LinearSum sum;
  std::optional<ConstantNumbers> table;
  Operation *op = nullptr;
  SmallVector<unsigned, 3> operands;
};

class Expression {
public:
  explicit Expression(Tracer &tracer) : tracer(tracer) {}

  std::optional<unsigned> compile(Scalar scalar);
  /// The value at a place, as a number; not a number where it has none.
  double evaluate(unsigned node, ArrayRef<int64_t> place) const;

  std::set<unsigned> dims;

private:
  std::optional<unsigned> add(Node node) {
    for (const LinearSum::Term &term : node.sum.terms)
      dims.insert(term.dim);
    nodes.push_back(std::move(node));
    return nodes.size() - 1;
  }
  std::optional<unsigned> addSum(const LinearSum &sum) {
    if (!sum.symbols.empty())
      return std::nullopt;
    return add(Node{sum, std::nullopt, nullptr, {}});
  }

  Tracer &tracer;
  std::vector<Node> nodes;
};
} // namespace

static double evaluateOp(Operation *op, ArrayRef<double> in);

std::optional<unsigned> Expression::compile(Scalar scalar) {
  constexpr size_t kMostNodes = 200;
  if (nodes.size() > kMostNodes)
    return std::nullopt;
  scalar = tracer.trace(scalar);
  if (!isa<FloatType>(scalar.getElementType()) &&
      !scalar.getElementType().isInteger(1))
    if (auto index = matchIndex(tracer, scalar))
      if (auto sum = LinearSum::get(*index); sum && sum->symbols.empty())
        return addSum(*sum);
  Operation *def = scalar.getDefiningOp();
  if (!def)
    return std::nullopt;
  if (scalar.isElement()) {
    Node node{{}, ConstantNumbers::get(scalar.value), nullptr, {}};
    if (!node.table)
      return std::nullopt;
    for (AffineExpr index : scalar.at) {
      auto sum = LinearSum::get(index);
      auto child = sum ? addSum(*sum) : std::nullopt;
      if (!child)
        return std::nullopt;
      node.operands.push_back(*child);
    }
    return add(std::move(node));
  }
  Attribute attr;
  if (matchPattern(scalar.value, m_Constant(&attr))) {
    Node node{{}, std::nullopt, def, {}};
    if (!isa<FloatAttr, IntegerAttr>(attr))
      return std::nullopt;
    return add(std::move(node));
  }
  Node node{{}, std::nullopt, def, {}};
  ValueRange operands = def->getOperands();
  if (auto extract = dyn_cast<tensor::ExtractOp>(def)) {
    node.table = ConstantNumbers::get(extract.getTensor());
    if (!node.table)
      return std::nullopt;
    operands = extract.getIndices();
  } else if (std::isnan(evaluateOp(
                 def, SmallVector<double>(def->getNumOperands(), 1.0)))) {
    return std::nullopt; // not an op that is known
  }
  for (Value operand : operands) {
    auto child = compile({operand, scalar.at});
    if (!child)
      return std::nullopt;
    node.operands.push_back(*child);
  }
  return add(std::move(node));
}

static bool compare(arith::CmpFPredicate predicate, double a, double b) {
  return arith::applyCmpPredicate(predicate, APFloat(a), APFloat(b));
}

static bool compare(arith::CmpIPredicate predicate, double a, double b) {
  return arith::applyCmpPredicate(predicate, APInt(64, int64_t(a), true),
                                  APInt(64, int64_t(b), true));
}

/// Integers of up to 53 bits are exact; positions are.
static double evaluateOp(Operation *op, ArrayRef<double> in) {
  return llvm::TypeSwitch<Operation *, double>(op)
      .Case([&](arith::CmpIOp op) {
        return double(compare(op.getPredicate(), in[0], in[1]));
      })
      .Case([&](arith::CmpFOp op) {
        return double(compare(op.getPredicate(), in[0], in[1]));
      })
      .Case([&](arith::SelectOp) { return in[0] != 0 ? in[1] : in[2]; })
      .Case<arith::AndIOp, arith::OrIOp, arith::XOrIOp>([&](Operation *op) {
        int64_t a = int64_t(in[0]), b = int64_t(in[1]);
        return double(isa<arith::AndIOp>(op)  ? a & b
                      : isa<arith::OrIOp>(op) ? a | b
                                              : a ^ b);
      })
      .Case<arith::AddIOp, arith::AddFOp>(
          [&](Operation *) { return in[0] + in[1]; })
      .Case<arith::SubIOp, arith::SubFOp>(
          [&](Operation *) { return in[0] - in[1]; })
      .Case<arith::MulIOp, arith::MulFOp>(
          [&](Operation *) { return in[0] * in[1]; })
      .Case([&](arith::DivFOp) { return in[0] / in[1]; })
      .Case([&](arith::DivSIOp) { return std::trunc(in[0] / in[1]); })
      .Case([&](arith::FloorDivSIOp) { return std::floor(in[0] / in[1]); })
      .Case([&](arith::RemSIOp) { return std::fmod(in[0], in[1]); })
      .Case<arith::MaxSIOp, arith::MaximumFOp, arith::MaxNumFOp>(
          [&](Operation *) { return std::max(in[0], in[1]); })
      .Case<arith::MinSIOp, arith::MinimumFOp, arith::MinNumFOp>(
          [&](Operation *) { return std::min(in[0], in[1]); })
      .Case([&](arith::NegFOp) { return -in[0]; })
      .Case<math::AbsFOp, math::AbsIOp>(
          [&](Operation *) { return std::abs(in[0]); })
      .Case([&](math::FloorOp) { return std::floor(in[0]); })
      .Case([&](math::CeilOp) { return std::ceil(in[0]); })
      .Case<arith::FPToSIOp, arith::FPToUIOp>(
          [&](Operation *) { return std::trunc(in[0]); })
      .Case<arith::ExtSIOp, arith::SIToFPOp>([&](Operation *op) {
        return op->getOperand(0).getType().isInteger(1) ? -in[0] : in[0];
      })
      .Case([&](arith::TruncIOp op) {
        return op.getType().isInteger(1) ? double(int64_t(in[0]) & 1) : in[0];
      })
      .Case<arith::ExtUIOp, arith::UIToFPOp, arith::IndexCastOp,
            arith::IndexCastUIOp, arith::ExtFOp, arith::TruncFOp>(
          [&](Operation *) { return in[0]; })
      .Default([](Operation *) { return std::nan(""); });
}

double Expression::evaluate(unsigned number, ArrayRef<int64_t> place) const {
  const Node &node = nodes[number];
  if (!node.op && !node.table) {
    int64_t value = node.sum.constant;
    for (const LinearSum::Term &term : node.sum.terms)
      value += term.factor * place[term.dim];
    return double(value);
  }
  SmallVector<double, 4> in;
  for (unsigned operand : node.operands)
    in.push_back(evaluate(operand, place));
  if (node.table) {
    int64_t index = 0;
    for (auto [value, size] : llvm::zip(in, node.table->getType().getShape())) {
      if (!(value >= 0 && value < double(size)))
        return std::nan("");
      index = index * size + int64_t(value);
    }
    return (*node.table)[index];
  }
  Attribute attr;
  if (matchPattern(node.op, m_Constant(&attr))) {
    if (auto real = dyn_cast<FloatAttr>(attr))
      return toDouble(real.getValue());
    return toDouble(cast<IntegerAttr>(attr).getValue());
  }
  return evaluateOp(node.op, in);
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

namespace {
/// Least and largest value of a sum over the places that are wanted.
struct Bounds {
  LinearSum sum;
  int64_t least = std::numeric_limits<int64_t>::max(),
          most = std::numeric_limits<int64_t>::min();

  int64_t at(ArrayRef<int64_t> place) const {
    int64_t value = 0;
    for (const LinearSum::Term &term : sum.terms)
      value += term.factor * place[term.dim];
    return value;
  }
  void include(ArrayRef<int64_t> place) {
    least = std::min(least, at(place));
    most = std::max(most, at(place));
  }
  bool holds(ArrayRef<int64_t> place) const {
    return at(place) >= least && at(place) <= most;
  }
};
} // namespace

/// Visits all places of a number of dimensions; stops where `visit` fails.
static bool forEachPlace(const Domain &domain, ArrayRef<unsigned> dims,
                         MutableArrayRef<int64_t> place,
                         llvm::function_ref<bool(ArrayRef<int64_t>)> visit) {
  if (dims.empty())
    return visit(place);
  for (int64_t i = 0; i < domain.getSize(dims.front()); ++i) {
    place[dims.front()] = i;
    if (!forEachPlace(domain, dims.drop_front(), place, visit))
      return false;
  }
  return true;
}

std::optional<SmallVector<LinearSum>>
flash::raise::tabulate(Tracer &tracer, const Scalar &scalar,
                       llvm::function_ref<bool(double)> isWanted) {
  Domain &domain = tracer.getDomain();
  Expression expression(tracer);
  std::optional<unsigned> root = expression.compile(scalar);
  constexpr int64_t kMostPlaces = int64_t(1) << 24;
  SmallVector<unsigned> dims(expression.dims.begin(), expression.dims.end());
  if (!root || dims.empty() || dims.size() > 2)
    return std::nullopt;
  int64_t places = 1;
  for (unsigned dim : dims) {
    if (ShapedType::isDynamic(domain.getSize(dim)))
      return std::nullopt;
    places *= domain.getSize(dim);
    if (places > kMostPlaces)
      return std::nullopt;
  }
  SmallVector<Bounds> ranges;
  for (unsigned dim : dims) {
    ranges.emplace_back();
    ranges.back().sum.terms = {{dim, 1}};
  }
  if (dims.size() == 2) {
    ranges.emplace_back();
    ranges.back().sum.terms = {{dims[0], 1}, {dims[1], -1}};
  }
  SmallVector<int64_t> place(domain.getNumDims(), 0);
  std::vector<bool> wanted;
  bool any = false;
  bool isKnown = forEachPlace(domain, dims, place, [&](ArrayRef<int64_t> at) {
    double value = expression.evaluate(*root, at);
    if (std::isnan(value))
      return false;
    wanted.push_back(isWanted(value));
    if (wanted.back())
      for (Bounds &range : ranges)
        range.include(at);
    any |= wanted.back();
    return true;
  });
  if (!isKnown)
    return std::nullopt;
  SmallVector<LinearSum> sums;
  if (!any)
    return SmallVector<LinearSum>{LinearSum(-1)};
  // The fewest bounds that say it: of the difference, of the dimensions, all.
  auto say = [&](ArrayRef<Bounds> some) {
    size_t next = 0;
    return forEachPlace(domain, dims, place, [&](ArrayRef<int64_t> at) {
      return wanted[next++] == llvm::all_of(some, [&](const Bounds &range) {
               return range.holds(at);
             });
    });
  };
  ArrayRef<Bounds> all = ranges, difference = all.drop_front(dims.size()),
                   some = all;
  if (!difference.empty() && say(difference))
    some = difference;
  else if (say(all.take_front(dims.size())))
    some = all.take_front(dims.size());
  else if (!say(all))
    return std::nullopt;
  for (const Bounds &range : some)
    for (auto [bound, factor] : {std::pair(range.least, 1), {range.most, -1}}) {
      LinearSum sum = LinearSum(-factor * bound).plus(range.sum, factor);
      std::optional<int64_t> lowest = domain.lowerBound(sum);
      if (!lowest || *lowest < 0)
        sums.push_back(sum);
    }
  return sums;
}
