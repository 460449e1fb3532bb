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

/// Whether a vector has a value for each column, and not for each row.
static bool isAlongColumns(FragmentType type) {
  return isa<ColLayoutAttr, ColPartialLayoutAttr>(type.getLayout());
}

static bool isPartial(FragmentType type) {
  return isa<RowPartialLayoutAttr, ColPartialLayoutAttr>(type.getLayout());
}

static LogicalResult verifyMapOfVectors(MapOp op) {
  auto first = cast<FragmentType>(op.getResult(0).getType());
  StringRef what = isAlongColumns(first) ? "column" : "row";
  bool partial = false;
  for (Type type : op.getInputs().getTypes()) {
    auto input = cast<FragmentType>(type);
    if (input.getRank() != 1 ||
        isAlongColumns(input) != isAlongColumns(first) ||
        input.getShape() != first.getShape())
      return op.emitOpError()
             << "gives " << what << " vectors of " << first.getShape()[0]
             << ", but has the input " << input;
    partial |= isPartial(input);
  }
  for (Type type : op.getResultTypes()) {
    auto result = cast<FragmentType>(type);
    if (isAlongColumns(result) != isAlongColumns(first))
      return op.emitOpError() << "mixes vectors along rows and along columns";
    if (partial && !isPartial(result))
      return op.emitOpError()
             << "has a " << what << "_partial input, so that its results are "
             << what << "_partial, not " << type;
  }
  return success();
}

/// Of stream fragments, which only lie like one another.
static LogicalResult verifyMapOfStreams(MapOp op) {
  auto first = cast<FragmentType>(op.getResult(0).getType());
  for (Type type :
       llvm::concat<const Type>(SmallVector<Type>(op.getInputs().getTypes()),
                                SmallVector<Type>(op.getResultTypes()))) {
    auto fragment = cast<FragmentType>(type);
    bool isRow = isa<RowLayoutAttr>(fragment.getLayout());
    if (fragment.getLayout() != first.getLayout() && !isRow)
      return op.emitOpError()
             << "of stream fragments takes and gives those of "
             << first.getLayout() << " and takes row vectors, not " << fragment;
    if (fragment.getRows() != first.getRows() ||
        (!isRow && fragment.getShape() != first.getShape()))
      return op.emitOpError()
             << "has an input " << fragment << " and a result " << first;
  }
  return success();
}

