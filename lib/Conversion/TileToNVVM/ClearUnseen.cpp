//===- ClearUnseen.cpp - Rows that no query sees ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   clear_unseen %tile when %c queries(%n) { body }
//   ->  scf.if %c {                             // the same for all threads
//         some = an exponent of all ones in my 16 bytes of each 2048
//         bar.red.or some
//         scf.if some {                         // hardly ever
//           scf.for j = mine to rows {
//             seen = or of body(i, j) over the queries
//             scf.if not seen { st.shared.v4 zeros, the row of each panel }
//           }
//           fence.proxy.async ; bar.sync
//         }
//       }
//   watch %ring[%i] when %c queries(%n) { body }
//   ->  wait landed (phase) ; the same ; one lane arrives on full
//
// All warps of a kernel clear a tile together, and the one warp of a watcher
// does it alone.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace flash::tile;

namespace {
/// The threads that clear a tile.
struct Team {
  Value mine; ///< number of the thread among them
  int64_t size;

  bool isWarp() const { return size == 32; }
};
} // namespace

/// $0 = whether a thread of the team finds an exponent of all ones, from $1 on,
/// up to $2. Added to such an exponent, its last bit makes a
/// one in the place of the sign, which no other makes.
static std::string scanText(Type element, int64_t bytes, const Team &team) {
  bool half = element.isF16();
  std::string exponents = half ? "0x7c007c00" : "0x7f807f80",
              last = half ? "0x04000400" : "0x00800080";
  int64_t step = 16 * team.size;
  // A watcher has few registers.
  int64_t most = team.isWarp() ? 2 : 4;
  int64_t unroll = bytes % (most * step) == 0 ? most : 1;
  std::string text = "{\n.reg .pred more, some;\n.reg .b32 at, found;\n"
                     ".reg .b32 x<" +
                     std::to_string(4 * unroll) +
                     ">;\nmov.b32 found, 0;\nmov.b32 at, $1;\nLOOK:\n"
                     "setp.lt.u32 more, at, $2;\n@!more bra LOOKED;\n";
  for (int64_t i = 0; i < unroll; ++i) {
    text += "ld.shared.v4.b32 {";
    for (int64_t k = 0; k < 4; ++k)
      text += (k ? ", x" : "x") + std::to_string(4 * i + k);
    text += "}, [at + " + std::to_string(i * step) + "];\n";
  }
  for (int64_t i = 0; i < 4 * unroll; ++i) {
    std::string x = "x" + std::to_string(i);
    text += "and.b32 " + x + ", " + x + ", " + exponents + ";\nadd.u32 " + x +
            ", " + x + ", " + last + ";\nor.b32 found, found, " + x + ";\n";
  }
  return text + "add.u32 at, at, " + std::to_string(unroll * step) +
         ";\nbra LOOK;\nLOOKED:\nand.b32 found, found, 0x80008000;\n"
         "setp.ne.u32 some, found, 0;\n" +
         (team.isWarp() ? "vote.sync.any.pred some, some, 0xffffffff;\n"
                        : "bar.red.or.pred some, 0, " +
                              std::to_string(team.size) + ", some;\n") +
         "selp.b32 $0, 1, 0, some;\n}";
}

/// The arithmetic that makes `value`, in order, and what it begins with.
static void collectArithmetic(Value value, SetVector<Operation *> &arithmetic,
                              SetVector<Value> &leaves) {
  constexpr size_t most = 24;
  Operation *op = value.getDefiningOp();
  if (op && op->hasTrait<OpTrait::ConstantLike>())
    return;
  if (!op || !isa<arith::ArithDialect>(op->getDialect()) ||
      arithmetic.size() >= most) {
    leaves.insert(value);
    return;
  }
  if (arithmetic.contains(op))
    return;
  for (Value operand : op->getOperands())
    collectArithmetic(operand, arithmetic, leaves);
  arithmetic.insert(op);
}

/// What the body reads from outside, computed once more from what it begins
/// with, which is pinned: nothing is computed before it is wanted, to be kept
/// in registers over the loops.
static IRMapping computeCaptures(Emitter &e, Region &body, Value queries) {
  IRMapping here;
  SetVector<Value> captures, leaves;
  SetVector<Operation *> arithmetic;
  getUsedValuesDefinedAbove(body, captures);
  captures.insert(queries);
  for (Value value : captures)
    collectArithmetic(value, arithmetic, leaves);
  for (Value value : leaves) {
    Type type = value.getType();
    if (type.isIndex())
      here.map(value,
               arith::IndexCastOp::create(
                   e, type,
                   e.pin(arith::IndexCastOp::create(e, e.getI64Type(), value)))
                   .getResult());
    else if (type.isInteger(32) || type.isInteger(64))
      here.map(value, e.pin(value));
  }
  for (Operation *inner : arithmetic)
    e.clone(*inner, here);
  return here;
}

