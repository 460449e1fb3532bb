//===- StridesTest.cpp - Views give what their dense copies give ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Packed query, key and value, permuted and expanded tensors, and results that
// are views, on the CPU: bit for bit what dense tensors of the same elements
// give.
//
//===----------------------------------------------------------------------===//

#include "flash/Compiler/Executable.h"
#include "flash/InitAll.h"
#include "flash/Runtime/Array.h"
#include "flash/Runtime/Float16.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace mlir;
using namespace flash;
using rt::Argument;
using rt::DType;
using rt::Result;
using rt::Status;

namespace {

using Sizes = std::vector<int64_t>;

/// A tensor with the memory around it.
struct Tensor {
  DType type;
  Sizes dims, strides;
  std::vector<char> memory;

  int64_t bytes() const { return rt::sizeOf(type); }
  char *at(const Sizes &place) {
    int64_t offset = 0;
    for (size_t d = 0; d < dims.size(); ++d)
      offset += place[d] * strides[d];
    return memory.data() + offset * bytes();
  }
  /// Calls `visit` with each place, the last dimension fastest.
  template <typename Visit> void forEach(Visit visit) const {
    int64_t count = 1;
    for (int64_t dim : dims)
      count *= dim;
    for (int64_t i = 0; i < count; ++i) {
      Sizes place(dims.size());
      int64_t rest = i;
      for (size_t d = dims.size(); d-- > 0; rest /= dims[d])
        place[d] = rest % dims[d];
      visit(place);
    }
  }
};

Sizes denseStrides(const Sizes &dims) {
  Sizes strides(dims.size(), 1);
  for (size_t d = dims.size(); d-- > 1;)
    strides[d - 1] = strides[d] * dims[d];
  return strides;
}

Tensor makeTensor(DType type, Sizes dims, Sizes strides, unsigned seed) {
  int64_t last = 0;
  for (size_t d = 0; d < dims.size(); ++d)
    last += (dims[d] - 1) * strides[d];
  Tensor tensor{type, std::move(dims), std::move(strides), {}};
  tensor.memory.resize(static_cast<size_t>((last + 1) * tensor.bytes()));
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i <= last; ++i) {
    float value = normal(random);
    uint16_t half = rt::floatToBf16(value);
    std::memcpy(tensor.memory.data() + i * tensor.bytes(),
                type == DType::F32 ? static_cast<void *>(&value) : &half,
                static_cast<size_t>(tensor.bytes()));
  }
  return tensor;
}

Tensor denseCopy(Tensor &view) {
  Tensor dense = makeTensor(view.type, view.dims, denseStrides(view.dims), 0);
  view.forEach([&](const Sizes &place) {
    std::memcpy(dense.at(place), view.at(place),
                static_cast<size_t>(view.bytes()));
  });
  return dense;
}

Argument argumentOf(Tensor &tensor, bool isView) {
  uint64_t address = reinterpret_cast<uintptr_t>(tensor.memory.data());
  return isView ? Argument::view(address, tensor.dims, tensor.strides)
                : Argument::tensor(address, tensor.dims);
}

class StridesTest : public ::testing::Test {
protected:
  void SetUp() override {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
  }

