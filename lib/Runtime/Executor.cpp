//===- Executor.cpp - Runs launch plans -----------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is kept between calls: for each context its modules and kernels, and for
// each stream of it the temporaries.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Executor.h"
#include "Call.h"
#include "LoadedProgram.h"

#include <map>
#include <mutex>

using namespace flash::rt;
using namespace flash::rt::cuda;

namespace {

/// Temporaries of a stream, in one allocation. The lock is held while a call is
/// enqueued: two threads on one stream must not mix their steps.
struct StreamState {
  std::mutex mutex;
  std::optional<DeviceBuffer> memory;
};

struct ContextState {
  Context context = nullptr;
  LoadedProgram code;
  std::mutex mutex; ///< guards the map
  std::map<Stream, StreamState> streams;
};

constexpr int64_t kTemporaryAlignment = 256;

} // namespace

struct Executor::Impl {
  Program program;
  const Driver *driver = nullptr;
  std::mutex mutex; ///< guards driver and contexts
  std::map<uint64_t, std::unique_ptr<ContextState>> contexts;
  TensorMapCache maps;

  ~Impl();

  Result<const Driver *> getDriver();
  Result<ContextState *> stateOf(const ContextScope &scope);
  Result<std::vector<BufferView>>
  placeBuffers(StreamState &state, Stream stream,
               const std::vector<Argument> &arguments,
               const std::vector<Argument> &results);
  Status enqueue(const BoundStep &step, const ContextState &state,
                 Stream stream);
};

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

Result<const Driver *> Executor::Impl::getDriver() {
  std::lock_guard<std::mutex> lock(mutex);
  if (!driver) {
    Result<const Driver *> found = Driver::get();
    if (found.failed())
      return found;
    driver = *found;
  }
  return driver;
}

Result<ContextState *> Executor::Impl::stateOf(const ContextScope &scope) {
  // Held while loading: others that need the same modules wait for them.
  std::lock_guard<std::mutex> lock(mutex);
  uint64_t id = scope.id();
  auto it = contexts.find(id);
  if (it == contexts.end()) {
    Result<LoadedProgram> code = LoadedProgram::load(*driver, program);
    if (code.failed())
      return code.status();
    auto state = std::make_unique<ContextState>();
    state->context = scope.context();
    state->code = std::move(*code);
    it = contexts.emplace(id, std::move(state)).first;
  }
  return it->second.get();
}

Executor::Impl::~Impl() {
  for (auto &[id, state] : contexts) {
    // With the context gone, so are its modules and memory.
    Result<ContextScope> scope = ContextScope::enter(*driver, state->context);
    if (scope.ok() && scope->id() == id) {
      state.reset();
      continue;
    }
    for (LoadedModule &module : state->code.modules)
      module.release();
    for (auto &[stream, streamState] : state->streams)
      if (streamState.memory)
        streamState.memory->release();
  }
}

//===----------------------------------------------------------------------===//
// Launching
//===----------------------------------------------------------------------===//

/// Finds each buffer's memory, growing the temporaries' when it is short.
Result<std::vector<BufferView>>
Executor::Impl::placeBuffers(StreamState &state, Stream stream,
                             const std::vector<Argument> &arguments,
                             const std::vector<Argument> &results) {
  std::vector<BufferView> views(program.buffers.size());
  // What is zero between launches lies first: sizes of the others change.
  std::vector<size_t> order;
  order.reserve(views.size());
  for (bool zeroed : {true, false})
    for (size_t i = 0; i < views.size(); ++i)
      if (program.buffers[i].zeroed == zeroed)
        order.push_back(i);
  // Of a temporary, the address is first its offset.
  int64_t total = 0;
  for (size_t i : order) {
    const Buffer &buffer = program.buffers[i];
    size_t index = static_cast<size_t>(buffer.index);
    BufferView view;
    if (buffer.kind == Buffer::Kind::Temporary) {
      auto name = [&] {
        return program.nameOfBuffer(static_cast<int>(i)) + " of '" +
               program.signature.name + "'";
      };
      Result<int64_t> bytes = buffer.bytes.evaluate(arguments);
      if (bytes.failed())
        return bytes.status().withContext(name());
      int64_t end;
      if (*bytes < 0 || __builtin_add_overflow(total, *bytes, &end) ||
          __builtin_add_overflow(end, kTemporaryAlignment - 1, &end))
        return Status::error(name() + " has an impossible size: " +
                             std::to_string(*bytes) + " bytes");
      view = {static_cast<uint64_t>(total), *bytes};
      total = end / kTemporaryAlignment * kTemporaryAlignment;
    } else {
      bool isResult = buffer.kind == Buffer::Kind::Result;
      const Argument &tensor = (isResult ? results : arguments)[index];
      DType dtype = isResult ? program.signature.results[index].dtype
                             : program.signature.arguments[index].dtype;
      // No overflow: the call has been checked.
      view = {tensor.address, *countElements(tensor.dims) * sizeOf(dtype)};
    }
    views[i] = view;
  }
  if (total > 0 && (!state.memory || state.memory->size() < total)) {
    // Kernels on the stream may still use the old one.
    if (state.memory) {
      Status status = synchronize(*driver, stream);
      if (status.failed())
        return status;
      state.memory.reset();
    }
    Result<DeviceBuffer> memory = DeviceBuffer::allocate(*driver, total);
    if (memory.failed())
      return memory.status().withContext("temporaries of '" +
                                         program.signature.name + "'");
    state.memory.emplace(std::move(*memory));
    for (size_t i = 0; i < views.size(); ++i) {
      if (!program.buffers[i].zeroed)
        continue;
      Status status = driver->check(
          driver->memsetD8Async(state.memory->address() + views[i].address, 0,
                                static_cast<size_t>(views[i].bytes), stream),
          "clearing " + program.nameOfBuffer(static_cast<int>(i)) + " of '" +
              program.signature.name + "'",
          "cuMemsetD8Async");
      if (status.failed()) {
        state.memory.reset();
        return status;
      }
    }
  }
  for (size_t i = 0; i < views.size(); ++i)
    if (program.buffers[i].kind == Buffer::Kind::Temporary && state.memory)
      views[i].address += state.memory->address();
  return views;
}

