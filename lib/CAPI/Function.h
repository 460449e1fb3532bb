//===- Function.h - What a FlashFunction is ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CAPI_FUNCTION_H
#define FLASH_LIB_CAPI_FUNCTION_H

#include "flash-c/Compiler.h"
#include "flash/Compiler/Executable.h"

#include <mutex>

struct FlashFunction {
  // Members are destroyed last to first: the context outlives what is in it.
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp func;
  flash::FunctionSignature signature;
  std::vector<std::vector<int64_t>> argumentDims;
  std::string target;
  std::unique_ptr<flash::Executable> executable;
  std::string code;

  /// Guards `code`.
  std::mutex mutex;
};

namespace flash::capi {

/// Keeps the message of an error for flashGetLastError; returns whether it is
/// one.
int report(const rt::Status &status);

} // namespace flash::capi

#endif // FLASH_LIB_CAPI_FUNCTION_H
