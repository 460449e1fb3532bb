//===- IntegerOps.cpp - Integer arithmetic as it is run -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is common where sizes and positions are computed; the ops' own folders
// know the rest.
//
//===----------------------------------------------------------------------===//

#include "IntegerOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;

static bool compare(arith::CmpIPredicate predicate, int64_t a, int64_t b) {
  auto ua = uint64_t(a), ub = uint64_t(b);
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return a == b;
  case arith::CmpIPredicate::ne:
    return a != b;
  case arith::CmpIPredicate::slt:
    return a < b;
  case arith::CmpIPredicate::sle:
    return a <= b;
  case arith::CmpIPredicate::sgt:
    return a > b;
  case arith::CmpIPredicate::sge:
    return a >= b;
  case arith::CmpIPredicate::ult:
    return ua < ub;
  case arith::CmpIPredicate::ule:
    return ua <= ub;
  case arith::CmpIPredicate::ugt:
    return ua > ub;
  case arith::CmpIPredicate::uge:
    return ua >= ub;
  }
  return false;
}

int64_t flash::wrapInteger(int64_t value, Type type) {
  if (type.isInteger(1))
    return value & 1;
  if (auto integer = dyn_cast<IntegerType>(type);
      integer && integer.getWidth() < 64)
    return llvm::SignExtend64(uint64_t(value), integer.getWidth());
  return value;
}

std::optional<int64_t> flash::evaluateInteger(Operation *op,
                                              ArrayRef<int64_t> in) {
  using Answer = std::optional<int64_t>;
  return llvm::TypeSwitch<Operation *, Answer>(op)
      .Case([&](arith::AddIOp) { return int64_t(uint64_t(in[0]) + in[1]); })
      .Case([&](arith::SubIOp) { return int64_t(uint64_t(in[0]) - in[1]); })
      .Case([&](arith::MulIOp) {
        return int64_t(uint64_t(in[0]) * uint64_t(in[1]));
      })
      .Case([&](arith::MinSIOp) { return std::min(in[0], in[1]); })
      .Case([&](arith::MaxSIOp) { return std::max(in[0], in[1]); })
      .Case([&](arith::AndIOp) { return in[0] & in[1]; })
      .Case([&](arith::OrIOp) { return in[0] | in[1]; })
      .Case([&](arith::XOrIOp) { return in[0] ^ in[1]; })
      .Case([&](arith::SelectOp) { return in[0] ? in[1] : in[2]; })
      .Case([&](arith::CmpIOp cmp) {
        return int64_t(compare(cmp.getPredicate(), in[0], in[1]));
      })
      .Case<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(
          [&](auto cast) {
            // An i1 is kept as 0 or 1, but stands for 0 or -1 here.
            bool flag = cast->getOperand(0).getType().isInteger(1);
            return flag ? -in[0] : in[0];
          })
      .Default([](Operation *) { return std::nullopt; });
}
