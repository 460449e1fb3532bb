//===- AnalysisTest.cpp - The IO model and what it stands on --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/IOCounters.h"
#include "flash/Dialect/Flash/Analysis/MaskBlocks.h"
#include "flash/InitAll.h"
#include "flash/Target/TargetInfo.h"

#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;
using namespace flash;

namespace {

class AnalysisTest : public ::testing::Test {
protected:
  AnalysisTest() {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
  }

  func::FuncOp parse(StringRef text) {
    module = parseSourceString<ModuleOp>(text, &context);
    return module ? *module->getOps<func::FuncOp>().begin() : func::FuncOp();
  }

  TargetAttr target(StringRef name) {
    return *parseTarget(&context, name,
                        [&] { return emitError(UnknownLoc::get(&context)); });
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

std::shared_ptr<const std::vector<int64_t>> data(std::vector<int64_t> values) {
  return std::make_shared<const std::vector<int64_t>>(std::move(values));
}

TEST_F(AnalysisTest, InterpretsIndexArithmetic) {
  func::FuncOp func = parse(R"(
    func.func @f(%a: index, %t: tensor<?x2xi32>) -> (index, index, index, index, index) {
      %c3 = arith.constant 3 : index
      %minus = arith.constant -7 : index
      %sum = arith.addi %a, %minus : index
      %least = arith.minsi %sum, %c3 : index
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %d = tensor.dim %t, %c0 : tensor<?x2xi32>
      %e = tensor.extract %t[%c1, %c0] : tensor<?x2xi32>
      %i = arith.index_cast %e : i32 to index
      %true = arith.constant true
      %below = arith.cmpi slt, %sum, %c0 : index
      %no = arith.xori %below, %true : i1
      %s = scf.if %no -> (index) { scf.yield %c1 : index } else { scf.yield %minus : index }
      %q = arith.ceildivsi %a, %c3 : index
      %acc = scf.for %n = %c0 to %a step %c1 iter_args(%x = %c0) -> (index) {
        %y = arith.addi %x, %n : index
        scf.yield %y : index
      }
      %m = arith.addi %acc, %q : index
      return %least, %d, %i, %s, %m : index, index, index, index, index
    })");
  ASSERT_TRUE(func);
  IndexInterpreter interpreter;
  ASSERT_TRUE(succeeded(interpreter.run(
      func, {KnownValue::number(5),
             KnownValue::tensor({3, 2}, data({1, 2, -30, 4, 5, 6}))})));
  auto returned = func.getBody().front().getTerminator()->getOperands();
  const int64_t expected[] = {-2, 3, -30, -7, 10 + 2};
  for (auto [value, number] : llvm::zip(returned, expected))
    EXPECT_EQ(interpreter.number(value), number);
}

/// Numbers as the types have them: sums that 16 bits round, roundings that lose
/// digits, functions of 16 bits, and NaN, which predicates take as they say.
TEST_F(AnalysisTest, InterpretsFloats) {
  func::FuncOp func = parse(R"(
    func.func @f(%t: tensor<3xf16>, %n: index) -> (f16, bf16, f16, f32, f64, bf16, i32, i1, i1, f32) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %s = tensor.extract_slice %t[1] [2] [1] : tensor<3xf16> to tensor<2xf16>
      %big = tensor.extract %s[%c0] : tensor<2xf16>
      %nan = tensor.extract %s[%c1] : tensor<2xf16>
      %one = arith.constant 1.0 : f16
      %sum = arith.addf %big, %one : f16
      %b256 = arith.constant 256.0 : bf16
      %b1 = arith.constant 1.0 : bf16
      %bsum = arith.addf %b256, %b1 : bf16
      %i = arith.index_cast %n : index to i32
      %f = arith.sitofp %i : i32 to f32
      %f3 = arith.constant 3.0 : f32
      %third = arith.divf %f, %f3 : f32
      %short = arith.truncf %third : f32 to f16
      %root = math.rsqrt %f : f32
      %tenth = arith.constant 0.1 : f64
      %minus = arith.constant -0.01 : f64
      %fma = math.fma %tenth, %tenth, %minus : f64
      %e = math.exp %b1 : bf16
      %back = arith.fptosi %third : f32 to i32
      %less = arith.cmpf olt, %nan, %one : f16
      %not = arith.cmpf uge, %nan, %one : f16
      %down = arith.negf %f : f32
      %none = math.sqrt %down : f32
      %chosen = arith.select %not, %none, %third : f32
      return %sum, %bsum, %short, %root, %fma, %e, %back, %less, %not, %chosen : f16, bf16, f16, f32, f64, bf16, i32, i1, i1, f32
    })");
  ASSERT_TRUE(func);
  IndexInterpreter interpreter;
  KnownValue tensor = KnownValue::tensor({3});
  tensor.reals = std::make_shared<const std::vector<double>>(
      std::vector<double>{0, 2048, std::nan("")});
  ASSERT_TRUE(
      succeeded(interpreter.run(func, {tensor, KnownValue::number(7)})));
  auto returned = func.getBody().front().getTerminator()->getOperands();
  auto real = [&](unsigned n) {
    const KnownValue *known = interpreter.find(returned[n]);
    return known && known->real ? *known->real : -1;
  };
  const double expected[] = {
      2048,   256, 2.333984375, 1 / std::sqrt(7.0F), std::fma(0.1, 0.1, -0.01),
      2.71875};
  for (auto [n, number] : llvm::enumerate(expected))
    EXPECT_EQ(real(n), number);
  const int64_t numbers[] = {2, 0, 1};
  for (auto [n, number] : llvm::enumerate(numbers))
    EXPECT_EQ(interpreter.number(returned[6 + n]), number);
  EXPECT_TRUE(std::isnan(real(9)));
}

TEST_F(AnalysisTest, FollowsShapesThroughOtherOps) {
  func::FuncOp func = parse(R"(
    func.func @f(%a: tensor<?x4x8x16xf32>, %n: index) -> (tensor<?x8x4x16xf32>, tensor<2x3xf32>, tensor<?xf32>) {
      %c0 = arith.constant 0 : index
      %d = tensor.dim %a, %c0 : tensor<?x4x8x16xf32>
      %e = tensor.empty(%d) : tensor<?x8x4x16xf32>
      %t = linalg.transpose ins(%a : tensor<?x4x8x16xf32>) outs(%e : tensor<?x8x4x16xf32>) permutation = [0, 2, 1, 3]
      %z = arith.constant 0.0 : f32
      %s = tensor.splat %z : tensor<2x3xf32>
      %u = tensor.splat %z[%n] : tensor<?xf32>
      return %t, %s, %u : tensor<?x8x4x16xf32>, tensor<2x3xf32>, tensor<?xf32>
    })");
  ASSERT_TRUE(func);
  IndexInterpreter interpreter;
  ASSERT_TRUE(succeeded(interpreter.run(
      func, {KnownValue::tensor({7, 4, 8, 16}), KnownValue::number(3)})));
  auto returned = func.getBody().front().getTerminator()->getOperands();
  ASSERT_TRUE(interpreter.find(returned[0]));
  EXPECT_EQ(interpreter.find(returned[0])->shape,
            (SmallVector<int64_t, 4>{7, 8, 4, 16}));
  ASSERT_TRUE(interpreter.find(returned[1]));
  EXPECT_EQ(interpreter.find(returned[1])->shape,
            (SmallVector<int64_t, 4>{2, 3}));
  EXPECT_FALSE(interpreter.find(returned[2]));
}

TEST_F(AnalysisTest, DoesNotReadBeyondATensor) {
  func::FuncOp func = parse(R"(
    func.func @f(%a: index, %t: tensor<?xi32>) -> i32 {
      %e = tensor.extract %t[%a] : tensor<?xi32>
      return %e : i32
    })");
  ASSERT_TRUE(func);
  ScopedDiagnosticHandler silence(&context,
                                  [](Diagnostic &) { return success(); });
  for (int64_t at : {-1, 2}) {
    IndexInterpreter interpreter;
    ASSERT_TRUE(succeeded(
        interpreter.run(func, {KnownValue::number(at),
                               KnownValue::tensor({2}, data({1, 2}))})));
    EXPECT_FALSE(interpreter.find(
        func.getBody().front().getTerminator()->getOperand(0)));
    // Where an answer is needed, it is an error.
    EXPECT_TRUE(failed(interpreter.run(func.getBody().front())));
  }
}

/// Parts of the keys have parts of what belongs to keys.
TEST_F(AnalysisTest, KnowsElementsOfSlices) {
  func::FuncOp func = parse(R"(
    func.func @f(%t: tensor<2x?xi32>, %n: index) -> (tensor<2x2xi32>, tensor<2x?xi32>) {
      %s = tensor.extract_slice %t[0, %n] [2, 2] [1, 2] : tensor<2x?xi32> to tensor<2x2xi32>
      %u = tensor.extract_slice %t[0, 1] [2, %n] [1, 4] : tensor<2x?xi32> to tensor<2x?xi32>
      return %s, %u : tensor<2x2xi32>, tensor<2x?xi32>
    })");
  ASSERT_TRUE(func);
  IndexInterpreter interpreter;
  ASSERT_TRUE(succeeded(interpreter.run(
      func, {KnownValue::tensor({2, 5}, data({0, 1, 2, 3, 4, 5, 6, 7, 8, 9})),
             KnownValue::number(2)})));
  auto returned = func.getBody().front().getTerminator()->getOperands();
  ASSERT_TRUE(interpreter.find(returned[0]));
  ASSERT_TRUE(interpreter.find(returned[0])->elements);
  EXPECT_EQ(*interpreter.find(returned[0])->elements,
            (std::vector<int64_t>{2, 4, 7, 9}));
  // The second leads out of the tensor.
  ASSERT_TRUE(interpreter.find(returned[1]));
  EXPECT_FALSE(interpreter.find(returned[1])->elements);
}

/// A mask with a hole and data: the window or the prefix.
TEST_F(AnalysisTest, AsksMasksWithHolesAndData) {
  func::FuncOp func = parse(R"(
    func.func @f(%q: tensor<2x1x100x16xf32>, %k: tensor<2x1x100x16xf32>, %p: tensor<2xi32>) -> tensor<2x1x100x16xf32> {
      %o = flash.attention %q, %k, %k mask_operands(%p : tensor<2xi32>)
          {mask = #flash.or<#flash.window<left = 4, right = 0>, #flash.prefix>}
          : tensor<2x1x100x16xf32>, tensor<2x1x100x16xf32>, tensor<2x1x100x16xf32> -> tensor<2x1x100x16xf32>
      return %o : tensor<2x1x100x16xf32>
    })");
  ASSERT_TRUE(func);
  IndexInterpreter known;
  KnownValue tensor = KnownValue::tensor({2, 1, 100, 16});
  ASSERT_TRUE(succeeded(known.run(
      func, {tensor, tensor, KnownValue::tensor({2}, data({10, 0}))})));
  AttentionOp op = *func.getOps<AttentionOp>().begin();
  MaskBlocks mask(op, known, /*sumsUp=*/true);
  EXPECT_TRUE(mask.hasMask() && mask.dependsOnPlace() && mask.hasHoles());
  EXPECT_FALSE(mask.hasLists());
  mask.setPlace({0, 0, 0, 0, 0, 0, 100, 100});
  EXPECT_FALSE(*mask.isHidden(50, 57, 8, 15)); // key 9 is of the prefix
  EXPECT_TRUE(*mask.isHidden(50, 57, 16, 23));
  EXPECT_FALSE(*mask.isHidden(50, 57, 40, 47)); // key 46 is in the window
  EXPECT_TRUE(*mask.isFull(50, 57, 0, 7));
  mask.setPlace({1, 0, 0, 0, 0, 0, 100, 100});
  EXPECT_TRUE(*mask.isHidden(50, 57, 0, 7));
}

/// Two documents of 20 keys, and a row of another one; queries stand at the
/// end of the keys.
TEST_F(AnalysisTest, SumsUpSegments) {
  func::FuncOp func = parse(R"(
    func.func @f(%q: tensor<1x1x20x16xf32>, %k: tensor<1x1x40x16xf32>, %qs: tensor<1x20xi32>, %ks: tensor<1x40xi32>) -> tensor<1x1x20x16xf32> {
      %o = flash.attention %q, %k, %k mask_operands(%qs, %ks : tensor<1x20xi32>, tensor<1x40xi32>)
          {mask = #flash.and<#flash.causal, #flash.segments>}
          : tensor<1x1x20x16xf32>, tensor<1x1x40x16xf32>, tensor<1x1x40x16xf32> -> tensor<1x1x20x16xf32>
      return %o : tensor<1x1x20x16xf32>
    })");
  ASSERT_TRUE(func);
  std::vector<int64_t> ofQueries(20, -1), ofKeys(40, -1);
  std::fill_n(ofKeys.begin(), 20, 7);
  ofKeys[25] = 7;
  IndexInterpreter known;
  ASSERT_TRUE(succeeded(
      known.run(func, {KnownValue::tensor({1, 1, 20, 16}),
                       KnownValue::tensor({1, 1, 40, 16}),
                       KnownValue::tensor({1, 20}, data(std::move(ofQueries))),
                       KnownValue::tensor({1, 40}, data(std::move(ofKeys)))})));
  AttentionOp op = *func.getOps<AttentionOp>().begin();
  MaskBlocks mask(op, known, /*sumsUp=*/true);
  EXPECT_TRUE(mask.hasHoles());
  mask.setPlace({0, 0, 20, 0, 20, 0, 40, 40});
  EXPECT_TRUE(*mask.isHidden(20, 27, 0, 7));    // another document
  EXPECT_FALSE(*mask.isHidden(20, 27, 16, 23)); // its end, and the next one
  EXPECT_TRUE(*mask.isHidden(20, 27, 28, 35));  // later keys
  EXPECT_FALSE(*mask.isFull(36, 39, 24, 27));   // key 25
  EXPECT_TRUE(*mask.isFull(36, 39, 26, 33));
  // Of the padding of a last block nothing is read.
  EXPECT_TRUE(*mask.isFull(36, 51, 26, 33));
  // Where many threads have a block, its data are not asked.
  MaskBlocks unasked(op, known, /*sumsUp=*/false);
  EXPECT_FALSE(unasked.hasHoles());
  unasked.setPlace({0, 0, 20, 0, 20, 0, 40, 40});
  EXPECT_FALSE(*unasked.isHidden(20, 27, 0, 7));
  EXPECT_FALSE(*unasked.isFull(36, 39, 26, 33));
}

TEST_F(AnalysisTest, CountsListedBlocksAndSharedPages) {
  // Two batches of 32 queries and 64 keys in pages of 16; both have page 3
  // first. The lists name block 1 (of 32 keys) for batch 0, none for batch 1.
  func::FuncOp func = parse(R"(
    func.func @f(%q: tensor<2x1x32x16xf32>, %k: tensor<8x1x16x16xf32>, %table: tensor<2x4xi32>, %lengths: tensor<2xi32>,
                 %n0: tensor<2x1x1xi32>, %l0: tensor<2x1x1x2xi32>, %n1: tensor<2x1x1xi32>, %l1: tensor<2x1x1x2xi32>)
        -> tensor<2x1x32x16xf32> {
      %o = flash.attention %q, %k, %k kv_lengths(%lengths : tensor<2xi32>) page_table(%table : tensor<2x4xi32>)
          mask_operands(%n0, %l0, %n1, %l1 : tensor<2x1x1xi32>, tensor<2x1x1x2xi32>, tensor<2x1x1xi32>, tensor<2x1x1x2xi32>)
          {mask = #flash.block_sparse<bq = 32, bk = 32>, schedule = #flash.schedule<m = 16, n = 16, d = 16>}
          : tensor<2x1x32x16xf32>, tensor<8x1x16x16xf32>, tensor<8x1x16x16xf32> -> tensor<2x1x32x16xf32>
      return %o : tensor<2x1x32x16xf32>
    })");
  ASSERT_TRUE(func);
  auto report = [&](std::vector<int64_t> counts) {
    auto lists = KnownValue::tensor({2, 1, 1, 2}, data({1, 0, 1, 0}));
    KnownValue none = KnownValue::tensor({2, 1, 1}, data({0, 0}));
    return analyzeIO(
        func,
        {KnownValue::tensor({2, 1, 32, 16}), KnownValue::tensor({8, 1, 16, 16}),
         KnownValue::tensor({2, 4}, data({3, 1, 0, 2, 3, 7, 0, 2})),
         KnownValue::tensor({2}, data({64, 64})), none, lists,
         KnownValue::tensor({2, 1, 1}, data(std::move(counts))), lists},
        target("cpu:x86-64-v3"));
  };
  FailureOr<FunctionIO> one = report({1, 0});
  ASSERT_TRUE(succeeded(one));
  const OperationIO &sparse = one->operations[0];
  // 2 blocks of queries take 2 steps each, of 16 that there are.
  EXPECT_EQ(sparse.blocks.all, 16);
  EXPECT_EQ(sparse.blocks.visited, 4);
  EXPECT_EQ(sparse.blocks.full, 4);
  EXPECT_EQ(sparse.operands[1].schedule.onChip.read, 4 * 16 * 16 * 4);
  EXPECT_EQ(sparse.operands[1].compulsory.read, 32 * 16 * 4);
  // Batch 1 sees nothing: its queries need not be read.
  EXPECT_EQ(sparse.operands[0].compulsory.read, 32 * 16 * 4);
  // Both batches have block 1 and then block 0: pages 3, 0 and 2 are shared.
  FailureOr<FunctionIO> two = report({2, 2});
  ASSERT_TRUE(succeeded(two));
  EXPECT_EQ(two->operations[0].blocks.visited, 16);
  EXPECT_EQ(two->operations[0].operands[1].compulsory.read, 5 * 16 * 16 * 4);
}

TEST_F(AnalysisTest, FindsWhatDiffers) {
  std::vector<IOCounter> predicted{
      {0, "arg0", true, 64}, {0, "arg1", true, 128}, {0, "op0.0", false, 64}};
  std::vector<IOCounter> counted{{0, "op0.0", false, 64},
                                 {0, "arg0", true, 64},
                                 {0, "arg1", true, 128},
                                 {0, "arg2", true, 0}};
  EXPECT_EQ(compareIOCounters(predicted, counted), "");
  counted[2].bytes += 1;
  EXPECT_EQ(compareIOCounters(predicted, counted),
            "op0 loads arg1: the report says 128 bytes, the program counted "
            "129\n");
  counted[2].bytes -= 1;
  counted.push_back({1, "arg1", true, 4});
  EXPECT_EQ(compareIOCounters(predicted, counted),
            "op1 loads arg1: the report says 0 bytes, the program counted 4\n");
  counted.pop_back();
  counted.erase(counted.begin());
  EXPECT_EQ(compareIOCounters(predicted, counted),
            "op0 stores op0.0: the report says 64 bytes, the program counted "
            "0\n");
}

} // namespace
