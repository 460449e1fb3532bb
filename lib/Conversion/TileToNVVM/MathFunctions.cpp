//===- MathFunctions.cpp - Functions without a library ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// There is no library on the device. What the hardware approximates becomes
// its instructions, the rest is made of these:
//
//   math.exp %x   ->  ex2.approx (%x * log2(e))
//   math.tanh %x  ->  1 - 2 * rcp.approx (1 + ex2.approx (%x * 2 log2(e)))
//   math.erf %x   ->  a polynomial
//
// Before the conversion, while a body is one for all elements. An op for which
// there is nothing is an error where it stands. How exact they are is told in
// docs/Masks.md.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "flash/Conversion/ExpandFloat8.h"
#include "flash/Conversion/ExpandScalars.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace flash::tile;

static Value constant(Emitter &e, double value) {
  return arith::ConstantOp::create(e, e.getF32FloatAttr(float(value)));
}

namespace {

template <typename OpT> struct OnF32 : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "is not f32");
    Emitter e(op.getLoc(), rewriter);
    Value result = emit(op, e);
    if (!result)
      return rewriter.notifyMatchFailure(op, "stays as it is");
    rewriter.replaceOp(op, result);
    return success();
  }
  virtual Value emit(OpT op, Emitter &e) const = 0;
};

/// A function that one instruction approximates.
template <typename OpT> struct Instruction : OnF32<OpT> {
  Instruction(MLIRContext *context, StringRef name)
      : OnF32<OpT>(context), name(name) {}
  Value emit(OpT op, Emitter &e) const override {
    return e.intrinsic(op.getType(), name, op.getOperand());
  }
  std::string name;
};

/// The same of an f64: what PTX has of those.
template <typename OpT> struct InstructionOnF64 : OpRewritePattern<OpT> {
  InstructionOnF64(MLIRContext *context, StringRef name)
      : OpRewritePattern<OpT>(context), name(name) {}
  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF64())
      return rewriter.notifyMatchFailure(op, "is not f64");
    Emitter e(op.getLoc(), rewriter);
    rewriter.replaceOp(op, e.intrinsic(op.getType(), name,
                                       SmallVector<Value>(op->getOperands())));
    return success();
  }
  std::string name;
};

/// An op of 16-bit floats that upstream's expansion does not know: rounded once
/// more than it would be, where it rounds at all.
template <typename OpT> struct ThroughF32 : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType(), f32 = rewriter.getF32Type();
    if (!type.isF16() && !type.isBF16())
      return rewriter.notifyMatchFailure(op, "has no 16-bit floats");
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(
          arith::ExtFOp::create(rewriter, op.getLoc(), f32, operand));
    Value wide = OpT::create(rewriter, op.getLoc(), TypeRange(f32), operands,
                             op->getAttrs());
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, type, wide);
    return success();
  }
};

/// exp2(x * factor).
static Value exponential(Emitter &e, Value x, double factor) {
  return e.intrinsic(x.getType(), "llvm.nvvm.ex2.approx.ftz.f",
                     Value(arith::MulFOp::create(e, x, constant(e, factor))));
}

struct Exp : OnF32<math::ExpOp> {
  using OnF32::OnF32;
  Value emit(math::ExpOp op, Emitter &e) const override {
    return exponential(e, op.getOperand(), llvm::numbers::log2e);
  }
};

/// log2(x) * factor.
template <typename OpT> struct Logarithm : OnF32<OpT> {
  Logarithm(MLIRContext *context, double factor)
      : OnF32<OpT>(context), factor(factor) {}
  Value emit(OpT op, Emitter &e) const override {
    Value log2 = e.intrinsic(op.getType(), "llvm.nvvm.lg2.approx.ftz.f",
                             op.getOperand());
    return arith::MulFOp::create(e, log2, constant(e, factor));
  }
  double factor;
};

/// 1 - 2 / (1 + exp(2x)): an absolute error of 2^-22, where tanh.approx has a
/// relative one of 2^-11, which a softcap would multiply. Infinities give 1 and
/// -1.
struct Tanh : OnF32<math::TanhOp> {
  using OnF32::OnF32;
  Value emit(math::TanhOp op, Emitter &e) const override {
    Value power = exponential(e, op.getOperand(), 2 * llvm::numbers::log2e);
    Value sum = arith::AddFOp::create(e, power, constant(e, 1));
    Value quotient =
        e.intrinsic(op.getType(), "llvm.nvvm.rcp.approx.ftz.f", sum);
    return math::FmaOp::create(e, quotient, constant(e, -2), constant(e, 1));
  }
};

