//===- TileLayouts.cpp - Which lanes hold a tile --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See TileLayouts.h.
//
//===----------------------------------------------------------------------===//

#include "TileLayouts.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;

tile::LayoutAttrInterface VectorPlace::getLayout(MLIRContext *context,
                                                 int64_t warps) const {
  if (alongColumns)
    return tile::ColLayoutAttr::get(context, warps, columnGroups);
  return tile::RowLayoutAttr::get(context, warps, columnGroups);
}

static bool isVector(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 1;
}

bool flash::hasAnyPlace(Value vector) {
  return isa_and_nonnull<tensor::EmptyOp, linalg::FillOp,
                         tensor::ExtractSliceOp, tensor::PadOp>(
      vector.getDefiningOp());
}

int64_t TileLayouts::getColumnGroups(int64_t rows) const {
  int64_t groups = 1;
  while (groups < warps && rows % (16 * warps / groups) &&
         warps % (2 * groups) == 0 &&
         warps / (2 * groups) % warpsPerInstruction == 0)
    groups *= 2;
  return rows % (16 * warps / groups) ? 1 : groups;
}

tile::LayoutAttrInterface TileLayouts::getMatrixLayout(MLIRContext *context,
                                                       int64_t rows) const {
  int64_t groups = getColumnGroups(rows);
  if (isStreamed())
    return tile::StreamLayoutAttr::get(context, warps, run, groups);
  return tile::AccLayoutAttr::get(context, warps, groups);
}

VectorPlace TileLayouts::getPlace(Value vector) const {
  auto leader = classes.findLeader(vector.getAsOpaquePointer());
  if (leader != classes.member_end())
    if (auto it = places.find(*leader); it != places.end())
      return it->second;
  auto type = cast<RankedTensorType>(vector.getType());
  return {false, getColumnGroups(type.getDimSize(0))};
}

std::optional<VectorPlace> TileLayouts::getPlace(linalg::LinalgOp op,
                                                 AffineMap map) const {
  if (op.getNumLoops() != 2 || map.getNumResults() != 1)
    return std::nullopt;
  auto dim = dyn_cast<AffineDimExpr>(map.getResult(0));
  SmallVector<int64_t> shape = op.getStaticLoopRanges();
  if (!dim)
    return std::nullopt;
  return VectorPlace{dim.getPosition() == 1, getColumnGroups(shape[0])};
}

void TileLayouts::join(Value a, Value b) {
  if (!isVector(a) || !isVector(b) || hasAnyPlace(a) || hasAnyPlace(b))
    return;
  classes.unionSets(a.getAsOpaquePointer(), b.getAsOpaquePointer());
}

/// Vectors of one element-wise step, loop or branch lie alike.
void TileLayouts::joinAll(Operation *op) {
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    for (auto [init, argument, yielded, result] :
         llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(),
                   loop.getYieldedValues(), loop.getResults())) {
      join(argument, init);
      join(argument, yielded);
      join(argument, result);
    }
    return;
  }
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    for (auto [i, result] : llvm::enumerate(branch.getResults()))
      for (Block *block : {branch.thenBlock(), branch.elseBlock()})
        join(result, block->getTerminator()->getOperand(i));
    return;
  }
  auto step = dyn_cast<linalg::LinalgOp>(op);
  if (!step || step.getNumLoops() != 1 || step->getNumResults() == 0)
    return;
  for (Value operand : step->getOperands())
    join(step->getResult(0), operand);
  for (Value result : step->getResults())
    join(step->getResult(0), result);
}

LogicalResult TileLayouts::require(Operation *user, Value vector,
                                   VectorPlace place) {
  if (!isVector(vector) || hasAnyPlace(vector))
    return success();
  void *leader = classes.getOrInsertLeaderValue(vector.getAsOpaquePointer());
  auto [it, fresh] = places.try_emplace(leader, place);
  if (fresh || it->second == place)
    return success();
  return user->emitOpError("takes a vector along ")
         << (place.alongColumns ? "columns" : "rows")
         << " that lies along other rows or columns elsewhere, which a GPU "
            "kernel does not move";
}

LogicalResult TileLayouts::requireOf(linalg::LinalgOp op) {
  if (op.getNumLoops() != 2)
    return success();
  for (OpOperand &operand : op->getOpOperands()) {
    auto place = getPlace(op, op.getMatchingIndexingMap(&operand));
    if (!place || !isVector(operand.get()))
      continue;
    if (failed(require(op, operand.get(), *place)))
      return failure();
    if (op.isDpsInit(&operand) &&
        failed(require(op, op.getTiedOpResult(&operand), *place)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

/// Whether a step only looks at elements and rows; adds its matrices.
bool TileLayouts::isStreamedBy(
    linalg::LinalgOp op, SmallVectorImpl<ArrayRef<int64_t>> &shapes) const {
  if (linalg::isaContractionOpInterface(op))
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (!type)
      continue;
    auto place = getPlace(op, op.getMatchingIndexingMap(&operand));
    if (place && place->alongColumns)
      return false;
    if (type.getRank() != 2)
      continue;
    if (!type.hasStaticShape() || isa<linalg::TransposeOp>(op) ||
        !tile::FetchOp::takesElement(type.getElementType()))
      return false;
    shapes.push_back(type.getShape());
  }
  return true;
}

/// Columns of a run: 16 bytes of the widest elements that are read from memory
/// or written there, or less where that does not divide the columns; 0 where
/// lanes had better hold accumulators.
int64_t TileLayouts::findRun(Block &body) const {
  SmallVector<ArrayRef<int64_t>> shapes;
  int64_t widest = 0;
  auto isMatrix = [&](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && tensor.getRank() >= 2)
      widest = std::max<int64_t>(widest, tensor.getElementTypeBitWidth());
  };
  WalkResult walk = body.walk([&](Operation *op) {
    if (isa<OnlineSoftmaxOp, HideUnseenOp, ReadPagesOp>(op))
      return WalkResult::interrupt();
    if (isa<tensor::ExtractSliceOp, tensor::PadOp>(op))
      isMatrix(op->getResult(0).getType());
    if (isa<tensor::ParallelInsertSliceOp, ParallelAddSliceOp, AddSliceOp>(op))
      isMatrix(op->getOperand(0).getType());
    auto step = dyn_cast<linalg::LinalgOp>(op);
    return !step || isStreamedBy(step, shapes) ? WalkResult::advance()
                                               : WalkResult::interrupt();
  });
  if (walk.wasInterrupted() || widest == 0 || shapes.empty())
    return 0;
  for (int64_t run = 128 / widest; run > 2; run /= 2)
    if (llvm::all_of(shapes, [&](ArrayRef<int64_t> shape) {
          return shape[1] % (4 * run * getColumnGroups(shape[0])) == 0;
        }))
      return run;
  return 0;
}

LogicalResult TileLayouts::analyze(Block &body) {
  run = findRun(body);
  body.walk([&](Operation *op) { joinAll(op); });
  WalkResult walk = body.walk([&](Operation *op) {
    LogicalResult required = success();
    if (auto step = dyn_cast<linalg::LinalgOp>(op)) {
      required = requireOf(step);
    } else if (auto softmax = dyn_cast<OnlineSoftmaxOp>(op)) {
      auto scores = cast<RankedTensorType>(softmax.getScores().getType());
      VectorPlace place{softmax.getDim() == 0,
                        getColumnGroups(scores.getDimSize(0))};
      for (Value vector :
           llvm::concat<Value>(softmax->getOperands(), softmax->getResults()))
        if (succeeded(required))
          required = require(op, vector, place);
    }
    return failed(required) ? WalkResult::interrupt() : WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}
