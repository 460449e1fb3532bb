//===- CudaDriver.h - The CUDA driver as a table of functions ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of the CUDA driver API that the runtime uses, declared here so that
// no CUDA header is needed, and found in libcuda.so.1 when it is first asked
// for, so that programs start on machines without a GPU. The table is a value:
// tests put functions of their own in it.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_CUDADRIVER_H
#define FLASH_RUNTIME_CUDADRIVER_H

#include "flash/Runtime/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace flash::rt::cuda {

/// CUresult; 0 is success.
using Code = int;
using Device = int;
using DevicePtr = uint64_t;
using Context = struct ContextHandle *;
using Module = struct ModuleHandle *;
using Function = struct FunctionHandle *;
using Stream = struct StreamHandle *;
using Event = struct EventHandle *;

/// CUtensorMap: opaque, passed to kernels by value.
struct alignas(64) TensorMap {
  uint64_t opaque[16];
};

/// CUlaunchAttribute: an identifier and a 64-byte value.
struct LaunchAttribute {
  static constexpr int kClusterDimension = 4;
  int id;
  char pad[4];
  union {
    char bytes[64];
    unsigned clusterDim[3];
  } value;
};
static_assert(sizeof(LaunchAttribute) == 72, "layout of CUlaunchAttribute");

/// CUlaunchConfig.
struct LaunchConfig {
  unsigned gridDim[3];
  unsigned blockDim[3];
  unsigned sharedMemBytes;
  Stream stream;
  LaunchAttribute *attrs;
  unsigned numAttrs;
};
static_assert(sizeof(LaunchConfig) == 56, "layout of CUlaunchConfig");

/// CUdevice_attribute, the values used.
enum DeviceAttribute : int {
  kMaxSharedMemoryPerBlock = 8,
  kClockRate = 13,
  kMultiprocessorCount = 16,
  kMemoryClockRate = 36,
  kMemoryBusWidth = 37,
  kL2CacheSize = 38,
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
  kMaxSharedMemoryPerMultiprocessor = 81,
  kMaxRegistersPerMultiprocessor = 82,
  kMaxSharedMemoryPerBlockOptin = 97,
};

/// CUfunction_attribute, the values used.
enum FunctionAttribute : int {
  kMaxThreadsPerBlock = 0,
  kSharedSizeBytes = 1,
  kLocalSizeBytes = 3,
  kNumRegs = 4,
  kMaxDynamicSharedSizeBytes = 8,
  kNonPortableClusterSizeAllowed = 14,
};

/// CUjit_option, the values used.
enum JitOption : int {
  kInfoLogBuffer = 3,
  kInfoLogBufferSizeBytes = 4,
  kErrorLogBuffer = 5,
  kErrorLogBufferSizeBytes = 6,
  kLogVerbose = 12,
  kGenerateLineInfo = 13,
};