/// Of the angle less a multiple of 2 pi, taken off in two parts.
template <typename OpT> struct Circular : OnF32<OpT> {
  Circular(MLIRContext *context, StringRef name)
      : OnF32<OpT>(context), name(name) {}
  Value emit(OpT op, Emitter &e) const override {
    constexpr double turn = 2 * llvm::numbers::pi;
    constexpr double high = 6.28125; // exact in 8 bits
    Value x = op.getOperand();
    Value turns = math::RoundEvenOp::create(
        e, arith::MulFOp::create(e, x, constant(e, 1 / turn)));
    Value rest = math::FmaOp::create(e, turns, constant(e, -high), x);
    rest = math::FmaOp::create(e, turns, constant(e, high - turn), rest);
    return e.intrinsic(op.getType(), name, rest);
  }
  std::string name;
};

/// In a body: a division that needs no subroutine. One by a constant is a
/// product.
struct Division : OnF32<arith::DivFOp> {
  using OnF32::OnF32;
  Value emit(arith::DivFOp op, Emitter &e) const override {
    FloatAttr number;
    if (!op->getParentOfType<MapOp>() ||
        matchPattern(op.getLhs(), m_OneFloat()))
      return Value();
    if (matchPattern(op.getRhs(), m_Constant(&number))) {
      double inverse = 1 / number.getValueAsDouble();
      if (std::isfinite(inverse) && std::abs(inverse) > 0x1p-120 &&
          std::abs(inverse) < 0x1p120)
        return arith::MulFOp::create(e, op.getLhs(), constant(e, inverse));
    }
    return e.intrinsic(op.getType(), "llvm.nvvm.div.full.ftz",
                       {op.getLhs(), op.getRhs()});
  }
};

/// The bits of one number with the sign of another: what is made of others has
/// the op in it, and PTX's instruction no intrinsic that takes it.
struct CopySign : OpRewritePattern<math::CopySignOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::CopySignOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    unsigned width = op.getType().getIntOrFloatBitWidth();
    Type integer = rewriter.getIntegerType(width);
    auto of = [&](Value x, const APInt &mask) -> Value {
      Value bits = arith::BitcastOp::create(rewriter, loc, integer, x);
      Value kept = arith::ConstantOp::create(
          rewriter, loc, rewriter.getIntegerAttr(integer, mask));
      return arith::AndIOp::create(rewriter, loc, bits, kept);
    };
    Value both = arith::OrIOp::create(
        rewriter, loc, of(op.getLhs(), APInt::getSignedMaxValue(width)),
        of(op.getRhs(), APInt::getSignMask(width)));
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), both);
    return success();
  }
};

/// a - b * trunc(a / b), where the quotient may be off by one: exact for
/// quotients below 2^23.
struct Remainder : OnF32<arith::RemFOp> {
  using OnF32::OnF32;
  Value emit(arith::RemFOp op, Emitter &e) const override {
    Value a = op.getLhs(), b = op.getRhs();
    auto abs = [&](Value x) -> Value { return math::AbsFOp::create(e, x); };
    auto less = [&](Value x, Value y) -> Value {
      return arith::CmpFOp::create(e, arith::CmpFPredicate::OLT, x, y);
    };
    Value size = abs(a), by = abs(b);
    Value quotient = math::FloorOp::create(
        e, e.intrinsic(op.getType(), "llvm.nvvm.div.rn.f", {size, by}));
    Value rest = math::FmaOp::create(
        e, arith::NegFOp::create(e, quotient).getResult(), by, size);
    // Rounded up, the quotient leaves less than nothing; rounded down, too
    // much.
    rest = e.select(less(rest, constant(e, 0)),
                    arith::AddFOp::create(e, rest, by), rest);
    rest = e.select(less(rest, by), rest, arith::SubFOp::create(e, rest, by));
    // A number below the divisor, and a finite one of an infinite divisor.
    rest = e.select(less(size, by), size, rest);
    return math::CopySignOp::create(e, rest, a);
  }
};

struct SineAndCosine : OpRewritePattern<math::SincosOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::SincosOp op,
                                PatternRewriter &rewriter) const override {
    rewriter.replaceOp(
        op, {math::SinOp::create(rewriter, op.getLoc(), op.getOperand()),
             math::CosOp::create(rewriter, op.getLoc(), op.getOperand())});
    return success();
  }
};

} // namespace

