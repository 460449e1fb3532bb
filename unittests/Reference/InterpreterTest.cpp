//===- InterpreterTest.cpp - Running L0 -----------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention on slices, merged, against attention on the whole; and what is said
// of functions and sizes that cannot run.
//
//===----------------------------------------------------------------------===//

#include "flash/Reference/Interpreter.h"

#include "TestUtils.h"
#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

using namespace flash;
using namespace flash::reference;
using namespace flash::test;
using rt::Array;
using rt::DType;

namespace {

struct InterpreterTest : testing::Test {
  InterpreterTest() {
    context.loadDialect<FlashDialect, mlir::func::FuncDialect,
                        mlir::arith::ArithDialect, mlir::affine::AffineDialect,
                        mlir::tensor::TensorDialect, mlir::math::MathDialect,
                        mlir::linalg::LinalgDialect,
                        mlir::cf::ControlFlowDialect>();
  }
  mlir::func::FuncOp parse(const char *text) {
    module = mlir::parseSourceString<mlir::ModuleOp>(
        text, mlir::ParserConfig(&context));
    EXPECT_TRUE(module);
    return *module->getOps<mlir::func::FuncOp>().begin();
  }
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// In f32, head dim 16.
static const std::string kSplit = splitProgram("f32", 16);

TEST_F(InterpreterTest, SplitIsTheWhole) {
  mlir::func::FuncOp func = parse(kSplit.c_str());
  Array q = normal(DType::F32, {2, 4, 9, 16}, 1),
        k = normal(DType::F32, {2, 2, 13, 16}, 2),
        v = normal(DType::F32, {2, 2, 13, 16}, 3);
  auto results =
      unwrap(run(func, {Tensor::view(q), Tensor::view(k), Tensor::view(v)},
                 Arithmetic::Float64));
  Options options;
  options.visible = [](const Element &e) { return e.key <= e.query; };
  Attended whole = unwrap(attention(Arithmetic::Float64, q, k, v, options));
  expectNear(*std::get<Tensor>(results[0]).array, whole.output, 1e-13);
  expectNear(*std::get<Tensor>(results[1]).array, whole.lse, 1e-13);
}

TEST_F(InterpreterTest, ShapesAndWork) {
  mlir::func::FuncOp func = parse(kSplit.c_str());
  ShapeRun shapes =
      unwrap(runShapes(func, {Tensor{DType::F32, {2, 4, 3, 16}, nullptr},
                              Tensor{DType::F32, {2, 2, 5, 16}, nullptr},
                              Tensor{DType::F32, {2, 2, 5, 16}, nullptr}}));
  EXPECT_EQ(std::get<Tensor>(shapes.results[0]).shape,
            (std::vector<int64_t>{2, 4, 3, 16}));
  EXPECT_EQ(std::get<Tensor>(shapes.results[1]).shape,
            (std::vector<int64_t>{2, 4, 3}));
  // 3 + 4 + 5 visible pairs, 2 * (16 + 16) FLOPs each, 8 heads.
  EXPECT_EQ(shapes.work.flops, 12. * 64 * 8);
  EXPECT_EQ(shapes.work.flopsUnmasked, 15. * 64 * 8);
}

TEST_F(InterpreterTest, SizesThatDisagree) {
  mlir::func::FuncOp func = parse(kSplit.c_str());
  auto message = [&](std::vector<int64_t> q, std::vector<int64_t> k,
                     std::vector<int64_t> v) {
    return runShapes(func, {Tensor{DType::F32, q, nullptr},
                            Tensor{DType::F32, k, nullptr},
                            Tensor{DType::F32, v, nullptr}})
        .message();
  };
  EXPECT_NE(message({2, 4, 3, 16}, {1, 2, 5, 16}, {1, 2, 5, 16})
                .find("batch differs: query has 2, key has 1"),
            std::string::npos);
  EXPECT_NE(message({2, 5, 3, 16}, {2, 2, 5, 16}, {2, 2, 5, 16})
                .find("argument 0: dimension 1 is 5, but its type has 4"),
            std::string::npos);
  EXPECT_NE(
      message({2, 4, 3}, {2, 2, 5, 16}, {2, 2, 5, 16}).find("has 3 dimensions"),
      std::string::npos);
}

TEST_F(InterpreterTest, UnknownOpsAreNamed) {
  mlir::func::FuncOp func = parse(R"(
    func.func @f(%x: tensor<4xf32>) -> tensor<1x1xf32> {
      %i = arith.constant dense<0> : tensor<1x1xindex>
      %y = tensor.gather %x[%i] gather_dims([0])
          : (tensor<4xf32>, tensor<1x1xindex>) -> tensor<1x1xf32>
      return %y : tensor<1x1xf32>
    })");
  Array x = normal(DType::F32, {4}, 1);
  EXPECT_NE(run(func, {Tensor::view(x)}, Arithmetic::Float64)
                .message()
                .find("'tensor.gather'"),
            std::string::npos);
}

TEST_F(InterpreterTest, IndexArithmetic) {
  mlir::func::FuncOp func = parse(R"(
    func.func @f(%a: index, %b: index) -> (index, index, index, index) {
      %0 = arith.ceildivsi %a, %b : index
      %1 = affine.min affine_map<(d0, d1) -> (d0 - d1, 5)>(%a, %b)
      %2 = arith.cmpi slt, %a, %b : index
      %3 = arith.select %2, %a, %b : index
      %4 = arith.maxsi %a, %b : index
      return %0, %1, %3, %4 : index, index, index, index
    })");
  auto results =
      unwrap(run(func, {int64_t(7), int64_t(-2)}, Arithmetic::Float64));
  std::vector<int64_t> values;
  values.reserve(results.size());
  for (const RuntimeValue &value : results)
    values.push_back(std::get<int64_t>(value));
  EXPECT_EQ(values, (std::vector<int64_t>{-3, 5, -2, 7}));
  EXPECT_NE(run(func, {int64_t(7), int64_t(0)}, Arithmetic::Float64)
                .message()
                .find("division by zero"),
            std::string::npos);
}

/// Rows summed into a table, with their index, a number of the function, and a
/// constant tensor; transposed, joined and split.
TEST_F(InterpreterTest, LinalgAroundAttention) {
  mlir::func::FuncOp func = parse(R"(
    #id = affine_map<(i, j) -> (i, j)>
    #t = affine_map<(i, j) -> (j, i)>
    #row = affine_map<(i, j) -> (i)>
    func.func @f(%x: tensor<?x3xf32>) -> (tensor<?xf32>, tensor<3x?xf32>, tensor<?xi64>) {
      %c0 = arith.constant 0 : index
      %half = arith.constant 5.0e-01 : f32
      %weights = arith.constant dense<[[1.0, 2.0, 3.0]]> : tensor<1x3xf32>
      %flat = tensor.collapse_shape %weights [[0, 1]] : tensor<1x3xf32> into tensor<3xf32>
      %rows = tensor.dim %x, %c0 : tensor<?x3xf32>
      %e = tensor.empty(%rows) : tensor<?xf32>
      %z = linalg.fill ins(%half : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
      %sum = linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> (j)>, #row], iterator_types = ["parallel", "reduction"]}
          ins(%x, %flat : tensor<?x3xf32>, tensor<3xf32>) outs(%z : tensor<?xf32>) {
      ^bb0(%a: f32, %w: f32, %acc: f32):
        %i = linalg.index 0 : index
        %n = arith.index_cast %i : index to i32
        %r = arith.sitofp %n : i32 to f32
        %0 = arith.mulf %a, %w : f32
        %1 = arith.mulf %r, %half : f32
        %2 = arith.addf %0, %1 : f32
        %3 = arith.addf %acc, %2 : f32
        linalg.yield %3 : f32
      } -> tensor<?xf32>
      %et = tensor.empty(%rows) : tensor<3x?xf32>
      %turned = linalg.transpose ins(%x : tensor<?x3xf32>) outs(%et : tensor<3x?xf32>) permutation = [1, 0]
      %ei = tensor.empty(%rows) : tensor<?xi64>
      %large = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%ei : tensor<?xi64>) {
      ^bb0(%out: i64):
        %c = arith.constant 9007199254740993 : i64
        linalg.yield %c : i64
      } -> tensor<?xi64>
      return %sum, %turned, %large : tensor<?xf32>, tensor<3x?xf32>, tensor<?xi64>
    })");
  Array x = normal(DType::F32, {2, 3}, 1);
  auto results = unwrap(run(func, {Tensor::view(x)}, Arithmetic::Float64));
  const Array &sum = *std::get<Tensor>(results[0]).array,
              &turned = *std::get<Tensor>(results[1]).array,
              &large = *std::get<Tensor>(results[2]).array;
  for (int64_t i = 0; i < 2; ++i) {
    double want = 0.5;
    for (int64_t j = 0; j < 3; ++j) {
      want += x.at(i * 3 + j) * double(j + 1) + double(i) * 0.5;
      EXPECT_EQ(turned.at(j * 2 + i), x.at(i * 3 + j));
    }
    EXPECT_DOUBLE_EQ(sum.at(i), want);
    EXPECT_EQ(large.dataAs<int64_t>()[i], 9007199254740993);
  }
  ShapeRun shapes =
      unwrap(runShapes(func, {Tensor{DType::F32, {7, 3}, nullptr}}));
  EXPECT_EQ(std::get<Tensor>(shapes.results[1]).shape,
            (std::vector<int64_t>{3, 7}));
}

TEST_F(InterpreterTest, AroundAttentionWhatDisagrees) {
  mlir::func::FuncOp func = parse(R"(
    func.func @f(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
      %0 = linalg.add ins(%x, %y : tensor<?xf32>, tensor<?xf32>) outs(%x : tensor<?xf32>) -> tensor<?xf32>
      return %0 : tensor<?xf32>
    })");
  EXPECT_NE(runShapes(func, {Tensor{DType::F32, {7}, nullptr},
                             Tensor{DType::F32, {5}, nullptr}})
                .message()
                .find("loop 0 has 7 steps by one operand, and 5 by operand 1"),
            std::string::npos);
  func = parse(R"(
    func.func @f(%x: tensor<?xf32>, %n: index) -> tensor<?x4xf32> {
      %0 = tensor.expand_shape %x [[0, 1]] output_shape [%n, 4] : tensor<?xf32> into tensor<?x4xf32>
      return %0 : tensor<?x4xf32>
    })");
  EXPECT_NE(runShapes(func, {Tensor{DType::F32, {9}, nullptr}, int64_t(2)})
                .message()
                .find("9 does not become 2x4"),
            std::string::npos);
}

} // namespace
