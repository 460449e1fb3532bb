//===- BindCall.cpp - Steps with everything evaluated ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The compiler's own sizes are checked against the buffers too: an offset or a
// tensor map beyond its buffer is an error, not a stray write.
//
//===----------------------------------------------------------------------===//

#include "BindCall.h"
#include "flash/Runtime/TensorMap.h"

#include <algorithm>
#include <cstring>

using namespace flash::rt;

struct BoundCall::Context {
  const CallArgument *arguments;
  const CallFrame &frame;
  const cuda::Driver &driver;
  uint64_t owner;
};

template <typename T, size_t N>
static T *choose(size_t count, T (&few)[N], std::unique_ptr<T[]> &many) {
  if (count <= N)
    return few;
  many.reset(new T[count]);
  return many.get();
}

BoundCall::BoundCall(const FlatProgram &flat)
    : flat(flat), steps(choose(flat.steps.size(), fewSteps, manySteps)),
      pointers(choose(flat.numParams, fewPointers, manyPointers)),
      views(choose(flat.program.buffers.size(), fewViews, manyViews)),
      // Tensor maps are aligned to 64 bytes, of which new knows nothing.
      storage(choose(flat.paramBytes > sizeof(littleStorage)
                         ? flat.paramBytes + 64
                         : flat.paramBytes,
                     littleStorage, muchStorage)) {
  uintptr_t place = reinterpret_cast<uintptr_t>(storage);
  storage += (64 - place % 64) % 64;
}

static Status beyond(const FlatProgram &flat, size_t buffer, int64_t bytes,
                     int64_t offset, const BufferView &view) {
  return Status::error(std::to_string(bytes) + " bytes at offset " +
                       std::to_string(offset) + " are not within the " +
                       std::to_string(view.after) + " of " +
                       flat.program.nameOfBuffer(static_cast<int>(buffer)));
}

/// Whether bytes from `offset + low` to `offset + high` are the buffer's.
static bool isWithin(const BufferView &view, int64_t offset, int64_t low,
                     int64_t high) {
  int64_t begin, end;
  return !__builtin_add_overflow(offset, low, &begin) &&
         !__builtin_add_overflow(offset, high, &end) && begin >= view.before &&
         end <= view.after;
}

Status BoundCall::bindGrid(const FlatLaunch &launch, const CallFrame &frame,
                           cuda::LaunchGeometry &geometry, bool &empty) const {
  // The limits of every device since compute capability 3.0.
  static constexpr int64_t kLimits[] = {INT32_MAX, 65535, 65535};
  const Launch &plan = *std::get_if<Launch>(&flat.program.steps[launch.step]);
  auto error = [&](int i, int64_t size, const std::string &what) {
    return Status::error("the grid of '" + plan.kernel + "' has " +
                         std::to_string(size) + " blocks along " + "xyz"[i] +
                         ", not " + what);
  };
  empty = false;
  for (int i = 0; i < 3; ++i) {
    int64_t size = frame.slots[launch.grid[i]];
    empty |= size == 0;
    if (size < 0 || size > kLimits[i])
      return error(i, size, "within 0 to " + std::to_string(kLimits[i]));
    if (plan.cluster[i] > 1 && size % plan.cluster[i] != 0)
      return error(i, size,
                   "a multiple of its cluster's " +
                       std::to_string(plan.cluster[i]));
    geometry.grid[i] = static_cast<unsigned>(size);
    geometry.block[i] = plan.block[i];
    geometry.cluster[i] = plan.cluster[i];
  }
  geometry.sharedBytes = plan.dynamicSharedBytes;
  return Status::success();
}

Status BoundCall::bindMap(const Context &call, size_t index, void *to) {
  const FlatMap &map = flat.maps[index];
  const TensorMapParam &param = flat.mapOf(map);
  const int64_t *slots = call.frame.slots;
  TensorMapValues values;
  // From the first byte to the one after the last.
  int64_t low = 0, high = sizeOf(param.dtype);
  bool overflow = false, empty = false;
  for (size_t i = 0; i < map.dims.size(); ++i) {
    int64_t dim = slots[map.dims[i]];
    int64_t stride = i == 0 ? sizeOf(param.dtype) : slots[map.strides[i - 1]];
    values.dims[i] = dim;
    if (i > 0)
      values.byteStrides[i - 1] = stride;
    empty |= dim == 0;
    int64_t span = 0;
    overflow |= __builtin_mul_overflow(dim - 1, stride, &span) ||
                __builtin_add_overflow(span < 0 ? low : high, span,
                                       span < 0 ? &low : &high);
  }
  if (empty)
    low = high = 0;
  else if (overflow)
    return Status::error(
        "the tensor map of " +
        flat.program.nameOfBuffer(static_cast<int>(map.buffer)) +
        " does not fit in 64 bits");
  const BufferView &view = views[map.buffer];
  int64_t offset = slots[map.offset];
  if (!isWithin(view, offset, low, high))
    return beyond(flat, map.buffer, high - low, offset, view);
  values.address = view.address + static_cast<uint64_t>(offset);
  return TensorMapCache::ofThread().get(
      call.driver, param, values, flat.program,
      TensorMapCache::Owner{call.owner, index}, to);
}

