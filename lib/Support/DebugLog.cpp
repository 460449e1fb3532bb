//===- DebugLog.cpp - The option --debug-only -----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/Support/DebugLog.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/CommandLine.h"

#include <string>

#ifdef FLASH_DEBUG_ONLY_OPTION
/// LLVM sets all types at once: those of the command line so far.
static void enableType(const std::string &type) {
  static llvm::SmallVector<std::string> types;
  types.push_back(type);
  llvm::SmallVector<const char *> pointers;
  for (const std::string &text : types)
    pointers.push_back(text.c_str());
  llvm::setCurrentDebugTypes(pointers.data(), pointers.size());
  llvm::DebugFlag = true;
}
#endif

void flash::registerDebugOnly() {
#ifdef FLASH_DEBUG_ONLY_OPTION
  namespace cl = llvm::cl;
  static cl::list<std::string> option(
      "debug-only", cl::CommaSeparated, cl::value_desc("TYPE,..."),
      cl::desc("Log the decisions of these parts of the compiler, each the "
               "DEBUG_TYPE of a file, mostly the name of a pass"),
      cl::callback([](const std::string &type) { enableType(type); }));
#endif
}

bool flash::isLogged(const char *type) {
#if defined(FLASH_DEBUG_LOG) || !defined(NDEBUG)
  return llvm::DebugFlag && llvm::isCurrentDebugType(type);
#else
  return false;
#endif
}
