//===- KernelAssembly.cpp - Kernels that are being assembled --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/Target/KernelAssembly.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <pthread.h>
#include <thread>
#include <unistd.h>

using namespace flash;
using rt::Result;
using rt::Status;
using Clock = std::chrono::steady_clock;

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

namespace {
/// The threads of this process that assemble.
struct Threads {
  std::mutex mutex;
  std::condition_variable changed;
  int running = 0;
};
} // namespace

/// Never destroyed: threads may outlive static destructors.
static std::atomic<Threads *> theThreads{nullptr};

/// Threads do not survive fork.
static void forgetThreads() { theThreads.store(new Threads); }

/// What threads use must not be destroyed below them; and what they make is
/// found in the cache by the next process.
static void waitForThreads() {
  Threads &threads = *theThreads.load();
  std::unique_lock<std::mutex> lock(threads.mutex);
  threads.changed.wait(lock, [&] { return threads.running == 0; });
}

static void runInThread(std::function<void()> work) {
  static bool made = [] {
    theThreads.store(new Threads);
    pthread_atfork(nullptr, nullptr, forgetThreads);
    std::atexit(waitForThreads);
    return true;
  }();
  (void)made;
  Threads &threads = *theThreads.load();
  {
    std::lock_guard<std::mutex> lock(threads.mutex);
    ++threads.running;
  }
  std::thread([&threads, work = std::move(work)]() mutable {
    work();
    work = nullptr;
    // Here, and not by notify_all_at_thread_exit: what that needs is destroyed
    // before waitForThreads is called.
    std::lock_guard<std::mutex> lock(threads.mutex);
    --threads.running;
    threads.changed.notify_all();
  }).detach();
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

KernelAssembly::KernelAssembly(std::vector<std::string> ptx,
                               AssembleKernel assemble)
    : assemble(std::move(assemble)), process(getpid()), begin(Clock::now()),
      left(ptx.size()), isWhole(ptx.empty()), end(begin) {
  for (std::string &text : ptx) {
    kernels.emplace_back();
    kernels.back().ptx = std::move(text);
  }
}

std::shared_ptr<KernelAssembly>
KernelAssembly::start(std::vector<std::string> ptx, AssembleKernel assemble,
                      bool callerWaits) {
  std::shared_ptr<KernelAssembly> assembly(
      new KernelAssembly(std::move(ptx), std::move(assemble)));
  size_t cores = std::max(1u, std::thread::hardware_concurrency());
  size_t threads = std::min(assembly->size(), cores);
  for (size_t i = callerWaits ? 1 : 0; i < threads; ++i)
    runInThread([assembly] { assembly->runRest(); });
  return assembly;
}

bool KernelAssembly::isForked() const { return getpid() != process; }

/// One that nobody has begun.
std::optional<size_t> KernelAssembly::take() {
  std::lock_guard<std::mutex> lock(mutex);
  auto waiting =
      std::find_if(kernels.begin(), kernels.end(), [](const Kernel &kernel) {
        return kernel.state == State::Waiting;
      });
  if (waiting == kernels.end())
    return std::nullopt;
  waiting->state = State::Running;
  return waiting - kernels.begin();
}

void KernelAssembly::runRest() {
  while (std::optional<size_t> kernel = take())
    run(*kernel);
}

/// Of a kernel that this thread has taken.
void KernelAssembly::run(size_t number) {
  Kernel &kernel = kernels[number];
  kernel.status = assemble(kernel.ptx, kernel.made);
  std::unique_lock<std::mutex> lock(mutex);
  kernel.state = State::Done;
  if (--left == 0)
    return finish(std::move(lock));
  changed.notify_all();
}

/// All kernels are done: those who wait for one do not wait for what is called
/// now.
void KernelAssembly::finish(std::unique_lock<std::mutex> lock) {
  end = Clock::now();
  std::vector<std::function<void()>> calls;
  while (!callbacks.empty()) {
    calls = std::exchange(callbacks, {});
    bool wanted = firstError().ok();
    lock.unlock();
    changed.notify_all();
    for (const std::function<void()> &call : calls)
      if (wanted)
        call();
    calls.clear();
    lock.lock();
  }
  isWhole = true;
  changed.notify_all();
}

//===----------------------------------------------------------------------===//
// Waiting
//===----------------------------------------------------------------------===//

bool KernelAssembly::isReady(size_t kernel) {
  if (isForked())
    return false;
  std::lock_guard<std::mutex> lock(mutex);
  return kernels[kernel].state == State::Done;
}

Result<std::string> KernelAssembly::wait(size_t number) {
  Kernel &kernel = kernels[number];
  // The mutex may be held by a thread that is not in this process.
  if (isForked()) {
    AssembledPTX made;
    if (Status status = assemble(kernel.ptx, made); status.failed())
      return status;
    return made.cubin;
  }
  std::unique_lock<std::mutex> lock(mutex);
  if (kernel.state == State::Waiting) {
    kernel.state = State::Running;
    lock.unlock();
    run(number);
    lock.lock();
  }
  changed.wait(lock, [&] { return kernel.state == State::Done; });
  if (kernel.status.failed())
    return kernel.status;
  return kernel.made.cubin;
}

Status KernelAssembly::waitForAll() {
  if (isForked())
    return Status::success();
  runRest();
  std::unique_lock<std::mutex> lock(mutex);
  changed.wait(lock, [&] { return isWhole; });
  return firstError();
}

void KernelAssembly::whenAll(std::function<void()> then) {
  if (isForked())
    return;
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (!isWhole) {
      callbacks.push_back(std::move(then));
      return;
    }
    if (firstError().failed())
      return;
  }
  then();
}

Status KernelAssembly::firstError() const {
  for (const Kernel &kernel : kernels)
    if (kernel.status.failed())
      return kernel.status;
  return Status::success();
}

std::string KernelAssembly::getLog() {
  std::string all;
  if (isForked())
    return all;
  std::lock_guard<std::mutex> lock(mutex);
  for (const Kernel &kernel : kernels)
    all += kernel.made.log;
  return all;
}

double KernelAssembly::getMilliseconds() {
  std::lock_guard<std::mutex> lock(mutex);
  return std::chrono::duration<double, std::milli>(end - begin).count();
}
