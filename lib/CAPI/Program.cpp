//===- Program.cpp - Loading programs, from C -----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// flash-c/Program.h: a file that was compiled ahead of time, behind the same
// calls as a function that is compiled here. Of several plans, a call is the
// first one's that its sizes allow.
//
//===----------------------------------------------------------------------===//

#include "flash-c/Program.h"

#include "Function.h"
#include "flash/Runtime/ProgramFile.h"

#include <cstdio>
#include <memory>

using namespace flash;
using rt::Result;
using rt::Status;

namespace {

struct Variant {
  rt::CallPlan when;
  rt::Executor executor;
};

struct LoadedFunction : FlashFunction {
  explicit LoadedFunction(std::vector<Variant> variants)
      : variants(std::move(variants)) {
    describe();
  }

  const rt::CallPlan &plan() const override {
    return variants.front().executor.plan();
  }
  bool onDevice() const override { return true; }
  Status prepare() override {
    for (Variant &variant : variants)
      if (Status status = variant.executor.prepare(); status.failed())
        return status;
    return Status::success();
  }

  /// The variant for a call; that of which an error is told if there is none.
  size_t choose(const rt::CallArgument *arguments) const {
    for (size_t i = 0; i + 1 < variants.size(); ++i)
      if (variants[i].when.getResultShapes(arguments, nullptr).ok())
        return i;
    return variants.size() - 1;
  }
  Status launch(const rt::CallArgument *arguments,
                const rt::CallArgument *results, rt::cuda::Stream stream,
                const rt::Workspace *workspace) override {
    return variants[choose(arguments)].executor.launch(arguments, results,
                                                       stream, workspace);
  }
  Result<int64_t>
  getWorkspaceSize(const rt::CallArgument *arguments) const override {
    return variants[choose(arguments)].executor.plan().getWorkspaceSize(
        arguments);
  }
  Result<std::string> getCode(const std::string &kind) override {
    if (kind != "plan")
      return Status::error("a loaded program has its plan alone, not '" + kind +
                           "'");
    std::string text;
    for (const Variant &variant : variants)
      text += variant.executor.program().str();
    return text;
  }

  std::vector<Variant> variants;
};

} // namespace

/// What must hold of a call for a variant, as a program without results.
static rt::Program makeChooser(const rt::ProgramVariant &variant) {
  rt::Program chooser;
  chooser.signature.name = variant.program.signature.name;
  chooser.signature.arguments = variant.program.signature.arguments;
  chooser.checks = variant.when;
  return chooser;
}

static Result<std::unique_ptr<FlashFunction>> load(const char *data,
                                                   size_t size) {
  Result<std::vector<rt::ProgramVariant>> read =
      rt::readProgramFile(data, size);
  if (read.failed())
    return read.status();
  std::vector<Variant> variants;
  for (rt::ProgramVariant &variant : *read) {
    Result<rt::CallPlan> when = rt::CallPlan::create(makeChooser(variant));
    if (when.failed())
      return when.status();
    Result<rt::Executor> executor =
        rt::Executor::create(std::move(variant.program));
    if (executor.failed())
      return executor.status();
    variants.push_back({std::move(*when), std::move(*executor)});
  }
  return std::unique_ptr<FlashFunction>(
      std::make_unique<LoadedFunction>(std::move(variants)));
}

FlashFunction *flashProgramLoadFromMemory(const void *data, size_t size) {
  Result<std::unique_ptr<FlashFunction>> function =
      data ? load(static_cast<const char *>(data), size)
           : Status::error("flashProgramLoadFromMemory needs a program");
  if (capi::report(function.status()))
    return nullptr;
  return function->release();
}

FlashFunction *flashProgramLoad(const char *path) {
  std::string bytes;
  std::FILE *file = path ? std::fopen(path, "rb") : nullptr;
  char block[1 << 16];
  while (file) {
    size_t count = std::fread(block, 1, sizeof(block), file);
    if (count == 0)
      break;
    bytes.append(block, count);
  }
  bool failed = !file || std::ferror(file);
  if (file)
    std::fclose(file);
  std::string name = std::string("'") + (path ? path : "") + "'";
  if (failed) {
    capi::report(Status::error("the program " + name + " cannot be read"));
    return nullptr;
  }
  Result<std::unique_ptr<FlashFunction>> function =
      load(bytes.data(), bytes.size());
  if (function.failed()) {
    capi::report(function.status().withContext(name));
    return nullptr;
  }
  return function->release();
}
