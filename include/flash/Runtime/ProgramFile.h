//===- ProgramFile.h - Programs as bytes ------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a function was compiled to, for another process: several plans with
// their code, and for each of them the calls that it is for.
//
//   "FLASHPRG" | version | bytes that follow | their hash | plans
//
// Numbers are little-endian. A file of another version, or one that was cut or
// changed, is refused; a plan that is read is verified as any other.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_PROGRAMFILE_H
#define FLASH_RUNTIME_PROGRAMFILE_H

#include "flash/Runtime/Plan.h"

#include <string>
#include <vector>

namespace flash::rt {

/// A plan, and what must hold of the sizes of a call for it.
struct ProgramVariant {
  std::vector<Check> when;
  Program program;
};

constexpr uint32_t kProgramFileVersion = 1;

/// Variants of one signature, in the order in which they are asked.
std::string writeProgramFile(const std::vector<ProgramVariant> &variants);
Result<std::vector<ProgramVariant>> readProgramFile(const char *data,
                                                    size_t size);

/// A hash of bytes, to find out that they have changed.
uint64_t hashBytes(const char *data, size_t size);

} // namespace flash::rt

#endif // FLASH_RUNTIME_PROGRAMFILE_H
