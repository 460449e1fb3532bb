//===- Runtime.cpp - Calling compiled attention, from C -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// flash-c/Runtime.h, and what Compiler.h asks of a signature. It is in both
// libraries, and includes no MLIR. Calls share no lock: what they are
// checked against does not change.
//
//===----------------------------------------------------------------------===//

#include "flash-c/Runtime.h"

#include "Function.h"
#include "NumberLocale.h"
#include "flash/Runtime/ThreadPool.h"

#include <cstddef>

using namespace flash;
using rt::Result;
using rt::Status;

static thread_local std::string lastError;

int capi::report(const Status &status) {
  if (status.ok())
    return 0;
  lastError = status.message();
  return 1;
}

const char *flashGetLastError(void) { return lastError.c_str(); }

//===----------------------------------------------------------------------===//
// The signature
//===----------------------------------------------------------------------===//

void FlashFunction::describe() {
  const rt::Signature &signature = plan().program().signature;
  auto known = [](const rt::Expr &size) {
    return size.kind() == rt::Expr::Kind::Constant ? size.value() : -1;
  };
  for (const rt::ArgumentInfo &argument : signature.arguments) {
    std::vector<int64_t> &dims = argumentDims.emplace_back();
    for (const std::optional<rt::Expr> &dim : argument.dims)
      dims.push_back(dim ? known(*dim) : -1);
  }
  for (const rt::ResultInfo &result : signature.results) {
    std::vector<int64_t> &dims = resultDims.emplace_back();
    for (const rt::Expr &dim : result.dims)
      dims.push_back(known(dim));
  }
}

void flashFunctionDestroy(FlashFunction *function) { delete function; }

int32_t flashFunctionGetNumArguments(const FlashFunction *function) {
  return static_cast<int32_t>(function->argumentDims.size());
}

int32_t flashFunctionGetNumResults(const FlashFunction *function) {
  return static_cast<int32_t>(function->resultDims.size());
}

static FlashType convertType(rt::DType type) {
  switch (type) {
  case rt::DType::F16:
    return FLASH_F16;
  case rt::DType::BF16:
    return FLASH_BF16;
  case rt::DType::I32:
    return FLASH_I32;
  case rt::DType::I64:
    return FLASH_I64;
  case rt::DType::F64:
    return FLASH_F64;
  case rt::DType::I8:
    return FLASH_I8;
  case rt::DType::I1:
    return FLASH_I1;
  case rt::DType::F8E4M3FN:
    return FLASH_F8E4M3FN;
  case rt::DType::F8E5M2:
    return FLASH_F8E5M2;
  case rt::DType::F32:
    return FLASH_F32;
  }
  return FLASH_F32;
}

int flashFunctionGetArgument(const FlashFunction *function, int32_t index,
                             FlashValueInfo *info) {
  if (index < 0 || index >= flashFunctionGetNumArguments(function))
    return capi::report(
        Status::error("there is no argument " + std::to_string(index)));
  const rt::ArgumentInfo &argument =
      function->plan().program().signature.arguments[index];
  const std::vector<int64_t> &dims = function->argumentDims[index];
  *info = {argument.name.c_str(),
           argument.isIndex  ? FLASH_INDEX
           : argument.isReal ? FLASH_REAL
                             : convertType(argument.dtype),
           int32_t(dims.size()), dims.data()};
  return 0;
}

int flashFunctionGetResult(const FlashFunction *function, int32_t index,
                           FlashValueInfo *info) {
  if (index < 0 || index >= flashFunctionGetNumResults(function))
    return capi::report(
        Status::error("there is no result " + std::to_string(index)));
  const rt::ResultInfo &result =
      function->plan().program().signature.results[index];
  const std::vector<int64_t> &dims = function->resultDims[index];
  *info = {result.name.c_str(), convertType(result.dtype), int32_t(dims.size()),
           dims.data()};
  return 0;
}

int flashFunctionIsOnDevice(const FlashFunction *function) {
  return function->onDevice();
}

/// Keeps a text as long as the caller may look at it.
static const char *keep(FlashFunction *function, Result<std::string> text,
                        size_t *size) {
  if (text.failed()) {
    capi::report(text.status());
    return nullptr;
  }
  function->code = std::move(*text);
  if (size)
    *size = function->code.size();
  return function->code.c_str();
}

const char *flashFunctionGetCode(FlashFunction *function, const char *kind,
                                 size_t *size) {
  std::lock_guard<std::mutex> lock(function->mutex);
  capi::NumberLocale numbers;
  return keep(function, function->getCode(kind ? kind : ""), size);
}

const char *flashFunctionGetIOReport(FlashFunction *function,
                                     const FlashArgument *arguments,
                                     const char *format, size_t *size) {
  std::lock_guard<std::mutex> lock(function->mutex);
  capi::NumberLocale numbers;
  std::string form = format ? format : "";
  if (form != "text" && form != "json")
    return keep(function,
                Status::error("a report is text or json, not '" + form + "'"),
                size);
  const auto *converted = reinterpret_cast<const rt::CallArgument *>(arguments);
  // Says what is wrong with sizes before the analysis looks at them; addresses
  // do not matter.
  std::vector<rt::CallArgument> sizes(
      converted, converted + flashFunctionGetNumArguments(function));
  for (rt::CallArgument &argument : sizes)
    argument.data = reinterpret_cast<void *>(4096);
  Status status = function->plan().getWorkspaceSize(sizes.data()).status();
  return keep(function,
              status.failed()
                  ? Result<std::string>(status)
                  : function->getIOReport(converted, form == "json"),
              size);
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

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
      function->plan().getResultShapes(convert(arguments), shapes));
}

int flashFunctionGetWorkspaceSize(FlashFunction *function,
                                  const FlashArgument *arguments,
                                  size_t *size) {
  rt::Result<int64_t> bytes = function->getWorkspaceSize(convert(arguments));
  if (bytes.ok())
    *size = static_cast<size_t>(*bytes);
  return capi::report(bytes.status());
}

int flashFunctionLaunch(FlashFunction *function, const FlashArgument *arguments,
                        const FlashArgument *results, void *stream) {
  return capi::report(function->launch(convert(arguments), convert(results),
                                       static_cast<rt::cuda::Stream>(stream),
                                       nullptr));
}

int flashFunctionLaunchWithWorkspace(FlashFunction *function,
                                     const FlashArgument *arguments,
                                     const FlashArgument *results,
                                     void *workspace, size_t workspaceSize,
                                     void *stream) {
  rt::Workspace memory = {workspace, workspaceSize};
  return capi::report(function->launch(convert(arguments), convert(results),
                                       static_cast<rt::cuda::Stream>(stream),
                                       &memory));
}

int flashFunctionPrepare(FlashFunction *function) {
  return capi::report(function->prepare());
}

void flashSetNumThreads(int32_t count) { rt::setNumThreads(count); }
