//===- Runner.cpp - Compiles and checks the matrix ------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Threads take kernels one by one: each compiles its kernel in a context of its
// own and runs it on every shape.
//
//===----------------------------------------------------------------------===//

#include "CaseRunner.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/xxhash.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <unistd.h>

using namespace flash;
using namespace flash::matrix;
using rt::Status;

namespace {

/// What the whole run counts.
struct Totals {
  std::mutex mutex; // guards output too
  int64_t passed = 0, failed = 0, kernels = 0, skipped = 0;
  double worst = 0; ///< largest error, as a part of its limit
  std::string worstName;
};

} // namespace

/// One kernel on one thread.
static void runKernel(const Kernel &kernel, const MatrixOptions &options,
                      Totals &totals) {
  CaseRunner runner(kernel, options);
  Status status = runner.compile();
  if (status.failed()) {
    std::lock_guard<std::mutex> lock(totals.mutex);
    // What a target cannot do yet it says so; the CPU does everything.
    auto says = [&](llvm::StringRef text) {
      return llvm::StringRef(status.message()).contains(text);
    };
    bool skip =
        !options.isCPU() &&
        (says("not supported") || says("but on a GPU") || says("on a GPU yet"));
    (skip ? totals.skipped : totals.failed) +=
        skip || options.compileOnly ? 1 : kernel.shapes.size();
    llvm::outs() << (skip ? "SKIP " : "FAIL ") << kernel.name()
                 << ": does not compile: " << status.message() << "\n";
    llvm::outs().flush();
    return;
  }
  if (options.compileOnly) {
    std::lock_guard<std::mutex> lock(totals.mutex);
    ++totals.passed;
    ++totals.kernels;
    if (options.verbose)
      llvm::outs() << "ok   " << kernel.name() << "\n";
    return;
  }
  for (const Shape &shape : kernel.shapes) {
    CaseResult result = runner.run(shape);
    std::string name = kernel.name() + kernel.describe(shape);
    bool ok = result.failure.empty();
    std::lock_guard<std::mutex> lock(totals.mutex);
    ++(ok ? totals.passed : totals.failed);
    if (!ok || options.verbose)
      llvm::outs() << (ok ? "ok   " : "FAIL ") << name
                   << (ok ? "" : ": " + result.failure) << "\n";
    if (result.part > totals.worst) {
      totals.worst = result.part;
      totals.worstName = name + " (" + result.partOf + ")";
    }
  }
  std::lock_guard<std::mutex> lock(totals.mutex);
  ++totals.kernels;
  llvm::outs().flush();
}

std::vector<Kernel> matrix::selectKernels(const MatrixOptions &options) {
  std::vector<Kernel> kernels;
  int64_t position = 0;
  std::vector<Kernel> all =
      options.headDims ? makeHeadDimKernels() : makeKernels(options.large);
  for (Kernel &kernel : all) {
    std::string name = kernel.name();
    bool wanted = !kernel.onlyGPU || !options.isCPU();
    wanted &= llvm::xxh3_64bits(name) % options.parts == options.part - 1;
    for (const std::string &filter : options.filters)
      wanted &= name.find(filter) != std::string::npos;
    if (wanted && position++ % options.stride == 0)
      kernels.push_back(std::move(kernel));
  }
  return kernels;
}

int matrix::runMatrix(const MatrixOptions &options) {
  auto begin = std::chrono::steady_clock::now();
  std::vector<Kernel> kernels = selectKernels(options);
  Totals totals;
  std::atomic<size_t> next{0};
  bool terminal = isatty(STDERR_FILENO);
  auto work = [&] {
    for (size_t i; (i = next++) < kernels.size();) {
      runKernel(kernels[i], options, totals);
      std::lock_guard<std::mutex> lock(totals.mutex);
      if (terminal)
        llvm::errs() << "\r" << totals.kernels << " of " << kernels.size()
                     << " kernels";
    }
  };
  // One thread and the pool's for a CPU target would fight for the cores while
  // kernels compile, which is most of the time: a kernel for each core.
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency());
       ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  if (terminal)
    llvm::errs() << "\r\033[K";

  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  llvm::outs() << "target " << options.target << ", seed " << options.seed
               << ", " << kernels.size() << " kernels, "
               << (options.compileOnly
                       ? std::string("compiled only")
                       : std::to_string(options.repeats) + " launches a case")
               << ", " << llvm::format("%.0f s", seconds) << "\n";
  if (totals.skipped)
    llvm::outs() << totals.skipped
                 << " kernels skipped: the target cannot compile them yet\n";
  if (!options.io && !options.compileOnly)
    llvm::outs() << "largest error: " << llvm::format("%.2f", totals.worst)
                 << " of its limit, " << totals.worstName << "\n";
  llvm::outs() << totals.passed << " passed, " << totals.failed << " failed\n";
  return totals.failed || !totals.passed;
}
