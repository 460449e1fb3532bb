//===- DifferentiateTest.cpp - Rules, dual numbers and differences --------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Score regions in f64, each with one op that depends on the score by all its
// operands: the derivative that the compiler builds, run op by op, and the
// reference's dual numbers are both what differences of the score say. At kinks
// they are what PyTorch says. Then the score functions, one after another.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Differentiate.h"
#include "../../lib/Reference/ScoreMeaning.h"
#include "flash/Dialect/Flash/IR/Flash.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace mlir;
using namespace flash;
using namespace flash::reference;

namespace {

/// A score region of f64: lines that make %r of %s, and positions %i and %j.
struct Body {
  explicit Body(const std::string &lines) {
    context.loadDialect<FlashDialect, arith::ArithDialect, func::FuncDialect,
                        math::MathDialect, scf::SCFDialect,
                        tensor::TensorDialect>();
    std::string text = R"(
      !t = tensor<1x1x4x8xf64>
      func.func @f(%q: !t, %t: tensor<3xf64>) -> !t {
        %o = flash.attention %q, %q, %q captures(%t : tensor<3xf64>) score {
        ^bb0(%s: f64, %b: index, %h: index, %i: index, %j: index, %c: tensor<3xf64>):
          %one = arith.constant 1.0 : f64
          %two = arith.constant 2.0 : f64
          %y = math.sin %s : f64
          %n = arith.index_cast %i : index to i32
          )" + lines + R"(
          flash.yield %r : f64
        } : !t, !t, !t -> !t
        return %o : !t
      })";
    module = parseSourceString<ModuleOp>(text, ParserConfig(&context));
    EXPECT_TRUE(module) << text;
    Region *region = nullptr;
    module->walk([&](AttentionOp op) { region = &op.getScoreBody(); });
    rt::Result<rt::Array> array = rt::Array::create(rt::DType::F64, {3});
    for (int i = 0; i < 3; ++i)
      array->set(i, 0.5 + i);
    capture = std::make_shared<rt::Array>(std::move(*array));
    prepared = prepare(*region, /*slopes=*/true);
    body = &region->front();
    built = make(derivative, [&](OpBuilder &b, IRMapping &mapping) {
      FailureOr<ValueAndDerivative> both =
          copyWithDerivative(b, *body, body->getTerminator()->getOperand(0),
                             body->getArgument(0), mapping);
      EXPECT_TRUE(succeeded(both)) << lines;
      return succeeded(both) && both->derivative ? both->derivative : one(b);
    });
  }

  /// A region of the same arguments that yields what is made there.
  std::shared_ptr<const ScalarBody>
  make(Region &to, llvm::function_ref<Value(OpBuilder &, IRMapping &)> fill) {
    to.push_back(new Block());
    IRMapping mapping;
    for (BlockArgument argument : body->getArguments())
      mapping.map(argument, to.front().addArgument(argument.getType(),
                                                   argument.getLoc()));
    OpBuilder b(&context);
    b.setInsertionPointToStart(&to.front());
    Value made = fill(b, mapping);
    flash::YieldOp::create(b, b.getUnknownLoc(), made);
    return prepare(to, /*slopes=*/false);
  }

  /// By reverse mode: the cotangent of the score, or of an element that is
  /// read.
  std::shared_ptr<const ScalarBody> makeReverse(Region &to, int element = -1) {
    return make(to, [&](OpBuilder &b, IRMapping &mapping) {
      FailureOr<ValueAndCotangents> all =
          copyWithCotangents(b, *body, body->getTerminator()->getOperand(0),
                             one(b), body->getArgument(0), mapping);
      EXPECT_TRUE(succeeded(all));
      return element < 0 ? all->cotangent : all->elements[element].cotangent;
    });
  }

  static Value one(OpBuilder &b) {
    return arith::ConstantOp::create(b, b.getUnknownLoc(),
                                     b.getF64FloatAttr(1));
  }

  std::shared_ptr<const ScalarBody> prepare(Region &region, bool slopes) {
    Tensor tensor = Tensor::view(*capture);
    rt::Result<std::shared_ptr<const ScalarBody>> made =
        ScalarBody::get(region, {tensor}, Arithmetic::Float64, slopes);
    EXPECT_TRUE(made.ok()) << made.message();
    return made.ok() ? *made : nullptr;
  }

