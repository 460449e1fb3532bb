//===- Tables.h - Conditions that constants decide --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mask may be a table: a triangle of ones that a module keeps as a constant.
// What depends on constants and two dimensions is evaluated at all places, and
// is a window if its places are those of one:
//
//   cmpf one, %triangle[i, j], 0.0         i - j >= 0
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_LINALGTOFLASH_TABLES_H
#define FLASH_CONVERSION_LINALGTOFLASH_TABLES_H

#include "Scalars.h"

namespace flash::raise {

/// The numbers of a constant tensor, dense or in a resource.
class ConstantNumbers {
public:
  static std::optional<ConstantNumbers> get(mlir::Value tensor);

  mlir::RankedTensorType getType() const { return type; }
  double operator[](int64_t index) const;

private:
  explicit ConstantNumbers(mlir::RankedTensorType type) : type(type) {}

  mlir::RankedTensorType type;
  mlir::DenseElementsAttr dense;
  llvm::ArrayRef<char> raw;
};

/// The inequalities that hold where the scalar, as a number, passes `isWanted`,
/// and nowhere else. Nothing where constants do not decide that, or it is
/// another shape. That it holds nowhere is an inequality that does not.
std::optional<llvm::SmallVector<LinearSum>>
tabulate(Tracer &tracer, const Scalar &scalar,
         llvm::function_ref<bool(double)> isWanted);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_TABLES_H
