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
//       cf.assert %e, "batch differs: query has {lhs}, key has {rhs}"
//
// Sizes that only a call knows. They run at L0, where it is still said which
// dimensions belong together; the launch plan keeps them.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/FormatVariadic.h"

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
  // What is known would be put on the right, and the numbers of the message
  // with it.
  bool turned = !a.isDynamic();
  Value same = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                     size(builder, loc, turned ? b : a),
                                     size(builder, loc, turned ? a : b));
  cf::AssertOp::create(builder, loc, same,
                       llvm::formatv("{0} differs: {1} has {2}, {3} has {4}",
                                     what, a.name, turned ? "{rhs}" : "{lhs}",
                                     b.name, turned ? "{lhs}" : "{rhs}")
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
                       "number of query heads ({lhs}) is not a multiple of "
                       "the number of key heads ({rhs})");
}

/// What a dimension of an operand of a mask or a score function has to have; no
/// value where nothing is known.
static Value buildWantedSize(OpBuilder &builder, AttentionOpInterface op,
                             const OperandDim &dim) {
  Location loc = op.getLoc();
  auto number = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  auto dimOf = [&](Value tensor, int64_t position) -> Value {
    return tensor::DimOp::create(builder, loc, tensor, position);
  };
  int64_t length = op.getLengthDim();
  switch (dim.along) {
  case Along::Batch:
    if (op.isRagged())
      return arith::SubIOp::create(builder, loc, dimOf(op.getCuSeqlensQ(), 0),
                                   number(1));
    return dimOf(op.getQuery(), 0);
  case Along::RowBatch:
    return dimOf(op.getQuery(), 0);
  case Along::Heads:
    return dimOf(op.getQuery(), op.getHeadsDim());
  case Along::Queries:
    return dimOf(op.getQuery(), length);
  case Along::QueryBlocks: {
    // What a ragged sequence needs is data.
    if (op.isRagged())
      return Value();
    Value queries = dimOf(op.getQuery(), length);
    return dim.each == 1 ? queries
                         : arith::CeilDivSIOp::create(builder, loc, queries,
                                                      number(dim.each));
  }
  case Along::Keys: {
    Value keys = dimOf(op.getKey(), length);
    if (op.isPaged())
      keys = arith::MulIOp::create(builder, loc, keys,
                                   dimOf(op.getPageTable(), 1));
    return keys;
  }
  case Along::Anything:
    return Value();
  }
  return Value();
}

/// Of ragged sequences blocks of queries may lack an entry, but where there are
/// queries one is read.
static void checkEntries(OpBuilder &builder, AttentionOpInterface op,
                         StringRef name, Value operand, int64_t dim) {
  Location loc = op.getLoc();
  Value given = tensor::DimOp::create(builder, loc, operand, dim);
  Value queries =
      tensor::DimOp::create(builder, loc, op.getQuery(), op.getLengthDim());
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value needed = arith::MinSIOp::create(builder, loc, queries, one);
  Value fits = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle,
                                     needed, given);
  cf::AssertOp::create(
      builder, loc, fits,
      llvm::formatv("operand '{0}' has {{rhs} blocks of queries (dimension "
                    "{1}), but needs at least 1",
                    name, dim)
          .str());
}

/// Asserts that operands of masks or score functions have the sizes of the
/// attention, or 1 where that serves all. One that is too short would be read
/// past its end.
static void checkOperands(OpBuilder &builder, AttentionOpInterface op,
                          ArrayRef<OperandKind> kinds, ValueRange operands) {
  Location loc = op.getLoc();
  // What types say, the verifier has looked at.
  auto isKnown = [&](const OperandDim &dim, int64_t size) {
    return !ShapedType::isDynamic(size) &&
           ((dim.broadcasts && size == 1) ||
            !ShapedType::isDynamic(wantedSize(dim, op.getDims())));
  };
  for (auto [kind, operand] : llvm::zip_equal(kinds, operands)) {
    auto type = cast<RankedTensorType>(operand.getType());
    for (auto [position, dim] : llvm::enumerate(kind.dimsOf(type.getRank()))) {
      if (isKnown(dim, type.getDimSize(position)))
        continue;
      Value wanted = buildWantedSize(builder, op, dim);
      if (!wanted && dim.along == Along::QueryBlocks)
        checkEntries(builder, op, kind.name, operand, position);
      if (!wanted)
        continue;
      Value given = tensor::DimOp::create(builder, loc, operand, position);
      // As above; a known size of 1 that serves all has been left out.
      bool turned = !type.isDynamicDim(position);
      auto equals = [&](Value a, Value b) -> Value {
        return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, a,
                                     b);
      };
      Value fits = turned ? equals(wanted, given) : equals(given, wanted);
      bool oneServes = dim.broadcasts && !turned;
      if (oneServes)
        fits = arith::OrIOp::create(
            builder, loc, fits,
            equals(given, arith::ConstantIndexOp::create(builder, loc, 1)));
      std::string message = llvm::formatv(
          "{0} differs: operand '{1}' has {2} (dimension {3}), the attention "
          "has {4}{5}",
          nameOfDim(dim), kind.name, turned ? "{rhs}" : "{lhs}", position,
          turned ? "{lhs}" : "{rhs}", oneServes ? "; 1 serves all" : "");
      cf::AssertOp::create(builder, loc, fits, message);
    }
  }
}

