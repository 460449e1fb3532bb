//===- Runner.cpp - Compiles and checks the matrix ------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Threads take kernels one by one: each compiles its kernel in a context of its
// own and runs it on every shape.
//
//===----------------------------------------------------------------------===//

#include "Fence.h"
#include "Guarded.h"
#include "Matrix.h"

#include "flash/Compiler/Executable.h"
#include "flash/InitAll.h"
#include "flash/Reference/Check.h"
#include "flash/Runtime/Random.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/Format.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>
#include <unistd.h>

using namespace flash;
using namespace flash::matrix;
using reference::RuntimeValue;
using reference::Tensor;
using rt::Array;
using rt::Result;
using rt::Status;

namespace {

/// The arguments of one call, for the reference and for the kernel.
struct Operands {
  std::vector<std::unique_ptr<Array>> arrays;
  std::vector<Guarded> guarded;
  std::vector<Fence> fenced;
  std::vector<RuntimeValue> values;
  std::vector<rt::Argument> arguments;
};

/// What the whole run counts.
struct Totals {
  std::mutex mutex; // guards output too
  int64_t passed = 0, failed = 0, kernels = 0, skipped = 0;
  double worst = 0; ///< largest error, as a part of its limit
  std::string worstName;
};

/// One kernel on one thread.
class KernelRun {
public:
  KernelRun(const Kernel &kernel, const MatrixOptions &options, Totals &totals)
      : kernel(kernel), options(options), totals(totals) {}

  void run() {
    Status status = compile();
    if (status.failed()) {
      std::lock_guard<std::mutex> lock(totals.mutex);
      // What a target cannot do yet it says so; the CPU does everything.
      bool skip = options.target != "cpu" &&
                  status.message().find("not supported") != std::string::npos;
      (skip ? totals.skipped : totals.failed) +=
          skip ? 1 : kernel.shapes.size();
      llvm::outs() << (skip ? "SKIP " : "FAIL ") << kernel.name()
                   << ": does not compile: " << status.message() << "\n";
      llvm::outs().flush();
      return;
    }
    for (const Shape &shape : kernel.shapes) {
      std::string failure = runShape(shape);
      std::lock_guard<std::mutex> lock(totals.mutex);
      ++(failure.empty() ? totals.passed : totals.failed);
      if (!failure.empty() || options.verbose)
        llvm::outs() << (failure.empty() ? "ok   " : "FAIL ") << kernel.name()
                     << describe(shape)
                     << (failure.empty() ? "" : ": " + failure) << "\n";
    }
    std::lock_guard<std::mutex> lock(totals.mutex);
    ++totals.kernels;
    llvm::outs().flush();
  }

private:
  std::string describe(const Shape &shape) const {
    std::string text = " B=" + std::to_string(shape.batch) +
                       " Sq=" + std::to_string(shape.sq) +
                       " Sk=" + std::to_string(shape.sk);
    if (kernel.offsets)
      text += " q_offset=" + std::to_string(shape.qOffset) +
              " kv_offset=" + std::to_string(shape.kvOffset);
    if (kernel.dynamicHeads)
      text += " heads=" + std::to_string(shape.heads) + "/" +
              std::to_string(shape.kvHeads);
    return text;
  }

  Status compile() {
    mlir::DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    {
      DiagnosticCollector diagnostics(&context);
      module =
          mlir::parseSourceString<mlir::ModuleOp>(kernel.program(), &context);
      if (!module)
        return diagnostics.takeError("the program does not parse");
    }
    Result<mlir::func::FuncOp> entry = findEntry(*module, "");
    if (entry.failed())
      return entry.status();
    func = *entry;
    compileOptions.target = options.target;
    compileOptions.splitKV = kernel.splitKV;
    compileOptions.passes = options.passes;
    compileOptions.countIO = options.io;
    compileOptions.schedule = options.schedule;
    Result<std::unique_ptr<Executable>> compiled =
        Executable::compile(func, compileOptions);
    if (compiled.failed())
      return compiled.status();
    executable = std::move(*compiled);
    return Status::success();
  }

