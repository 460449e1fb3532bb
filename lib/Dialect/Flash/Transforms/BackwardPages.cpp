//===- BackwardPages.cpp - A backward whose keys lie in pages -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %dk = flash.attention_backward %q, %pages, ... page_table(%table)
//   ->
//   %k  = linalg.generic { pages[table[b][p]] }       // each batch's own rows
//   %dr = flash.attention_backward %q, %k, ...
//   %dk = scf.for %b, %p { pages[table[b][p]] += %dr[b][p] }
//
// A page that several batches read has the sum of theirs, in one order. Rows
// after a batch's keys have the gradient 0, whatever page the table names for
// them. On a CPU, where copies of keys and values are small beside what the
// backward does with them.
//
//===----------------------------------------------------------------------===//

#include "BackwardTiler.h"

#include "flash/Dialect/Flash/Transforms/Gradients.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace flash;

namespace {
/// Pages as rows of batches, and back.
class PagesOfBatches {
public:
  PagesOfBatches(RewriterBase &rewriter, AttentionBackwardOp op, Value pages)
      : b(rewriter), loc(op.getLoc()), index(rewriter, loc), pages(pages),
        table(op.getPageTable()), rowDim(op.getLengthDim()) {
    ofPages = tensor::getMixedSizes(b, loc, pages);
    rowsOfPage = index.dim(pages, rowDim);
    last = index.sub(index.dim(pages, 0), index.constant(1));
  }

  Value gather();
  Value scatter(Value rows, Type accumulator);

private:
  /// The page of a batch, within the tensor: the table is data.
  Value pageOf(OpBuilder &nested, Value batch, Value number) {
    IndexBuilder inner(nested, loc);
    Value page = tensor::ExtractOp::create(nested, loc, table,
                                           ValueRange{batch, number});
    page = arith::IndexCastOp::create(nested, loc, nested.getIndexType(), page);
    return inner.max(inner.min(page, last), inner.constant(0));
  }
  Value addPage(Value rows, Value sums, Value batch, Value number);
  Value forEach(int64_t dim, Value carried,
                function_ref<Value(Value, Value)> body);

  RewriterBase &b;
  Location loc;
  IndexBuilder index;
  Value pages, table, rowsOfPage, last;
  int64_t rowDim;
  SmallVector<OpFoldResult> ofPages;
};
} // namespace

Value PagesOfBatches::gather() {
  SmallVector<OpFoldResult> sizes(ofPages);
  sizes[0] = getAsOpFoldResult(index.dim(table, 0));
  sizes[rowDim] = getAsOpFoldResult(index.mul(index.dim(table, 1), rowsOfPage));
  Value empty =
      tensor::EmptyOp::create(b, loc, sizes, getElementTypeOrSelf(pages));
  SmallVector<utils::IteratorType> loops(4, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, empty.getType(), ValueRange(), empty,
             ArrayRef<AffineMap>{b.getMultiDimIdentityMap(4)}, loops,
             [&](OpBuilder &nested, Location l, ValueRange) {
               IndexBuilder inner(nested, l);
               SmallVector<Value> at;
               for (int64_t dim = 0; dim < 4; ++dim)
                 at.push_back(linalg::IndexOp::create(nested, l, dim));
               Value number = inner.div(at[rowDim], rowsOfPage);
               at[rowDim] =
                   inner.sub(at[rowDim], inner.mul(number, rowsOfPage));
               at[0] = pageOf(nested, at[0], number);
               linalg::YieldOp::create(
                   nested, l,
                   ValueRange{tensor::ExtractOp::create(nested, l, pages, at)});
             })
      .getResult(0);
}

/// Adds the rows that a batch has of a page.
Value PagesOfBatches::addPage(Value rows, Value sums, Value batch,
                              Value number) {
  SmallVector<OpFoldResult> ones(4, b.getIndexAttr(1)),
      from(4, b.getIndexAttr(0)), to(from), sizes(ofPages);
  sizes[0] = ones[0];
  from[0] = getAsOpFoldResult(batch);
  from[rowDim] = getAsOpFoldResult(index.mul(number, rowsOfPage));
  to[0] = getAsOpFoldResult(pageOf(b, batch, number));
  auto slice = [&](Value tensor, ArrayRef<OpFoldResult> offsets) -> Value {
    return tensor::ExtractSliceOp::create(b, loc, tensor, offsets, sizes, ones);
  };
  Type accumulator = getElementTypeOrSelf(sums);
  Value sum = mapElements(
      b, loc, {slice(sums, to), slice(rows, from)}, accumulator,
      [&](OpBuilder &nested, Location l, ValueRange in) -> Value {
        return arith::AddFOp::create(
            nested, l, in[0], convertFloat(nested, l, in[1], accumulator));
      });
  return tensor::InsertSliceOp::create(b, loc, sum, sums, to, sizes, ones);
}

/// A loop over a dimension of the table.
Value PagesOfBatches::forEach(int64_t dim, Value carried,
                              function_ref<Value(Value, Value)> body) {
  auto loop = scf::ForOp::create(
      b, loc, index.constant(0), index.dim(table, dim), index.constant(1),
      carried, [&](OpBuilder &, Location, Value at, ValueRange args) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(at.getParentBlock());
        Value made = body(at, args.front());
        scf::YieldOp::create(b, loc, made);
      });
  return loop.getResult(0);
}

Value PagesOfBatches::scatter(Value rows, Type accumulator) {
  Value zero =
      arith::ConstantOp::create(b, loc, b.getFloatAttr(accumulator, 0.0));
  Value empty = tensor::EmptyOp::create(b, loc, ofPages, accumulator);
  Value sums = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
  sums = forEach(0, sums, [&](Value batch, Value ofBatch) {
    return forEach(1, ofBatch, [&](Value number, Value all) {
      return addPage(rows, all, batch, number);
    });
  });
  Type element = getElementTypeOrSelf(rows);
  if (element == accumulator)
    return sums;
  return mapElements(b, loc, sums, element,
                     [&](OpBuilder &nested, Location l, ValueRange in) {
                       return convertFloat(nested, l, in[0], element);
                     });
}

AttentionBackwardOp flash::gatherPages(RewriterBase &rewriter,
                                       AttentionBackwardOp op) {
  Value key = PagesOfBatches(rewriter, op, op.getKey()).gather(),
        value = PagesOfBatches(rewriter, op, op.getValue()).gather();
  auto ofRows = cast<AttentionBackwardOp>(rewriter.clone(*op));
  ofRows.getKeyMutable().set(key);
  ofRows.getValueMutable().set(value);
  ofRows.getPageTableMutable().clear();
  for (auto [gradient, of] : {std::pair<Value, Value>{ofRows.getDKey(), key},
                              {ofRows.getDValue(), value}})
    if (gradient)
      gradient.setType(of.getType());
  return ofRows;
}

void flash::scatterPages(RewriterBase &rewriter, AttentionBackwardOp op,
                         MutableArrayRef<Value> results) {
  for (auto [gradient, of] :
       {std::pair<Value, Value>{op.getDKey(), op.getKey()},
        {op.getDValue(), op.getValue()}}) {
    if (!gradient)
      continue;
    Value &result = results[cast<OpResult>(gradient).getResultNumber()];
    result = PagesOfBatches(rewriter, op, of)
                 .scatter(result, op.getAccumulatorType());
    result = rewriter.createOrFold<tensor::CastOp>(op.getLoc(),
                                                   gradient.getType(), result);
  }
}