/// What belongs to heads, batches and sequences.
static void checkData(OpBuilder &builder, AttentionOpInterface op) {
  Location loc = op.getLoc();
  int64_t heads = op.getHeadsDim();
  auto check = [&](StringRef what, const Dim &dim, Value operand,
                   StringRef name) {
    if (operand)
      checkEqual(builder, loc, what, dim, {operand, 0, name});
  };
  Dim queryHeads{op.getQuery(), heads, "query"},
      keyHeads{op.getKey(), heads, "key"};
  check("number of heads", queryHeads, op.getSinks(), "sinks");
  check("number of heads", keyHeads, op.getKeyScale(), "key_scale");
  check("number of heads", keyHeads, op.getValueScale(), "value_scale");
  if (op.getCuSeqlensK())
    check("number of sequences", {op.getCuSeqlensQ(), 0, "cu_seqlens_q"},
          op.getCuSeqlensK(), "cu_seqlens_k");
  const OperandDim perBatch{Along::Batch};
  for (auto [name, operand, dims] :
       {std::tuple{"kv_lengths", op.getKvLengths(), 1},
        {"page_table", op.getPageTable(), 2}}) {
    OperandKind kind{name, {perBatch}};
    kind.dims.resize(dims);
    if (operand)
      checkOperands(builder, op, kind, operand);
  }
  if (MaskAttrInterface mask = op.getEffectiveMask())
    checkOperands(builder, op, mask.getMaskOperandKinds(),
                  op.getMaskOperands());
  SmallVector<OperandKind> kinds;
  for (ScoreAttrInterface score : op.getEffectiveScores())
    kinds.append(score.getScoreOperandKinds());
  checkOperands(builder, op, kinds, op.getScoreOperands());
}

/// Ragged sequences lie in a batch of 1, and someone says where they end.
static void checkSequences(OpBuilder &builder, AttentionOpInterface op) {
  if (!op.isRagged())
    return;
  Location loc = op.getLoc();
  auto require = [&](const Dim &dim, arith::CmpIPredicate predicate,
                     int64_t number, StringRef message) {
    if (!dim.isDynamic())
      return;
    Value given = size(builder, loc, dim);
    Value wanted = arith::ConstantIndexOp::create(builder, loc, number);
    bool atLeast = predicate == arith::CmpIPredicate::sle;
    Value holds =
        arith::CmpIOp::create(builder, loc, predicate, atLeast ? wanted : given,
                              atLeast ? given : wanted);
    cf::AssertOp::create(builder, loc, holds, message);
  };
  require({op.getQuery(), 0, "query"}, arith::CmpIPredicate::eq, 1,
          "batch of the query is {lhs}, but must be 1 for ragged sequences");
  // One sequence: what is said of each one is read for rows in none, too.
  require({op.getCuSeqlensQ(), 0, "cu_seqlens_q"}, arith::CmpIPredicate::sle, 2,
          "cu_seqlens_q has {rhs} entries, but needs at least 2");
}

static void insertChecks(AttentionOpInterface op) {
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
  checkSequences(builder, op);
  checkData(builder, op);
  auto backward = dyn_cast<AttentionBackwardOp>(op.getOperation());
  if (!backward)
    return;
  for (auto [name, tensor] :
       {std::pair<StringRef, Value>{"output", backward.getOutput()},
        {"d_output", backward.getDOutput()}}) {
    checkEqual(builder, loc, "batch", query(0), {tensor, 0, name});
    checkEqual(builder, loc, "number of heads", query(heads),
               {tensor, heads, name});
    checkEqual(builder, loc, "length", query(length), {tensor, length, name});
  }
  for (auto [name, tensor] :
       {std::pair<StringRef, Value>{"lse", backward.getLse()},
        {"d_lse", backward.getDLse()}}) {
    if (!tensor)
      continue;
    checkEqual(builder, loc, "batch", query(0), {tensor, 0, name});
    checkEqual(builder, loc, "number of heads", query(heads),
               {tensor, 1, name});
    checkEqual(builder, loc, "length", query(length), {tensor, 2, name});
  }
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
      if (auto attention = dyn_cast<AttentionOpInterface>(op))
        insertChecks(attention);
      else if (auto merge = dyn_cast<MergeOp>(op))
        insertChecks(merge);
    });
  }
};
} // namespace