  static Element at(int64_t query) {
    Element e;
    e.query = query;
    e.key = 1;
    return e;
  }
  double score(double s, int64_t query) {
    return prepared->score(s, at(query));
  }
  double byDuals(double s, int64_t query) {
    return prepared->scoreWithSlope(s, at(query)).second;
  }
  double byRules(double s, int64_t query) { return built->score(s, at(query)); }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::shared_ptr<rt::Array> capture;
  Block *body = nullptr;
  Region derivative;
  std::shared_ptr<const ScalarBody> prepared, built;
};

/// Lines of a region, and from where to where its scores go.
struct Case {
  const char *lines;
  double low = -2, high = 2;
};

const Case kCases[] = {
    {"%r = arith.negf %s : f64"},
    {"%r = arith.addf %s, %y : f64"},
    {"%r = arith.subf %y, %s : f64"},
    {"%r = arith.mulf %s, %y : f64"},
    {"%e = math.exp %s : f64\n %r = arith.divf %y, %e : f64"},
    {"%e = arith.constant 0.7 : f64\n %r = arith.divf %y, %e : f64"},
    {"%e = math.exp %s : f64\n %r = arith.remf %two, %e : f64", 0.05, 0.6},
    {"%e = arith.constant 3.1 : f64\n %r = arith.remf %s, %e : f64"},
    {"%r = arith.maximumf %s, %y : f64", 0.1, 2},
    {"%r = arith.maximumf %s, %y : f64", -2, -0.1},
    {"%r = arith.minimumf %s, %y : f64", 0.1, 2},
    {"%r = arith.minimumf %s, %y : f64", -2, -0.1},
    {"%r = arith.maxnumf %s, %y : f64", 0.1, 2},
    {"%r = arith.maxnumf %s, %y : f64", -2, -0.1},
    {"%r = arith.minnumf %s, %y : f64", 0.1, 2},
    {"%r = arith.minnumf %s, %y : f64", -2, -0.1},
    {"%x = arith.constant 0.5 : f64\n %r = arith.maxnumf %x, %y : f64", -1, 0},
    {"%r = math.clampf %y to [%s, %two] : f64", 0.1, 1.9},
    {"%r = math.clampf %two to [%y, %s] : f64", 0.1, 1.9},
    {"%m = arith.negf %one : f64\n %r = math.clampf %s to [%m, %one] : f64",
     -0.9, 0.9},
    {"%m = arith.negf %one : f64\n %r = math.clampf %s to [%m, %one] : f64",
     1.1, 2},
    {"%r = math.absf %s : f64", 0.1, 2},
    {"%r = math.absf %s : f64", -2, -0.1},
    {"%r = math.copysign %s, %y : f64", -2, -0.1},
    {"%m = arith.negf %y : f64\n %r = math.copysign %s, %m : f64", 0.1, 2},
    {"%r = math.fma %s, %y, %s : f64"},
    {"%r = math.sqrt %s : f64", 0.1, 2},
    {"%r = math.rsqrt %s : f64", 0.1, 2},
    {"%r = math.cbrt %s : f64", -2, -0.1},
    {"%r = math.exp %s : f64"},
    {"%r = math.exp2 %s : f64"},
    {"%r = math.expm1 %s : f64"},
    {"%r = math.log %s : f64", 0.1, 2},
    {"%r = math.log2 %s : f64", 0.1, 2},
    {"%r = math.log10 %s : f64", 0.1, 2},
    {"%r = math.log1p %s : f64", -0.5, 2},
    {"%r = math.sin %s : f64"},
    {"%r = math.cos %s : f64"},
    {"%x, %z = math.sincos %s : f64\n %r = arith.mulf %x, %z : f64"},
    {"%r = math.tan %s : f64", -1, 1},
    {"%r = math.asin %s : f64", -0.9, 0.9},
    {"%r = math.acos %s : f64", -0.9, 0.9},
    {"%r = math.atan %s : f64"},
    {"%r = math.atan2 %y, %s : f64", -2, -0.1},
    {"%x = arith.mulf %s, %s : f64\n %r = math.atan2 %x, %y : f64", 0.1, 2},
    {"%r = math.sinh %s : f64"},
    {"%r = math.cosh %s : f64"},
    {"%r = math.tanh %s : f64"},
    {"%r = math.asinh %s : f64"},
    {"%r = math.acosh %s : f64", 1.1, 2},
    {"%r = math.atanh %s : f64", -0.9, 0.9},
    {"%r = math.erf %s : f64"},
    {"%r = math.erfc %s : f64"},
    {"%r = math.powf %s, %y : f64", 0.1, 2},
    {"%r = math.powf %two, %s : f64"},
    {"%e = arith.constant 2.5 : f64\n %r = math.powf %s, %e : f64", 0.1, 2},
    {"%r = math.powf %s, %two : f64"},
    {"%r = math.powf %s, %one : f64"},
    {"%r = math.fpowi %s, %n : f64, i32", 0.1, 2},
    {"%e = arith.constant -3 : i32\n %r = math.fpowi %s, %e : f64, i32", 0.1,
     2},
    {"%f = math.floor %s : f64\n %r = arith.mulf %f, %s : f64", 0.1, 0.9},
    {"%f = math.ceil %s : f64\n %r = arith.mulf %f, %s : f64", 0.1, 0.9},
    {"%f = math.trunc %s : f64\n %r = arith.addf %f, %s : f64", 1.1, 1.9},
    {"%f = math.round %s : f64\n %r = arith.mulf %f, %s : f64", 0.6, 1.4},
    {"%f = math.roundeven %s : f64\n %r = arith.mulf %f, %s : f64", 0.6, 1.4},
    {"%k = arith.fptosi %s : f64 to i32\n %f = arith.sitofp %k : i32 to f64\n"
     "%r = arith.mulf %f, %s : f64",
     1.1, 1.9},
    {"%f = arith.truncf %s : f64 to f32\n %e = math.exp %f : f32\n"
     "%r = arith.extf %e : f32 to f64"},
    {"%k = arith.cmpf ogt, %s, %one : f64\n"
     "%r = arith.select %k, %y, %two : f64",
     0, 0.9},
    {"%k = arith.cmpf ogt, %s, %one : f64\n"
     "%r = arith.select %k, %y, %s : f64",
     1.1, 2},
    {"%k = math.isfinite %s : f64\n %r = arith.select %k, %y, %s : f64"},
    {"%k = arith.cmpi sgt, %i, %j : index\n"
     "%r = scf.if %k -> f64 {\n %e = math.exp %s : f64\n scf.yield %e : f64\n"
     "} else {\n scf.yield %y : f64\n }"},
    {"%z = arith.constant 0 : index\n %w = arith.constant 1 : index\n"
     "%g = arith.constant 3 : index\n"
     "%r = scf.for %k = %z to %g step %w iter_args(%a = %s) -> f64 {\n"
     "%x = tensor.extract %c[%k] : tensor<3xf64>\n"
     "%m = arith.mulf %a, %y : f64\n %e = arith.addf %m, %x : f64\n"
     "scf.yield %e : f64\n }"},
    // Softcap, a logistic, a rational function, and one that is not used.
    {"%x = arith.divf %s, %two : f64\n %e = math.tanh %x : f64\n"
     "%r = arith.mulf %e, %two : f64"},
    {"%m = arith.negf %s : f64\n %e = math.exp %m : f64\n"
     "%d = arith.addf %one, %e : f64\n %r = arith.divf %one, %d : f64"},
    {"%x = arith.mulf %s, %s : f64\n %d = arith.addf %x, %one : f64\n"
     "%l = math.log %d : f64\n %m = arith.divf %l, %d : f64\n"
     "%r = arith.subf %m, %l : f64"},
    {"%r = arith.addf %one, %two : f64"},
};

} // namespace