  /// Runs a function on views and on their dense copies; results go to tensors
  /// with `resultStrides`, and to dense ones.
  void compare(const std::string &text, std::vector<Tensor> views,
               const std::vector<Sizes> &resultStrides, int64_t splitKV = 0) {
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    CompileOptions options;
    options.splitKV = splitKV;
    Result<std::unique_ptr<Executable>> executable =
        Executable::compile(*module->getOps<func::FuncOp>().begin(), options);
    ASSERT_TRUE(executable.ok()) << executable.message();
    std::vector<Tensor> dense;
    std::vector<Argument> viewed, copied;
    for (Tensor &view : views) {
      dense.push_back(denseCopy(view));
      viewed.push_back(argumentOf(view, /*isView=*/true));
    }
    for (Tensor &copy : dense)
      copied.push_back(argumentOf(copy, /*isView=*/false));
    auto shapes = (*executable)->plan().getResultShapes(copied);
    ASSERT_TRUE(shapes.ok()) << shapes.message();
    std::vector<Tensor> results, expected;
    for (size_t i = 0; i < shapes->size(); ++i) {
      DType type = (*executable)->plan().program().signature.results[i].dtype;
      Sizes strides = resultStrides[i].empty() ? denseStrides((*shapes)[i])
                                               : resultStrides[i];
      results.push_back(makeTensor(type, (*shapes)[i], strides, 7));
      expected.push_back(
          makeTensor(type, (*shapes)[i], denseStrides((*shapes)[i]), 8));
    }
    std::vector<Argument> to, denseTo;
    for (size_t i = 0; i < results.size(); ++i) {
      to.push_back(argumentOf(results[i], /*isView=*/true));
      denseTo.push_back(argumentOf(expected[i], /*isView=*/false));
    }
    Status status = (*executable)->launch(viewed, to, nullptr);
    ASSERT_TRUE(status.ok()) << status.message();
    status = (*executable)->launch(copied, denseTo, nullptr);
    ASSERT_TRUE(status.ok()) << status.message();
    for (size_t i = 0; i < results.size(); ++i) {
      int64_t different = 0;
      results[i].forEach([&](const Sizes &place) {
        different += std::memcmp(results[i].at(place), expected[i].at(place),
                                 static_cast<size_t>(results[i].bytes())) != 0;
      });
      EXPECT_EQ(different, 0) << "result " << i;
    }
  }

  MLIRContext context{MLIRContext::Threading::DISABLED};
};

std::string attention(const std::string &type, const std::string &mask) {
  std::string q = "tensor<?x4x?x32x" + type + ">",
              k = "tensor<?x2x?x32x" + type + ">",
              results = q + ", tensor<?x4x?xf32>";
  return "func.func @f(%q: " + q + ", %k: " + k + ", %v: " + k + ") -> (" +
         results + ") {\n  %o, %l = flash.attention %q, %k, %v " + mask +
         " : " + q + ", " + k + ", " + k + " -> " + results +
         "\n  return %o, %l : " + results + "\n}\n";
}

/// (batch, length, 8 heads of all three, 32) in memory, as (batch, heads,
/// length, 32).
std::vector<Tensor> packed(DType type, int64_t length) {
  std::vector<Tensor> views;
  for (int64_t heads : {4, 2, 2})
    views.push_back(makeTensor(type, {2, heads, length, 32},
                               {length * 8 * 32, 32, 8 * 32, 1},
                               static_cast<unsigned>(heads + length)));
  return views;
}

TEST_F(StridesTest, PackedQueryKeyValue) {
  for (int64_t length : {1, 77, 200})
    for (auto [type, name] :
         {std::pair{DType::F32, "f32"}, {DType::BF16, "bf16"}}) {
      compare(attention(name, "{mask = #flash.causal}"), packed(type, length),
              {{}, {}});
      // O as (batch, length, heads, 32), LSE with gaps.
      compare(attention(name, ""), packed(type, length),
              {{length * 128, 32, 128, 1}, {length * 9, length * 2, 1}});
    }
}

TEST_F(StridesTest, Expanded) {
  std::vector<Tensor> views = packed(DType::BF16, 100);
  views[1] = makeTensor(DType::BF16, {2, 2, 100, 32}, {0, 0, 32, 1}, 1);
  views[2] = makeTensor(DType::BF16, {2, 2, 100, 32}, {0, 6400, 64, 1}, 2);
  compare(attention("bf16", "{mask = #flash.window<left = 30, right = 5>}"),
          views, {{}, {}});
}

TEST_F(StridesTest, SplitKeys) {
  compare(attention("f32", "{mask = #flash.causal}"), packed(DType::F32, 130),
          {{130 * 128, 32, 128, 1}, {}}, /*splitKV=*/3);
}

