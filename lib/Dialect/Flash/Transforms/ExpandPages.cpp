//===- ExpandPages.cpp - Tiles put together from pages ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   flash.read_pages %k[%h] page_table(%table[%b]) first(%k0) rows(%n)
//   ->  scf.for %r = 0 to %n { insert_slice (extract_slice %k[%page, ...]) }
//
// The CPU leg's form: a copy a row.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "TileUtils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace flash {
#define GEN_PASS_DEF_EXPANDPAGES
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

static Value expandPages(RewriterBase &rewriter, ReadPagesOp op) {
  Location loc = op.getLoc();
  Value source = op.getSource();
  RankedTensorType type = op.getTile().getType();
  int64_t columns = op.getSource().getType().getDimSize(3);
  Value zero = arith::ConstantOp::create(
      rewriter, loc,
      cast<TypedAttr>(rewriter.getZeroAttr(type.getElementType())));
  Value empty = tensor::EmptyOp::create(rewriter, loc, type.getShape(),
                                        type.getElementType());
  Value tile = linalg::FillOp::create(rewriter, loc, zero, empty).getResult(0);
  IndexBuilder index(rewriter, loc);
  PagedRows rows(rewriter, loc, source, op.getPageTable(), op.getLayout());
  Value count =
      op.getRows() ? op.getRows() : index.constant(type.getDimSize(0));
  auto loop = scf::ForOp::create(
      rewriter, loc, index.constant(0), count, index.constant(1), tile,
      [&](OpBuilder &, Location, Value r, ValueRange args) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(args[0].getParentBlock());
        OpFoldResult one = rewriter.getIndexAttr(1);
        auto [page, row] =
            rows.find(op.getBatch(), index.add(op.getFirst(), r));
        Value read = readTile(rewriter, loc, source, op.getLayout(), page,
                              op.getHead(), row, one, {1, columns});
        SmallVector<OpFoldResult> offsets{r, rewriter.getIndexAttr(0)},
            sizes{one, rewriter.getIndexAttr(columns)}, strides(2, one);
        Value with = tensor::InsertSliceOp::create(rewriter, loc, read, args[0],
                                                   offsets, sizes, strides);
        scf::YieldOp::create(rewriter, loc, with);
      });
  return loop.getResult(0);
}

namespace {
struct ExpandPagesPass : flash::impl::ExpandPagesBase<ExpandPagesPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<ReadPagesOp> ops;
    getOperation().walk([&](ReadPagesOp op) { ops.push_back(op); });
    for (ReadPagesOp op : ops) {
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, expandPages(rewriter, op));
    }
    numExpanded += ops.size();
  }
};
} // namespace
