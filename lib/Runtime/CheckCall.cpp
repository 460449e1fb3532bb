//===- CheckCall.cpp - What must hold of a call ---------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything that a call can get wrong in its arguments and results, for every
// target. A call that is right builds no string and allocates nothing.
//
//===----------------------------------------------------------------------===//

#include "FlatProgram.h"

#include <algorithm>

using namespace flash::rt;

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

static std::string shapeOf(const FlatTensor &tensor, const int64_t *dims) {
  return shapeToString(std::vector<int64_t>(dims, dims + tensor.rank));
}

/// Measures a dense tensor. False for sizes that do not exist.
static bool measureDense(const FlatTensor &tensor, const int64_t *dims,
                         BufferView &view) {
  int64_t bytes = tensor.elementBytes;
  bool overflow = false, negative = false, empty = false;
  for (size_t d = 0; d < tensor.rank; ++d) {
    negative |= dims[d] < 0;
    empty |= dims[d] == 0;
    overflow |= __builtin_mul_overflow(bytes, dims[d], &bytes);
  }
  view.before = 0;
  view.after = empty ? 0 : bytes;
  return !negative && (!overflow || empty);
}

/// The bytes that strides reach. False beyond 64 bits.
static bool measureStrided(const FlatTensor &tensor, const int64_t *dims,
                           const int64_t *strides, BufferView &view) {
  if (view.after == 0)
    return true;
  int64_t before = 0, after = tensor.elementBytes;
  for (size_t d = 0; d < tensor.rank; ++d) {
    int64_t span;
    if (dims[d] == 1)
      continue;
    if (__builtin_mul_overflow(dims[d] - 1, strides[d], &span) ||
        __builtin_mul_overflow(span, tensor.elementBytes, &span) ||
        __builtin_add_overflow(span < 0 ? before : after, span,
                               span < 0 ? &before : &after))
      return false;
  }
  view.before = before;
  view.after = after;
  return true;
}

static Status checkSizes(const FlatTensor &tensor, const int64_t *dims) {
  std::vector<int64_t> shape(dims, dims + tensor.rank);
  Result<int64_t> count = countElements(shape);
  if (count.failed())
    return count.status();
  return Status::error(shapeToString(shape) +
                       " does not fit in 64-bit addresses");
}

/// What is wrong with the strides of a tensor, or success.
static Status checkStrides(const FlatTensor &tensor, const int64_t *dims,
                           const CallArgument &given, bool isResult) {
  size_t last = tensor.rank - 1;
  if (tensor.isDense) {
    int64_t stride = 1;
    for (size_t d = tensor.rank; d-- > 0; stride *= dims[d])
      if (dims[d] > 1 && given.strides[d] != stride)
        return Status::error(
            "dimension " + std::to_string(d) + " has a stride of " +
            std::to_string(given.strides[d]) + ", but must have " +
            std::to_string(stride) +
            ": it is filled before kernels write it, as a dense tensor");
  }
  if (dims[last] > 1 && given.strides[last] != 1)
    return Status::error("the last dimension has a stride of " +
                         std::to_string(given.strides[last]) +
                         ", but must be contiguous (a stride of 1): copy it");
  for (size_t d = 0; d < tensor.rank; ++d) {
    if (dims[d] <= 1)
      continue;
    if (isResult && given.strides[d] == 0)
      return Status::error("dimension " + std::to_string(d) +
                           " has a stride of 0: a result's elements must not "
                           "lie upon each other");
    if (d != last && given.strides[d] * tensor.elementBytes % tensor.alignment)
      return Status::error(
          "dimension " + std::to_string(d) + " has a stride of " +
          std::to_string(given.strides[d]) +
          " elements, but kernels need a "
          "multiple of " +
          std::to_string(tensor.alignment / tensor.elementBytes));
  }
  return Status::success();
}

