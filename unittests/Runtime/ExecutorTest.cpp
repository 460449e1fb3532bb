//===- ExecutorTest.cpp - Running launch plans ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Calls on the fake driver: what is launched, to the byte, and what is refused
// before anything is.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Executor.h"
#include "FakeDriver.h"
#include "TestProgram.h"

#include <future>
#include <gtest/gtest.h>

using namespace flash::rt;
using namespace flash::rt::cuda;

namespace {

class ExecutorTest : public ::testing::Test {
protected:
  void SetUp() override {
    fake.current = fakeContext(1);
    fake.paramSizes = {8, 128, 8, 8, 4, 4, 8};
  }

  Executor make(Program program = testProgram()) {
    Result<Executor> executor =
        Executor::create(std::move(program), &fake.table);
    EXPECT_TRUE(executor.ok()) << executor.message();
    return std::move(*executor);
  }

  static std::vector<Argument> arguments(int64_t batch, int64_t queries,
                                         int64_t keys) {
    return {Argument::tensor(0x100000, {batch, 32, queries, 128}),
            Argument::tensor(0x200000, {batch, 8, keys, 128}),
            Argument::index(-3)};
  }
  static std::vector<Argument> results(int64_t batch, int64_t queries) {
    return {Argument::tensor(0x300000, {batch, 32, queries, 128}),
            Argument::tensor(0x400000, {batch, 32, queries})};
  }

