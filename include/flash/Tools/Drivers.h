//===- Drivers.h - The tools, but for their main ----------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_DRIVERS_H
#define FLASH_TOOLS_DRIVERS_H

#if defined(__GNUC__)
#define FLASH_DRIVER_EXPORT __attribute__((visibility("default")))
#else
#define FLASH_DRIVER_EXPORT
#endif

extern "C" {
/// What flash-opt does with its arguments; the exit status. Once in a process.
FLASH_DRIVER_EXPORT int flashOptMain(int argc, char **argv);
/// What flash-run does.
FLASH_DRIVER_EXPORT int flashRunMain(int argc, char **argv);
}

#endif // FLASH_TOOLS_DRIVERS_H
