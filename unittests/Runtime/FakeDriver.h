//===- FakeDriver.h - A CUDA driver for tests -------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A driver table whose functions write down what they are asked, so that the
// runtime is tested to the byte without a GPU. Errors are asked for by setting
// `fail` to a function's name.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_UNITTESTS_RUNTIME_FAKEDRIVER_H
#define FLASH_UNITTESTS_RUNTIME_FAKEDRIVER_H

#include "flash/Runtime/CudaDriver.h"

#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace flash::rt::cuda {

/// What was launched; params holds the bytes of each parameter.
struct RecordedLaunch {
  std::string kernel;
  std::string call;
  std::vector<unsigned> grid, block, cluster;
  unsigned sharedBytes = 0;
  Stream stream = nullptr;
  std::vector<std::string> params;

  template <typename T> T param(size_t index) const {
    T value;
    EXPECT_EQ(params[index].size(), sizeof(T));
    std::memcpy(&value, params[index].data(), sizeof(T));
    return value;
  }
};

struct RecordedMap {
  int type = 0;
  uint64_t address = 0;
  std::vector<uint64_t> dims, strides;
  std::vector<uint32_t> box, elementStrides;
  int interleave = 0, swizzle = 0, l2Promotion = 0, oobFill = 0;
};

/// The state behind the fake table. One at a time.
struct FakeDriver {
  Driver table;

  // What tests set.
  std::string fail; ///< this function returns failCode
  Code failCode = 700;
  std::string jitLog;
  std::vector<size_t> paramSizes; ///< of every kernel
  int paramErrors = 0;            ///< parameters asked for that are not there
  Context current = nullptr;      ///< the caller's context
  std::map<Stream, Context> streamContexts;

  // What they read.
  std::mutex mutex;
  std::vector<std::string> calls;
  std::vector<RecordedLaunch> launches;
  std::vector<RecordedMap> maps;
  std::vector<std::string> images;
  std::map<DevicePtr, size_t> allocations;
  std::map<std::string, int> sharedAsked; ///< by kernel
  std::vector<Context> stack;
  int liveModules = 0;
  DevicePtr ordered = 0; ///< allocations on streams

  FakeDriver();
  ~FakeDriver() { instance = nullptr; }

  int count(const std::string &call) const {
    int n = 0;
    for (const std::string &c : calls)
      n += c == call;
    return n;
  }

  /// Notes the call; its error code.
  static Code call(const char *name) {
    instance->calls.push_back(name);
    return instance->fail == name ? instance->failCode : 0;
  }

  static FakeDriver *instance;
};

inline FakeDriver *FakeDriver::instance = nullptr;

inline Context fakeContext(uintptr_t i) {
  return reinterpret_cast<Context>(0xc000 + i);
}
inline Stream fakeStream(uintptr_t i) {
  return reinterpret_cast<Stream>(0x5000 + i);
}

