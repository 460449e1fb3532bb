//===- InsertChecks.cpp - What must hold of a call ------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   flash.attention %q, %k, %v : tensor<?x...>, ...
//   ->  %a = tensor.dim %q, 0 ; %b = tensor.dim %k, 0
//       %e = arith.cmpi eq, %a, %b
//       cf.assert %e, "batch of the query ({lhs}) and of the key ({rhs})
//       differ"
//
// Sizes that only a call knows. They run at L0, where it is still said which
// dimensions belong together; the launch plan keeps them.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace flash {
#define GEN_PASS_DEF_INSERTCHECKS
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

namespace {
/// A dimension of an operand, with a name for it.
struct Dim {
  Value tensor;
  int64_t dim;
  StringRef name;

  bool isDynamic() const {
    return cast<RankedTensorType>(tensor.getType()).isDynamicDim(dim);
  }
};
} // namespace

static Value size(OpBuilder &builder, Location loc, const Dim &dim) {
  return tensor::DimOp::create(builder, loc, dim.tensor, dim.dim);
}

/// Asserts that two dimensions agree, unless the types say so.
static void checkEqual(OpBuilder &builder, Location loc, StringRef what,
                       const Dim &a, const Dim &b) {
  if (!a.isDynamic() && !b.isDynamic())
    return;
  Value same =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                            size(builder, loc, a), size(builder, loc, b));
  cf::AssertOp::create(builder, loc, same,
                       (what + " of the " + a.name + " ({lhs}) and of the " +
                        b.name + " ({rhs}) differ")
                           .str());
}

static void checkDivides(OpBuilder &builder, Location loc, const Dim &heads,
                         const Dim &keyHeads) {
  if (!heads.isDynamic() && !keyHeads.isDynamic())
    return;
  Value rest = arith::RemUIOp::create(builder, loc, size(builder, loc, heads),
                                      size(builder, loc, keyHeads));
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value divides =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, rest, zero);
  cf::AssertOp::create(builder, loc, divides,
                       "the number of query heads ({lhs}) is not a multiple of "
                       "the number of key heads ({rhs})");
}

/// What a mask's or a score function's operands must have, in their order.
static void checkOperands(OpBuilder &builder, Location loc, Attribute function,
                          ValueRange operands, AttentionOp op) {
  int64_t heads = op.getHeadsDim(), length = op.getLengthDim();
  Dim queries{op.getQuery(), length, "query"}, keys{op.getKey(), length, "key"},
      headCount{op.getQuery(), heads, "query"},
      batch{op.getQuery(), 0, "query"};
  if (op.isPaged())
    return;
  if (isa<SegmentsAttr>(function)) {
    Dim segments{operands[0], 1, "segments"};
    checkEqual(builder, loc, "length", queries, segments);
    checkEqual(builder, loc, "length", keys, {operands[1], 1, "segments"});
  } else if (isa<PrefixAttr>(function) && !op.isRagged()) {
    checkEqual(builder, loc, "batch", batch, {operands[0], 0, "prefixes"});
  } else if (isa<AlibiAttr>(function)) {
    int64_t rank = cast<RankedTensorType>(operands[0].getType()).getRank();
    checkEqual(builder, loc, "number of heads", headCount,
               {operands[0], rank - 1, "slopes"});
  }
}

/// The same of the masks of which a mask is composed.
static ValueRange checkMask(OpBuilder &builder, MaskAttrInterface mask,
                            ValueRange operands, AttentionOp op) {
  ArrayRef<MaskAttrInterface> parts;
  if (auto all = dyn_cast<AndAttr>(mask))
    parts = all.getMasks();
  else if (auto any = dyn_cast<OrAttr>(mask))
    parts = any.getMasks();
  for (MaskAttrInterface part : parts)
    operands = checkMask(builder, part, operands, op);
  if (!parts.empty())
    return operands;
  unsigned count = mask.getNumMaskOperands();
  checkOperands(builder, op.getLoc(), mask, operands.take_front(count), op);
  return operands.drop_front(count);
}

/// What belongs to heads, batches and sequences.
static void checkData(OpBuilder &builder, AttentionOp op) {
  Location loc = op.getLoc();
  int64_t heads = op.getHeadsDim();
  auto check = [&](StringRef what, const Dim &dim, Value operand,
                   StringRef name) {
    if (operand)
      checkEqual(builder, loc, what, dim, {operand, 0, name});
  };
  Dim queryHeads{op.getQuery(), heads, "query"},
      keyHeads{op.getKey(), heads, "key"}, batch{op.getQuery(), 0, "query"};
  check("number of heads", queryHeads, op.getSinks(), "sinks");
  check("number of heads", keyHeads, op.getKeyScale(), "key_scale");
  check("number of heads", keyHeads, op.getValueScale(), "value_scale");
  if (op.isRagged()) {
    check("number of sequences", {op.getCuSeqlensQ(), 0, "cu_seqlens_q"},
          op.getCuSeqlensK(), "cu_seqlens_k");
  } else {
    check("batch", batch, op.getKvLengths(), "kv_lengths");
    check("batch", batch, op.getPageTable(), "page_table");
  }
  if (MaskAttrInterface mask = op.getEffectiveMask())
    checkMask(builder, mask, op.getMaskOperands(), op);
  ValueRange operands = op.getScoreOperands();
  for (ScoreAttrInterface score : op.getEffectiveScores()) {
    unsigned count = score.getNumScoreOperands();
    checkOperands(builder, loc, score, operands.take_front(count), op);
    operands = operands.drop_front(count);
  }
}

static void insertChecks(AttentionOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  int64_t heads = op.getHeadsDim(), length = op.getLengthDim();
  auto query = [&](int64_t dim) { return Dim{op.getQuery(), dim, "query"}; };
  auto key = [&](int64_t dim) { return Dim{op.getKey(), dim, "key"}; };
  auto value = [&](int64_t dim) { return Dim{op.getValue(), dim, "value"}; };
  if (!op.isPaged())
    checkEqual(builder, loc, "batch", query(0), key(0));
  checkEqual(builder, loc, op.isPaged() ? "number of pages" : "batch", key(0),
             value(0));
  checkEqual(builder, loc, "number of heads", key(heads), value(heads));
  checkEqual(builder, loc, "length", key(length), value(length));
  checkDivides(builder, loc, query(heads), key(heads));
  checkData(builder, op);
}

static void insertChecks(MergeOp op) {
  OpBuilder builder(op);
  bool headFirst = op.getLayout() == Layout::BHSD;
  int64_t heads = headFirst ? 1 : 2, length = headFirst ? 2 : 1;
  Value first = op.getOutputs().front();
  static constexpr StringRef kNames[] = {"batch", "number of heads", "length"};
  const int64_t dims[] = {0, heads, length};
  for (auto [output, lse] : llvm::zip(op.getOutputs(), op.getLses()))
    for (auto [i, dim] : llvm::enumerate(dims)) {
      Dim reference{first, dim, "first part"};
      if (output != first)
        checkEqual(builder, op.getLoc(), kNames[i], reference,
                   {output, dim, "part"});
      checkEqual(builder, op.getLoc(), kNames[i], reference,
                 {lse, static_cast<int64_t>(i), "part's lse"});
    }
}

namespace {
struct InsertChecksPass : flash::impl::InsertChecksBase<InsertChecksPass> {
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      if (auto attention = dyn_cast<AttentionOp>(op))
        insertChecks(attention);
      else if (auto merge = dyn_cast<MergeOp>(op))
        insertChecks(merge);
    });
  }
};
} // namespace
