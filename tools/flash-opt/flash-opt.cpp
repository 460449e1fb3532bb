//===- flash-opt.cpp - Runs Flash's passes on IR -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestDifferentiate.h"
#include "flash/Tools/Drivers.h"

int main(int argc, char **argv) {
  flash::registerTestDifferentiatePass();
  return flashOptMain(argc, argv);
}
