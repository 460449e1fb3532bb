//===- Runtime.cpp - Calling compiled attention, from C -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// flash-c/Runtime.h. Compiled code does not check sizes, so that each call is
// first run on shapes; calls of the same sizes as the last one skip that, to
// keep a launch cheap.
//
//===----------------------------------------------------------------------===//

#include "flash-c/Runtime.h"

#include "Function.h"
#include "flash/Runtime/ThreadPool.h"

using namespace flash;
using reference::RuntimeValue;
using reference::Tensor;
using rt::Result;
using rt::Status;

static std::vector<rt::Argument> convertArguments(const FlashFunction &function,
                                                  const FlashArgument *from) {
  std::vector<rt::Argument> arguments;
  for (auto [index, info] : llvm::enumerate(function.signature.arguments))
    arguments.push_back(info.isIndex
                            ? rt::Argument::index(from[index].value)
                            : rt::Argument::tensor(
                                  reinterpret_cast<uint64_t>(from[index].data),
                                  std::vector<int64_t>(
                                      from[index].dims,
                                      from[index].dims + info.symbols.size())));
  return arguments;
}

/// Fails for a call that is not possible; else sets the results' shapes.
static Status checkCall(FlashFunction &function,
                        const std::vector<rt::Argument> &arguments,
                        std::vector<std::vector<int64_t>> &shapes) {
  std::vector<int64_t> call;
  for (const rt::Argument &argument : arguments) {
    call.insert(call.end(), argument.dims.begin(), argument.dims.end());
    call.push_back(argument.value);
  }
  std::lock_guard<std::mutex> lock(function.mutex);
  if (call != function.checkedCall || function.checkedShapes.empty()) {
    std::vector<RuntimeValue> values;
    for (auto [argument, info] :
         llvm::zip(arguments, function.signature.arguments)) {
      if (!argument.isIndex) {
        Result<int64_t> count = rt::countElements(argument.dims);
        if (count.failed())
          return count.status().withContext("'" + info.name + "'");
        values.push_back(Tensor{info.dtype, argument.dims, nullptr});
      } else {
        values.push_back(argument.value);
      }
    }
    Result<reference::ShapeRun> run =
        reference::runShapes(function.func, values, /*countWork=*/false);
    if (run.failed())
      return run.status();
    function.checkedCall = std::move(call);
    function.checkedShapes.clear();
    for (const RuntimeValue &result : run->results)
      function.checkedShapes.push_back(std::get<Tensor>(result).shape);
  }
  shapes = function.checkedShapes;
  return Status::success();
}

int flashFunctionGetResultShapes(FlashFunction *function,
                                 const FlashArgument *arguments,
                                 int64_t *const *shapes) {
  std::vector<std::vector<int64_t>> computed;
  if (capi::report(checkCall(*function, convertArguments(*function, arguments),
                             computed)))
    return 1;
  for (auto [index, shape] : llvm::enumerate(computed))
    std::copy(shape.begin(), shape.end(), shapes[index]);
  return 0;
}

int flashFunctionLaunch(FlashFunction *function, const FlashArgument *arguments,
                        const FlashArgument *results, void *stream) {
  std::vector<rt::Argument> converted = convertArguments(*function, arguments);
  std::vector<std::vector<int64_t>> shapes;
  if (capi::report(checkCall(*function, converted, shapes)))
    return 1;
  std::vector<rt::Argument> outputs;
  for (auto [index, shape] : llvm::enumerate(shapes)) {
    const FlashArgument &result = results[index];
    // Sizes may be left out; where they are given they must be right.
    if (result.dims && !std::equal(shape.begin(), shape.end(), result.dims))
      return capi::report(Status::error(
          "'" + function->signature.results[index].name + "' is given as " +
          rt::shapeToString(
              std::vector<int64_t>(result.dims, result.dims + shape.size())) +
          ", but is " + rt::shapeToString(shape)));
    outputs.push_back(
        rt::Argument::tensor(reinterpret_cast<uint64_t>(result.data), shape));
  }
  return capi::report(function->executable->launch(
      converted, outputs, static_cast<rt::cuda::Stream>(stream)));
}

int flashFunctionPrepare(FlashFunction *function) {
  return capi::report(function->executable->prepare());
}

void flashSetNumThreads(int32_t count) { rt::setNumThreads(count); }