inline FakeDriver::FakeDriver() {
  instance = this;
  table.init = [](unsigned) { return call("cuInit"); };
  table.driverGetVersion = [](int *version) {
    *version = 12040;
    return call("cuDriverGetVersion");
  };
  table.getErrorName = [](Code code, const char **name) {
    static const std::map<Code, const char *> names = {
        {1, "CUDA_ERROR_INVALID_VALUE"},
        {2, "CUDA_ERROR_OUT_OF_MEMORY"},
        {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
        {218, "CUDA_ERROR_INVALID_PTX"},
        {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}};
    auto it = names.find(code);
    if (it == names.end())
      return 1;
    *name = it->second;
    return 0;
  };
  table.getErrorString = [](Code code, const char **text) {
    *text = code == 218   ? "a PTX JIT compilation failed"
            : code == 2   ? "out of memory"
            : code == 700 ? "an illegal memory access was encountered"
                          : "other";
    return code == 999 ? 1 : 0;
  };
  table.deviceGet = [](Device *device, int ordinal) {
    *device = ordinal;
    return call("cuDeviceGet");
  };
  table.deviceGetCount = [](int *count) {
    *count = 2;
    return call("cuDeviceGetCount");
  };
  table.deviceGetName = [](char *name, int size, Device) {
    std::strncpy(name, "Fake H100", static_cast<size_t>(size));
    return call("cuDeviceGetName");
  };
  table.deviceGetAttribute = [](int *value, int attribute, Device) {
    *value = attribute == kComputeCapabilityMajor         ? 9
             : attribute == kComputeCapabilityMinor       ? 0
             : attribute == kMaxSharedMemoryPerBlockOptin ? 232448
             : attribute == kMultiprocessorCount          ? 132
                                                          : attribute;
    return call("cuDeviceGetAttribute");
  };
  table.deviceTotalMem = [](size_t *bytes, Device) {
    *bytes = size_t(80) << 30;
    return call("cuDeviceTotalMem");
  };
  table.primaryCtxRetain = [](Context *context, Device) {
    *context = fakeContext(0);
    return call("cuDevicePrimaryCtxRetain");
  };
  table.ctxGetCurrent = [](Context *context) {
    *context =
        instance->stack.empty() ? instance->current : instance->stack.back();
    return call("cuCtxGetCurrent");
  };
  table.ctxPushCurrent = [](Context context) {
    instance->stack.push_back(context);
    return call("cuCtxPushCurrent");
  };
  table.ctxPopCurrent = [](Context *context) {
    *context = instance->stack.back();
    instance->stack.pop_back();
    return call("cuCtxPopCurrent");
  };
  table.ctxGetDevice = [](Device *device) {
    *device = 0;
    return call("cuCtxGetDevice");
  };
  table.ctxSynchronize = [] { return call("cuCtxSynchronize"); };
  table.moduleLoadDataEx = [](Module *module, const void *image, unsigned n,
                              int *options, void **values) {
    for (unsigned i = 0; i < n; ++i)
      if (options[i] == kErrorLogBuffer)
        std::strcpy(static_cast<char *>(values[i]), instance->jitLog.c_str());
    instance->images.push_back(static_cast<const char *>(image));
    *module = reinterpret_cast<Module>(instance->images.size());
    Code code = call("cuModuleLoadDataEx");
    instance->liveModules += code == 0;
    return code;
  };
  table.moduleUnload = [](Module) {
    --instance->liveModules;
    return call("cuModuleUnload");
  };
  table.moduleGetFunction = [](Function *function, Module, const char *name) {
    // A function is its name.
    static std::set<std::string> names;
    *function = reinterpret_cast<Function>(
        const_cast<char *>(names.insert(name).first->c_str()));
    return call("cuModuleGetFunction");
  };
  table.funcGetAttribute = [](int *value, int attribute, Function) {
    *value = 100 + attribute;
    return call("cuFuncGetAttribute");
  };
  table.funcSetAttribute = [](Function function, int attribute, int value) {
    if (attribute == kMaxDynamicSharedSizeBytes)
      instance->sharedAsked[reinterpret_cast<const char *>(function)] = value;
    return call(attribute == kNonPortableClusterSizeAllowed
                    ? "cuFuncSetAttribute(nonportable)"
                    : "cuFuncSetAttribute");
  };
  static auto copyParams = [](RecordedLaunch &launch, void **params) {
    for (size_t i = 0; i < instance->paramSizes.size(); ++i)
      launch.params.emplace_back(static_cast<const char *>(params[i]),
                                 instance->paramSizes[i]);
  };
  table.launchKernel = [](Function function, unsigned gx, unsigned gy,
                          unsigned gz, unsigned bx, unsigned by, unsigned bz,
                          unsigned shared, Stream stream, void **params,
                          void **) {
    std::lock_guard<std::mutex> lock(instance->mutex);
    RecordedLaunch launch;
    launch.kernel = reinterpret_cast<const char *>(function);
    launch.call = "cuLaunchKernel";
    launch.grid = {gx, gy, gz};
    launch.block = {bx, by, bz};
    launch.sharedBytes = shared;
    launch.stream = stream;
    copyParams(launch, params);
    instance->launches.push_back(launch);
    return call("cuLaunchKernel");
  };
  table.launchKernelEx = [](const LaunchConfig *config, Function function,
                            void **params, void **) {
    std::lock_guard<std::mutex> lock(instance->mutex);
    RecordedLaunch launch;
    launch.kernel = reinterpret_cast<const char *>(function);
    launch.call = "cuLaunchKernelEx";
    launch.grid.assign(config->gridDim, config->gridDim + 3);
    launch.block.assign(config->blockDim, config->blockDim + 3);
    for (unsigned i = 0; i < config->numAttrs; ++i)
      if (config->attrs[i].id == LaunchAttribute::kClusterDimension)
        launch.cluster.assign(config->attrs[i].value.clusterDim,
                              config->attrs[i].value.clusterDim + 3);
    launch.sharedBytes = config->sharedMemBytes;
    launch.stream = config->stream;
    copyParams(launch, params);
    instance->launches.push_back(launch);
    return call("cuLaunchKernelEx");
  };
  table.memAlloc = [](DevicePtr *pointer, size_t bytes) {
    static DevicePtr next = 0x7000000;
    *pointer = next;
    next += (bytes + 0xfff) / 0x1000 * 0x1000;
    Code code = call("cuMemAlloc");
    if (code == 0)
      instance->allocations[*pointer] = bytes;
    return code;
  };
  table.memFree = [](DevicePtr pointer) {
    EXPECT_EQ(instance->allocations.erase(pointer), 1u);
    return call("cuMemFree");
  };
  table.memAllocAsync = [](DevicePtr *pointer, size_t bytes, Stream) {
    *pointer = 0x9000000 + 0x100000 * instance->ordered++;
    Code code = call("cuMemAllocAsync");
    if (code == 0)
      instance->allocations[*pointer] = bytes;
    return code;
  };
  table.memFreeAsync = [](DevicePtr pointer, Stream) {
    EXPECT_EQ(instance->allocations.erase(pointer), 1u);
    return call("cuMemFreeAsync");
  };
  table.memcpyHtoDAsync = [](DevicePtr, const void *, size_t, Stream) {
    return call("cuMemcpyHtoDAsync");
  };
  table.memcpyDtoHAsync = [](void *, DevicePtr, size_t, Stream) {
    return call("cuMemcpyDtoHAsync");
  };
  table.memsetD8Async = [](DevicePtr pointer, unsigned char value, size_t bytes,
                           Stream stream) {
    RecordedLaunch launch;
    launch.call = "cuMemsetD8Async";
    launch.kernel = std::to_string(pointer) + " " + std::to_string(value) +
                    " " + std::to_string(bytes);
    launch.stream = stream;
    instance->launches.push_back(launch);
    return call("cuMemsetD8Async");
  };
  table.streamCreate = [](Stream *, unsigned) {
    return call("cuStreamCreate");
  };
  table.streamDestroy = [](Stream) { return call("cuStreamDestroy"); };
  table.streamSynchronize = [](Stream) { return call("cuStreamSynchronize"); };
  table.eventCreate = [](Event *event, unsigned) {
    *event = reinterpret_cast<Event>(0xe000);
    return call("cuEventCreate");
  };
  table.eventDestroy = [](Event) { return call("cuEventDestroy"); };
  table.eventRecord = [](Event, Stream) { return call("cuEventRecord"); };
  table.eventSynchronize = [](Event) { return call("cuEventSynchronize"); };
  table.eventElapsedTime = [](float *time, Event, Event) {
    *time = 1.5f;
    return call("cuEventElapsedTime");
  };
  table.tensorMapEncodeTiled =
      [](TensorMap *map, int type, uint32_t rank, void *address,
         const uint64_t *dims, const uint64_t *strides, const uint32_t *box,
         const uint32_t *elementStrides, int interleave, int swizzle,
         int l2Promotion, int oobFill) {
        RecordedMap record;
        record.type = type;
        record.address = reinterpret_cast<uintptr_t>(address);
        record.dims.assign(dims, dims + rank);
        record.strides.assign(strides, strides + rank - 1);
        record.box.assign(box, box + rank);
        record.elementStrides.assign(elementStrides, elementStrides + rank);
        record.interleave = interleave;
        record.swizzle = swizzle;
        record.l2Promotion = l2Promotion;
        record.oobFill = oobFill;
        EXPECT_EQ(reinterpret_cast<uintptr_t>(map) % 64, 0u);
        // Told apart by its number.
        instance->maps.push_back(record);
        for (uint64_t &word : map->opaque)
          word = 0xabc000 + instance->maps.size();
        return call("cuTensorMapEncodeTiled");
      };
  table.funcGetParamCount = [](Function, size_t *count) {
    *count = instance->paramSizes.size();
    return 0;
  };
  table.funcGetParamInfo = [](Function, size_t index, size_t *offset,
                              size_t *size) {
    if (index >= instance->paramSizes.size()) {
      ++instance->paramErrors;
      return 1;
    }
    *offset = 0;
    *size = instance->paramSizes[index];
    return 0;
  };
  table.ctxGetId = [](Context context, unsigned long long *id) {
    *id = reinterpret_cast<uintptr_t>(context) + 1;
    return 0;
  };
  table.streamGetCtx = [](Stream stream, Context *context) {
    auto it = instance->streamContexts.find(stream);
    *context =
        it == instance->streamContexts.end() ? fakeContext(0) : it->second;
    return call("cuStreamGetCtx");
  };
}

} // namespace flash::rt::cuda

#endif // FLASH_UNITTESTS_RUNTIME_FAKEDRIVER_H
