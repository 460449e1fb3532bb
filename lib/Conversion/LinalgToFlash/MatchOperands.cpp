//===- MatchOperands.cpp - Q, K and V, and their type -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tensors that the contractions' factors are elements of, before casts,
// scales, transposes and broadcasts:
//
//   factor = extf(0.125 * %q[b, h, i, d])         Q is %q, with a scale
//
// A rounding that the program makes stays: 16-bit operands are taken where the
// probabilities are rounded, too, or by round-probabilities.
//
//===----------------------------------------------------------------------===//

#include "Attention.h"

using namespace mlir;
using namespace flash;
using namespace flash::raise;

static bool isInputType(Type type) {
  return type.isF64() || type.isF32() || type.isF16() || type.isBF16();
}

/// The type that two types are widened to.
static Type widest(Type a, Type b) {
  if (a == b)
    return a;
  unsigned bitsA = a.getIntOrFloatBitWidth(), bitsB = b.getIntOrFloatBitWidth();
  if (bitsA == bitsB)
    return Float32Type::get(a.getContext()); // f16 and bf16
  return bitsA > bitsB ? a : b;
}

/// Says that 16-bit operands are widened because the probabilities are not
/// rounded, and what rounds them.
static void adviseRounding(Match &match, const Contraction &product,
                           const Contraction &scores, const Scalar &value,
                           Type element) {
  if (match.options.roundProbabilities || element.getIntOrFloatBitWidth() <= 16)
    return;
  Type narrow;
  for (const Scalar &scalar : {value, scores.lhs, scores.rhs}) {
    Operand operand = peelOperand(
        match.tracer, scalar, {/*casts=*/true, /*factors=*/&scalar != &value});
    if (!operand.element.isElement() || !isInputType(operand.getType()))
      return;
    narrow = narrow ? widest(narrow, operand.getType()) : operand.getType();
  }
  if (narrow.getIntOrFloatBitWidth() != 16)
    return;
  linalg::LinalgOp op = product.op;
  std::string from, to;
  llvm::raw_string_ostream(from) << element;
  llvm::raw_string_ostream(to) << narrow;
  match.advise(op.getLoc(),
               "in " + from + ": '" + op->getName().getStringRef().str() +
                   "' takes the probabilities in " + from + ", so that " + to +
                   " operands are widened; --flash-raise=round-probabilities "
                   "rounds them to " +
                   to + ", and takes the operands as they are");
}

namespace {
/// An operand, and what it was peeled from.
struct Peeled {
  Operand *operand;
  Scalar from;
  Peeling peeling;
};
} // namespace

/// Where one of Q, K and V alone lacks a dimension of the output, such as
/// learned queries that are the same in the whole batch, it is read as it is
/// broadcast.
static void keepBroadcast(Tracer &tracer, ArrayRef<AffineExpr> output,
                          unsigned keyDim, MutableArrayRef<Peeled> operands) {
  auto has = [](ArrayRef<AffineExpr> at, unsigned dim) {
    return llvm::any_of(
        at, [&](AffineExpr index) { return index.isFunctionOfDim(dim); });
  };
  for (unsigned dim = 0; dim < tracer.getDomain().getNumDims(); ++dim) {
    SmallVector<Peeled *> lacking;
    for (Peeled &peeled : operands)
      if (!has(peeled.operand->element.at, dim))
        lacking.push_back(&peeled);
    if (dim == keyDim || lacking.size() != 1 || !has(output, dim))
      continue;
    Peeled &one = *lacking.front();
    one.peeling.dims.push_back(dim);
    Operand whole = peelOperand(tracer, one.from, one.peeling);
    if (whole.element.isElement())
      *one.operand = whole;
  }
}

/// Q, K and V, as 16-bit tensors if the probabilities are rounded alike.
LogicalResult flash::raise::matchOperands(Match &match, const Softmax &softmax,
                                          const Contraction &product,
                                          const Contraction &scores,
                                          Scalar value, unsigned keyDim,
                                          Attention &attention) {
  Tracer &tracer = match.tracer;
  linalg::LinalgOp first = scores.op;
  // The value as it is: a factor would have to go to the output.
  attention.value =
      peelOperand(tracer, value, {/*casts=*/true, /*factors=*/false});
  Type type = attention.value.getType();
  bool casts = match.options.roundProbabilities ||
               softmax.bits <= type.getIntOrFloatBitWidth();
  if (!casts) {
    attention.value =
        peelOperand(tracer, value, {/*casts=*/false, /*factors=*/false});
    type = attention.value.getType();
  }
  if (!attention.value.element.isElement() || softmax.bits > 64 ||
      (!casts && type.getIntOrFloatBitWidth() < 32))
    return match.miss(value.getLoc(),
                      "the probabilities are not rounded to the value's type");
  // What a wider value needs is not taken from before it is widened.
  casts &= type.getIntOrFloatBitWidth() < 32;
  auto peel = [&](const Scalar &scalar) {
    Operand operand = peelOperand(tracer, scalar, {casts, /*factors=*/true});
    return operand.element.isElement()
               ? operand
               : peelOperand(tracer, scalar, {true, /*factors=*/true});
  };
  attention.query = peel(scores.lhs);
  attention.key = peel(scores.rhs);
  // Which factor is the key shows by the dimension of keys; what is no element
  // has all dimensions of the contraction.
  Scalar query = scores.lhs, key = scores.rhs;
  auto hasKey = [&](const Operand &operand) {
    return llvm::any_of(operand.element.at, [&](AffineExpr index) {
      return index.isFunctionOfDim(keyDim);
    });
  };
  if (attention.query.element.isElement() ? hasKey(attention.query)
                                          : !hasKey(attention.key)) {
    std::swap(attention.query, attention.key);
    std::swap(query, key);
  }
  Peeled peeled[] = {{&attention.query, query, {casts, /*factors=*/true}},
                     {&attention.key, key, {casts, /*factors=*/true}},
                     {&attention.value, value, {casts, /*factors=*/false}}};
  keepBroadcast(tracer, product.at, keyDim, peeled);
  attention.element = type;
  for (auto [name, operand] :
       {std::pair("query", &attention.query), {"key", &attention.key}}) {
    if (!operand->element.isElement())
      return match.miss(first.getLoc(),
                        Twine("the ") + name + " is not a tensor");
    Type own = operand->getType();
    if (!isInputType(own) || !isInputType(type))
      return match.miss(first.getLoc(), "the element type is not f64, f32, "
                                        "f16 or bf16");
    attention.element = widest(attention.element, own);
  }
  adviseRounding(match, product, scores, value, attention.element);
  return success();
}
