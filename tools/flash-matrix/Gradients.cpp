//===- Gradients.cpp - Kernels that give gradients ------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel with gradients is its forward followed by its backward, one
// function: its results are those of the forward and then the gradients, and
// gradients for the forward's results stand after its operands.
//
//===----------------------------------------------------------------------===//

#include "CaseRunner.h"

#include "flash/Dialect/Flash/Transforms/Gradients.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Builders.h"

using namespace flash;
using namespace flash::matrix;
using rt::Result;

Result<mlir::func::FuncOp> matrix::addGradients(const Kernel &kernel,
                                                mlir::func::FuncOp func) {
  DiagnosticCollector diagnostics(func.getContext());
  mlir::FailureOr<mlir::func::FuncOp> both = addForwardAndBackward(func);
  if (failed(both))
    return diagnostics.takeError("it cannot be differentiated");
  // An attribute of the text, if there is text.
  std::string wrong;
  auto parse = [&](const char *name, const std::string &fields) {
    if (fields.empty())
      return mlir::Attribute();
    mlir::Attribute attribute = mlir::parseAttribute(
        std::string(name) + "<" + fields + ">", func.getContext());
    if (!attribute)
      wrong = "'" + fields + "' is no " + name;
    return attribute;
  };
  mlir::Attribute recompute = parse("#flash.recompute", kernel.recompute),
                  schedule = parse("#flash.schedule", kernel.backwardSchedule);
  if (!wrong.empty())
    return diagnostics.takeError(wrong);
  both->walk([&](AttentionBackwardOp op) {
    if (recompute)
      op.setRecomputeAttr(llvm::cast<RecomputeAttr>(recompute));
    if (schedule)
      op.setScheduleAttr(llvm::cast<ScheduleAttr>(schedule));
  });
  return *both;
}

std::pair<std::string, reference::ResultKind>
matrix::describeResult(const Kernel &kernel, size_t index) {
  if (index == 0)
    return {"o", reference::ResultKind::Output};
  if (kernel.lse && index == 1)
    return {"lse", reference::ResultKind::Lse};
  size_t number = index - 1 - kernel.lse, letters = kernel.gradients.size();
  std::string of = number < letters
                       ? std::string(1, kernel.gradients[number])
                       : kernel.gradientsOfExtras.at(number - letters);
  return {"d" + of, reference::ResultKind::Gradient};
}

bool matrix::isRepeatable(const Kernel &kernel, const MatrixOptions &options,
                          size_t result) {
  if (options.isCPU() || describeResult(kernel, result).first != "dq")
    return true;
  // What flash-schedule-recompute chooses, and may be asked for.
  if (!kernel.recompute.empty())
    return kernel.recompute.find("outer = keys") == std::string::npos;
  return kernel.gradients == "q" || std::max(kernel.dqk, kernel.dv) > 128;
}
