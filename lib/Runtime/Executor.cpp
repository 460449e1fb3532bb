//===- Executor.cpp - Runs launch plans -----------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is kept between calls: for each context its modules and kernels.
// Contexts are a list that only grows, and kernels are only added, so that a
// launch finds them without a lock.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Executor.h"
#include "BindCall.h"
#include "LoadedProgram.h"

#include <atomic>
#include <mutex>

using namespace flash::rt;
using namespace flash::rt::cuda;

namespace {

struct ContextState {
  explicit ContextState(const Program &program) : code(program) {}

  uint64_t id = 0;
  Context context = nullptr;
  LoadedProgram code;
  ContextState *next = nullptr;
};

/// Workspace of a call whose caller gave none, ordered on the stream.
class StreamMemory {
public:
  StreamMemory(const Driver &driver, Stream stream)
      : driver(driver), stream(stream),
        ordered(driver.memAllocAsync && driver.memFreeAsync) {}
  StreamMemory(const StreamMemory &) = delete;
  StreamMemory &operator=(const StreamMemory &) = delete;
  ~StreamMemory() {
    if (!address)
      return;
    if (ordered) {
      (void)driver.memFreeAsync(address, stream);
      return;
    }
    (void)driver.streamSynchronize(stream);
    (void)driver.memFree(address);
  }

  Status allocate(int64_t bytes) {
    size_t size = static_cast<size_t>(bytes);
    std::string what =
        "allocating " + std::to_string(bytes) + " bytes of device memory";
    Status status =
        driver.check(ordered ? driver.memAllocAsync(&address, size, stream)
                             : driver.memAlloc(&address, size),
                     what, ordered ? "cuMemAllocAsync" : "cuMemAlloc");
    if (status.failed())
      address = 0;
    return status;
  }

  DevicePtr address = 0;

private:
  const Driver &driver;
  Stream stream;
  /// Drivers before 11.2 cannot; there the call waits for its kernels.
  bool ordered;
};

} // namespace

struct Executor::Impl {
  explicit Impl(CallPlan plan, const FlatProgram &flat)
      : plan(std::move(plan)), flat(flat) {}
  ~Impl();

  Result<const Driver *> getDriver();
  Result<ContextState *> stateOf(const ContextScope &scope);
  ContextState *find(uint64_t id) const {
    ContextState *state = contexts.load(std::memory_order_acquire);
    while (state && state->id != id)
      state = state->next;
    return state;
  }
  Status loadReady(LoadedProgram &code);
  Status loadAll(LoadedProgram &code);
  Status load(LoadedProgram &code, size_t module);
  Status loadKernels(LoadedProgram &code, const BoundCall &call);
  Result<uint64_t> place(int64_t bytes, const Workspace *given,
                         StreamMemory &own);
  Status enqueue(const BoundStep &step, BoundCall &call,
                 const ContextState &state, Stream stream);

  CallPlan plan;
  const FlatProgram &flat;
  std::shared_ptr<ImageSource> images;
  /// Told from other executors by this, also when they come to lie where this
  /// one was.
  const uint64_t number = nextNumber++;
  std::atomic<const Driver *> driver{nullptr};
  std::mutex loading;
  std::atomic<ContextState *> contexts{nullptr};

  static std::atomic<uint64_t> nextNumber;
};

std::atomic<uint64_t> Executor::Impl::nextNumber{0};

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

Result<const Driver *> Executor::Impl::getDriver() {
  if (const Driver *known = driver.load(std::memory_order_acquire))
    return known;
  Result<const Driver *> found = Driver::get();
  if (found.ok())
    driver.store(*found, std::memory_order_release);
  return found;
}

