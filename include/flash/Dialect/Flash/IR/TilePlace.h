//===- TilePlace.h - What masks and scores know of a tile -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The arguments of the mask and score interfaces.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_TILEPLACE_H
#define FLASH_DIALECT_FLASH_IR_TILEPLACE_H

#include "mlir/IR/Attributes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Region.h"
#include "mlir/IR/Value.h"
#include "mlir/IR/ValueRange.h"

#include <functional>

namespace flash {

/// Sizes of an attention as its types give them; ShapedType::kDynamic where
/// they do not.
struct AttentionDims {
  int64_t batch, heads, keyHeads, queries, keys;
  /// Batch of tensors that belong to rows: 1 for ragged sequences, whose number
  /// `batch` is.
  int64_t rowBatch = batch;
  /// Queries of one batch; how many a ragged sequence has is data.
  int64_t ownQueries = queries;
};

/// Where a tile stands, and the run-time data that belong to a mask or a score
/// function.
struct TilePlace {
  /// Batch (or sequence) and query head; of type index.
  mlir::Value batch, head;
  /// The query at position q is row q - queryOrigin of tensors that belong to
  /// queries; keys alike.
  mlir::Value queryOrigin, keyOrigin;
  /// The operands of this mask or score function.
  mlir::ValueRange operands;
  /// The region of #flash.region, and what it captures.
  mlir::Region *body = nullptr;
  mlir::ValueRange captures;
  /// Whether keys after the query's position are hidden anyway.
  bool laterHidden = false;
  /// In a loop over all blocks that lists name, an i1: whether the list names
  /// this one as fully visible (`KeyBlocks::full`). Else null.
  mlir::Value listedFull;
  /// What the mask's data say of the block's queries and of its keys
  /// (`buildSummary`); empty where nobody asked them.
  mlir::ValueRange querySummary, keySummary;
  /// Positions of the first query and key of a ragged sequence, from which its
  /// blocks are counted; null where they are counted from row 0.
  mlir::Value firstQuery, firstKey;

  /// The same place with other operands.
  TilePlace with(mlir::ValueRange others) const {
    TilePlace place = *this;
    place.operands = others;
    return place;
  }
};

/// What a dimension of an operand runs along: batches (or sequences), batches
/// of the tensors that belong to rows, query heads, rows; blocks of queries of
/// one batch or sequence.
enum class Along {
  Batch,
  RowBatch,
  Heads,
  Queries,
  QueryBlocks,
  Keys,
  Anything
};

struct OperandDim {
  Along along = Along::Anything;
  /// Its size may be 1, for all.
  bool broadcasts = false;
  /// Rows that an entry is for: a list has one for each block of queries.
  int64_t each = 1;
};

/// What an operand of a mask or a score function has to be: a tensor of i32 or
/// of floats with these dimensions. The verifier asks it of types, the checks
/// of a call of sizes, and a slice of the keys which of it are theirs.
struct OperandKind {
  llvm::StringRef name;
  llvm::SmallVector<OperandDim> dims;
  bool ofFloats = false;
  /// How many of the first dimensions may be left out.
  int64_t optional = 0;

  /// The dimensions that an operand of this rank has.
  llvm::ArrayRef<OperandDim> dimsOf(int64_t rank) const {
    auto left = static_cast<int64_t>(dims.size()) - rank;
    return llvm::ArrayRef(dims).drop_front(left > 0 && left <= optional ? left
                                                                        : 0);
  }
};

/// What a dimension is called in messages.
llvm::StringRef nameOfDim(const OperandDim &dim);

/// The size that a dimension has to have, as far as the attention's types say.
int64_t wantedSize(const OperandDim &dim, const AttentionDims &dims);

/// Checks the types of operands against the attention's sizes.
llvm::LogicalResult
verifyOperands(llvm::function_ref<mlir::InFlightDiagnostic()> emitError,
               llvm::ArrayRef<OperandKind> kinds, const AttentionDims &dims,
               mlir::TypeRange operands);

/// Key blocks to walk, found in a list at run time.
struct KeyBlocks {
  /// Keys of a block, counted from row 0.
  int64_t size;
  /// How many blocks the list holds.
  mlir::Value count;
  /// Which block (of all) the n-th of the list is; any number, for the list is
  /// data.
  std::function<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::Value)>
      number;
  /// The mask that decides inside these blocks, null where all is visible, and
  /// its operands.
  mlir::Attribute mask;
  llvm::SmallVector<mlir::Value> operands;
  /// Whether the mask that has the list lets all of these blocks through.
  bool full = false;
};

/// The op of a mask region because of which its blocks are not classified, and
/// each gets the predicate; null if they are.
mlir::Operation *findUnfollowed(mlir::Region &mask);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_IR_TILEPLACE_H
