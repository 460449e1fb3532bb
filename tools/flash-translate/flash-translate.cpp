//===- flash-translate.cpp - From L4 to PTX, cubins and plans -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   flash-opt --flash-gpu-pipeline=target=sm_90a in.mlir \
//     | flash-translate --flash-to-ptx --flash-target=sm_90a
//
//===----------------------------------------------------------------------===//

#include "flash/InitAll.h"
#include "flash/Target/AssemblePTX.h"
#include "flash/Target/BuildProgram.h"
#include "flash/Target/EmitPTX.h"

#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;

static llvm::cl::opt<std::string>
    targetOption("flash-target", llvm::cl::desc("Architecture of the GPU"),
                 llvm::cl::init("sm_80"));
static llvm::cl::opt<std::string>
    entryOption("flash-entry",
                llvm::cl::desc("Function that a plan is made of"),
                llvm::cl::init(""));

/// The code of the kernels, not assembled.
static FailureOr<std::vector<flash::KernelText>> compile(Operation *op) {
  auto module = dyn_cast<ModuleOp>(op);
  if (!module)
    return op->emitError("expected a builtin.module");
  if (module.getOps<gpu::GPUModuleOp>().empty())
    return op->emitError("expected a gpu.module at L4, but found none");
  return flash::emitKernels(module, targetOption);
}

static FailureOr<std::string> modulePTX(Operation *op) {
  FailureOr<std::vector<flash::KernelText>> kernels = compile(op);
  if (failed(kernels))
    return failure();
  std::vector<std::string> texts;
  for (flash::KernelText &code : *kernels)
    texts.push_back(std::move(code.ptx));
  return flash::joinPTX(texts);
}

static LogicalResult translateToPTX(Operation *op, raw_ostream &os) {
  FailureOr<std::string> ptx = modulePTX(op);
  if (failed(ptx))
    return failure();
  os << *ptx;
  return success();
}

static LogicalResult translateToLLVM(Operation *op, raw_ostream &os) {
  FailureOr<std::vector<flash::KernelText>> kernels = compile(op);
  if (failed(kernels))
    return failure();
  for (const flash::KernelText &code : *kernels) {
    FailureOr<std::string> text = flash::printBitcode(code.bitcode);
    if (failed(text))
      return op->emitError("the LLVM IR cannot be read back");
    os << *text;
  }
  return success();
}

static LogicalResult translateToCubin(Operation *op, raw_ostream &os) {
  FailureOr<std::string> ptx = modulePTX(op);
  if (failed(ptx))
    return failure();
  flash::AssembledPTX made;
  if (flash::rt::Status status = flash::assemblePTX(*ptx, targetOption, made);
      status.failed())
    return op->emitError() << status.message();
  os << made.cubin;
  return success();
}

static LogicalResult translateToPlan(Operation *op, raw_ostream &os) {
  auto module = dyn_cast<ModuleOp>(op);
  if (!module)
    return op->emitError("expected a builtin.module");
  flash::ProgramOptions options;
  options.entry = entryOption;
  options.target = targetOption;
  // A plan needs code to be valid; its text does not show it.
  options.images = {"//"};
  FailureOr<flash::rt::Program> program = flash::buildProgram(module, options);
  if (failed(program))
    return failure();
  os << program->str();
  return success();
}

static void registerDialects(DialectRegistry &registry) {
  flash::registerAllDialects(registry);
  flash::registerEmitPTXInterfaces(registry);
}

int main(int argc, char **argv) {
  TranslateFromMLIRRegistration ptx("flash-to-ptx", "PTX of kernels at L4",
                                    translateToPTX, registerDialects);
  TranslateFromMLIRRegistration llvm("flash-to-llvmir",
                                     "LLVM IR of kernels at L4, optimised",
                                     translateToLLVM, registerDialects);
  TranslateFromMLIRRegistration cubin("flash-to-cubin",
                                      "cubin of kernels at L4",
                                      translateToCubin, registerDialects);
  TranslateFromMLIRRegistration plan("flash-to-plan",
                                     "launch plan of a function at L3 or L4",
                                     translateToPlan, registerDialects);
  return failed(
      mlirTranslateMain(argc, argv, "Flash's translations out of MLIR\n"));
}
