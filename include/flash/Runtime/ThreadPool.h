//===- ThreadPool.h - Parallel loops on the CPU -----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One pool of worker threads for the process. Code that the compiler makes for
// the CPU calls flash_rt_parallel_for for the outlined body of an scf.forall:
//
//   scf.forall (%b, %h, %q) in (%nb, %nh, %nq) { body }
//   ->  flash_rt_parallel_for(nb * nh * nq, @body, &captures)
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_THREADPOOL_H
#define FLASH_RUNTIME_THREADPOOL_H

#include <cstdint>
#include <type_traits>

extern "C" {
/// Runs body(ctx, begin, end) on disjoint ranges that cover [0, n), in
/// parallel, and returns when all are done. The caller's thread takes part.
/// Ranges are handed out as threads become free, large ones first and single
/// iterations at the end, so that iterations of unequal cost balance. A call
/// from within a body runs inline; calls from several threads share the
/// workers; n <= 0 does nothing.
__attribute__((visibility("default"))) void flash_rt_parallel_for(
    int64_t n, void (*body)(void *ctx, int64_t begin, int64_t end), void *ctx);
}

namespace flash::rt {

/// Threads that a parallel loop uses, the caller's included. Initially
/// FLASH_NUM_THREADS, or else the number of hardware threads.
int numThreads();

/// Sets it for later loops, within [1, 1024]; 0 or less restores the initial
/// number.
void setNumThreads(int count);

/// The range that a thread takes when `remaining` iterations are left.
int64_t parallelChunk(int64_t remaining, int threads);

/// flash_rt_parallel_for with any callable (int64_t begin, int64_t end).
template <typename Body> void parallelFor(int64_t n, Body &&body) {
  using Callable = std::remove_reference_t<Body>;
  flash_rt_parallel_for(
      n,
      [](void *ctx, int64_t begin, int64_t end) {
        (*static_cast<Callable *>(ctx))(begin, end);
      },
      const_cast<std::remove_const_t<Callable> *>(&body));
}

} // namespace flash::rt

#endif // FLASH_RUNTIME_THREADPOOL_H
