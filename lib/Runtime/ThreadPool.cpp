//===- ThreadPool.cpp - Parallel loops on the CPU -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Workers are started when the first loop needs them and live as long as the
// process. Loops in flight form a list; a free worker joins the first that has
// iterations left and a place. A loop lives on its caller's stack: the caller
// takes it off the list and waits until the workers that joined have left.
//
// Where other cores look busy (a library whose threads spin is enough), Linux
// wakes a worker on the core of its caller and leaves both there for tens of
// milliseconds, longer than many loops take. So a worker that finds itself on
// the caller's core moves away.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <thread>

using namespace flash::rt;

namespace {

constexpr int kMaxThreads = 1024;

/// True in a thread that is inside a body: a nested loop then runs inline.
thread_local bool insideBody = false;

int currentCpu() {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}

/// Moves this thread to another of the cores that it may run on, if it has any.
/// What it may run on stays as it was.
void leaveCpu(int cpu) {
#ifdef __linux__
  cpu_set_t allowed;
  if (cpu < 0 || cpu >= CPU_SETSIZE ||
      pthread_getaffinity_np(pthread_self(), sizeof(allowed), &allowed) != 0)
    return;
  cpu_set_t others = allowed;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) == 0)
    return;
  if (pthread_setaffinity_np(pthread_self(), sizeof(others), &others) == 0)
    pthread_setaffinity_np(pthread_self(), sizeof(allowed), &allowed);
#else
  (void)cpu;
#endif
}

/// A parallel loop in flight.
struct Loop {
  void (*body)(void *, int64_t, int64_t);
  void *ctx;
  int64_t n;
  int threads;
  /// First iteration that nobody has taken.
  alignas(64) std::atomic<int64_t> next{0};
  /// Workers that may still join, and that are in it. Guarded by Pool::mutex.
  alignas(64) int places;
  int inside = 0;
  std::condition_variable left;
  /// Where the caller was when it took a range last.
  std::atomic<int> callerCpu{-1};

  bool wantsWorker() const {
    return places > 0 && next.load(std::memory_order_relaxed) < n;
  }

  /// Takes ranges until none is left.
  void work(bool isCaller) {
    insideBody = true;
    int64_t begin = next.load(std::memory_order_relaxed);
    while (begin < n) {
      int cpu = currentCpu();
      if (isCaller)
        callerCpu.store(cpu, std::memory_order_relaxed);
      else if (cpu == callerCpu.load(std::memory_order_relaxed))
        leaveCpu(cpu);
      int64_t end = begin + parallelChunk(n - begin, threads);
      if (!next.compare_exchange_weak(begin, end, std::memory_order_relaxed))
        continue;
      body(ctx, begin, end);
      begin = next.load(std::memory_order_relaxed);
    }
    insideBody = false;
  }
};

class Pool {
public:
  void run(Loop &loop) {
    std::list<Loop *>::iterator position;
    int wanted = loop.places; // the workers' to change once it is on the list
    {
      std::lock_guard<std::mutex> lock(mutex);
      while (workers < wanted && startWorker())
        ++workers;
      position = loops.insert(loops.end(), &loop);
    }
    if (wanted == 1)
      wake.notify_one();
    else
      wake.notify_all();
    loop.work(/*isCaller=*/true);
    std::unique_lock<std::mutex> lock(mutex);
    loops.erase(position);
    loop.left.wait(lock, [&] { return loop.inside == 0; });
  }

private:
  /// Threads by pthread_create: std::thread reports a failure by an exception.
  /// With fewer workers than wanted the loops still complete.
  bool startWorker() {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, &Pool::workerMain, this) != 0)
      return false;
    pthread_detach(thread);
    return true;
  }

  static void *workerMain(void *pool) {
    static_cast<Pool *>(pool)->serve();
    return nullptr;
  }

  void serve() {
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
      auto it = std::find_if(loops.begin(), loops.end(),
                             [](Loop *loop) { return loop->wantsWorker(); });
      if (it == loops.end()) {
        wake.wait(lock);
        continue;
      }
      Loop &loop = **it;
      --loop.places;
      ++loop.inside;
      lock.unlock();
      loop.work(/*isCaller=*/false);
      lock.lock();
      // Under the lock: the loop may be gone as soon as it is released.
      if (--loop.inside == 0)
        loop.left.notify_one();
    }
  }

  std::mutex mutex;
  std::condition_variable wake;
  std::list<Loop *> loops;
  int workers = 0;
};

/// Never destroyed: workers may outlive static destructors.
std::atomic<Pool *> thePool{nullptr};

/// Workers do not survive fork: the child starts with a pool of its own.
void forgetPool() { thePool.store(new Pool); }

Pool &pool() {
  static bool made = [] {
    thePool.store(new Pool);
    pthread_atfork(nullptr, nullptr, forgetPool);
    return true;
  }();
  (void)made;
  return *thePool.load();
}

int initialThreads() {
  int hardware = static_cast<int>(std::thread::hardware_concurrency());
  hardware = std::clamp(hardware, 1, kMaxThreads);
  const char *text = std::getenv("FLASH_NUM_THREADS");
  if (!text || !*text)
    return hardware;
  char *end;
  long count = std::strtol(text, &end, 10);
  if (*end == '\0' && count >= 1 && count <= kMaxThreads)
    return static_cast<int>(count);
  std::fprintf(stderr,
               "warning: FLASH_NUM_THREADS is '%s', not a number from 1 to %d; "
               "using %d threads\n",
               text, kMaxThreads, hardware);
  return hardware;
}

/// 0: the initial number.
std::atomic<int> chosenThreads{0};

} // namespace

int flash::rt::numThreads() {
  static const int initial = initialThreads();
  int chosen = chosenThreads.load(std::memory_order_relaxed);
  return chosen > 0 ? chosen : initial;
}

void flash::rt::setNumThreads(int count) {
  chosenThreads.store(std::clamp(count, 0, kMaxThreads));
}

int64_t flash::rt::parallelChunk(int64_t remaining, int threads) {
  // A sixteenth of a thread's share of what is left: few atomics for many light
  // iterations, single iterations at the end (and from the start when there are
  // fewer than 16 a thread), so that the last to finish is at most one behind.
  return std::max<int64_t>(1, remaining / (int64_t(threads) * 16));
}

// `used` and `retain`: only JIT-compiled code calls it, by name.
#if __has_attribute(retain)
__attribute__((used, retain))
#else
__attribute__((used))
#endif
void flash_rt_parallel_for(int64_t n, void (*body)(void *, int64_t, int64_t),
                           void *ctx) {
  if (n <= 0)
    return;
  int threads = numThreads();
  if (n == 1 || threads == 1 || insideBody) {
    bool before = insideBody;
    insideBody = true;
    body(ctx, 0, n);
    insideBody = before;
    return;
  }
  Loop loop;
  loop.body = body;
  loop.ctx = ctx;
  loop.n = n;
  loop.threads = threads;
  loop.places = static_cast<int>(std::min<int64_t>(n, threads)) - 1;
  pool().run(loop);
}
