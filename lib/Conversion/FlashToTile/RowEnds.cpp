//===- RowEnds.cpp - Where the rows of a tile end -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loops over blocks say how many rows a block has:
//
//   %n = arith.minsi %c64, (arith.subi %size, %first)
//   %n = affine.min affine_map<(i)[s] -> (64, s - i)>(%first)[%size]
//
// Where %size is the memref's, the rows end with it, and the op that moves the
// tile says so (`to_end`). It is read here, once, where the loops are as they
// were written: passes over L3 change arithmetic, and ask the op.
//
//===----------------------------------------------------------------------===//

#include "RowEnds.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

static bool isSame(Value a, Value b) {
  std::optional<int64_t> x = getConstantIntValue(a), y = getConstantIntValue(b);
  return a == b || (x && x == y);
}

/// Whether `value` is a size of tensors (those of one attention agree, which is
/// checked before a launch; that of a slice is a parameter), and not a length
/// that is data.
static bool isSize(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (argument)
    return argument.getOwner()->isEntryBlock() &&
           !isa<LoopLikeOpInterface>(argument.getOwner()->getParentOp());
  return value.getDefiningOp<memref::DimOp>() || getConstantIntValue(value);
}

/// Whether `value` is a size less `first`.
static bool isRest(Value value, Value first) {
  auto difference = value.getDefiningOp<arith::SubIOp>();
  return difference && isSame(difference.getRhs(), first) &&
         isSize(difference.getLhs());
}

/// Whether a result of an affine.min is a size less `first`, which may be an
/// affine.apply of the operands.
static bool isRest(affine::AffineMinOp min, AffineExpr expr, Value first) {
  AffineMap map = min.getAffineMap();
  MLIRContext *context = min.getContext();
  unsigned dims = map.getNumDims(), symbols = map.getNumSymbols();
  auto operandAt = [&](unsigned i) {
    return i < dims ? getAffineDimExpr(i, context)
                    : getAffineSymbolExpr(i - dims, context);
  };
  auto find = [&](Value value) -> AffineExpr {
    if (auto number = getConstantIntValue(value))
      return getAffineConstantExpr(*number, context);
    for (auto [i, operand] : llvm::enumerate(min.getOperands()))
      if (operand == value)
        return operandAt(i);
    return {};
  };
  AffineExpr begin = find(first);
  if (auto apply = first.getDefiningOp<affine::AffineApplyOp>();
      apply && !begin) {
    SmallVector<AffineExpr> replacements;
    for (Value operand : apply.getOperands())
      replacements.push_back(find(operand));
    AffineMap of = apply.getAffineMap();
    ArrayRef<AffineExpr> all(replacements);
    if (!llvm::is_contained(all, AffineExpr()))
      begin = of.getResult(0).replaceDimsAndSymbols(
          all.take_front(of.getNumDims()), all.drop_front(of.getNumDims()));
  }
  if (!begin)
    return false;
  AffineExpr size = simplifyAffineExpr(expr + begin, dims, symbols);
  if (isa<AffineConstantExpr>(size))
    return true;
  for (auto [i, operand] : llvm::enumerate(min.getOperands()))
    if (size == operandAt(i))
      return isSize(operand);
  return false;
}

/// Whether `count` is what a size has left from `first` on, or more than the
/// tile takes: min(tile, size - first).
static bool isRestOrWhole(Value count, Value first, int64_t tileRows) {
  if (auto number = getConstantIntValue(count))
    return *number >= tileRows;
  // Where all tiles are whole, which is known before, the count is the tile's.
  if (auto select = count.getDefiningOp<arith::SelectOp>())
    return isRestOrWhole(select.getTrueValue(), first, tileRows) &&
           isRestOrWhole(select.getFalseValue(), first, tileRows);
  if (auto min = count.getDefiningOp<arith::MinSIOp>()) {
    for (auto [a, b] : {std::pair(min.getLhs(), min.getRhs()),
                        std::pair(min.getRhs(), min.getLhs())})
      if (getConstantIntValue(a).value_or(0) >= tileRows && isRest(b, first))
        return true;
    return false;
  }
  if (auto min = count.getDefiningOp<affine::AffineMinOp>()) {
    for (AffineExpr expr : min.getAffineMap().getResults()) {
      auto number = dyn_cast<AffineConstantExpr>(expr);
      if (!(number && number.getValue() >= tileRows) &&
          !isRest(min, expr, first))
        return false;
    }
    return true;
  }
  return isRest(count, first);
}

bool flash::endsWithMemref(Value count, Value first, Value memref, int64_t dim,
                           int64_t tileRows) {
  if (isRestOrWhole(count, first, tileRows))
    return true;
  // Of the only tile of a few rows.
  auto number = getConstantIntValue(count), begin = getConstantIntValue(first);
  return number && begin &&
         *begin + *number == cast<MemRefType>(memref.getType()).getDimSize(dim);
}
