//===- SimplifyReads.cpp - Tables of a region, on a GPU -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A region may have a table of its own:
//
//   %t = arith.constant dense<[0.5, 0.25]> : tensor<2xf32>
//   %x = tensor.extract %t[%h]
//
// A constant moves in front of the loop over tiles, and becomes memory of the
// module there. One that is made of numbers has no memory:
//
//   %t = tensor.from_elements %a, %b : tensor<2xf32>
//   %x = tensor.extract %t[%h]       ->   %x = arith.select (%h == 1), %b, %a
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

/// The element's number, in order.
static Value flatten(OpBuilder &builder, tensor::ExtractOp read) {
  auto type = cast<RankedTensorType>(read.getTensor().getType());
  Location loc = read.getLoc();
  Value number = arith::ConstantIndexOp::create(builder, loc, 0);
  for (auto [index, size] : llvm::zip(read.getIndices(), type.getShape())) {
    Value by = arith::ConstantIndexOp::create(builder, loc, size);
    number = arith::AddIOp::create(
        builder, loc, arith::MulIOp::create(builder, loc, number, by), index);
  }
  return number;
}

void flash::simplifyReads(scf::ForallOp op) {
  SmallVector<tensor::ExtractOp> reads;
  op.walk([&](tensor::ExtractOp read) { reads.push_back(read); });
  for (tensor::ExtractOp read : reads) {
    Operation *table = read.getTensor().getDefiningOp();
    if (!table || !op->isProperAncestor(table))
      continue;
    if (isa<arith::ConstantOp>(table)) {
      table->moveBefore(op);
      continue;
    }
    auto made = dyn_cast<tensor::FromElementsOp>(table);
    if (!made || made.getElements().empty())
      continue;
    OpBuilder builder(read);
    Location loc = read.getLoc();
    Value number = flatten(builder, read), chosen = made.getElements().front();
    for (auto [n, element] : llvm::enumerate(made.getElements())) {
      if (n == 0)
        continue;
      Value here = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::eq, number,
          arith::ConstantIndexOp::create(builder, loc, int64_t(n)));
      chosen = arith::SelectOp::create(builder, loc, here, element, chosen);
    }
    read.replaceAllUsesWith(chosen);
    read.erase();
    if (made->use_empty())
      made.erase();
  }
}
