//===- Positions.h - Masks of positions as attributes -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
#ifndef FLASH_CONVERSION_LINALGTOFLASH_POSITIONS_H
#define FLASH_CONVERSION_LINALGTOFLASH_POSITIONS_H

#include "Matchers.h"

namespace flash::raise {

/// Which keys a query sees around its own row: from query - left to query +
/// right, where they are given.
struct Window {
  std::optional<int64_t> left, right;

  /// Takes what both show.
  void intersect(const Window &other);
  bool isAll() const { return !left && !right; }

  /// The mask, and the position of the first query for which it is right.
  std::pair<MaskAttrInterface, int64_t>
  getMask(mlir::MLIRContext *context) const;
};

/// The window that inequalities are. Nothing if they say something else.
std::optional<Window> matchWindow(llvm::ArrayRef<LinearSum> atLeastZero,
                                  const Roles &roles);

/// Whether it is certain that each query sees a key.
bool showsEachQueryAKey(const Window &window, const Domain &domain,
                        const Roles &roles);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_POSITIONS_H
