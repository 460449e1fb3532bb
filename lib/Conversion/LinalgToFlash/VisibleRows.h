//===- VisibleRows.h - Whether each query sees a key ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
#ifndef FLASH_CONVERSION_LINALGTOFLASH_VISIBLEROWS_H
#define FLASH_CONVERSION_LINALGTOFLASH_VISIBLEROWS_H

#include "Attention.h"

namespace flash::raise {

/// The number of queries and of keys, as a constant or a size of a tensor.
std::optional<LinearSum> getNumQueries(Tracer &tracer,
                                       const Attention &attention);
std::optional<LinearSum> getNumKeys(Tracer &tracer, const Attention &attention);

/// What has to be at least 0 so that each query sees a key. None is certain;
/// nothing where it cannot be said. `others` are the clauses that the window
/// does not say.
std::optional<llvm::SmallVector<LinearSum>>
whenEachQuerySees(Tracer &tracer, const Attention &attention,
                  llvm::ArrayRef<Mask> masks, const Clauses &others);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_VISIBLEROWS_H