static LogicalResult verifyMapOfAccumulators(MapOp op) {
  ArrayRef<int64_t> shape = op.getIterationShape();
  for (Type type : op->getResultTypes())
    if (!isa<AccLayoutAttr>(cast<FragmentType>(type).getLayout()))
      return op.emitOpError()
             << "of rank two gives acc or stream fragments, not " << type;
  for (Type type : op.getInputs().getTypes()) {
    auto input = cast<FragmentType>(type);
    if (!isa<AccLayoutAttr, LhsLayoutAttr, RowLayoutAttr, ColLayoutAttr>(
            input.getLayout()))
      return op.emitOpError()
             << "of rank two takes acc, lhs, row and col fragments, not "
             << input;
    if (!isAlongColumns(input) && input.getRows() != shape[0])
      return op.emitOpError() << "has an input of " << input.getRows()
                              << " rows and a result of " << shape[0];
    int64_t columns =
        isAlongColumns(input) ? input.getShape()[0] : input.getColumns();
    if ((input.getRank() == 2 || isAlongColumns(input)) && columns != shape[1])
      return op.emitOpError() << "has an input of " << columns
                              << " columns and a result of " << shape[1];
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
    if (fragment.getWarps() != first.getWarps() ||
        fragment.getColumnGroups() != first.getColumnGroups())
      return emitOpError() << "mixes the layouts " << fragment.getLayout()
                           << " and " << first.getLayout()
                           << ", whose warps hold other rows or columns";
  }
  if (first.getRank() == 1)
    return verifyMapOfVectors(*this);
  return isa<StreamLayoutAttr>(first.getLayout())
             ? verifyMapOfStreams(*this)
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

/// A result that is an input as it was is that input.
static LogicalResult forwardInputs(MapOp op, PatternRewriter &rewriter) {
  Block &body = op.getBody().front();
  bool found = false;
  for (auto [result, value] : llvm::zip(
           op.getResults(), cast<YieldOp>(body.getTerminator()).getValues())) {
    auto argument = dyn_cast<BlockArgument>(value);
    if (result.use_empty() || !argument || argument.getOwner() != &body ||
        argument.getArgNumber() < op.getNumPositions())
      continue;
    Value input =
        op.getInputs()[argument.getArgNumber() - op.getNumPositions()];
    if (input.getType() != result.getType())
      continue;
    rewriter.replaceAllUsesWith(result, input);
    found = true;
  }
  return success(found);
}

void MapOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *context) {
  patterns.add(mapSplats);
  patterns.add(forwardInputs);
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// A reduction keeps the warps and the element type, and as many values as the
/// source has rows or columns.
static LogicalResult verifyKeeps(Operation *op, FragmentType source,
                                 FragmentType result) {
  int64_t kept = source.getShape()[0];
  if (source.getRank() == 2 && isAlongColumns(result))
    kept = source.getColumns();
  if (result.getShape()[0] != kept || source.getWarps() != result.getWarps() ||
      source.getColumnGroups() != result.getColumnGroups() ||
      source.getElementType() != result.getElementType())
    return op->emitOpError() << "reduces " << source << " to " << result;
  if (!source.getElementType().isF32())
    return op->emitOpError()
           << "reduces elements of f32, not " << source.getElementType();
  return success();
}

LogicalResult ReduceOp::verify() {
  FragmentType source = getSource().getType(), result = getResult().getType();
  bool streams = isa<StreamLayoutAttr>(source.getLayout());
  if (!(streams || isa<AccLayoutAttr, LhsLayoutAttr>(source.getLayout())) ||
      !(isa<RowLayoutAttr, RowPartialLayoutAttr>(result.getLayout()) ||
        (!streams && isa<ColPartialLayoutAttr>(result.getLayout()))))
    return emitOpError() << "reduces acc or lhs to row, row_partial or "
                            "col_partial, or stream "
                            "to row or row_partial, not "
                         << source.getLayout() << " to " << result.getLayout();
  if (isa<RowLayoutAttr>(result.getLayout()) && result.getColumnGroups() > 1)
    return emitOpError() << "gives a row_partial fragment where groups of "
                            "warps share a row, not "
                         << result;
  // What is rounded is added up in f32.
  auto wide = FragmentType::get(source.getShape(), result.getElementType(),
                                source.getLayout());
  bool rounded =
      source.getElementType().isBF16() || source.getElementType().isF16();
  return verifyKeeps(*this, rounded ? wide : source, result);
}

void AllReduceOp::build(OpBuilder &builder, OperationState &state, Type result,
                        ReduceKind kind, Value source) {
  build(builder, state, result, kind, source, /*shared_offset=*/IntegerAttr());
}

LogicalResult AllReduceOp::verify() {
  FragmentType source = getSource().getType(), result = getResult().getType();
  bool ofRows = isa<RowPartialLayoutAttr>(source.getLayout()) &&
                isa<RowLayoutAttr>(result.getLayout());
  bool ofColumns = isa<ColPartialLayoutAttr>(source.getLayout()) &&
                   isa<ColLayoutAttr>(result.getLayout());
  if (!ofRows && !ofColumns)
    return emitOpError()
           << "reduces row_partial to row or col_partial to col, not "
           << source.getLayout() << " to " << result.getLayout();
  return verifyKeeps(*this, source, result);
}

int64_t AllReduceOp::getSharingWarps() {
  FragmentType type = getResult().getType();
  return isAlongColumns(type) ? type.getRowWarps() : type.getColumnGroups();
}

int64_t AllReduceOp::getSharedBytes() {
  int64_t warps = getSharingWarps();
  FragmentType type = getResult().getType();
  return warps == 1 ? 0
                    : warps * type.getShape()[0] *
                          (type.getElementType().getIntOrFloatBitWidth() / 8);
}

void AllReduceOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  if (getSharingWarps() == 1)
    return;
  effects.emplace_back(MemoryEffects::Read::get());
  effects.emplace_back(MemoryEffects::Write::get());
}

Speculation::Speculatability AllReduceOp::getSpeculatability() {
  return getSharingWarps() == 1 ? Speculation::Speculatable
                                : Speculation::NotSpeculatable;
}

Value flash::tile::createReduction(OpBuilder &builder, Location loc,
                                   FragmentType result, ReduceKind kind,
                                   Value source) {
  int64_t warps = result.getWarps(), groups = result.getColumnGroups();
  LayoutAttrInterface partial;
  if (isAlongColumns(result))
    partial = ColPartialLayoutAttr::get(builder.getContext(), warps, groups);
  else if (groups > 1)
    partial = RowPartialLayoutAttr::get(builder.getContext(), warps, groups);
  else
    return ReduceOp::create(builder, loc, result, kind, source);
  auto type =
      FragmentType::get(result.getShape(), result.getElementType(), partial);
  Value parts = ReduceOp::create(builder, loc, type, kind, source);
  return AllReduceOp::create(builder, loc, result, kind, parts);
}

LogicalResult AnyOp::verify() {
  FragmentType source = getSource().getType();
  if (source.getRank() != 1 || !source.getElementType().isInteger(1))
    return emitOpError() << "takes a row vector of i1, not " << source;
  return success();
}

LogicalResult ConvertOp::verify() {
  FragmentType source = getSource().getType(), result = getResult().getType();
  bool alike = isa<StreamLayoutAttr>(source.getLayout()) &&
               source.getLayout() == result.getLayout();
  if (!alike && (!isa<AccLayoutAttr>(source.getLayout()) ||
                 !isa<AccLayoutAttr, LhsLayoutAttr>(result.getLayout())))
    return emitOpError() << "converts acc to acc or lhs, or stream to the same "
                            "stream, not "
                         << source.getLayout() << " to " << result.getLayout();
  if (source.getShape() != result.getShape() ||
      source.getWarps() != result.getWarps() ||
      source.getColumnGroups() != result.getColumnGroups())
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
  if (failed(verifyKeeps(*this, scores, row)))
    return failure();
  return verifyKeeps(*this, scores, sum);
}
