//===- CPUKernel.cpp - Compile a function and call it here ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The CPU pipeline, LLVM's optimizer and code generator for the host, and a
// call with descriptors in place of tensors:
//
//   func.func @f(%q: tensor<?x64xf32>) -> tensor<?x64xf32>
//   called as  _mlir__mlir_ciface_f({&descriptor of q, &descriptor of o})
//
// Whatever a caller passes is checked here, for compiled code does not check.
//
//===----------------------------------------------------------------------===//

#include "flash/ExecutionEngine/CPUKernel.h"
#include "flash/Runtime/Float16.h"
#include "flash/Runtime/ThreadPool.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>

using namespace mlir;
using namespace flash;

/// Reports an llvm::Error at the module.
static LogicalResult report(ModuleOp module, llvm::Error error) {
  std::string text = llvm::toString(std::move(error));
  return module.emitError("cannot compile for this CPU: ") << text;
}

llvm::FailureOr<std::unique_ptr<CPUKernel>>
CPUKernel::compile(ModuleOp module, StringRef entry,
                   const CPUPipelineOptions &options) {
  auto func = module.lookupSymbol<func::FuncOp>(entry);
  if (!func || func.isExternal() || !func.isPublic())
    return module.emitError("has no public function '") << entry << "'";
  FunctionType type = func.getFunctionType();
  PassManager pm(module.getContext());
  buildCPUPipeline(pm, options);
  if (failed(pm.run(module)))
    return failure();
  return load(module, entry, type);
}

// Conversions that LLVM calls by name where the machine has no instruction. It
// does so even for code without conversions: it moves a lone bf16 through f32.
// 16-bit floats travel in the low half of a float's register (x86-64 ABI), and
// the C libraries of some systems lack these functions.
static float truncateToBf16(float value) {
  return rt::floatOf(rt::floatToBf16(value));
}
static float truncateToF16(float value) {
  return rt::floatOf(rt::floatToF16(value));
}
static float extendF16(float value) {
  return rt::f16ToFloat(static_cast<uint16_t>(rt::bitsOf(value)));
}

/// What compiled code may call.
static llvm::orc::SymbolMap
getRuntimeSymbols(llvm::orc::MangleAndInterner mangle) {
  llvm::orc::SymbolMap symbols;
  auto add = [&](StringRef name, auto *function) {
    symbols[mangle(name)] = {llvm::orc::ExecutorAddr::fromPtr(function),
                             llvm::JITSymbolFlags::Exported};
  };
  add("flash_rt_parallel_for", &flash_rt_parallel_for);
#if defined(__x86_64__)
  add("__truncsfbf2", &truncateToBf16);
  add("__truncsfhf2", &truncateToF16);
  add("__extendhfsf2", &extendF16);
#endif
  return symbols;
}

static void initializeTarget() {
  static std::once_flag initialized;
  std::call_once(initialized, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
}

llvm::FailureOr<std::unique_ptr<CPUKernel>> CPUKernel::load(ModuleOp module,
                                                            StringRef entry,
                                                            FunctionType type,
                                                            unsigned optLevel) {
  initializeTarget();
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());

  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return report(module, builder.takeError());
  llvm::CodeGenOptLevel codeGenLevel =
      optLevel == 0   ? llvm::CodeGenOptLevel::None
      : optLevel == 1 ? llvm::CodeGenOptLevel::Less
                      : llvm::CodeGenOptLevel::Default;
  builder->setCodeGenOptLevel(codeGenLevel);
  auto machine = builder->createTargetMachine();
  if (!machine)
    return report(module, machine.takeError());

  auto optimize =
      makeOptimizingTransformer(optLevel, /*sizeLevel=*/0, machine->get());
  ExecutionEngineOptions options;
  options.transformer = optimize;
  options.jitCodeGenOptLevel = codeGenLevel;
  options.enableObjectDump = true;
  options.enableGDBNotificationListener = false;
  auto engine = ExecutionEngine::create(module, options, std::move(*machine));
  if (!engine)
    return report(module, engine.takeError());

  std::unique_ptr<CPUKernel> kernel(new CPUKernel);
  kernel->engine = std::move(*engine);
  kernel->type = type;
  for (TypeRange types :
       {TypeRange(type.getInputs()), TypeRange(type.getResults())})
    for (Type parameter : types)
      kernel->isTensor.push_back(isa<RankedTensorType>(parameter));
  kernel->engine->registerSymbols(getRuntimeSymbols);
  kernel->engine->initialize();
  auto function = kernel->engine->lookupPacked(("_mlir_ciface_" + entry).str());
  if (!function)
    return report(module, function.takeError());
  kernel->entry = *function;
  return kernel;
}

