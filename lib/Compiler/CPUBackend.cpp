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

#include "Cache.h"
#include "Pipeline.h"
#include "flash/ExecutionEngine/CPUCode.h"
#include "flash/ExecutionEngine/CPUKernel.h"
#include "flash/Pipelines/CPUPipeline.h"
#include "flash/Runtime/ProgramFile.h"
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
                std::string cpu, std::vector<IOCounter> counters,
                rt::CallPlan call)
      : module(std::move(module)), kernel(std::move(kernel)),
        cpu(std::move(cpu)), counters(std::move(counters)),
        call(std::move(call)) {}

  bool onDevice() const override { return false; }

  const rt::CallPlan &plan() const override { return call; }

  using Executable::launch;
  Status launch(const rt::CallArgument *arguments,
                const rt::CallArgument *results, rt::cuda::Stream,
                const rt::Workspace *) override {
    const rt::Signature &signature = call.program().signature;
    // Callers may leave out the sizes of results.
    std::vector<std::vector<int64_t>> sizes;
    std::vector<int64_t *> places;
    sizes.reserve(signature.results.size());
    places.reserve(signature.results.size());
    for (const rt::ResultInfo &info : signature.results)
      places.push_back(sizes.emplace_back(info.dims.size()).data());
    Status status = call.getResultShapes(arguments, places.data());
    if (status.ok())
      status = call.check(arguments, results);
    if (status.failed())
      return status;
    SmallVector<KernelArgument> inputs, outputs;
    auto convert = [](const rt::CallArgument &given, ArrayRef<int64_t> sizes) {
      ArrayRef<int64_t> strides;
      if (given.strides)
        strides = ArrayRef(given.strides, sizes.size());
      return KernelArgument::tensor(given.data, sizes, strides);
    };
    for (auto [i, info] : llvm::enumerate(signature.arguments)) {
      const rt::CallArgument &given = arguments[i];
      if (info.isTensor())
        inputs.push_back(
            convert(given, ArrayRef(given.dims, info.dims.size())));
      else
        inputs.push_back(info.isReal ? KernelArgument::real(rt::convertReal(
                                           given.number, info.dtype))
                                     : KernelArgument::index(given.value));
    }
    for (auto [i, size] : llvm::enumerate(sizes))
      outputs.push_back(convert(results[i], size));
    std::string error;
    if (failed(kernel->invoke(inputs, outputs, error)))
      return Status::error(error);
    return Status::success();
  }

  SaveFunction getSave() override {
    if (!counters.empty())
      return Executable::getSave();
    Result<std::string> code = emit("llvm");
    return
        [bytes = compiler::packStrings(
             {kernel->getObject().str(), cpu, code.ok() ? *code : "",
              rt::writeProgramFile({{{}, call.program()}})})] { return bytes; };
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
    if (!module)
      return llvmIR;
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
  OwningOpRef<ModuleOp> module; // the LLVM dialect
  std::unique_ptr<CPUKernel> kernel;
  std::string cpu;                 // by name; empty: the processor at hand
  std::vector<IOCounter> counters; // at 0: names and order
  rt::CallPlan call;

public:
  /// Of a restored one, which has no module.
  std::string llvmIR;
};

} // namespace

std::unique_ptr<Executable> compiler::restoreForCPU(StringRef bytes) {
  std::optional<std::vector<std::string>> parts = unpackStrings(bytes);
  if (!parts || parts->size() != 4)
    return nullptr;
  const std::string &file = (*parts)[3];
  auto variants = rt::readProgramFile(file.data(), file.size());
  if (variants.failed() || variants->size() != 1)
    return nullptr;
  Result<rt::CallPlan> call =
      rt::CallPlan::create(std::move(variants->front().program));
  if (call.failed())
    return nullptr;
  const rt::Signature &signature = call->program().signature;
  std::vector<bool> isTensor;
  isTensor.reserve(signature.arguments.size() + signature.results.size());
  for (const rt::ArgumentInfo &argument : signature.arguments)
    isTensor.push_back(argument.isTensor());
  isTensor.resize(isTensor.size() + signature.results.size(), true);
  auto kernel =
      CPUKernel::loadObject((*parts)[0], signature.name, (*parts)[1], isTensor);
  if (!kernel) {
    llvm::consumeError(kernel.takeError());
    return nullptr;
  }
  auto executable = std::make_unique<CPUExecutable>(
      OwningOpRef<ModuleOp>(), std::move(*kernel), (*parts)[1],
      std::vector<IOCounter>(), std::move(*call));
  executable->llvmIR = (*parts)[2];
  return executable;
}

Result<std::unique_ptr<Executable>> compiler::compileForCPU(Pipeline &pipeline,
                                                            rt::Program call) {
  std::string name = call.signature.name;
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
  Result<rt::CallPlan> plan = rt::CallPlan::create(std::move(call));
  if (plan.failed())
    return plan.status();
  return std::unique_ptr<Executable>(
      new CPUExecutable(std::move(pipeline.module), std::move(kernel),
                        std::move(cpu), std::move(counters), std::move(*plan)));
}
