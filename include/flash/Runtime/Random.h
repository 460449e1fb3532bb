//===- Random.h - Seeded normal numbers -------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Standard normal test inputs. Element i is a function of (seed, i) alone, made
// of IEEE operations only: the same on every platform and for any number of
// threads.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_RANDOM_H
#define FLASH_RUNTIME_RANDOM_H

#include "flash/Runtime/Array.h"

#include <cstdint>

namespace flash::rt {

/// Fills a floating-point array with mean + stddev * N(0, 1), an array of 8-bit
/// integers with 40 times as much, rounded, one of booleans with whether that
/// is positive; an error for other integers.
Status fillNormal(Array &array, uint64_t seed, double mean = 0,
                  double stddev = 1);

} // namespace flash::rt

#endif // FLASH_RUNTIME_RANDOM_H
