//===- Runtime.cpp - Calling compiled attention, from C -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// flash-c/Runtime.h over flash::Executable. Calls share no lock: what they are
// checked against does not change.
//
//===----------------------------------------------------------------------===//

#include "flash-c/Runtime.h"

#include "Function.h"
#include "flash/Runtime/ThreadPool.h"

#include <cstddef>

using namespace flash;

// A call copies nothing: what C gives is what the runtime reads.
static_assert(
    sizeof(FlashArgument) == sizeof(rt::CallArgument) &&
    offsetof(FlashArgument, data) == offsetof(rt::CallArgument, data) &&
    offsetof(FlashArgument, dims) == offsetof(rt::CallArgument, dims) &&
    offsetof(FlashArgument, value) == offsetof(rt::CallArgument, value) &&
    offsetof(FlashArgument, strides) == offsetof(rt::CallArgument, strides) &&
    offsetof(FlashArgument, number) == offsetof(rt::CallArgument, number));

static const rt::CallArgument *convert(const FlashArgument *arguments) {
  return reinterpret_cast<const rt::CallArgument *>(arguments);
}

int flashFunctionGetResultShapes(FlashFunction *function,
                                 const FlashArgument *arguments,
                                 int64_t *const *shapes) {
  return capi::report(
      function->executable->plan().getResultShapes(convert(arguments), shapes));
}

int flashFunctionGetWorkspaceSize(FlashFunction *function,
                                  const FlashArgument *arguments,
                                  size_t *size) {
  rt::Result<int64_t> bytes =
      function->executable->plan().getWorkspaceSize(convert(arguments));
  if (bytes.ok())
    *size = static_cast<size_t>(*bytes);
  return capi::report(bytes.status());
}

int flashFunctionLaunch(FlashFunction *function, const FlashArgument *arguments,
                        const FlashArgument *results, void *stream) {
  return capi::report(function->executable->launch(
      convert(arguments), convert(results),
      static_cast<rt::cuda::Stream>(stream), nullptr));
}

int flashFunctionLaunchWithWorkspace(FlashFunction *function,
                                     const FlashArgument *arguments,
                                     const FlashArgument *results,
                                     void *workspace, size_t workspaceSize,
                                     void *stream) {
  rt::Workspace memory = {workspace, workspaceSize};
  return capi::report(function->executable->launch(
      convert(arguments), convert(results),
      static_cast<rt::cuda::Stream>(stream), &memory));
}

int flashFunctionPrepare(FlashFunction *function) {
  return capi::report(function->executable->prepare());
}

void flashSetNumThreads(int32_t count) { rt::setNumThreads(count); }
