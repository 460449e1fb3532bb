//===- IOModel.cpp - What an attention moves, and why ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The operations of a function one by one, and what they share: parts of the
// keys are slices of one tensor, which needs to be read once.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/IOModel.h"

#include "AttentionIO.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace flash;

Value flash::traceTensor(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto cast = dyn_cast<tensor::CastOp>(op))
      value = cast.getSource();
    else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
      value = slice.getSource();
    else
      break;
  }
  return value;
}

std::string flash::nameTensor(Value value, ArrayRef<Operation *> ops) {
  value = traceTensor(value);
  if (auto argument = dyn_cast<BlockArgument>(value))
    return isa<func::FuncOp>(argument.getOwner()->getParentOp())
               ? "arg" + std::to_string(argument.getArgNumber())
               : "";
  auto result = cast<OpResult>(value);
  const auto *it = llvm::find(ops, result.getOwner());
  if (it == ops.end())
    return "";
  return "op" + std::to_string(it - ops.begin()) + "." +
         std::to_string(result.getResultNumber());
}

OperandIO OperationIO::total() const {
  OperandIO sum;
  sum.name = "total";
  for (const OperandIO &operand : operands) {
    sum.compulsory += operand.compulsory;
    sum.schedule.hbm += operand.schedule.hbm;
    sum.schedule.onChip += operand.schedule.onChip;
    sum.unfused.hbm += operand.unfused.hbm;
    sum.unfused.onChip += operand.unfused.onChip;
  }
  return sum;
}

namespace {
/// Which rows of a function's tensors are needed at all; of a head, where heads
/// differ.
struct Needed {
  IntervalSet rows;
  /// Of one row, over all batches and heads.
  int64_t bytesPerRow = 0;
};
} // namespace

/// A merge reads each part once and writes the result.
static LogicalResult modelMerge(MergeOp op, const IndexInterpreter &known,
                                bool ofParts, OperationIO &io) {
  io.op = op;
  io.schedule = op.getScheduleAttr();
  auto bytes = [&](Value value) -> std::optional<int64_t> {
    const KnownValue *tensor = known.find(value);
    if (!tensor)
      return std::nullopt;
    int64_t count =
        cast<RankedTensorType>(value.getType()).getElementTypeBitWidth() / 8;
    for (int64_t size : tensor->shape)
      count *= size;
    return count;
  };
  const KnownValue *shape = known.find(op.getOutputs().front());
  if (!shape)
    return op.emitError("the sizes of this merge are not known");
  int64_t heads = op.getLayout() == Layout::BHSD ? 1 : 2;
  io.sizes.batch = shape->shape[0];
  io.sizes.heads = shape->shape[heads];
  io.sizes.queries = shape->shape[3 - heads];
  io.sizes.vDim = shape->shape[3];
  auto add = [&](const std::string &name, Value value,
                 bool isResult) -> LogicalResult {
    std::optional<int64_t> size = bytes(value);
    if (!size)
      return op.emitError("the sizes of this merge are not known");
    OperandIO operand;
    operand.name = name;
    (isResult ? operand.compulsory.written : operand.compulsory.read) = *size;
    operand.schedule.hbm = operand.schedule.onChip = operand.compulsory;
    // Of an attention in parts, only the result exists when unfused.
    if (isResult || !ofParts)
      operand.unfused = operand.schedule;
    io.operands.push_back(operand);
    return success();
  };
  for (auto [part, value] : llvm::enumerate(op.getOutputs()))
    if (failed(add("output " + std::to_string(part), value, false)))
      return failure();
  for (auto [part, value] : llvm::enumerate(op.getLses()))
    if (failed(add("lse " + std::to_string(part), value, false)))
      return failure();
  if (failed(add("output", op.getOutput(), true)))
    return failure();
  return op.getLse() ? add("lse", op.getLse(), true) : success();
}

/// Which part of a merge an attention is: its number, or nothing.
static std::optional<unsigned> findPart(AttentionOp op) {
  for (Operation *user : op.getOutput().getUsers())
    if (auto merge = dyn_cast<MergeOp>(user))
      for (auto [part, output] : llvm::enumerate(merge.getOutputs()))
        if (output == op.getOutput())
          return part;
  return std::nullopt;
}

/// Whether a merge joins attentions of one query: parts of one attention.
static bool joinsParts(MergeOp merge) {
  Value query;
  for (Value output : merge.getOutputs()) {
    auto part = output.getDefiningOp<AttentionOp>();
    if (!part || (query && part.getQuery() != query))
      return false;
    query = part.getQuery();
  }
  return true;
}

/// How far a slice along the length begins from its tensor's beginning.
static std::optional<int64_t> offsetOfSlice(Value value, int64_t lengthDim,
                                            const IndexInterpreter &known) {
  int64_t offset = 0;
  while (Operation *op = value.getDefiningOp()) {
    if (auto cast = dyn_cast<tensor::CastOp>(op)) {
      value = cast.getSource();
      continue;
    }
    auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
    if (!slice)
      break;
    for (auto [dim, start] : llvm::enumerate(slice.getMixedOffsets())) {
      std::optional<int64_t> number = known.number(start);
      if (!number || (int64_t(dim) != lengthDim && *number != 0))
        return std::nullopt;
      offset += *number;
    }
    value = slice.getSource();
  }
  return offset;
}

