//===- Transfers.cpp - From device to shared memory, by all threads -------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// load and the cp_async form of put. Each thread copies pieces of at most 16
// bytes with cp.async, what does not exist becoming zero, to where the swizzle
// wants them:
//
//   load %m[...] rows(%n)  ->  bar; cp.async.cg [dst], [src], 16, bytes; ...;
//                              commit; wait_group 0; bar
//
// Rows that are not aligned to 4 bytes (an odd number of 16-bit columns) are
// copied element by element through registers. Loops over many pieces stay
// loops.
//
//===----------------------------------------------------------------------===//

#include "Place.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace flash::tile;

namespace {

/// A copy of one tile by all computing threads.
class TileCopy {
public:
  TileCopy(Emitter &e, const KernelValues &kernel, SharedType tile,
           Value destination, Place place, Bound rows, Bound columns,
           uint64_t alignment)
      : kernel(kernel), tile(tile), destination(destination), place(place),
        rows(rows), columns(columns), threads(32 * kernel.warps) {
    elementBytes = tile.getElementType().getIntOrFloatBitWidth() / 8;
    pieceBytes = std::clamp<int64_t>(alignment, elementBytes, 16);
    // cp.async copies 4, 8 or 16 bytes.
    if (pieceBytes < 4)
      pieceBytes = elementBytes;
    piecesPerRow = tile.getColumns() * elementBytes / pieceBytes;
    pieces = tile.getRows() * piecesPerRow;
  }

  void emit(Emitter &e);

private:
  void emitPiece(Emitter &e, Value index, bool mayExceed);
  void emitPiece(Emitter &e, Value row, Value column, Value source,
                 Value target);
  void emitRows(Emitter &e, int64_t steps);
  Value getSource(Emitter &e, Value row, Value column);
  Value getTarget(Emitter &e, Value row, Value column);

  const KernelValues &kernel;
  SharedType tile;
  Value destination;
  Place place;
  Bound rows, columns;
  int64_t threads, elementBytes, pieceBytes, piecesPerRow, pieces;
};

} // namespace

Value TileCopy::getSource(Emitter &e, Value row, Value column) {
  // A row that does not exist is not read, but would be looked up.
  if (place.pages && rows)
    row = e.min(row, e.sub(rows.value, e.i32(1)));
  return e.add(place.address(e, row), e.toI64(column));
}

Value TileCopy::getTarget(Emitter &e, Value row, Value column) {
  Value panel = e.shr(column, 7);
  Value chunk = e.bitXor(e.bitAnd(e.shr(column, 4), 7), e.bitAnd(row, 7));
  Value target = e.add(destination, e.mul(panel, tile.getPanelBytes()));
  target = e.add(target, e.shl(row, 7));
  target = e.add(target, e.shl(chunk, 4));
  if (pieceBytes < 16)
    target = e.add(target, e.bitAnd(column, 15));
  return target;
}

/// Copies the piece at `row` and byte `column` of it.
void TileCopy::emitPiece(Emitter &e, Value row, Value column, Value source,
                         Value target) {
  // Bytes that exist: the others are written as zero and not read.
  Value bytes = e.i32(pieceBytes);
  if (columns) {
    Value rest = e.sub(e.mul(columns.value, elementBytes), column);
    bytes = e.min(e.max(rest, e.i32(0)), bytes);
  }
  if (rows)
    bytes = e.select(e.less(place.along(e, row), rows.value), bytes, e.i32(0));

  if (pieceBytes >= 4) {
    std::string size = std::to_string(pieceBytes);
    std::string cache = pieceBytes == 16 ? "cg" : "ca";
    if (!rows && !columns)
      e.ptx("cp.async." + cache + ".shared.global [$0], [$1], " + size + ";",
            "r,l", {target, source});
    else
      e.ptx("cp.async." + cache + ".shared.global [$0], [$1], " + size +
                ", $2;",
            "r,l,r", {target, source, bytes});
    return;
  }
  std::string type = "b" + std::to_string(8 * elementBytes);
  // 8-bit values travel in 16-bit registers.
  e.ptx("{\n.reg .pred p;\n.reg .b16 v;\nsetp.gt.s32 p, $2, 0;\n"
        "mov.b16 v, 0;\n@p ld.global." +
            type + " v, [$1];\nst.shared." + type + " [$0], v;\n}",
        "r,l,r", {target, source, bytes});
}

/// Steps of whole rows: a thread stays in its column, and its addresses step
/// by what is the same for all threads, unless rows are scattered.
void TileCopy::emitRows(Emitter &e, int64_t steps) {
  int64_t rowStep = threads / piecesPerRow;
  Value row0 = e.div(kernel.thread, piecesPerRow);
  Value column = e.mul(e.rem(kernel.thread, piecesPerRow), pieceBytes);
  Value source = getSource(e, row0, column);
  Value target = getTarget(e, row0, column);
  Value sourceStep = e.mul(place.rowStride, rowStep);
  for (int64_t step = 0; step < steps; ++step) {
    Value row = e.add(row0, step * rowStep);
    // The swizzle has a period of 8 rows.
    Value here = rowStep % 8 == 0 ? e.add(target, step * rowStep * 128)
                                  : getTarget(e, row, column);
    if (place.isScattered() && step)
      source = getSource(e, row, column);
    emitPiece(e, row, column, source, here);
    if (!place.isScattered())
      source = e.add(source, sourceStep);
  }
}

