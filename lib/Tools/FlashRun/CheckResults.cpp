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

#include "flash/Reference/CheckCall.h"
#include "flash/Tools/FlashRun/FlashRun.h"

#include "llvm/Support/FormatVariadic.h"

#include <memory>
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

/// Shows what is computed, one thing after the other.
static reference::CheckedCall::Progress showProgress() {
  struct Shown {
    std::string what;
    std::unique_ptr<Progress> progress;
  };
  return [shown = std::make_shared<Shown>()](const std::string &what,
                                             double part) {
    if (!shown->progress || shown->what != what) {
      shown->progress.reset();
      shown->what = what;
      shown->progress = std::make_unique<Progress>(what);
    }
    shown->progress->update(part);
    if (part >= 1)
      shown->progress.reset();
  };
}

Result<std::vector<ResultCheck>>
flash::checkResults(mlir::func::FuncOp func, const FunctionSignature &signature,
                    const std::vector<reference::RuntimeValue> &arguments,
                    const std::vector<const rt::Array *> &results) {
  auto call = reference::CheckedCall::create(func, arguments, showProgress());
  if (call.failed())
    return call.status();
  std::vector<ResultCheck> checks;
  auto isZero = [&](size_t index) {
    const rt::Array &array = *call->exact(index).array;
    for (int64_t i = 0; i < array.numElements(); ++i)
      if (array.at(i) != 0)
        return false;
    return array.numElements() > 0;
  };
  for (auto [index, result] : llvm::enumerate(signature.results)) {
    reference::ResultKind kind = result.isLse ? reference::ResultKind::Lse
                                 : call->exact(index).queryRows
                                     ? reference::ResultKind::Gradient
                                     : reference::ResultKind::Output;
    Result<reference::Verdict> verdict =
        call->judge(index, *results[index], kind, signature.inputType);
    if (verdict.failed())
      return verdict.status();
    checks.push_back({result.name, *verdict, isZero(index)});
  }
  return checks;
}
