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

using namespace mlir;
using namespace flash;
using rt::Result;
using rt::Status;

namespace {

class GPUExecutable : public Executable {
public:
  GPUExecutable(std::string target, std::string llvmIR, std::string ptx,
                rt::Executor executor)
      : target(std::move(target)), llvmIR(std::move(llvmIR)),
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
      return llvmIR;
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
        {target, llvmIR, ptx,
         rt::writeProgramFile({{{}, executor.program()}})});
  }

  Result<std::vector<rt::cuda::KernelAttributes>> kernelAttributes() override {
    return executor.kernelAttributes();
  }

private:
  std::string target, llvmIR, ptx;
  rt::Executor executor;
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
  if (status.ok())
    status = pipeline.lower("L4", [&](OpPassManager &manager) {
      buildGPULoweringPipeline(manager, options);
    });
  if (status.failed())
    return status;

  DiagnosticCollector diagnostics(context);
  std::string llvmIR, ptx, image, log;
  status = pipeline.time("PTX", [&] {
    auto kernels = pipeline.module->getOps<gpu::GPUModuleOp>();
    if (kernels.empty())
      return Status::error("@" + name + " has nothing to run on a GPU");
    FailureOr<std::string> emitted = emitPTX(*kernels.begin(), target, &llvmIR);
    if (failed(emitted))
      return diagnostics.takeError("LLVM could not compile the kernels");
    ptx = image = std::move(*emitted);
    return Status::success();
  });
  if (status.failed())
    return status;

  // Without an assembler the driver's own compiles the PTX when it is loaded.
  std::string assembler = "driver";
  if (pipeline.options.assemble && hasAssembler(ptx)) {
    assembler = describeAssembler(ptx);
    status = pipeline.time("ptxas", [&] {
      std::string error;
      FailureOr<std::string> cubin =
          assemblePTX(ptx, assembleFor(target), log, error);
      if (failed(cubin))
        return Status::error(error);
      image = std::move(*cubin);
      return Status::success();
    });
    if (status.failed())
      return status;
  }

  ProgramOptions program;
  program.entry = name;
  program.target = target;
  program.image = std::move(image);
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
  auto executable = std::make_unique<GPUExecutable>(
      target, std::move(llvmIR), std::move(ptx), std::move(*executor));
  executable->assemblerLog = std::move(log);
  executable->assembler = std::move(assembler);
  return std::unique_ptr<Executable>(std::move(executable));
}
