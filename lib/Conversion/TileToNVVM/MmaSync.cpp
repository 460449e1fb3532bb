//===- MmaSync.cpp - Products by mma.sync -----------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each warp multiplies its 16 rows, 8 columns of B at a time, over steps of 16,
// by what the instruction says is one product (`getWarpProduct`):
//
//   mma #mma_sync %a, %b  ->  ldmatrix.x4 (B, two blocks of columns);
//                             mma.m16n8k16 twice; ... for each step
//
// A panel's swizzle leaves bits 4 to 6 of a lane's address to an exclusive or,
// so that one address a lane serves all steps within a panel.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

using namespace mlir;
using namespace flash::tile;

namespace {

/// Loads 8x8 blocks of a shared tile, four at a time: lane l gives the address
/// of row l % 8 of block l / 8.
class MatrixLoader {
public:
  /// The four blocks are at row and chunk (8 columns)
  ///   (0,0) (8,0) (0,1) (8,1)   with `rowsFirst`,
  ///   (0,0) (0,1) (8,0) (8,1)   without.
  /// All of them `columns` columns further, a multiple of 16 that constant
  /// columns leave free in its binary form (null: 0).
  MatrixLoader(Emitter &e, Value lane, Value address, SharedType tile,
               bool rowsFirst, Value columns = {})
      : tile(tile) {
    Value block = e.shr(lane, 3);
    Value inner = e.bitAnd(block, 1), outer = e.shr(block, 1);
    Value row = e.bitAnd(lane, 7);
    Value rowBlock = rowsFirst ? inner : outer;
    Value chunk = e.bitXor(rowsFirst ? outer : inner, row);
    laneAddress = e.add(address, e.shl(e.add(row, e.shl(rowBlock, 3)), 7));
    laneAddress = e.add(laneAddress, e.shl(chunk, 4));
    if (!columns)
      return;
    Value chunks = e.shr(columns, 3);
    laneAddress = e.bitXor(laneAddress, e.shl(e.bitAnd(chunks, 7), 4));
    laneAddress =
        e.add(laneAddress, e.mul(e.shr(chunks, 3), tile.getPanelBytes()));
  }

  /// The address for blocks at a constant row and column, multiples of 8 and
  /// 16.
  Value getAddress(Emitter &e, int64_t row, int64_t column) {
    int64_t panelColumns = tile.getPanelColumns();
    int64_t chunk = column % panelColumns / 8;
    Value &swizzled = byChunk[chunk];
    if (!swizzled)
      swizzled = e.bitXor(laneAddress, e.i32(chunk << 4));
    return e.add(swizzled,
                 column / panelColumns * tile.getPanelBytes() + row * 128);
  }

  /// `count` registers, 2 or 4.
  SmallVector<Value> load(Emitter &e, int64_t row, int64_t column,
                          bool transposed, int64_t count = 4) {
    std::string text = "ldmatrix.sync.aligned.m8n8.x" + std::to_string(count) +
                       (transposed ? ".trans" : "") + ".shared.b16 {";
    std::string constraints;
    for (int64_t i = 0; i < count; ++i) {
      text += (i ? ", $" : "$") + std::to_string(i);
      constraints += "=r,";
    }
    text += "}, [$" + std::to_string(count) + "];";
    SmallVector<Type> types(count, e.getI32Type());
    return e.ptx(types, text, constraints + "r,~{memory}",
                 getAddress(e, row, column));
  }

private:
  SharedType tile;
  Value laneAddress;
  llvm::SmallDenseMap<int64_t, Value> byChunk;
};

/// The A operand of one warp, from registers or from shared memory.
class LeftOperand {
public:
  LeftOperand(Emitter &e, const KernelValues &kernel, Value original,
              Value lowered, FragmentType result, bool transposed = false)
      : warps(result.getRowWarps()), transposed(transposed) {
    if (auto fragment = dyn_cast<FragmentType>(original.getType())) {
      columns = fragment.getColumns();
      registers = e.elements(lowered);
      return;
    }
    auto tile = cast<SharedType>(original.getType());
    Value warp = WarpPlace::get(e, kernel, result).row;
    columns = transposed ? tile.getRows() : tile.getColumns();
    // Rows of this warp: 16 rows are 2 KiB, so that the swizzle is the same.
    if (transposed)
      loader.emplace(e, kernel.lane, lowered, tile, /*rowsFirst=*/false,
                     e.shl(warp, 4));
    else
      loader.emplace(e, kernel.lane, e.add(lowered, e.shl(warp, 11)), tile,
                     /*rowsFirst=*/true);
  }

