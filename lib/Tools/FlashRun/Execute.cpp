//===- Execute.cpp - Runs a compiled function -----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Once for the result, then as often as asked for the median time; on a device
// with copies of the arrays there.
//
//===----------------------------------------------------------------------===//

#include "flash/Tools/FlashRun/FlashRun.h"

#include "flash/Runtime/ThreadPool.h"

#include <algorithm>
#include <chrono>

using namespace flash;
using reference::RuntimeValue;
using reference::Tensor;
using rt::Array;
using rt::Result;
using rt::Status;

static uint64_t addressOf(const Array &array) {
  return reinterpret_cast<uint64_t>(array.data());
}

static rt::Argument numberArgument(const RuntimeValue &value) {
  if (const auto *real = std::get_if<double>(&value))
    return rt::Argument::real(*real);
  return rt::Argument::index(std::get<int64_t>(value));
}

std::vector<rt::Argument>
flash::hostArguments(llvm::ArrayRef<RuntimeValue> values) {
  std::vector<rt::Argument> arguments;
  arguments.reserve(values.size());
  for (const RuntimeValue &value : values) {
    const auto *tensor = std::get_if<Tensor>(&value);
    arguments.push_back(
        tensor
            ? rt::Argument::tensor(
                  tensor->array ? addressOf(*tensor->array) : 0, tensor->shape)
            : numberArgument(value));
  }
  return arguments;
}

static double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  size_t middle = times.size() / 2;
  return times.size() % 2 ? times[middle]
                          : (times[middle - 1] + times[middle]) / 2;
}

/// Calls `once` (which returns milliseconds) for the result, then for the
/// median.
static Result<double> measure(int64_t repeat,
                              llvm::function_ref<Result<double>()> once) {
  Result<double> first = once();
  if (first.failed())
    return first;
  std::vector<double> times;
  Progress progress("timing");
  for (int64_t i = 0; i < repeat; ++i) {
    Result<double> time = once();
    if (time.failed())
      return time;
    times.push_back(*time);
    progress.update(double(i) / repeat);
  }
  return times.empty() ? *first : median(std::move(times));
}

static Result<Execution> executeOnHost(Executable &executable,
                                       llvm::ArrayRef<RuntimeValue> values,
                                       llvm::ArrayRef<Array> results,
                                       int64_t repeat) {
  std::vector<rt::Argument> arguments = hostArguments(values), outputs;
  outputs.reserve(results.size());
  for (const Array &array : results)
    outputs.push_back(rt::Argument::tensor(addressOf(array), array.shape()));
  Result<double> milliseconds = measure(repeat, [&]() -> Result<double> {
    auto begin = std::chrono::steady_clock::now();
    Status status = executable.launch(arguments, outputs, nullptr);
    if (status.failed())
      return status;
    return std::chrono::duration<double, std::milli>(
               std::chrono::steady_clock::now() - begin)
        .count();
  });
  if (milliseconds.failed())
    return milliseconds.status();
  Execution execution;
  execution.milliseconds = *milliseconds;
  execution.device = std::to_string(rt::numThreads()) + " threads";
  return execution;
}

namespace {
/// Arguments and results of a call in device memory.
struct DeviceCall {
  std::vector<rt::Argument> arguments, results;
  std::vector<rt::cuda::DeviceBuffer> buffers;
};
} // namespace

static Result<Execution> executeOnDevice(Executable &executable,
                                         llvm::ArrayRef<RuntimeValue> values,
                                         llvm::MutableArrayRef<Array> results,
                                         int64_t repeat) {
  Result<const rt::cuda::Driver *> driver = rt::cuda::Driver::get();
  if (driver.failed())
    return driver.status();
  const rt::cuda::Driver &cuda = **driver;
  Result<rt::cuda::ContextScope> context = rt::cuda::ContextScope::enter(cuda);
  if (context.failed())
    return context.status();

  DeviceCall call;
  auto toDevice = [&](const Array &array) -> Result<rt::Argument> {
    Result<rt::cuda::DeviceBuffer> buffer =
        rt::cuda::DeviceBuffer::allocate(cuda, array.sizeInBytes());
    if (buffer.failed())
      return buffer.status();
    Status status = buffer->copyFromHost(array.data(), array.sizeInBytes());
    if (status.failed())
      return status;
    call.buffers.push_back(std::move(*buffer));
    return rt::Argument::tensor(call.buffers.back().address(), array.shape());
  };
  for (const RuntimeValue &value : values) {
    const auto *tensor = std::get_if<Tensor>(&value);
    if (!tensor) {
      call.arguments.push_back(numberArgument(value));
      continue;
    }
    Result<rt::Argument> argument = toDevice(*tensor->array);
    if (argument.failed())
      return argument.status();
    call.arguments.push_back(std::move(*argument));
  }
  for (const Array &array : results) { // poisoned
    Result<rt::Argument> argument = toDevice(array);
    if (argument.failed())
      return argument.status();
    call.results.push_back(std::move(*argument));
  }

  Result<rt::cuda::Timer> timer = rt::cuda::Timer::create(cuda);
  if (timer.failed())
    return timer.status();
  Result<double> milliseconds = measure(repeat, [&]() -> Result<double> {
    Status status = timer->start(nullptr);
    if (status.ok())
      status = executable.launch(call.arguments, call.results, nullptr);
    if (status.ok())
      status = timer->stop(nullptr);
    if (status.failed())
      return status;
    return timer->milliseconds();
  });
  if (milliseconds.failed())
    return milliseconds.status();
  Execution execution;
  execution.milliseconds = *milliseconds;
  for (size_t i = 0; i < results.size(); ++i) {
    rt::cuda::DeviceBuffer &buffer =
        call.buffers[call.buffers.size() - results.size() + i];
    Status status =
        buffer.copyToHost(results[i].data(), results[i].sizeInBytes());
    if (status.failed())
      return status;
  }
  Result<std::vector<rt::cuda::KernelAttributes>> kernels =
      executable.kernelAttributes();
  if (kernels.ok())
    execution.kernels = std::move(*kernels);
  Result<rt::cuda::DeviceInfo> info = rt::cuda::deviceInfo(cuda);
  if (info.ok())
    execution.device = info->name;
  return execution;
}

Result<Execution> flash::execute(Executable &executable,
                                 llvm::ArrayRef<RuntimeValue> values,
                                 llvm::MutableArrayRef<Array> results,
                                 int64_t repeat) {
  return executable.onDevice()
             ? executeOnDevice(executable, values, results, repeat)
             : executeOnHost(executable, values, results, repeat);
}
