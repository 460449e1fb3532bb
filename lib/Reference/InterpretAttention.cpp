//===- InterpretAttention.cpp - flash.attention and flash.merge -*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads what the ops say and hands it to the reference's arithmetic.
//
//===----------------------------------------------------------------------===//

#include "InterpreterImpl.h"
#include "MaskMeaning.h"
#include "ScoreMeaning.h"
#include "flash/Reference/AttentionBackward.h"

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::DType;
using rt::Result;
using rt::Status;

/// Sizes of a call, whose keys in pages are as many as the table has room for.
Result<Sizes> Interpreter::sizesOf(AttentionOpInterface op) {
  const Tensor &query = tensor(op.getQuery()), &key = tensor(op.getKey()),
               &value = tensor(op.getValue());
  bool bshd = op.getLayout() == Layout::BSHD;
  std::vector<int64_t> keyShape = key.shape, valueShape = value.shape;
  int64_t length = op.getLengthDim();
  if (op.isPaged()) {
    const std::vector<int64_t> &table = tensor(op.getPageTable()).shape;
    if (keyShape[0] != valueShape[0])
      return Status::error("number of pages differs: key has " +
                           std::to_string(keyShape[0]) + ", value has " +
                           std::to_string(valueShape[0]));
    keyShape[0] = valueShape[0] = query.shape[0];
    keyShape[length] *= table[1];
    valueShape[length] *= table[1];
  }
  Result<Sizes> sizes = Sizes::get(query.shape, keyShape, valueShape, bshd);
  if (sizes.failed())
    return sizes;
  int64_t count = query.shape[0];
  if (op.isRagged()) {
    count = tensor(op.getCuSeqlensQ()).shape[0] - 1;
    if (query.shape[0] != 1 || count < 0)
      return Status::error(
          "ragged sequences need a batch of 1 and cu_seqlens_q "
          "of at least 1 entry, not " +
          std::to_string(query.shape[0]) + " and " + std::to_string(count + 1));
  }
  auto check = [&](const char *name, Value operand, int64_t needed) {
    if (!operand || tensor(operand).shape[0] == needed)
      return Status::success();
    return Status::error(std::string(name) + " has " +
                         std::to_string(tensor(operand).shape[0]) +
                         " entries, but must have " + std::to_string(needed));
  };
  for (Status status :
       {check("cu_seqlens_k", op.getCuSeqlensK(), count + 1),
        check("kv_lengths", op.getKvLengths(), count),
        check("page_table", op.getPageTable(), count),
        check("sinks", op.getSinks(), sizes->heads),
        check("key_scale", op.getKeyScale(), sizes->kvHeads),
        check("value_scale", op.getValueScale(), sizes->kvHeads)})
    if (status.failed())
      return status;
  return sizes;
}

/// Whether the run-time data of masks and score functions have the sizes of
/// the call: what verifiers ask of types, asked of shapes.
Status Interpreter::checkOperandShapes(AttentionOpInterface op,
                                       const Sizes &sizes) {
  AttentionDims dims{sizes.batch, sizes.heads, sizes.kvHeads, sizes.sq,
                     sizes.sk};
  if (op.isRagged()) {
    dims.batch = tensor(op.getCuSeqlensQ()).shape[0] - 1;
    dims.ownQueries = ShapedType::kDynamic;
  }
  dims.rowBatch = sizes.batch;
  SmallVector<Type> types;
  auto note = [&](ValueRange operands) {
    types.clear();
    for (Value operand : operands) {
      auto type = dyn_cast<RankedTensorType>(operand.getType());
      types.push_back(type ? type.clone(tensor(operand).shape)
                           : operand.getType());
    }
  };
  std::string message;
  ScopedDiagnosticHandler handler(op.getContext(), [&](Diagnostic &diagnostic) {
    message = diagnostic.str();
    return success();
  });
  auto emitError = [&] { return mlir::emitError(op.getLoc()); };
  note(op.getMaskOperands());
  if (MaskAttrInterface mask = op.getEffectiveMask();
      mask && failed(verifyOperands(emitError, mask.getMaskOperandKinds(), dims,
                                    types)))
    return Status::error(message);
  note(op.getScoreOperands());
  SmallVector<OperandKind> kinds;
  for (ScoreAttrInterface score : op.getEffectiveScores())
    kinds.append(score.getScoreOperandKinds());
  return succeeded(verifyOperands(emitError, kinds, dims, types))
             ? Status::success()
             : Status::error(message);
}

