//===- flash-run.cpp - Compile, run and check a file ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/Tools/Drivers.h"

int main(int argc, char **argv) { return flashRunMain(argc, argv); }