Status Executor::Impl::enqueue(const BoundStep &step, const ContextState &state,
                               Stream stream) {
  if (auto *fill = std::get_if<BoundFill>(&step)) {
    Code code = driver->memsetD8Async(fill->address, fill->value,
                                      static_cast<size_t>(fill->bytes), stream);
    if (code == 0)
      return Status::success();
    return driver->check(code,
                         "filling " + std::to_string(fill->bytes) +
                             " bytes for '" + program.signature.name + "'",
                         "cuMemsetD8Async");
  }
  const BoundLaunch &launch = *std::get_if<BoundLaunch>(&step);
  std::vector<void *> params;
  params.reserve(launch.params.size());
  for (const ParamValue &value : launch.params)
    params.push_back(const_cast<ParamValue *>(&value));
  const std::string &name =
      std::get_if<Launch>(&program.steps[launch.step])->kernel;
  return launchKernel(*driver, name, state.code.kernels[launch.step],
                      launch.geometry, stream, params.data());
}

//===----------------------------------------------------------------------===//
// Executor
//===----------------------------------------------------------------------===//

Executor::Executor(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Executor::Executor(Executor &&) = default;
Executor &Executor::operator=(Executor &&) = default;
Executor::~Executor() = default;

Result<Executor> Executor::create(Program program, const Driver *driver) {
  Status status = program.verify();
  if (status.failed())
    return status;
  auto impl = std::make_unique<Impl>();
  impl->program = std::move(program);
  impl->driver = driver;
  return Executor(std::move(impl));
}

const Program &Executor::program() const { return impl->program; }

Result<std::vector<std::vector<int64_t>>>
Executor::resultShapes(const std::vector<Argument> &arguments) const {
  Status status = checkArguments(impl->program, arguments);
  if (status.failed())
    return status;
  return evaluateResultShapes(impl->program, arguments);
}

Status Executor::prepare() {
  Result<const Driver *> driver = impl->getDriver();
  if (driver.failed())
    return driver.status();
  Result<ContextScope> scope = ContextScope::enter(**driver);
  if (scope.failed())
    return scope.status();
  return impl->stateOf(*scope).status();
}

Status Executor::launch(const std::vector<Argument> &arguments,
                        const std::vector<Argument> &results, Stream stream) {
  Status status = checkArguments(impl->program, arguments);
  if (status.ok())
    status = checkResults(impl->program, arguments, results);
  if (status.failed())
    return status;
  Result<const Driver *> driver = impl->getDriver();
  if (driver.failed())
    return driver.status();
  Result<ContextScope> scope = ContextScope::enter(**driver, stream);
  if (scope.failed())
    return scope.status();
  Result<ContextState *> state = impl->stateOf(*scope);
  if (state.failed())
    return state.status();

  StreamState *streamState;
  {
    std::lock_guard<std::mutex> lock((*state)->mutex);
    streamState = &(*state)->streams[stream];
  }
  std::lock_guard<std::mutex> lock(streamState->mutex);
  Result<std::vector<BufferView>> views =
      impl->placeBuffers(*streamState, stream, arguments, results);
  if (views.failed())
    return views.status();
  Result<std::vector<BoundStep>> steps =
      bindSteps(impl->program, arguments, *views, **driver, impl->maps);
  if (steps.failed())
    return steps.status();
  for (const BoundStep &step : *steps) {
    status = impl->enqueue(step, **state, stream);
    if (status.failed())
      return status;
  }
  return Status::success();
}

Result<std::vector<KernelAttributes>> Executor::kernelAttributes() {
  Status status = prepare();
  if (status.failed())
    return status;
  Result<ContextScope> scope = ContextScope::enter(*impl->driver);
  if (scope.failed())
    return scope.status();
  Result<ContextState *> state = impl->stateOf(*scope);
  if (state.failed())
    return state.status();
  std::vector<KernelAttributes> all;
  for (size_t i = 0; i < impl->program.steps.size(); ++i) {
    auto *launch = std::get_if<Launch>(&impl->program.steps[i]);
    if (!launch)
      continue;
    Result<KernelAttributes> one = cuda::kernelAttributes(
        *impl->driver, launch->kernel, (*state)->code.kernels[i]);
    if (one.failed())
      return one.status();
    all.push_back(*one);
  }
  return all;
}

void Executor::releaseTemporaries() {
  std::lock_guard<std::mutex> lock(impl->mutex);
  for (auto &[id, state] : impl->contexts) {
    Result<ContextScope> scope =
        ContextScope::enter(*impl->driver, state->context);
    if (scope.failed())
      continue;
    std::lock_guard<std::mutex> streamsLock(state->mutex);
    for (auto &[stream, streamState] : state->streams) {
      std::lock_guard<std::mutex> streamLock(streamState.mutex);
      streamState.memory.reset();
    }
  }
}
