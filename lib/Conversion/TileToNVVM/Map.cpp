//===- Map.cpp - Element-wise work, lane by lane ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The scalar body of a map is cloned for each element that a lane holds, with
// the element's row and column:
//
//   map(%s, %m) { ^bb0(%i, %j, %x, %y): ... }   ->   body per element
//
// Functions in bodies have become instructions before (MathFunctions.cpp).
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace flash::tile;

/// Clones the body with the values for its arguments; what it yields.
static SmallVector<Value> cloneBody(Emitter &e, Block &body,
                                    ArrayRef<Value> arguments) {
  IRMapping mapping;
  mapping.map(body.getArguments(), arguments);
  for (Operation &nested : body.without_terminator())
    e.clone(nested, mapping);
  SmallVector<Value> yielded;
  for (Value value : body.getTerminator()->getOperands())
    yielded.push_back(mapping.lookupOrDefault(value));
  return yielded;
}

namespace {

struct MapLowering : TilePattern<MapOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(MapOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    auto shape = cast<FragmentType>(op.getResult(0).getType());
    bool isMatrix = shape.getRank() == 2;
    int64_t blocks = isMatrix ? shape.getColumns() / 8 : 1;
    int64_t pairs = isMatrix ? 2 : 1;

    SmallVector<SmallVector<Value>> inputs;
    for (auto [value, input] : llvm::zip(adaptor.getInputs(), op.getInputs()))
      inputs.push_back(unpack(e, value, cast<FragmentType>(input.getType())));

    // Row 16*warp + lane/4 and column 2*(lane%4), to which each element adds
    // a constant.
    Value row0 = e.add(e.shl(kernel->warp, 4), e.shr(kernel->lane, 2));
    Value column0 = e.shl(e.bitAnd(kernel->lane, 3), 1);
    SmallVector<SmallVector<Value>> results(op.getNumResults());
    for (int64_t r = 0; r < shape.getRepetitions(); ++r)
      for (int64_t i = 0; i < blocks; ++i)
        for (int64_t half = 0; half < 2; ++half)
          for (int64_t k = 0; k < pairs; ++k) {
            SmallVector<Value> arguments{
                e.toIndex(e.add(row0, r * 16 * kernel->warps + half * 8))};
            if (isMatrix)
              arguments.push_back(e.toIndex(e.add(column0, i * 8 + k)));
            for (auto [input, values] : llvm::zip(op.getInputs(), inputs)) {
              bool wide = cast<FragmentType>(input.getType()).getRank() == 2;
              arguments.push_back(
                  values[wide ? (r * blocks + i) * 4 + half * 2 + k
                              : r * 2 + half]);
            }
            for (auto [result, value] : llvm::zip(
                     results, cloneBody(e, op.getBody().front(), arguments)))
              result.push_back(value);
          }
    SmallVector<Value> packed;
    for (auto [values, type] : llvm::zip(results, op.getResultTypes()))
      packed.push_back(pack(e, values, cast<FragmentType>(type)));
    rewriter.replaceOp(op, packed);
    return success();
  }
};

} // namespace

void flash::tile::populateMapPatterns(const TileTypeConverter &converter,
                                      RewritePatternSet &patterns,
                                      const KernelMap &kernels) {
  patterns.add<MapLowering>(converter, patterns.getContext(), kernels);
}
