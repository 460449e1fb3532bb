//===- TileFragmentOps.cpp - Operations on fragments ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builders and verifiers of map, reduce, all_reduce, any and convert.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace flash::tile;

//===----------------------------------------------------------------------===//
// Map
//===----------------------------------------------------------------------===//

void MapOp::build(
    OpBuilder &builder, OperationState &state, TypeRange results,
    ValueRange inputs,
    llvm::function_ref<void(OpBuilder &, Location, ValueRange)> bodyBuilder) {
  state.addTypes(results);
  state.addOperands(inputs);
  Region *region = state.addRegion();
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(cast<FragmentType>(results[0]).getRank(),
                          builder.getIndexType());
  for (Value input : inputs)
    types.push_back(cast<FragmentType>(input.getType()).getElementType());
  SmallVector<Location> locations(types.size(), state.location);
  Block *block = builder.createBlock(region, {}, types, locations);
  if (bodyBuilder)
    bodyBuilder(builder, state.location, block->getArguments());
}

void MapOp::build(OpBuilder &builder, OperationState &state, TypeRange results,
                  ValueRange operands, ArrayRef<NamedAttribute> attributes) {
  state.addTypes(results);
  state.addOperands(operands);
  state.addAttributes(attributes);
  state.addRegion();
}

static LogicalResult verifyMapOfRows(MapOp op) {
  bool partial = false;
  for (Type type : op.getInputs().getTypes()) {
    auto input = cast<FragmentType>(type);
    if (input.getRank() != 1)
      return op.emitOpError()
             << "gives row vectors, but has the input " << input;
    partial |= isa<RowPartialLayoutAttr>(input.getLayout());
  }
  for (Type type : op.getResultTypes())
    if (partial &&
        !isa<RowPartialLayoutAttr>(cast<FragmentType>(type).getLayout()))
      return op.emitOpError()
             << "has a row_partial input, so that its results are row_partial, "
                "not "
             << type;
  return success();
}

static LogicalResult verifyMapOfAccumulators(MapOp op) {
  for (Type type : op->getResultTypes())
    if (!isa<AccLayoutAttr>(cast<FragmentType>(type).getLayout()))
      return op.emitOpError()
             << "of rank two gives acc fragments, not " << type;
  for (Type type : op.getInputs().getTypes()) {
    auto input = cast<FragmentType>(type);
    if (!isa<AccLayoutAttr, RowLayoutAttr>(input.getLayout()))
      return op.emitOpError()
             << "of rank two takes acc and row fragments, not " << input;
    if (input.getRank() == 2 && input.getColumns() != op.getIterationShape()[1])
      return op.emitOpError()
             << "has an input of " << input.getColumns()
             << " columns and a result of " << op.getIterationShape()[1];
  }
  return success();
}

LogicalResult MapOp::verify() {
  if (getNumResults() == 0)
    return emitOpError() << "needs a result";
  auto first = cast<FragmentType>(getResult(0).getType());
  for (Type type : getResultTypes())
    if (cast<FragmentType>(type).getShape() != first.getShape())
      return emitOpError() << "has results of different shapes: " << first
                           << " and " << type;
  for (Type type :
       llvm::concat<const Type>(SmallVector<Type>(getInputs().getTypes()),
                                SmallVector<Type>(getResultTypes()))) {
    auto fragment = cast<FragmentType>(type);
    if (fragment.getRows() != first.getRows() ||
        fragment.getWarps() != first.getWarps())
      return emitOpError() << "mixes " << fragment.getRows() << " rows on "
                           << fragment.getWarps() << " warps with "
                           << first.getRows() << " rows on "
                           << first.getWarps();
  }
  return first.getRank() == 1 ? verifyMapOfRows(*this)
                              : verifyMapOfAccumulators(*this);
}

LogicalResult MapOp::verifyRegions() {
  Block &block = getBody().front();
  unsigned positions = getNumPositions();
  if (block.getNumArguments() != positions + getInputs().size())
    return emitOpError() << "has a body of " << block.getNumArguments()
                         << " arguments for " << positions << " positions and "
                         << getInputs().size() << " inputs";
  for (auto [index, argument] : llvm::enumerate(block.getArguments())) {
    Type expected =
        index < positions
            ? IndexType::get(getContext())
            : cast<FragmentType>(getInputs()[index - positions].getType())
                  .getElementType();
    if (argument.getType() != expected)
      return emitOpError() << "has a body whose argument " << index << " is "
                           << argument.getType() << ", not " << expected;
  }
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getNumOperands() != getNumResults())
    return emitOpError() << "has a body that does not yield " << getNumResults()
                         << " values";
  for (auto [value, type] : llvm::zip(yield.getOperands(), getResultTypes()))
    if (value.getType() != cast<FragmentType>(type).getElementType())
      return emitOpError() << "has a body that yields " << value.getType()
                           << " for " << type;
  return success();
}

