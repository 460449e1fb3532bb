//===- LaunchTest.cpp - What a launch costs the host ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Functions as users compile them, launched against a driver that does nothing.
// Times depend on the machine, and are printed; what a launch does is counted,
// and must not grow.
//
//===----------------------------------------------------------------------===//

#include "flash/Compiler/Executable.h"
#include "flash/InitAll.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>
#include <new>
#include <thread>

using namespace mlir;
using namespace flash;
using rt::Result;
using rt::Status;

/// Allocations of this process.
static std::atomic<size_t> allocations{0};

// A sanitizer has operators of its own: there nothing is counted.
#if !__has_feature(address_sanitizer)
void *operator new(size_t size) {
  ++allocations;
  if (void *memory = std::malloc(size ? size : 1))
    return memory;
  std::abort();
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
#endif

namespace {

struct DriverCalls {
  std::atomic<int> all{0}, launches{0}, maps{0};
};
DriverCalls calls;

/// A driver that counts, and does nothing.
rt::cuda::Driver makeNullDriver() {
  using namespace rt::cuda;
  Driver driver;
  driver.ctxGetCurrent = [](Context *context) {
    *context = reinterpret_cast<Context>(0xc000);
    ++calls.all;
    return 0;
  };
  driver.ctxGetId = [](Context, unsigned long long *id) {
    *id = 1;
    ++calls.all;
    return 0;
  };
  driver.ctxPushCurrent = [](Context) { return 0; };
  driver.ctxPopCurrent = [](Context *) { return 0; };
  driver.moduleLoadDataEx = [](Module *module, const void *, unsigned, int *,
                               void **) {
    *module = reinterpret_cast<Module>(1);
    return 0;
  };
  driver.moduleUnload = [](Module) { return 0; };
  driver.moduleGetFunction = [](Function *function, Module, const char *) {
    *function = reinterpret_cast<Function>(1);
    return 0;
  };
  driver.funcSetAttribute = [](Function, int, int) { return 0; };
  driver.launchKernel = [](Function, unsigned, unsigned, unsigned, unsigned,
                           unsigned, unsigned, unsigned, Stream, void **,
                           void **) {
    ++calls.all;
    ++calls.launches;
    return 0;
  };
  driver.tensorMapEncodeTiled =
      [](TensorMap *, int, uint32_t, void *, const uint64_t *, const uint64_t *,
         const uint32_t *, const uint32_t *, int, int, int, int) {
        ++calls.maps;
        return 0;
      };
  return driver;
}

std::string attention(const std::string &attributes, bool lse) {
  std::string type = "tensor<?x?x?x128xbf16>",
              results = lse ? "(" + type + ", tensor<?x?x?xf32>)" : type;
  return "func.func @attention(%q: " + type + ", %k: " + type +
         ", %v: " + type + ") -> " + results + " {\n  " +
         (lse ? "%o, %l" : "%o") + " = flash.attention %q, %k, %v " +
         attributes + " : " + type + ", " + type + ", " + type + " -> " + type +
         (lse ? ", tensor<?x?x?xf32>" : "") + "\n  return " +
         (lse ? "%o, %l" : "%o") + " : " + type +
         (lse ? ", tensor<?x?x?xf32>" : "") + "\n}\n";
}

class LaunchTest : public ::testing::Test {
protected:
  void SetUp() override {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    driver = makeNullDriver();
  }

  std::unique_ptr<rt::Executor> compile(const std::string &text) {
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    if (!module)
      return nullptr;
    CompileOptions options;
    options.target = "sm_90a";
    options.assemble = false;
    Result<std::unique_ptr<Executable>> executable =
        Executable::compile(*module->getOps<func::FuncOp>().begin(), options);
    EXPECT_TRUE(executable.ok()) << executable.message();
    if (executable.failed())
      return nullptr;
    Result<rt::Executor> executor =
        rt::Executor::create((*executable)->plan().program(), &driver);
    EXPECT_TRUE(executor.ok()) << executor.message();
    return std::make_unique<rt::Executor>(std::move(*executor));
  }

  MLIRContext context{MLIRContext::Threading::DISABLED};
  rt::cuda::Driver driver;
};

/// A call of attention with memory that nobody looks at.
struct Call {
  explicit Call(int64_t length)
      : dims{4, 16, length, 128}, keyDims{4, 4, length, 128} {
    arguments[0] = {reinterpret_cast<void *>(0x100000), dims};
    arguments[1] = {reinterpret_cast<void *>(0x200000), keyDims};
    arguments[2] = {reinterpret_cast<void *>(0x300000), keyDims};
    results[0] = {reinterpret_cast<void *>(0x400000), dims};
    results[1] = {reinterpret_cast<void *>(0x500000), dims};
  }
  int64_t dims[4], keyDims[4];
  rt::CallArgument arguments[3], results[2];
  rt::Workspace workspace = {reinterpret_cast<void *>(0x600000), 1 << 30};
};

/// Host time of a launch, the least of many short runs: the machine does other
/// things too.
double microseconds(rt::Executor &executor, bool newShapes) {
  constexpr int kLaunches = 200;
  std::vector<std::unique_ptr<Call>> all;
  const int shapes = newShapes ? 997 : 1;
  all.reserve(shapes);
  for (int i = 0; i < shapes; ++i)
    all.push_back(std::make_unique<Call>(2048 + i));
  double least = 1e9;
  for (int run = 0, next = 0; run < 200; ++run) {
    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kLaunches; ++i) {
      Call &call = *all[next++ % all.size()];
      Status status = executor.launch(call.arguments, call.results, nullptr,
                                      &call.workspace);
      EXPECT_TRUE(status.ok()) << status.message();
    }
    least = std::min(least, std::chrono::duration<double, std::micro>(
                                std::chrono::steady_clock::now() - begin)
                                    .count() /
                                kLaunches);
  }
  return least;
}

TEST_F(LaunchTest, CountsOfWork) {
  for (auto [name, attributes, lse] :
       {std::tuple{"full", "", false},
        {"full, lse", "", true},
        {"causal", "{mask = #flash.causal}", false}}) {
    std::unique_ptr<rt::Executor> executor =
        compile(attention(attributes, lse));
    ASSERT_TRUE(executor);
    rt::CallPlan::Work work = executor->plan().countWork();
    std::printf("%s: %zu launches, %zu loads, %zu operations, %zu checks, at "
                "most %zu parameters\n",
                name, work.launches, work.loads, work.operations, work.checks,
                work.mostParams);
    // Only what kernels read, and each value once.
    EXPECT_LE(work.mostParams, 16u) << name;
    EXPECT_LE(work.loads, 40u) << name;
    EXPECT_LE(work.operations, 60u * work.launches) << name;

    Call call(4096);
    auto launch = [&] {
      return executor->launch(call.arguments, call.results, nullptr,
                              &call.workspace);
    };
    Status status = launch();
    ASSERT_TRUE(status.ok()) << status.message();
    // One kernel, nothing allocated, and maps of the same tensors are kept.
    calls.all = calls.launches = calls.maps = 0;
    size_t before = allocations;
    status = launch();
    EXPECT_EQ(allocations - before, 0u) << name;
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(calls.launches, 1) << name;
    EXPECT_EQ(calls.all, 3) << name; // with cuCtxGetCurrent and cuCtxGetId
    EXPECT_EQ(calls.maps, 0) << name;
    // Sizes that are new cost their maps, and no more.
    Call other(4097);
    before = allocations;
    status = executor->launch(other.arguments, other.results, nullptr,
                              &other.workspace);
    EXPECT_EQ(allocations - before, 0u) << name;
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(calls.launches, 2) << name;
    EXPECT_LE(calls.maps, 4) << name;

    std::printf("%s: %.2f us, with new shapes %.2f us\n", name,
                microseconds(*executor, false), microseconds(*executor, true));
  }
}

TEST_F(LaunchTest, ManyThreads) {
  std::unique_ptr<rt::Executor> executor = compile(attention("", false));
  ASSERT_TRUE(executor);
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        Call call(1 + (i * 8 + t) % 5000);
        failures +=
            executor
                ->launch(call.arguments, call.results, nullptr, &call.workspace)
                .failed();
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(failures, 0);
}

} // namespace
