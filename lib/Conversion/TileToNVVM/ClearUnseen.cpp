//===- ClearUnseen.cpp - Rows that no query sees ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   clear_unseen %tile when %c queries 128 { body }
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
//
// To look at a tile takes as long as to write zeros to it, and no thread needs
// what another one knows of the mask: in a kernel with a producer warpgroups
// are not at the same place, and each does all of it for itself. The zeros of
// one are no harm to another.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace flash::tile;

namespace {
/// The threads that clear a tile together.
struct Team {
  Value mine;    ///< number of the thread among them
  Value barrier; ///< their named barrier
  int64_t size;
};
} // namespace

static Team getTeam(Emitter &e, const KernelValues &kernel) {
  if (kernel.specialized && kernel.usesAsyncProxy)
    return {e.bitAnd(kernel.thread, 127),
            e.add(e.shr(kernel.warp, 2), firstOwnBarrier), 128};
  return {kernel.thread,
          e.i32(kernel.specialized ? int64_t(consumerBarrier) : 0),
          32 * kernel.warps};
}

/// $0 = whether a thread of the team finds an exponent of all ones; from $1 on,
/// up to $2, at barrier $3. Added to such an exponent, its last bit makes a
/// one in the place of the sign, which no other makes.
static std::string scanText(Type element, int64_t bytes, int64_t threads) {
  bool half = element.isF16();
  std::string exponents = half ? "0x7c007c00" : "0x7f807f80",
              last = half ? "0x04000400" : "0x00800080";
  int64_t step = 16 * threads;
  int64_t unroll = bytes % (4 * step) == 0 ? 4 : 1;
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
         "setp.ne.u32 some, found, 0;\nbar.red.or.pred some, $3, " +
         std::to_string(threads) + ", some;\nselp.b32 $0, 1, 0, some;\n}";
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
static IRMapping computeCaptures(Emitter &e, ClearUnseenOp op) {
  IRMapping here;
  SetVector<Value> captures, leaves;
  SetVector<Operation *> arithmetic;
  getUsedValuesDefinedAbove(op.getBody(), captures);
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
static Value isSeen(Emitter &e, ClearUnseenOp op, const IRMapping &pinned,
                    Value row) {
  Value no = arith::ConstantOp::create(e, e.getBoolAttr(false));
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(e, value);
  };
  auto search = scf::ForOp::create(
      e, index(0), index(op.getQueries()), index(1), no,
      [&](OpBuilder &b, Location loc, Value query, ValueRange args) {
        auto ask = scf::IfOp::create(
            b, loc, args[0],
            [&](OpBuilder &yes, Location l) {
              scf::YieldOp::create(yes, l, args[0]);
            },
            [&](OpBuilder &look, Location l) {
              Block &body = op.getBody().front();
              IRMapping mapping = pinned;
              mapping.map(body.getArgument(0), query);
              mapping.map(body.getArgument(1), row);
              for (Operation &inner : body.without_terminator())
                look.clone(inner, mapping);
              scf::YieldOp::create(
                  look, l,
                  mapping.lookupOrDefault(body.getTerminator()->getOperand(0)));
            });
        scf::YieldOp::create(b, loc, ask.getResult(0));
      });
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
    SharedType type = op.getTile().getType();
    Value tile = adaptor.getTile();
    auto cut = scf::IfOp::create(e, adaptor.getWhen(),
                                 /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(cut.thenBlock());
    Team team = getTeam(e, *kernel);
    // Zeros that another warpgroup has just written are in the way of none.
    if (kernel->usesAsyncProxy)
      e.ptx("fence.proxy.async.shared::cta;", "", {});
    Value found =
        e.ptx(e.getI32Type(),
              scanText(type.getElementType(), type.getSizeInBytes(), team.size),
              "=r,r,r,r",
              {e.add(tile, e.shl(team.mine, 4)),
               e.add(tile, type.getSizeInBytes()), team.barrier})
            .front();
    auto irregular = scf::IfOp::create(e, e.less(e.i32(0), found),
                                       /*withElseRegion=*/false);
    e.setInsertionPointToStart(irregular.thenBlock());
    auto index = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(e, value);
    };
    IRMapping pinned = computeCaptures(e, op);
    scf::ForOp::create(
        e, e.toIndex(e.pin(team.mine)), index(type.getRows()), index(team.size),
        ValueRange(), [&](OpBuilder &b, Location loc, Value row, ValueRange) {
          Emitter inner(loc, b);
          Value hidden = arith::XOrIOp::create(
              inner, isSeen(inner, op, pinned, row),
              arith::ConstantOp::create(inner, inner.getBoolAttr(true)));
          scf::IfOp::create(inner, loc, hidden,
                            [&](OpBuilder &then, Location l) {
                              Emitter last(l, then);
                              clearRow(last, type, tile, row);
                              scf::YieldOp::create(last);
                            });
          scf::YieldOp::create(b, loc);
        });
    if (kernel->usesAsyncProxy)
      e.ptx("fence.proxy.async.shared::cta;", "", {});
    e.ptx("bar.sync $0, " + std::to_string(team.size) + ";", "r", team.barrier);
    rewriter.eraseOp(op);
    return success();
  }
};
} // namespace

void flash::tile::populateClearPatterns(const TileTypeConverter &converter,
                                        RewritePatternSet &patterns,
                                        const KernelMap &kernels) {
  patterns.add<ClearUnseenLowering>(converter, patterns.getContext(), kernels);
}
