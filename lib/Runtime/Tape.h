//===- Tape.h - Expressions as a list of operations -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The expressions of a plan, flattened: each value has a slot, and what several
// expressions have in common is computed once.
//
//   max(dim(0, 2), 1) * 4, dim(0, 2) * 4
//   ->  #0 = dim(0, 2) ; #1 = 1 ; #2 = max #0, #1 ; #3 = 4
//       #4 = mul #2, #3 ; #5 = mul #0, #3
//
// A tape is run in parts: those of a launch whose grid is empty are left out.
// Private to the runtime.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_RUNTIME_TAPE_H
#define FLASH_LIB_RUNTIME_TAPE_H

#include "flash/Runtime/CallArgument.h"
#include "flash/Runtime/Status.h"

#include <array>
#include <map>
#include <vector>

namespace flash::rt {

using Slot = uint16_t;

/// A part of a tape.
struct TapeRange {
  uint32_t begin = 0, end = 0;
};

class Tape {
public:
  /// The stride of dimension `dim` of a tensor of `rank` dimensions, in
  /// elements. A dimension of one element has the stride of a dense tensor: its
  /// own is never used, and need not be aligned.
  static int64_t strideOf(const CallArgument &tensor, size_t rank, size_t dim) {
    if (tensor.strides && tensor.dims[dim] != 1)
      return tensor.strides[dim];
    int64_t stride = 1;
    for (size_t i = dim + 1; i < rank; ++i)
      stride *= tensor.dims[i];
    return stride;
  }

  size_t numSlots() const { return count; }
  size_t numOperations() const { return operations.size(); }
  size_t numLoads() const { return loads.size() + resultLoads.size(); }

  /// Fills in constants, and what arguments say. `slots` has room for all.
  void loadArguments(int64_t *slots, const CallArgument *arguments) const;
  /// Fills in strides of results; `dims` of result i are resultDims[i].
  void loadResults(int64_t *slots, const CallArgument *results,
                   const std::vector<std::vector<Slot>> &resultDims) const;
  /// Computes a part; an error for the first value that does not exist.
  Status run(int64_t *slots, TapeRange range) const;

private:
  friend class TapeBuilder;
  /// Operations of Expr, and divisions by powers of two.
  enum Kind : uint8_t {
    Add,
    Sub,
    Mul,
    FloorDiv,
    CeilDiv,
    Mod,
    Min,
    Max,
    FloorShift,
    CeilShift,
    Mask
  };
  struct Operation {
    Kind kind;
    /// Of a shift: by how much.
    uint8_t shift;
    Slot result, lhs, rhs;
  };
  struct Load {
    Expr::Kind kind;
    uint16_t operand, dim, rank;
    Slot slot;
  };

  Status explain(size_t operation, const char *reason) const;

  size_t count = 0;
  std::vector<std::pair<Slot, int64_t>> constants;
  std::vector<Load> loads, resultLoads;
  std::vector<Operation> operations;
  /// For errors: the expression that an operation is a part of.
  std::vector<Expr> expressions;
  std::vector<uint16_t> expressionOf;
};

/// Makes a tape.
class TapeBuilder {
public:
  /// `ranks` of arguments (-1: no tensor) and of results.
  TapeBuilder(std::vector<int> ranks, std::vector<int> resultRanks)
      : ranks(std::move(ranks)), resultRanks(std::move(resultRanks)) {}

  /// The slot of an expression's value.
  Slot add(const Expr &expr);
  /// What was added since the last cut.
  TapeRange cut();
  /// Remembers the values that there are; `forget` leaves only these, since
  /// others are not computed in every call.
  void keep() { kept = values; }
  void forget() { values = kept; }

  /// An error where there are more values than slots have names.
  Result<Tape> take();

private:
  using Key = std::array<int64_t, 3>;
  Slot place(const Expr &expr);
  Slot input(const Expr &expr);

  std::vector<int> ranks, resultRanks;
  Tape tape;
  uint32_t begin = 0;
  /// Operations by their kind and operands; inputs hold for all parts.
  std::map<Key, Slot> values, kept, inputs;
};

} // namespace flash::rt

#endif // FLASH_LIB_RUNTIME_TAPE_H
