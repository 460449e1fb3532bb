//===- KernelAssemblyTest.cpp - Kernels that are being assembled ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With an assembler that waits until the test lets it go on.
//
//===----------------------------------------------------------------------===//

#include "flash/Target/KernelAssembly.h"

#include <atomic>
#include <future>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace flash;
using rt::Result;
using rt::Status;

namespace {

/// `slow` is assembled when `go` is set, `wrong` is an error.
struct Assembler {
  AssembleKernel get() {
    return [this](const std::string &ptx, AssembledPTX &made) {
      if (ptx == "slow")
        go.wait();
      if (ptx == "wrong")
        return Status::error("a syntax error");
      made = {"cubin of " + ptx, "log of " + ptx + ";"};
      return Status::success();
    };
  }

  std::promise<void> promise;
  std::shared_future<void> go = promise.get_future().share();
};

TEST(KernelAssemblyTest, OneIsWaitedForByItself) {
  Assembler assembler;
  auto assembly =
      KernelAssembly::start({"slow", "quick", "other"}, assembler.get());
  std::atomic<int> calls{0};
  assembly->whenAll([&] { ++calls; });
  Result<std::string> quick = assembly->wait(1);
  ASSERT_TRUE(quick.ok());
  EXPECT_EQ(*quick, "cubin of quick");
  EXPECT_TRUE(assembly->isReady(1));
  EXPECT_FALSE(assembly->isReady(0));
  EXPECT_EQ(calls, 0);

  assembler.promise.set_value();
  EXPECT_TRUE(assembly->waitForAll().ok());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(*assembly->wait(0), "cubin of slow");
  EXPECT_EQ(assembly->getLog(), "log of slow;log of quick;log of other;");
  assembly->whenAll([&] { ++calls; });
  EXPECT_EQ(calls, 2);
}

TEST(KernelAssemblyTest, WhoWaitsAssembles) {
  std::thread::id by;
  auto assembly = KernelAssembly::start(
      {"only"},
      [&](const std::string &, AssembledPTX &) {
        by = std::this_thread::get_id();
        return Status::success();
      },
      /*callerWaits=*/true);
  EXPECT_TRUE(assembly->waitForAll().ok());
  EXPECT_EQ(by, std::this_thread::get_id());
}

TEST(KernelAssemblyTest, NothingIsCalledAfterAnError) {
  Assembler assembler;
  auto assembly = KernelAssembly::start({"slow", "wrong"}, assembler.get());
  bool called = false;
  assembly->whenAll([&] { called = true; });
  EXPECT_EQ(assembly->wait(1).message(), "a syntax error");
  assembler.promise.set_value();
  EXPECT_TRUE(assembly->wait(0).ok());
  EXPECT_EQ(assembly->waitForAll().message(), "a syntax error");
  assembly->whenAll([&] { called = true; });
  EXPECT_FALSE(called);
}

TEST(KernelAssemblyTest, GoesOnWithoutItsOwner) {
  Assembler assembler;
  std::promise<void> called;
  KernelAssembly::start({"slow"}, assembler.get())->whenAll([&] {
    called.set_value();
  });
  assembler.promise.set_value();
  called.get_future().wait();
}

// The thread that has taken a kernel is not in the child.
TEST(KernelAssemblyTest, AForkedProcessAssemblesItself) {
  std::promise<void> begun, promise;
  std::shared_future<void> go = promise.get_future().share();
  const pid_t parent = getpid();
  auto assembly = KernelAssembly::start(
      {"kernel"}, [&, go](const std::string &, AssembledPTX &made) {
        if (getpid() == parent) {
          begun.set_value();
          go.wait();
        }
        made.cubin = "cubin";
        return Status::success();
      });
  begun.get_future().wait();
  pid_t child = fork();
  if (child == 0) {
    Result<std::string> cubin = assembly->wait(0);
    bool right = cubin.ok() && *cubin == "cubin" && !assembly->isReady(0) &&
                 assembly->waitForAll().ok();
    // With what it does at exit.
    std::exit(right ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  promise.set_value();
  EXPECT_TRUE(assembly->waitForAll().ok());
}

} // namespace
