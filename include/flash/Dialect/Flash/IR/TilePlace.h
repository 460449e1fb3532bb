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
  /// Whether keys behind the query's position are hidden anyway.
  bool laterHidden = false;
  /// In a loop over all blocks that lists name, an i1: whether the list names
  /// this one as fully visible (`KeyBlocks::full`). Else null.
  mlir::Value listedFull;

  /// The same place with other operands.
  TilePlace with(mlir::ValueRange others) const {
    TilePlace place = *this;
    place.operands = others;
    return place;
  }
};

/// The dimension of an operand that runs along the keys (-1: none does), and
/// whether its size may be 1, for all keys.
struct KeyDim {
  int64_t dim = -1;
  bool broadcasts = false;
};

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
