//===- MaskUtils.h - What masks are made of ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Arithmetic on positions, reads of run-time operands.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_IR_MASKUTILS_H
#define FLASH_LIB_DIALECT_FLASH_IR_MASKUTILS_H

#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace flash {

/// Arithmetic on positions at one location.
class MaskBuilder {
public:
  MaskBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(builder, loc, value);
  }
  mlir::Value boolean(bool value) {
    return mlir::arith::ConstantOp::create(builder, loc,
                                           builder.getBoolAttr(value));
  }
  mlir::Value add(mlir::Value a, int64_t b) {
    return b == 0 ? a
                  : mlir::arith::AddIOp::create(builder, loc, a, constant(b));
  }
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value a,
                      mlir::Value b) {
    return mlir::arith::CmpIOp::create(builder, loc, predicate, a, b);
  }
  mlir::Value less(mlir::Value a, mlir::Value b) {
    return compare(mlir::arith::CmpIPredicate::slt, a, b);
  }
  mlir::Value lessEqual(mlir::Value a, mlir::Value b) {
    return compare(mlir::arith::CmpIPredicate::sle, a, b);
  }
  /// Of i1 or index.
  mlir::Value both(mlir::Value a, mlir::Value b) {
    return mlir::arith::AndIOp::create(builder, loc, a, b);
  }
  mlir::Value either(mlir::Value a, mlir::Value b) {
    return mlir::arith::OrIOp::create(builder, loc, a, b);
  }
  mlir::Value no(mlir::Value a) {
    return mlir::arith::XOrIOp::create(builder, loc, a, boolean(true));
  }
  mlir::Value min(mlir::Value a, mlir::Value b) {
    return mlir::arith::MinSIOp::create(builder, loc, a, b);
  }
  mlir::Value max(mlir::Value a, mlir::Value b) {
    return mlir::arith::MaxSIOp::create(builder, loc, a, b);
  }

  /// `position` in a dimension of a tensor; 0 where the tensor has one entry
  /// for all.
  mlir::Value broadcastIndex(mlir::Value tensor, int64_t dim,
                             mlir::Value position);
  /// An element of an integer tensor, as index.
  mlir::Value read(mlir::Value tensor, mlir::ValueRange indices);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_IR_MASKUTILS_H
