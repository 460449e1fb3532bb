//===- Fragments.cpp - Operations on fragments, lane by lane ----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// splat, convert, reduce, all_reduce and any. A reduction is over the columns
// that the lane holds, then over the four lanes that share a row; or over its
// rows, then over the eight lanes that share a column and, through shared
// memory, over the warps:
//
//   reduce max %s : acc -> row   ->   max of elements, shfl.bfly 1, shfl.bfly 2
//   all_reduce add %c : col_partial -> col
//     ->  shfl.bfly 4, 8, 16; st.shared; a thread a column: ld.shared of each
//         warp, add, st.shared; ld.shared
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace flash::tile;

static Value combine(Emitter &e, ReduceKind kind, Value a, Value b) {
  switch (kind) {
  case ReduceKind::Max:
    return arith::MaxNumFOp::create(e, a, b);
  case ReduceKind::Min:
    return arith::MinNumFOp::create(e, a, b);
  case ReduceKind::Maximum:
    return arith::MaximumFOp::create(e, a, b);
  case ReduceKind::Minimum:
    return arith::MinimumFOp::create(e, a, b);
  case ReduceKind::Mul:
    return arith::MulFOp::create(e, a, b);
  case ReduceKind::Add:
    return arith::AddFOp::create(e, a, b);
  }
  llvm_unreachable("all kinds are above");
}

/// Over the lanes that differ by these distances.
static Value combineLanes(Emitter &e, ReduceKind kind, Value value,
                          ArrayRef<int64_t> distances) {
  for (int64_t distance : distances)
    value = combine(e, kind, value, e.shuffleXor(value, distance));
  return value;
}

/// Over the four lanes that share a row, or the eight that share a column.
static Value combineQuad(Emitter &e, ReduceKind kind, Value value) {
  return combineLanes(e, kind, value, {1, 2});
}
static Value combineColumn(Emitter &e, ReduceKind kind, Value value) {
  return combineLanes(e, kind, value, {4, 8, 16});
}

namespace {

struct SplatLowering : TilePattern<SplatOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(SplatOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    FragmentType type = op.getResult().getType();
    SmallVector<Value> elements(type.getElementsPerLane(), adaptor.getValue());
    rewriter.replaceOp(op, pack(e, elements, type));
    return success();
  }
};

/// A pair of columns, rounded: cvt.rn.bf16x2. A truncation of LLVM's may move,
/// to where its pair is used or, with twice the values to carry, after a
/// branch: kernels with wgmma, whose registers are few and fixed, have it where
/// it stands.
static Value roundPair(Emitter &e, Type element, Value first, Value second,
                       bool stays) {
  if (stays)
    return e
        .ptx(TypeRange(e.getI32Type()),
             element.isBF16() ? "cvt.rn.bf16x2.f32 $0, $1, $2;"
                              : "cvt.rn.f16x2.f32 $0, $1, $2;",
             "=r,f,f", {second, first}, /*sideEffects=*/false)
        .front();
  Value rounded = LLVM::FPTruncOp::create(e, VectorType::get(2, element),
                                          e.makeVector({first, second}));
  return LLVM::BitcastOp::create(e, e.getI32Type(), rounded);
}

/// The order of the pairs is the same in the accumulator and in the A operand.
struct ConvertLowering : TilePattern<ConvertOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(ConvertOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    Type element = op.getResult().getType().getElementType();
    const KernelValues *kernel = getKernel(op);
    SmallVector<Value> source =
        unpack(e, adaptor.getSource(), op.getSource().getType());
    SmallVector<Value> pairs;
    for (size_t i = 0; i < source.size(); i += 2)
      pairs.push_back(roundPair(e, element, source[i], source[i + 1],
                                kernel && kernel->usesAsyncProxy));
    rewriter.replaceOp(op, e.bundle(pairs));
    return success();
  }
};

struct ReduceLowering : TilePattern<ReduceOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(ReduceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    FragmentType type = op.getSource().getType();
    SmallVector<Value> elements = unpackWide(e, adaptor.getSource(), type);
    if (isa<ColPartialLayoutAttr>(op.getResult().getType().getLayout())) {
      rewriter.replaceOp(op,
                         e.bundle(reduceRows(e, op.getKind(), type, elements)));
      return success();
    }
    bool toRow = isa<RowLayoutAttr>(op.getResult().getType().getLayout());
    llvm::MapVector<int64_t, SmallVector<Value>> byRow;
    for (auto [place, element] : llvm::zip(type.getLanePlaces(), elements))
      byRow[place.row].push_back(element);
    SmallVector<Value> rows;
    for (auto &[number, ofRow] : byRow) {
      // Even and odd columns apart: two chains of half the length.
      Value chains[2] = {ofRow[0], ofRow[1]};
      for (size_t i = 2; i < ofRow.size(); ++i)
        chains[i % 2] = combine(e, op.getKind(), chains[i % 2], ofRow[i]);
      Value row = combine(e, op.getKind(), chains[0], chains[1]);
      rows.push_back(toRow ? combineQuad(e, op.getKind(), row) : row);
    }
    rewriter.replaceOp(op, e.bundle(rows));
    return success();
  }

  /// Over the rows that the lane holds, for each of its columns.
  static SmallVector<Value> reduceRows(Emitter &e, ReduceKind kind,
                                       FragmentType type,
                                       ArrayRef<Value> elements) {
    llvm::MapVector<int64_t, Value> columns;
    for (auto [place, element] : llvm::zip(type.getLanePlaces(), elements)) {
      Value &column = columns[place.column];
      column = column ? combine(e, kind, column, element) : element;
    }
    return llvm::map_to_vector(columns,
                               [](const auto &entry) { return entry.second; });
  }
};