/// An i1: whether the body yields true for some query.
static Value isSeen(Emitter &e, Region &body, Value queries,
                    const IRMapping &pinned, Value row) {
  Value no = arith::ConstantOp::create(e, e.getBoolAttr(false));
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(e, value);
  };
  auto search = scf::ForOp::create(
      e, index(0), pinned.lookupOrDefault(queries), index(1), no,
      [&](OpBuilder &b, Location loc, Value query, ValueRange args) {
        auto ask = scf::IfOp::create(
            b, loc, args[0],
            [&](OpBuilder &yes, Location l) {
              scf::YieldOp::create(yes, l, args[0]);
            },
            [&](OpBuilder &look, Location l) {
              Block &block = body.front();
              IRMapping mapping = pinned;
              mapping.map(block.getArgument(0), query);
              mapping.map(block.getArgument(1), row);
              for (Operation &inner : block.without_terminator())
                look.clone(inner, mapping);
              scf::YieldOp::create(look, l,
                                   mapping.lookupOrDefault(
                                       block.getTerminator()->getOperand(0)));
            });
        scf::YieldOp::create(b, loc, ask.getResult(0));
      });
  keepLoop(search);
  return search.getResult(0);
}

/// Zeros in a row's 128 bytes of each panel.
static void clearRow(Emitter &e, SharedType type, Value tile, Value row) {
  std::string text = "{\n.reg .b32 zero;\nmov.b32 zero, 0;\n";
  for (int64_t panel = 0; panel < type.getPanels(); ++panel)
    for (int64_t chunk = 0; chunk < 8; ++chunk)
      text += "st.shared.v4.b32 [$0 + " +
              std::to_string(panel * type.getPanelBytes() + 16 * chunk) +
              "], {zero, zero, zero, zero};\n";
  e.ptx(text + "}", "r", e.add(tile, e.shl(e.toI32(row), 7)));
}

/// Looks at a tile and clears what none of the queries sees, where `when`
/// holds.
static void clearUnseen(Emitter &e, const KernelValues &kernel, SharedType type,
                        Value tile, Value when, Value queries, Region &body,
                        const Team &team) {
  auto cut = scf::IfOp::create(e, when, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToStart(cut.thenBlock());
  Value found =
      e.ptx(e.getI32Type(),
            scanText(type.getElementType(), type.getSizeInBytes(), team),
            "=r,r,r",
            {e.add(tile, e.shl(team.mine, 4)),
             e.add(tile, type.getSizeInBytes())})
          .front();
  auto irregular = scf::IfOp::create(e, e.less(e.i32(0), found),
                                     /*withElseRegion=*/false);
  e.setInsertionPointToStart(irregular.thenBlock());
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(e, value);
  };
  IRMapping pinned = computeCaptures(e, body, queries);
  auto rows = scf::ForOp::create(
      e, e.toIndex(e.pin(team.mine)), index(type.getRows()), index(team.size),
      ValueRange(), [&](OpBuilder &b, Location loc, Value row, ValueRange) {
        Emitter inner(loc, b);
        Value hidden = arith::XOrIOp::create(
            inner, isSeen(inner, body, queries, pinned, row),
            arith::ConstantOp::create(inner, inner.getBoolAttr(true)));
        scf::IfOp::create(inner, loc, hidden, [&](OpBuilder &then, Location l) {
          Emitter last(l, then);
          clearRow(last, type, tile, row);
          scf::YieldOp::create(last);
        });
        scf::YieldOp::create(b, loc);
      });
  keepLoop(rows);
  if (kernel.usesAsyncProxy)
    e.ptx("fence.proxy.async.shared::cta;", "", {});
  e.ptx(team.isWarp() ? "bar.warp.sync 0xffffffff;"
                      : "bar.sync 0, " + std::to_string(team.size) + ";",
        "", {});
}

namespace {
struct ClearUnseenLowering : TilePattern<ClearUnseenOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(ClearUnseenOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    clearUnseen(e, *kernel, op.getTile().getType(), adaptor.getTile(),
                adaptor.getWhen(), op.getQueries(), op.getBody(),
                {kernel->thread, 32 * kernel->warps});
    rewriter.eraseOp(op);
    return success();
  }
};

struct WatchLowering : TilePattern<WatchOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(WatchOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    RingType ring = op.getRing().getType();
    StageAddress stage =
        getStage(e, adaptor.getRing(), ring, op.getIteration());
    waitBarrier(e, stage.landed, stage.phase);
    clearUnseen(e, *kernel, ring.getTile(), stage.tile, adaptor.getWhen(),
                op.getQueries(), op.getBody(), {kernel->lane, 32});
    // No lane is behind: the stage could be filled twice before it looked.
    e.ptx("bar.warp.sync 0xffffffff;\n{\n.reg .pred first;\n"
          "setp.eq.s32 first, $1, 0;\n"
          "@first mbarrier.arrive.shared::cta.b64 _, [$0];\n}",
          "r,r", {stage.full, kernel->lane});
    rewriter.eraseOp(op);
    return success();
  }
};
} // namespace

void flash::tile::populateClearPatterns(const TileTypeConverter &converter,
                                        RewritePatternSet &patterns,
                                        const KernelMap &kernels) {
  patterns.add<ClearUnseenLowering, WatchLowering>(
      converter, patterns.getContext(), kernels);
}
