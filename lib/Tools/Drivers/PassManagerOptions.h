//===- PassManagerOptions.h - MLIR's options for passes ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What mlir-opt can be told of its pass manager, on the command line of a tool
// whose compilation has several, one for each stage.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_TOOLS_DRIVERS_PASSMANAGEROPTIONS_H
#define FLASH_LIB_TOOLS_DRIVERS_PASSMANAGEROPTIONS_H

#include "llvm/Support/CommandLine.h"

#include <memory>

namespace flash {

class CompileObserver;

class PassManagerOptions {
public:
  /// Registers the options and the passes that they can name. Comes before the
  /// command line is parsed.
  PassManagerOptions();
  /// Prints the times of passes, if they were asked for.
  ~PassManagerOptions();

  llvm::cl::OptionCategory &getCategory() { return category; }

  /// Does to a compilation what the command line says; null if it says nothing.
  CompileObserver *getObserver();

private:
  llvm::cl::OptionCategory category;
  llvm::cl::opt<bool> verifyEach;
  std::unique_ptr<CompileObserver> observer;
};

} // namespace flash

#endif // FLASH_LIB_TOOLS_DRIVERS_PASSMANAGEROPTIONS_H
