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

/// Clones the body with the values for its arguments, but for what `mapping`
/// has a value of; what it yields.
static SmallVector<Value> cloneBody(Emitter &e, Block &body,
                                    ArrayRef<Value> arguments,
                                    IRMapping mapping) {
  mapping.map(body.getArguments(), arguments);
  for (Operation &nested : body.without_terminator())
    if (nested.getNumResults() != 1 || !mapping.contains(nested.getResult(0)))
      e.clone(nested, mapping);
  SmallVector<Value> yielded;
  for (Value value : body.getTerminator()->getOperands())
    yielded.push_back(mapping.lookupOrDefault(value));
  return yielded;
}

static bool isAlongColumns(FragmentType type) {
  return isa<ColLayoutAttr, ColPartialLayoutAttr>(type.getLayout());
}

namespace {

/// What a lane holds of an input, by place: a vector has the same value all
/// along the other dimension. Of a streamed one, what the body widens is
/// widened here, pair by pair.
class Input {
public:
  Input(Emitter &e, Value lowered, FragmentType type, BlockArgument argument)
      : values(unpack(e, lowered, type)), isMatrix(type.getRank() == 2),
        alongColumns(isAlongColumns(type)) {
    if (isa<StreamLayoutAttr>(type.getLayout()))
      for (Operation *user : argument.getUsers())
        if (isa<arith::ExtFOp>(user) && user->getResult(0).getType().isF32())
          widened.push_back(user->getResult(0));
    if (!widened.empty())
      wide = unpackWide(e, lowered, type);
    for (auto [i, place] : llvm::enumerate(type.getLanePlaces()))
      numbers[{place.row, place.column}] = i;
  }

  /// The element; says in `mapping` what the body makes of it by widening.
  Value at(LanePlace place, IRMapping &mapping) const {
    size_t number =
        numbers.lookup({isMatrix || !alongColumns ? place.row : 0,
                        isMatrix || alongColumns ? place.column : 0});
    for (Value value : widened)
      mapping.map(value, wide[number]);
    return values[number];
  }

private:
  SmallVector<Value> values, widened, wide;
  bool isMatrix, alongColumns;
  llvm::DenseMap<std::pair<int64_t, int64_t>, size_t> numbers;
};

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
    SmallVector<Input> inputs;
    auto elements =
        op.getBody().getArguments().drop_front(op.getNumPositions());
    for (auto [value, input, argument] :
         llvm::zip(adaptor.getInputs(), op.getInputs(), elements))
      inputs.emplace_back(e, value, cast<FragmentType>(input.getType()),
                          argument);

    // The lane's first row and column, to which each element adds a constant.
    LaneBase base = LaneBase::get(e, *kernel, shape);
    bool hasRow = !isAlongColumns(shape);
    bool hasColumn = shape.getRank() == 2 || !hasRow;
    SmallVector<SmallVector<Value>> results(op.getNumResults());
    for (LanePlace place : shape.getLanePlaces()) {
      SmallVector<Value> arguments;
      if (hasRow)
        arguments.push_back(e.toIndex(e.add(base.row, place.row)));
      if (hasColumn)
        arguments.push_back(e.toIndex(e.add(base.column, place.column)));
      IRMapping mapping;
      for (const Input &input : inputs)
        arguments.push_back(input.at(place, mapping));
      for (auto [result, value] :
           llvm::zip(results, cloneBody(e, op.getBody().front(), arguments,
                                        std::move(mapping))))
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
