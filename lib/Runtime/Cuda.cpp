//===- Cuda.cpp - Devices, contexts, modules, memory and time -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Thin wrappers: each calls the driver, and words the error if there is one.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Cuda.h"

#include <map>
#include <mutex>

using namespace flash::rt;
using namespace flash::rt::cuda;

//===----------------------------------------------------------------------===//
// Contexts and devices
//===----------------------------------------------------------------------===//

/// The primary context of device 0, retained by the first call.
static Result<Context> primaryContext(const Driver &driver) {
  static std::mutex mutex;
  static std::map<const Driver *, Context> retained;
  std::lock_guard<std::mutex> lock(mutex);
  auto it = retained.find(&driver);
  if (it != retained.end())
    return it->second;
  const char *what = "opening CUDA device 0";
  Device device = 0;
  Context context = nullptr;
  Status status =
      driver.check(driver.deviceGet(&device, 0), what, "cuDeviceGet");
  if (status.ok())
    status = driver.check(driver.primaryCtxRetain(&context, device), what,
                          "cuDevicePrimaryCtxRetain");
  if (status.failed())
    return status;
  retained.emplace(&driver, context);
  return context;
}

Result<ContextScope> ContextScope::enter(const Driver &driver, Stream stream) {
  Context context = nullptr;
  if (Code code = driver.ctxGetCurrent(&context))
    return driver.check(code, "asking for the current context",
                        "cuCtxGetCurrent");
  if (context)
    return ContextScope(driver, context, /*pushed=*/false);
  // Handles 0, 1 and 2 name default streams, which belong to any context.
  if (reinterpret_cast<uintptr_t>(stream) > 2 && driver.streamGetCtx) {
    if (Code code = driver.streamGetCtx(stream, &context))
      return driver.check(code, "asking for the stream's context",
                          "cuStreamGetCtx");
    return enter(driver, context);
  }
  Result<Context> primary = primaryContext(driver);
  if (primary.failed())
    return primary.status();
  return enter(driver, *primary);
}

Result<ContextScope> ContextScope::enter(const Driver &driver,
                                         Context context) {
  Status status = driver.check(driver.ctxPushCurrent(context),
                               "making a context current", "cuCtxPushCurrent");
  if (status.failed())
    return status;
  return ContextScope(driver, context, /*pushed=*/true);
}

ContextScope::~ContextScope() {
  Context ignored;
  if (pushed)
    (void)driver->ctxPopCurrent(&ignored);
}

uint64_t ContextScope::id() const {
  unsigned long long id;
  if (driver->ctxGetId && driver->ctxGetId(current, &id) == 0)
    return id;
  return reinterpret_cast<uintptr_t>(current);
}

Result<int> cuda::deviceCount(const Driver &driver) {
  int count = 0;
  Status status = driver.check(driver.deviceGetCount(&count),
                               "counting CUDA devices", "cuDeviceGetCount");
  if (status.failed())
    return status;
  return count;
}

Result<int> cuda::currentDevice(const Driver &driver) {
  Device device = 0;
  Status status =
      driver.check(driver.ctxGetDevice(&device),
                   "asking for the current device", "cuCtxGetDevice");
  if (status.failed())
    return status;
  return device;
}

Result<DeviceInfo> cuda::deviceInfo(const Driver &driver, int ordinal) {
  std::string what = "asking about CUDA device " + std::to_string(ordinal);
  DeviceInfo info;
  Device device = 0;
  Status status =
      driver.check(driver.deviceGet(&device, ordinal), what, "cuDeviceGet");
  char name[256] = {};
  if (status.ok())
    status = driver.check(driver.deviceGetName(name, sizeof(name), device),
                          what, "cuDeviceGetName");
  size_t memory = 0;
  if (status.ok())
    status = driver.check(driver.deviceTotalMem(&memory, device), what,
                          "cuDeviceTotalMem");
  if (status.ok())
    status = driver.check(driver.driverGetVersion(&info.driverVersion), what,
                          "cuDriverGetVersion");
  auto ask = [&](int attribute, auto &value) {
    int number = 0;
    if (status.ok())
      status =
          driver.check(driver.deviceGetAttribute(&number, attribute, device),
                       what, "cuDeviceGetAttribute");
    value = number;
  };
  ask(kComputeCapabilityMajor, info.computeMajor);
  ask(kComputeCapabilityMinor, info.computeMinor);
  ask(kMultiprocessorCount, info.multiprocessors);
  ask(kMaxSharedMemoryPerBlockOptin, info.sharedMemoryPerBlock);
  ask(kMaxSharedMemoryPerMultiprocessor, info.sharedMemoryPerMultiprocessor);
  ask(kMaxRegistersPerMultiprocessor, info.registersPerMultiprocessor);
  ask(kL2CacheSize, info.l2Bytes);
  ask(kClockRate, info.clockKHz);
  ask(kMemoryClockRate, info.memoryClockKHz);
  ask(kMemoryBusWidth, info.memoryBusBits);
  if (status.failed())
    return status;
  info.name = name;
  info.memoryBytes = static_cast<int64_t>(memory);
  return info;
}