static std::vector<int64_t> integers(const Array &array) {
  std::vector<int64_t> values(array.dataAs<int32_t>(),
                              array.dataAs<int32_t>() + array.numElements());
  return values;
}

Sequences Interpreter::sequencesOf(AttentionOpInterface op) {
  Sequences sequences;
  auto read = [&](Value operand, std::vector<int64_t> &to) {
    if (operand)
      to = integers(*tensor(operand).array);
  };
  read(op.getCuSeqlensQ(), sequences.queryStarts);
  read(op.getCuSeqlensK(), sequences.keyStarts);
  read(op.getKvLengths(), sequences.keyLengths);
  read(op.getPageTable(), sequences.pages);
  if (op.isPaged())
    sequences.pagesEach = tensor(op.getPageTable()).shape[1];
  if (SliceAttr slice = op.getKeySliceAttr())
    sequences.slice = {slice.getPart(), slice.getOf(), slice.getUnit()};
  return sequences;
}

/// Sets the mask and the score functions of an attention; `bodies` are kept for
/// what goes wrong in them.
Status Interpreter::setFunctions(
    AttentionOpInterface op, Options &options, bool withSlopes,
    std::vector<std::shared_ptr<const ScalarBody>> &bodies) {
  auto tensors = [&](ValueRange operands) {
    std::vector<Tensor> result;
    for (Value operand : operands)
      result.push_back(tensor(operand));
    return result;
  };
  std::vector<RuntimeValue> captures;
  for (Value capture : op.getCaptures())
    captures.push_back(values[capture]);
  for (Region *region : {&op.getMaskBody(), &op.getScoreBody()}) {
    bodies.emplace_back();
    if (region->empty())
      continue;
    Result<std::shared_ptr<const ScalarBody>> made =
        ScalarBody::get(*region, captures,
                        arithmetic.value_or(Arithmetic::Float64), withSlopes);
    if (made.failed()) {
      guessed = true;
      return made.status();
    }
    bodies.back() = *made;
  }
  int64_t keys = tensor(op.getKey()).shape[op.getLengthDim()];
  if (op.isPaged())
    keys *= tensor(op.getPageTable()).shape[1];
  Status status = setMask(options, op.getEffectiveMask(),
                          tensors(op.getMaskOperands()), bodies[0], keys);
  if (status.failed())
    return status;
  if (withSlopes)
    status = setScoreWithSlope(options, op.getEffectiveScores(),
                               tensors(op.getScoreOperands()), bodies[1],
                               arithmetic.value_or(Arithmetic::Float64));
  if (status.failed())
    return status;
  if (auto backward = dyn_cast<AttentionBackwardOp>(op.getOperation());
      backward && arithmetic && !backward.getDOperands().empty())
    status = setReadSlopes(
        options, op.getEffectiveScores(), tensors(op.getScoreOperands()),
        captures, *backward.getOperandsWithGradient(), bodies[1], *arithmetic);
  if (status.failed())
    return status;
  return setScore(options, op.getEffectiveScores(),
                  tensors(op.getScoreOperands()), bodies[1]);
}

