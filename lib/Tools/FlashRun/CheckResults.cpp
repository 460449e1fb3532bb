//===- CheckResults.cpp - Results against the reference -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Interprets the function as the user wrote it, in f64 and unfused, and judges
// what the compiled code gave.
//
//===----------------------------------------------------------------------===//

#include "flash/Tools/FlashRun/FlashRun.h"

#include "llvm/Support/FormatVariadic.h"

#include <unistd.h>

using namespace flash;
using rt::Result;

Progress::Progress(std::string what)
    : what(std::move(what)), active(isatty(STDERR_FILENO)) {}

Progress::~Progress() {
  if (shown >= 0)
    llvm::errs() << "\r\033[K";
}

void Progress::update(double part) {
  int percent = int(part * 100);
  if (!active || percent == shown)
    return;
  shown = percent;
  llvm::errs() << "\r" << what << " " << percent << " %";
  llvm::errs().flush();
}

static Result<std::vector<reference::RuntimeValue>>
runReference(mlir::func::FuncOp func,
             const std::vector<reference::RuntimeValue> &arguments,
             reference::Arithmetic arithmetic, const char *what) {
  Progress progress(what);
  return reference::run(func, arguments, arithmetic,
                        [&](double part) { progress.update(part); });
}

Result<std::vector<ResultCheck>>
flash::checkResults(mlir::func::FuncOp func, const FunctionSignature &signature,
                    const std::vector<reference::RuntimeValue> &arguments,
                    const std::vector<const rt::Array *> &results) {
  auto truth = runReference(func, arguments, reference::Arithmetic::Float64,
                            "computing the f64 reference");
  if (truth.failed())
    return truth.status();
  auto unfused = runReference(func, arguments, reference::Arithmetic::Unfused,
                              "computing the unfused attention");
  if (unfused.failed())
    return unfused.status();
  std::vector<ResultCheck> checks;
  auto isZero = [&](size_t index) {
    const rt::Array &array =
        *std::get<reference::Tensor>((*truth)[index]).array;
    for (int64_t i = 0; i < array.numElements(); ++i)
      if (array.at(i) != 0)
        return false;
    return array.numElements() > 0;
  };
  for (auto [index, result] : llvm::enumerate(signature.results)) {
    const auto &exact = std::get<reference::Tensor>((*truth)[index]);
    const auto &plain = std::get<reference::Tensor>((*unfused)[index]);
    reference::ResultKind kind = result.isLse ? reference::ResultKind::Lse
                                 : exact.queryRows
                                     ? reference::ResultKind::Gradient
                                     : reference::ResultKind::Output;
    checks.push_back(
        {result.name,
         reference::judge(*results[index], *exact.array, *plain.array, kind,
                          signature.inputType,
                          /*nanAsReference=*/false,
                          {exact.magnitudes.get(), exact.queryRows}),
         isZero(index)});
  }
  return checks;
}