Status BoundCall::bindParam(const Context &call, const FlatLaunch &launch,
                            size_t i) {
  const FlatParam &param = launch.params[i];
  const int64_t *slots = call.frame.slots;
  char *to = storage + param.place;
  pointers[launch.firstParam + i] = to;
  auto plan = [&]() -> const Launch & {
    return *std::get_if<Launch>(&flat.program.steps[launch.step]);
  };
  switch (param.kind) {
  case FlatParam::Kind::Pointer: {
    const BufferView &view = views[param.buffer];
    int64_t offset = slots[param.slot];
    if (offset < view.before || offset > view.after)
      return beyond(flat, param.buffer, 0, offset, view);
    uint64_t address = view.address + static_cast<uint64_t>(offset);
    std::memcpy(to, &address, sizeof(address));
    return Status::success();
  }
  case FlatParam::Kind::Int64:
    std::memcpy(to, &slots[param.slot], sizeof(int64_t));
    return Status::success();
  case FlatParam::Kind::Int32: {
    int64_t wide = slots[param.slot];
    int32_t narrow = static_cast<int32_t>(wide);
    if (narrow != wide)
      return Status::error(
          "parameter " +
          std::get_if<Int32Param>(&plan().params[i])->value.str() + " of '" +
          plan().kernel + "' is " + std::to_string(wide) + ", beyond 32 bits");
    std::memcpy(to, &narrow, sizeof(narrow));
    return Status::success();
  }
  case FlatParam::Kind::Float32:
    std::memcpy(to, &std::get_if<Float32Param>(&plan().params[i])->value,
                sizeof(float));
    return Status::success();
  case FlatParam::Kind::Real: {
    DType type = std::get_if<RealParam>(&plan().params[i])->dtype;
    RealBytes bytes = convertReal(call.arguments[param.index].number, type);
    std::memcpy(to, bytes.data(), static_cast<size_t>(sizeOf(type)));
  }
    return Status::success();
  case FlatParam::Kind::Map:
    return bindMap(call, param.index, to);
  }
  return Status::success();
}

Status BoundCall::bind(const CallArgument *arguments, CallFrame &frame,
                       const cuda::Driver &driver, uint64_t workspace,
                       uint64_t owner) {
  const std::vector<Buffer> &buffers = flat.program.buffers;
  for (size_t i = 0; i < buffers.size(); ++i) {
    size_t index = static_cast<size_t>(buffers[i].index);
    if (buffers[i].kind == Buffer::Kind::Argument)
      views[i] = frame.arguments[index];
    else if (buffers[i].kind == Buffer::Kind::Result)
      views[i] = frame.results[index];
  }
  for (const FlatTemporary &temporary : flat.temporaries) {
    int64_t bytes = frame.slots[temporary.bytes];
    views[temporary.buffer] = {workspace, 0, bytes};
    workspace +=
        static_cast<uint64_t>((bytes + kTemporaryAlignment - 1) /
                              kTemporaryAlignment * kTemporaryAlignment);
  }
  Context call = {arguments, frame, driver, owner};
  count = 0;
  Status status = Status::success();
  for (size_t i = 0; i < flat.steps.size() && status.ok(); ++i) {
    BoundStep &bound = steps[count];
    bound.step = i;
    if (const auto *launch = std::get_if<FlatLaunch>(&flat.steps[i])) {
      bool empty = false;
      status = bindGrid(*launch, frame, bound.geometry, empty);
      if (status.failed() || empty)
        continue;
      status = flat.tape.run(frame.slots, launch->range);
      for (size_t p = 0; p < launch->params.size() && status.ok(); ++p)
        status = bindParam(call, *launch, p);
      ++count;
      continue;
    }
    const FlatFill &fill = *std::get_if<FlatFill>(&flat.steps[i]);
    status = flat.tape.run(frame.slots, fill.range);
    if (status.failed())
      continue;
    bound.bytes = frame.slots[fill.bytes];
    int64_t offset = frame.slots[fill.offset];
    const BufferView &view = views[fill.buffer];
    if (bound.bytes < 0 || !isWithin(view, offset, 0, bound.bytes))
      status = beyond(flat, fill.buffer, bound.bytes, offset, view);
    bound.address = view.address + static_cast<uint64_t>(offset);
    count += bound.bytes > 0;
  }
  if (status.failed())
    return status.withContext("'" + flat.program.signature.name + "'");
  return status;
}