void TileCopy::emitPiece(Emitter &e, Value index, bool mayExceed) {
  OpBuilder::InsertionGuard guard(e);
  if (mayExceed) {
    auto exists = scf::IfOp::create(e, e.less(index, e.i32(pieces)),
                                    /*withElseRegion=*/false);
    e.setInsertionPointToStart(exists.thenBlock());
  }
  Value row = e.div(index, piecesPerRow);
  Value column = e.mul(e.rem(index, piecesPerRow), pieceBytes);
  emitPiece(e, row, column, getSource(e, row, column),
            getTarget(e, row, column));
}

void TileCopy::emit(Emitter &e) {
  int64_t steps = llvm::divideCeil(pieces, threads);
  bool ragged = pieces % threads != 0;
  // Unrolled, every step has addresses in registers, which the loop around the
  // copy keeps there.
  constexpr int64_t mostUnrolled = 2;
  if (steps <= mostUnrolled) {
    if (threads % piecesPerRow == 0 && !ragged) {
      emitRows(e, steps);
      return;
    }
    for (int64_t step = 0; step < steps; ++step)
      emitPiece(e, e.add(kernel.thread, step * threads),
                ragged && step == steps - 1);
    return;
  }
  auto loop = scf::ForOp::create(e, kernel.thread, e.i32(pieces),
                                 e.i32(threads * mostUnrolled));
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToStart(loop.getBody());
  for (int64_t i = 0; i < mostUnrolled; ++i)
    emitPiece(e, e.add(loop.getInductionVar(), i * threads),
              pieces % (mostUnrolled * threads) != 0);
}

/// Where a load or a put copies from.
template <typename TransferOp>
static Place getPlace(Emitter &e, TransferOp op,
                      typename TransferOp::Adaptor adaptor, int64_t tileRows) {
  if (op.getPages())
    return Place::inPages(e, adaptor.getSource(), adaptor.getOffsets(),
                          op.getRowDimension(), adaptor.getPages(),
                          adaptor.getSequence(), tileRows);
  return Place::get(e, adaptor.getSource(), adaptor.getOffsets(),
                    op.getRowDimension(), op.getPackedAttr(), tileRows);
}

namespace {

struct LoadLowering : TilePattern<LoadOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(LoadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    FailureOr<Value> shared = getSharedAddress(e, *kernel, op);
    if (failed(shared))
      return failure();
    SharedType tile = op.getTile().getType();
    Value destination = *shared;
    TileCopy copy(
        e, *kernel, tile, destination, getPlace(e, op, adaptor, tile.getRows()),
        Bound::get(e, op.getRows(),
                   rowsAlong(op.getPackedAttr(), tile.getRows())),
        Bound::get(e, op.getCols(), tile.getColumns()), op.getAlignment());
    e.barrier(*kernel);
    copy.emit(e);
    e.ptx("cp.async.wait_all;", "", {});
    if (kernel->usesAsyncProxy)
      e.ptx("fence.proxy.async.shared::cta;", "", {});
    e.barrier(*kernel);
    rewriter.replaceOp(op, destination);
    return success();
  }
};

struct PutCopyLowering : TilePattern<PutOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(PutOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    RingType ring = op.getRing().getType();
    if (!kernel || ring.getKind() != RingKind::CpAsync)
      return rewriter.notifyMatchFailure(op, "does not copy by all threads");
    Emitter e(op.getLoc(), rewriter);
    SharedType tile = ring.getTile();
    {
      OpBuilder::InsertionGuard guard(e);
      if (op.getCondition()) {
        auto condition = scf::IfOp::create(e, op.getCondition(),
                                           /*withElseRegion=*/false);
        e.setInsertionPointToStart(condition.thenBlock());
      }
      StageAddress stage =
          getStage(e, adaptor.getRing(), ring, op.getIteration());
      TileCopy copy(e, *kernel, tile, stage.tile,
                    getPlace(e, op, adaptor, tile.getRows()),
                    Bound::get(e, op.getRows(),
                               rowsAlong(op.getPackedAttr(), tile.getRows())),
                    Bound::get(e, op.getCols(), tile.getColumns()),
                    op.getAlignment());
      copy.emit(e);
    }
    e.ptx("cp.async.commit_group;", "", {});
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void flash::tile::populateTransferPatterns(const TileTypeConverter &converter,
                                           RewritePatternSet &patterns,
                                           const KernelMap &kernels) {
  patterns.add<LoadLowering, PutCopyLowering>(converter, patterns.getContext(),
                                              kernels);
}