TEST_F(StridesTest, BiasOfABroadcastHead) {
  std::string text = R"mlir(
    func.func @f(%q: tensor<?x4x?x32xf32>, %k: tensor<?x2x?x32xf32>,
                 %v: tensor<?x2x?x32xf32>, %b: tensor<?x4x?x?xf32>)
        -> tensor<?x4x?x32xf32> {
      %o = flash.attention %q, %k, %v
          score_operands(%b : tensor<?x4x?x?xf32>) {scores = [#flash.bias]}
          : tensor<?x4x?x32xf32>, tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>
          -> tensor<?x4x?x32xf32>
      return %o : tensor<?x4x?x32xf32>
    })mlir";
  std::vector<Tensor> views = packed(DType::F32, 70);
  views.push_back(makeTensor(DType::F32, {2, 4, 70, 70}, {0, 0, 75, 1}, 3));
  compare(text, views, {{}});
}

// O, its gradient and the LSE's expanded from one batch, one head or one row;
// gradients of packed tensors lie as these do.
TEST_F(StridesTest, Gradients) {
  const int64_t length = 70;
  for (auto [type, name] :
       {std::pair{DType::F32, "f32"}, {DType::BF16, "bf16"}}) {
    std::string q = std::string("tensor<?x4x?x32x") + name + ">",
                k = std::string("tensor<?x2x?x32x") + name + ">",
                b = "tensor<?x4x?x?xf32>", l = "tensor<?x4x?xf32>";
    std::string gradients = "(" + q + ", " + k + ", " + k + ", " + b + ")";
    std::string text = "func.func @f(%q: " + q + ", %k: " + k + ", %v: " + k +
                       ", %o: " + q + ", %l: " + l + ", %do: " + q +
                       ", %dl: " + l + ", %b: " + b + ") -> " + gradients +
                       " {\n %r:4 = flash.attention_backward %q, %k, %v, %o, "
                       "%l, %do d_lse(%dl "
                       ": " +
                       l + ") score_operands(%b : " + b +
                       ") {scores = [#flash.bias], mask = #flash.causal, "
                       "operands_with_gradient = array<i64: 0>} : " +
                       q + ", " + k + ", " + k + ", " + q + ", " + l + ", " +
                       q + " -> query " + q + " key " + k + " value " + k +
                       " operands " + b +
                       "\n return %r#0, %r#1, %r#2, %r#3 : " +
                       gradients.substr(1, gradients.size() - 2) + "\n}\n";
    std::vector<Tensor> views = packed(type, length);
    views.push_back(makeTensor(type, {2, 4, length, 32}, {0, 32, 128, 1}, 11));
    views.push_back(makeTensor(DType::F32, {2, 4, length}, {0, 0, 1}, 12));
    views.push_back(makeTensor(type, {2, 4, length, 32}, {0, 0, 0, 1}, 13));
    views.push_back(makeTensor(DType::F32, {2, 4, length}, {280, 70, 1}, 14));
    views.push_back(makeTensor(DType::F32, {2, 4, length, length},
                               {0, 0, length + 5, 1}, 15));
    Sizes ofPacked{length * 8 * 32, 32, 8 * 32, 1};
    compare(
        text, views,
        {ofPacked, ofPacked, ofPacked, {4 * length * 80, length * 80, 80, 1}});
  }
}

TEST_F(StridesTest, Refused) {
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(attention("f32", ""), &context);
  Result<std::unique_ptr<Executable>> executable =
      Executable::compile(*module->getOps<func::FuncOp>().begin(), {});
  ASSERT_TRUE(executable.ok()) << executable.message();
  std::vector<Tensor> views = packed(DType::F32, 8);
  views[1].strides[3] = 2;
  std::vector<Argument> arguments;
  arguments.reserve(views.size());
  for (Tensor &view : views)
    arguments.push_back(argumentOf(view, /*isView=*/true));
  EXPECT_EQ((*executable)->plan().getResultShapes(arguments).message(),
            "argument 1 ('key') of 'f': the last dimension has a stride of 2, "
            "but must be contiguous (a stride of 1): copy it");
}

} // namespace
