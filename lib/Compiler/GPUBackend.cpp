//===- GPUBackend.cpp - From L2 to a launch plan --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The GPU leg behind Executable: the tile program, PTX, and the plan that the
// runtime executes. Nothing here needs a GPU; what runs does.
//
//===----------------------------------------------------------------------===//

#include "Cache.h"
#include "Pipeline.h"
#include "flash/Pipelines/GPUPipeline.h"
#include "flash/Runtime/ProgramFile.h"
#include "flash/Target/BuildProgram.h"
#include "flash/Target/EmitPTX.h"

#include <thread>

using namespace mlir;
using namespace flash;
using rt::Result;
using rt::Status;

namespace {

class GPUExecutable : public Executable {
public:
  /// Bitcode of each module, packed; PTX of all.
  GPUExecutable(std::string target, std::string bitcode, std::string ptx,
                rt::Executor executor)
      : target(std::move(target)), bitcode(std::move(bitcode)),
        ptx(std::move(ptx)), executor(std::move(executor)) {}

  bool onDevice() const override { return true; }

  Status prepare() override { return executor.prepare(); }

  const rt::CallPlan &plan() const override { return executor.plan(); }

  using Executable::launch;
  Status launch(const rt::CallArgument *arguments,
                const rt::CallArgument *results, rt::cuda::Stream stream,
                const rt::Workspace *workspace) override {
    return executor.launch(arguments, results, stream, workspace);
  }

  Result<std::string> emit(StringRef kind) override {
    if (kind == "llvm")
      return printLLVM();
    if (kind == "ptx")
      return ptx;
    if (kind == "plan")
      return executor.program().str();
    if (kind == "program")
      return rt::writeProgramFile({{{}, executor.program()}});
    if (kind != "cubin")
      return Status::error("the target " + target + " has no " + kind.str());
    std::string log, error;
    FailureOr<std::string> cubin = assemblePTX(ptx, target, log, error);
    if (failed(cubin))
      return Status::error(error);
    return *cubin;
  }

  std::optional<std::string> save() override {
    return compiler::packStrings(
        {target, bitcode, ptx,
         rt::writeProgramFile({{{}, executor.program()}})});
  }

  Result<std::vector<rt::cuda::KernelAttributes>> kernelAttributes() override {
    return executor.kernelAttributes();
  }

private:
  Result<std::string> printLLVM() const {
    std::string all;
    std::optional<std::vector<std::string>> modules =
        compiler::unpackStrings(bitcode);
    for (const std::string &module :
         modules.value_or(std::vector<std::string>())) {
      FailureOr<std::string> text = printBitcode(module);
      if (failed(text))
        return Status::error("the LLVM IR cannot be read back");
      all += *text;
    }
    return all;
  }

  std::string target, bitcode, ptx;
  rt::Executor executor;
};

/// Threads of a context while there are several modules to work on; a context
/// that has threads keeps them.
class ThreadsOfContext {
public:
  ThreadsOfContext(MLIRContext &context, bool wanted)
      : context(context), mine(wanted && !context.isMultithreadingEnabled() &&
                               std::thread::hardware_concurrency() > 1) {
    if (mine)
      context.enableMultithreading();
  }
  ThreadsOfContext(const ThreadsOfContext &) = delete;
  ThreadsOfContext &operator=(const ThreadsOfContext &) = delete;
  ~ThreadsOfContext() {
    if (mine)
      context.disableMultithreading();
  }

private:
  MLIRContext &context;
  bool mine;
};

} // namespace

std::unique_ptr<Executable> compiler::restoreForGPU(StringRef bytes) {
  std::optional<std::vector<std::string>> parts = unpackStrings(bytes);
  if (!parts || parts->size() != 4)
    return nullptr;
  const std::string &file = (*parts)[3];
  auto variants = rt::readProgramFile(file.data(), file.size());
  if (variants.failed() || variants->size() != 1)
    return nullptr;
  Result<rt::Executor> executor =
      rt::Executor::create(std::move(variants->front().program));
  if (executor.failed())
    return nullptr;
  return std::make_unique<GPUExecutable>((*parts)[0], (*parts)[1], (*parts)[2],
                                         std::move(*executor));
}

