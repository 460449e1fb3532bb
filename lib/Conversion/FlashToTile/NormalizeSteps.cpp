//===- NormalizeSteps.cpp - One form of steps on tiles --------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is done to tiles is written in many ways. Before a kernel is built:
//
//   linalg.add, linalg.broadcast, ...             ->  linalg.generic
//   loops over columns, then rows                 ->  rows, then columns
//   linalg.matmul of linalg.transpose ins(%t)     ->  a product that reads %t
//                                                     along other loops
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

using namespace mlir;
using namespace flash;

/// Whether every operand of rank two is read along the loops in reverse.
static bool isReversed(linalg::GenericOp op) {
  bool any = false;
  for (AffineMap map : op.getIndexingMapsArray()) {
    if (map.getNumResults() != 2)
      continue;
    if (!map.isPermutation() || map.isIdentity())
      return false;
    any = true;
  }
  return any && op.getNumLoops() == 2;
}

/// A product that reads a tensor, and by which operand.
static std::pair<linalg::LinalgOp, unsigned> findProductOf(Value tensor) {
  for (OpOperand &use : tensor.getUses()) {
    auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
    if (op && linalg::isaContractionOpInterface(op) && !op.isDpsInit(&use))
      return {op, use.getOperandNumber()};
  }
  return {};
}

/// Has products read what a transposition reads, along other loops: either
/// operand of a product lies in memory as it is.
static void foldTransposes(Operation *root, IRRewriter &rewriter) {
  SmallVector<linalg::TransposeOp> transposes;
  root->walk([&](linalg::TransposeOp op) { transposes.push_back(op); });
  for (linalg::TransposeOp op : transposes) {
    while (true) {
      auto [product, operand] = findProductOf(op->getResult(0));
      if (!product)
        break;
      rewriter.setInsertionPoint(product);
      auto generic = dyn_cast<linalg::GenericOp>(product.getOperation());
      if (!generic) {
        auto general = linalg::generalizeNamedOp(rewriter, product);
        if (failed(general))
          break;
        generic = *general;
      }
      SmallVector<AffineMap> maps = generic.getIndexingMapsArray();
      SmallVector<AffineExpr> results(maps[operand].getResults());
      for (auto [from, to] : llvm::enumerate(op.getPermutation()))
        results[to] = maps[operand].getResult(from);
      maps[operand] = AffineMap::get(maps[operand].getNumDims(), 0, results,
                                     root->getContext());
      generic.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
      generic->setOperand(operand, op.getInput());
    }
    if (op->use_empty())
      rewriter.eraseOp(op);
  }
}

void flash::normalizeSteps(Operation *root) {
  IRRewriter rewriter(root->getContext());
  foldTransposes(root, rewriter);
  SmallVector<linalg::LinalgOp> steps;
  root->walk([&](linalg::LinalgOp op) {
    if (!isa<linalg::FillOp, linalg::TransposeOp>(op) &&
        !linalg::isaContractionOpInterface(op))
      steps.push_back(op);
  });
  for (linalg::LinalgOp op : steps) {
    rewriter.setInsertionPoint(op);
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (!generic)
      if (FailureOr<linalg::GenericOp> general =
              linalg::generalizeNamedOp(rewriter, op);
          succeeded(general))
        generic = *general;
    if (generic && isReversed(generic))
      (void)linalg::interchangeGenericOp(rewriter, generic, {1, 0});
  }
}
