//===- KeyWalk.h - Which blocks an attention walks --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For each tile of queries, a loop over blocks of keys: all of the range that
// the mask shows (`forEachLoop`, `keysAt`), or those that lists name
// (`listedTile`, `listedKeys`). The tiler builds these loops, the IO model
// follows them (BlockWalk.h).
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_KEYWALK_H
#define FLASH_DIALECT_FLASH_ANALYSIS_KEYWALK_H

#include "flash/Dialect/Flash/Analysis/BlockWalk.h"
#include "flash/Dialect/Flash/IR/Flash.h"

namespace flash {

/// A slice of a batch's keys: how many it has, and how many lie before it.
template <typename Number> struct KeySlice {
  Number before, count;
};

/// Of a step through a list's blocks: its first key, as the list says, and how
/// many keys there are from it to the block's end.
template <typename Number> struct ListedTile {
  Number first, toEnd;
};

/// A slice of `count` keys.
template <typename Index>
KeySlice<typename Index::Number> sliceKeys(Index &index, SliceAttr slice,
                                           typename Index::Number count) {
  auto units = index.ceilDiv(count, slice.getUnit());
  auto each = index.mul(index.ceilDiv(units, slice.getOf()),
                        index.constant(slice.getUnit()));
  auto before =
      index.min(count, index.mul(each, index.constant(slice.getPart())));
  return {before, index.min(each, index.sub(count, before))};
}

class KeyWalk {
public:
  KeyWalk(AttentionOp op, TilingAttr tiling);

  /// The same walk with other tiles.
  KeyWalk withTiles(int64_t positions, int64_t keysOfTile) const;

  /// Tiles of a batch's query positions, and of its keys.
  RowTiles queries, keys;

  //===--------------------------------------------------------------------===//
  // What is asked of the mask
  //===--------------------------------------------------------------------===//

  /// Whether a mask's data are summed up for a block. Where many threads have
  /// it each would read them all, and a loop over keys with a condition in it
  /// has no producer: there each block gets the predicate, if the mask knows it
  /// without.
  bool sumsUp(MaskAttrInterface mask) const;

  /// Whether each block that a loop meets is asked whether it is hidden (in a
  /// hole of the range, by its data, or in a list); `here` is the attention's,
  /// or what a list leaves of it.
  bool asksHidden(MaskAttrInterface here) const {
    return here && (here != mask || asksRange);
  }

  /// Whether a range is walked as if a list named its blocks: tiles do not
  /// divide them.
  bool walksRangeAsList() const { return keys.areCut(); }

  /// Whether the blocks of both lists have one loop, which asks of none whether
  /// it is hidden. Lists have a `mask` and say whether they are `full`.
  template <typename Lists> bool walksTogether(const Lists &lists) const {
    if (!joinLists || slice || lists.size() != 2 || !lists[1].full)
      return false;
    return llvm::none_of(lists, [](const auto &list) {
      auto inside = llvm::cast_if_present<MaskAttrInterface>(list.mask);
      return inside && inside.needsSummary();
    });
  }

  //===--------------------------------------------------------------------===//
  // Rows
  //===--------------------------------------------------------------------===//

  /// The slice of `count` keys; there is one (`isSliced`).
  bool isSliced() const { return bool(slice); }
  template <typename Index>
  KeySlice<typename Index::Number>
  sliceKeys(Index &index, typename Index::Number count) const {
    return flash::sliceKeys(index, slice, count);
  }

  /// Whether the number of keys is known to be a multiple of `size`, above 0.
  bool areWhole(int64_t size) const {
    return knownKeys && *knownKeys > 0 && *knownKeys % size == 0;
  }

  //===--------------------------------------------------------------------===//
  // All blocks of a range
  //===--------------------------------------------------------------------===//

  /// Calls `loop` for each loop that walks the blocks of `seen`, with its part
  /// of them and whether all blocks of that part are whole.
  template <typename Index, typename Loop>
  void forEachLoop(Index &index, RowRange<typename Index::Number> seen,
                   typename Index::Number numKeys, Loop loop) const {
    using Range = RowRange<typename Index::Number>;
    if (knownKeys && *knownKeys % keys.size == 0)
      return loop(seen, /*whole=*/true);
    if (!peel)
      return loop(seen, /*whole=*/false);
    // Whole blocks are read where they lie; only the ragged last one is padded.
    // As a loop of at most one step it needs no copy of the state around it.
    auto block = index.constant(keys.size);
    auto wholeEnd = index.mul(index.div(numKeys, block), block);
    auto rest = [&] {
      loop(Range{index.max(seen.first, wholeEnd), seen.end}, /*whole=*/false);
    };
    if (reverse)
      rest();
    loop(Range{seen.first, index.min(seen.end, wholeEnd)}, /*whole=*/true);
    if (!reverse)
      rest();
  }

  /// Where keys are walked in reverse: the first block's begin plus the last
  /// one's, from which a place of the loop is taken.
  bool isReverse() const { return reverse; }
  template <typename Index>
  typename Index::Number mirror(Index &index,
                                RowRange<typename Index::Number> range) const {
    auto block = index.constant(keys.size);
    auto behind = index.max(
        index.sub(index.sub(range.end, range.first), index.constant(1)),
        index.constant(0));
    auto last =
        index.add(range.first, index.mul(index.div(behind, block), block));
    return index.add(range.first, last);
  }

