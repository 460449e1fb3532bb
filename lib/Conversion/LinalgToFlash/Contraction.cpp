//===- Contraction.cpp - Products summed over a dimension -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// linalg.batch_matmul, linalg.matmul with any indexing maps, and generics with
// the same body, in any order of factors, with casts:
//
//   ^bb0(%a: bf16, %b: bf16, %acc: f32):
//     acc + extf(a) * extf(b)
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace flash::raise;

/// The product in the body; null if it is not a contraction's.
static arith::MulFOp getProduct(linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() == 0)
    return {};
  auto sum = op.getBlock()
                 ->getTerminator()
                 ->getOperand(0)
                 .getDefiningOp<arith::AddFOp>();
  if (!sum)
    return {};
  Value accumulator = op.getMatchingBlockArgument(op.getDpsInitOperand(0));
  for (unsigned i = 0; i < 2; ++i) {
    Value term = sum->getOperand(1 - i);
    // 16-bit products may be widened after they are formed.
    if (auto widen = term.getDefiningOp<arith::ExtFOp>())
      term = widen.getIn();
    if (auto product = term.getDefiningOp<arith::MulFOp>();
        product && sum->getOperand(i) == accumulator)
      return product;
  }
  return {};
}

bool flash::raise::isContraction(linalg::LinalgOp op) {
  return bool(getProduct(op));
}

std::optional<Contraction> flash::raise::getContraction(Tracer &tracer,
                                                        linalg::LinalgOp op,
                                                        Indices loops) {
  arith::MulFOp product = getProduct(op);
  if (!product)
    return std::nullopt;
  AffineMap initMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  Indices init;
  for (AffineExpr result : initMap.getResults())
    init.push_back(result.replaceDims(loops));
  if (tracer.getNumber({op.getDpsInitOperand(0)->get(), init}) != 0.0)
    return std::nullopt;
  return Contraction{
      op, {product.getLhs(), loops}, {product.getRhs(), loops}, loops, init};
}

std::optional<Contraction>
flash::raise::matchContraction(Tracer &tracer, const Scalar &element) {
  if (!element.isElement())
    return std::nullopt;
  auto op = element.value.getDefiningOp<linalg::LinalgOp>();
  if (!op || !isContraction(op))
    return std::nullopt;
  SmallVector<AffineExpr> reduced;
  for (auto [kind, size] :
       llvm::zip(op.getIteratorTypesArray(), op.getStaticLoopRanges()))
    if (kind == utils::IteratorType::reduction && size != 1) {
      reduced.push_back(tracer.getDomain().addLoop(size));
      // A head dim that is made of pairs (rotary embeddings) is one.
      if (auto dim = dyn_cast<AffineDimExpr>(reduced.back()))
        tracer.getDomain().keepWhole(dim.getPosition());
    }
  auto loops = tracer.loopsOf(op, 0, element.at, reduced);
  if (!loops)
    return std::nullopt;
  tracer.visited.insert(op);
  return getContraction(tracer, op, *loops);
}