FailureOr<FunctionIO> flash::analyzeIO(func::FuncOp func,
                                       ArrayRef<KnownValue> arguments,
                                       TargetAttr target) {
  IndexInterpreter known;
  if (failed(known.run(func, arguments)))
    return failure();
  FunctionIO io;
  io.function = func.getName().str();
  io.target = target;
  SmallVector<Operation *> ops;
  func.walk([&](Operation *op) {
    if (isa<AttentionOp, MergeOp>(op))
      ops.push_back(op);
    // A backward is several loops.
    if (auto backward = dyn_cast<AttentionBackwardOp>(op))
      ops.append(countLoops(backward), op);
  });
  BackwardNames names(ops);
  if (ops.empty())
    return func.emitError("there is no attention in this function");

  llvm::MapVector<std::pair<Value, int64_t>, Needed> needed;
  int64_t otherReads = 0; // of slices that are not along the length
  auto bytesOf = [&](Value value) {
    const KnownValue *tensor = known.find(value);
    int64_t bytes =
        cast<RankedTensorType>(value.getType()).getElementTypeBitWidth() / 8;
    for (int64_t size : tensor ? ArrayRef(tensor->shape) : ArrayRef<int64_t>())
      bytes *= size;
    return bytes;
  };
  // What a backward needs of an argument that no attention has read before: the
  // loop that needs most of it.
  auto noteBackward = [&](Value value, ArrayRef<OperationIO> loops) {
    Value root = traceTensor(value);
    if (!isa<BlockArgument>(root) || llvm::any_of(needed, [&](auto &entry) {
          return entry.first.first == root;
        }))
      return;
    int64_t most = 0;
    for (const OperationIO &loop : loops)
      for (const OperandIO &operand : loop.operands)
        if (operand.value == names.of(value))
          most = std::max(most, operand.compulsory.read);
    otherReads += most;
  };
  for (size_t number = 0; number < ops.size(); ++number) {
    Operation *op = ops[number];
    if (auto backward = dyn_cast<AttentionBackwardOp>(op)) {
      if (failed(modelBackward(backward, target, known, names, io.operations)))
        return failure();
      for (Value input : backward.getOperands().take_front(3))
        noteBackward(input, ArrayRef(io.operations).drop_front(number));
      number = io.operations.size() - 1;
      for (Value input :
           {Value(backward.getOutput()), Value(backward.getLse()),
            Value(backward.getDOutput()), Value(backward.getDLse())})
        if (input && isa<BlockArgument>(traceTensor(input)))
          otherReads += bytesOf(input);
      continue;
    }
    io.operations.emplace_back();
    OperationIO &operation = io.operations.back();
    SmallVector<Value> values;
    if (auto attention = dyn_cast<AttentionOp>(op)) {
      std::optional<unsigned> part = findPart(attention);
      Needs needs;
      if (failed(
              modelAttention(attention, target, known, part, operation, needs)))
        return failure();
      for (const OperandIO &operand : operation.operands)
        values.push_back(llvm::StringSwitch<Value>(operand.name)
                             .Case("query", attention.getQuery())
                             .Case("key", attention.getKey())
                             .Case("value", attention.getValue())
                             .Case("output", attention.getOutput())
                             .Case("lse", attention.getLse())
                             .Default(Value()));
      for (const OperandIO &operand : operation.operands)
        if (operand.name == "bias")
          otherReads += operand.compulsory.read;
      for (int i = 0; i < 3; ++i) { // Q, K and V come first
        Value root = traceTensor(values[i]);
        int64_t read = operation.operands[i].compulsory.read;
        if (!isa<BlockArgument>(root) || read == 0)
          continue;
        std::optional<int64_t> offset =
            offsetOfSlice(values[i], attention.getLengthDim(), known);
        const NeededRows &rows = i == 0 ? needs.queries : needs.keys;
        auto add = [&](int64_t head, const IntervalSet &set, int64_t start,
                       int64_t bytesPerRow) {
          Needed &entry = needed[{root, head}];
          entry.bytesPerRow = std::max(entry.bytesPerRow, bytesPerRow);
          entry.rows.insert(set, start);
        };
        constexpr int64_t kAllHeads = -1;
        if (offset && rows.alike)
          add(kAllHeads, *rows.alike, *offset, read / rows.alike->size());
        else if (root == values[i])
          for (auto &[head, set] : rows.byHead)
            add(head, set, 0, read / rows.count * rows.copies);
        else
          otherReads += read;
      }
    } else {
      auto merge = cast<MergeOp>(op);
      if (failed(modelMerge(merge, known, joinsParts(merge), operation)))
        return failure();
      llvm::append_range(values, merge.getOutputs());
      llvm::append_range(values, merge.getLses());
      for (auto [value, operand] : llvm::zip(values, operation.operands))
        if (isa<BlockArgument>(traceTensor(value)))
          otherReads += operand.compulsory.read;
      values.push_back(merge.getOutput());
      values.push_back(merge.getLse());
    }
    for (auto [value, operand] : llvm::zip(values, operation.operands))
      if (value)
        operand.value = names.of(value);
  }

  for (const OperationIO &operation : io.operations) {
    OperandIO sum = operation.total();
    io.total.schedule.hbm += sum.schedule.hbm;
    io.total.schedule.onChip += sum.schedule.onChip;
    io.total.unfused.hbm += sum.unfused.hbm;
    io.total.unfused.onChip += sum.unfused.onChip;
  }
  io.total.name = "total";
  io.total.compulsory.read = otherReads;
  for (auto &[place, entry] : needed)
    io.total.compulsory.read += entry.rows.size() * entry.bytesPerRow;
  llvm::SmallDenseSet<Value> returned;
  for (Value value : func.getBody().front().getTerminator()->getOperands()) {
    std::string name = names.of(value);
    if (name.empty() || !returned.insert(traceTensor(value)).second)
      continue;
    for (const OperationIO &operation : io.operations)
      for (const OperandIO &operand : operation.operands)
        if (operand.value == name)
          io.total.compulsory.written += operand.compulsory.written;
  }
  return io;
}
