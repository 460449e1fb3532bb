//===- CudaDriver.cpp - The CUDA driver as a table of functions -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loads libcuda.so.1 and words the driver's errors.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/CudaDriver.h"

#include <dlfcn.h>

using namespace flash::rt;
using namespace flash::rt::cuda;

Result<Driver> Driver::open(const std::string &path) {
  void *library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = ::dlerror();
    return Status::error("no CUDA driver on this machine: " +
                         std::string(reason ? reason : path));
  }
  Driver driver;
#define FLASH_RT_LOAD(member, symbol, parameters)                              \
  driver.member =                                                              \
      reinterpret_cast<decltype(driver.member)>(::dlsym(library, #symbol));
#define FLASH_RT_REQUIRE(member, symbol, parameters)                           \
  FLASH_RT_LOAD(member, symbol, parameters)                                    \
  if (!driver.member)                                                          \
    return Status::error("the CUDA driver " + path +                           \
                         " is too old: it has no " #symbol);
  FLASH_RT_CUDA_FUNCTIONS(FLASH_RT_REQUIRE)
  FLASH_RT_CUDA_OPTIONAL_FUNCTIONS(FLASH_RT_LOAD)
#undef FLASH_RT_LOAD
#undef FLASH_RT_REQUIRE
  // The library stays open: its functions are used until the process ends.
  Status status =
      driver.check(driver.init(0), "initialising the CUDA driver", "cuInit");
  if (status.failed())
    return status;
  return driver;
}

Result<const Driver *> Driver::get() {
  // Never destroyed: executors may outlive static destructors.
  static const Result<Driver> *driver =
      new Result<Driver>(open("libcuda.so.1"));
  if (driver->failed())
    return driver->status();
  return &**driver;
}

Status Driver::check(Code code, const std::string &what,
                     const char *call) const {
  return check(code, what, call, std::string());
}

Status Driver::check(Code code, const std::string &what, const char *call,
                     const std::string &detail) const {
  if (code == 0)
    return Status::success();
  const char *name = nullptr, *text = nullptr;
  if (!getErrorName || getErrorName(code, &name) != 0)
    name = nullptr;
  if (!getErrorString || getErrorString(code, &text) != 0)
    text = nullptr;
  std::string message =
      what + ": " + call + ": " +
      (name ? std::string(name) : "CUDA error " + std::to_string(code));
  if (text)
    message += std::string(" (") + text + ")";
  if (!detail.empty())
    message += ": " + detail;
  return Status::error(std::move(message));
}