TEST(DifferentiateTest, EachOpIsWhatDifferencesSay) {
  for (const Case &each : kCases) {
    Body score(each.lines);
    ASSERT_TRUE(score.prepared && score.built) << each.lines;
    for (int64_t query : {0, 1, 3})
      for (int n = 0; n <= 8; ++n) {
        double s = each.low + (each.high - each.low) * n / 8;
        constexpr double kStep = 1e-6;
        double want =
            (score.score(s + kStep, query) - score.score(s - kStep, query)) /
            (2 * kStep);
        double tolerance = 1e-8 * (1 + std::fabs(want));
        EXPECT_NEAR(score.byDuals(s, query), want, tolerance)
            << each.lines << " at " << s;
        EXPECT_NEAR(score.byRules(s, query), want, tolerance)
            << each.lines << " at " << s;
        EXPECT_NEAR(score.byRules(s, query), score.byDuals(s, query),
                    1e-13 * (1 + std::fabs(want)))
            << each.lines << " at " << s;
      }
  }
}

TEST(DifferentiateTest, ReverseModeSaysTheSame) {
  for (const Case &each : kCases) {
    if (StringRef(each.lines).contains("scf.for"))
      continue;
    Body score(each.lines);
    Region region;
    auto reverse = score.makeReverse(region);
    ASSERT_TRUE(score.built && reverse) << each.lines;
    for (int64_t query : {0, 1, 3})
      for (int n = 0; n <= 8; ++n) {
        double s = each.low + (each.high - each.low) * n / 8;
        double want = score.byRules(s, query);
        EXPECT_NEAR(reverse->score(s, Body::at(query)), want,
                    1e-13 * (1 + std::fabs(want)))
            << each.lines << " at " << s;
      }
  }
}

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
    Body score(lines);
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
          EXPECT_NEAR(of[element]->score(s, Body::at(query)),
                      (more - less) / (2 * kStep), 1e-8)
              << lines << " element " << element << " at " << s;
        }
  }
}