//===----------------------------------------------------------------------===//
// Modules and launches
//===----------------------------------------------------------------------===//

Result<LoadedModule> LoadedModule::load(const Driver &driver,
                                        const std::string &name,
                                        const std::string &image) {
  constexpr size_t kLogSize = 8192;
  std::string log(kLogSize, '\0');
  int options[] = {kErrorLogBuffer, kErrorLogBufferSizeBytes,
                   kGenerateLineInfo};
  void *values[] = {&log[0], reinterpret_cast<void *>(kLogSize - 1),
                    reinterpret_cast<void *>(1)};
  // Of PTX that names lines of a source; a cubin has them or not.
  unsigned count = image.find("\t.loc\t") == std::string::npos ? 2 : 3;
  Module module = nullptr;
  // PTX must end in a zero, as std::string's data do.
  Code code =
      driver.moduleLoadDataEx(&module, image.c_str(), count, options, values);
  log.resize(log.find('\0'));
  while (!log.empty() && (log.back() == '\n' || log.back() == ' '))
    log.pop_back();
  Status status = driver.check(code, "loading the module of '" + name + "'",
                               "cuModuleLoadDataEx", log);
  if (status.failed())
    return status;
  return LoadedModule(driver, module);
}

LoadedModule::~LoadedModule() {
  if (module)
    (void)driver->moduleUnload(module);
}

Result<Function> LoadedModule::function(const std::string &name) const {
  Function function = nullptr;
  Status status = driver->check(
      driver->moduleGetFunction(&function, module, name.c_str()),
      "looking up the kernel '" + name + "'", "cuModuleGetFunction");
  if (status.failed())
    return status;
  return function;
}

Result<KernelAttributes> cuda::kernelAttributes(const Driver &driver,
                                                const std::string &name,
                                                Function function) {
  KernelAttributes result;
  Status status = Status::success();
  auto ask = [&](int attribute, int &value) {
    if (status.ok())
      status = driver.check(
          driver.funcGetAttribute(&value, attribute, function),
          "asking about the kernel '" + name + "'", "cuFuncGetAttribute");
  };
  ask(kNumRegs, result.registers);
  ask(kSharedSizeBytes, result.staticSharedBytes);
  ask(kLocalSizeBytes, result.localBytes);
  ask(kMaxThreadsPerBlock, result.maxThreadsPerBlock);
  if (status.failed())
    return status;
  return result;
}

static std::string text(const unsigned (&sizes)[3]) {
  return "(" + std::to_string(sizes[0]) + ", " + std::to_string(sizes[1]) +
         ", " + std::to_string(sizes[2]) + ")";
}

Status cuda::launchKernel(const Driver &driver, const std::string &name,
                          Function function, const LaunchGeometry &geometry,
                          Stream stream, void **params) {
  const auto &[grid, block, cluster, shared] = geometry;
  bool clustered = cluster[0] * cluster[1] * cluster[2] > 1;
  Code code;
  const char *call = "cuLaunchKernel";
  if (!clustered) {
    code = driver.launchKernel(function, grid[0], grid[1], grid[2], block[0],
                               block[1], block[2], shared, stream, params,
                               nullptr);
  } else {
    call = "cuLaunchKernelEx";
    if (!driver.launchKernelEx)
      return Status::error("launching '" + name + "' needs " + call +
                           ", which this CUDA driver does not have");
    LaunchAttribute attribute = {};
    attribute.id = LaunchAttribute::kClusterDimension;
    LaunchConfig config = {};
    for (int i = 0; i < 3; ++i) {
      attribute.value.clusterDim[i] = cluster[i];
      config.gridDim[i] = grid[i];
      config.blockDim[i] = block[i];
    }
    config.sharedMemBytes = shared;
    config.stream = stream;
    config.attrs = &attribute;
    config.numAttrs = 1;
    code = driver.launchKernelEx(&config, function, params, nullptr);
  }
  if (code == 0)
    return Status::success();
  return driver.check(
      code,
      "launching '" + name + "' with grid " + text(grid) + ", block " +
          text(block) + (clustered ? ", cluster " + text(cluster) : "") + ", " +
          std::to_string(shared) + " bytes of dynamic shared memory",
      call);
}