  FakeDriver fake;
};

using Three = std::vector<unsigned>;

TEST_F(ExecutorTest, LaunchesToTheByte) {
  Executor executor = make();
  Status status =
      executor.launch(arguments(2, 1000, 777), results(2, 1000), fakeStream(1));
  ASSERT_TRUE(status.ok()) << status.message();
  // The temporary lives for the call, in the order of its stream.
  const uint64_t temporary = 0x9000000;
  EXPECT_EQ(fake.count("cuMemAllocAsync"), 1);
  EXPECT_EQ(fake.calls.back(), "cuMemFreeAsync");
  EXPECT_TRUE(fake.allocations.empty());

  ASSERT_EQ(fake.launches.size(), 2u);
  EXPECT_EQ(fake.launches[0].call, "cuMemsetD8Async");
  EXPECT_EQ(fake.launches[0].kernel, std::to_string(temporary) + " 255 512000");
  EXPECT_EQ(fake.launches[0].stream, fakeStream(1));

  const RecordedLaunch &launch = fake.launches[1];
  EXPECT_EQ(launch.kernel, "flash_kernel");
  EXPECT_EQ(launch.call, "cuLaunchKernel");
  EXPECT_EQ(launch.grid, (Three{8, 32, 2}));
  EXPECT_EQ(launch.block, (Three{384, 1, 1}));
  EXPECT_EQ(launch.sharedBytes, 200000u);
  EXPECT_EQ(launch.stream, fakeStream(1));
  EXPECT_EQ(launch.param<uint64_t>(0), 0x100010u);
  EXPECT_EQ(launch.param<TensorMap>(1).opaque[0], 0xabc001u);
  EXPECT_EQ(launch.param<TensorMap>(1).opaque[15], 0xabc001u);
  EXPECT_EQ(launch.param<uint64_t>(2), 0x300000u);
  EXPECT_EQ(launch.param<int64_t>(3), 777);
  EXPECT_EQ(launch.param<int32_t>(4), -3);
  EXPECT_EQ(launch.param<float>(5), 0.127517432f);
  EXPECT_EQ(launch.param<uint64_t>(6), temporary);

  ASSERT_EQ(fake.maps.size(), 1u);
  EXPECT_EQ(fake.maps[0].address, 0x200000u);
  EXPECT_EQ(fake.maps[0].dims, (std::vector<uint64_t>{128, 777, 8, 2}));
  EXPECT_EQ(fake.maps[0].strides,
            (std::vector<uint64_t>{256, 777 * 256, 777 * 256 * 8}));
  EXPECT_EQ(fake.sharedAsked["flash_kernel"], 200000);
}

// More steps, parameters and bytes of them than a call keeps on the stack.
TEST_F(ExecutorTest, ManyLaunches) {
  Program program = testProgram();
  const Step launch = program.steps.back();
  for (int i = 0; i < 30; ++i)
    program.steps.push_back(launch);
  Executor executor = make(std::move(program));
  for (int call = 0; call < 2; ++call) {
    fake.launches.clear();
    Status status = executor.launch(arguments(2, 1000, 777), results(2, 1000),
                                    fakeStream(1));
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(fake.launches.size(), 32u);
    for (size_t i = 1; i < fake.launches.size(); ++i) {
      EXPECT_EQ(fake.launches[i].param<uint64_t>(0), 0x100010u);
      const auto map = fake.launches[i].param<TensorMap>(1);
      EXPECT_EQ(map.opaque[0] & ~uint64_t(0xff), 0xabc000u);
      EXPECT_EQ(map.opaque[0], map.opaque[15]);
    }
  }
}

TEST_F(ExecutorTest, WorkspaceIsTheCallers) {
  Program program = testProgram();
  int counter = static_cast<int>(program.buffers.size());
  program.buffers.push_back(Buffer::temporary("counter", 8));
  auto *launch = std::get_if<Launch>(&program.steps[1]);
  ASSERT_TRUE(launch);
  launch->params.push_back(PointerParam{counter, 0});
  fake.paramSizes.push_back(8);
  Executor executor = make(std::move(program));
  std::vector<Argument> in = arguments(1, 3, 5), out = results(1, 3);
  Result<int64_t> bytes =
      executor.plan().getWorkspaceSize(toCallArguments(in).data());
  ASSERT_TRUE(bytes.ok()) << bytes.message();
  EXPECT_EQ(*bytes, 1536 + 256);

  // Two streams have nothing in common, and nothing is cleared for them.
  for (uint64_t memory : {0xa0000, 0xb0000}) {
    Workspace workspace = {reinterpret_cast<void *>(memory), 1792};
    Status status = executor.launch(in, out, fakeStream(memory), &workspace);
    ASSERT_TRUE(status.ok()) << status.message();
    const RecordedLaunch &last = fake.launches.back();
    EXPECT_EQ(last.param<uint64_t>(6), memory);
    EXPECT_EQ(last.param<uint64_t>(7), memory + 1536);
  }
  EXPECT_EQ(fake.count("cuMemsetD8Async"), 2); // the plan's own fills
  EXPECT_EQ(fake.count("cuMemAllocAsync"), 0);
  EXPECT_EQ(fake.count("cuStreamSynchronize"), 0);

  auto error = [&](uint64_t memory, size_t size) {
    Workspace workspace = {reinterpret_cast<void *>(memory), size};
    return executor.launch(in, out, nullptr, &workspace).message();
  };
  EXPECT_EQ(error(0xa0000, 1791),
            "'attention' needs a workspace of 1792 bytes for these sizes, but "
            "1791 were given");
  EXPECT_EQ(error(0, 4096),
            "'attention' needs a workspace of 1792 bytes for these sizes, but "
            "0 were given");
  EXPECT_EQ(error(0xa0010, 4096),
            "the workspace of 'attention' must begin at a multiple of 256 "
            "bytes");
  EXPECT_EQ(fake.launches.size(), 4u);
}

/// Calls leave nothing behind but modules and maps.
TEST_F(ExecutorTest, KeepsWhatItCan) {
  Executor executor = make();
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(executor.launch(arguments(2, 256, 64), results(2, 256)).ok());
  EXPECT_EQ(fake.images.size(), 1u);
  EXPECT_EQ(fake.maps.size(), 1u);
  EXPECT_EQ(fake.launches.size(), 6u);
  for (int64_t queries : {100, 512, 4000})
    ASSERT_TRUE(
        executor.launch(arguments(2, queries, 64), results(2, queries)).ok());
  EXPECT_EQ(fake.count("cuMemAllocAsync"), 6);
  EXPECT_EQ(fake.count("cuMemFreeAsync"), 6);
  EXPECT_EQ(fake.count("cuStreamSynchronize"), 0);
  EXPECT_TRUE(fake.allocations.empty());
  // A driver without ordered allocations waits before it frees.
  fake.table.memAllocAsync = nullptr;
  ASSERT_TRUE(executor.launch(arguments(2, 512, 64), results(2, 512)).ok());
  EXPECT_EQ(fake.count("cuMemAlloc"), 1);
  EXPECT_EQ(fake.count("cuStreamSynchronize"), 1);
  EXPECT_TRUE(fake.allocations.empty());
}

/// A view of packed query, key and value, and one that is expanded.
TEST_F(ExecutorTest, Views) {
  Program program = testProgram();
  auto &map = *std::get_if<TensorMapParam>(
      &std::get_if<Launch>(&program.steps[1])->params[1]);
  map.byteStrides = {Expr::stride(1, 2) * 2, Expr::stride(1, 1) * 2,
                     Expr::stride(1, 0) * 2};
  std::get_if<Launch>(&program.steps[1])->params[3] =
      Int64Param{Expr::resultStride(0, 1)};
  program.signature.arguments[1].alignment = 16;
  Executor executor = make(std::move(program));

  // Dense: strides follow from sizes.
  ASSERT_TRUE(executor.launch(arguments(2, 4, 10), results(2, 4)).ok());
  EXPECT_EQ(fake.maps[0].strides, (std::vector<uint64_t>{256, 2560, 20480}));
  EXPECT_EQ(fake.launches.back().param<int64_t>(3), 4 * 128);
  // The same, said.
  std::vector<Argument> in = arguments(2, 4, 10), out = results(2, 4);
  in[1].strides = {8 * 10 * 128, 10 * 128, 128, 1};
  out[0].strides = {32 * 4 * 128, 4 * 128, 128, 1};
  ASSERT_TRUE(executor.launch(in, out).ok());
  EXPECT_EQ(fake.maps.size(), 1u);
  // (batch, length, heads, head dim) in memory.
  in[1].strides = {10 * 3072, 128, 3072, 1};
  out[0].strides = {4 * 32 * 128, 128, 32 * 128, 1};
  Status status = executor.launch(in, out);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(fake.maps.size(), 2u);
  EXPECT_EQ(fake.maps[1].dims, (std::vector<uint64_t>{128, 10, 8, 2}));
  EXPECT_EQ(fake.maps[1].strides, (std::vector<uint64_t>{6144, 256, 61440}));
  EXPECT_EQ(fake.launches.back().param<int64_t>(3), 128);
  // Expanded over batch and heads.
  in[1].strides = {0, 0, 128, 1};
  ASSERT_TRUE(executor.launch(in, out).ok());
  EXPECT_EQ(fake.maps[2].strides, (std::vector<uint64_t>{256, 0, 0}));
  // A dimension of one has any stride.
  in = arguments(1, 4, 10), out = results(1, 4);
  in[1].strides = {7, 10 * 128, 128, 1};
  out[0].strides = {0, 4 * 128, 128, 1};
  status = executor.launch(in, out);
  ASSERT_TRUE(status.ok()) << status.message();

  auto error = [&](auto change) {
    std::vector<Argument> a = arguments(2, 4, 10), r = results(2, 4);
    a[1].strides = {8 * 10 * 128, 10 * 128, 128, 1};
    r[0].strides = {32 * 4 * 128, 4 * 128, 128, 1};
    change(a[1], r[0]);
    return executor.launch(a, r).message();
  };
  EXPECT_EQ(error([](Argument &k, Argument &) { k.strides[3] = 2; }),
            "argument 1 ('k') of 'attention': the last dimension has a stride "
            "of 2, but must be contiguous (a stride of 1): copy it");
  EXPECT_EQ(error([](Argument &k, Argument &) { k.strides[1] = 1284; }),
            "argument 1 ('k') of 'attention': dimension 1 has a stride of 1284 "
            "elements, but kernels need a multiple of 8");
  EXPECT_EQ(error([](Argument &k, Argument &) { k.address += 8; }),
            "argument 1 ('k') of 'attention': its address is not a multiple of "
            "16 bytes, which kernels need");
  EXPECT_EQ(error([](Argument &, Argument &o) { o.strides[1] = 0; }),
            "result 0 ('o') of 'attention': dimension 1 has a stride of 0: a "
            "result's elements must not lie upon each other");
  EXPECT_EQ(error([](Argument &k, Argument &) { k.strides.pop_back(); }),
            "argument 1 ('k') of 'attention' has rank 4, but 3 strides were "
            "given");
  EXPECT_EQ(error([](Argument &k, Argument &) { k.strides[0] = INT64_MAX; }),
            "argument 1 ('k') of 'attention': 2x8x10x128 with these strides "
            "does not fit in 64-bit addresses");
  EXPECT_EQ(error([](Argument &k, Argument &) { k.strides[1] = -1280; }),
            "'attention': encoding the tensor map of argument 1 ('k'): the "
            "stride of dimension 2 is -2560 bytes, not a multiple of 16 within "
            "0 to 2^40");
}

/// A result that is filled has no gaps between its elements.
TEST_F(ExecutorTest, FilledResults) {
  Program program = testProgram();
  program.steps.insert(program.steps.begin(), Fill{2, 0, 1024, 0});
  Executor executor = make(std::move(program));
  std::vector<Argument> in = arguments(2, 4, 10), out = results(2, 4);
  out[0].strides = {32 * 4 * 128, 4 * 128, 128, 1};
  Status status = executor.launch(in, out);
  EXPECT_TRUE(status.ok()) << status.message();
  out[0].strides = {4 * 32 * 128, 128, 32 * 128, 1};
  EXPECT_EQ(executor.launch(in, out).message(),
            "result 0 ('o') of 'attention': dimension 2 has a stride of 4096, "
            "but must have 128: it is filled before kernels write it, as a "
            "dense tensor");
}

TEST_F(ExecutorTest, ModulesForEachContext) {
  {
    Executor executor = make();
    ASSERT_TRUE(executor.prepare().ok());
    EXPECT_EQ(fake.liveModules, 1);
    fake.current = fakeContext(2);
    ASSERT_TRUE(executor.launch(arguments(1, 5, 5), results(1, 5)).ok());
    ASSERT_TRUE(executor.prepare().ok());
    EXPECT_EQ(fake.liveModules, 2);
  }
  EXPECT_EQ(fake.liveModules, 0);
  EXPECT_TRUE(fake.allocations.empty());
  EXPECT_TRUE(fake.stack.empty());
}

TEST_F(ExecutorTest, ContextThatIsGone) {
  {
    Executor executor = make();
    ASSERT_TRUE(executor.launch(arguments(1, 5, 5), results(1, 5)).ok());
    fake.fail = "cuCtxPushCurrent";
  }
  EXPECT_EQ(fake.count("cuModuleUnload"), 0);
  EXPECT_EQ(fake.count("cuMemFree"), 0);
}

TEST_F(ExecutorTest, ZeroGridIsSkipped) {
  Executor executor = make();
  // No queries: neither the fill nor the kernel has anything to do.
  Status status = executor.launch(arguments(2, 0, 10), results(2, 0));
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(fake.launches.empty());
  EXPECT_TRUE(fake.maps.empty());
  EXPECT_TRUE(fake.allocations.empty());
  // No keys, at address 0: the kernel runs, to write zeros.
  std::vector<Argument> call = arguments(2, 10, 0);
  call[1].address = 0;
  status = executor.launch(call, results(2, 10));
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(fake.launches.size(), 2u);
}

TEST_F(ExecutorTest, Clusters) {
  Program program = testProgram();
  std::get_if<Launch>(&program.steps[1])->cluster = {2, 1, 1};
  Executor executor = make(program);
  ASSERT_TRUE(executor.launch(arguments(1, 1000, 5), results(1, 1000)).ok());
  EXPECT_EQ(fake.launches[1].call, "cuLaunchKernelEx");
  EXPECT_EQ(fake.launches[1].cluster, (Three{2, 1, 1}));
  EXPECT_EQ(fake.launches[1].grid, (Three{8, 32, 1}));
  EXPECT_EQ(fake.launches[1].block, (Three{384, 1, 1}));
  EXPECT_EQ(fake.launches[1].params.size(), 7u);
  EXPECT_EQ(fake.count("cuFuncSetAttribute(nonportable)"), 0);
  EXPECT_EQ(
      executor.launch(arguments(1, 300, 5), results(1, 300)).message(),
      "'attention': the grid of 'flash_kernel' has 3 blocks along x, not a "
      "multiple of its cluster's 2");
  fake.table.launchKernelEx = nullptr;
  EXPECT_EQ(
      executor.launch(arguments(1, 1000, 5), results(1, 1000)).message(),
      "launching 'flash_kernel' needs cuLaunchKernelEx, which this CUDA driver "
      "does not have");
  // More than 8 blocks must be asked for.
  std::get_if<Launch>(&program.steps[1])->cluster = {1, 16, 1};
  ASSERT_TRUE(make(program).prepare().ok());
  EXPECT_EQ(fake.count("cuFuncSetAttribute(nonportable)"), 1);
}

TEST_F(ExecutorTest, ResultShapes) {
  Executor executor = make();
  auto shapes = executor.plan().getResultShapes(arguments(3, 17, 5));
  ASSERT_TRUE(shapes.ok()) << shapes.message();
  EXPECT_EQ(*shapes,
            (std::vector<std::vector<int64_t>>{{3, 32, 17, 128}, {3, 32, 17}}));
  EXPECT_TRUE(executor.plan().getResultShapes({}).failed());
}

TEST_F(ExecutorTest, WrongCalls) {
  Executor executor = make();
  auto error = [&](auto change) {
    std::vector<Argument> in = arguments(2, 10, 10), out = results(2, 10);
    change(in, out);
    Status status = executor.launch(in, out);
    EXPECT_TRUE(status.failed());
    return status.message();
  };
  using Args = std::vector<Argument>;
  EXPECT_EQ(error([](Args &in, Args &) { in.pop_back(); }),
            "'attention' takes 3 arguments, but 2 were given");
  EXPECT_EQ(error([](Args &in, Args &) { in[0] = Argument::index(3); }),
            "argument 0 ('q') of 'attention' is a tensor, but an index was "
            "given");
  EXPECT_EQ(error([](Args &in, Args &) { in[2] = in[0]; }),
            "argument 2 ('shift') of 'attention' is an index, but a tensor was "
            "given");
  EXPECT_EQ(error([](Args &in, Args &) { in[0].dims = {2, 3}; }),
            "argument 0 ('q') of 'attention' has rank 4, but 2x3 was given");
  EXPECT_EQ(error([](Args &in, Args &) { in[0].dims[3] = 64; }),
            "argument 0 ('q') of 'attention': dimension 3 is 64, but must be "
            "128");
  // A dimension tied to another argument's.
  EXPECT_EQ(error([](Args &in, Args &) { in[1].dims[0] = 3; }),
            "argument 1 ('k') of 'attention': dimension 0 is 3, but must be 2");
  EXPECT_EQ(error([](Args &in, Args &) { in[1].dims[2] = -1; }),
            "argument 1 ('k') of 'attention': dimension 2 is negative: -1");
  EXPECT_EQ(error([](Args &in, Args &) { in[1].address = 0; }),
            "argument 1 ('k') of 'attention': 2x8x10x128 at address 0");
  EXPECT_EQ(error([](Args &in, Args &) { in[1].dims[2] = INT64_MAX / 2; }),
            "argument 1 ('k') of 'attention': the number of elements of "
            "2x8x4611686018427387903x128 does not fit in 64 bits");
  EXPECT_EQ(error([](Args &in, Args &) { in[1].dims[1] = 5; }),
            "'attention': dimension 1 of 'k' (5) must divide dimension 1 of "
            "'q' (32)");
  EXPECT_EQ(error([](Args &in, Args &) { in[1].dims[1] = 0; }),
            "'attention': dimension 1 of 'k' (0) must divide dimension 1 of "
            "'q' (32)");
  EXPECT_EQ(error([](Args &, Args &out) { out.pop_back(); }),
            "'attention' has 2 results, but 1 were given");
  EXPECT_EQ(error([](Args &, Args &out) { out[1].dims[2] = 9; }),
            "result 1 ('lse') of 'attention' is 2x32x10, but 2x32x9 was given");
  EXPECT_EQ(error([](Args &, Args &out) { out[0].address = 0; }),
            "result 0 ('o') of 'attention': 2x32x10x128 at address 0");
  EXPECT_EQ(error([](Args &in, Args &) { in[2].value = int64_t(1) << 31; }),
            "'attention': parameter index(2) of 'flash_kernel' is 2147483648, "
            "beyond 32 bits");
  EXPECT_TRUE(fake.launches.empty());
}

TEST_F(ExecutorTest, Relations) {
  auto passes = [&](Check::Relation relation, int64_t lhs, int64_t rhs) {
    Program program = testProgram();
    // Not constants, so that the call evaluates them.
    Expr zero = Expr::scalar(2) - Expr::scalar(2);
    program.checks = {{relation, zero + lhs, zero + rhs, "{lhs}/{rhs}/{lhs}"}};
    Status status = make(program).launch(arguments(1, 0, 0), results(1, 0));
    if (status.failed())
      EXPECT_EQ(status.message(), "'attention': " + std::to_string(lhs) + "/" +
                                      std::to_string(rhs) + "/" +
                                      std::to_string(lhs));
    return status.ok();
  };
  using R = Check::Relation;
  EXPECT_TRUE(passes(R::Equal, 4, 4));
  EXPECT_FALSE(passes(R::Equal, 4, 5));
  EXPECT_TRUE(passes(R::EqualOrOne, 4, 4));
  EXPECT_TRUE(passes(R::EqualOrOne, 1, 4));
  EXPECT_FALSE(passes(R::EqualOrOne, 4, 1));
  EXPECT_FALSE(passes(R::EqualOrOne, 0, 4));
  EXPECT_TRUE(passes(R::LessEqual, 4, 4));
  EXPECT_TRUE(passes(R::LessEqual, -4, 4));
  EXPECT_FALSE(passes(R::LessEqual, 5, 4));
  EXPECT_TRUE(passes(R::Divisible, 32, 8));
  EXPECT_FALSE(passes(R::Divisible, 32, 5));
  EXPECT_TRUE(passes(R::Divisible, 0, 0));
  EXPECT_FALSE(passes(R::Divisible, 1, 0));
  EXPECT_TRUE(passes(R::Divisible, INT64_MIN, -1));
}

TEST_F(ExecutorTest, GridLimits) {
  Program program = testProgram();
  Launch &launch = *std::get_if<Launch>(&program.steps[1]);
  launch.grid = {1, 1, Expr::dim(0, 0)};
  std::vector<Argument> in = arguments(65536, 1, 1);
  EXPECT_EQ(make(program).launch(in, results(65536, 1)).message(),
            "'attention': the grid of 'flash_kernel' has 65536 blocks along z, "
            "not within 0 to 65535");
  launch.grid[2] = Expr::scalar(2);
  EXPECT_EQ(make(program).launch(in, results(65536, 1)).message(),
            "'attention': the grid of 'flash_kernel' has -3 blocks along z, "
            "not within 0 to 65535");
  EXPECT_TRUE(fake.launches.empty());
}

TEST_F(ExecutorTest, StaysWithinBuffers) {
  Program program = testProgram();
  std::get_if<Fill>(&program.steps[0])->bytes = Expr::dim(0, 2) * 512 + 1;
  EXPECT_EQ(make(program).launch(arguments(1, 4, 4), results(1, 4)).message(),
            "'attention': 2049 bytes at offset 0 are not within the 2048 of "
            "temporary 'partial'");
  program = testProgram();
  Launch &launch = *std::get_if<Launch>(&program.steps[1]);
  launch.params[0] = PointerParam{0, -16};
  EXPECT_EQ(make(program).launch(arguments(1, 4, 4), results(1, 4)).message(),
            "'attention': 0 bytes at offset -16 are not within the 32768 of "
            "argument 0 ('q')");
  program = testProgram();
  TensorMapParam &map = *std::get_if<TensorMapParam>(
      &std::get_if<Launch>(&program.steps[1])->params[1]);
  map.byteStrides[2] = map.byteStrides[2] * 2;
  EXPECT_TRUE(make(program).launch(arguments(1, 4, 4), results(1, 4)).ok());
  EXPECT_EQ(make(program).launch(arguments(2, 4, 4), results(2, 4)).message(),
            "'attention': 24576 bytes at offset 0 are not within the 16384 of "
            "argument 1 ('k')");
  map.byteStrides[2] = Expr::dim(1, 2) * (INT64_MAX / 2);
  EXPECT_EQ(make(program).launch(arguments(2, 4, 4), results(2, 4)).message(),
            "'attention': evaluating dim(1, 2) * 4611686018427387903: the "
            "value does not fit in 64 bits");
}

TEST_F(ExecutorTest, ImpossibleTemporaries) {
  Program program = testProgram();
  program.buffers[4].bytes = Expr::scalar(2);
  EXPECT_EQ(make(program).launch(arguments(1, 4, 4), results(1, 4)).message(),
            "temporary 'partial' of 'attention' has an impossible size: -3 "
            "bytes");
  fake.fail = "cuMemAllocAsync";
  fake.failCode = 2;
  EXPECT_EQ(make().launch(arguments(1, 4, 4), results(1, 4)).message(),
            "workspace of 'attention': allocating 2048 bytes of device memory: "
            "cuMemAllocAsync: CUDA_ERROR_OUT_OF_MEMORY (out of memory)");
  EXPECT_TRUE(fake.launches.empty());
}

TEST_F(ExecutorTest, ParametersOfTheKernel) {
  auto error = [&](std::vector<size_t> sizes) {
    fake.paramSizes = std::move(sizes);
    return make().prepare().message();
  };
  const std::string fewer =
      "the kernel 'flash_kernel' has 2 parameters, but the launch plan 7";
  EXPECT_EQ(error({8, 128, 8, 8, 4, 4, 8}), "");
  EXPECT_EQ(error({8, 128}), fewer);
  EXPECT_EQ(error({8, 128, 8, 8, 8, 4, 8}),
            "parameter 4 of the kernel 'flash_kernel' has 8 bytes, but that of "
            "the launch plan 4");
  EXPECT_EQ(error({8, 128, 8, 8, 4, 4, 8, 8}),
            "the kernel 'flash_kernel' has 8 parameters, but the launch plan "
            "7");
  EXPECT_EQ(fake.paramErrors, 0);
  // Before 13.2, and before 12.4.
  fake.table.funcGetParamCount = nullptr;
  EXPECT_EQ(error({8, 128, 8, 8, 4, 4, 8}), "");
  EXPECT_EQ(fake.paramErrors, 0);
  EXPECT_EQ(error({8, 128}), fewer);
  fake.table.funcGetParamInfo = nullptr;
  EXPECT_EQ(error({}), "");
}

TEST_F(ExecutorTest, DriverErrors) {
  const std::string illegal =
      "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)";
  auto error = [&](const char *call, Code code) {
    fake.fail = call;
    fake.failCode = code;
    return make().launch(arguments(1, 4, 4), results(1, 4)).message();
  };
  EXPECT_EQ(error("cuModuleLoadDataEx", 209),
            "loading the module of 'attention': cuModuleLoadDataEx: "
            "CUDA_ERROR_NO_BINARY_FOR_GPU (other) [code for sm_90a]");
  EXPECT_EQ(error("cuModuleGetFunction", 700),
            "looking up the kernel 'flash_kernel': cuModuleGetFunction: " +
                illegal);
  EXPECT_EQ(error("cuFuncSetAttribute", 1),
            "asking for 200000 bytes of dynamic shared memory for "
            "'flash_kernel': cuFuncSetAttribute: CUDA_ERROR_INVALID_VALUE "
            "(other) [a block has at most 232448 on this device]");
  EXPECT_EQ(error("cuMemsetD8Async", 700),
            "filling 2048 bytes for 'attention': cuMemsetD8Async: " + illegal);
  EXPECT_EQ(error("cuLaunchKernel", 700),
            "launching 'flash_kernel' with grid (1, 32, 1), block (384, 1, 1), "
            "200000 bytes of dynamic shared memory: cuLaunchKernel: " +
                illegal);
  EXPECT_EQ(error("cuTensorMapEncodeTiled", 1),
            "'attention': encoding the tensor map of argument 1 ('k'): "
            "cuTensorMapEncodeTiled: CUDA_ERROR_INVALID_VALUE (other)");
  EXPECT_EQ(error("cuCtxGetCurrent", 700),
            "asking for the current context: cuCtxGetCurrent: " + illegal);
}

TEST_F(ExecutorTest, AFailedLoadIsTriedAgain) {
  Executor executor = make();
  fake.fail = "cuModuleGetFunction";
  EXPECT_TRUE(executor.prepare().failed());
  EXPECT_EQ(fake.liveModules, 0);
  fake.fail.clear();
  EXPECT_TRUE(executor.prepare().ok());
}

//===----------------------------------------------------------------------===//
// Images that come later
//===----------------------------------------------------------------------===//

/// Kernels for short and for long queries, as schedules up to a length give
/// them: one of the two grids is empty.
Program twoLengths() {
  Program program = testProgram();
  program.modules.push_back({"long", "sm_90a", ".version 8.0"});
  Launch launch = std::get<Launch>(program.steps[1]);
  Expr queries = Expr::dim(0, 2);
  Expr isLong = Expr::min(Expr::max(queries - 1000, 0), 1);
  std::get<Launch>(program.steps[1]).grid[0] = Expr(1) - isLong;
  launch.grid[0] = isLong;
  launch.kernel = "long_kernel";
  launch.module = 1;
  program.steps.push_back(launch);
  return program;
}

/// Images that are there when the test gives them.
class LateImages : public ImageSource {
public:
  bool isReady(size_t module) override {
    return futures[module].wait_for(std::chrono::seconds(0)) ==
           std::future_status::ready;
  }
  Result<std::string> get(size_t module) override {
    asked[module].set_value();
    return futures[module].get();
  }

