//===- Bench.cpp - Runs and times code on the device ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Arrays of inputs and results that all candidates share. On a device all
// launches of a call of `time` are queued before the first is waited for, so
// that the host's part is not in the time between the events.
//
//===----------------------------------------------------------------------===//

#include "TunerImpl.h"

#include "flash/Reference/Check.h"
#include "flash/Runtime/Random.h"

#include <cstring>

using namespace flash;
using namespace flash::tuner;
using reference::Tensor;
using rt::Array;
using rt::Result;
using rt::Status;

/// Normal numbers; a pattern of a million repeats unless they are `distinct`.
static Status fillInput(Array &array, uint64_t seed, bool distinct) {
  constexpr int64_t kPattern = 1 << 20;
  if (distinct || array.numElements() <= kPattern)
    return rt::fillNormal(array, seed);
  Result<Array> pattern = Array::create(array.dtype(), {kPattern});
  if (pattern.failed())
    return pattern.status();
  Status status = rt::fillNormal(*pattern, seed);
  auto *to = static_cast<char *>(array.data());
  for (int64_t at = 0, all = array.sizeInBytes(); at < all;
       at += pattern->sizeInBytes())
    std::memcpy(to + at, pattern->data(),
                std::min(pattern->sizeInBytes(), all - at));
  return status;
}

namespace {

/// What the two kinds of memory have in common.
class BenchBase : public Bench {
public:
  explicit BenchBase(uint64_t seed) : seed(seed) {}

  Status load(const TuneCase &what, bool distinct) override {
    arguments.clear();
    results.clear();
    for (auto [index, value] : llvm::enumerate(what.arguments)) {
      const auto *tensor = std::get_if<Tensor>(&value);
      if (!tensor) {
        const auto *real = std::get_if<double>(&value);
        arguments.push_back(
            real ? rt::Argument::real(*real)
                 : rt::Argument::index(std::get<int64_t>(value)));
        continue;
      }
      std::shared_ptr<const Array> array = tensor->array;
      if (!array) {
        Result<std::shared_ptr<const Array>> made =
            makeInput(index, tensor->type, tensor->shape, distinct);
        if (made.failed())
          return made.status();
        array = *made;
      }
      Result<uint64_t> address = put(index, array);
      if (address.failed())
        return address.status();
      arguments.push_back(rt::Argument::tensor(*address, tensor->shape));
    }
    resultTypes = what.results;
    for (auto [index, result] : llvm::enumerate(what.results)) {
      Result<uint64_t> address =
          reserve(arguments.size() + index, result.first, result.second);
      if (address.failed())
        return address.status();
      results.push_back(rt::Argument::tensor(*address, result.second));
    }
    return Status::success();
  }

protected:
  /// Host arrays for the results, full of NaN.
  Result<std::vector<Array>> makeOutputs() {
    std::vector<Array> outputs;
    for (const auto &[type, shape] : resultTypes) {
      Result<Array> array = Array::create(type, shape);
      if (array.failed())
        return array.status();
      reference::poison(*array);
      outputs.push_back(std::move(*array));
    }
    return std::move(outputs);
  }

  /// Room for a result.
  virtual Result<uint64_t> reserve(size_t slot, rt::DType type,
                                   const std::vector<int64_t> &shape) = 0;

  /// Where the array is for code; `slot` keeps what was put there last.
  virtual Result<uint64_t> put(size_t slot,
                               std::shared_ptr<const Array> array) = 0;

  /// The random input of an argument; the one of before, where it will do.
  Result<std::shared_ptr<const Array>>
  makeInput(size_t index, rt::DType type, const std::vector<int64_t> &shape,
            bool distinct) {
    std::shared_ptr<const Array> &last = made[index];
    Result<int64_t> count = rt::countElements(shape);
    if (count.failed())
      return count.status();
    if (!last || distinct || last->dtype() != type ||
        last->numElements() != *count) {
      Result<Array> array = Array::create(type, shape);
      if (array.failed())
        return array.status();
      if (Status status = fillInput(*array, seed * 256 + index, distinct);
          status.failed())
        return status;
      last = std::make_shared<Array>(std::move(*array));
    }
    return last;
  }

  uint64_t seed;
  std::map<size_t, std::shared_ptr<const Array>> made;
  std::vector<std::pair<rt::DType, std::vector<int64_t>>> resultTypes;
  std::vector<rt::Argument> arguments, results;
};

class HostBench : public BenchBase {
public:
  using BenchBase::BenchBase;

  Result<std::vector<double>> time(Executable &executable, int count) override {
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
      auto begin = std::chrono::steady_clock::now();
      Status status = executable.launch(arguments, results, nullptr);
      if (status.failed())
        return status;
      times.push_back(std::chrono::duration<double, std::milli>(
                          std::chrono::steady_clock::now() - begin)
                          .count());
    }
    return times;
  }

