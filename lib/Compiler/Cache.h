//===- Cache.h - Compiled functions on disk ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A directory of files, each named after the hash of all that decides what a
// text becomes. It is a convenience: whatever goes wrong with it (a disk that
// is full or read-only, a file that is damaged, a directory of somebody else's)
// means that the function is compiled.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_COMPILER_CACHE_H
#define FLASH_LIB_COMPILER_CACHE_H

#include "flash/Compiler/Executable.h"

#include <optional>
#include <string>

namespace flash::compiler {

/// The name of what a text becomes: a hash of text, options, target, device,
/// processor, schedule tables, assembler and this library. Empty where the
/// cache is switched off, or for what is not cached.
std::string getCacheKey(llvm::StringRef text, llvm::StringRef entry,
                        const CompileOptions &options);

/// The bytes that were stored, if they are as they were. Waits for those that
/// this process is about to store.
std::optional<std::string> loadFromCache(llvm::StringRef key);

/// Stores bytes, and removes the oldest files where there are too many.
void storeInCache(llvm::StringRef key, llvm::StringRef bytes);

/// Strings, one after the other with their sizes.
std::string packStrings(llvm::ArrayRef<std::string> strings);
std::optional<std::vector<std::string>> unpackStrings(llvm::StringRef bytes);

/// Executables from the bytes that their `getSave` gave; null for others.
std::unique_ptr<Executable> restoreForCPU(llvm::StringRef bytes);
std::unique_ptr<Executable> restoreForGPU(llvm::StringRef bytes);

} // namespace flash::compiler

#endif // FLASH_LIB_COMPILER_CACHE_H