struct AllReduceLowering : TilePattern<AllReduceOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(AllReduceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    FragmentType type = op.getSource().getType();
    bool ofRows = isa<RowPartialLayoutAttr>(type.getLayout());
    SmallVector<Value> values = unpack(e, adaptor.getSource(), type);
    for (Value &value : values)
      value = ofRows ? combineQuad(e, op.getKind(), value)
                     : combineColumn(e, op.getKind(), value);
    if (op.getSharedBytes()) {
      const KernelValues *kernel = getKernel(op);
      if (!kernel)
        return rewriter.notifyMatchFailure(op, "is not in a kernel");
      FailureOr<Value> shared = getSharedAddress(e, *kernel, op);
      if (failed(shared))
        return failure();
      combineWarps(e, *kernel, op, ofRows, *shared, values);
    }
    rewriter.replaceOp(op, e.bundle(values));
    return success();
  }

  /// Each warp writes its values to a row of its own; each thread joins those
  /// of all warps at its places, in their order, and all read what they want.
  static void combineWarps(Emitter &e, const KernelValues &kernel,
                           AllReduceOp op, bool ofRows, Value shared,
                           MutableArrayRef<Value> values) {
    FragmentType type = op.getSource().getType();
    WarpPlace warp = WarpPlace::get(e, kernel, type);
    LaneBase base = LaneBase::get(e, kernel, type);
    int64_t count = type.getShape()[0];
    Value mine = e.add(shared, e.shl(ofRows ? base.row : base.column, 2));
    Value number = ofRows ? warp.group : warp.row;
    Value own = e.add(mine, e.mul(number, 4 * count));
    SmallVector<int64_t> offsets;
    for (LanePlace place : type.getLanePlaces())
      offsets.push_back(4 * (ofRows ? place.row : place.column));
    // One of the lanes that have the same values.
    Value same = ofRows ? e.bitAnd(kernel.lane, 3) : e.shr(kernel.lane, 2);
    Value first =
        e.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, same, e.i32(0));
    e.barrier(kernel);
    onlyWhere(e, first, [&] {
      for (auto [value, offset] : llvm::zip(values, offsets))
        storeShared(e, e.add(own, offset), value);
    });
    e.barrier(kernel);
    int64_t threads = 32 * kernel.warps;
    for (int64_t begin = 0; begin < count; begin += threads) {
      Value place = e.add(kernel.thread, begin);
      Value address = e.add(shared, e.shl(place, 2));
      auto join = [&] {
        Value all;
        for (int64_t w = 0; w < op.getSharingWarps(); ++w) {
          Value part = loadShared(e, e.add(address, w * 4 * count));
          all = all ? combine(e, op.getKind(), all, part) : part;
        }
        storeShared(e, address, all);
      };
      if (begin + threads <= count)
        join();
      else
        onlyWhere(e, e.less(place, e.i32(count)), join);
    }
    e.barrier(kernel);
    for (auto [value, offset] : llvm::zip(values, offsets))
      value = loadShared(e, e.add(mine, offset));
  }

  static void storeShared(Emitter &e, Value address, Value value) {
    e.ptx("st.shared.f32 [$0], $1;", "r,f", {address, value});
  }
  static Value loadShared(Emitter &e, Value address) {
    return e
        .ptx(TypeRange(e.getF32Type()), "ld.shared.f32 $0, [$1];",
             "=f,r,~{memory}", address)
        .front();
  }
};

struct AnyLowering : TilePattern<AnyOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(AnyOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    Value any;
    for (Value row : unpack(e, adaptor.getSource(), op.getSource().getType()))
      any = any ? e.bitOr(any, row) : row;
    rewriter.replaceOpWithNewOp<NVVM::VoteSyncOp>(op, e.getI1Type(), e.i32(-1),
                                                  any, NVVM::VoteSyncKind::any);
    return success();
  }
};

} // namespace

void flash::tile::populateFragmentPatterns(const TileTypeConverter &converter,
                                           RewritePatternSet &patterns,
                                           const KernelMap &kernels) {
  patterns.add<SplatLowering, ConvertLowering, ReduceLowering,
               AllReduceLowering, AnyLowering>(converter, patterns.getContext(),
                                               kernels);
}
