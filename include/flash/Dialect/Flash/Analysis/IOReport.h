//===- IOReport.h - Prints what an attention moves --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_ANALYSIS_IOREPORT_H
#define FLASH_DIALECT_FLASH_ANALYSIS_IOREPORT_H

#include "flash/Dialect/Flash/Analysis/IOModel.h"
#include "llvm/Support/JSON.h"

namespace flash {

void printIOText(const FunctionIO &io, llvm::raw_ostream &os);
llvm::json::Object toJson(const FunctionIO &io);
void printIOJson(const FunctionIO &io, llvm::raw_ostream &os);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_ANALYSIS_IOREPORT_H
