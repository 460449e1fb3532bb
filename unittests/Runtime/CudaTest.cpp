//===- CudaTest.cpp - Wrappers of the driver ------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Contexts, ownership and the wording of errors, on the fake driver.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Cuda.h"
#include "FakeDriver.h"

#include <gtest/gtest.h>

using namespace flash::rt;
using namespace flash::rt::cuda;

namespace {

TEST(CudaTest, NoDriver) {
  Result<Driver> driver = Driver::open("libno-such-driver.so.1");
  ASSERT_TRUE(driver.failed());
  EXPECT_EQ(driver.message().rfind("no CUDA driver on this machine: ", 0), 0u)
      << driver.message();
  // A library that is none.
  driver = Driver::open("libdl.so.2");
  ASSERT_TRUE(driver.failed());
  EXPECT_EQ(driver.message(),
            "the CUDA driver libdl.so.2 is too old: it has no cuInit");
}

TEST(CudaTest, ErrorText) {
  FakeDriver fake;
  EXPECT_TRUE(fake.table.check(0, "x", "cuX").ok());
  EXPECT_EQ(fake.table.check(700, "waiting", "cuStreamSynchronize").message(),
            "waiting: cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (an "
            "illegal memory access was encountered)");
  // A code that the driver itself does not know.
  EXPECT_EQ(fake.table.check(999, "waiting", "cuX").message(),
            "waiting: cuX: CUDA error 999");
}

TEST(CudaTest, ModuleErrorsCarryTheLog) {
  FakeDriver fake;
  fake.fail = "cuModuleLoadDataEx";
  fake.failCode = 218;
  fake.jitLog = "ptxas application ptx input, line 3; fatal\n";
  EXPECT_EQ(LoadedModule::load(fake.table, "attention", "junk").message(),
            "loading the module of 'attention': cuModuleLoadDataEx: "
            "CUDA_ERROR_INVALID_PTX (a PTX JIT compilation failed): ptxas "
            "application ptx input, line 3; fatal");
  EXPECT_EQ(fake.liveModules, 0);
  EXPECT_EQ(fake.images, std::vector<std::string>{"junk"});
}

TEST(CudaTest, ModulesAreUnloadedOnce) {
  FakeDriver fake;
  {
    Result<LoadedModule> module = LoadedModule::load(fake.table, "m", "ptx");
    ASSERT_TRUE(module.ok());
    LoadedModule moved = std::move(*module);
    EXPECT_EQ(fake.liveModules, 1);
  }
  EXPECT_EQ(fake.liveModules, 0);
  EXPECT_EQ(fake.count("cuModuleUnload"), 1);
}

TEST(CudaTest, Contexts) {
  FakeDriver fake;
  // The caller's own is left alone.
  fake.current = fakeContext(3);
  {
    Result<ContextScope> scope = ContextScope::enter(fake.table);
    ASSERT_TRUE(scope.ok());
    EXPECT_EQ(scope->context(), fakeContext(3));
  }
  EXPECT_EQ(fake.count("cuCtxPushCurrent"), 0);
  // None: that of the stream.
  fake.current = nullptr;
  fake.streamContexts[fakeStream(1)] = fakeContext(4);
  {
    Result<ContextScope> scope = ContextScope::enter(fake.table, fakeStream(1));
    ASSERT_TRUE(scope.ok());
    EXPECT_EQ(scope->context(), fakeContext(4));
    EXPECT_EQ(fake.stack, std::vector<Context>{fakeContext(4)});
  }
  EXPECT_TRUE(fake.stack.empty());
  // Neither: the primary one, retained once.
  for (int i = 0; i < 2; ++i) {
    Result<ContextScope> scope = ContextScope::enter(fake.table);
    ASSERT_TRUE(scope.ok());
    EXPECT_EQ(scope->context(), fakeContext(0));
  }
  EXPECT_TRUE(fake.stack.empty());
  EXPECT_LE(fake.count("cuDevicePrimaryCtxRetain"), 1);
}

TEST(CudaTest, DeviceInfo) {
  FakeDriver fake;
  Result<DeviceInfo> info = deviceInfo(fake.table, 0);
  ASSERT_TRUE(info.ok()) << info.message();
  EXPECT_EQ(info->name, "Fake H100");
  EXPECT_EQ(info->target(), "sm_90");
  EXPECT_EQ(info->multiprocessors, 132);
  EXPECT_EQ(info->sharedMemoryPerBlock, 232448);
  EXPECT_EQ(info->memoryBytes, int64_t(80) << 30);
  EXPECT_EQ(info->l2Bytes, 38); // the attribute's own number
  EXPECT_EQ(info->driverVersion, 12040);
  fake.fail = "cuDeviceGetAttribute";
  EXPECT_EQ(deviceInfo(fake.table, 1).message(),
            "asking about CUDA device 1: cuDeviceGetAttribute: "
            "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was "
            "encountered)");
}

TEST(CudaTest, Memory) {
  FakeDriver fake;
  {
    Result<DeviceBuffer> buffer = DeviceBuffer::allocate(fake.table, 100);
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(fake.allocations.size(), 1u);
    char bytes[200] = {};
    EXPECT_TRUE(buffer->copyFromHost(bytes, 100).ok());
    EXPECT_TRUE(buffer->copyToHost(bytes, 100).ok());
    EXPECT_EQ(buffer->copyToHost(bytes, 101).message(),
              "copying 101 bytes from a device buffer of 100");
    EXPECT_EQ(buffer->copyFromHost(bytes, 200).message(),
              "copying 200 bytes to a device buffer of 100");
    Result<DeviceBuffer> other = DeviceBuffer::allocate(fake.table, 7);
    ASSERT_TRUE(other.ok());
    *buffer = std::move(*other);
  }
  EXPECT_TRUE(fake.allocations.empty());
  EXPECT_EQ(DeviceBuffer::allocate(fake.table, 0)->address(), 0u);
  fake.fail = "cuMemAlloc";
  fake.failCode = 2;
  EXPECT_EQ(DeviceBuffer::allocate(fake.table, 5).message(),
            "allocating 5 bytes of device memory: cuMemAlloc: "
            "CUDA_ERROR_OUT_OF_MEMORY (out of memory)");
}

TEST(CudaTest, Timer) {
  FakeDriver fake;
  {
    Result<Timer> timer = Timer::create(fake.table);
    ASSERT_TRUE(timer.ok());
    EXPECT_TRUE(timer->start(nullptr).ok());
    EXPECT_TRUE(timer->stop(nullptr).ok());
    EXPECT_EQ(*timer->milliseconds(), 1.5);
    fake.fail = "cuEventSynchronize";
    EXPECT_EQ(timer->milliseconds().message(),
              "waiting for the kernel: cuEventSynchronize: "
              "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was "
              "encountered)");
  }
  EXPECT_EQ(fake.count("cuEventCreate"), 2);
  EXPECT_EQ(fake.count("cuEventDestroy"), 2);
}

} // namespace
