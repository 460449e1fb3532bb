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
#include "Sizes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"

#include <vector>

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

/// `sum` is at least 0, or, without one, `condition` equals `wanted`.
struct Literal {
  std::optional<LinearSum> sum = std::nullopt;
  Scalar condition = {};
  bool wanted = true;
};

/// One of the literals holds.
using Clause = std::vector<Literal>;
/// All of the clauses hold (Conditions.h): none says nothing, an empty one
/// cannot hold.
using Clauses = std::vector<Clause>;

class Tracer {
public:
  Tracer(Domain &domain, Sizes &sizes) : domain(domain), sizes(sizes) {}

  Domain &getDomain() { return domain; }
  Sizes &getSizes() { return sizes; }

  /// What is found holds only if the two sizes are the same.
  void assume(const Size &a, const Size &b);
  llvm::ArrayRef<std::pair<Size, Size>> getAssumptions() const {
    return assumptions;
  }

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

  /// A reduction over one loop with a combiner that takes the accumulator. The
  /// loop has `size`, or that of the dimension that is reduced.
  std::optional<Reduction>
  matchReduction(const Scalar &element, mlir::AffineExpr reduced,
                 std::optional<int64_t> size = std::nullopt);

  /// Whether a slice's element is seen as the source's. Of probabilities, it is
  /// not: a part of them is another attention's.
  bool seesSlices = true;

  /// What was stepped through, and matchers have read.
  llvm::SetVector<mlir::Operation *> visited;

  /// What conditions have been found to say (Conditions.h).
  std::map<std::vector<const void *>, Clauses> conditions;

private:
  std::optional<Scalar> stepElement(const Scalar &scalar);
  std::optional<Scalar> stepConcat(mlir::tensor::ConcatOp op,
                                   llvm::ArrayRef<mlir::AffineExpr> at);
  std::optional<Scalar> stepSlice(mlir::tensor::ExtractSliceOp op,
                                  llvm::ArrayRef<mlir::AffineExpr> at);
  std::optional<Scalar> stepBody(const Scalar &scalar);

  Domain &domain;
  Sizes &sizes;
  llvm::SmallVector<std::pair<Size, Size>> assumptions;
};

/// The indices before or after a reshape that joins dimensions as `groups` say.
std::optional<Indices> reshapeIndices(Domain &domain,
                                      llvm::ArrayRef<mlir::AffineExpr> at,
                                      mlir::RankedTensorType from,
                                      mlir::RankedTensorType to,
                                      llvm::ArrayRef<ReshapeGroup> groups);

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