  std::promise<Result<std::string>> promises[2];
  /// Set when someone waits for a module, or takes it.
  std::promise<void> asked[2];

private:
  std::shared_future<Result<std::string>> futures[2] = {
      promises[0].get_future().share(), promises[1].get_future().share()};
};

class LateImagesTest : public ExecutorTest {
protected:
  void SetUp() override {
    ExecutorTest::SetUp();
    Result<Executor> made = Executor::create(twoLengths(), &fake.table, images);
    ASSERT_TRUE(made.ok()) << made.message();
    executor.emplace(std::move(*made));
  }
  Status launch(int64_t queries) {
    return executor->launch(arguments(1, queries, 64), results(1, queries));
  }
  void give(size_t module) {
    images->promises[module].set_value("image " + std::to_string(module));
  }
  std::string last() const { return fake.launches.back().kernel; }

  std::shared_ptr<LateImages> images = std::make_shared<LateImages>();
  std::optional<Executor> executor;
};

TEST_F(LateImagesTest, ALaunchWaitsForItsOwnKernel) {
  give(0);
  ASSERT_TRUE(launch(500).ok());
  EXPECT_EQ(last(), "flash_kernel");
  EXPECT_EQ(fake.images, (std::vector<std::string>{"image 0"}));

  std::future<Status> longer =
      std::async(std::launch::async, [&] { return launch(2000); });
  images->asked[1].get_future().wait();
  // Nor does who waits for one hold up others.
  ASSERT_TRUE(launch(600).ok());
  EXPECT_EQ(longer.wait_for(std::chrono::seconds(0)),
            std::future_status::timeout);
  give(1);
  Status status = longer.get();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(last(), "long_kernel");
  EXPECT_EQ(fake.images, (std::vector<std::string>{"image 0", "image 1"}));
  EXPECT_EQ(fake.liveModules, 2);
}

TEST_F(LateImagesTest, WhatIsThereIsLoadedWithTheFirst) {
  give(0);
  give(1);
  ASSERT_TRUE(launch(500).ok());
  EXPECT_EQ(fake.liveModules, 2);
  // Each was asked for once: a second time the promises would object.
  ASSERT_TRUE(launch(2000).ok());
  ASSERT_TRUE(launch(500).ok());
}

TEST_F(LateImagesTest, PrepareWaitsForAll) {
  give(0);
  std::future<Status> prepared =
      std::async(std::launch::async, [&] { return executor->prepare(); });
  images->asked[1].get_future().wait();
  EXPECT_EQ(prepared.wait_for(std::chrono::seconds(0)),
            std::future_status::timeout);
  give(1);
  EXPECT_TRUE(prepared.get().ok());
  EXPECT_EQ(fake.liveModules, 2);
}

TEST_F(LateImagesTest, AnErrorIsThatOfItsLaunches) {
  give(0);
  images->promises[1].set_value(Status::error("the assembler is out of sorts"));
  ASSERT_TRUE(launch(500).ok());
  size_t launched = fake.launches.size();
  images->asked[1] = {};
  EXPECT_EQ(launch(2000).message(), "the assembler is out of sorts");
  EXPECT_EQ(fake.launches.size(), launched);
  EXPECT_TRUE(fake.allocations.empty());
}

TEST_F(ExecutorTest, KernelAttributes) {
  Executor executor = make();
  auto attributes = executor.kernelAttributes();
  ASSERT_TRUE(attributes.ok()) << attributes.message();
  ASSERT_EQ(attributes->size(), 1u);
  EXPECT_EQ((*attributes)[0].registers, 104);
  EXPECT_EQ((*attributes)[0].localBytes, 103);
}

TEST_F(ExecutorTest, BadProgramsAreRefused) {
  Program program = testProgram();
  program.steps.push_back(Fill{9, 0, 1, 0});
  EXPECT_EQ(Executor::create(program, &fake.table).message(),
            "launch plan of 'attention': fill, step 2: there is no such "
            "buffer");
}

} // namespace
