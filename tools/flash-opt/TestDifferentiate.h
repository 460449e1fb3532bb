//===- TestDifferentiate.h - Shows derivatives of scalar bodies -*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pass for tests: flash-test-differentiate.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASH_OPT_TESTDIFFERENTIATE_H
#define FLASH_TOOLS_FLASH_OPT_TESTDIFFERENTIATE_H

namespace flash {
void registerTestDifferentiatePass();
} // namespace flash

#endif // FLASH_TOOLS_FLASH_OPT_TESTDIFFERENTIATE_H
