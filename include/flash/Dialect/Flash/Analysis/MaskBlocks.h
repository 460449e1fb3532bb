//===- MaskBlocks.h - Which blocks a mask lets through ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A mask answers in IR. Here its answers are numbers: they are built once and
// run for each block. Nothing here knows a mask, so a new one is understood as
// soon as it has the interface.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_MASKBLOCKS_H
#define FLASH_DIALECT_FLASH_ANALYSIS_MASKBLOCKS_H

#include "flash/Dialect/Flash/Analysis/IndexInterpreter.h"
#include "flash/Dialect/Flash/IR/MaskRange.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <array>
#include <map>

namespace flash {

/// [first, end) of positions of keys (or queries); nothing on a side is no
/// bound.
struct KeyRange {
  std::optional<int64_t> first, end;
};

/// One of the lists that a mask has in the place of a range.
struct KeyList {
  /// Keys of a block.
  int64_t size;
  /// Which blocks, counted from row 0; any numbers, for the list is data.
  llvm::SmallVector<int64_t> numbers;
  /// As KeyBlocks have them.
  mlir::Attribute mask;
  bool full = false;
};

/// A batch (or sequence) and query head, the positions of row 0 of tensors of
/// queries and keys and of the batch's own first ones, and those after its
/// last.
struct MaskedRows {
  int64_t batch, head, queryOrigin, keyOrigin, firstQuery, firstKey;
  int64_t queryEnd, keyEnd;
};

class MaskBlocks {
public:
  /// Of an attention, whose sizes and operands `known` has. `sumsUp`: whether
  /// its data are summed up for blocks (`summaries` of a tiling).
  MaskBlocks(AttentionOpInterface op, const IndexInterpreter &known,
             bool sumsUp);

  /// Whether there is a mask at all.
  bool hasMask() const { return bool(mask); }
  /// Whether batches and heads can have different answers.
  bool dependsOnPlace();
  /// Whether batches can, and whether query heads can: data of theirs, or a
  /// region that reads which one it is in.
  bool dependsOnBatch() { return dependsOn(Along::Batch, 0); }
  bool dependsOnHead() { return dependsOn(Along::Heads, 1); }
  /// Operations that questions have taken so far.
  int64_t getWork() const { return interpreter.getWork(); }
  /// Those of asking about one block.
  int64_t getBlockWork() const {
    return asked.empty() ? 0
                         : asked.front().hidden.size + asked.front().full.size;
  }
  /// Whether a block of keys has to be one of the tile's: it is looked up, or
  /// its rows are summed up.
  bool asksByBlock() const {
    return hasMask() &&
           (mask.needsSummary() || !asked.front().keys.answers.empty());
  }
  /// Whether blocks can be known to be hidden, or to be full, at all.
  bool mayBeHidden() { return hasMask() && mayHold(asked.front().hidden); }
  bool mayBeFull() { return !hasMask() || mayHold(asked.front().full); }
  /// Whether blocks of the visible range can be hidden.
  bool hasHoles() {
    if (!holes)
      holes = hasMask() && (mayHaveHoles(mask, op.getMaskBody()) ||
                            !asked.front().queries.answers.empty());
    return *holes;
  }
  /// Whether what some query of a range sees is one range of keys, and so what
  /// all of them see.
  bool hasRanges() { return hasMask() && mask.fillsVisibleKeys(); }
  bool hasLists() const { return !lists.empty(); }
  /// Whether heads can differ in what `visibleQueries` says.
  bool queriesDependOnHead() {
    return hasMask() && !visibleToKeys.func->getArgument(1).use_empty();
  }

  /// Answers are for these from now on.
  void setPlace(const MaskedRows &rows);

  /// The positions of keys that some query of [qFirst, qLast] may see.
  llvm::FailureOr<KeyRange> visibleKeys(int64_t qFirst, int64_t qLast);
  /// The positions of queries that may see some key of [kFirst, kLast].
  llvm::FailureOr<KeyRange> visibleQueries(int64_t kFirst, int64_t kLast);
  /// Whether no query of a block sees any key of it; of a block that a list
  /// names, with the number of the list.
  llvm::FailureOr<bool> isHidden(int64_t qFirst, int64_t qLast, int64_t kFirst,
                                 int64_t kLast,
                                 std::optional<size_t> list = std::nullopt);
  /// Whether each query of a block sees each key of it.
  llvm::FailureOr<bool> isFull(int64_t qFirst, int64_t qLast, int64_t kFirst,
                               int64_t kLast,
                               std::optional<size_t> list = std::nullopt);
  /// The lists of the block of queries that begins at qFirst.
  llvm::FailureOr<llvm::SmallVector<KeyList>> keyLists(int64_t qFirst);

private:
  /// A function of a place and positions whose body is an answer.
  struct Question {
    mlir::OwningOpRef<mlir::func::FuncOp> func;
    llvm::SmallVector<mlir::Value> answers;
    int64_t size = 0; ///< operations
  };
  using Build = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::OpBuilder &, const TilePlace &, mlir::ValueRange)>;
  /// What is asked about blocks of scores: of the mask of the range, or of what
  /// decides inside the blocks of a list. Without answers where all is visible.
  struct Asked {
    Question queries, keys; // summaries of rows
    Question hidden, full;
    /// Of this place: [first, last] of queries (false) or keys, and what sums
    /// up the queries where that of keys depends on it.
    std::map<std::tuple<bool, int64_t, int64_t, std::vector<int64_t>>,
             llvm::SmallVector<int64_t>>
        summaries;
  };
  bool dependsOn(Along along, unsigned argument);
  static bool mayHold(const Question &question);
  Question makeQuestion(llvm::StringRef name, unsigned numPositions,
                        Build build, mlir::TypeRange ofQueries = {},
                        mlir::TypeRange ofKeys = {});
  Asked makeAsked(std::optional<size_t> list);
  llvm::LogicalResult ask(Question &question, llvm::ArrayRef<int64_t> positions,
                          llvm::ArrayRef<int64_t> summaries = {});
  llvm::FailureOr<KeyRange> askRange(Question &question, int64_t first,
                                     int64_t last);
  llvm::LogicalResult sumUp(Asked &about, llvm::ArrayRef<int64_t> positions,
                            llvm::SmallVectorImpl<int64_t> &summaries);
  llvm::FailureOr<bool> askFlag(Asked &about, Question &question,
                                llvm::ArrayRef<int64_t> positions);

  AttentionOpInterface op;
  const IndexInterpreter &known;
  MaskAttrInterface mask;
  bool sumsUp;
  MaskedRows place{};
  std::optional<bool> holes;
  /// The lists, without their numbers.
  llvm::SmallVector<KeyList> lists;
  Question visible, visibleToKeys, listCounts;
  /// Of the range, or one for each list.
  std::vector<Asked> asked;
  /// One for each list: what another list holds at a number may not exist.
  std::vector<Question> listNumbers;
  IndexInterpreter interpreter;
};

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_MASKBLOCKS_H
