//===- CPUKernel.cpp - Compile a function and call it here ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The CPU pipeline, LLVM's code (CPUCode.h), linked into this process, and a
// call with descriptors in place of tensors:
//
//   func.func @f(%q: tensor<?x64xf32>) -> tensor<?x64xf32>
//   called as  _mlir__mlir_ciface_f({&descriptor of q, &descriptor of o})
//
// Whatever a caller passes is checked here, for compiled code does not check.
//
//===----------------------------------------------------------------------===//

#include "flash/ExecutionEngine/CPUKernel.h"
#include "flash/ExecutionEngine/CPUCode.h"
#include "flash/Runtime/Float16.h"
#include "flash/Runtime/ThreadPool.h"
#include "flash/Target/CPUInfo.h"
#include "flash/Target/TargetInfo.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/ExecutionEngine/Orc/RTDyldObjectLinkingLayer.h"
#include "llvm/ExecutionEngine/SectionMemoryManager.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
using namespace flash;

/// Reports an llvm::Error at the module.
static LogicalResult report(ModuleOp module, StringRef cpu, llvm::Error error) {
  std::string text = llvm::toString(std::move(error));
  return module.emitError("cannot compile for ")
         << (cpu.empty() ? "this CPU" : ("cpu:" + cpu).str()) << ": " << text;
}

CPUKernel::CPUKernel() = default;
CPUKernel::~CPUKernel() = default;

llvm::FailureOr<std::unique_ptr<CPUKernel>>
CPUKernel::compile(ModuleOp module, StringRef entry,
                   const CPUPipelineOptions &options) {
  auto func = module.lookupSymbol<func::FuncOp>(entry);
  if (!func || func.isExternal() || !func.isPublic())
    return module.emitError("has no public function '") << entry << "'";
  FunctionType type = func.getFunctionType();
  FailureOr<TargetAttr> target = parseTarget(
      module.getContext(), options.target, [&] { return module.emitError(); });
  if (failed(target))
    return failure();
  PassManager pm(module.getContext());
  buildCPUPipeline(pm, options);
  if (failed(pm.run(module)))
    return failure();
  return load(module, entry, type, getCodeCPU(*target));
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

/// Memory of code is the process's, functions of the C library are found in it.
static llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> createJIT() {
  using namespace llvm::orc;
  // Code that was kept is linked without a compilation before it.
  initializeCPU();
  return LLJITBuilder()
      .setObjectLinkingLayerCreator([](ExecutionSession &session) {
        return std::make_unique<RTDyldObjectLinkingLayer>(
            session, [](const llvm::MemoryBuffer &) {
              return std::make_unique<llvm::SectionMemoryManager>();
            });
      })
      .create();
}

llvm::Error CPUKernel::link(StringRef name, StringRef cpu) {
  missing = findMissingFeatures(cpu);
  if (!missing.empty())
    return llvm::Error::success();
  auto created = createJIT();
  if (!created)
    return created.takeError();
  jit = std::move(*created);
  llvm::orc::JITDylib &library = jit->getMainJITDylib();
  llvm::orc::MangleAndInterner mangle(library.getExecutionSession(),
                                      jit->getDataLayout());
  if (llvm::Error error =
          library.define(llvm::orc::absoluteSymbols(getRuntimeSymbols(mangle))))
    return error;
  if (llvm::Error error = jit->addObjectFile(llvm::MemoryBuffer::getMemBuffer(
          object->getMemBufferRef(), /*RequiresNullTerminator=*/false)))
    return error;
  auto function = jit->lookup(getPackedName(name));
  if (!function)
    return function.takeError();
  entry = function->toPtr<void (*)(void **)>();
  return llvm::Error::success();
}

llvm::FailureOr<std::unique_ptr<CPUKernel>>
CPUKernel::load(ModuleOp module, StringRef entry, FunctionType type,
                StringRef cpu, unsigned optLevel) {
  auto object = generateCPUCode(module, entry, cpu, optLevel);
  if (!object)
    return report(module, cpu, object.takeError());
  std::unique_ptr<CPUKernel> kernel(new CPUKernel);
  kernel->object = std::move(*object);
  kernel->type = type;
  for (TypeRange types :
       {TypeRange(type.getInputs()), TypeRange(type.getResults())})
    for (Type parameter : types)
      kernel->isTensor.push_back(isa<RankedTensorType>(parameter));
  if (llvm::Error error = kernel->link(entry, cpu))
    return report(module, cpu, std::move(error));
  return kernel;
}

llvm::Expected<std::unique_ptr<CPUKernel>>
CPUKernel::loadObject(StringRef object, StringRef entry, StringRef cpu,
                      std::vector<bool> isTensor) {
  std::unique_ptr<CPUKernel> kernel(new CPUKernel);
  kernel->object = llvm::MemoryBuffer::getMemBufferCopy(object, entry);
  kernel->isTensor = std::move(isTensor);
  if (llvm::Error error = kernel->link(entry, cpu))
    return std::move(error);
  return kernel;
}

StringRef CPUKernel::getObject() const { return object->getBuffer(); }

void *CPUKernel::lookup(StringRef global) const {
  if (!jit)
    return nullptr;
  auto address = jit->lookup(global);
  if (address)
    return address->toPtr<void *>();
  llvm::consumeError(address.takeError());
  return nullptr;
}

llvm::Error CPUKernel::dumpObject(StringRef path) const {
  return llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
    os << object->getBuffer();
    return llvm::Error::success();
  });
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
  if (!missing.empty()) {
    error = "this machine cannot run the code: its processor lacks " +
            llvm::join(missing, ", ");
    return failure();
  }
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