TEST(DifferentiateTest, KinksArePyTorchs) {
  struct {
    const char *lines;
    double at, slope;
  } kinks[] = {
      {"%r = math.absf %s : f64", 0, 0},
      {"%r = math.absf %s : f64", -0.0, 0},
      {"%r = arith.maximumf %s, %one : f64", 1, 0.5},
      {"%r = arith.minimumf %one, %s : f64", 1, 0.5},
      {"%r = arith.maximumf %s, %s : f64", 1, 1},
      {"%r = arith.maxnumf %s, %one : f64", 1, 1},
      {"%r = arith.maxnumf %one, %s : f64", 1, 0},
      {"%r = arith.minnumf %s, %one : f64", 1, 1},
      {"%r = math.clampf %s to [%one, %two] : f64", 1, 1},
      {"%r = math.clampf %s to [%one, %two] : f64", 2, 1},
      {"%r = math.copysign %s, %one : f64", 0, 0},
      {"%r = math.powf %s, %two : f64", 0, 0},
      {"%z = arith.constant 0.0 : f64\n %r = math.powf %z, %s : f64", 2, 0},
      {"%z = arith.constant 0.0 : f64\n %r = math.powf %s, %z : f64", 0, 0},
      {"%z = arith.constant 0 : i32\n %r = math.fpowi %s, %z : f64, i32", 0, 0},
      {"%r = math.floor %s : f64", 1, 0},
      {"%r = math.sqrt %s : f64", 0, INFINITY},
  };
  for (auto &[lines, at, slope] : kinks) {
    Body score(lines);
    ASSERT_TRUE(score.prepared && score.built) << lines;
    EXPECT_EQ(score.byDuals(at, 0), slope) << lines;
    EXPECT_EQ(score.byRules(at, 0), slope) << lines;
  }
}

TEST(DifferentiateTest, WhatIsNotChosenHasNoPart) {
  // The branch that is not taken is infinite or not a number there.
  Body score("%k = arith.cmpf ogt, %s, %one : f64\n %l = math.log %s : f64\n"
             "%r = arith.select %k, %l, %s : f64");
  for (double s : {0.0, -1.0}) {
    EXPECT_EQ(score.byDuals(s, 0), 1);
    EXPECT_EQ(score.byRules(s, 0), 1);
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
    for (double s = -2; s <= 2; s += 0.5) {
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
