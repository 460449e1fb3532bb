//===- ScoreRegion.h - Score regions of f64, differentiated -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A region by itself, the derivative that the compiler builds of it, run op by
// op, and the reference's dual numbers.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_UNITTESTS_ANALYSIS_SCOREREGION_H
#define FLASH_UNITTESTS_ANALYSIS_SCOREREGION_H

#include "../../lib/Reference/ScalarBody.h"
#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Flash/Transforms/Differentiate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>

namespace flash::test {

using namespace mlir;
using namespace flash::reference;

/// A score region of f64: lines that make %r of %s, and positions %i and %j.
struct ScoreRegion {
  explicit ScoreRegion(const std::string &lines) {
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

} // namespace flash::test

#endif // FLASH_UNITTESTS_ANALYSIS_SCOREREGION_H