// clang-format off
/// X(member, symbol, parameters): functions that every supported driver has.
#define FLASH_RT_CUDA_FUNCTIONS(X)                                             \
  X(init, cuInit, (unsigned flags))                                            \
  X(driverGetVersion, cuDriverGetVersion, (int *version))                      \
  X(getErrorName, cuGetErrorName, (Code code, const char **name))              \
  X(getErrorString, cuGetErrorString, (Code code, const char **text))          \
  X(deviceGet, cuDeviceGet, (Device *device, int ordinal))                     \
  X(deviceGetCount, cuDeviceGetCount, (int *count))                            \
  X(deviceGetName, cuDeviceGetName, (char *name, int size, Device device))     \
  X(deviceGetAttribute, cuDeviceGetAttribute, (int *value, int attribute, Device device)) \
  X(deviceTotalMem, cuDeviceTotalMem_v2, (size_t *bytes, Device device))       \
  X(primaryCtxRetain, cuDevicePrimaryCtxRetain, (Context *context, Device device)) \
  X(ctxGetCurrent, cuCtxGetCurrent, (Context *context))                        \
  X(ctxPushCurrent, cuCtxPushCurrent_v2, (Context context))                    \
  X(ctxPopCurrent, cuCtxPopCurrent_v2, (Context *context))                     \
  X(ctxGetDevice, cuCtxGetDevice, (Device *device))                            \
  X(ctxSynchronize, cuCtxSynchronize, ())                                      \
  X(moduleLoadDataEx, cuModuleLoadDataEx, (Module *module, const void *image, unsigned numOptions, int *options, void **values)) \
  X(moduleUnload, cuModuleUnload, (Module module))                             \
  X(moduleGetFunction, cuModuleGetFunction, (Function *function, Module module, const char *name)) \
  X(funcGetAttribute, cuFuncGetAttribute, (int *value, int attribute, Function function)) \
  X(funcSetAttribute, cuFuncSetAttribute, (Function function, int attribute, int value)) \
  X(launchKernel, cuLaunchKernel, (Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream stream, void **params, void **extra)) \
  X(memAlloc, cuMemAlloc_v2, (DevicePtr *pointer, size_t bytes))               \
  X(memFree, cuMemFree_v2, (DevicePtr pointer))                                \
  X(memcpyHtoDAsync, cuMemcpyHtoDAsync_v2, (DevicePtr to, const void *from, size_t bytes, Stream stream)) \
  X(memcpyDtoHAsync, cuMemcpyDtoHAsync_v2, (void *to, DevicePtr from, size_t bytes, Stream stream)) \
  X(memsetD8Async, cuMemsetD8Async, (DevicePtr pointer, unsigned char value, size_t bytes, Stream stream)) \
  X(streamCreate, cuStreamCreate, (Stream *stream, unsigned flags))            \
  X(streamDestroy, cuStreamDestroy_v2, (Stream stream))                        \
  X(streamSynchronize, cuStreamSynchronize, (Stream stream))                   \
  X(eventCreate, cuEventCreate, (Event *event, unsigned flags))                \
  X(eventDestroy, cuEventDestroy_v2, (Event event))                            \
  X(eventRecord, cuEventRecord, (Event event, Stream stream))                  \
  X(eventSynchronize, cuEventSynchronize, (Event event))                       \
  X(eventElapsedTime, cuEventElapsedTime, (float *milliseconds, Event begin, Event end))

/// Functions of newer drivers; the member is null where one is missing.
#define FLASH_RT_CUDA_OPTIONAL_FUNCTIONS(X)                                    \
  X(launchKernelEx, cuLaunchKernelEx, (const LaunchConfig *config, Function function, void **params, void **extra)) \
  X(tensorMapEncodeTiled, cuTensorMapEncodeTiled, (TensorMap *map, int type, uint32_t rank, void *address, const uint64_t *dims, const uint64_t *strides, const uint32_t *box, const uint32_t *elementStrides, int interleave, int swizzle, int l2Promotion, int oobFill)) \
  X(funcGetParamCount, cuFuncGetParamCount, (Function function, size_t *count)) \
  X(funcGetParamInfo, cuFuncGetParamInfo, (Function function, size_t index, size_t *offset, size_t *size)) \
  X(memAllocAsync, cuMemAllocAsync, (DevicePtr *pointer, size_t bytes, Stream stream)) \
  X(memFreeAsync, cuMemFreeAsync, (DevicePtr pointer, Stream stream))          \
  X(ctxGetId, cuCtxGetId, (Context context, unsigned long long *id))           \
  X(streamGetCtx, cuStreamGetCtx, (Stream stream, Context *context))
// clang-format on

/// The functions. A default-made table has none of them.
struct Driver {
  // NOLINTBEGIN(bugprone-macro-parentheses): these are declarations
#define FLASH_RT_MEMBER(member, symbol, parameters)                            \
  Code(*member) parameters = nullptr;
  FLASH_RT_CUDA_FUNCTIONS(FLASH_RT_MEMBER)
  FLASH_RT_CUDA_OPTIONAL_FUNCTIONS(FLASH_RT_MEMBER)
#undef FLASH_RT_MEMBER
  // NOLINTEND(bugprone-macro-parentheses)

  /// The driver of this machine, loaded and initialised by the first call; an
  /// error when there is none, or no device. The same answer ever after.
  static Result<const Driver *> get();

  /// Opens the library `path`, finds the functions and calls cuInit.
  static Result<Driver> open(const std::string &path);

  /// `what: call: CUDA_ERROR_X (description)`, or success for code 0.
  Status check(Code code, const std::string &what, const char *call) const;
  /// The same with the compiler's log, or any other detail, at the end.
  Status check(Code code, const std::string &what, const char *call,
               const std::string &detail) const;
};

} // namespace flash::rt::cuda

#endif // FLASH_RUNTIME_CUDADRIVER_H
