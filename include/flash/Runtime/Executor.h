//===- Executor.h - Runs launch plans ---------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs a Program on device pointers: checks the call, then fills and launches
// on the caller's stream, in the caller's context. Modules are loaded once for
// each context. Everything is evaluated before the first launch, so that a call
// which fails a check has launched nothing. Thread-safe.
//
// Temporaries belong to a stream and are reused by later calls on it, which the
// stream orders; they grow as needed. A captured graph keeps using those of the
// stream it was captured on, hence: run the largest size before the capture.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_EXECUTOR_H
#define FLASH_RUNTIME_EXECUTOR_H

#include "flash/Runtime/Cuda.h"
#include "flash/Runtime/Plan.h"

#include <memory>
#include <vector>

namespace flash::rt {

class Executor {
public:
  /// Verifies the program. Needs no GPU: `driver`, or this machine's when null,
  /// is first used by prepare or launch.
  static Result<Executor> create(Program program,
                                 const cuda::Driver *driver = nullptr);
  Executor(Executor &&);
  Executor &operator=(Executor &&);
  ~Executor();

  const Program &program() const;

  /// Shapes of the results of a call; fails the checks that the call fails.
  Result<std::vector<std::vector<int64_t>>>
  resultShapes(const std::vector<Argument> &arguments) const;

  /// Loads the modules in the current context, so that the first launch is not
  /// slower than others.
  Status prepare();

  /// Enqueues the steps on `stream`.
  Status launch(const std::vector<Argument> &arguments,
                const std::vector<Argument> &results,
                cuda::Stream stream = nullptr);

  /// Registers, shared and local memory of each launch's kernel, in order.
  Result<std::vector<cuda::KernelAttributes>> kernelAttributes();

  /// Gives temporaries back. No launch may be in flight.
  void releaseTemporaries();

private:
  struct Impl;
  explicit Executor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace flash::rt

#endif // FLASH_RUNTIME_EXECUTOR_H
