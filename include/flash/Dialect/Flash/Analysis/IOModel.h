//===- IOModel.h - What an attention moves, and why -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bytes over two boundaries: between device memory and the cache that all cores
// share (HBM), and between that cache and a core's fast memory (on-chip). From
// L0, the sizes of a call and the schedule alone: no tiled IR is looked at, so
// that a count of what a tiled program loads and stores can be compared with
// it. docs/IO.md has the formulas and their sources.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_IOMODEL_H
#define FLASH_DIALECT_FLASH_ANALYSIS_IOMODEL_H

#include "flash/Dialect/Flash/Analysis/IndexInterpreter.h"
#include "flash/Dialect/Flash/Analysis/ScheduleModel.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace flash {

struct Bytes {
  int64_t read = 0, written = 0;

  int64_t total() const { return read + written; }
  Bytes &operator+=(const Bytes &other) {
    read += other.read;
    written += other.written;
    return *this;
  }
};

/// What one way of computing moves over both boundaries.
struct Traffic {
  Bytes hbm, onChip;
};

struct OperandIO {
  /// `query`, `key`, ..., `output`; or `scores` and `probabilities`, which only
  /// unfused attention moves.
  std::string name;
  /// Where it comes from: `arg0`, or `op1.0` for result 0 of operation 1; empty
  /// for what is no tensor of the program.
  std::string value;
  /// Each input that some query needs read once, each output written once: no
  /// program that starts with cold caches moves less over either boundary.
  Bytes compulsory;
  /// On-chip exact, HBM an estimate (docs/IO.md).
  Traffic schedule;
  Traffic unfused;
};

/// Blocks of scores, over all batches and heads.
struct BlockCounts {
  /// All that there are, those that are loaded, and those of them that need no
  /// predicate.
  int64_t all = 0, visited = 0, full = 0;

  double density() const { return all ? double(visited) / all : 0; }
};

/// One size of fast memory of a sweep, with the tile that fits it.
struct SweepPoint {
  int64_t fastMemory, m, n;
  /// On-chip, read and written.
  int64_t bytes;
  /// The order of growth there, without a constant.
  double order;
  /// Whether M >= d^2, in elements: else the order is N^2 d / sqrt(M).
  bool large;
};

struct AttentionSizes {
  int64_t batch = 0, heads = 0, keyHeads = 0, queries = 0, keys = 0, qkDim = 0,
          vDim = 0;
  int64_t elementBytes = 0, keyBytes = 0, valueBytes = 0; ///< of Q, K and V

  /// Of a row of K and the one of V.
  int64_t keyRowBytes() const { return qkDim * keyBytes; }
  int64_t valueRowBytes() const { return vDim * valueBytes; }
};

/// One flash.attention or flash.merge, or a loop of a
/// flash.attention_backward.
struct OperationIO {
  mlir::Operation *op = nullptr;
  /// Of a backward: `statistics`, `keys` or `queries` (what is outside), or
  /// `rounding`.
  std::string part;
  AttentionSizes sizes; ///< keys and qkDim are 0 for a merge
  ScheduleAttr schedule;
  std::vector<OperandIO> operands;

  // Of an attention.
  BlockCounts blocks;
  /// Whether, of a long sequence with a mask that is asked of each block, some
  /// blocks of queries stand for those beside them.
  bool sampled = false;
  /// Every tile that the model considered, whether it chose this one (it did
  /// not if the schedule was given), what bounds it and what it uses.
  std::vector<TileCandidate> candidates;
  bool chosen = false;
  TileBound bound;
  std::vector<TileResource> resources;
  /// N^2 d^2 / M in bytes, times the density: an order of growth.
  double order = 0;
  bool largeMemory = false; ///< M >= d^2
  std::vector<SweepPoint> sweep;

  OperandIO total() const;
};

struct FunctionIO {
  /// Keeps the operations, where the caller made a module for the analysis.
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string function;
  TargetAttr target;
  std::vector<OperationIO> operations;
  /// Sums of the operations'. Compulsory is that of the function: what its
  /// arguments bring and its results take, once, however many operations
  /// (parts of the keys) share them.
  OperandIO total;
};

/// What a backward does that the report does not model, an error of analyzeIO:
/// where data say which rows there are or which blocks are met, and gradients
/// of other operands. Empty where all is modelled.
llvm::StringRef findUnmodelledIO(AttentionBackwardOp op);

/// What a function at L0, whose ops have schedules, moves when it is called
/// with `arguments`. Errors are diagnostics at the op.
llvm::FailureOr<FunctionIO> analyzeIO(mlir::func::FuncOp func,
                                      llvm::ArrayRef<KnownValue> arguments,
                                      TargetAttr target);

/// The tensor that a slice or cast is taken from.
mlir::Value traceTensor(mlir::Value value);

/// `arg0` or `op1.0` for the tensors that operations `ops` read and write.
std::string nameTensor(mlir::Value value,
                       llvm::ArrayRef<mlir::Operation *> ops);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_IOMODEL_H
