//===- CheckIO.cpp - What a kernel moves, counted and told ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The report is made from L0, the sizes of the call and the schedule; the count
// by counters beside the loads and stores of the program that runs. They share
// no code but the mask's.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include "llvm/ADT/STLExtras.h"

using namespace flash;
using rt::Array;
using rt::Result;
using rt::Status;

/// What has to hold of any report: nothing moves less than it must, and a
/// shared cache does not make traffic.
static std::string checkBounds(const FunctionIO &io) {
  for (const OperationIO &operation : io.operations)
    for (const OperandIO &operand : operation.operands) {
      const Traffic &schedule = operand.schedule;
      for (int64_t Bytes::*side : {&Bytes::read, &Bytes::written})
        if (operand.compulsory.*side > schedule.hbm.*side ||
            schedule.hbm.*side > schedule.onChip.*side)
          return operand.name +
                 ": compulsory, HBM and on-chip bytes are out of order";
    }
  if (io.total.compulsory.total() > io.total.schedule.onChip.total())
    return "the function's compulsory bytes are more than it moves";
  return "";
}

std::string matrix::checkIO(mlir::func::FuncOp func,
                            const CompileOptions &options,
                            Executable &executable,
                            const std::vector<reference::RuntimeValue> &values,
                            const std::vector<rt::Argument> &arguments) {
  Result<reference::ShapeRun> shapes =
      reference::runShapes(func, values, /*countWork=*/false);
  if (shapes.failed())
    return shapes.message();
  std::vector<Array> arrays;
  std::vector<rt::Argument> results;
  for (const reference::RuntimeValue &value : shapes->results) {
    const auto &tensor = std::get<reference::Tensor>(value);
    Result<Array> array = Array::create(tensor.type, tensor.shape);
    if (array.failed())
      return array.message();
    arrays.push_back(std::move(*array));
    results.push_back(rt::Argument::tensor(
        reinterpret_cast<uint64_t>(arrays.back().data()), tensor.shape));
  }

  Result<FunctionIO> io = reportIO(func, options, arguments);
  // What is not modelled has no report, and no count to compare with.
  llvm::StringRef unmodelled;
  func->getParentOfType<mlir::ModuleOp>().walk([&](AttentionBackwardOp op) {
    if (llvm::StringRef what = findUnmodelledIO(op); !what.empty())
      unmodelled = what;
  });
  if (!unmodelled.empty()) {
    if (io.failed() && llvm::StringRef(io.message()).contains(unmodelled))
      return "";
    return ("has " + unmodelled + ", but the report does not say so").str();
  }
  if (io.failed())
    return io.message();
  Status status = executable.launch(arguments, results, nullptr);
  if (status.failed())
    return status.message();
  std::vector<IOCounter> counters = executable.takeIOCounters();
  if (counters.empty())
    return "nothing was counted";
  std::string difference = compareIOCounters(predictIOCounters(*io), counters);
  llvm::replace(difference, '\n', ';');
  return difference.empty() ? checkBounds(*io) : difference;
}
