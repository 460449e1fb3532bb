//===- LaneTranspose.h - Reads that lie across the lanes --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOCPU_LANETRANSPOSE_H
#define FLASH_LIB_CONVERSION_FLASHTOCPU_LANETRANSPOSE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace flash {

/// The last index of a read that lies across the lanes, as values of the body:
/// `index`, unless the i1 `unless` says that all share `shared` (a dimension
/// whose size, 1 for all, a call knows). Nobody does where it is null.
struct AcrossIndex {
  mlir::Value index, unless, shared;
};

/// Whether a read in the body of `op` lies across its lanes: neighbours in
/// memory belong to neighbours along loop dimension `dim`, and lanes differ in
/// an index before the last.
std::optional<AcrossIndex> liesAcross(mlir::linalg::LinalgOp op,
                                      mlir::memref::LoadOp read, int64_t lanes,
                                      int64_t dim);

/// The static loop dimension along which some read of the body of an
/// element-wise op lies across the lanes; -1 if there is none.
int64_t findAcross(mlir::linalg::LinalgOp op, int64_t lanes);

/// A square of as many vectors as each has lanes, a power of two, turned: lane
/// r of vector l of the result is lane l of vector r.
llvm::SmallVector<mlir::Value>
transposeSquare(mlir::OpBuilder &builder, mlir::Location loc,
                llvm::SmallVector<mlir::Value> vectors);

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOCPU_LANETRANSPOSE_H