  std::vector<std::vector<int64_t>> inputShapes(const Shape &shape) const {
    int64_t heads = kernel.dynamicHeads ? shape.heads : kernel.heads,
            kvHeads = kernel.dynamicHeads ? shape.kvHeads : kernel.kvHeads;
    auto dims = [&](int64_t headCount, int64_t length, int64_t dim) {
      return kernel.bshd
                 ? std::vector<int64_t>{shape.batch, length, headCount, dim}
                 : std::vector<int64_t>{shape.batch, headCount, length, dim};
    };
    auto keys = [&](int64_t dim) {
      std::vector<int64_t> all =
          dims(kvHeads, kernel.pageSize ? kernel.pageSize : shape.sk, dim);
      if (kernel.pageSize)
        all[0] = pagesOf(kernel, shape);
      return all;
    };
    return {dims(heads, shape.sq, kernel.dqk), keys(kernel.dqk),
            keys(kernel.dv)};
  }

  /// An operand in memory of its own: between guards on a GPU, between pages
  /// that cannot be read on a CPU.
  static Status addInput(Array array, const rt::cuda::Driver *cuda,
                         Operands &operands) {
    if (cuda) {
      Result<Guarded> guarded =
          Guarded::create(array.dtype(), array.shape(), cuda);
      if (guarded.failed())
        return guarded.status();
      guarded->set(array);
      if (Status copied = guarded->toDevice(); copied.failed())
        return copied;
      operands.arguments.push_back(guarded->argument());
      operands.guarded.push_back(std::move(*guarded));
    } else {
      Result<Fence> fence = Fence::create(array);
      if (fence.failed())
        return fence.status();
      operands.arguments.push_back(rt::Argument::tensor(
          reinterpret_cast<uint64_t>(fence->data()), array.shape()));
      operands.fenced.push_back(std::move(*fence));
    }
    operands.arrays.push_back(std::make_unique<Array>(std::move(array)));
    operands.values.push_back(Tensor::view(*operands.arrays.back()));
    return Status::success();
  }

  /// Returns what failed, or an empty string.
  std::string runShape(const Shape &shape) {
    const rt::cuda::Driver *cuda = nullptr;
    std::optional<rt::cuda::ContextScope> scope;
    if (executable->onDevice()) {
      Result<const rt::cuda::Driver *> driver = rt::cuda::Driver::get();
      if (driver.failed())
        return driver.message();
      cuda = *driver;
      Result<rt::cuda::ContextScope> entered =
          rt::cuda::ContextScope::enter(*cuda);
      if (entered.failed())
        return entered.message();
      scope.emplace(std::move(*entered));
    }

    Fence::setCase(kernel.name() + describe(shape));
    Operands operands;
    uint64_t seed = options.seed * 1009 + shape.sq * 31 + shape.sk;
    for (const std::vector<int64_t> &dims : inputShapes(shape)) {
      Result<Array> array = Array::create(kernel.type, dims);
      Status status = array.status();
      if (array.ok())
        status = rt::fillNormal(*array, seed++);
      if (status.ok())
        status = addInput(std::move(*array), cuda, operands);
      if (status.failed())
        return status.message();
    }
    if (kernel.offsets)
      for (int64_t offset : {shape.qOffset, shape.kvOffset}) {
        operands.values.push_back(offset);
        operands.arguments.push_back(rt::Argument::index(offset));
      }
    for (const Extra &extra : kernel.extras) {
      Result<Array> array =
          Array::create(extra.element, extra.shape(kernel, shape));
      if (array.failed())
        return array.message();
      extra.fill(kernel, shape, seed++, *array);
      Status status = addInput(std::move(*array), cuda, operands);
      if (status.failed())
        return status.message();
    }

    if (options.io)
      return checkIO(func, compileOptions, *executable, operands.values,
                     operands.arguments);

    std::vector<Guarded> guardedResults;
    std::vector<rt::Argument> results;
    auto truth =
        reference::run(func, operands.values, reference::Arithmetic::Float64);
    auto unfused =
        reference::run(func, operands.values, reference::Arithmetic::Unfused);
    if (truth.failed() || unfused.failed())
      return "reference: " + truth.message() + unfused.message();
    for (const RuntimeValue &value : *unfused) {
      const Tensor &tensor = std::get<Tensor>(value);
      Result<Guarded> guarded =
          Guarded::create(tensor.type, tensor.shape, cuda);
      if (guarded.failed())
        return guarded.message();
      guardedResults.push_back(std::move(*guarded));
    }
    results.reserve(guardedResults.size());
    for (const Guarded &result : guardedResults)
      results.push_back(result.argument());

    std::vector<Array> first;
    for (int64_t repeat = 0; repeat < options.repeats; ++repeat) {
      for (Guarded &result : guardedResults) {
        result.poison();
        if (Status copied = result.toDevice(); copied.failed())
          return copied.message();
      }
      Status status = executable->launch(operands.arguments, results, nullptr);
      if (cuda && status.ok())
        status = rt::cuda::synchronize(*cuda, nullptr);
      if (status.failed())
        return status.message();
      for (size_t i = 0; i < guardedResults.size(); ++i) {
        Guarded &result = guardedResults[i];
        if (Status copied = result.fromDevice(); copied.failed())
          return copied.message();
        if (!result.intact())
          return "result " + std::to_string(i) +
                 ": written outside of its memory";
        Result<Array> array = result.values();
        if (array.failed())
          return array.message();
        if (repeat == 0)
          first.push_back(std::move(*array));
        else if (std::memcmp(array->data(), first[i].data(),
                             array->sizeInBytes()) != 0)
          return "result " + std::to_string(i) + ": launch " +
                 std::to_string(repeat) + " gave other bits than the first";
      }
    }

    for (size_t i = 0; i < first.size(); ++i) {
      bool isLse = i == 1;
      reference::Verdict verdict = reference::judge(
          first[i], *std::get<Tensor>((*truth)[i]).array,
          *std::get<Tensor>((*unfused)[i]).array,
          isLse ? reference::ResultKind::Lse : reference::ResultKind::Output,
          kernel.type);
      if (!verdict.passed())
        return (isLse ? "lse: " : "o: ") + verdict.failure;
      auto ratio = [](double error, double limit) {
        return error > 0 ? error / limit : 0;
      };
      double part =
          std::max({ratio(verdict.error.relative, verdict.limit.relative),
                    ratio(verdict.error.maximum, verdict.limit.maximum),
                    ratio(verdict.error.row, verdict.limit.row)});
      std::lock_guard<std::mutex> lock(totals.mutex);
      if (part > totals.worst) {
        totals.worst = part;
        totals.worstName =
            kernel.name() + describe(shape) + (isLse ? " (lse)" : " (o)");
      }
    }
    return "";
  }

