//===- ThreadPoolTest.cpp - Parallel loops --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every iteration once, whatever the sizes, threads and nesting.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/ThreadPool.h"

#include <atomic>
#include <gtest/gtest.h>
#include <mutex>
#include <sched.h>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace flash::rt;

namespace {

class ThreadPoolTest : public ::testing::Test {
protected:
  void TearDown() override { setNumThreads(0); }

  static void expectEachOnce(int64_t n) {
    std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
    parallelFor(n, [&](int64_t begin, int64_t end) {
      ASSERT_LE(0, begin);
      ASSERT_LT(begin, end);
      ASSERT_LE(end, n);
      for (int64_t i = begin; i < end; ++i)
        ++seen[static_cast<size_t>(i)];
    });
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ(seen[static_cast<size_t>(i)], 1) << "iteration " << i;
  }

  static void expectTwoThreads() {
    setNumThreads(2);
    std::mutex mutex;
    std::set<std::thread::id> ids;
    std::atomic<int> started{0};
    // Each iteration waits for the other, which one thread alone cannot do.
    parallelFor(2, [&](int64_t begin, int64_t end) {
      ASSERT_EQ(end - begin, 1);
      ++started;
      for (int64_t turns = 0; started < 2 && turns < 100000000; ++turns)
        std::this_thread::yield();
      std::lock_guard<std::mutex> lock(mutex);
      ids.insert(std::this_thread::get_id());
    });
    EXPECT_EQ(ids.size(), 2u);
    EXPECT_EQ(ids.count(std::this_thread::get_id()), 1u);
  }
};

TEST_F(ThreadPoolTest, EachIterationOnce) {
  for (int threads : {1, 2, 3, 8}) {
    setNumThreads(threads);
    ASSERT_EQ(numThreads(), threads);
    for (int64_t n : {1, 2, 3, 7, 31, 32, 33, 1000, 65537})
      expectEachOnce(n);
  }
}

TEST_F(ThreadPoolTest, NothingToDo) {
  for (int64_t n : {int64_t(0), int64_t(-1), INT64_MIN})
    parallelFor(n, [](int64_t, int64_t) { FAIL(); });
}

TEST_F(ThreadPoolTest, ManyShortLoops) {
  setNumThreads(4);
  std::atomic<int64_t> sum{0};
  for (int i = 0; i < 2000; ++i)
    parallelFor(5, [&](int64_t begin, int64_t end) { sum += end - begin; });
  EXPECT_EQ(sum, 2000 * 5);
}

TEST_F(ThreadPoolTest, SeveralThreadsTakePart) { expectTwoThreads(); }

/// Workers move between cores, but what they may run on is the user's choice.
TEST_F(ThreadPoolTest, AffinityIsKept) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  setNumThreads(2);
  std::atomic<int> different{0};
  for (int loop = 0; loop < 200; ++loop)
    parallelFor(64, [&](int64_t, int64_t) {
      cpu_set_t here;
      if (sched_getaffinity(0, sizeof(here), &here) != 0 ||
          !CPU_EQUAL(&here, &allowed))
        ++different;
    });
  EXPECT_EQ(different, 0);
}

TEST_F(ThreadPoolTest, NestedLoopsRunInline) {
  setNumThreads(4);
  std::atomic<int64_t> sum{0};
  std::atomic<int> strangers{0};
  parallelFor(8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      auto outer = std::this_thread::get_id();
      parallelFor(100, [&](int64_t b, int64_t e) {
        strangers += std::this_thread::get_id() != outer;
        sum += e - b;
      });
    }
  });
  EXPECT_EQ(sum, 800);
  EXPECT_EQ(strangers, 0);
  // The mark of being inside is gone afterwards, also with one thread.
  setNumThreads(1);
  parallelFor(3, [&](int64_t, int64_t) {});
  expectTwoThreads();
}

TEST_F(ThreadPoolTest, LoopsOfSeveralCallers) {
  setNumThreads(3);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  callers.reserve(4);
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i)
        parallelFor(50,
                    [&](int64_t begin, int64_t end) { sum += end - begin; });
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(sum, 4 * 200 * 50);
}

TEST_F(ThreadPoolTest, ChunksShrinkToOne) {
  // Few iterations: one at a time from the start.
  EXPECT_EQ(parallelChunk(31, 2), 1);
  EXPECT_EQ(parallelChunk(1, 64), 1);
  // Many: some hundred chunks, and never more than a sixteenth of a share.
  int64_t remaining = 1000000, chunks = 0;
  while (remaining > 0) {
    int64_t chunk = parallelChunk(remaining, 4);
    ASSERT_GE(chunk, 1);
    ASSERT_LE(chunk, remaining / 64 + 1);
    remaining -= chunk;
    ++chunks;
  }
  EXPECT_LT(chunks, 1000);
}

TEST_F(ThreadPoolTest, WorksInAForkedChild) {
  setNumThreads(2);
  expectEachOnce(100);
  pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    std::atomic<int64_t> sum{0};
    parallelFor(1000, [&](int64_t begin, int64_t end) { sum += end - begin; });
    ::_exit(sum == 1000 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

} // namespace