/// A map of splats is a splat, where it is the same at all positions.
static LogicalResult mapSplats(MapOp op, PatternRewriter &rewriter) {
  Block &body = op.getBody().front();
  IRMapping mapping;
  for (auto [input, argument] :
       llvm::zip(op.getInputs(),
                 body.getArguments().drop_front(op.getNumPositions()))) {
    auto splat = input.getDefiningOp<SplatOp>();
    if (!splat)
      return rewriter.notifyMatchFailure(op, "an input is not a splat");
    mapping.map(argument, splat.getValue());
  }
  if (llvm::any_of(body.getArguments().take_front(op.getNumPositions()),
                   [](Value position) { return !position.use_empty(); }))
    return rewriter.notifyMatchFailure(op, "looks at positions");
  if (!llvm::all_of(body.without_terminator(),
                    [](Operation &inner) { return isPure(&inner); }))
    return rewriter.notifyMatchFailure(op, "has side effects");
  for (Operation &inner : body.without_terminator())
    rewriter.clone(inner, mapping);
  SmallVector<Value> splats;
  for (auto [result, value] : llvm::zip(
           op.getResults(), cast<YieldOp>(body.getTerminator()).getValues()))
    splats.push_back(SplatOp::create(rewriter, op.getLoc(), result.getType(),
                                     mapping.lookupOrDefault(value)));
  rewriter.replaceOp(op, splats);
  return success();
}

void MapOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *context) {
  patterns.add(mapSplats);
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// A reduction keeps the rows, their warps and the element type.
static LogicalResult verifyKeepsRows(Operation *op, FragmentType source,
                                     FragmentType result) {
  if (source.getRows() != result.getRows() ||
      source.getWarps() != result.getWarps() ||
      source.getElementType() != result.getElementType())
    return op->emitOpError() << "reduces " << source << " to " << result;
  if (!source.getElementType().isF32())
    return op->emitOpError()
           << "reduces elements of f32, not " << source.getElementType();
  return success();
}

LogicalResult ReduceOp::verify() {
  FragmentType source = getSource().getType(), result = getResult().getType();
  if (!isa<AccLayoutAttr, LhsLayoutAttr>(source.getLayout()) ||
      !isa<RowLayoutAttr, RowPartialLayoutAttr>(result.getLayout()))
    return emitOpError() << "reduces acc or lhs to row or row_partial, not "
                         << source.getLayout() << " to " << result.getLayout();
  // What is rounded is added up in f32.
  auto wide = FragmentType::get(source.getShape(), result.getElementType(),
                                source.getLayout());
  bool rounded =
      source.getElementType().isBF16() || source.getElementType().isF16();
  return verifyKeepsRows(*this, rounded ? wide : source, result);
}

LogicalResult AllReduceOp::verify() {
  FragmentType source = getSource().getType(), result = getResult().getType();
  if (!isa<RowPartialLayoutAttr>(source.getLayout()) ||
      !isa<RowLayoutAttr>(result.getLayout()))
    return emitOpError() << "reduces row_partial to row, not "
                         << source.getLayout() << " to " << result.getLayout();
  return verifyKeepsRows(*this, source, result);
}

LogicalResult AnyOp::verify() {
  FragmentType source = getSource().getType();
  if (source.getRank() != 1 || !source.getElementType().isInteger(1))
    return emitOpError() << "takes a row vector of i1, not " << source;
  return success();
}

LogicalResult ConvertOp::verify() {
  FragmentType source = getSource().getType(), result = getResult().getType();
  if (!isa<AccLayoutAttr>(source.getLayout()) ||
      !isa<AccLayoutAttr, LhsLayoutAttr>(result.getLayout()))
    return emitOpError() << "converts acc to acc or lhs, not "
                         << source.getLayout() << " to " << result.getLayout();
  if (source.getShape() != result.getShape() ||
      source.getWarps() != result.getWarps())
    return emitOpError() << "keeps the shape and warps, but converts " << source
                         << " to " << result;
  Type element = result.getElementType();
  if (!source.getElementType().isF32() ||
      (!element.isF16() && !element.isBF16()))
    return emitOpError() << "rounds f32 to f16 or bf16, not "
                         << source.getElementType() << " to " << element;
  return success();
}

LogicalResult OnlineSoftmaxOp::verify() {
  FragmentType scores = getScores().getType();
  if (!isa<AccLayoutAttr>(scores.getLayout()) ||
      !scores.getElementType().isF32())
    return emitOpError() << "takes scores in an acc fragment of f32, not in "
                         << scores;
  FragmentType row = getMax().getType(), sum = getSum().getType();
  if (!isa<RowLayoutAttr>(row.getLayout()) || !row.getElementType().isF32())
    return emitOpError() << "keeps its maximum in a row fragment of f32, not "
                         << row;
  if (!isa<RowLayoutAttr, RowPartialLayoutAttr>(sum.getLayout()) ||
      !sum.getElementType().isF32())
    return emitOpError() << "keeps its sum in a row or row_partial fragment of "
                            "f32, not "
                         << sum;
  if (failed(verifyKeepsRows(*this, scores, row)))
    return failure();
  return verifyKeepsRows(*this, scores, sum);
}
