//===- DebugLog.h - LDBG() in a build without assertions --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM's LDBG() logs decisions, and `--debug-only=TYPE` of a tool shows those
// of one DEBUG_TYPE. Distributions build LLVM with NDEBUG, where LDBG() is
// nothing and no tool has the option; what it stands on (DebugFlag and
// isCurrentDebugType) is in the library all the same. With FLASH_DEBUG_LOG (a
// CMake option, on in development builds) this header gives the macro of a
// build with assertions, of LLVM's own text, and `registerDebugOnly` the
// option.
//
//   #define DEBUG_TYPE "flash-tile-overlap"
//   LDBG() << "starts with the product at " << product.getLoc();
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_SUPPORT_DEBUGLOG_H
#define FLASH_SUPPORT_DEBUGLOG_H

#include "llvm/Support/Debug.h"
#include "llvm/Support/raw_ostream.h"

#if defined(FLASH_DEBUG_LOG) && defined(NDEBUG)
#undef isCurrentDebugType
#undef setCurrentDebugTypes
namespace llvm {
LLVM_ABI bool isCurrentDebugType(const char *Type, int Level = 0);
LLVM_ABI void setCurrentDebugTypes(const char **Types, unsigned Count);
} // namespace llvm
#pragma push_macro("NDEBUG")
#undef NDEBUG
#include "llvm/Support/DebugLog.h"
#pragma pop_macro("NDEBUG")
#else
#include "llvm/Support/DebugLog.h"
#endif

namespace flash {
/// The option --debug-only of a tool, where LLVM itself has none. Called before
/// the command line is parsed; afterwards nothing logs without the option.
void registerDebugOnly();

/// Whether what is logged under this type is shown; false where nothing is.
bool isLogged(const char *type);
} // namespace flash

#endif // FLASH_SUPPORT_DEBUGLOG_H
