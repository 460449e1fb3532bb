//===- CPUKernelTest.cpp - Attention on the CPU against the reference -----===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles functions for the machine at hand and judges what they compute: odd
// lengths, rows without keys, head dims off the tile, both layouts, every type,
// offsets, and parts of the keys that are merged. Outputs are poisoned before.
//
//===----------------------------------------------------------------------===//

#include "flash/ExecutionEngine/CPUKernel.h"

#include "../Reference/TestUtils.h"
#include "flash/InitAll.h"
#include "flash/Reference/Check.h"
#include "flash/Reference/Interpreter.h"
#include "flash/Target/CPUInfo.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

using namespace flash;
using namespace flash::reference;
using namespace flash::test;
using rt::Array;
using rt::DType;

namespace {

struct Problem {
  std::string type = "f32";
  std::string layout = "bhsd";
  int64_t dqk = 64, dv = 64;
  bool causal = false;
  /// Positions are arguments.
  bool offsets = false;
  std::string schedule = "";
};

struct Lengths {
  int64_t batch, heads, keyHeads, sq, sk;
  int64_t qOffset = 0, kvOffset = 0;
};

struct CPUKernelTest : testing::Test {
  CPUKernelTest() {
    mlir::DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
  }

  /// Parses `text`, keeps a copy for the reference, and compiles it.
  void compile(const std::string &text, const std::string &schedule = "") {
    module = mlir::parseSourceString<mlir::ModuleOp>(
        text, mlir::ParserConfig(&context));
    ASSERT_TRUE(module) << text;
    lowered = module->clone();
    CPUPipelineOptions options;
    options.setTarget(getHostCPUTarget(&context));
    options.schedule = schedule;
    auto compiled = CPUKernel::compile(*lowered, "f", options);
    ASSERT_TRUE(llvm::succeeded(compiled)) << text;
    kernel = std::move(*compiled);
  }

  void compile(const Problem &p) {
    std::string q =
        "tensor<?x?x?x" + std::to_string(p.dqk) + "x" + p.type + ">";
    std::string v = "tensor<?x?x?x" + std::to_string(p.dv) + "x" + p.type + ">";
    std::string lse = "tensor<?x?x?xf32>";
    compile("func.func @f(%q: " + q + ", %k: " + q + ", %v: " + v +
                (p.offsets ? ", %i: index, %j: index" : "") + ") -> (" + v +
                ", " + lse + ") {\n  %o, %lse = flash.attention %q, %k, %v " +
                (p.offsets ? "q_offset(%i) kv_offset(%j) " : "") +
                "{layout = #flash.layout<" + p.layout + ">" +
                (p.causal ? ", mask = #flash.causal" : "") + "} : " + q + ", " +
                q + ", " + v + " -> " + v + ", " + lse +
                "\n  return %o, %lse : " + v + ", " + lse + "\n}\n",
            p.schedule);
    type = p.type == "f32"   ? DType::F32
           : p.type == "f16" ? DType::F16
                             : DType::BF16;
  }

  /// Runs the kernel and judges each result.
  void check(const std::vector<Array> &inputs,
             const std::vector<int64_t> &numbers = {}) {
    std::vector<RuntimeValue> values;
    llvm::SmallVector<KernelArgument> arguments;
    for (const Array &input : inputs) {
      values.push_back(Tensor::view(input));
      arguments.push_back(KernelArgument::tensor(
          const_cast<void *>(input.data()), input.shape()));
    }
    for (int64_t number : numbers) {
      values.push_back(number);
      arguments.push_back(KernelArgument::index(number));
    }
    auto func = module->lookupSymbol<mlir::func::FuncOp>("f");
    auto exact = unwrap(run(func, values, Arithmetic::Float64));
    auto unfused = unwrap(run(func, values, Arithmetic::Unfused));
    std::vector<Array> outputs;
    llvm::SmallVector<KernelArgument> results;
    for (size_t i = 0; i < unfused.size(); ++i) {
      auto &expected = *std::get<Tensor>(unfused[i]).array;
      outputs.push_back(
          unwrap(Array::create(expected.dtype(), expected.shape())));
      poison(outputs.back());
      results.push_back(
          KernelArgument::tensor(outputs.back().data(), expected.shape()));
    }
    std::string error;
    ASSERT_TRUE(llvm::succeeded(kernel->invoke(arguments, results, error)))
        << error;
    for (size_t i = 0; i < outputs.size(); ++i) {
      Verdict verdict =
          judge(outputs[i], *std::get<Tensor>(exact[i]).array,
                *std::get<Tensor>(unfused[i]).array,
                i == 0 ? ResultKind::Output : ResultKind::Lse, type);
      EXPECT_TRUE(verdict.passed())
          << "result " << i << ": " << verdict.failure;
    }
  }

