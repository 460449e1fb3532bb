//===- Philox.cpp - The bits of dropout -------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The element of batch b, head h, query position q and key position k, with
// i32 arithmetic that wraps:
//
//   counter = (k >> 1, q >> 1, 65536 b + h, offset)
//   key     = (seed, (seed >> 32) ^ (offset >> 32))
//   word    = philox(counter, key)[(k & 1) + 2 (q & 1)]
//   kept    = word >= p * 2^32, unsigned
//
// A call serves a square of two queries and two keys, so that a thread of a GPU
// that holds neighbours along either side, as in the forward and in the
// transposed scores of a backward, shares it.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Philox.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;

namespace {
/// Folds what is constant.
struct WordBuilder {
  OpBuilder &b;
  Location loc;

  Value word(uint32_t value) {
    return arith::ConstantOp::create(
        b, loc, b.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  Value exclusiveOr(Value x, Value y) {
    return b.createOrFold<arith::XOrIOp>(loc, x, y);
  }
  Value low(Value wide) {
    return b.createOrFold<arith::TruncIOp>(loc, b.getI32Type(), wide);
  }
  Value high(Value wide) {
    Value shift = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(32));
    return low(b.createOrFold<arith::ShRUIOp>(loc, wide, shift));
  }
  /// The 64 bits of a product of words.
  Value multiply(Value x, uint32_t constant) {
    Value wide = b.createOrFold<arith::ExtUIOp>(loc, b.getI64Type(), x);
    Value factor =
        arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(constant));
    return b.createOrFold<arith::MulIOp>(loc, wide, factor);
  }
  Value word(Value index) {
    return b.createOrFold<arith::IndexCastOp>(loc, b.getI32Type(), index);
  }
  /// A position without its last bit, which `odd` says.
  Value pair(Value position) {
    Value one = arith::ConstantIndexOp::create(b, loc, 1);
    return b.createOrFold<arith::ShRSIOp>(loc, position, one);
  }
  Value half(Value position) { return word(pair(position)); }
  Value odd(Value position) {
    Value one = arith::ConstantIndexOp::create(b, loc, 1),
          zero = arith::ConstantIndexOp::create(b, loc, 0);
    return arith::CmpIOp::create(
        b, loc, arith::CmpIPredicate::ne,
        b.createOrFold<arith::AndIOp>(loc, position, one), zero);
  }
};
} // namespace

std::array<Value, 4> flash::buildPhilox(OpBuilder &builder, Location loc,
                                        std::array<Value, 4> counter,
                                        std::array<Value, 2> key) {
  WordBuilder b{builder, loc};
  for (uint32_t round = 0; round < 10; ++round) {
    // The keys of all rounds are sums of what is known before.
    Value key0 = builder.createOrFold<arith::AddIOp>(
              loc, key[0], b.word(round * 0x9E3779B9u)),
          key1 = builder.createOrFold<arith::AddIOp>(
              loc, key[1], b.word(round * 0xBB67AE85u));
    Value product0 = b.multiply(counter[0], 0xD2511F53u),
          product1 = b.multiply(counter[2], 0xCD9E8D57u);
    counter = {b.exclusiveOr(b.exclusiveOr(b.high(product1), counter[1]), key0),
               b.low(product1),
               b.exclusiveOr(b.exclusiveOr(b.high(product0), counter[3]), key1),
               b.low(product0)};
  }
  return counter;
}

/// The words of the square of queries 2 * (q / 2) and the next and keys 2 *
/// pair and the next; that of an element has number (key's last bit) + 2
/// (query's).
static std::array<Value, 4> squareWords(OpBuilder &builder, Location loc,
                                        Value seed, Value offset, Value batch,
                                        Value head, Value q, Value pair) {
  WordBuilder b{builder, loc};
  Value shift = arith::ConstantIndexOp::create(builder, loc, 16);
  Value place = builder.createOrFold<arith::AddIOp>(
      loc, builder.createOrFold<arith::ShLIOp>(loc, batch, shift), head);
  return flash::buildPhilox(
      builder, loc, {b.word(pair), b.half(q), b.word(place), b.low(offset)},
      {b.low(seed), b.exclusiveOr(b.high(seed), b.high(offset))});
}

std::array<Value, 2> flash::buildPairWords(OpBuilder &builder, Location loc,
                                           Value seed, Value offset,
                                           Value batch, Value head, Value q,
                                           Value pair) {
  std::array<Value, 4> words =
      squareWords(builder, loc, seed, offset, batch, head, q, pair);
  Value oddQuery = WordBuilder{builder, loc}.odd(q);
  auto ofKey = [&](int odd) -> Value {
    return arith::SelectOp::create(builder, loc, oddQuery, words[2 + odd],
                                   words[odd]);
  };
  return {ofKey(0), ofKey(1)};
}

Value flash::buildIsKept(OpBuilder &builder, Location loc,
                         const llvm::APFloat &p, Value word) {
  auto threshold = static_cast<uint32_t>(std::ldexp(p.convertToDouble(), 32));
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::uge, word,
                               WordBuilder{builder, loc}.word(threshold));
}

Value flash::buildIsKept(OpBuilder &builder, Location loc,
                         const llvm::APFloat &p, Value seed, Value offset,
                         Value batch, Value head, Value q, Value k) {
  WordBuilder b{builder, loc};
  std::array<Value, 4> words =
      squareWords(builder, loc, seed, offset, batch, head, q, b.pair(k));
  Value oddKey = b.odd(k), oddQuery = b.odd(q);
  auto select = [&](Value condition, Value yes, Value no) -> Value {
    return arith::SelectOp::create(builder, loc, condition, yes, no);
  };
  return buildIsKept(builder, loc, p,
                     select(oddQuery, select(oddKey, words[3], words[2]),
                            select(oddKey, words[1], words[0])));
}
