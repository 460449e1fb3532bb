//===- Cuda.h - Devices, contexts, modules, memory and time -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Owning wrappers over the driver's table, and what a program asks of a device.
// Each takes the table as its first argument. Errors say what was being done
// and the driver's name for what went wrong:
//
//   loading the module of 'attention': cuModuleLoadDataEx:
//   CUDA_ERROR_INVALID_PTX (a PTX JIT compilation failed): <log>
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_CUDA_H
#define FLASH_RUNTIME_CUDA_H

#include "flash/Runtime/CudaDriver.h"

#include <string>
#include <utility>
#include <vector>

namespace flash::rt::cuda {

/// Makes a context current for the time that the object lives: the caller's
/// current one if there is one, else that of `stream`, else the primary context
/// of device 0 (retained once for the process, and never released, since other
/// libraries share it).
class ContextScope {
public:
  static Result<ContextScope> enter(const Driver &driver,
                                    Stream stream = nullptr);
  /// Makes exactly `context` current.
  static Result<ContextScope> enter(const Driver &driver, Context context);

  ContextScope(ContextScope &&other)
      : driver(other.driver), current(other.current),
        pushed(std::exchange(other.pushed, false)) {}
  ContextScope &operator=(ContextScope &&) = delete;
  ~ContextScope();

  Context context() const { return current; }
  /// A number that no other context gets, also not one at the same address
  /// later (with drivers before 12.0, the address).
  uint64_t id() const;

private:
  ContextScope(const Driver &driver, Context current, bool pushed)
      : driver(&driver), current(current), pushed(pushed) {}

  const Driver *driver;
  Context current;
  bool pushed;
};

struct DeviceInfo {
  std::string name;
  int computeMajor = 0;
  int computeMinor = 0;
  int multiprocessors = 0;
  /// Bytes of shared memory of one block, when it asks for the most.
  int sharedMemoryPerBlock = 0;
  int sharedMemoryPerMultiprocessor = 0;
  int registersPerMultiprocessor = 0;
  int64_t l2Bytes = 0;
  int64_t memoryBytes = 0;
  int clockKHz = 0;
  int memoryClockKHz = 0;
  int memoryBusBits = 0;
  int driverVersion = 0; ///< 13000 is 13.0

  /// `sm_90`.
  std::string target() const {
    return "sm_" + std::to_string(computeMajor) + std::to_string(computeMinor);
  }
};

Result<int> deviceCount(const Driver &driver);
Result<DeviceInfo> deviceInfo(const Driver &driver, int ordinal = 0);
/// The ordinal of the current context's device.
Result<int> currentDevice(const Driver &driver);

/// A loaded module; `what` in errors is "the module of 'name'".
class LoadedModule {
public:
  /// `image` is a cubin, or PTX text (compiled by the driver, whose log is in
  /// the error).
  static Result<LoadedModule>
  load(const Driver &driver, const std::string &name, const std::string &image);
  LoadedModule(LoadedModule &&other)
      : driver(other.driver), module(std::exchange(other.module, nullptr)) {}
  LoadedModule &operator=(LoadedModule &&) = delete;
  ~LoadedModule();

  Result<Function> function(const std::string &name) const;
  /// Gives up ownership without unloading (its context is gone).
  void release() { module = nullptr; }

private:
  LoadedModule(const Driver &driver, Module module)
      : driver(&driver), module(module) {}
  const Driver *driver;
  Module module;
};

/// Device memory. Copies are ordered on a stream, and complete on return.
class DeviceBuffer {
public:
  /// A size of 0 is legal and gives address 0.
  static Result<DeviceBuffer> allocate(const Driver &driver, int64_t bytes);
  DeviceBuffer(DeviceBuffer &&other)
      : driver(other.driver), pointer(std::exchange(other.pointer, 0)),
        bytes(std::exchange(other.bytes, 0)) {}
  DeviceBuffer &operator=(DeviceBuffer &&other) {
    std::swap(driver, other.driver);
    std::swap(pointer, other.pointer);
    std::swap(bytes, other.bytes);
    return *this;
  }
  ~DeviceBuffer();

  DevicePtr address() const { return pointer; }
  int64_t size() const { return bytes; }
  void release() { pointer = 0; }

  Status copyFromHost(const void *from, int64_t size, Stream stream = nullptr);
  Status copyToHost(void *to, int64_t size, Stream stream = nullptr) const;
  Status fill(unsigned char value, Stream stream = nullptr);

private:
  DeviceBuffer(const Driver &driver, DevicePtr pointer, int64_t bytes)
      : driver(&driver), pointer(pointer), bytes(bytes) {}
  const Driver *driver;
  DevicePtr pointer;
  int64_t bytes;
};

/// The time between two points of a stream.
class Timer {
public:
  static Result<Timer> create(const Driver &driver);
  Timer(Timer &&other)
      : driver(other.driver), begin(std::exchange(other.begin, nullptr)),
        end(std::exchange(other.end, nullptr)) {}
  Timer &operator=(Timer &&) = delete;
  ~Timer();

  Status start(Stream stream);
  Status stop(Stream stream);
  /// Waits for stop's point.
  Result<double> milliseconds() const;

private:
  Timer(const Driver &driver, Event begin, Event end)
      : driver(&driver), begin(begin), end(end) {}
  const Driver *driver;
  Event begin, end;
};

/// What the assembler made of a kernel.
struct KernelAttributes {
  int registers = 0;
  int staticSharedBytes = 0;
  int localBytes = 0;
  int maxThreadsPerBlock = 0;
};
Result<KernelAttributes> kernelAttributes(const Driver &driver,
                                          const std::string &name,
                                          Function function);

/// A launch with everything evaluated.
struct LaunchGeometry {
  unsigned grid[3] = {1, 1, 1};
  unsigned block[3] = {1, 1, 1};
  unsigned cluster[3] = {1, 1, 1}; ///< all 1: no cluster
  unsigned sharedBytes = 0;
};
Status launchKernel(const Driver &driver, const std::string &name,
                    Function function, const LaunchGeometry &geometry,
                    Stream stream, void **params);

Status synchronize(const Driver &driver, Stream stream);

} // namespace flash::rt::cuda

#endif // FLASH_RUNTIME_CUDA_H