  Result<std::vector<Array>> run(Executable &executable) override {
    Result<std::vector<Array>> outputs = makeOutputs();
    if (outputs.failed())
      return outputs;
    std::vector<rt::Argument> views;
    for (const Array &array : *outputs)
      views.push_back(rt::Argument::tensor(
          reinterpret_cast<uint64_t>(array.data()), array.shape()));
    if (Status status = executable.launch(arguments, views, nullptr);
        status.failed())
      return status;
    return outputs;
  }

private:
  Result<uint64_t> put(size_t slot,
                       std::shared_ptr<const Array> array) override {
    kept[slot] = array;
    return reinterpret_cast<uint64_t>(array->data());
  }

  Result<uint64_t> reserve(size_t slot, rt::DType type,
                           const std::vector<int64_t> &shape) override {
    Result<Array> array = Array::create(type, shape);
    if (array.failed())
      return array.status();
    return put(slot, std::make_shared<Array>(std::move(*array)));
  }

  std::map<size_t, std::shared_ptr<const Array>> kept;
};

class DeviceBench : public BenchBase {
public:
  DeviceBench(uint64_t seed, const rt::cuda::Driver &driver,
              rt::cuda::ContextScope context)
      : BenchBase(seed), driver(driver), context(std::move(context)) {}

  Result<std::vector<double>> time(Executable &executable, int count) override {
    while (int(timers.size()) < count) {
      Result<rt::cuda::Timer> timer = rt::cuda::Timer::create(driver);
      if (timer.failed())
        return timer.status();
      timers.push_back(std::move(*timer));
    }
    for (int i = 0; i < count; ++i) {
      Status status = timers[i].start(nullptr);
      if (status.ok())
        status = executable.launch(arguments, results, nullptr);
      if (status.ok())
        status = timers[i].stop(nullptr);
      if (status.failed())
        return status;
    }
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
      Result<double> time = timers[i].milliseconds();
      if (time.failed())
        return time.status();
      times.push_back(*time);
    }
    return times;
  }

  Result<std::vector<Array>> run(Executable &executable) override {
    Result<std::vector<Array>> outputs = makeOutputs();
    if (outputs.failed())
      return outputs;
    size_t first = arguments.size();
    Status status = Status::success();
    for (auto [index, array] : llvm::enumerate(*outputs))
      if (status.ok())
        status = slots.at(first + index)
                     .copyFromHost(array.data(), array.sizeInBytes());
    if (status.ok())
      status = executable.launch(arguments, results, nullptr);
    for (auto [index, array] : llvm::enumerate(*outputs))
      if (status.ok())
        status = slots.at(first + index)
                     .copyToHost(array.data(), array.sizeInBytes());
    if (status.failed())
      return status;
    return outputs;
  }

private:
  Result<uint64_t> put(size_t slot,
                       std::shared_ptr<const Array> array) override {
    Result<rt::cuda::DeviceBuffer *> buffer = find(slot, array->sizeInBytes());
    if (buffer.failed())
      return buffer.status();
    // What a case of before used is there already.
    if (std::shared_ptr<const Array> &last = there[slot]; last != array) {
      Status status =
          (*buffer)->copyFromHost(array->data(), array->sizeInBytes());
      if (status.failed())
        return status;
      last = array;
    }
    return (*buffer)->address();
  }

  Result<uint64_t> reserve(size_t slot, rt::DType type,
                           const std::vector<int64_t> &shape) override {
    Result<int64_t> count = rt::countElements(shape);
    if (count.failed())
      return count.status();
    Result<rt::cuda::DeviceBuffer *> buffer =
        find(slot, *count * rt::sizeOf(type));
    if (buffer.failed())
      return buffer.status();
    there.erase(slot);
    return (*buffer)->address();
  }

  /// A buffer that is large enough.
  Result<rt::cuda::DeviceBuffer *> find(size_t slot, int64_t bytes) {
    auto found = slots.find(slot);
    if (found != slots.end() && found->second.size() >= bytes)
      return &found->second;
    if (found != slots.end())
      slots.erase(found);
    there.erase(slot);
    Result<rt::cuda::DeviceBuffer> buffer =
        rt::cuda::DeviceBuffer::allocate(driver, bytes);
    if (buffer.failed())
      return buffer.status();
    return &slots.emplace(slot, std::move(*buffer)).first->second;
  }

  const rt::cuda::Driver &driver;
  rt::cuda::ContextScope context;
  std::map<size_t, rt::cuda::DeviceBuffer> slots;
  std::map<size_t, std::shared_ptr<const Array>> there;
  std::vector<rt::cuda::Timer> timers;
};

} // namespace

Result<std::unique_ptr<Bench>> Bench::create(bool onDevice, uint64_t seed) {
  if (!onDevice)
    return std::unique_ptr<Bench>(new HostBench(seed));
  Result<const rt::cuda::Driver *> driver = rt::cuda::Driver::get();
  if (driver.failed())
    return driver.status();
  Result<rt::cuda::ContextScope> context =
      rt::cuda::ContextScope::enter(**driver);
  if (context.failed())
    return context.status();
  return std::unique_ptr<Bench>(
      new DeviceBench(seed, **driver, std::move(*context)));
}
