//===- SequenceRows.h - The rows of one sequence ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each sequence's (or batch's) queries, keys and values, copied together into
// tensors of their own.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_REFERENCE_SEQUENCEROWS_H
#define FLASH_LIB_REFERENCE_SEQUENCEROWS_H

#include "Rows.h"

namespace flash::reference {

/// In which outer dimension and row of a tensor a sequence's row lies.
using Place = std::function<std::pair<int64_t, int64_t>(int64_t)>;

/// One sequence by itself, and where its rows lie.
struct OwnRows {
  int64_t batch, firstQuery, queries, keys;
  Place queryPlace, keyPlace;
  rt::Array query, key, value;
  Options options;
};

int64_t countSequences(const rt::Array &query, const Sequences &sequences);

/// Sequence n; an error where sequences say more than there is.
rt::Result<OwnRows> takeSequence(int64_t n, const rt::Array &query,
                                 const rt::Array &key, const rt::Array &value,
                                 const Options &options,
                                 const Sequences &sequences);

/// Copies `count` rows of each head, as a tensor of batch 1 in the same layout.
rt::Result<rt::Array> gatherRows(const rt::Array &source, const Place &place,
                                 int64_t count, bool bshd);

} // namespace flash::reference

#endif // FLASH_LIB_REFERENCE_SEQUENCEROWS_H
