//===- CPUBackend.cpp - From L2 to a function of this process -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The CPU leg behind Executable. A CPU has no L3: its leg goes from steps on
// tile tensors to the LLVM dialect.
//
//===----------------------------------------------------------------------===//

#include "Pipeline.h"
#include "flash/ExecutionEngine/CPUCode.h"
#include "flash/ExecutionEngine/CPUKernel.h"
#include "flash/Pipelines/CPUPipeline.h"
#include "flash/Target/CPUInfo.h"

#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"

#include <utility>

using namespace mlir;
using namespace flash;
using rt::Result;
using rt::Status;

namespace {

class CPUExecutable : public Executable {
public:
  CPUExecutable(OwningOpRef<ModuleOp> module, std::unique_ptr<CPUKernel> kernel,
                std::string cpu, std::vector<IOCounter> counters)
      : module(std::move(module)), kernel(std::move(kernel)),
        cpu(std::move(cpu)), counters(std::move(counters)) {}

  bool onDevice() const override { return false; }

  Status launch(const std::vector<rt::Argument> &arguments,
                const std::vector<rt::Argument> &results,
                rt::cuda::Stream) override {
    std::string error;
    if (failed(kernel->invoke(convert(arguments), convert(results), error)))
      return Status::error(error);
    return Status::success();
  }

  std::vector<IOCounter> takeIOCounters() override {
    std::vector<IOCounter> taken = counters;
    auto *memory = static_cast<int64_t *>(
        counters.empty() ? nullptr : kernel->lookup(kIOCountersName));
    for (size_t i = 0; i < taken.size() && memory; ++i)
      taken[i].bytes = std::exchange(memory[i], 0);
    return taken;
  }

  Result<std::string> emit(StringRef kind) override {
    if (kind != "llvm")
      return Status::error("the target cpu has no " + kind.str() +
                           (kind == "ptx" || kind == "cubin" || kind == "plan"
                                ? " (--target=sm_90a has)"
                                : "") +
                           "; --emit=llvm gives its code");
    llvm::LLVMContext context;
    auto translated = translateForCPU(*module, context, cpu);
    if (!translated)
      return Status::error(llvm::toString(translated.takeError()));
    std::string text;
    llvm::raw_string_ostream os(text);
    (*translated)->print(os, nullptr);
    return text;
  }

private:
  static SmallVector<KernelArgument>
  convert(const std::vector<rt::Argument> &arguments) {
    SmallVector<KernelArgument> converted;
    for (const rt::Argument &argument : arguments)
      converted.push_back(
          argument.isIndex
              ? KernelArgument::index(argument.value)
              : KernelArgument::tensor(
                    reinterpret_cast<void *>(argument.address), argument.dims));
    return converted;
  }

  OwningOpRef<ModuleOp> module; // the LLVM dialect
  std::unique_ptr<CPUKernel> kernel;
  std::string cpu;                 // by name; empty: the processor at hand
  std::vector<IOCounter> counters; // at 0: names and order
};

} // namespace

Result<std::unique_ptr<Executable>> compiler::compileForCPU(Pipeline &pipeline,
                                                            StringRef name) {
  FunctionType type =
      pipeline.module->lookupSymbol<func::FuncOp>(name).getFunctionType();
  std::vector<IOCounter> counters = getIOCounters(*pipeline.module);
  Status status = pipeline.lower("L4", [&](OpPassManager &manager) {
    CPUPipelineOptions options;
    options.setTarget(pipeline.target);
    buildCPULoweringPipeline(manager, options);
  });
  if (status.failed())
    return status;
  DiagnosticCollector diagnostics(pipeline.module->getContext());
  std::string cpu = getCodeCPU(pipeline.target).str();
  std::unique_ptr<CPUKernel> kernel;
  status = pipeline.time("LLVM", [&] {
    auto loaded = CPUKernel::load(*pipeline.module, name, type, cpu,
                                  pipeline.options.optLevel);
    if (failed(loaded))
      return diagnostics.takeError("LLVM could not compile the function");
    kernel = std::move(*loaded);
    return Status::success();
  });
  if (status.failed())
    return status;
  return std::unique_ptr<Executable>(
      new CPUExecutable(std::move(pipeline.module), std::move(kernel),
                        std::move(cpu), std::move(counters)));
}
