//===- CheckCallTest.cpp - Results of a call, judged ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A score that f32 does not tell from a kink of its function may have the slope
// of either side; one that lies away from it may not.
//
//===----------------------------------------------------------------------===//

#include "flash/Reference/CheckCall.h"

#include "TestUtils.h"
#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <cmath>

using namespace flash;
using namespace flash::reference;
using namespace flash::test;
using rt::Array;
using rt::DType;

namespace {

/// dQ of four queries and four keys whose scores are at least `floor`.
constexpr const char *kProgram = R"(
!t = tensor<1x1x4x8xf32>
func.func @f(%q: !t, %k: !t, %v: !t, %o: !t, %l: tensor<1x1x4xf32>, %do: !t, %floor: tensor<1xf32>) -> !t {
  %dq = flash.attention_backward %q, %k, %v, %o, %l, %do captures(%floor : tensor<1xf32>) score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %t: tensor<1xf32>):
    %c0 = arith.constant 0 : index
    %x = tensor.extract %t[%c0] : tensor<1xf32>
    %y = arith.maximumf %s, %x : f32
    flash.yield %y : f32
  } : !t, !t, !t, !t, tensor<1x1x4xf32>, !t -> query !t
  return %dq : !t
}
)";

struct CheckCallTest : testing::Test {
  CheckCallTest() {
    context
        .loadDialect<FlashDialect, mlir::func::FuncDialect,
                     mlir::arith::ArithDialect, mlir::tensor::TensorDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(
        kProgram, mlir::ParserConfig(&context));
    EXPECT_TRUE(module);
    // The score of query 2 and key 1, as f32 has it.
    double sum = 0;
    for (int64_t d = 0; d < 8; ++d)
      sum += q.at(16 + d) * k.at(8 + d);
    score = float(sum / std::sqrt(8.0));
  }

  std::vector<RuntimeValue> arguments(float least) {
    floor.set(0, least);
    return {Tensor::view(q),    Tensor::view(k),   Tensor::view(v),
            Tensor::view(o),    Tensor::view(lse), Tensor::view(grad),
            Tensor::view(floor)};
  }
  mlir::func::FuncOp func() {
    return *module->getOps<mlir::func::FuncOp>().begin();
  }
  /// dQ with another floor than the call's.
  Array gradient(float least) {
    auto results = unwrap(run(func(), arguments(least), Arithmetic::Unfused));
    const Array &from = *std::get<Tensor>(results[0]).array;
    Array copy = unwrap(Array::create(from.dtype(), from.shape()));
    for (int64_t i = 0; i < from.numElements(); ++i)
      copy.set(i, from.at(i));
    return copy;
  }
  /// What is said of it as the result of a call with `least`, beside one
  /// unfused computation and beside several.
  std::pair<std::string, std::string> judge(const Array &array, float least) {
    CheckedCall call = unwrap(CheckedCall::create(func(), arguments(least)));
    GradientScale scale{call.exact(0).magnitudes.get(), 4};
    return {
        reference::judge(array, *call.exact(0).array, *call.unfused(0).array,
                         ResultKind::Gradient, DType::F32, false, scale)
            .failure,
        unwrap(call.judge(0, array, ResultKind::Gradient, DType::F32)).failure};
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Array q = normal(DType::F32, {1, 1, 4, 8}, 1),
        k = normal(DType::F32, {1, 1, 4, 8}, 2),
        v = normal(DType::F32, {1, 1, 4, 8}, 3),
        o = normal(DType::F32, {1, 1, 4, 8}, 4),
        lse = normal(DType::F32, {1, 1, 4}, 5),
        grad = normal(DType::F32, {1, 1, 4, 8}, 6),
        floor = normal(DType::F32, {1}, 7);
  float score;
};

} // namespace

TEST_F(CheckCallTest, EitherSideOfAKinkPasses) {
  float above = score, below = score;
  for (int i = 0; i < 4; ++i) {
    above = std::nextafter(above, 100.f);
    below = std::nextafter(below, -100.f);
  }
  int wrong = 0;
  for (float least : {above, below}) {
    auto [alone, beside] = judge(gradient(least), score);
    wrong += !alone.empty();
    EXPECT_EQ(beside, "");
  }
  // One of them has the slope of the other side.
  EXPECT_EQ(wrong, 1);
}

TEST_F(CheckCallTest, AwayFromTheKinkItFails) {
  auto [alone, beside] = judge(gradient(score + 1e-4f), score - 1e-4f);
  EXPECT_NE(alone, "");
  EXPECT_NE(beside, "");
}

TEST_F(CheckCallTest, RulesWithoutToleranceStay) {
  Array array = gradient(score);
  array.set(3, std::nan(""));
  EXPECT_NE(judge(array, score).second.find("NaN"), std::string::npos);
}