  /// The keys of the block that begins at `first`.
  template <typename Index>
  RowBlock<typename Index::Number>
  keysAt(Index &index, typename Index::Number first,
         typename Index::Number numKeys, bool whole) const {
    if (whole)
      return {first, index.constant(keys.size)};
    auto left = index.sub(numKeys, first);
    return {first, index.min(index.constant(keys.size), left)};
  }

  //===--------------------------------------------------------------------===//
  // Blocks that lists name
  //===--------------------------------------------------------------------===//

  /// The blocks of a range as a list: the number of the first one (lists number
  /// the blocks of all keys; `before`, where there is a slice, of them lie
  /// before it), and how many there are.
  template <typename Index>
  RowBlock<typename Index::Number>
  numberBlocks(Index &index, RowRange<typename Index::Number> seen,
               std::optional<typename Index::Number> before) const {
    auto size = index.constant(keys.block);
    auto first = index.div(seen.first, size);
    auto count =
        index.max(index.sub(index.ceilDiv(seen.end, keys.block), first),
                  index.constant(0));
    if (before)
      first = index.add(first, index.div(*before, size));
    return {first, count};
  }

  /// How many steps a listed block of `size` keys takes. None crosses a block
  /// of another of the mask's lists.
  int64_t stepsOf(int64_t size) const {
    return size / keys.block * keys.perBlock();
  }

  /// The n-th step through the blocks of a list, of `size` keys each; `number`
  /// says which block an entry is.
  template <typename Index, typename NumberOf>
  ListedTile<typename Index::Number>
  listedTile(Index &index, int64_t size, NumberOf number,
             typename Index::Number n) const {
    auto each = index.constant(stepsOf(size));
    auto all = index.constant(size);
    auto entry = index.div(n, each);
    auto part = index.sub(n, index.mul(entry, each));
    auto first = index.mul(number(entry), all);
    auto tile = index.constant(keys.size);
    if (size == keys.block) {
      auto before = index.mul(part, tile);
      return {index.add(first, before), index.sub(all, before)};
    }
    auto block = index.constant(keys.block),
         steps = index.constant(keys.perBlock());
    auto inner = index.div(part, steps);
    auto before = index.mul(index.sub(part, index.mul(inner, steps)), tile);
    auto begin = index.add(first, index.mul(inner, block));
    return {index.add(begin, before), index.sub(block, before)};
  }

  /// Whether a step of a list has no key of the slice.
  template <typename Index>
  typename Index::Truth isElsewhere(Index &index, typename Index::Number first,
                                    typename Index::Number numKeys) const {
    auto before = index.less(first, index.constant(0));
    return index.either(
        before, index.less(index.sub(numKeys, index.constant(1)), first));
  }

  /// The keys of a step of a list of blocks of `size` keys. The list is data:
  /// what lies outside of the keys is no key.
  template <typename Index>
  RowBlock<typename Index::Number>
  listedKeys(Index &index, int64_t size,
             ListedTile<typename Index::Number> listed,
             typename Index::Number numKeys) const {
    auto tile = index.constant(keys.size);
    // The last block of a list can lie beyond the keys by whole tiles.
    bool whole = !keys.areCut() && areWhole(size);
    auto last = whole ? index.sub(numKeys, tile) : numKeys;
    auto first = index.min(index.max(listed.first, index.constant(0)), last);
    auto most = keys.areCut() ? index.min(tile, listed.toEnd) : tile;
    return {first, whole ? tile : index.min(most, index.sub(numKeys, first))};
  }

  /// The same in one loop over both lists: where all tiles are whole (`cut` is
  /// false), which is known before the loop, no step asks how many keys exist.
  template <typename Index>
  typename Index::Truth isCut(Index &index, int64_t size,
                              typename Index::Number numKeys) const {
    auto all = index.constant(size);
    auto rest = index.sub(numKeys, index.mul(index.div(numKeys, all), all));
    return namesBeyondKeys || keys.areCut()
               ? index.truth(true)
               : index.less(index.constant(0), rest);
  }
  template <typename Index>
  typename Index::Number lastListed(Index &index, typename Index::Truth cut,
                                    typename Index::Number numKeys) const {
    auto tile = index.constant(keys.size);
    auto last = index.max(index.sub(numKeys, tile), index.constant(0));
    return index.select(cut, numKeys, last);
  }
  template <typename Index>
  RowBlock<typename Index::Number>
  joinedKeys(Index &index, ListedTile<typename Index::Number> listed,
             typename Index::Truth cut, typename Index::Number last,
             typename Index::Number numKeys) const {
    auto tile = index.constant(keys.size);
    auto first = index.min(index.max(listed.first, index.constant(0)), last);
    auto most = keys.areCut() ? index.min(tile, listed.toEnd) : tile;
    auto left = index.min(most, index.sub(numKeys, first));
    return {first, index.select(cut, left, tile)};
  }

  /// Whether lists may name blocks that begin after the last key: where
  /// numbers of keys are data. With others that would be an error of the lists.
  bool mayNameBeyondKeys() const { return namesBeyondKeys; }

private:
  bool peel, reverse, joinLists, summaries, namesBeyondKeys;
  SliceAttr slice;
  /// The attention's mask, and whether blocks of its range can be hidden.
  MaskAttrInterface mask;
  bool asksRange = false;
  /// Of a batch (or its slice), where types say it.
  std::optional<int64_t> knownKeys;
};

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_KEYWALK_H
