//===- FlashOptMain.cpp - Runs Flash's passes on IR -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/InitAll.h"
#include "flash/Support/DebugLog.h"
#include "flash/Tools/Drivers.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int flashOptMain(int argc, char **argv) {
  mlir::DialectRegistry registry;
  flash::registerAllDialects(registry);
  flash::registerAllPasses();
  flash::registerDebugOnly();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "Flash's optimizer driver: attention, level by level\n",
      registry));
}
