//===- CallPlan.cpp - What must hold of a call, ready to be asked ---------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/CallPlan.h"
#include "FlatProgram.h"
#include "flash/Runtime/Float16.h"

#include <algorithm>
#include <cstring>

using namespace flash::rt;

Result<CallPlan> CallPlan::create(Program program) {
  Result<std::shared_ptr<const FlatProgram>> flat =
      FlatProgram::create(std::move(program));
  if (flat.failed())
    return flat.status();
  return CallPlan(std::move(*flat));
}

const Program &CallPlan::program() const { return flat->program; }

Status CallPlan::getResultShapes(const CallArgument *arguments,
                                 int64_t *const *dims) const {
  CallFrame frame(*flat);
  Status status = checkArguments(*flat, arguments, frame);
  for (size_t i = 0; i < flat->results.size() && status.ok(); ++i)
    for (auto [dim, slot] : flat->results[i].dims)
      dims[i][dim] = frame.slots[slot];
  return status;
}

Result<std::vector<std::vector<int64_t>>>
CallPlan::getResultShapes(const std::vector<Argument> &arguments) const {
  Status status = rt::checkKinds(*flat, arguments);
  if (status.failed())
    return status;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<int64_t *> dims;
  for (const FlatTensor &result : flat->results)
    dims.push_back(shapes.emplace_back(result.rank).data());
  status = getResultShapes(toCallArguments(arguments).data(), dims.data());
  if (status.failed())
    return status;
  return shapes;
}

Result<int64_t>
CallPlan::getWorkspaceSize(const CallArgument *arguments) const {
  CallFrame frame(*flat);
  Status status = checkArguments(*flat, arguments, frame);
  if (status.failed())
    return status;
  return measureWorkspace(*flat, frame);
}

Status CallPlan::check(const CallArgument *arguments,
                       const CallArgument *results) const {
  CallFrame frame(*flat);
  Status status = checkArguments(*flat, arguments, frame);
  return status.ok() ? checkResults(*flat, results, frame) : status;
}

Status CallPlan::checkKinds(const std::vector<Argument> &arguments,
                            const std::vector<Argument> &results) const {
  Status status = rt::checkKinds(*flat, arguments);
  return status.ok() ? checkResultRanks(*flat, results) : status;
}

CallPlan::Work CallPlan::countWork() const {
  Work work;
  work.loads = flat->tape.numLoads();
  work.operations = flat->tape.numOperations();
  work.checks = flat->checks.size();
  for (const auto &step : flat->steps)
    if (const auto *launch = std::get_if<FlatLaunch>(&step)) {
      ++work.launches;
      work.params += launch->params.size();
      work.mostParams = std::max(work.mostParams, launch->params.size());
    }
  return work;
}

std::vector<CallArgument>
flash::rt::toCallArguments(const std::vector<Argument> &arguments) {
  std::vector<CallArgument> call;
  call.reserve(arguments.size());
  for (const Argument &argument : arguments)
    call.push_back(CallArgument::of(argument));
  return call;
}

RealBytes flash::rt::convertReal(double number, DType type) {
  RealBytes bytes = {};
  auto store = [&](auto value) {
    std::memcpy(bytes.data(), &value, sizeof(value));
  };
  switch (type) {
  case DType::F64:
    store(number);
    break;
  case DType::F16:
    store(floatToF16(static_cast<float>(number)));
    break;
  case DType::BF16:
    store(floatToBf16(static_cast<float>(number)));
    break;
  default:
    store(static_cast<float>(number));
    break;
  }
  return bytes;
}
