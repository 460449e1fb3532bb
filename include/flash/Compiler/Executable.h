//===- Executable.h - A function, compiled for a target ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One way from a function at L0 to something that can be called, for every
// target; flash-run, the C library and the test matrix share it. The levels are
// passed one by one and verified, so that a caller can look at each.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_COMPILER_EXECUTABLE_H
#define FLASH_COMPILER_EXECUTABLE_H

#include "flash/Compiler/Signature.h"
#include "flash/Dialect/Flash/Analysis/IOCounters.h"
#include "flash/Runtime/Cuda.h"
#include "flash/Runtime/Executor.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mlir {
class PassManager;
} // namespace mlir

namespace flash {

class KernelAssembly;

/// Who watches a compilation and has a say in its pass managers: the options of
/// a tool that print IR or measure time
/// (lib/Tools/Drivers/PassManagerOptions.h).
class CompileObserver {
public:
  virtual ~CompileObserver() = default;
  /// Around each stage: `call`, `L0` to `L4`, `PTX`, `ptxas` or `LLVM`.
  virtual void beginStage(llvm::StringRef stage) {}
  virtual void endStage() {}
  /// Called before the manager of a stage runs, with all its passes.
  virtual rt::Status configure(mlir::PassManager &manager) = 0;
};

struct CompileOptions {
  /// `cpu`, `cpu:x86-64-v3`, `sm_90a`, ...: a name of TargetInfo.h, or a
  /// #flash.target attribute.
  std::string target = "cpu";
  /// A #flash.schedule attribute; what it leaves open is chosen.
  std::string schedule;
  /// The schedule is whole: what it leaves open is not chosen.
  bool exactSchedule = false;
  /// Tables of measured schedules: files, separated by commas; `none`; or,
  /// empty, those that are built in.
  std::string scheduleTable;
  /// Parts that the keys are split into; 0 and 1 leave them whole.
  int64_t splitKV = 0;
  /// Options of the GPU's pipeline, as `flash-gpu-pipeline` takes them:
  /// `overlap=false delay-role=producer`.
  std::string passes;
  /// Count what tiles load and store (`flash-count-io`); for the CPU.
  bool countIO = false;
  /// Assemble PTX, if there is an assembler. Not needed by who only wants its
  /// text.
  bool assemble = true;
  /// Give the function back while ptxas is still at work: a launch waits for
  /// its own kernels, and has the errors of their assembling.
  bool deferAssembly = false;
  /// LLVM's level, from 0 to 3, for the CPU.
  unsigned optLevel = 3;
  /// Called after each level, with verified IR.
  std::function<void(llvm::StringRef level, mlir::ModuleOp module)> onLevel;
  /// With one, the cache is not asked: there is nothing to watch in what it
  /// has.
  CompileObserver *observer = nullptr;
  /// Where the program at L2 is written, for a GPU: lines of this file are what
  /// the code's line information names. Without, the code has none.
  std::string lineInfo;
};

/// Time of one step of a compilation.
struct StageTime {
  std::string name;
  double milliseconds;
};

class Executable {
public:
  virtual ~Executable() = default;

  /// Compiles a copy of `func`; what else its module holds is left out. The
  /// error is the first diagnostic, with its location.
  static rt::Result<std::unique_ptr<Executable>>
  compile(mlir::func::FuncOp func, const CompileOptions &options);

  /// The same through the cache on disk (FLASH_CACHE_DIR, else
  /// $XDG_CACHE_HOME/flash; FLASH_CACHE=0 for none): where what this text
  /// became is there, nothing is parsed and `compile` is not called. Options
  /// that show IR or count are not for it.
  static rt::Result<std::unique_ptr<Executable>> compileCached(
      llvm::StringRef text, llvm::StringRef entry,
      const CompileOptions &options,
      llvm::function_ref<rt::Result<std::unique_ptr<Executable>>()> compile);

  /// Whether pointers are to device memory.
  virtual bool onDevice() const = 0;

  /// Waits for all code and loads it into the current context, so that the
  /// first launch is as fast as others.
  virtual rt::Status prepare() { return rt::Status::success(); }

  /// What must hold of a call, and the sizes of its results.
  virtual const rt::CallPlan &plan() const = 0;

