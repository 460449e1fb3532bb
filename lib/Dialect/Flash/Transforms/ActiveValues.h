//===- ActiveValues.h - What depends on what one differentiates by -*- C++ -*-//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The floats of a body of scalars that small changes of other floats change:
// of an arith.cmpf or math.floor nothing does. What is not here has derivative
// 0, and its op needs no rule.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_TRANSFORMS_ACTIVEVALUES_H
#define FLASH_LIB_DIALECT_FLASH_TRANSFORMS_ACTIVEVALUES_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseSet.h"

namespace flash {

class ActiveValues {
public:
  /// Those of a body that depend on these values; with `elements`, on floats
  /// that it reads from tensors as well.
  ActiveValues(mlir::Block &body, mlir::ValueRange seeds, bool elements = false)
      : elements(elements) {
    active.insert(seeds.begin(), seeds.end());
    visit(body);
  }

  /// An error at an op that makes bits of one: what becomes of those is not
  /// followed.
  mlir::LogicalResult check(mlir::Block &body) const;
  bool contains(mlir::Value value) const { return active.contains(value); }
  /// Whether a result of the op is one.
  bool containsResult(mlir::Operation *op) const {
    return llvm::any_of(op->getResults(),
                        [&](mlir::Value v) { return contains(v); });
  }

private:
  void visit(mlir::Block &block);
  void visit(mlir::Operation *op);
  /// Makes `to` active if `from` is.
  void follow(mlir::Value from, mlir::Value to) {
    if (contains(from))
      active.insert(to);
  }

  bool elements;
  llvm::DenseSet<mlir::Value> active;
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_TRANSFORMS_ACTIVEVALUES_H
