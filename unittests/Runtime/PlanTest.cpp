//===- PlanTest.cpp - Launch plans ----------------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The text of a plan, and what verification finds.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Plan.h"
#include "TestProgram.h"

#include <gtest/gtest.h>

using namespace flash::rt;

namespace {

TEST(PlanTest, Text) {
  const char *expected =
      R"plan(plan @attention(q: bf16[?, 32, ?, 128], k: bf16[dim(0, 0), ?, ?, 128], shift: index) -> (o: bf16[dim(0, 0), 32, dim(0, 2), 128], lse: f32[dim(0, 0), 32, dim(0, 2)])
  module #0 'attention' sm_90a ptx
  buffer #0 = argument 0 ('q')
  buffer #1 = argument 1 ('k')
  buffer #2 = result 0 ('o')
  buffer #3 = result 1 ('lse')
  buffer #4 = temporary 'partial', dim(0, 2) * 512 bytes
  check 32 divisible by dim(1, 1): "dimension 1 of 'k' ({rhs}) must divide dimension 1 of 'q' ({lhs})"
  fill #4, dim(0, 2) * 512 bytes of 255
  launch @flash_kernel of module #0 grid (ceildiv(dim(0, 2), 128), 32, dim(0, 0)) block (384, 1, 1) shared 200000
    pointer #0 + 16 bytes
    tensor_map #1 : bf16[128, dim(1, 2), dim(1, 1), dim(1, 0)] strides [256, dim(1, 2) * 256, dim(1, 2) * 256 * dim(1, 1)] box [64, 128, 1, 1] swizzle 128 l2 256 fill zero
    pointer #2
    i64 dim(1, 2)
    i32 index(2)
    f32 0.127517432
    pointer #4
)plan";
  EXPECT_EQ(testProgram().str(), expected);
}

TEST(PlanTest, CubinIsToldFromPtx) {
  EXPECT_TRUE((ModuleImage{"m", "sm_90a", ".version 8.0"}).isPtx());
  EXPECT_FALSE((ModuleImage{"m", "sm_90a",
                            "\x7f"
                            "ELF..."})
                   .isPtx());
}

TEST(PlanTest, Verify) {
  EXPECT_TRUE(testProgram().verify().ok()) << testProgram().verify().message();
  auto error = [](auto change) {
    Program program = testProgram();
    change(program, *std::get_if<Launch>(&program.steps[1]));
    return program.verify().message();
  };
  const std::string plan = "launch plan of 'attention': ";
  EXPECT_EQ(error([](Program &p, Launch &) { p.buffers[0].index = 2; }),
            plan + "buffer 0: there is no such tensor argument");
  EXPECT_EQ(error([](Program &p, Launch &) { p.buffers[2].index = 2; }),
            plan + "buffer 2: there is no such result");
  EXPECT_EQ(error([](Program &p, Launch &) {
              p.signature.results[0].dims[0] = Expr::dim(0, 9);
            }),
            plan + "result 'o': 'dim(0, 9)' names a dimension of a tensor of "
                   "rank 4");
  EXPECT_EQ(error([](Program &, Launch &l) { l.module = 1; }),
            plan + "launch of 'flash_kernel': there is no such module");
  EXPECT_EQ(error([](Program &, Launch &l) { l.block = {32, 64, 1}; }),
            plan + "launch of 'flash_kernel': a block has 1 to 1024 threads");
  EXPECT_EQ(error([](Program &, Launch &l) { l.cluster = {0, 1, 1}; }),
            plan + "launch of 'flash_kernel': a cluster has 1 to 16 blocks");
  EXPECT_EQ(
      error([](Program &, Launch &l) { l.params[0] = PointerParam{5, 0}; }),
      plan + "launch of 'flash_kernel', parameter 0: there is no such buffer");
  EXPECT_EQ(error([](Program &p, Launch &) { p.modules[0].image.clear(); }),
            plan + "module 'attention': it has no code");
  EXPECT_EQ(error([](Program &p, Launch &) {
              std::get_if<Fill>(&p.steps[0])->buffer = -1;
            }),
            plan + "fill, step 0: there is no such buffer");
  EXPECT_EQ(error([](Program &, Launch &l) {
              std::get_if<TensorMapParam>(&l.params[1])->box[0] = 65;
            }),
            plan + "launch of 'flash_kernel', parameter 1: tensor map: the "
                   "box's inner dimension has 130 bytes, not a multiple of 16");
}

} // namespace
