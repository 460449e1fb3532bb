//===- Expr.h - Integer expressions over a call's arguments -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a launch plan leaves to run time: sizes, offsets and grid dimensions as
// small expressions over the dimensions, strides and index arguments of a call.
//
//   ceildiv(dim(0, 2), 128)
//
// They are what a plan says; a call runs the tape that they become (Tape.h).
// Division and remainder round as in affine maps (floordiv, ceildiv, mod).
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_EXPR_H
#define FLASH_RUNTIME_EXPR_H

#include "flash/Runtime/Status.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace flash::rt {

/// An argument or result of a call: a tensor in memory, or the value of an
/// index or of a floating-point argument.
struct Argument {
  static Argument tensor(uint64_t address, std::vector<int64_t> dims) {
    return Argument{false, address, std::move(dims), 0, {}};
  }
  static Argument view(uint64_t address, std::vector<int64_t> dims,
                       std::vector<int64_t> strides) {
    return Argument{false, address, std::move(dims), 0, std::move(strides)};
  }
  static Argument index(int64_t value) {
    return Argument{true, 0, {}, value, {}};
  }
  static Argument real(double number) {
    return Argument{false, 0, {}, 0, {}, true, number};
  }

  bool isIndex = false;
  uint64_t address = 0;
  std::vector<int64_t> dims;
  int64_t value = 0;
  /// In elements; empty: dense, in C order.
  std::vector<int64_t> strides;
  /// A floating-point number, as a scale.
  bool isReal = false;
  double number = 0;
};

class Expr {
public:
  enum class Kind {
    Constant,
    Dim,          ///< a dimension of a tensor argument
    Stride,       ///< the stride of one, in elements
    ResultStride, ///< the stride of a dimension of a result
    Scalar,       ///< the value of an index argument
    Add,
    Sub,
    Mul,
    FloorDiv,
    CeilDiv,
    Mod,
    Min,
    Max,
  };

  /// A constant; implicit, so that `e * 2` reads well.
  Expr(int64_t constant = 0);
  static Expr dim(int argument, int dimension);
  static Expr stride(int argument, int dimension);
  static Expr resultStride(int result, int dimension);
  static Expr scalar(int argument);
  /// `lhs kind rhs`; folded when both are constants and the result exists.
  static Expr binary(Kind kind, const Expr &lhs, const Expr &rhs);

  static Expr floorDiv(const Expr &lhs, const Expr &rhs) {
    return binary(Kind::FloorDiv, lhs, rhs);
  }
  static Expr ceilDiv(const Expr &lhs, const Expr &rhs) {
    return binary(Kind::CeilDiv, lhs, rhs);
  }
  static Expr mod(const Expr &lhs, const Expr &rhs) {
    return binary(Kind::Mod, lhs, rhs);
  }
  static Expr min(const Expr &lhs, const Expr &rhs) {
    return binary(Kind::Min, lhs, rhs);
  }
  static Expr max(const Expr &lhs, const Expr &rhs) {
    return binary(Kind::Max, lhs, rhs);
  }
  friend Expr operator+(const Expr &lhs, const Expr &rhs) {
    return binary(Kind::Add, lhs, rhs);
  }
  friend Expr operator-(const Expr &lhs, const Expr &rhs) {
    return binary(Kind::Sub, lhs, rhs);
  }
  friend Expr operator*(const Expr &lhs, const Expr &rhs) {
    return binary(Kind::Mul, lhs, rhs);
  }

  Kind kind() const;
  bool isConstant(int64_t value) const;
  /// Of a constant its value; of a reference its argument or result.
  int64_t value() const;
  /// Of a reference.
  int64_t dimension() const;
  /// Of an operation.
  Expr lhs() const;
  Expr rhs() const;

  /// Computes `lhs kind rhs`; returns why it does not exist, or null.
  static const char *apply(Kind kind, int64_t lhs, int64_t rhs,
                           int64_t &result);

  /// Checks that every reference is to a dimension or index argument that a
  /// call of `arguments` has: ranks[i] is argument i's rank, -1 for an index.
  /// Of results the number of dimensions; empty where strides of results are
  /// not known yet.
  Status verify(const std::vector<int> &ranks,
                const std::vector<int> &resultRanks = {}) const;

  /// The value for a call that matches the verified ranks; an error on overflow
  /// and on division by zero.
  Result<int64_t> evaluate(const std::vector<Argument> &arguments) const;

  /// `dim(0, 2) * 2 + 1`, with the parentheses that are needed.
  std::string str() const;

private:
  struct Node;
  explicit Expr(std::shared_ptr<const Node> node) : node(std::move(node)) {}
  void print(std::string &out, int outerPrecedence) const;

  std::shared_ptr<const Node> node;
};

} // namespace flash::rt

#endif // FLASH_RUNTIME_EXPR_H
