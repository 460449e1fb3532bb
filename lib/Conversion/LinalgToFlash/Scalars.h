//===- Scalars.h - Values as functions of dimensions ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A scalar is an element of a tensor at given indices, or a value in the body
// of a linalg op at given loop indices. Tracing a scalar steps through
// everything that only moves data: element-wise ops from the result to what
// they yield, block arguments to the operands' elements, transposes,
// broadcasts, reshapes. So matchers see one expression of scalars, however it
// is cut into ops:
//
//   linalg.generic {divf} ins(%e, %broadcast_of_l)  ->  divf(e[..], l[..])
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_LINALGTOFLASH_SCALARS_H
#define FLASH_CONVERSION_LINALGTOFLASH_SCALARS_H

#include "Domain.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SetVector.h"

namespace flash::raise {

using Indices = llvm::SmallVector<mlir::AffineExpr>;

/// An element of a tensor (`at`: its indices) or a value of a body (`at`: the
/// loops of the linalg op around it; empty outside of one).
struct Scalar {
  mlir::Value value;
  Indices at;

  bool isElement() const {
    return llvm::isa<mlir::RankedTensorType>(value.getType());
  }
  mlir::Operation *getDefiningOp() const { return value.getDefiningOp(); }
  template <typename OpTy> OpTy getOp() const {
    return isElement() ? OpTy() : value.getDefiningOp<OpTy>();
  }
  mlir::Type getElementType() const {
    return mlir::getElementTypeOrSelf(value.getType());
  }
  mlir::Location getLoc() const { return value.getLoc(); }
};

/// An element of the result of a linalg op with one reduction: the combined
/// scalar, at the loops where the reduction's is the domain's `reduced`.
struct Reduction {
  mlir::linalg::LinalgOp op;
  mlir::Operation *combiner;
  Scalar operand, init;
};

class Tracer {
public:
  explicit Tracer(Domain &domain) : domain(domain) {}

  Domain &getDomain() { return domain; }

  /// One step through what only moves data; nothing at its end.
  std::optional<Scalar> step(const Scalar &scalar);
  /// All steps.
  Scalar trace(Scalar scalar);
  /// The operand of an op in the same body, traced.
  Scalar operand(const Scalar &scalar, unsigned index);
  /// Also through changes of float precision.
  Scalar traceCasts(Scalar scalar);

  /// The number that a scalar is, with casts; nothing if it is not one.
  std::optional<double> getNumber(const Scalar &scalar);

  /// Whether two scalars are the same function of the dimensions, up to
  /// rounding.
  bool same(const Scalar &a, const Scalar &b);

  /// Takes an element of a linalg op's result to its loops; the loops that
  /// reduce become `reduced`, one after the other.
  std::optional<Indices> loopsOf(mlir::linalg::LinalgOp op,
                                 unsigned resultNumber,
                                 llvm::ArrayRef<mlir::AffineExpr> at,
                                 llvm::ArrayRef<mlir::AffineExpr> reduced);

  /// A reduction over one loop with a combiner that takes the accumulator.
  std::optional<Reduction> matchReduction(const Scalar &element,
                                          mlir::AffineExpr reduced);

  /// What was stepped through, and matchers have read.
  llvm::SetVector<mlir::Operation *> visited;

private:
  std::optional<Scalar> stepElement(const Scalar &scalar);
  std::optional<Scalar> stepBody(const Scalar &scalar);

  Domain &domain;
};

/// The indices of a value's shape after a reshape or transpose of it, or of
/// what it comes from.
std::optional<Indices> expandIndices(Domain &domain,
                                     llvm::ArrayRef<mlir::AffineExpr> collapsed,
                                     llvm::ArrayRef<mlir::ReassociationIndices>,
                                     mlir::RankedTensorType expandedType);
std::optional<Indices>
collapseIndices(Domain &domain, llvm::ArrayRef<mlir::AffineExpr> expanded,
                llvm::ArrayRef<mlir::ReassociationIndices>,
                mlir::RankedTensorType expandedType);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_SCALARS_H