  void check(const Problem &p, const Lengths &l) {
    SCOPED_TRACE(p.type + " " + p.layout + " dqk " + std::to_string(p.dqk) +
                 " dv " + std::to_string(p.dv) + (p.causal ? " causal" : "") +
                 " batch " + std::to_string(l.batch) + " heads " +
                 std::to_string(l.heads) + "/" + std::to_string(l.keyHeads) +
                 " sq " + std::to_string(l.sq) + " sk " + std::to_string(l.sk));
    auto shape = [&](int64_t heads, int64_t length, int64_t dim) {
      return p.layout == "bhsd"
                 ? std::vector<int64_t>{l.batch, heads, length, dim}
                 : std::vector<int64_t>{l.batch, length, heads, dim};
    };
    std::vector<Array> inputs;
    inputs.push_back(normal(type, shape(l.heads, l.sq, p.dqk), 1));
    inputs.push_back(normal(type, shape(l.keyHeads, l.sk, p.dqk), 2));
    inputs.push_back(normal(type, shape(l.keyHeads, l.sk, p.dv), 3));
    check(inputs, p.offsets ? std::vector<int64_t>{l.qOffset, l.kvOffset}
                            : std::vector<int64_t>{});
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module, lowered;
  std::unique_ptr<CPUKernel> kernel;
  DType type = DType::F32;
};

TEST_F(CPUKernelTest, Lengths) {
  for (bool causal : {false, true}) {
    Problem p;
    p.causal = causal;
    compile(p);
    for (int64_t s : {0, 1, 63, 113, 1023})
      check(p, {1, 2, 1, s, s});
    // Fewer keys than queries: under the causal mask, rows without one.
    for (auto [sq, sk] : {std::pair<int64_t, int64_t>{1, 257},
                          {97, 300},
                          {300, 97},
                          {5, 0},
                          {0, 5},
                          {200, 1}})
      check(p, {2, 4, 2, sq, sk});
  }
}

TEST_F(CPUKernelTest, HeadDims) {
  for (auto [dqk, dv] : {std::pair<int64_t, int64_t>{59, 111},
                         {111, 59},
                         {1, 3},
                         {128, 128},
                         {192, 128},
                         {256, 256}}) {
    Problem p;
    p.dqk = dqk;
    p.dv = dv;
    p.causal = true;
    compile(p);
    check(p, {1, 3, 3, 130, 241});
  }
}

TEST_F(CPUKernelTest, OneColumn) {
  Problem p;
  p.type = "bf16";
  p.dqk = p.dv = 1;
  compile(p);
  check(p, {1, 2, 2, 50, 70});
}

TEST_F(CPUKernelTest, TypesAndLayouts) {
  for (const char *type : {"f32", "f16", "bf16"}) {
    for (const char *layout : {"bhsd", "bshd"}) {
      Problem p;
      p.type = type;
      p.layout = layout;
      p.dqk = 48;
      p.dv = 59;
      p.causal = true;
      compile(p);
      check(p, {2, 6, 2, 113, 263});
      check(p, {1, 4, 1, 17, 9});
    }
  }
}

TEST_F(CPUKernelTest, Offsets) {
  Problem p;
  p.causal = p.offsets = true;
  compile(p);
  for (auto [q, k] : {std::pair<int64_t, int64_t>{0, 0},
                      {100, 0},
                      {0, 100},
                      {1000, 0},
                      {0, 1000},
                      {-5, -100}})
    check(p, {1, 2, 2, 113, 263, q, k});
}

TEST_F(CPUKernelTest, OtherSchedules) {
  for (const char *schedule :
       {"m = 24, n = 16", "m = 17, n = 33", "m = 64, n = 200"}) {
    Problem p;
    p.causal = true;
    p.schedule = std::string("#flash.schedule<") + schedule + ">";
    compile(p);
    check(p, {1, 2, 2, 113, 263});
  }
}

TEST_F(CPUKernelTest, SplitAndMerge) {
  type = DType::BF16;
  compile(splitProgram("bf16", 64));
  for (auto [sq, sk] :
       {std::pair<int64_t, int64_t>{113, 263}, {50, 20}, {1, 1}, {9, 0}}) {
    std::vector<Array> inputs;
    inputs.push_back(normal(type, {2, 4, sq, 64}, 1));
    inputs.push_back(normal(type, {2, 2, sk, 64}, 2));
    inputs.push_back(normal(type, {2, 2, sk, 64}, 3));
    check(inputs);
  }
}

TEST_F(CPUKernelTest, ArgumentsAreChecked) {
  Problem p;
  compile(p);
  float data[64] = {};
  std::string error;
  auto tensor = [&](std::vector<int64_t> shape) {
    return KernelArgument::tensor(data, shape);
  };
  EXPECT_TRUE(llvm::failed(kernel->invoke({tensor({1, 1, 1, 64})}, {}, error)));
  EXPECT_EQ(error, "there are 1 inputs where 3 are expected");
  EXPECT_TRUE(llvm::failed(kernel->invoke(
      {tensor({1, 1, 1, 64}), tensor({1, 1, 1, 63}), tensor({1, 1, 1, 64})},
      {tensor({1, 1, 1, 64}), tensor({1, 1, 1})}, error)));
  EXPECT_EQ(error, "input 1 has size 63 in dimension 3 where "
                   "tensor<?x?x?x64xf32> is expected");
  EXPECT_TRUE(llvm::failed(kernel->invoke(
      {tensor({1, 1, 1, 64}), tensor({1, 1, 1, 64}), tensor({1, 1, 1, 64})},
      {tensor({1, 1, 1, 64}), tensor({1, 1})}, error)));
  EXPECT_EQ(error, "output 1 has rank 2 where tensor<?x?x?xf32> is expected");
}

} // namespace
