//===- Domain.h - The dimensions of an attention ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Matching works on scalars as functions of an attention's dimensions, such as
// (batch, head, query, key, head dim). The domain names these dimensions d0,
// d1, ...; an index into a tensor is a sum of dimensions with constant factors.
// Where a reshape takes such a sum apart in the middle of a dimension, the
// dimension is split in two and matching starts again:
//
//   collapse_shape tensor<2x4x6x8> into tensor<8x6x8>, read at (d0, d1, d2):
//   d0 becomes 4 * d0 + d1, so that the indices before are (d0, d1, d2, d3)
//
// Integers that no dimension changes, such as a start position that is an
// argument, are symbols.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_LINALGTOFLASH_DOMAIN_H
#define FLASH_CONVERSION_LINALGTOFLASH_DOMAIN_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <map>
#include <optional>
#include <set>

namespace flash::raise {

/// An expression that is a sum of dimensions and symbols, each times a
/// constant.
struct LinearSum {
  struct Term {
    unsigned dim;
    int64_t factor;
    bool operator==(const Term &other) const {
      return dim == other.dim && factor == other.factor;
    }
  };
  /// By decreasing factor.
  llvm::SmallVector<Term> terms;
  /// Symbols, by number.
  llvm::SmallVector<Term> symbols;
  int64_t constant = 0;

  LinearSum() = default;
  explicit LinearSum(int64_t constant) : constant(constant) {}

  /// Nothing, if `expr` is not such a sum.
  static std::optional<LinearSum> get(mlir::AffineExpr expr);
  mlir::AffineExpr toExpr(mlir::MLIRContext *context) const;
  bool isConstant() const { return terms.empty() && symbols.empty(); }
  /// `this + factor * other`.
  LinearSum plus(const LinearSum &other, int64_t factor = 1) const;
  /// The same without dimensions.
  LinearSum withoutDims() const;
  bool operator==(const LinearSum &other) const {
    return terms == other.terms && symbols == other.symbols &&
           constant == other.constant;
  }
};

/// An integer that no dimension changes: a value of the function, an element of
/// a tensor at constant indices, or a dimension of a tensor.
struct Symbol {
  mlir::Value value;
  llvm::SmallVector<int64_t> at;
  std::optional<int64_t> dim = std::nullopt;
};

/// Where dimensions are split: for each loop, the products of sizes at the
/// cuts. It outlives an attempt.
using Splits = std::map<unsigned, std::set<int64_t>>;

class Domain {
public:
  Domain(mlir::MLIRContext *context, Splits &splits)
      : context(context), splits(splits) {}

  /// A new loop of that size, as an expression of its dimensions.
  mlir::AffineExpr addLoop(int64_t size);
  /// A reshape that would split this dimension divides its index instead: an
  /// attention has one dimension of keys.
  void keepWhole(unsigned dim) { whole.insert(dim); }

  /// The symbol for an integer; the same again for the same.
  mlir::AffineExpr addSymbol(const Symbol &symbol);
  const Symbol &getSymbol(unsigned number) const { return symbols[number]; }

  mlir::MLIRContext *getContext() const { return context; }
  unsigned getNumDims() const { return dims.size(); }
  /// The size, or kDynamic.
  int64_t getSize(unsigned dim) const { return dims[dim].size; }

  /// The index of a tensor whose dimensions are joined to one (of sizes
  /// `sizes`), from their indices. Fails where it cannot be said.
  std::optional<mlir::AffineExpr>
  linearize(llvm::ArrayRef<mlir::AffineExpr> indices,
            llvm::ArrayRef<int64_t> sizes) const;

  /// The inverse. May ask for a split.
  std::optional<llvm::SmallVector<mlir::AffineExpr>>
  delinearize(mlir::AffineExpr index, llvm::ArrayRef<int64_t> sizes);

  /// Whether two dimensions are parts of one loop.
  bool areOfOneLoop(unsigned a, unsigned b) const {
    return dims[a].loop == dims[b].loop;
  }

  /// Whether a split was asked for: the attempt has to be made again.
  bool wantsRestart() const { return restart; }

  /// Smallest and largest value, where they are known.
  std::optional<int64_t> lowerBound(const LinearSum &sum) const;
  std::optional<int64_t> upperBound(const LinearSum &sum) const;

private:
  struct Dim {
    unsigned loop;
    int64_t size;
    /// How far a step goes in the loop.
    int64_t step;
  };

  /// Quotient and remainder of a division by `divisor`.
  std::optional<std::pair<mlir::AffineExpr, mlir::AffineExpr>>
  divide(mlir::AffineExpr index, int64_t divisor);
  std::optional<int64_t> bound(const LinearSum &sum, bool upper) const;
  bool isOfWhole(mlir::AffineExpr index) const;

  mlir::MLIRContext *context;
  Splits &splits;
  llvm::SmallVector<Dim> dims;
  llvm::SmallVector<Symbol> symbols;
  unsigned numLoops = 0;
  std::set<unsigned> whole;
  bool restart = false;
};

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_DOMAIN_H
