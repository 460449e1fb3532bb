//===- MasksTest.cpp - What the reference says masks mean -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keys whose value is a power of two, with equal scores: O times the number of
// visible keys is the sum of 2^j over them, so that a row of O says which keys
// it saw.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Reference/Interpreter.h"

#include "TestUtils.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"

#include <cmath>

using namespace flash;
using namespace flash::reference;
using namespace flash::test;
using rt::Array;
using rt::DType;

namespace {

/// The keys that a query sees, as bits.
using Rows = std::vector<int64_t>;

class MasksTest : public ::testing::Test {
protected:
  MasksTest() {
    context.loadDialect<FlashDialect, mlir::func::FuncDialect,
                        mlir::tensor::TensorDialect>();
  }

  static Array integers(std::vector<int64_t> shape,
                        const std::vector<double> &values) {
    return array(DType::I32, std::move(shape), values);
  }

  /// Runs `attention` with its extra operands as parameters, on one head of
  /// `queries` and `keys` rows (in pages of `pageSize` where that is not 0).
  rt::Result<Rows> rows(const std::string &parameters,
                        const std::string &attention, int64_t queries,
                        int64_t keys, const std::vector<Array> &extras,
                        int64_t batch = 1, int64_t pageSize = 0) {
    std::string q = "tensor<?x1x?x1xf64>";
    std::string text = "func.func @f(%q: " + q + ", %k: " + q + ", %v: " + q +
                       parameters + ") -> (" + q + ", tensor<?x1x?xf64>) {\n" +
                       "%o, %l = flash.attention %q, %k, %v " + attention +
                       " : " + q + ", " + q + ", " + q + " -> " + q +
                       ", tensor<?x1x?xf64>\n return %o, %l : " + q +
                       ", tensor<?x1x?xf64>\n}\n";
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    std::vector<int64_t> shape{batch, 1, keys, 1};
    if (pageSize)
      shape = {keys / pageSize, 1, pageSize, 1};
    Array query = unwrap(Array::create(DType::F64, {batch, 1, queries, 1})),
          key = unwrap(Array::create(DType::F64, shape)),
          value = unwrap(Array::create(DType::F64, shape));
    for (int64_t i = 0; i < value.numElements(); ++i)
      value.set(i, std::ldexp(1.0, int(i % keys)));
    std::vector<RuntimeValue> values{Tensor::view(query), Tensor::view(key),
                                     Tensor::view(value)};
    for (const Array &extra : extras)
      values.push_back(Tensor::view(extra));
    auto results = run(*module->getOps<mlir::func::FuncOp>().begin(), values,
                       Arithmetic::Float64);
    if (results.failed())
      return results.status();
    const Array &o = *std::get<Tensor>((*results)[0]).array,
                &l = *std::get<Tensor>((*results)[1]).array;
    Rows seen;
    for (int64_t i = 0; i < o.numElements(); ++i)
      seen.push_back(std::isinf(l.at(i))
                         ? (o.at(i) == 0 ? 0 : -1)
                         : std::llround(o.at(i) * std::exp(l.at(i))));
    return seen;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace

TEST_F(MasksTest, Window) {
  // The first query stands at position 1.
  EXPECT_EQ(
      unwrap(rows("", "{mask = #flash.window<left = 1, right = 0>}", 3, 4, {})),
      (Rows{0b0011, 0b0110, 0b1100}));
  EXPECT_EQ(unwrap(rows("", "{mask = #flash.window<right = 1>}", 3, 4, {})),
            (Rows{0b0111, 0b1111, 0b1111}));
}

TEST_F(MasksTest, PrefixAndComposition) {
  std::vector<Array> prefix;
  prefix.push_back(integers({2}, {2, 0}));
  const char *operands = "mask_operands(%p : tensor<2xi32>) ";
  EXPECT_EQ(unwrap(rows(", %p: tensor<2xi32>",
                        std::string(operands) +
                            "{mask = #flash.or<#flash.causal, #flash.prefix>}",
                        3, 3, prefix, /*batch=*/2)),
            (Rows{0b011, 0b011, 0b111, 0b001, 0b011, 0b111}));
  EXPECT_EQ(unwrap(rows(", %p: tensor<2xi32>",
                        std::string(operands) +
                            "{mask = #flash.and<#flash.causal, #flash.prefix>}",
                        3, 3, prefix, /*batch=*/2)),
            (Rows{0b001, 0b011, 0b011, 0, 0, 0}));
}

TEST_F(MasksTest, Segments) {
  std::vector<Array> ids;
  ids.push_back(integers({1, 3}, {1, 2, 7}));
  ids.push_back(integers({1, 4}, {2, 1, 1, 2}));
  EXPECT_EQ(unwrap(rows(", %a: tensor<1x3xi32>, %b: tensor<1x4xi32>",
                        "mask_operands(%a, %b : tensor<1x3xi32>, "
                        "tensor<1x4xi32>) {mask = #flash.segments}",
                        3, 4, ids)),
            (Rows{0b0110, 0b1001, 0}));
}

TEST_F(MasksTest, OperandsOfTheWrongSize) {
  std::vector<Array> ids;
  ids.push_back(integers({1, 3}, {1, 2, 7}));
  ids.push_back(integers({1, 3}, {2, 1, 1}));
  EXPECT_NE(
      rows(", %a: tensor<?x?xi32>, %b: tensor<?x?xi32>",
           "mask_operands(%a, %b : tensor<?x?xi32>, tensor<?x?xi32>) "
           "{mask = #flash.segments}",
           3, 4, ids)
          .message()
          .find("number of keys differs: operand 'segments of keys' has 3 "
                "(dimension 1), the attention has 4"),
      std::string::npos);
}

TEST_F(MasksTest, BlockSparse) {
  // Two blocks of 2 queries, three of 2 keys (the last of one key).
  std::vector<Array> lists;
  lists.push_back(integers({1, 1, 2}, {1, 0}));
  lists.push_back(integers({1, 1, 2, 1}, {0, 0}));
  lists.push_back(integers({1, 1, 2}, {1, 1}));
  lists.push_back(integers({1, 1, 2, 2}, {2, 0, 1, 0}));
  EXPECT_EQ(
      unwrap(rows(", %a: tensor<1x1x2xi32>, %b: tensor<1x1x2x1xi32>, %c: "
                  "tensor<1x1x2xi32>, %d: tensor<1x1x2x2xi32>",
                  "mask_operands(%a, %b, %c, %d : "
                  "tensor<1x1x2xi32>, tensor<1x1x2x1xi32>, tensor<1x1x2xi32>, "
                  "tensor<1x1x2x2xi32>) {mask = #flash.block_sparse<bq = 2, bk "
                  "= 2, partial = #flash.causal>}",
                  4, 5, lists)),
      (Rows{0b10011, 0b10011, 0b01100, 0b01100}));
}

TEST_F(MasksTest, Region) {
  std::vector<Array> captures;
  captures.push_back(integers({2}, {1, 3}));
  EXPECT_EQ(unwrap(rows(", %n: tensor<2xi32>",
                        "captures(%n : tensor<2xi32>) mask {\n"
                        "^bb0(%b: index, %h: index, %i: index, %j: index, %t: "
                        "tensor<2xi32>):\n"
                        "%e = tensor.extract %t[%b] : tensor<2xi32>\n"
                        "%c = arith.index_cast %j : index to i32\n"
                        "%s = arith.cmpi slt, %c, %e : i32\n"
                        "flash.yield %s : i1\n}",
                        1, 4, captures, /*batch=*/2)),
            (Rows{0b0001, 0b0111}));
}

TEST_F(MasksTest, RegionReadsOutside) {
  std::vector<Array> captures;
  captures.push_back(integers({2}, {1, 3}));
  auto failed = rows(", %n: tensor<2xi32>",
                     "captures(%n : tensor<2xi32>) mask {\n"
                     "^bb0(%b: index, %h: index, %i: index, %j: index, %t: "
                     "tensor<2xi32>):\n"
                     "%e = tensor.extract %t[%j] : tensor<2xi32>\n"
                     "%c = arith.index_cast %j : index to i32\n"
                     "%s = arith.cmpi slt, %c, %e : i32\n"
                     "flash.yield %s : i1\n}",
                     1, 4, captures);
  EXPECT_NE(failed.message().find(
                "a capture is read at 2 of dimension 0, which has 2"),
            std::string::npos)
      << failed.message();
}

TEST_F(MasksTest, Ragged) {
  // Sequences of 2 and 1 queries, of 2 and 3 keys; the last row is nobody's.
  std::vector<Array> starts;
  starts.push_back(integers({3}, {0, 2, 3}));
  starts.push_back(integers({3}, {0, 2, 5}));
  const char *parameters = ", %a: tensor<3xi32>, %b: tensor<3xi32>",
             *operands = "cu_seqlens_q(%a : tensor<3xi32>) cu_seqlens_k(%b : "
                         "tensor<3xi32>) {mask = #flash.causal}";
  EXPECT_EQ(unwrap(rows(parameters, operands, 4, 5, starts)),
            (Rows{0b00001, 0b00011, 0b11100, 0}));
  starts[1].set(2, 6);
  EXPECT_NE(rows(parameters, operands, 4, 5, starts)
                .message()
                .find("cu_seqlens_k 2 is 6, but must be from 0 to 5"),
            std::string::npos);
}

TEST_F(MasksTest, Pages) {
  // Keys 0 and 1 of the first batch lie in page 2, its key 2 in page 0.
  std::vector<Array> pages;
  pages.push_back(integers({2}, {3, 0}));
  pages.push_back(integers({2, 2}, {2, 0, 1, 1}));
  const char *parameters = ", %n: tensor<2xi32>, %t: tensor<2x2xi32>",
             *operands = "kv_lengths(%n : tensor<2xi32>) page_table(%t : "
                         "tensor<2x2xi32>) {mask = #flash.causal}";
  EXPECT_EQ(unwrap(rows(parameters, operands, 2, 6, pages, /*batch=*/2,
                        /*pageSize=*/2)),
            (Rows{0b110000, 0b110001, 0, 0}));
  pages[1].set(1, 3);
  EXPECT_NE(rows(parameters, operands, 2, 6, pages, 2, 2)
                .message()
                .find("page 1 is 3, but must be from 0 to 2"),
            std::string::npos);
}
