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

static void insertChecks(AttentionOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  int64_t heads = op.getHeadsDim(), length = op.getLengthDim();
  auto query = [&](int64_t dim) { return Dim{op.getQuery(), dim, "query"}; };
  auto key = [&](int64_t dim) { return Dim{op.getKey(), dim, "key"}; };
  auto value = [&](int64_t dim) { return Dim{op.getValue(), dim, "value"}; };
  checkEqual(builder, loc, "batch", query(0), key(0));
  checkEqual(builder, loc, "batch", key(0), value(0));
  checkEqual(builder, loc, "number of heads", key(heads), value(heads));
  checkEqual(builder, loc, "length", key(length), value(length));
  checkDivides(builder, loc, query(heads), key(heads));
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
