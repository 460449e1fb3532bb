//===- ScoreMatcher.h - From the softmax to the first contraction *- C++ -*===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What stands between the softmax and the product of queries and keys is taken
// off step by step, from the outside: scales, masks (ScoreMasks.cpp), biases
// and other functions of scores (Scores.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_LINALGTOFLASH_SCOREMATCHER_H
#define FLASH_CONVERSION_LINALGTOFLASH_SCOREMATCHER_H

#include "Matchers.h"

namespace flash::raise {

class ScoreMatcher {
public:
  ScoreMatcher(Match &match, mlir::AffineExpr key)
      : match(match), tracer(match.tracer), key(key) {}

  llvm::LogicalResult visit(Scalar scalar, double factor);
  Scores take();
  /// Probabilities are 0 except where the condition equals `shown`.
  void hideWhereZero(const Scalar &condition, bool shown);

private:
  /// The element of a contraction's result that a scalar is made of.
  std::optional<Scalar> findProduct(Scalar scalar);
  llvm::LogicalResult setProduct(const Scalar &scalar);

  /// Takes the mask that select(condition, score, hidden) is; returns the
  /// score.
  std::optional<Scalar> takeMask(const Scalar &select, double factor);
  /// The number that hides, or that is added to what is seen and hides.
  std::optional<double> getHiding(const Scalar &hidden, const Scalar &seen);
  /// Takes a term that is 0 or hides, such as select(condition, 0, hidden);
  /// `sign` is -1 where it is subtracted.
  bool takeAddedMask(Scalar term, double factor, double sign = 1);
  /// x from max(x, hidden), however it is written: what is hidden inside is by
  /// that number.
  std::optional<Scalar> takeFloor(const Scalar &scalar, double factor);
  /// Whether a factor is 1 wherever the masks show: s * keep - 1e9 * (1 -
  /// keep).
  bool isOneWhereVisible(Scalar scalar);
  /// Takes the masks that are parts of a term, which is a sum or
  /// select(condition, bias, hidden); adds what is left to `rest`. Returns
  /// whether there is one.
  bool takeMaskParts(const Scalar &term, double factor,
                     std::vector<Scalar> &rest);
  /// Takes the masks between a scalar and the product that it is made of, so
  /// that a region does not hold them.
  void takeMasksAlong(Scalar scalar, double factor);
  llvm::LogicalResult addMask(Clauses visible, mlir::Location loc,
                              bool infinite);
  /// Whether a number hides a key; gives advice on one that an option lets.
  bool hides(double number, double factor, const Scalar &scalar);

  /// Takes what is added to the scores.
  bool takeTerm(const Scalar &term, const Scalar &whole, double factor);
  bool takeBias(const Scalar &term, const Scalar &whole, double factor);
  bool isOfKeys(llvm::ArrayRef<mlir::AffineExpr> at) const;
  /// Whether elements differ by the key and another dimension.
  bool isPerScore(llvm::ArrayRef<mlir::AffineExpr> at) const;
  /// Whether an expression reads a tensor of the program's that does, and
  /// whether it reads at an index from one.
  bool readsPerScore(Scalar scalar);
  bool gathersPerScore(Scalar scalar);
  llvm::LogicalResult takeRegion(const Scalar &scalar, double factor);

  Match &match;
  Tracer &tracer;
  mlir::AffineExpr key;
  Scores scores;
  std::optional<Contraction> product;
  /// A mask inside of a score function is not one.
  bool mayMask = true;
  /// Scores are not below a number that hides: masks inside are finite.
  bool hasFloor = false;
};

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_SCOREMATCHER_H