Result<ContextState *> Executor::Impl::stateOf(const ContextScope &scope) {
  uint64_t id = scope.id();
  if (ContextState *state = find(id))
    return state;
  // Held while loading: others that need the same modules wait for them.
  std::lock_guard<std::mutex> lock(loading);
  if (ContextState *state = find(id))
    return state;
  auto state = std::make_unique<ContextState>(flat.program);
  state->id = id;
  state->context = scope.context();
  if (Status status = loadReady(state->code); status.failed())
    return status;
  state->next = contexts.load(std::memory_order_relaxed);
  contexts.store(state.get(), std::memory_order_release);
  return state.release();
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

/// Loads what need not be waited for. An image that could not be made is an
/// error of the calls that launch its kernels.
Status Executor::Impl::loadReady(LoadedProgram &code) {
  const std::vector<ModuleImage> &modules = flat.program.modules;
  for (size_t module = 0; module < modules.size(); ++module) {
    if (images && !images->isReady(module))
      continue;
    Result<std::string> made =
        images ? images->get(module) : modules[module].image;
    if (made.failed())
      continue;
    if (Status status = code.load(*driver.load(), module, *made);
        status.failed())
      return status;
  }
  return Status::success();
}

Status Executor::Impl::loadAll(LoadedProgram &code) {
  for (size_t module = 0; module < flat.program.modules.size(); ++module) {
    {
      std::lock_guard<std::mutex> lock(loading);
      if (code.has(module))
        continue;
    }
    if (Status status = load(code, module); status.failed())
      return status;
  }
  return Status::success();
}

/// Waits for a module that no call of this context has launched.
Status Executor::Impl::load(LoadedProgram &code, size_t module) {
  // Before the lock: who waits for this image holds up nobody who needs
  // another.
  Result<std::string> image =
      images ? images->get(module) : flat.program.modules[module].image;
  if (image.failed())
    return image.status();
  std::lock_guard<std::mutex> lock(loading);
  if (code.has(module))
    return Status::success();
  return code.load(*driver.load(), module, *image);
}

Status Executor::Impl::loadKernels(LoadedProgram &code, const BoundCall &call) {
  for (const BoundStep &bound : call) {
    const auto *launch = std::get_if<FlatLaunch>(&flat.steps[bound.step]);
    if (!launch || code.getKernel(launch->step))
      continue;
    int module = std::get_if<Launch>(&flat.program.steps[launch->step])->module;
    if (Status status = load(code, static_cast<size_t>(module));
        status.failed())
      return status;
  }
  return Status::success();
}

Executor::Impl::~Impl() {
  ContextState *next = contexts.load();
  while (next) {
    ContextState *state = next;
    next = state->next;
    // With the context gone, so are its modules.
    Result<ContextScope> scope =
        ContextScope::enter(*driver.load(), state->context);
    if (scope.failed() || scope->id() != state->id)
      state->code.release();
    delete state;
  }
}

//===----------------------------------------------------------------------===//
// Launching
//===----------------------------------------------------------------------===//

Result<uint64_t> Executor::Impl::place(int64_t bytes, const Workspace *given,
                                       StreamMemory &own) {
  const std::string &name = flat.program.signature.name;
  if (bytes == 0)
    return uint64_t(0);
  if (!given) {
    Status status = own.allocate(bytes);
    if (status.failed())
      return status.withContext("workspace of '" + name + "'");
    return own.address;
  }
  if (!given->data || given->bytes < static_cast<size_t>(bytes))
    return Status::error(
        "'" + name + "' needs a workspace of " + std::to_string(bytes) +
        " bytes for these sizes, but " +
        std::to_string(given->data ? given->bytes : 0) + " were given");
  uint64_t address = reinterpret_cast<uintptr_t>(given->data);
  if (address % kTemporaryAlignment != 0)
    return Status::error("the workspace of '" + name +
                         "' must begin at a multiple of " +
                         std::to_string(kTemporaryAlignment) + " bytes");
  return address;
}

Status Executor::Impl::enqueue(const BoundStep &bound, BoundCall &call,
                               const ContextState &state, Stream stream) {
  const Driver &cuda = *driver.load(std::memory_order_relaxed);
  const Program &program = flat.program;
  if (const auto *launch = std::get_if<FlatLaunch>(&flat.steps[bound.step]))
    return launchKernel(
        cuda, std::get_if<Launch>(&program.steps[launch->step])->kernel,
        state.code.getKernel(launch->step), bound.geometry, stream,
        call.paramsOf(*launch));
  const FlatFill &fill = *std::get_if<FlatFill>(&flat.steps[bound.step]);
  Code code = cuda.memsetD8Async(
      bound.address, std::get_if<Fill>(&program.steps[fill.step])->value,
      static_cast<size_t>(bound.bytes), stream);
  if (code == 0)
    return Status::success();
  return cuda.check(code,
                    "filling " + std::to_string(bound.bytes) + " bytes for '" +
                        program.signature.name + "'",
                    "cuMemsetD8Async");
}

//===----------------------------------------------------------------------===//
// Executor
//===----------------------------------------------------------------------===//

Executor::Executor(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Executor::Executor(Executor &&) = default;
Executor &Executor::operator=(Executor &&) = default;
Executor::~Executor() = default;

Result<Executor> Executor::create(Program program, const Driver *driver,
                                  std::shared_ptr<ImageSource> images) {
  Result<CallPlan> plan = CallPlan::create(std::move(program));
  if (plan.failed())
    return plan.status();
  const FlatProgram &flat = *plan->flat;
  auto impl = std::make_unique<Impl>(std::move(*plan), flat);
  impl->driver = driver;
  impl->images = std::move(images);
  return Executor(std::move(impl));
}

const CallPlan &Executor::plan() const { return impl->plan; }

Status Executor::prepare() {
  Result<const Driver *> driver = impl->getDriver();
  if (driver.failed())
    return driver.status();
  Result<ContextScope> scope = ContextScope::enter(**driver);
  if (scope.failed())
    return scope.status();
  Result<ContextState *> state = impl->stateOf(*scope);
  if (state.failed())
    return state.status();
  return impl->loadAll((*state)->code);
}

Status Executor::launch(const CallArgument *arguments,
                        const CallArgument *results, Stream stream,
                        const Workspace *workspace) {
  const FlatProgram &flat = impl->flat;
  CallFrame frame(flat);
  Status status = checkArguments(flat, arguments, frame);
  if (status.ok())
    status = checkResults(flat, results, frame);
  if (status.failed())
    return status;
  Result<int64_t> bytes = measureWorkspace(flat, frame);
  if (bytes.failed())
    return bytes.status();
  Result<const Driver *> driver = impl->getDriver();
  if (driver.failed())
    return driver.status();
  Result<ContextScope> scope = ContextScope::enter(**driver, stream);
  if (scope.failed())
    return scope.status();
  Result<ContextState *> state = impl->stateOf(*scope);
  if (state.failed())
    return state.status();
  StreamMemory own(**driver, stream);
  Result<uint64_t> memory = impl->place(*bytes, workspace, own);
  if (memory.failed())
    return memory.status();
  BoundCall call(flat);
  status = call.bind(arguments, frame, **driver, *memory, impl->number);
  if (status.failed())
    return status;
  status = impl->loadKernels((*state)->code, call);
  if (status.failed())
    return status;
  for (const BoundStep &step : call) {
    status = impl->enqueue(step, call, **state, stream);
    if (status.failed())
      return status;
  }
  return Status::success();
}

Status Executor::launch(const std::vector<Argument> &arguments,
                        const std::vector<Argument> &results, Stream stream,
                        const Workspace *workspace) {
  Status status = impl->plan.checkKinds(arguments, results);
  if (status.failed())
    return status;
  return launch(toCallArguments(arguments).data(),
                toCallArguments(results).data(), stream, workspace);
}

Result<std::vector<KernelAttributes>> Executor::kernelAttributes() {
  Status status = prepare();
  if (status.failed())
    return status;
  const Driver &driver = *impl->driver.load();
  Result<ContextScope> scope = ContextScope::enter(driver);
  if (scope.failed())
    return scope.status();
  Result<ContextState *> state = impl->stateOf(*scope);
  if (state.failed())
    return state.status();
  std::vector<KernelAttributes> all;
  for (size_t i = 0; i < program().steps.size(); ++i) {
    auto *launch = std::get_if<Launch>(&program().steps[i]);
    if (!launch)
      continue;
    Result<KernelAttributes> one = cuda::kernelAttributes(
        driver, launch->kernel, (*state)->code.getKernel(i));
    if (one.failed())
      return one.status();
    all.push_back(*one);
  }
  return all;
}
