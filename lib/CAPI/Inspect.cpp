//===- Inspect.cpp - Looking into a compiled function, from C -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The IR of each level, and what a call moves. Both begin with the text again,
// so that functions from the cache have them, too, and others keep no copies.
//
//===----------------------------------------------------------------------===//

#include "CompiledFunction.h"
#include "flash/Dialect/Flash/Analysis/IOReport.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace flash;
using capi::CompiledFunction;
using rt::Result;
using rt::Status;

Result<std::string> capi::printLevel(const CompiledFunction &function,
                                     StringRef level) {
  std::string text;
  SmallVector<std::string> levels;
  CompileOptions options = function.options;
  // Of what comes after L4 nobody asks.
  options.assemble = false;
  options.optLevel = 0;
  options.onLevel = [&](StringRef name, ModuleOp module) {
    levels.push_back(name.str());
    if (name == level)
      llvm::raw_string_ostream(text) << module << "\n";
  };
  MLIRContext context(MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module;
  Result<func::FuncOp> func = parse(function, context, module);
  if (func.failed())
    return func.status();
  Result<std::unique_ptr<Executable>> executable =
      Executable::compile(*func, options);
  if (!text.empty())
    return text;
  if (executable.failed())
    return executable.status();
  return Status::error("the target " + options.target + " has no level " +
                       level.str() + "; it has " + llvm::join(levels, ", "));
}

/// The call's sizes as the analysis takes them. A call is a flat array: what
/// each argument is, the signature says.
static std::vector<rt::Argument>
describeArguments(const rt::Signature &signature,
                  const rt::CallArgument *arguments) {
  std::vector<rt::Argument> described;
  described.reserve(signature.arguments.size());
  for (auto [index, info] : llvm::enumerate(signature.arguments)) {
    const rt::CallArgument &given = arguments[index];
    if (info.isIndex)
      described.push_back(rt::Argument::index(given.value));
    else if (info.isReal)
      described.push_back(rt::Argument::real(given.number));
    else
      described.push_back(rt::Argument::tensor(
          given.address(),
          std::vector<int64_t>(given.dims, given.dims + info.dims.size())));
  }
  return described;
}

Result<std::string>
CompiledFunction::getIOReport(const rt::CallArgument *arguments, bool json) {
  MLIRContext parsed(MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> program;
  Result<func::FuncOp> func = parse(*this, parsed, program);
  if (func.failed())
    return func.status();
  Result<FunctionIO> io = reportIO(
      *func, options, describeArguments(plan().program().signature, arguments));
  if (io.failed())
    return io.status();
  std::string report;
  llvm::raw_string_ostream os(report);
  if (json)
    printIOJson(*io, os);
  else
    printIOText(*io, os);
  return report;
}