/// What an attention does to its scores and probabilities.
Status Interpreter::setOptions(
    AttentionOpInterface op, Options &options, bool withSlopes,
    std::vector<std::shared_ptr<const ScalarBody>> &bodies) {
  options.bshd = op.getLayout() == Layout::BSHD;
  if (Status status = setFunctions(op, options, withSlopes, bodies);
      status.failed())
    return status;
  if (op.getScale())
    options.scale = op.getScale()->convertToFloat();
  if (op.getQOffset())
    options.qOffset = integer(op.getQOffset());
  if (op.getKvOffset())
    options.kvOffset = integer(op.getKvOffset());

  auto perHead = [&](Value operand, std::vector<double> &to) {
    if (!operand || !arithmetic)
      return;
    const Array &array = *tensor(operand).array;
    for (int64_t i = 0; i < array.numElements(); ++i)
      to.push_back(array.at(i));
  };
  perHead(op.getSinks(), options.sinks);
  perHead(op.getKeyScale(), options.keyScales);
  perHead(op.getValueScale(), options.valueScales);
  if (op.getDropoutP())
    options.dropout =
        Dropout{op.getDropoutP()->convertToDouble(),
                static_cast<uint64_t>(integer(op.getSeed())),
                static_cast<uint64_t>(integer(op.getDropoutOffset()))};
  options.variant = variant;
  options.progress = [&](double part) {
    if (progress)
      progress((attentionsDone + part) / attentions);
  };
  return Status::success();
}

/// Whether batches or sequences have keys and queries of their own.
static bool hasSequences(AttentionOpInterface op) {
  return op.isRagged() || op.getKvLengths() || op.isPaged() ||
         op.getKeySliceAttr();
}

/// Counts `perPair` operations for each query and key.
void Interpreter::count(AttentionOpInterface op, const Sizes &sizes,
                        Options &options, double perPair) {
  double heads = double(sizes.batch) * sizes.heads;
  // What only data says is counted as visible.
  if (hasSequences(op) || !isKnownWithoutData(op.getEffectiveMask()))
    options.visible = nullptr;
  if (countWork)
    work.flops += perPair * visiblePairs(sizes, options);
  work.flopsUnmasked += perPair * heads * sizes.sq * sizes.sk;
}

static Status
firstFailure(const std::vector<std::shared_ptr<const ScalarBody>> &bodies) {
  for (const std::shared_ptr<const ScalarBody> &body : bodies)
    if (body && body->status().failed())
      return body->status();
  return Status::success();
}

Status Interpreter::visit(AttentionOp op) {
  const Tensor &query = tensor(op.getQuery()), &key = tensor(op.getKey()),
               &value = tensor(op.getValue());
  Options options;
  Result<Sizes> sizes = sizesOf(op);
  if (sizes.failed())
    return errorAt(op, sizes.message());
  if (Status shapes = checkOperandShapes(op, *sizes); shapes.failed())
    return errorAt(op, shapes.message());
  std::vector<std::shared_ptr<const ScalarBody>> bodies;
  if (Status status = setOptions(op, options, /*withSlopes=*/false, bodies);
      status.failed())
    return errorAt(op, status.message());

  if (!arithmetic) {
    count(op, *sizes, options, 2.0 * (sizes->dqk + sizes->dv));
    Status status = bindShape(op.getOutput(), sizes->outputShape(options.bshd));
    if (status.ok() && op.getLse())
      status = bindShape(op.getLse(), sizes->lseShape());
    return status;
  }

  Type element = op.getOutput().getType().getElementType();
  Result<DType> outputType = convertElementType(element);
  if (outputType.failed())
    return errorAt(op, outputType.message());
  options.outputType = *outputType;
  Result<Attended> result =
      hasSequences(op) ? attention(*arithmetic, *query.array, *key.array,
                                   *value.array, options, sequencesOf(op))
                       : attention(*arithmetic, *query.array, *key.array,
                                   *value.array, options);
  if (result.failed())
    return errorAt(op, result.message());
  if (Status status = firstFailure(bodies); status.failed())
    return errorAt(op, status.message());
  ++attentionsDone;
  Status status = bind(op.getOutput(), std::move(result->output), element);
  if (status.ok() && op.getLse())
    status = bind(op.getLse(), std::move(result->lse),
                  op.getLse().getType().getElementType());
  return status;
}

