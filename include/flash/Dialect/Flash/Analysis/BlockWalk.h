//===- BlockWalk.h - Rows in blocks, as values or numbers -------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the loops of a tiled program go is said once (here, in KeyWalk.h and in
// BackwardWalk.h) and read twice: the tilers build it as index arithmetic, and
// the IO model computes it. So each rule is a template over the arithmetic:
//
//   IndexBuilder   a number is a Value of type index          (lib/,
//   TileUtils.h) KnownIndex     a number is an int64_t (below)
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_BLOCKWALK_H
#define FLASH_DIALECT_FLASH_ANALYSIS_BLOCKWALK_H

#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace flash {

/// Arithmetic on numbers that are known.
struct KnownIndex {
  using Number = int64_t;
  using Truth = bool;
  /// An end of a range of positions, which may be open.
  using Bound = std::optional<int64_t>;

  static int64_t valueOf(Bound bound) { return *bound; }
  int64_t constant(int64_t value) { return value; }
  int64_t add(int64_t a, int64_t b) { return a + b; }
  int64_t sub(int64_t a, int64_t b) { return a - b; }
  int64_t mul(int64_t a, int64_t b) { return a * b; }
  /// Both operands are not negative.
  int64_t div(int64_t a, int64_t b) { return a / b; }
  int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
  int64_t min(int64_t a, int64_t b) { return std::min(a, b); }
  int64_t max(int64_t a, int64_t b) { return std::max(a, b); }
  bool truth(bool value) { return value; }
  bool less(int64_t a, int64_t b) { return a < b; }
  bool atLeast(int64_t a, int64_t b) { return a >= b; }
  bool either(bool a, bool b) { return a || b; }
  bool both(bool a, bool b) { return a && b; }
  int64_t select(bool condition, int64_t yes, int64_t no) {
    return condition ? yes : no;
  }
};

/// Rows [first, end); there are none where end <= first.
template <typename Number> struct RowRange {
  Number first, end;
};

/// Some of the rows from `first` on.
template <typename Number> struct RowBlock {
  Number first, count;
};

/// Rows in tiles of `size`. Where lists number blocks of `block` rows (0: there
/// are none) no tile crosses one: the last one in it is cut off there.
struct RowTiles {
  int64_t size, block = 0;

  bool areCut() const { return block && block % size != 0; }
  /// Tiles of a block.
  int64_t perBlock() const { return llvm::divideCeil(block, size); }

  /// How many tiles `rows` rows have.
  template <typename Index>
  typename Index::Number count(Index &index,
                               typename Index::Number rows) const {
    if (!areCut())
      return index.ceilDiv(rows, size);
    auto numbered = index.constant(block);
    auto whole = index.div(rows, numbered);
    auto rest = index.sub(rows, index.mul(whole, numbered));
    auto each = index.constant(perBlock());
    auto before = index.mul(whole, each);
    return index.add(before, index.ceilDiv(rest, size));
  }

  /// The first row of a tile, and how many it can have.
  template <typename Index>
  RowBlock<typename Index::Number> find(Index &index,
                                        typename Index::Number tile) const {
    auto most = index.constant(size);
    if (!areCut())
      return {index.mul(tile, most), most};
    auto each = index.constant(perBlock());
    auto number = index.div(tile, each);
    auto before = index.mul(index.sub(tile, index.mul(number, each)), most);
    auto left = index.sub(index.constant(block), before);
    auto first = index.add(index.mul(number, index.constant(block)), before);
    return {first, index.min(most, left)};
  }
};

/// The rows of positions [first, end), either of which may be open, of `count`
/// rows of which the first one has the position `origin`. The first is rounded
/// down to the begin of a block of `size` rows.
template <typename Index>
RowRange<typename Index::Number>
rowsOf(Index &index, std::pair<typename Index::Bound, typename Index::Bound> at,
       typename Index::Number origin, typename Index::Number count,
       int64_t size) {
  auto zero = index.constant(0);
  auto toRow = [&](typename Index::Number position) {
    return index.min(index.max(index.sub(position, origin), zero), count);
  };
  RowRange<typename Index::Number> rows{zero, count};
  if (at.first) {
    auto block = index.constant(size);
    rows.first =
        index.mul(index.div(toRow(Index::valueOf(at.first)), block), block);
  }
  if (at.second)
    rows.end = toRow(Index::valueOf(at.second));
  return rows;
}

/// The blocks of `size` rows from the begin of a range to its end.
template <typename Index>
typename Index::Number
countBlocks(Index &index, RowRange<typename Index::Number> rows, int64_t size) {
  auto count = index.sub(rows.end, rows.first);
  return index.ceilDiv(index.max(count, index.constant(0)), size);
}

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_BLOCKWALK_H