  const Kernel &kernel;
  const MatrixOptions &options;
  Totals &totals;
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp func;
  CompileOptions compileOptions;
  std::unique_ptr<Executable> executable;
};

} // namespace

int matrix::runMatrix(const MatrixOptions &options) {
  auto begin = std::chrono::steady_clock::now();
  std::vector<Kernel> kernels;
  int64_t position = 0;
  for (Kernel &kernel : makeKernels(options.large)) {
    std::string name = kernel.name();
    bool wanted = true;
    for (const std::string &filter : options.filters)
      wanted &= name.find(filter) != std::string::npos;
    if (wanted && position++ % options.stride == 0)
      kernels.push_back(std::move(kernel));
  }
  Totals totals;
  std::atomic<size_t> next{0};
  bool terminal = isatty(STDERR_FILENO);
  auto work = [&] {
    for (size_t i; (i = next++) < kernels.size();) {
      KernelRun(kernels[i], options, totals).run();
      std::lock_guard<std::mutex> lock(totals.mutex);
      if (terminal)
        llvm::errs() << "\r" << totals.kernels << " of " << kernels.size()
                     << " kernels";
    }
  };
  // One thread and the pool's for a CPU target would fight for the cores while
  // kernels compile, which is most of the time: a kernel for each core.
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency());
       ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  if (terminal)
    llvm::errs() << "\r\033[K";

  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  llvm::outs() << "target " << options.target << ", seed " << options.seed
               << ", " << kernels.size() << " kernels, " << options.repeats
               << " launches a case, " << llvm::format("%.0f s", seconds)
               << "\n";
  if (totals.skipped)
    llvm::outs() << totals.skipped
                 << " kernels skipped: the target cannot compile them yet\n";
  if (!options.io)
    llvm::outs() << "largest error: " << llvm::format("%.2f", totals.worst)
                 << " of its limit, " << totals.worstName << "\n";
  llvm::outs() << totals.passed << " passed, " << totals.failed << " failed\n";
  return totals.failed || !totals.passed;
}