Status Interpreter::visit(AttentionBackwardOp op) {
  Result<Sizes> sizes = sizesOf(op);
  if (sizes.failed())
    return errorAt(op, sizes.message());
  Status status = checkOperandShapes(op, *sizes);
  if (status.failed())
    return errorAt(op, status.message());
  bool bshd = op.getLayout() == Layout::BSHD;
  for (const auto &[name, operand, shape] :
       {std::tuple<const char *, Value, std::vector<int64_t>>{
            "output", op.getOutput(), sizes->outputShape(bshd)},
        {"d_output", op.getDOutput(), sizes->outputShape(bshd)},
        {"lse", op.getLse(), sizes->lseShape()},
        {"d_lse", op.getDLse(), sizes->lseShape()}})
    if (operand && tensor(operand).shape != shape)
      return errorAt(op, std::string(name) + " is " +
                             rt::shapeToString(tensor(operand).shape) +
                             ", but must be " + rt::shapeToString(shape));
  Options options;
  std::vector<std::shared_ptr<const ScalarBody>> bodies;
  status = setOptions(op, options, /*withSlopes=*/true, bodies);
  if (status.failed())
    return errorAt(op, status.message());
  if (!arithmetic) {
    // Five products, as one that keeps no scores and computes them once again.
    count(op, *sizes, options, 2.0 * (3 * sizes->dqk + 2 * sizes->dv));
    for (auto [gradient, of] :
         {std::pair<Value, Value>{op.getDQuery(), op.getQuery()},
          {op.getDKey(), op.getKey()},
          {op.getDValue(), op.getValue()}})
      if (status.ok() && gradient)
        status = bindShape(gradient, tensor(of).shape);
    if (status.ok() && op.getDSinks())
      status = bindShape(op.getDSinks(), tensor(op.getSinks()).shape);
    for (auto [gradient, of] :
         llvm::zip(op.getDOperands(), op.getOperandsOfGradients()))
      if (status.ok())
        status = bindShape(gradient, tensor(of).shape);
    return status;
  }

  Result<DType> outputType =
      convertElementType(op.getOutput().getType().getElementType());
  if (outputType.failed())
    return errorAt(op, outputType.message());
  options.outputType = *outputType;
  const Array &query = *tensor(op.getQuery()).array,
              &key = *tensor(op.getKey()).array,
              &value = *tensor(op.getValue()).array,
              &dOutput = *tensor(op.getDOutput()).array;
  const Array *dLse = op.getDLse() ? tensor(op.getDLse()).array.get() : nullptr;
  Result<AttentionGradients> result =
      hasSequences(op)
          ? attentionBackward(*arithmetic, query, key, value, dOutput, dLse,
                              options, sequencesOf(op))
          : attentionBackward(*arithmetic, query, key, value, dOutput, dLse,
                              options);
  if (result.failed())
    return errorAt(op, result.message());
  if (status = firstFailure(bodies); status.failed())
    return errorAt(op, status.message());
  ++attentionsDone;
  auto bindGradient = [&](Value gradient, Array Gradients::*which) {
    if (!gradient || status.failed())
      return;
    status = bind(gradient, std::move(result->gradients.*which),
                  cast<RankedTensorType>(gradient.getType()).getElementType());
    if (status.failed())
      return;
    auto &bound = std::get<Tensor>(values[gradient]);
    bound.queryRows = sizes->batch * sizes->heads * sizes->sq;
    if (result->magnitudes)
      bound.magnitudes =
          std::make_shared<Array>(std::move((*result->magnitudes).*which));
  };
  bindGradient(op.getDQuery(), &Gradients::query);
  bindGradient(op.getDKey(), &Gradients::key);
  bindGradient(op.getDValue(), &Gradients::value);
  // Sums, as lists of numbers.
  auto bindNumbers = [&](Value gradient, Value of,
                         const std::vector<double> &numbers,
                         const std::vector<double> *sizes) {
    if (status.failed())
      return;
    auto toArray = [&](DType type, const std::vector<double> &from) {
      Result<Array> array = Array::create(type, tensor(of).shape);
      // None without a row.
      for (int64_t i = 0; array.ok() && i < array->numElements(); ++i)
        array->set(i, i < int64_t(from.size()) ? from[i] : 0);
      return array;
    };
    Type element = getElementTypeOrSelf(gradient);
    Result<DType> type = *arithmetic == Arithmetic::Float64
                             ? Result<DType>(DType::F64)
                             : convertElementType(element);
    if (type.failed()) {
      status = type.status();
      return;
    }
    Result<Array> array = toArray(*type, numbers);
    if (array.failed()) {
      status = array.status();
      return;
    }
    status = bind(gradient, std::move(*array), element);
    if (status.failed())
      return;
    // Elements share what the deltas of rows are off by: no more than one draw.
    std::get<Tensor>(values[gradient]).queryRows = 1;
    if (!sizes)
      return;
    Result<Array> magnitudes = toArray(DType::F64, *sizes);
    if (magnitudes.failed()) {
      status = magnitudes.status();
      return;
    }
    std::get<Tensor>(values[gradient]).magnitudes =
        std::make_shared<Array>(std::move(*magnitudes));
  };
  const Gradients &gradients = result->gradients;
  const Gradients *sizesOf =
      result->magnitudes ? &*result->magnitudes : nullptr;
  if (op.getDSinks())
    bindNumbers(op.getDSinks(), op.getSinks(), gradients.sinks,
                sizesOf ? &sizesOf->sinks : nullptr);
  static const std::vector<double> none;
  auto nth = [&](const Gradients &of, size_t n) -> const std::vector<double> & {
    return n < of.read.size() ? of.read[n] : none;
  };
  for (auto [n, gradient, of] :
       llvm::enumerate(op.getDOperands(), op.getOperandsOfGradients()))
    bindNumbers(gradient, of, nth(gradients, n),
                sizesOf ? &nth(*sizesOf, n) : nullptr);
  return status;
}

