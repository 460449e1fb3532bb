//===- KernelAssembly.h - Kernels that are being assembled ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The assembler takes most of the time of a compilation, and a call launches
// one of a function's kernels for several lengths: kernels are assembled side
// by side, and who needs one waits for that alone.
//
//   auto assembly = KernelAssembly::start({ptx0, ptx1}, assemble);
//   assembly->wait(1);       // the cubin of the second
//
// Threads take one kernel after the other. Who waits for a kernel that none has
// taken assembles it itself. In a process that was forked meanwhile there are
// no such threads: there each kernel is assembled when it is asked for.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TARGET_KERNELASSEMBLY_H
#define FLASH_TARGET_KERNELASSEMBLY_H

#include "flash/Target/AssemblePTX.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace flash {

/// Assembles a kernel's PTX; called by several threads at once.
using AssembleKernel =
    std::function<rt::Status(const std::string &ptx, AssembledPTX &made)>;

class KernelAssembly : public std::enable_shared_from_this<KernelAssembly> {
public:
  /// Begins to assemble the texts, in as many threads as there are cores for;
  /// one less where the caller waits for all next, which makes it one of them.
  /// They go on when the caller lets go of the result, and a process that exits
  /// waits for them.
  static std::shared_ptr<KernelAssembly> start(std::vector<std::string> ptx,
                                               AssembleKernel assemble,
                                               bool callerWaits = false);

  size_t size() const { return kernels.size(); }
  /// Whether `wait` returns at once.
  bool isReady(size_t kernel);
  /// The cubin of a kernel; an error that says what the assembler said.
  rt::Result<std::string> wait(size_t kernel);
  /// Waits for all, and for what is called then; the first error.
  rt::Status waitForAll();

  /// Calls `then` once all kernels are there, in the thread that made the last;
  /// at once if they are. Never, if there is an error.
  void whenAll(std::function<void()> then);

  /// What the assembler said of all kernels; after `waitForAll`.
  std::string getLog();
  /// From the start to the last kernel; after `waitForAll`.
  double getMilliseconds();

private:
  enum class State { Waiting, Running, Done };
  struct Kernel {
    std::string ptx;
    State state = State::Waiting;
    AssembledPTX made;
    rt::Status status;
  };

  KernelAssembly(std::vector<std::string> ptx, AssembleKernel assemble);
  bool isForked() const;
  std::optional<size_t> take();
  void run(size_t kernel);
  void runRest();
  void finish(std::unique_lock<std::mutex> lock);
  rt::Status firstError() const;

  const AssembleKernel assemble;
  const pid_t process;
  const std::chrono::steady_clock::time_point begin;

  std::mutex mutex;
  std::condition_variable changed;
  // Under the mutex; of a kernel that runs, only its thread touches the rest.
  std::vector<Kernel> kernels;
  size_t left;
  bool isWhole;
  std::vector<std::function<void()>> callbacks;
  std::chrono::steady_clock::time_point end;
};

} // namespace flash

#endif // FLASH_TARGET_KERNELASSEMBLY_H
