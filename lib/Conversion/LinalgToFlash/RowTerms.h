//===- RowTerms.h - What is subtracted from a row of scores -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A softmax does not change by what is subtracted from all scores of a row, and
// exp(s - m - log(sum(exp(s - m)))) is one, whatever m is.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_LINALGTOFLASH_ROWTERMS_H
#define FLASH_CONVERSION_LINALGTOFLASH_ROWTERMS_H

#include "Matchers.h"

namespace flash::raise {

/// An exponent as scores less terms of the row.
struct Exponent {
  Scalar scores;
  llvm::SmallVector<Scalar> less;
};

bool dependsOn(llvm::ArrayRef<mlir::AffineExpr> at, mlir::AffineExpr key);

/// Whether a scalar is the same for all keys.
bool isOfRow(Tracer &tracer, Scalar scalar, mlir::AffineExpr key);

/// (s - m) - log(l), s - (log(l) + m), s + -(log(l) + m)
Exponent getExponent(Tracer &tracer, Scalar argument, mlir::AffineExpr key);

/// The terms of a sum.
void addTerms(Tracer &tracer, Scalar scalar,
              llvm::SmallVectorImpl<Scalar> &terms);

/// Whether the two lists have the same terms.
bool areSame(Tracer &tracer, llvm::ArrayRef<Scalar> a,
             llvm::ArrayRef<Scalar> b);

/// The sum of the exponentials, if the terms that are subtracted are its
/// logarithm: m + log(sum(exp(s - m))). It has `size` terms.
std::optional<Scalar> findLogOfSum(Tracer &tracer, const Exponent &exponent,
                                   mlir::AffineExpr key,
                                   std::optional<int64_t> size);

/// How many exponentials a row has, where a sink is one of them.
std::optional<int64_t> getRowSize(const Softmax &softmax);

/// What is `other` except where a condition equals `shown`.
struct Kept {
  Scalar condition;
  bool shown;
  Scalar scalar;
};
/// select(c, x, other), and x * uitofp(c) where `other` is 0.
std::optional<Kept> getKept(Tracer &tracer, const Scalar &scalar, double other);

/// x from select(c, x, other) or the like, where c is a condition under which
/// the probabilities are not 0.
Scalar stripWhere(Tracer &tracer, Softmax &softmax, Scalar scalar,
                  double other);

/// Whether exponentials are 0, too, where the probabilities are set to 0.
bool isHiddenWhereZero(Tracer &tracer, const Softmax &softmax);

/// Reads a term of the row to its ends, reductions over the keys among it.
void readAll(Tracer &tracer, Scalar scalar, mlir::AffineExpr key,
             std::optional<int64_t> size);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_ROWTERMS_H
