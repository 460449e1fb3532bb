//===- Expr.cpp - Integer expressions over a call's arguments -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Immutable trees, shared between expressions.
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

Expr Expr::scalar(int argument) {
  return Expr(std::make_shared<Node>(Node{Kind::Scalar, argument, 0, {}, {}}));
}

/// Computes `result`; returns why it does not exist, or null.
static const char *apply(Expr::Kind kind, int64_t lhs, int64_t rhs,
                         int64_t &result) {
  constexpr const char *kOverflow = "the value does not fit in 64 bits";
  switch (kind) {
  case Expr::Kind::Add:
    return __builtin_add_overflow(lhs, rhs, &result) ? kOverflow : nullptr;
  case Expr::Kind::Sub:
    return __builtin_sub_overflow(lhs, rhs, &result) ? kOverflow : nullptr;
  case Expr::Kind::Mul:
    return __builtin_mul_overflow(lhs, rhs, &result) ? kOverflow : nullptr;
  case Expr::Kind::Min:
    result = std::min(lhs, rhs);
    return nullptr;
  case Expr::Kind::Max:
    result = std::max(lhs, rhs);
    return nullptr;
  case Expr::Kind::FloorDiv:
  case Expr::Kind::CeilDiv:
  case Expr::Kind::Mod: {
    if (rhs == 0)
      return "division by zero";
    if (lhs == INT64_MIN && rhs == -1) {
      result = 0;
      return kind == Expr::Kind::Mod ? nullptr : kOverflow;
    }
    int64_t quotient = lhs / rhs, remainder = lhs % rhs;
    bool negative = (remainder < 0) != (rhs < 0);
    if (kind == Expr::Kind::FloorDiv)
      result = quotient - (remainder != 0 && negative);
    else if (kind == Expr::Kind::CeilDiv)
      result = quotient + (remainder != 0 && !negative);
    else
      result = remainder != 0 && negative ? remainder + rhs : remainder;
    return nullptr;
  }
  case Expr::Kind::Constant:
  case Expr::Kind::Dim:
  case Expr::Kind::Scalar:
    break;
  }
  return "not an operation";
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

Status Expr::verify(const std::vector<int> &ranks) const {
  switch (node->kind) {
  case Kind::Constant:
    return Status::success();
  case Kind::Dim:
  case Kind::Scalar: {
    int64_t argument = node->value;
    if (argument < 0 || argument >= static_cast<int64_t>(ranks.size()))
      return Status::error("'" + str() + "' names an argument of " +
                           std::to_string(ranks.size()));
    int rank = ranks[static_cast<size_t>(argument)];
    if (node->kind == Kind::Scalar && rank >= 0)
      return Status::error("'" + str() + "' names a tensor, not an index");
    if (node->kind == Kind::Dim &&
        (node->dimension < 0 || node->dimension >= rank))
      return Status::error("'" + str() + "' names a dimension of " +
                           (rank < 0
                                ? std::string("an index")
                                : "a tensor of rank " + std::to_string(rank)));
    return Status::success();
  }
  default: {
    Status status = Expr(node->lhs).verify(ranks);
    return status.ok() ? Expr(node->rhs).verify(ranks) : status;
  }
  }
}

const char *Expr::tryEvaluate(const Node &node,
                              const std::vector<Argument> &arguments,
                              int64_t &value) {
  switch (node.kind) {
  case Kind::Constant:
    value = node.value;
    return nullptr;
  case Kind::Dim:
    value = arguments[static_cast<size_t>(node.value)]
                .dims[static_cast<size_t>(node.dimension)];
    return nullptr;
  case Kind::Scalar:
    value = arguments[static_cast<size_t>(node.value)].value;
    return nullptr;
  default: {
    int64_t lhs, rhs;
    if (const char *error = tryEvaluate(*node.lhs, arguments, lhs))
      return error;
    if (const char *error = tryEvaluate(*node.rhs, arguments, rhs))
      return error;
    return apply(node.kind, lhs, rhs, value);
  }
  }
}

Result<int64_t> Expr::evaluate(const std::vector<Argument> &arguments) const {
  int64_t value = 0;
  if (const char *error = tryEvaluate(*node, arguments, value))
    return Status::error("evaluating " + str() + ": " + error);
  return value;
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
