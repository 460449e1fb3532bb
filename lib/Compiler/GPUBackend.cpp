//===- GPUBackend.cpp - From L2 to a launch plan --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The GPU leg behind Executable: the tile program, PTX, and the plan that the
// runtime executes. Nothing here needs a GPU; what runs does. Kernels may still
// be in the assembler when a function is there to be called.
//
//===----------------------------------------------------------------------===//

#include "Cache.h"
#include "Pipeline.h"
#include "flash/Pipelines/GPUPipeline.h"
#include "flash/Runtime/ProgramFile.h"
#include "flash/Target/AssemblePTX.h"
#include "flash/Target/BuildProgram.h"
#include "flash/Target/EmitPTX.h"
#include "flash/Target/KernelAssembly.h"

#include <mutex>
#include <thread>

using namespace mlir;
using namespace flash;
using rt::Result;
using rt::Status;

namespace {

/// Each kernel's code, as soon as it is assembled.
class AssembledImages : public rt::ImageSource {
public:
  AssembledImages(std::shared_ptr<KernelAssembly> assembly,
                  const rt::Program &program)
      : assembly(std::move(assembly)) {
    for (const rt::ModuleImage &module : program.modules)
      names.push_back(module.name);
  }

  bool isReady(size_t module) override { return assembly->isReady(module); }

  Result<std::string> get(size_t module) override {
    Result<std::string> cubin = assembly->wait(module);
    if (cubin.failed())
      return cubin.status().withContext("assembling the module '" +
                                        names[module] + "'");
    return cubin;
  }

private:
  std::shared_ptr<KernelAssembly> assembly;
  std::vector<std::string> names;
};

/// Puts the code of assembled kernels into the program's modules.
Status setImages(KernelAssembly &assembly, rt::Program &program) {
  for (auto [number, module] : llvm::enumerate(program.modules)) {
    Result<std::string> cubin = assembly.wait(number);
    if (cubin.failed())
      return cubin.status();
    module.image = std::move(*cubin);
  }
  return Status::success();
}

/// A function's texts: bitcode of each module, packed; PTX of all.
struct Texts {
  std::string target, bitcode, ptx;
};

Texts joinTexts(std::string target, ArrayRef<KernelText> kernels) {
  std::vector<std::string> bitcode, ptx;
  for (const KernelText &kernel : kernels) {
    bitcode.push_back(kernel.bitcode);
    ptx.push_back(kernel.ptx);
  }
  return {std::move(target), compiler::packStrings(bitcode), joinPTX(ptx)};
}

std::string pack(const Texts &texts, rt::Program program) {
  return compiler::packStrings(
      {texts.target, texts.bitcode, texts.ptx,
       rt::writeProgramFile({{{}, std::move(program)}})});
}

class GPUExecutable : public Executable {
public:
  /// Without an assembly the executor's program has its images.
  GPUExecutable(Texts texts, rt::Executor executor,
                std::shared_ptr<KernelAssembly> assembly)
      : texts(std::move(texts)), executor(std::move(executor)),
        assembly(std::move(assembly)) {}

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
      return texts.ptx;
    if (kind == "plan" || kind == "program") {
      rt::Program program = executor.program();
      if (assembly)
        if (Status status = setImages(*assembly, program); status.failed())
          return status;
      if (kind == "plan")
        return program.str();
      return rt::writeProgramFile({{{}, std::move(program)}});
    }
    if (kind != "cubin")
      return Status::error("the target " + texts.target + " has no " +
                           kind.str());
    AssembledPTX made;
    if (Status status = assemblePTX(texts.ptx, texts.target, made);
        status.failed())
      return status;
    return made.cubin;
  }

  std::shared_ptr<KernelAssembly> getAssembly() const override {
    return assembly;
  }

  Status finish() override {
    std::call_once(finished, [&] {
      if (!assembly)
        return;
      whole = assembly->waitForAll();
      stages.push_back({"ptxas", assembly->getMilliseconds()});
      assemblerLog = assembly->getLog();
    });
    return whole;
  }

  SaveFunction getSave() override {
    if (!assembly)
      return [code = pack(texts, executor.program())] { return code; };
    // The assembly calls it: it is still there then.
    return [texts = texts, program = executor.program(),
            assembly = assembly.get()]() mutable -> std::optional<std::string> {
      if (setImages(*assembly, program).failed())
        return std::nullopt;
      return pack(texts, std::move(program));
    };
  }

  Result<std::vector<rt::cuda::KernelAttributes>> kernelAttributes() override {
    return executor.kernelAttributes();
  }

private:
  Result<std::string> printLLVM() const {
    std::string all;
    std::optional<std::vector<std::string>> modules =
        compiler::unpackStrings(texts.bitcode);
    for (const std::string &module :
         modules.value_or(std::vector<std::string>())) {
      FailureOr<std::string> text = printBitcode(module);
      if (failed(text))
        return Status::error("the LLVM IR cannot be read back");
      all += *text;
    }
    return all;
  }