/// Sizes, strides and address of a tensor, and the bytes that it reaches.
static Status checkTensor(const FlatTensor &tensor, const int64_t *dims,
                          const CallArgument &given, bool isResult,
                          BufferView &view) {
  view.address = given.address();
  if (!measureDense(tensor, dims, view))
    return checkSizes(tensor, dims);
  if (given.strides && tensor.rank > 0 && view.after > 0) {
    if (!measureStrided(tensor, dims, given.strides, view))
      return Status::error(shapeOf(tensor, dims) + " with these strides does "
                                                   "not fit in 64-bit "
                                                   "addresses");
    Status status = checkStrides(tensor, dims, given, isResult);
    if (status.failed())
      return status;
  }
  if (view.after == 0)
    return Status::success();
  if (!given.data)
    return Status::error(shapeOf(tensor, dims) + " at address 0");
  if (view.address % static_cast<uint64_t>(tensor.alignment) != 0)
    return Status::error("its address is not a multiple of " +
                         std::to_string(tensor.alignment) +
                         " bytes, which kernels need");
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

static bool holds(Check::Relation relation, int64_t lhs, int64_t rhs) {
  switch (relation) {
  case Check::Relation::Equal:
    return lhs == rhs;
  case Check::Relation::EqualOrOne:
    return lhs == rhs || lhs == 1;
  case Check::Relation::LessEqual:
    return lhs <= rhs;
  case Check::Relation::Divisible:
    // Nothing but 0 is a multiple of 0; -1 would overflow on INT64_MIN.
    return rhs == 0 ? lhs == 0 : lhs == rhs || rhs == -1 || lhs % rhs == 0;
  }
  return false;
}

static void replaceAll(std::string &text, const std::string &from,
                       const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
}

static Status explainCheck(const FlatProgram &flat, size_t index, int64_t lhs,
                           int64_t rhs) {
  std::string message = flat.program.checks[index].message;
  replaceAll(message, "{lhs}", std::to_string(lhs));
  replaceAll(message, "{rhs}", std::to_string(rhs));
  return Status::error("'" + flat.program.signature.name + "': " + message);
}

Status flash::rt::checkArguments(const FlatProgram &flat,
                                 const CallArgument *arguments,
                                 CallFrame &frame) {
  for (size_t i = 0; i < flat.arguments.size(); ++i) {
    const FlatTensor &tensor = flat.arguments[i];
    if (!tensor.isTensor)
      continue;
    if (!arguments[i].dims && tensor.rank > 0)
      return Status::error(flat.nameOf(false, i) + " has no sizes");
    Status status = checkTensor(tensor, arguments[i].dims, arguments[i],
                                /*isResult=*/false, frame.arguments[i]);
    if (status.failed())
      return status.withContext(flat.nameOf(false, i));
  }
  flat.tape.loadArguments(frame.slots, arguments);
  Status status = flat.tape.run(frame.slots, flat.always);
  if (status.failed())
    return status.withContext("'" + flat.program.signature.name + "'");
  for (size_t i = 0; i < flat.arguments.size(); ++i)
    for (auto [dim, slot] : flat.arguments[i].dims)
      if (arguments[i].dims[dim] != frame.slots[slot])
        return Status::error(
            flat.nameOf(false, i) + ": dimension " + std::to_string(dim) +
            " is " + std::to_string(arguments[i].dims[dim]) + ", but must be " +
            std::to_string(frame.slots[slot]));
  for (size_t i = 0; i < flat.checks.size(); ++i) {
    const FlatCheck &check = flat.checks[i];
    int64_t lhs = frame.slots[check.lhs], rhs = frame.slots[check.rhs];
    if (!holds(check.relation, lhs, rhs))
      return explainCheck(flat, i, lhs, rhs);
  }
  for (size_t i = 0; i < flat.results.size(); ++i)
    for (auto [dim, slot] : flat.results[i].dims)
      if (frame.slots[slot] < 0)
        return Status::error(
            flat.nameOf(true, i) + ": dimension " + std::to_string(dim) +
            " is negative: " + std::to_string(frame.slots[slot]));
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Results and temporaries
//===----------------------------------------------------------------------===//

Status flash::rt::checkResults(const FlatProgram &flat,
                               const CallArgument *results, CallFrame &frame) {
  for (size_t i = 0; i < flat.results.size(); ++i) {
    const FlatTensor &tensor = flat.results[i];
    int64_t inlineDims[8];
    std::vector<int64_t> manyDims;
    int64_t *dims = inlineDims;
    if (tensor.rank > 8) {
      manyDims.resize(tensor.rank);
      dims = manyDims.data();
    }
    bool agrees = true;
    for (auto [dim, slot] : tensor.dims) {
      dims[dim] = frame.slots[slot];
      agrees &= !results[i].dims || results[i].dims[dim] == dims[dim];
    }
    if (!agrees)
      return Status::error(flat.nameOf(true, i) + " is " +
                           shapeOf(tensor, dims) + ", but " +
                           shapeOf(tensor, results[i].dims) + " was given");
    Status status = checkTensor(tensor, dims, results[i], /*isResult=*/true,
                                frame.results[i]);
    if (status.failed())
      return status.withContext(flat.nameOf(true, i));
  }
  flat.tape.loadResults(frame.slots, results, flat.resultDims);
  return Status::success();
}

Result<int64_t> flash::rt::measureWorkspace(const FlatProgram &flat,
                                            const CallFrame &frame) {
  int64_t total = 0;
  for (const FlatTemporary &temporary : flat.temporaries) {
    int64_t bytes = frame.slots[temporary.bytes];
    if (bytes < 0 || __builtin_add_overflow(total, bytes, &total) ||
        __builtin_add_overflow(total, kTemporaryAlignment - 1, &total))
      return Status::error(
          flat.program.nameOfBuffer(static_cast<int>(temporary.buffer)) +
          " of '" + flat.program.signature.name +
          "' has an impossible size: " + std::to_string(bytes) + " bytes");
    total = total / kTemporaryAlignment * kTemporaryAlignment;
  }
  return total;
}

//===----------------------------------------------------------------------===//
// Calls that know what they are given
//===----------------------------------------------------------------------===//

static std::string count(size_t number, const char *noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

static const char *kindOf(bool isIndex, bool isReal) {
  return isIndex ? "an index" : isReal ? "a number" : "a tensor";
}

/// A rank that differs, or strides that are not as many.
static Status checkRank(size_t rank, const Argument &given) {
  if (given.dims.size() != rank)
    return Status::error("has rank " + std::to_string(rank) + ", but " +
                         shapeToString(given.dims) + " was given");
  if (!given.strides.empty() && given.strides.size() != rank)
    return Status::error("has rank " + std::to_string(rank) + ", but " +
                         count(given.strides.size(), "stride") + " were given");
  return Status::success();
}

Status flash::rt::checkKinds(const FlatProgram &flat,
                             const std::vector<Argument> &arguments) {
  const Signature &signature = flat.program.signature;
  if (arguments.size() != signature.arguments.size())
    return Status::error("'" + signature.name + "' takes " +
                         count(signature.arguments.size(), "argument") +
                         ", but " + std::to_string(arguments.size()) +
                         " were given");
  for (size_t i = 0; i < arguments.size(); ++i) {
    const ArgumentInfo &info = signature.arguments[i];
    const Argument &given = arguments[i];
    if (info.isIndex != given.isIndex || info.isReal != given.isReal)
      return Status::error(flat.nameOf(false, i) + " is " +
                           kindOf(info.isIndex, info.isReal) + ", but " +
                           kindOf(given.isIndex, given.isReal) + " was given");
    Status status = checkRank(info.dims.size(), given);
    if (status.failed())
      return Status::error(flat.nameOf(false, i) + " " + status.message());
  }
  return Status::success();
}

Status flash::rt::checkResultRanks(const FlatProgram &flat,
                                   const std::vector<Argument> &results) {
  const Signature &signature = flat.program.signature;
  if (results.size() != signature.results.size())
    return Status::error("'" + signature.name + "' has " +
                         count(signature.results.size(), "result") + ", but " +
                         std::to_string(results.size()) + " were given");
  for (size_t i = 0; i < results.size(); ++i) {
    Status status =
        results[i].isIndex || results[i].isReal
            ? Status::error("is a tensor, but a number was given")
            : checkRank(signature.results[i].dims.size(), results[i]);
    if (status.failed())
      return Status::error(flat.nameOf(true, i) + " " + status.message());
  }
  return Status::success();
}
