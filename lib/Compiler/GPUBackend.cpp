//===- GPUBackend.cpp - From L2 to a launch plan --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The GPU leg behind Executable: kernels become PTX (or a cubin, when an
// assembler is asked for), the host function a plan that the runtime executes.
// No GPU is needed before the first launch.
//
//===----------------------------------------------------------------------===//

#include "Pipeline.h"
#include "flash/Pipelines/GPUPipeline.h"
#include "flash/Target/BuildProgram.h"
#include "flash/Target/EmitPTX.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

using namespace mlir;
using namespace flash;
using rt::Result;
using rt::Status;

namespace {

class GPUExecutable : public Executable {
public:
  GPUExecutable(rt::Executor executor, std::string target, std::string llvmIR,
                std::string ptx, std::string cubin)
      : executor(std::move(executor)), target(std::move(target)),
        llvmIR(std::move(llvmIR)), ptx(std::move(ptx)),
        cubin(std::move(cubin)) {}

  bool onDevice() const override { return true; }

  Status launch(const std::vector<rt::Argument> &arguments,
                const std::vector<rt::Argument> &results,
                rt::cuda::Stream stream) override {
    return executor.launch(arguments, results, stream);
  }

  Result<std::string> emit(StringRef kind) override {
    if (kind == "llvm")
      return llvmIR;
    if (kind == "ptx")
      return ptx;
    if (kind == "plan")
      return executor.program().str();
    if (kind != "cubin")
      return Status::error("the target " + target + " has no " + kind.str() +
                           "; there are llvm, ptx, cubin and plan");
    if (cubin.empty()) {
      std::string log, error;
      FailureOr<std::string> assembled = assemblePTX(ptx, target, log, error);
      if (failed(assembled))
        return Status::error(error);
      cubin = std::move(*assembled);
    }
    return cubin;
  }

  Result<std::vector<rt::cuda::KernelAttributes>> kernelAttributes() override {
    return executor.kernelAttributes();
  }

private:
  rt::Executor executor;
  std::string target, llvmIR, ptx, cubin;
};

/// The code of all kernels of a module; empty strings if it has none.
struct Code {
  std::string llvmIR, ptx, cubin;
};

} // namespace

static Status generateCode(compiler::Pipeline &pipeline, StringRef target,
                           Code &code) {
  SmallVector<gpu::GPUModuleOp> kernels(
      pipeline.module->getOps<gpu::GPUModuleOp>());
  if (kernels.empty())
    return Status::success();
  DialectRegistry registry;
  registerEmitPTXInterfaces(registry);
  pipeline.module->getContext()->appendDialectRegistry(registry);
  DiagnosticCollector diagnostics(pipeline.module->getContext());
  Status status = pipeline.time("LLVM", [&] {
    FailureOr<std::string> ptx = emitPTX(kernels.front(), target, &code.llvmIR);
    if (failed(ptx))
      return diagnostics.takeError("LLVM could not compile the kernels");
    code.ptx = std::move(*ptx);
    return Status::success();
  });
  if (status.failed() || !pipeline.options.wantCubin)
    return status;
  return pipeline.time("ptxas", [&] {
    std::string log, error;
    FailureOr<std::string> cubin = assemblePTX(code.ptx, target, log, error);
    if (failed(cubin))
      return Status::error(error);
    code.cubin = std::move(*cubin);
    return Status::success();
  });
}

Result<std::unique_ptr<Executable>> compiler::compileForGPU(Pipeline &pipeline,
                                                            StringRef name) {
  GPUPipelineOptions options;
  std::string target = pipeline.target.getKind().getValue().str();
  std::string description;
  llvm::raw_string_ostream(description) << pipeline.target;
  options.target = description;
  Status status = pipeline.lower("L3", [&](OpPassManager &manager) {
    buildGPUTilePipeline(manager, options);
  });
  if (status.ok())
    status = pipeline.lower("L4", [&](OpPassManager &manager) {
      buildGPULoweringPipeline(manager, options);
    });
  Code code;
  if (status.ok())
    status = generateCode(pipeline, target, code);
  if (status.failed())
    return status;

  DiagnosticCollector diagnostics(pipeline.module->getContext());
  ProgramOptions programOptions;
  programOptions.entry = name.str();
  programOptions.target = target;
  programOptions.image = code.cubin.empty() ? code.ptx : code.cubin;
  FailureOr<rt::Program> program =
      buildProgram(*pipeline.module, programOptions);
  if (failed(program))
    return diagnostics.takeError("the function does not become a launch plan");
  Result<rt::Executor> executor = rt::Executor::create(std::move(*program));
  if (executor.failed())
    return executor.status();
  return std::unique_ptr<Executable>(
      new GPUExecutable(std::move(*executor), target, std::move(code.llvmIR),
                        std::move(code.ptx), std::move(code.cubin)));
}
