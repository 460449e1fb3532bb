//===- DifferentiateScoresTest.cpp - Captures, score functions, draws -----===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Elements of captures and score functions that follow one another, against
// differences; regions that were drawn, forward mode and reverse against dual
// numbers.
//
//===----------------------------------------------------------------------===//

#include "../../lib/Reference/ScoreMeaning.h"
#include "ScoreRegion.h"

#include <cmath>
#include <random>

using namespace flash;
using namespace flash::test;

TEST(DifferentiateTest, ElementsOfCaptures) {
  // Each reads two elements: c[i] and c[0].
  const char *cases[] = {
      "%x = tensor.extract %c[%i] : tensor<3xf64>\n"
      "%z = arith.constant 0 : index\n"
      "%w = tensor.extract %c[%z] : tensor<3xf64>\n"
      "%a = arith.divf %s, %x : f64\n %e = math.tanh %a : f64\n"
      "%m = arith.mulf %x, %e : f64\n %r = math.powf %w, %m : f64",
      "%x = tensor.extract %c[%i] : tensor<3xf64>\n"
      "%z = arith.constant 0 : index\n"
      "%k = arith.cmpi sgt, %i, %j : index\n"
      "%v = arith.mulf %x, %y : f64\n"
      "%r = scf.if %k -> f64 {\n %w = tensor.extract %c[%z] : tensor<3xf64>\n"
      "%e = math.fma %v, %w, %x : f64\n scf.yield %e : f64\n"
      "} else {\n %e = arith.maximumf %v, %s : f64\n scf.yield %e : f64\n }",
  };
  for (const char *lines : cases) {
    ScoreRegion score(lines);
    Region regions[2];
    std::shared_ptr<const ScalarBody> of[] = {score.makeReverse(regions[0], 0),
                                              score.makeReverse(regions[1], 1)};
    ASSERT_TRUE(of[0] && of[1]) << lines;
    for (int64_t query : {1, 2})
      for (double s : {-1.5, -0.25, 0.5, 1.0})
        for (int element : {0, 1}) {
          int64_t index = element ? 0 : query;
          constexpr double kStep = 1e-6;
          double x = score.capture->at(index);
          score.capture->set(index, x + kStep);
          double more = score.score(s, query);
          score.capture->set(index, x - kStep);
          double less = score.score(s, query);
          score.capture->set(index, x);
          EXPECT_NEAR(of[element]->score(s, ScoreRegion::at(query)),
                      (more - less) / (2 * kStep), 1e-8)
              << lines << " element " << element << " at " << s;
        }
  }
}

TEST(DifferentiateTest, ScoreFunctionsOneAfterAnother) {
  MLIRContext context;
  context.loadDialect<FlashDialect, arith::ArithDialect, func::FuncDialect,
                      math::MathDialect, tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(
      R"(
    !t = tensor<1x1x4x8xf64>
    func.func @f(%q: !t, %slopes: tensor<1xf32>, %bias: tensor<1x1x4x4xf32>) -> !t {
      %o = flash.attention %q, %q, %q score_operands(%slopes, %bias : tensor<1xf32>, tensor<1x1x4x4xf32>)
          {scores = [#flash.alibi, #flash.softcap<1.5>, #flash.bias, #flash.region]} score {
      ^bb0(%s: f64, %b: index, %h: index, %i: index, %j: index):
        %r = math.sin %s : f64
        flash.yield %r : f64
      } : !t, !t, !t -> !t
      return %o : !t
    })",
      ParserConfig(&context));
  ASSERT_TRUE(module);
  AttentionOp op;
  module->walk([&](AttentionOp found) { op = found; });
  rt::Result<rt::Array> slopes = rt::Array::create(rt::DType::F32, {1}),
                        bias = rt::Array::create(rt::DType::F32, {1, 1, 4, 4});
  slopes->set(0, 0.25);
  for (int i = 0; i < 16; ++i)
    bias->set(i, 0.125 * i - 1);
  std::vector<Tensor> operands{Tensor::view(*slopes), Tensor::view(*bias)};

  Options options;
  auto body = ScalarBody::get(op.getScoreBody(), {}, Arithmetic::Float64,
                              /*slopes=*/true);
  ASSERT_TRUE(body.ok());
  SmallVector<ScoreAttrInterface> functions = op.getEffectiveScores();
  ASSERT_TRUE(setScore(options, functions, operands, *body).ok());
  ASSERT_TRUE(setScoreWithSlope(options, functions, operands, *body,
                                Arithmetic::Float64)
                  .ok());

  // What the compiler builds, as a region of its own.
  Region region;
  region.push_back(new Block());
  Block &block = region.front();
  OpBuilder b(&context);
  b.setInsertionPointToStart(&block);
  Location loc = b.getUnknownLoc();
  block.addArgument(b.getF64Type(), loc);
  for (int i = 0; i < 4; ++i)
    block.addArgument(b.getIndexType(), loc);
  for (Type type : op.getScoreOperands().getTypes())
    block.addArgument(type, loc);
  ValueRange arguments = block.getArguments();
  TilePlace at;
  at.batch = arguments[1];
  at.head = arguments[2];
  at.queryOrigin = at.keyOrigin = arith::ConstantIndexOp::create(b, loc, 0);
  at.body = &op.getScoreBody();
  FailureOr<ValueAndDerivative> both =
      buildScoreAndDerivative(b, loc, functions, at, arguments.drop_front(5),
                              arguments[0], arguments[3], arguments[4]);
  ASSERT_TRUE(succeeded(both));
  flash::YieldOp::create(b, loc, both->derivative);
  auto built =
      ScalarBody::get(region, {operands[0], operands[1]}, Arithmetic::Float64);
  ASSERT_TRUE(built.ok()) << built.message();

  for (int64_t query = 0; query < 4; ++query)
    for (double s : {-2.0, -1.5, -0.5, 0.0, 0.5, 1.5, 2.0}) {
      Element e;
      e.query = e.queryRow = query;
      e.key = e.keyRow = 1;
      constexpr double kStep = 1e-6;
      double want =
          (options.score(s + kStep, e) - options.score(s - kStep, e)) /
          (2 * kStep);
      auto [score, slope] = options.scoreWithSlope(s, e);
      EXPECT_EQ(score, options.score(s, e));
      EXPECT_NEAR(slope, want, 1e-8);
      EXPECT_NEAR((*built)->score(s, e), want, 1e-8);
    }
}