  Texts texts;
  rt::Executor executor;
  std::shared_ptr<KernelAssembly> assembly;
  std::once_flag finished;
  Status whole;
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
  return std::make_unique<GPUExecutable>(
      Texts{(*parts)[0], (*parts)[1], (*parts)[2]}, std::move(*executor),
      /*assembly=*/nullptr);
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

/// What assembles these kernels. One that the driver compiles has the others
/// compiled by it, too.
static std::string chooseAssembler(ArrayRef<KernelText> kernels, bool wanted) {
  std::string assembler = "driver";
  for (const KernelText &kernel : kernels) {
    if (!wanted || !hasAssembler(kernel.ptx))
      return "driver";
    assembler = describeAssembler(kernel.ptx);
  }
  return assembler;
}

static AssembleKernel getAssemble(StringRef assembler, std::string target) {
  // The one that was found now, whatever the environment says later.
  if (StringRef path = assembler; path.consume_front("ptxas "))
    return [ptxas = path.str(), target](const std::string &ptx,
                                        AssembledPTX &made) {
      return assembleWithPtxas(ptxas, ptx, target, made);
    };
  return [target](const std::string &ptx, AssembledPTX &made) {
    return assemblePTX(ptx, target, made);
  };
}

/// The host function's plan, with the PTX of its kernels, and the signature's
/// names: the host function says arg0 where that says query.
static FailureOr<rt::Program> makePlan(ModuleOp module, StringRef target,
                                       const rt::Signature &signature,
                                       ArrayRef<KernelText> kernels) {
  ProgramOptions options;
  options.entry = signature.name;
  options.target = target.str();
  for (const KernelText &kernel : kernels)
    options.images.push_back(kernel.ptx);
  FailureOr<rt::Program> plan = buildProgram(module, options);
  if (failed(plan))
    return failure();
  for (auto [info, named] :
       llvm::zip_equal(plan->signature.arguments, signature.arguments))
    info.name = named.name;
  for (auto [info, named] :
       llvm::zip_equal(plan->signature.results, signature.results))
    info.name = named.name;
  return plan;
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
  if (pipeline.module->getOps<gpu::GPUModuleOp>().empty())
    return Status::error("@" + name + " has nothing to run on a GPU");

  DiagnosticCollector diagnostics(context);
  FailureOr<std::vector<KernelText>> kernels = failure();
  status = pipeline.time("PTX", [&] {
    kernels = emitKernels(*pipeline.module, target);
    if (failed(kernels))
      return diagnostics.takeError("LLVM could not compile the kernels");
    return Status::success();
  });
  if (status.failed())
    return status;
  // Without an assembler the driver's own compiles the PTX when it is loaded.
  std::string assembler = chooseAssembler(*kernels, pipeline.options.assemble);
  std::shared_ptr<KernelAssembly> assembly;
  // A library that assembles may be unloaded before our threads end; a program
  // may not.
  bool defer = pipeline.options.deferAssembly &&
               StringRef(assembler).starts_with("ptxas ");
  if (assembler != "driver") {
    std::vector<std::string> texts;
    for (const KernelText &kernel : *kernels)
      texts.push_back(kernel.ptx);
    assembly = KernelAssembly::start(
        std::move(texts), getAssemble(assembler, assembleFor(target)),
        /*callerWaits=*/!defer);
  }
  FailureOr<rt::Program> plan =
      makePlan(*pipeline.module, target, signature, *kernels);
  if (failed(plan))
    return diagnostics.takeError("the host function does not become a plan");
  std::string log;
  if (assembly && !defer) {
    status = pipeline.time("ptxas", [&] { return assembly->waitForAll(); });
    if (status.ok())
      status = setImages(*assembly, *plan);
    if (status.failed())
      return status;
    log = assembly->getLog();
    assembly = nullptr;
  }

  Texts texts = joinTexts(target, *kernels);
  std::shared_ptr<rt::ImageSource> images;
  if (assembly)
    images = std::make_shared<AssembledImages>(assembly, *plan);
  Result<rt::Executor> executor = rt::Executor::create(
      std::move(*plan), /*driver=*/nullptr, std::move(images));
  if (executor.failed())
    return executor.status();
  auto executable = std::make_unique<GPUExecutable>(
      std::move(texts), std::move(*executor), std::move(assembly));
  executable->assemblerLog = std::move(log);
  executable->assembler = std::move(assembler);
  return std::unique_ptr<Executable>(std::move(executable));
}
