//===- Expr.cpp - Integer expressions over a call's arguments -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Immutable trees, shared between expressions; a call runs the tape that they
// become.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Expr.h"

#include <algorithm>

using namespace flash::rt;

struct Expr::Node {
  Kind kind;
  /// Of a constant its value; of a dimension its argument and number.
  int64_t value = 0;
  int64_t dimension = 0;
  std::shared_ptr<const Node> lhs, rhs;
};

Expr::Expr(int64_t constant)
    : node(std::make_shared<Node>(Node{Kind::Constant, constant, 0, {}, {}})) {}

Expr Expr::dim(int argument, int dimension) {
  return Expr(
      std::make_shared<Node>(Node{Kind::Dim, argument, dimension, {}, {}}));
}

Expr Expr::stride(int argument, int dimension) {
  return Expr(
      std::make_shared<Node>(Node{Kind::Stride, argument, dimension, {}, {}}));
}

Expr Expr::resultStride(int result, int dimension) {
  return Expr(std::make_shared<Node>(
      Node{Kind::ResultStride, result, dimension, {}, {}}));
}

Expr Expr::scalar(int argument) {
  return Expr(std::make_shared<Node>(Node{Kind::Scalar, argument, 0, {}, {}}));
}

const char *Expr::apply(Kind kind, int64_t lhs, int64_t rhs, int64_t &result) {
  constexpr const char *kOverflow = "the value does not fit in 64 bits";
  switch (kind) {
  case Kind::Add:
    return __builtin_add_overflow(lhs, rhs, &result) ? kOverflow : nullptr;
  case Kind::Sub:
    return __builtin_sub_overflow(lhs, rhs, &result) ? kOverflow : nullptr;
  case Kind::Mul:
    return __builtin_mul_overflow(lhs, rhs, &result) ? kOverflow : nullptr;
  case Kind::Min:
    result = std::min(lhs, rhs);
    return nullptr;
  case Kind::Max:
    result = std::max(lhs, rhs);
    return nullptr;
  case Kind::FloorDiv:
  case Kind::CeilDiv:
  case Kind::Mod: {
    if (rhs == 0)
      return "division by zero";
    if (lhs == INT64_MIN && rhs == -1) {
      result = 0;
      return kind == Kind::Mod ? nullptr : kOverflow;
    }
    int64_t quotient = lhs / rhs, remainder = lhs % rhs;
    bool negative = (remainder < 0) != (rhs < 0);
    if (kind == Kind::FloorDiv)
      result = quotient - (remainder != 0 && negative);
    else if (kind == Kind::CeilDiv)
      result = quotient + (remainder != 0 && !negative);
    else
      result = remainder != 0 && negative ? remainder + rhs : remainder;
    return nullptr;
  }
  default:
    return "not an operation";
  }
}

Expr Expr::binary(Kind kind, const Expr &lhs, const Expr &rhs) {
  int64_t value;
  if (lhs.kind() == Kind::Constant && rhs.kind() == Kind::Constant &&
      !apply(kind, lhs.node->value, rhs.node->value, value))
    return Expr(value);
  bool neutralRight =
      ((kind == Kind::Add || kind == Kind::Sub) && rhs.isConstant(0)) ||
      ((kind == Kind::Mul || kind == Kind::FloorDiv || kind == Kind::CeilDiv) &&
       rhs.isConstant(1));
  if (neutralRight)
    return lhs;
  if ((kind == Kind::Add && lhs.isConstant(0)) ||
      (kind == Kind::Mul && lhs.isConstant(1)))
    return rhs;
  return Expr(std::make_shared<Node>(Node{kind, 0, 0, lhs.node, rhs.node}));
}

Expr::Kind Expr::kind() const { return node->kind; }

bool Expr::isConstant(int64_t value) const {
  return node->kind == Kind::Constant && node->value == value;
}

int64_t Expr::value() const { return node->value; }
int64_t Expr::dimension() const { return node->dimension; }
Expr Expr::lhs() const { return Expr(node->lhs); }
Expr Expr::rhs() const { return Expr(node->rhs); }

Status Expr::verify(const std::vector<int> &ranks,
                    const std::vector<int> &resultRanks) const {
  bool ofResult = node->kind == Kind::ResultStride;
  const std::vector<int> &all = ofResult ? resultRanks : ranks;
  switch (node->kind) {
  case Kind::Constant:
    return Status::success();
  case Kind::Dim:
  case Kind::Stride:
  case Kind::ResultStride:
  case Kind::Scalar: {
    int64_t argument = node->value;
    if (argument < 0 || argument >= static_cast<int64_t>(all.size()))
      return Status::error("'" + str() + "' names " +
                           (ofResult ? "a result of " : "an argument of ") +
                           std::to_string(all.size()));
    int rank = all[static_cast<size_t>(argument)];
    if (node->kind == Kind::Scalar && rank >= 0)
      return Status::error("'" + str() + "' names a tensor, not an index");
    if (node->kind != Kind::Scalar &&
        (node->dimension < 0 || node->dimension >= rank))
      return Status::error("'" + str() + "' names a dimension of " +
                           (rank < 0
                                ? std::string("an index")
                                : "a tensor of rank " + std::to_string(rank)));
    return Status::success();
  }
  default: {
    Status status = lhs().verify(ranks, resultRanks);
    return status.ok() ? rhs().verify(ranks, resultRanks) : status;
  }
  }
}

std::string Expr::str() const {
  std::string text;
  print(text, 0);
  return text;
}

void Expr::print(std::string &out, int outer) const {
  auto infix = [&](const char *symbol, int precedence) {
    if (precedence < outer)
      out += '(';
    Expr(node->lhs).print(out, precedence);
    out += symbol;
    // One higher: `a - (b - c)` keeps its parentheses.
    Expr(node->rhs).print(out, precedence + 1);
    if (precedence < outer)
      out += ')';
  };
  auto call = [&](const char *name) {
    out += name;
    out += '(';
    Expr(node->lhs).print(out, 0);
    out += ", ";
    Expr(node->rhs).print(out, 0);
    out += ')';
  };
  switch (node->kind) {
  case Kind::Constant:
    out += std::to_string(node->value);
    return;
  case Kind::Dim:
    out += "dim(" + std::to_string(node->value) + ", " +
           std::to_string(node->dimension) + ")";
    return;
  case Kind::Stride:
  case Kind::ResultStride:
    out += node->kind == Kind::Stride ? "stride(" : "result_stride(";
    out += std::to_string(node->value) + ", " +
           std::to_string(node->dimension) + ")";
    return;
  case Kind::Scalar:
    out += "index(" + std::to_string(node->value) + ")";
    return;
  case Kind::Add:
    return infix(" + ", 1);
  case Kind::Sub:
    return infix(" - ", 1);
  case Kind::Mul:
    return infix(" * ", 2);
  case Kind::FloorDiv:
    return call("floordiv");
  case Kind::CeilDiv:
    return call("ceildiv");
  case Kind::Mod:
    return call("mod");
  case Kind::Min:
    return call("min");
  case Kind::Max:
    return call("max");
  }
}