Status Interpreter::visit(MergeOp op) {
  bool bshd = op.getLayout() == Layout::BSHD;
  if (!arithmetic) {
    const std::vector<int64_t> &shape = tensor(op.getOutputs().front()).shape;
    std::vector<int64_t> lseShape{shape[0], shape[bshd ? 2 : 1],
                                  shape[bshd ? 1 : 2]};
    for (auto [index, part] :
         llvm::enumerate(llvm::zip(op.getOutputs(), op.getLses()))) {
      auto [output, lse] = part;
      std::string number = std::to_string(index);
      if (tensor(output).shape != shape)
        return errorAt(op, "output 0 is " + rt::shapeToString(shape) +
                               ", output " + number + " is " +
                               rt::shapeToString(tensor(output).shape));
      if (tensor(lse).shape != lseShape)
        return errorAt(op, "lse " + number + " is " +
                               rt::shapeToString(tensor(lse).shape) +
                               ", but outputs need " +
                               rt::shapeToString(lseShape));
    }
    Status status = bindShape(op.getOutput(), shape);
    if (status.ok() && op.getLse())
      status = bindShape(op.getLse(), lseShape);
    return status;
  }
  std::vector<const Array *> outputs, lses;
  for (Value output : op.getOutputs())
    outputs.push_back(tensor(output).array.get());
  for (Value lse : op.getLses())
    lses.push_back(tensor(lse).array.get());
  auto resultType = cast<RankedTensorType>(op.getOutput().getType());
  Result<DType> outputType = convertElementType(resultType.getElementType());
  if (outputType.failed())
    return errorAt(op, outputType.message());
  Result<Attended> result =
      merge(*arithmetic, outputs, lses, bshd, *outputType);
  if (result.failed())
    return errorAt(op, result.message());
  Status status = bind(op.getOutput(), std::move(result->output),
                       resultType.getElementType());
  if (status.ok() && op.getLse())
    status =
        bind(op.getLse(), std::move(result->lse),
             cast<RankedTensorType>(op.getLse().getType()).getElementType());
  return status;
}
