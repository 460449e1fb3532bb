//===- NvJitLink.h - The assembler as a library -----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_TARGET_PTX_NVJITLINK_H
#define FLASH_LIB_TARGET_PTX_NVJITLINK_H

#include "mlir/Support/LLVM.h"

#include <string>

namespace flash::ptx {

/// The file of libnvJitLink.so: the one that this process has loaded, else
/// `hint`, else what the loader finds. Empty if there is none.
std::string locateNvJitLink(llvm::StringRef hint);

/// Whether PTX names lines of a source file, which an assembler keeps if asked.
bool hasLineInfo(llvm::StringRef ptx);

/// As assemblePTX, with the library at `path`.
mlir::FailureOr<std::string> assembleWithNvJitLink(const std::string &path,
                                                   llvm::StringRef ptx,
                                                   llvm::StringRef target,
                                                   std::string &log,
                                                   std::string &error);

} // namespace flash::ptx

#endif // FLASH_LIB_TARGET_PTX_NVJITLINK_H
