//===- FilledMemory.h - Temporaries that hold no zeros ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Memory of a fresh process is zero, and a sum that nobody clears looks right.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASHMATRIX_FILLEDMEMORY_H
#define FLASH_TOOLS_FLASHMATRIX_FILLEDMEMORY_H

#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace flash::matrix {

/// While it lives, malloc gives bytes 0x7f: 3e38 in f32 and bf16, a NaN in f16.
/// Does nothing where there is no such allocator.
class FilledMemory {
public:
#ifdef __GLIBC__
  FilledMemory() { mallopt(M_PERTURB, 0x80); }
  ~FilledMemory() { mallopt(M_PERTURB, 0); }
#else
  FilledMemory() {}
  ~FilledMemory() {}
#endif
  FilledMemory(const FilledMemory &) = delete;
  FilledMemory &operator=(const FilledMemory &) = delete;
};

} // namespace flash::matrix

#endif // FLASH_TOOLS_FLASHMATRIX_FILLEDMEMORY_H
