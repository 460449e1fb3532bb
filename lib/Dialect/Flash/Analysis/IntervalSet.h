//===- IntervalSet.h - A set of rows ----------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_FLASH_ANALYSIS_INTERVALSET_H
#define FLASH_LIB_DIALECT_FLASH_ANALYSIS_INTERVALSET_H

#include <algorithm>
#include <cstdint>
#include <map>

namespace flash {

/// Disjoint intervals [first, end).
class IntervalSet {
public:
  void insert(int64_t first, int64_t end) {
    if (end <= first)
      return;
    auto it = intervals.upper_bound(first);
    if (it != intervals.begin() && std::prev(it)->second >= first)
      --it;
    while (it != intervals.end() && it->first <= end) {
      first = std::min(first, it->first);
      end = std::max(end, it->second);
      it = intervals.erase(it);
    }
    intervals[first] = end;
  }
  /// Adds the rows of another set, moved by `offset`.
  void insert(const IntervalSet &other, int64_t offset) {
    for (auto [first, end] : other.intervals)
      insert(first + offset, end + offset);
  }
  /// The rows below `end`.
  IntervalSet clipped(int64_t end) const {
    IntervalSet part;
    for (auto [first, last] : intervals)
      part.insert(first, std::min(last, end));
    return part;
  }
  int64_t size() const {
    int64_t size = 0;
    for (auto [first, end] : intervals)
      size += end - first;
    return size;
  }

private:
  std::map<int64_t, int64_t> intervals; // first -> end
};

} // namespace flash

#endif // FLASH_LIB_DIALECT_FLASH_ANALYSIS_INTERVALSET_H