/// What ptxas should assemble for: this machine's GPU, since a cubin for sm_80
/// does not run on an sm_90; or the target where there is no GPU.
static std::string assembleFor(StringRef target) {
  Result<const rt::cuda::Driver *> driver = rt::cuda::Driver::get();
  if (driver.failed())
    return target.str();
  Result<rt::cuda::DeviceInfo> device = rt::cuda::deviceInfo(**driver);
  // A letter binds the code to its architecture.
  if (device.failed() || !llvm::isDigit(target.back()))
    return target.str();
  return device->target();
}

Result<std::unique_ptr<Executable>>
compiler::compileForGPU(Pipeline &pipeline, rt::Signature signature) {
  const std::string &name = signature.name;
  MLIRContext *context = pipeline.module->getContext();
  DialectRegistry registry;
  registerEmitPTXInterfaces(registry);
  context->appendDialectRegistry(registry);

  GPUPipelineOptions options;
  std::string optionError;
  llvm::raw_string_ostream optionStream(optionError);
  if (failed(options.parseFromString(pipeline.options.passes, optionStream)))
    return Status::error("options of the passes: " +
                         StringRef(optionError).trim().str());
  std::string target = pipeline.target.getKind().getValue().str();
  options.target = compiler::toString(pipeline.target);
  if (!pipeline.options.lineInfo.empty())
    options.lineInfo = pipeline.options.lineInfo;
  Status status = pipeline.lower("L3", [&](OpPassManager &manager) {
    buildGPUTilePipeline(manager, options);
  });
  if (status.failed())
    return status;
  auto launches = [&] {
    int64_t count = 0;
    for (auto module : pipeline.module->getOps<gpu::GPUModuleOp>())
      count += llvm::range_size(module.getOps<gpu::GPUFuncOp>());
    return count;
  };
  // Who prints IR wants it in order.
  ThreadsOfContext threads(*context,
                           launches() > 1 && !pipeline.options.observer);
  status = pipeline.lower("L4", [&](OpPassManager &manager) {
    buildGPULoweringPipeline(manager, options);
  });
  if (status.failed())
    return status;

  DiagnosticCollector diagnostics(context);
  if (pipeline.module->getOps<gpu::GPUModuleOp>().empty())
    return Status::error("@" + name + " has nothing to run on a GPU");
  bool assemble = pipeline.options.assemble;
  if (pipeline.options.observer)
    pipeline.options.observer->beginStage("kernels");
  FailureOr<CompiledKernels> kernels = compileKernels(
      *pipeline.module, target, assemble ? assembleFor(target) : "");
  if (pipeline.options.observer)
    pipeline.options.observer->endStage();
  if (failed(kernels))
    return diagnostics.takeError("LLVM could not compile the kernels");
  pipeline.stages.push_back({"PTX", kernels->emitMilliseconds});
  // Without an assembler the driver's own compiles the PTX when it is loaded.
  std::string assembler = "driver", log;
  std::vector<std::string> bitcode, texts;
  ProgramOptions program;
  program.entry = name;
  program.target = target;
  for (KernelCode &code : kernels->modules) {
    if (!code.cubin.empty())
      assembler = describeAssembler(code.ptx);
    log += code.log;
    bitcode.push_back(std::move(code.bitcode));
    program.images.push_back(code.cubin.empty() ? code.ptx
                                                : std::move(code.cubin));
    texts.push_back(std::move(code.ptx));
  }
  if (assembler != "driver")
    pipeline.stages.push_back({"ptxas", kernels->assembleMilliseconds});
  FailureOr<rt::Program> plan = buildProgram(*pipeline.module, program);
  if (failed(plan))
    return diagnostics.takeError("the host function does not become a plan");
  // The host function says arg0, where the signature says query.
  for (auto [info, named] :
       llvm::zip_equal(plan->signature.arguments, signature.arguments))
    info.name = named.name;
  for (auto [info, named] :
       llvm::zip_equal(plan->signature.results, signature.results))
    info.name = named.name;
  Result<rt::Executor> executor = rt::Executor::create(std::move(*plan));
  if (executor.failed())
    return executor.status();
  auto executable =
      std::make_unique<GPUExecutable>(target, compiler::packStrings(bitcode),
                                      joinPTX(texts), std::move(*executor));
  executable->assemblerLog = std::move(log);
  executable->assembler = std::move(assembler);
  return std::unique_ptr<Executable>(std::move(executable));
}
