//===- Sizes.h - Sizes as products of unknowns ------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Programs with dynamic shapes compute sizes: dim * 4, (dim * 4 * len) / len,
// select(dim < 0, 1, dim). As products of constants and unknown sizes they can
// be compared, so that a reshape by such sizes is seen to join or to split
// dimensions. Unknowns that the program says are equal (cf.assert, two operands
// of a linalg op along one loop) are one.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_LINALGTOFLASH_SIZES_H
#define FLASH_CONVERSION_LINALGTOFLASH_SIZES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <map>
#include <optional>
#include <vector>

namespace flash::raise {

/// factor * symbols[0] * symbols[1] * ...
struct Size {
  int64_t factor = 1;
  /// Sorted; one that occurs twice stands twice.
  llvm::SmallVector<unsigned, 2> symbols;

  bool isConstant() const { return symbols.empty(); }
  bool operator==(const Size &other) const {
    return factor == other.factor && symbols == other.symbols;
  }
  bool operator!=(const Size &other) const { return !(*this == other); }
};

class Sizes {
public:
  /// Reads what the ops in `root` say about sizes.
  explicit Sizes(mlir::Operation *root);

  /// What an integer or an index is.
  Size get(mlir::Value value);
  Size getDim(mlir::Value tensor, int64_t dim);
  llvm::SmallVector<Size> getShape(mlir::Value tensor);
  /// Whether a comparison of sizes holds, where that is known.
  std::optional<bool> getBool(mlir::Value condition);

  /// From now on the two are the same. An unknown does not become a constant:
  /// types say that it is dynamic.
  void unite(const Size &a, const Size &b);

  /// The quotient, if it is a product of constants and unknowns, too.
  static std::optional<Size> divide(const Size &a, const Size &b);
  static Size multiply(const Size &a, const Size &b);
  bool isNonNegative(const Size &size) const;

  /// Where an unknown comes from: an integer, or a dimension of a tensor.
  struct Origin {
    mlir::Value value;
    std::optional<int64_t> dim;
  };
  const Origin &getOrigin(unsigned symbol) const { return origins[symbol]; }

  /// The size as an index, before the insertion point.
  mlir::Value materialize(mlir::OpBuilder &builder, mlir::Location loc,
                          const Size &size) const;

private:
  Size compute(mlir::Value value);
  Size computeDim(mlir::Value tensor, int64_t dim);
  Size computeAffine(mlir::AffineExpr expr, mlir::ValueRange operands,
                     unsigned numDims, mlir::Value whole);
  Size makeSymbol(Origin origin);
  Size canonical(const Size &size) const;
  unsigned find(unsigned symbol) const;
  void readFacts(mlir::Operation *op);

  std::vector<Origin> origins;
  std::vector<unsigned> parents;
  llvm::DenseMap<mlir::Value, Size> known;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, Size> knownDims;
  /// Sums and the like, as unknowns of their own, by what they are made of.
  std::map<std::vector<int64_t>, Size> opaque;
};

/// Dimensions that a reshape joins to as many others: [begin, end) of the one
/// shape and of the other.
struct ReshapeGroup {
  unsigned sourceBegin, sourceEnd, targetBegin, targetEnd;
};

/// How a reshape groups dimensions; nothing where the sizes do not say it.
std::optional<llvm::SmallVector<ReshapeGroup>>
matchReshape(llvm::ArrayRef<Size> source, llvm::ArrayRef<Size> target);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_SIZES_H
