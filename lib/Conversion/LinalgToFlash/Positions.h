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
/// right, where they are given. Both are constants, perhaps with symbols.
struct Window {
  std::optional<LinearSum> left, right;

  /// Takes what both show. Fails, and changes nothing, where that is not known
  /// before run time, or is nothing.
  bool intersect(const Window &other);
  bool isAll() const { return !left && !right; }

  /// The mask, and the position of the first query for which it is right.
  std::pair<MaskAttrInterface, LinearSum>
  getMask(mlir::MLIRContext *context) const;
};

/// The window that an inequality is. Nothing if it says something else.
std::optional<Window> matchWindow(const LinearSum &atLeastZero,
                                  const Roles &roles);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_POSITIONS_H