  /// Four registers for 16 columns.
  SmallVector<Value> get(Emitter &e, int64_t repetition, int64_t column) {
    int64_t row = repetition * 16 * warps;
    if (loader)
      return transposed ? loader->load(e, column, row, /*transposed=*/true)
                        : loader->load(e, row, column, /*transposed=*/false);
    int64_t first = repetition * columns / 4 + column / 4;
    return SmallVector<Value>(ArrayRef<Value>(registers).slice(first, 4));
  }
  int64_t getColumns() const { return columns; }

private:
  int64_t warps, columns;
  bool transposed;
  SmallVector<Value> registers;
  std::optional<MatrixLoader> loader;
};

struct LoadFragmentLowering : TilePattern<LoadFragmentOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(LoadFragmentOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    FragmentType type = op.getResult().getType();
    LeftOperand tile(e, *kernel, op.getTile(), adaptor.getTile(), type);
    SmallVector<Value> registers;
    for (int64_t r = 0; r < type.getRepetitions(); ++r)
      for (int64_t column = 0; column < type.getColumns(); column += 16)
        llvm::append_range(registers, tile.get(e, r, column));
    rewriter.replaceOp(op, e.bundle(registers));
    return success();
  }
};

} // namespace

/// One product of a warp, the instruction's PTX: `acc[0..3] += a * b`.
static void emitMma(Emitter &e, StringRef ptx, MutableArrayRef<Value> acc,
                    ArrayRef<Value> a, ArrayRef<Value> b) {
  SmallVector<Value> operands(a);
  llvm::append_range(operands, b);
  llvm::append_range(operands, acc);
  SmallVector<Type> results(4, e.getF32Type());
  SmallVector<Value> sums =
      e.ptx(results, ptx.str(), "=f,=f,=f,=f,r,r,r,r,r,r,0,1,2,3", operands,
            /*sideEffects=*/false);
  llvm::copy(sums, acc.begin());
}

namespace {

struct MmaSyncLowering : TilePattern<MmaOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(MmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    SharedType bType = op.getB().getType();
    std::string product =
        op.getInstruction().getWarpProduct(bType.getElementType());
    if (!kernel || product.empty())
      return rewriter.notifyMatchFailure(
          op, "is not a product of warps, each by itself, in a kernel");
    Emitter e(op.getLoc(), rewriter);
    FragmentType type = op.getResult().getType();
    bool transposeB = op.getTransposeB();
    int64_t n = type.getColumnsOfWarp();

    SmallVector<Value> acc;
    if (adaptor.getAcc())
      acc = unpack(e, adaptor.getAcc(), type);
    else
      acc.assign(type.getElementsPerLane(),
                 arith::ConstantOp::create(e, e.getF32FloatAttr(0.0f)));

    LeftOperand a(e, *kernel, op.getA(), adaptor.getA(), type,
                  op.getTransposeA());
    // B is wanted as columns of 16 k: rows of a K-major tile as they are, rows
    // of an N-major one transposed by the load. Both give b0 and b1 of columns
    // n to n+7, then of n+8 to n+15.
    WarpPlace warp = WarpPlace::get(e, *kernel, type);
    MatrixLoader b(e, kernel->lane,
                   transposeB ? getGroupAddress(e, warp, type, bType,
                                                transposeB, adaptor.getB())
                              : adaptor.getB(),
                   bType, /*rowsFirst=*/!transposeB,
                   warp.group && !transposeB ? e.mul(warp.group, n) : Value());
    for (int64_t k = 0; k < a.getColumns(); k += 16) {
      SmallVector<SmallVector<Value>> left;
      for (int64_t r = 0; r < type.getRepetitions(); ++r)
        left.push_back(a.get(e, r, k));
      for (int64_t column = 0; column < n; column += 16) {
        int64_t blocks = std::min<int64_t>(2, (n - column) / 8);
        SmallVector<Value> right =
            transposeB ? b.load(e, column, k, /*transposed=*/false, 2 * blocks)
                       : b.load(e, k, column, /*transposed=*/true, 2 * blocks);
        for (int64_t r = 0; r < type.getRepetitions(); ++r)
          for (int64_t i = 0; i < blocks; ++i)
            emitMma(e, product,
                    MutableArrayRef<Value>(acc).slice(
                        (r * n + column) / 2 + 4 * i, 4),
                    left[r], ArrayRef<Value>(right).slice(2 * i, 2));
      }
    }
    rewriter.replaceOp(op, e.bundle(acc));
    return success();
  }
};

} // namespace

void flash::tile::populateMmaSyncPatterns(const TileTypeConverter &converter,
                                          RewritePatternSet &patterns,
                                          const KernelMap &kernels) {
  patterns.add<LoadFragmentLowering, MmaSyncLowering>(
      converter, patterns.getContext(), kernels);
}
