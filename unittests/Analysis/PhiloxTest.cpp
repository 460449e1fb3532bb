//===- PhiloxTest.cpp - The bits of dropout -------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The known answers are Random123's (kat_vectors, philox4x32 with 10 rounds).
// What the compiler builds is folded: of constants, a constant remains. The
// reference has a Philox of its own, which must agree.
//
//===----------------------------------------------------------------------===//

#include "../../lib/Reference/Philox.h"
#include "flash/Dialect/Flash/Transforms/Philox.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Matchers.h"

#include <gtest/gtest.h>

using namespace mlir;

namespace {

struct Answer {
  std::array<uint32_t, 4> counter;
  std::array<uint32_t, 2> key;
  std::array<uint32_t, 4> words;
};

const Answer kAnswers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

class PhiloxTest : public testing::Test {
protected:
  PhiloxTest() : builder(&context) {
    context.loadDialect<arith::ArithDialect>();
    builder.setInsertionPointToStart(&block);
  }

  Value word(uint32_t value) {
    return arith::ConstantOp::create(
        builder, loc, builder.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  Value wide(int64_t value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getI64IntegerAttr(value));
  }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  /// The number that an operation on constants folds to.
  uint64_t evaluate(Value value) {
    APInt number;
    if (matchPattern(value, m_ConstantInt(&number)))
      return number.getZExtValue();
    Operation *op = value.getDefiningOp();
    SmallVector<Attribute> operands;
    for (Value operand : op->getOperands())
      operands.push_back(builder.getIntegerAttr(
          operand.getType(), static_cast<int64_t>(evaluate(operand))));
    SmallVector<OpFoldResult> results;
    EXPECT_TRUE(succeeded(op->fold(operands, results)));
    if (auto other = dyn_cast<Value>(results.front()))
      return evaluate(other);
    return cast<IntegerAttr>(cast<Attribute>(results.front()))
        .getValue()
        .getZExtValue();
  }

  MLIRContext context;
  Block block;
  OpBuilder builder;
  Location loc = UnknownLoc::get(&context);
};

TEST_F(PhiloxTest, KnownAnswers) {
  for (const Answer &answer : kAnswers) {
    EXPECT_EQ(flash::reference::philox(answer.counter, answer.key),
              answer.words);
    std::array<Value, 4> words =
        flash::buildPhilox(builder, loc,
                           {word(answer.counter[0]), word(answer.counter[1]),
                            word(answer.counter[2]), word(answer.counter[3])},
                           {word(answer.key[0]), word(answer.key[1])});
    for (auto [built, known] : llvm::zip_equal(words, answer.words))
      EXPECT_EQ(uint32_t(evaluate(built)), known);
  }
}

/// The counter of an element is what the operation's description says.
TEST_F(PhiloxTest, Element) {
  const uint64_t seed = 0x0123456789abcdef, offset = 0xfedcba9876543210;
  int64_t kept = 0, all = 0;
  for (auto [batch, head] : {std::pair<int64_t, int64_t>{0, 0}, {3, 17}})
    for (int64_t q : {-3, -2, 0, 1, 1000000})
      for (int64_t k : {-1, 0, 1, 2, 77, 999999}) {
        Value built =
            flash::buildIsKept(builder, loc, llvm::APFloat(0.25f),
                               wide(int64_t(seed)), wide(int64_t(offset)),
                               index(batch), index(head), index(q), index(k));
        auto words = flash::reference::philox(
            {uint32_t(k >> 1), uint32_t(q >> 1), uint32_t(65536 * batch + head),
             uint32_t(offset)},
            {uint32_t(seed), uint32_t(seed >> 32) ^ uint32_t(offset >> 32)});
        bool expected = words[(k & 1) + 2 * (q & 1)] >= 0x40000000;
        EXPECT_EQ(bool(evaluate(built)), expected) << q << " " << k;
        kept += expected;
        ++all;
      }
  EXPECT_GT(kept, all / 2);
  EXPECT_LT(kept, all);
}

} // namespace