  /// Checks a call and runs the function. On a device the work is enqueued on
  /// `stream`, and temporaries lie in the workspace, if there is one.
  virtual rt::Status launch(const rt::CallArgument *arguments,
                            const rt::CallArgument *results,
                            rt::cuda::Stream stream,
                            const rt::Workspace *workspace) = 0;
  /// The same for arguments that know their kinds and ranks, which are checked.
  rt::Status launch(const std::vector<rt::Argument> &arguments,
                    const std::vector<rt::Argument> &results,
                    rt::cuda::Stream stream);

  /// Bytes of `llvm`, `ptx`, `cubin` or `plan`; an error for what the target
  /// does not have.
  virtual rt::Result<std::string> emit(llvm::StringRef kind) = 0;

  /// Kernels that are still being assembled (CompileOptions::deferAssembly);
  /// null where all was there from the start.
  virtual std::shared_ptr<KernelAssembly> getAssembly() const {
    return nullptr;
  }
  /// Waits for them; the first error. `stages` and `assemblerLog` are whole
  /// then.
  virtual rt::Status finish() { return rt::Status::success(); }

  /// Gives what the cache keeps of it, nothing for what cannot be kept. It
  /// needs the executable no more, and is called when all kernels are
  /// assembled.
  using SaveFunction = std::function<std::optional<std::string>()>;
  virtual SaveFunction getSave() {
    return [] { return std::nullopt; };
  }

  /// What all launches since the last call moved, of a program compiled with
  /// `countIO`; no launch may be under way.
  virtual std::vector<IOCounter> takeIOCounters() { return {}; }

  /// Registers, shared and local memory of each kernel on this machine's
  /// device.
  virtual rt::Result<std::vector<rt::cuda::KernelAttributes>>
  kernelAttributes() {
    return std::vector<rt::cuda::KernelAttributes>();
  }

  /// The schedule of each attention, in order.
  std::vector<std::string> schedules;
  /// Where each came from: `table NAME`, `model`, or `given` (and over what).
  std::vector<std::string> scheduleSources;
  /// What passes had to say of what they did not do, `file:3:5: what`.
  std::vector<std::string> remarks;
  std::vector<StageTime> stages;
  bool isFromCache = false;
  /// What the assembler said (ptxas with -v), if it ran.
  std::string assemblerLog;
  /// Of a GPU's code: `ptxas PATH`, `nvJitLink PATH` or `driver`.
  std::string assembler;
};

/// What a call of `func`, compiled with these options, moves, by the model of
/// IOModel.h. Nothing is compiled. Of the arguments shapes and indices are
/// looked at, and the elements of integer tensors that have an address (on the
/// host).
rt::Result<FunctionIO> reportIO(mlir::func::FuncOp func,
                                const CompileOptions &options,
                                const std::vector<rt::Argument> &arguments);

/// The description of a target's name or attribute; this machine's of `cpu`.
rt::Result<TargetAttr> resolveTarget(mlir::MLIRContext *context,
                                     llvm::StringRef text);

/// Whether there is a target of this name (or attribute); the error names those
/// there are.
rt::Status checkTarget(llvm::StringRef text);

/// The target that `auto` means here: the first GPU's, else `cpu`.
std::string chooseTarget();

/// Whether this machine can run code for `target`; the error says what it has.
rt::Status checkTargetIsHere(llvm::StringRef target);

/// Whether this machine's processor has the features of a CPU by name (without
/// `cpu:`); the error names those that it lacks.
rt::Status checkCPURuns(llvm::StringRef name);

/// Collects diagnostics while it lives, so that a library prints nothing.
class DiagnosticCollector {
public:
  explicit DiagnosticCollector(mlir::MLIRContext *context);
  ~DiagnosticCollector();
  /// The first error in one line, `file:3:5: what`; or `fallback`.
  rt::Status takeError(llvm::StringRef fallback) const;
  /// The remarks, each in one line.
  const std::vector<std::string> &getRemarks() const { return remarks; }

private:
  mlir::MLIRContext *context;
  mlir::DiagnosticEngine::HandlerID id;
  std::string first;
  std::vector<std::string> remarks;
};

} // namespace flash

#endif // FLASH_COMPILER_EXECUTABLE_H
