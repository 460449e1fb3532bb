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
// each context: those that are there when the context is first used, others
// when a call first launches one of their kernels. Everything is evaluated and
// loaded before the first launch, so that a call which fails a check has
// launched nothing. Thread-safe: launches share no lock once their code is
// loaded, and nothing of a call outlives it.
//
// Temporaries lie in a workspace, which the caller gives; without one a launch
// allocates it in the order of the stream, and gives it back after the last
// kernel. Either way a captured graph holds what its kernels use.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_EXECUTOR_H
#define FLASH_RUNTIME_EXECUTOR_H

#include "flash/Runtime/CallPlan.h"
#include "flash/Runtime/Cuda.h"

#include <memory>
#include <vector>

namespace flash::rt {

/// Device memory of the caller's for the temporaries of a call. What it holds
/// does not matter, and it may serve another call once this one has run.
struct Workspace {
  void *data = nullptr;
  size_t bytes = 0;
};

/// Images that are still being made when their program can be launched already.
/// They are loaded in the place of those that the program has. Called by
/// several threads at once.
class ImageSource {
public:
  virtual ~ImageSource() = default;
  /// Whether `get` returns at once.
  virtual bool isReady(size_t module) = 0;
  /// Waits for the image of a module; an error where it could not be made.
  virtual Result<std::string> get(size_t module) = 0;
};

class Executor {
public:
  /// Verifies the program. Needs no GPU: `driver`, or this machine's when null,
  /// is first used by prepare or launch. With `images` a launch waits for those
  /// of its own kernels.
  static Result<Executor> create(Program program,
                                 const cuda::Driver *driver = nullptr,
                                 std::shared_ptr<ImageSource> images = nullptr);
  Executor(Executor &&);
  Executor &operator=(Executor &&);
  ~Executor();

  const CallPlan &plan() const;
  const Program &program() const { return plan().program(); }

  /// Waits for every module and loads it in the current context, so that the
  /// first launch is not slower than others.
  Status prepare();

  /// Enqueues the steps on `stream`.
  Status launch(const CallArgument *arguments, const CallArgument *results,
                cuda::Stream stream, const Workspace *workspace = nullptr);
  /// The same for arguments that know their kinds and ranks, which are checked.
  Status launch(const std::vector<Argument> &arguments,
                const std::vector<Argument> &results,
                cuda::Stream stream = nullptr,
                const Workspace *workspace = nullptr);

  /// Registers, shared and local memory of each launch's kernel, in order.
  Result<std::vector<cuda::KernelAttributes>> kernelAttributes();

private:
  struct Impl;
  explicit Executor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace flash::rt

#endif // FLASH_RUNTIME_EXECUTOR_H
