//===- Regions.h - Score and mask functions as regions ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
#ifndef FLASH_CONVERSION_LINALGTOFLASH_REGIONS_H
#define FLASH_CONVERSION_LINALGTOFLASH_REGIONS_H

#include "Matchers.h"

#include "mlir/IR/Builders.h"

namespace flash::raise {

/// Writes scalars of the program as the regions of an attention. Both regions
/// have the same captures.
class RegionWriter {
public:
  /// `firstQuery` is the position of query 0.
  RegionWriter(Match &match, const Roles &roles, const Contraction &product,
               mlir::Type scoreType, LinearSum firstQuery)
      : match(match), tracer(match.tracer), roles(roles), product(product),
        scoreType(scoreType), firstQuery(std::move(firstQuery)),
        builder(scoreType.getContext()) {}

  /// The region's score is `scale` times the product; it yields `factor` times
  /// the scalar.
  llvm::LogicalResult writeScore(const Scalar &scalar, double factor,
                                 double scale);
  /// Yields the score and what is added to it.
  llvm::LogicalResult writeSum(llvm::ArrayRef<Scalar> addends);
  /// Yields whether all clauses hold.
  llvm::LogicalResult writeMask(const Clauses &clauses, mlir::Location loc);

  bool hasScore() const { return !scoreBody->empty(); }
  bool hasMask() const { return !maskBody->empty(); }
  llvm::ArrayRef<mlir::Value> getCaptures() const {
    return captures.getArrayRef();
  }

  /// Gives each region that is there an argument for each capture, and moves it
  /// to the op.
  void moveTo(AttentionOp op);

private:
  void begin(mlir::Region &region, bool isScore, mlir::Location loc);
  mlir::FailureOr<mlir::Value> write(Scalar scalar);
  mlir::FailureOr<mlir::Value> writeOp(const Scalar &scalar);
  mlir::FailureOr<mlir::Value> writeElement(const Scalar &element);
  mlir::FailureOr<mlir::Value> writeIndex(mlir::AffineExpr index,
                                          mlir::Location loc);
  mlir::FailureOr<mlir::Value> writeDim(unsigned dim, mlir::Location loc);
  mlir::FailureOr<mlir::Value> writeSum(const LinearSum &sum,
                                        mlir::Location loc);
  mlir::FailureOr<mlir::Value> writeLiteral(const Literal &literal,
                                            mlir::Location loc);
  mlir::Value writeSymbol(const Symbol &symbol, mlir::Location loc);
  mlir::Value constant(mlir::Location loc, mlir::TypedAttr value);
  mlir::Type convert(mlir::Type type) const;
  mlir::Value toScoreType(mlir::Value value, mlir::Location loc);
  bool isPerScore(llvm::ArrayRef<mlir::AffineExpr> at) const;
  bool isOfQueryOrKey(llvm::ArrayRef<mlir::AffineExpr> at) const;
  /// Whether a scalar is arithmetic of positions and of what is the same for
  /// all queries and keys, such as j < length[b].
  bool isOfPositions(Scalar scalar) const;

  Match &match;
  Tracer &tracer;
  const Roles &roles;
  Contraction product;
  mlir::Type scoreType;
  LinearSum firstQuery;
  double scale = 1;

  mlir::OpBuilder builder;
  std::unique_ptr<mlir::Region> scoreBody = std::make_unique<mlir::Region>(),
                                maskBody = std::make_unique<mlir::Region>();
  /// Tensors of the function, which the bodies use as they are until `moveTo`.
  llvm::SetVector<mlir::Value> captures;
  /// Arguments of the region that is written: score, batch, head, query, key.
  mlir::Value score, batch, head, query, key;
};

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_REGIONS_H