static void populateMathFunctions(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  patterns.add<Exp, Tanh, Division, CopySign, Remainder, SineAndCosine,
               flash::ExpandClampF, flash::ExpandIPowI,
               flash::ExpandQuestion<math::IsInfOp>,
               flash::ExpandQuestion<math::IsNormalOp>>(context);
  patterns.add<Logarithm<math::LogOp>>(context, llvm::numbers::ln2);
  patterns.add<Logarithm<math::Log10Op>>(context, llvm::numbers::ln2 /
                                                      llvm::numbers::ln10);
  patterns.add<Circular<math::SinOp>>(context, "llvm.nvvm.sin.approx.ftz.f");
  patterns.add<Circular<math::CosOp>>(context, "llvm.nvvm.cos.approx.ftz.f");
  patterns.add<Instruction<math::Exp2Op>>(context,
                                          "llvm.nvvm.ex2.approx.ftz.f");
  patterns.add<Instruction<math::Log2Op>>(context,
                                          "llvm.nvvm.lg2.approx.ftz.f");
  patterns.add<Instruction<math::SqrtOp>>(context,
                                          "llvm.nvvm.sqrt.approx.ftz.f");
  patterns.add<Instruction<math::RsqrtOp>>(context,
                                           "llvm.nvvm.rsqrt.approx.ftz.f");
  patterns.add<Instruction<math::AbsFOp>>(context, "llvm.fabs.f32");
  patterns.add<Instruction<math::FloorOp>>(context, "llvm.floor.f32");
  patterns.add<Instruction<math::CeilOp>>(context, "llvm.ceil.f32");
  patterns.add<Instruction<math::RoundEvenOp>>(context, "llvm.roundeven.f32");
  patterns.add<InstructionOnF64<math::AbsFOp>>(context, "llvm.fabs.f64");
  patterns.add<InstructionOnF64<math::FloorOp>>(context, "llvm.floor.f64");
  patterns.add<InstructionOnF64<math::CeilOp>>(context, "llvm.ceil.f64");
  patterns.add<InstructionOnF64<math::TruncOp>>(context, "llvm.trunc.f64");
  patterns.add<InstructionOnF64<math::RoundEvenOp>>(context,
                                                    "llvm.roundeven.f64");
  patterns.add<InstructionOnF64<math::FmaOp>>(context, "llvm.fma.f64");
  patterns.add<InstructionOnF64<math::SqrtOp>>(context, "llvm.sqrt.f64");
  // Narrow types go through f32; what is left is made of the above.
  patterns.add<ThroughF32<math::AbsFOp>, ThroughF32<math::FloorOp>,
               ThroughF32<math::CeilOp>, ThroughF32<math::TruncOp>,
               ThroughF32<math::RoundOp>, ThroughF32<math::RoundEvenOp>,
               ThroughF32<math::FmaOp>, ThroughF32<arith::RemFOp>>(context);
  patterns.add<flash::WidenFloat8, flash::NarrowToFloat8>(context);
  populateMathF32ExpansionPatterns(patterns, [](StringRef) { return true; });
  math::populateExpansionPatterns(patterns,
                                  {"sinh", "cosh", "tan", "asinh", "acosh",
                                   "atanh", "powf", "fpowi", "round"});
  static const StringRef polynomials[] = {
      "erf", "erfc", "atan", "atan2", "expm1", "asin", "log1p", "acos", "cbrt"};
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    name.consume_front("math.");
    return llvm::is_contained(polynomials, name);
  });
}

/// Whether the back end has the op as instructions.
static bool isNative(Operation *op) {
  if (isa<math::AbsIOp, math::CountLeadingZerosOp, math::CountTrailingZerosOp,
          math::CtPopOp, math::IsFiniteOp, math::IsNaNOp>(op))
    return true;
  return isa<math::FmaOp, math::TruncOp>(op) &&
         op->getResult(0).getType().isF32();
}

/// Says of an op of the program, not of what it would become, that there is no
/// such function of f64.
static WalkResult checkF64(Operation *op) {
  bool isFunction = isa_and_nonnull<math::MathDialect>(op->getDialect());
  auto isF64 = [](Type type) { return type.isF64(); };
  if ((!isFunction && !isa<arith::RemFOp>(op)) ||
      llvm::none_of(op->getOperandTypes(), isF64) ||
      isa<math::AbsFOp, math::FloorOp, math::CeilOp, math::TruncOp,
          math::RoundEvenOp, math::FmaOp, math::SqrtOp, math::CopySignOp,
          math::ClampFOp, math::IsNaNOp, math::IsInfOp, math::IsFiniteOp,
          math::IsNormalOp>(op))
    return WalkResult::advance();
  op->emitOpError("of f64 is not supported on a GPU, whose functions are of "
                  "f32: write arith.truncf before it and arith.extf after it");
  return WalkResult::interrupt();
}

LogicalResult flash::tile::lowerMathFunctions(gpu::GPUModuleOp module) {
  SmallVector<Operation *> ops;
  auto isMath = [](Operation *op) {
    return isa_and_nonnull<math::MathDialect>(op->getDialect());
  };
  WalkResult known = module.walk([&](Operation *op) {
    if (isMath(op) ||
        isa<arith::DivFOp, arith::RemFOp, arith::ExtFOp, arith::TruncFOp>(op))
      ops.push_back(op);
    return checkF64(op);
  });
  if (known.wasInterrupted())
    return failure();
  RewritePatternSet patterns(module.getContext());
  populateMathFunctions(patterns);
  GreedyRewriteConfig config;
  config.setStrictness(GreedyRewriteStrictness::ExistingAndNewOps);
  (void)applyOpPatternsGreedily(ops, std::move(patterns), config);
  WalkResult walk = module.walk([&](Operation *op) {
    if (!isMath(op) || isNative(op))
      return WalkResult::advance();
    op->emitOpError("of ") << op->getResult(0).getType()
                           << " is not supported on a GPU, where there is no "
                              "library of functions";
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}