namespace {

/// Draws regions: each line of what the lines before made.
struct Draw {
  explicit Draw(unsigned seed) : random(seed) {
    for (int n = 0; n < 14; ++n)
      add(n);
    lines += "%r = math.atan " + last + " : f64";
  }

  std::string any() { return values[random() % values.size()]; }
  void op(const std::string &text) {
    last = "%v" + std::to_string(values.size() + count++);
    lines += last + " = " + text + " : f64\n";
  }
  /// 1 + x^2, which is safe to divide by.
  std::string above() {
    std::string x = any();
    op("math.fma " + x + ", " + x + ", %one");
    return last;
  }
  void add(int n) {
    static const char *kUnary[] = {"math.tanh", "math.sin",   "math.cos",
                                   "math.atan", "math.erf",   "math.asinh",
                                   "math.absf", "arith.negf", "math.erfc"};
    static const char *kBinary[] = {
        "arith.addf",     "arith.subf",    "arith.mulf",   "arith.maximumf",
        "arith.minimumf", "arith.maxnumf", "math.copysign"};
    std::string x = any(), y = any();
    switch (random() % 8) {
    case 0:
    case 1:
      op(kUnary[random() % std::size(kUnary)] + (" " + x));
      break;
    case 2:
    case 3:
    case 4:
      op(kBinary[random() % std::size(kBinary)] + (" " + x + ", " + y));
      break;
    case 5:
      op("arith.divf " + x + ", " + above());
      break;
    case 6:
      op((random() % 2 ? "math.log " : "math.sqrt ") + above());
      break;
    default:
      lines += "%c" + std::to_string(n) + " = arith.cmpf olt, " + x + ", " + y +
               " : f64\n";
      std::string condition = "%c" + std::to_string(n), z = any();
      if (random() % 2)
        op("arith.select " + condition + ", " + y + ", " + z);
      else {
        last = "%v" + std::to_string(values.size() + count++);
        lines += last + " = scf.if " + condition +
                 " -> f64 {\n %e = math.tanh " + x +
                 " : f64\n %f = arith.mulf %e, " + y +
                 " : f64\n scf.yield %f : f64\n} else {\n scf.yield " + z +
                 " : f64\n}\n";
      }
    }
    values.push_back(last);
  }

  std::mt19937 random;
  std::vector<std::string> values{"%s", "%y", "%two"};
  std::string lines, last;
  int count = 0;
};

} // namespace

TEST(DifferentiateTest, AtRandom) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    Draw draw(seed);
    ScoreRegion score(draw.lines);
    Region region;
    auto reverse = score.makeReverse(region);
    ASSERT_TRUE(score.built && reverse) << draw.lines;
    for (double s : {-1.7, -0.3, 0.4, 1.9}) {
      double want = score.byDuals(s, 1),
             tolerance = 1e-9 * (1 + std::fabs(want));
      EXPECT_NEAR(score.byRules(s, 1), want, tolerance) << draw.lines;
      EXPECT_NEAR(reverse->score(s, ScoreRegion::at(1)), want, tolerance)
          << draw.lines;
    }
  }
}
