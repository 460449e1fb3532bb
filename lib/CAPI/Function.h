//===- Function.h - What a FlashFunction is ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function that can be called: one that was compiled here, or a program that
// was loaded. Calls need no MLIR.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CAPI_FUNCTION_H
#define FLASH_LIB_CAPI_FUNCTION_H

#include "flash-c/Compiler.h"
#include "flash/Runtime/Executor.h"

#include <mutex>
#include <string>
#include <vector>

struct FlashFunction {
  virtual ~FlashFunction() = default;

  /// What every call must satisfy; of several variants the first one's, which
  /// have a signature in common.
  virtual const flash::rt::CallPlan &plan() const = 0;
  virtual bool onDevice() const = 0;
  virtual flash::rt::Status prepare() = 0;
  virtual flash::rt::Status launch(const flash::rt::CallArgument *arguments,
                                   const flash::rt::CallArgument *results,
                                   flash::rt::cuda::Stream stream,
                                   const flash::rt::Workspace *workspace) = 0;
  virtual flash::rt::Result<int64_t>
  getWorkspaceSize(const flash::rt::CallArgument *arguments) const {
    return plan().getWorkspaceSize(arguments);
  }
  virtual flash::rt::Result<std::string> getCode(const std::string &kind) = 0;
  virtual flash::rt::Result<std::string>
  getIOReport(const flash::rt::CallArgument *arguments, bool json) {
    return flash::rt::Status::error(
        "a loaded program has no IR, which tells what it moves");
  }

  /// Sizes that are known before a call, -1 for others; set by `describe`.
  std::vector<std::vector<int64_t>> argumentDims, resultDims;
  std::string code;
  /// Guards `code`.
  std::mutex mutex;

  /// Fills in what callers ask about the signature.
  void describe();
};

namespace flash::capi {

/// Keeps the message of an error for flashGetLastError; returns whether it is
/// one.
int report(const rt::Status &status);

} // namespace flash::capi

#endif // FLASH_LIB_CAPI_FUNCTION_H
