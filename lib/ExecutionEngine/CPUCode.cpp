//===- CPUCode.cpp - From the LLVM dialect to an object file --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM's optimizer and code generator for a CPU that need not be the one at
// hand, and an entry that can be called whatever the function's arguments are:
//
//   void @_mlir__mlir_ciface_f(ptr %args)   // pointers to the arguments
//     call void @_mlir_ciface_f(load %args[0], load %args[1], ...)
//
//===----------------------------------------------------------------------===//

#include "flash/ExecutionEngine/CPUCode.h"
#include "flash/ExecutionEngine/FatalErrors.h"

#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>

using namespace mlir;
using namespace flash;
using llvm::Error;
using llvm::Expected;

void flash::initializeCPU() {
  static std::once_flag initialized;
  std::call_once(initialized, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
}

std::string flash::getPackedName(StringRef entry) {
  return ("_mlir__mlir_ciface_" + entry).str();
}

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(StringRef cpu, llvm::CodeGenOptLevel level) {
  initializeCPU();
  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  if (!cpu.empty()) {
    // Its features and no other.
    *builder = llvm::orc::JITTargetMachineBuilder(builder->getTargetTriple());
    builder->setCPU(cpu.str());
  }
  builder->setCodeGenOptLevel(level);
  auto machine = builder->createTargetMachine();
  if (machine && !cpu.empty() &&
      !(*machine)->getMCSubtargetInfo()->isCPUStringValid(cpu))
    return makeError("LLVM generates no code for cpu:" + cpu +
                     " on a machine "
                     "of another architecture (" +
                     (*machine)->getTargetTriple().str() + ")");
  return machine;
}

static Expected<std::unique_ptr<llvm::Module>>
translate(ModuleOp source, llvm::LLVMContext &context, StringRef cpu,
          const llvm::TargetMachine &machine) {
  registerBuiltinDialectTranslation(*source.getContext());
  registerLLVMDialectTranslation(*source.getContext());
  std::unique_ptr<llvm::Module> module =
      translateModuleToLLVMIR(source, context);
  if (!module)
    return makeError("the module does not translate to LLVM IR");
  module->setTargetTriple(machine.getTargetTriple());
  module->setDataLayout(machine.createDataLayout());
  if (!cpu.empty())
    for (llvm::Function &function : *module)
      if (!function.isDeclaration())
        function.addFnAttr("target-cpu", cpu);
  return module;
}

Expected<std::unique_ptr<llvm::Module>>
flash::translateForCPU(ModuleOp module, llvm::LLVMContext &context,
                       StringRef cpu) {
  auto machine = createTargetMachine(cpu, llvm::CodeGenOptLevel::Default);
  if (!machine)
    return machine.takeError();
  return translate(module, context, cpu, **machine);
}

/// Adds the packed entry.
static Error addPackedEntry(llvm::Module &module, StringRef entry) {
  llvm::Function *function =
      module.getFunction(("_mlir_ciface_" + entry).str());
  if (!function)
    return makeError("there is no C entry of '" + entry + "'");
  llvm::IRBuilder<> b(module.getContext());
  auto *packed = llvm::Function::Create(
      llvm::FunctionType::get(b.getVoidTy(), b.getPtrTy(), /*isVarArg=*/false),
      llvm::Function::ExternalLinkage, getPackedName(entry), module);
  b.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "", packed));
  auto pointerTo = [&](unsigned i) {
    return b.CreateLoad(
        b.getPtrTy(), b.CreateConstGEP1_64(b.getPtrTy(), packed->getArg(0), i));
  };
  llvm::SmallVector<llvm::Value *> arguments;
  for (llvm::Argument &argument : function->args())
    arguments.push_back(
        b.CreateLoad(argument.getType(), pointerTo(argument.getArgNo())));
  llvm::Value *result = b.CreateCall(function, arguments);
  if (!result->getType()->isVoidTy())
    b.CreateStore(result, pointerTo(function->arg_size()));
  b.CreateRetVoid();
  return Error::success();
}

namespace {

/// What a compilation makes on its way; leaked if LLVM stops in the middle.
struct Generation {
  /// The first error that LLVM reports and goes on after, which by default
  /// would end the process.
  struct Handler : llvm::DiagnosticHandler {
    explicit Handler(std::string &text) : text(text) {}
    bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
      if (info.getSeverity() == llvm::DS_Error && text.empty()) {
        llvm::raw_string_ostream os(text);
        llvm::DiagnosticPrinterRawOStream printer(os);
        info.print(printer);
      }
      return true;
    }
    std::string &text;
  };

  Generation() {
    context.setDiagnosticHandler(std::make_unique<Handler>(diagnostic));
  }

  Error run(ModuleOp source, StringRef entry, StringRef cpu,
            llvm::TargetMachine &machine, unsigned optLevel);

  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module;
  llvm::legacy::PassManager passes;
  llvm::SmallVector<char, 0> object;
  std::string diagnostic;
};

} // namespace

Error Generation::run(ModuleOp source, StringRef entry, StringRef cpu,
                      llvm::TargetMachine &machine, unsigned optLevel) {
  auto translated = translate(source, context, cpu, machine);
  if (!translated)
    return translated.takeError();
  module = std::move(*translated);
  if (Error error = addPackedEntry(*module, entry))
    return error;
  auto optimize =
      makeOptimizingTransformer(optLevel, /*sizeLevel=*/0, &machine);
  if (Error error = optimize(module.get()))
    return error;
  llvm::raw_svector_ostream os(object);
  llvm::MCContext *mc;
  if (machine.addPassesToEmitMC(passes, mc, os))
    return makeError("the code generator makes no object files");
  passes.run(*module);
  return diagnostic.empty() ? Error::success() : makeError(diagnostic);
}

Expected<std::unique_ptr<llvm::MemoryBuffer>>
flash::generateCPUCode(ModuleOp module, StringRef entry, StringRef cpu,
                       unsigned optLevel) {
  llvm::CodeGenOptLevel level = optLevel == 0 ? llvm::CodeGenOptLevel::None
                                : optLevel == 1
                                    ? llvm::CodeGenOptLevel::Less
                                    : llvm::CodeGenOptLevel::Default;
  auto machine = createTargetMachine(cpu, level);
  if (!machine)
    return machine.takeError();
  auto generation = std::make_unique<Generation>();
  bool finished = false;
  Error error = catchFatalErrors([&] {
    Error inner = generation->run(module, entry, cpu, **machine, optLevel);
    finished = true;
    return inner;
  });
  if (!finished) {
    // On purpose nobody owns these any more.
    new std::unique_ptr<Generation>(std::move(generation));
    new std::unique_ptr<llvm::TargetMachine>(std::move(*machine));
  }
  if (error)
    return std::move(error);
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(
      std::move(generation->object), entry,
      /*RequiresNullTerminator=*/false);
}