Status cuda::synchronize(const Driver &driver, Stream stream) {
  return driver.check(driver.streamSynchronize(stream),
                      "waiting for the stream", "cuStreamSynchronize");
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Result<DeviceBuffer> DeviceBuffer::allocate(const Driver &driver,
                                            int64_t bytes) {
  DevicePtr pointer = 0;
  if (bytes < 0)
    return Status::error("allocating a negative size of device memory: " +
                         std::to_string(bytes));
  if (bytes > 0) {
    Status status = driver.check(
        driver.memAlloc(&pointer, static_cast<size_t>(bytes)),
        "allocating " + std::to_string(bytes) + " bytes of device memory",
        "cuMemAlloc");
    if (status.failed())
      return status;
  }
  return DeviceBuffer(driver, pointer, bytes);
}

DeviceBuffer::~DeviceBuffer() {
  if (pointer)
    (void)driver->memFree(pointer);
}

Status DeviceBuffer::copyFromHost(const void *from, int64_t size,
                                  Stream stream) {
  if (size < 0 || size > bytes)
    return Status::error("copying " + std::to_string(size) +
                         " bytes to a device buffer of " +
                         std::to_string(bytes));
  if (size == 0)
    return Status::success();
  Status status = driver->check(
      driver->memcpyHtoDAsync(pointer, from, static_cast<size_t>(size), stream),
      "copying " + std::to_string(size) + " bytes to the device",
      "cuMemcpyHtoDAsync");
  return status.ok() ? synchronize(*driver, stream) : status;
}

Status DeviceBuffer::copyToHost(void *to, int64_t size, Stream stream) const {
  if (size < 0 || size > bytes)
    return Status::error("copying " + std::to_string(size) +
                         " bytes from a device buffer of " +
                         std::to_string(bytes));
  if (size == 0)
    return Status::success();
  Status status = driver->check(
      driver->memcpyDtoHAsync(to, pointer, static_cast<size_t>(size), stream),
      "copying " + std::to_string(size) + " bytes from the device",
      "cuMemcpyDtoHAsync");
  return status.ok() ? synchronize(*driver, stream) : status;
}

Status DeviceBuffer::fill(unsigned char value, Stream stream) {
  if (bytes == 0)
    return Status::success();
  return driver->check(
      driver->memsetD8Async(pointer, value, static_cast<size_t>(bytes), stream),
      "filling device memory", "cuMemsetD8Async");
}

//===----------------------------------------------------------------------===//
// Time
//===----------------------------------------------------------------------===//

Result<Timer> Timer::create(const Driver &driver) {
  Timer timer(driver, nullptr, nullptr);
  for (Event *event : {&timer.begin, &timer.end}) {
    Status status = driver.check(driver.eventCreate(event, 0),
                                 "creating a timer", "cuEventCreate");
    if (status.failed())
      return status;
  }
  return timer;
}

Timer::~Timer() {
  for (Event event : {begin, end})
    if (event)
      (void)driver->eventDestroy(event);
}

Status Timer::start(Stream stream) {
  return driver->check(driver->eventRecord(begin, stream), "starting a timer",
                       "cuEventRecord");
}

Status Timer::stop(Stream stream) {
  return driver->check(driver->eventRecord(end, stream), "stopping a timer",
                       "cuEventRecord");
}

Result<double> Timer::milliseconds() const {
  float time = 0;
  // A kernel that failed is reported here, as the wait for it.
  Status status = driver->check(driver->eventSynchronize(end),
                                "waiting for the kernel", "cuEventSynchronize");
  if (status.ok())
    status = driver->check(driver->eventElapsedTime(&time, begin, end),
                           "reading a timer", "cuEventElapsedTime");
  if (status.failed())
    return status;
  return static_cast<double>(time);
}