llvm::Expected<std::unique_ptr<CPUKernel>>
CPUKernel::loadObject(StringRef object, StringRef entry,
                      std::vector<bool> isTensor) {
  initializeTarget();
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  llvm::orc::JITDylib &library = (*jit)->getMainJITDylib();
  llvm::orc::MangleAndInterner mangle((*jit)->getExecutionSession(),
                                      (*jit)->getDataLayout());
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      (*jit)->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  library.addGenerator(std::move(*process));
  if (llvm::Error error =
          library.define(llvm::orc::absoluteSymbols(getRuntimeSymbols(mangle))))
    return error;
  if (llvm::Error error =
          (*jit)->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(object)))
    return error;
  auto function = (*jit)->lookup(("_mlir__mlir_ciface_" + entry).str());
  if (!function)
    return function.takeError();
  std::unique_ptr<CPUKernel> kernel(new CPUKernel);
  kernel->entry = function->toPtr<void (*)(void **)>();
  kernel->jit = std::move(*jit);
  kernel->isTensor = std::move(isTensor);
  return kernel;
}

std::string CPUKernel::getObject() const {
  llvm::SmallString<128> path;
  if (!engine || llvm::sys::fs::createTemporaryFile("flash", "o", path))
    return "";
  engine->dumpToObjectFile(path);
  auto buffer = llvm::MemoryBuffer::getFile(path);
  std::string object = buffer ? (*buffer)->getBuffer().str() : "";
  (void)llvm::sys::fs::remove(path);
  return object;
}

void *CPUKernel::lookup(StringRef global) const {
  if (!engine)
    return nullptr;
  llvm::Expected<void *> address = engine->lookup(global);
  if (address)
    return *address;
  llvm::consumeError(address.takeError());
  return nullptr;
}

void CPUKernel::dumpObject(StringRef path) const {
  engine->dumpToObjectFile(path);
}

/// What is wrong with an argument for a parameter, or an empty string.
static std::string mismatch(const KernelArgument &argument, Type parameter) {
  auto tensor = dyn_cast<RankedTensorType>(parameter);
  if (!tensor)
    return argument.data ? "is a tensor where a number is expected" : "";
  std::string text;
  llvm::raw_string_ostream os(text);
  if ((int64_t)argument.shape.size() != tensor.getRank()) {
    os << "has rank " << argument.shape.size() << " where " << tensor
       << " is expected";
    return text;
  }
  for (int64_t dim = 0; dim < tensor.getRank(); ++dim) {
    int64_t size = argument.shape[dim];
    if (size < 0 ||
        (!tensor.isDynamicDim(dim) && tensor.getDimSize(dim) != size)) {
      os << "has size " << size << " in dimension " << dim << " where "
         << tensor << " is expected";
      return text;
    }
  }
  return text;
}

namespace {
/// A memref descriptor, of any rank, and what the call needs to point to it.
struct Descriptor {
  explicit Descriptor(const KernelArgument &argument) {
    size_t rank = argument.shape.size();
    words.resize(3 + 2 * rank);
    words[0] = words[1] = reinterpret_cast<intptr_t>(argument.data);
    int64_t stride = 1;
    for (size_t dim = rank; dim-- > 0;) {
      words[3 + dim] = argument.shape[dim];
      words[3 + rank + dim] =
          argument.strides.empty() ? stride : argument.strides[dim];
      stride *= argument.shape[dim];
    }
  }
  SmallVector<int64_t, 11> words;
};
} // namespace

LogicalResult CPUKernel::invoke(ArrayRef<KernelArgument> inputs,
                                ArrayRef<KernelArgument> outputs,
                                std::string &error) const {
  error.clear();
  auto check = [&](ArrayRef<KernelArgument> arguments, ArrayRef<Type> types,
                   StringRef what) {
    llvm::raw_string_ostream os(error);
    if (arguments.size() != types.size()) {
      os << "there are " << arguments.size() << " " << what << "s where "
         << types.size() << " are expected";
      return failure();
    }
    for (auto [i, argument, parameter] : llvm::enumerate(arguments, types)) {
      std::string reason = mismatch(argument, parameter);
      if (reason.empty())
        continue;
      os << what << " " << i << " " << reason;
      return failure();
    }
    return success();
  };
  if (type && (failed(check(inputs, type.getInputs(), "input")) ||
               failed(check(outputs, type.getResults(), "output"))))
    return failure();

  SmallVector<KernelArgument> all(inputs);
  llvm::append_range(all, outputs);
  SmallVector<Descriptor, 0> descriptors;
  for (const KernelArgument &argument : all)
    descriptors.emplace_back(argument);
  SmallVector<void *> pointers, packed;
  for (Descriptor &descriptor : descriptors)
    pointers.push_back(descriptor.words.data());
  for (size_t i = 0; i < all.size(); ++i)
    packed.push_back(isTensor[i] ? static_cast<void *>(&pointers[i])
                                 : static_cast<void *>(&all[i].number));
  entry(packed.data());
  return success();
}
