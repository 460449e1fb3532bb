/*===- null_cuda.c - A CUDA driver that does nothing ----------------------===*\
|*                                                                            *|
|* Part of Flash, under the Apache License v2.0 with LLVM Exceptions.         *|
|* See LICENSE for license information.                                       *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* As libcuda.so.1 of a process it is a device of compute capability 9.0      *|
|* whose kernels end before they begin: what is left of a launch is the host. *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include <stddef.h>
#include <string.h>

#define NOTHING(name)                                                          \
  int name() { return 0; }

NOTHING(cuInit)
NOTHING(cuCtxPushCurrent_v2)
NOTHING(cuCtxSynchronize)
NOTHING(cuModuleUnload)
NOTHING(cuFuncSetAttribute)
NOTHING(cuLaunchKernel)
NOTHING(cuLaunchKernelEx)
NOTHING(cuMemFree_v2)
NOTHING(cuMemcpyHtoDAsync_v2)
NOTHING(cuMemcpyDtoHAsync_v2)
NOTHING(cuMemsetD8Async)
NOTHING(cuStreamDestroy_v2)
NOTHING(cuStreamSynchronize)
NOTHING(cuEventDestroy_v2)
NOTHING(cuEventRecord)
NOTHING(cuEventSynchronize)
NOTHING(cuTensorMapEncodeTiled)
NOTHING(cuMemFreeAsync)

int cuDriverGetVersion(int *version) { return *version = 13000, 0; }
int cuGetErrorName(int code, const char **text) {
  return *text = "CUDA_ERROR", 0;
}
int cuGetErrorString(int code, const char **text) { return *text = "none", 0; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, 0; }
int cuDeviceGetCount(int *count) { return *count = 1, 0; }
int cuDeviceGetName(char *name, int size, int device) {
  strncpy(name, "a device that does nothing", size);
  return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  switch (attribute) {
  case 75: /* compute capability */
    *value = 9;
    break;
  case 76:
    *value = 0;
    break;
  case 16: /* multiprocessors */
    *value = 132;
    break;
  case 8:
  case 81:
  case 97: /* shared memory */
    *value = 232448;
    break;
  default:
    *value = 65536;
  }
  return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  return *bytes = (size_t)1 << 36, 0;
}

static int object;
int cuDevicePrimaryCtxRetain(void **context, int device) {
  return *context = &object, 0;
}
int cuCtxGetCurrent(void **context) { return *context = &object, 0; }
int cuCtxPopCurrent_v2(void **context) { return *context = &object, 0; }
int cuCtxGetDevice(int *device) { return *device = 0, 0; }
int cuCtxGetId(void *context, unsigned long long *id) { return *id = 1, 0; }
int cuStreamGetCtx(void *stream, void **context) {
  return *context = &object, 0;
}
int cuModuleLoadDataEx(void **module, const void *image, unsigned count,
                       int *options, void **values) {
  return *module = &object, 0;
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
  return *function = &object, 0;
}
int cuFuncGetAttribute(int *value, int attribute, void *function) {
  return *value = 64, 0;
}
int cuMemAlloc_v2(unsigned long long *pointer, size_t bytes) {
  return *pointer = 1 << 20, 0;
}
int cuMemAllocAsync(unsigned long long *pointer, size_t bytes, void *stream) {
  return *pointer = 1 << 20, 0;
}
int cuStreamCreate(void **stream, unsigned flags) {
  return *stream = &object, 0;
}
int cuEventCreate(void **event, unsigned flags) { return *event = &object, 0; }
int cuEventElapsedTime(float *milliseconds, void *begin, void *end) {
  return *milliseconds = 1, 0;
}
