//===- FlashRun.h - Compile, run and check a file ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the tool flash-run does, as a library: the tool itself only reads its
// command line. Whatever is wrong with the input is one error, found before
// anything long begins.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASHRUN_FLASHRUN_H
#define FLASH_TOOLS_FLASHRUN_FLASHRUN_H

#include "flash/Compiler/Executable.h"
#include "flash/Reference/Check.h"
#include "flash/Reference/Interpreter.h"

#include <set>
#include <string>
#include <vector>

namespace flash {

struct FlashRunOptions {
  std::string file;
  std::string target = "auto";
  std::string entry;
  std::vector<std::string> inputs, outputs;
  /// `NAME=N`.
  std::vector<std::string> dims, scalars;
  int64_t seed = 0;
  bool check = false;
  int64_t repeat = 0;
  /// `L0` to `L4`.
  std::set<std::string> printAfterLevels;
  /// `llvm`, `ptx`, `cubin` or `plan`; empty to run.
  std::string emit;
  std::string emitPath = "-";
  bool compileOnly = false;
  /// `text` or `json`: report what the function moves, and run nothing.
  std::string ioReport;
  /// Random inputs are not made: only what has to do with shapes is.
  bool shapesOnly = false;
  /// Run the program with counters; they must be what the report says.
  bool countIO = false;
  /// Whether the function's forward and backward are run.
  bool differentiate = false;
  bool json = false;
  std::string schedule, scheduleTable;
  int64_t splitKV = 0;
  std::string passes;
  int threads = 0;
  /// Watches the compilation; null for none.
  CompileObserver *observer = nullptr;
  /// Where the program at L2 is written, whose lines the code names.
  std::string lineInfo;
};

/// A checked result.
struct ResultCheck {
  std::string name;
  reference::Verdict verdict;
  /// Whether all of the result is zero, as where no query sees a key.
  bool zero = false;
};

/// What a run has to tell.
struct RunReport {
  std::string target, device, function;
  /// `query 1x4x1024x64xf32`, one for each argument and result.
  std::vector<std::string> arguments, results;
  /// Sizes that nobody set: `sq = 1024`.
  std::vector<std::string> defaults;
  std::vector<std::string> schedules, scheduleSources, remarks;
  std::vector<StageTime> stages;
  bool isFromCache = false;
  /// Of a GPU's code: `ptxas PATH`, `nvJitLink PATH` or `driver`.
  std::string assembler;
  int64_t inputBytes = 0, outputBytes = 0;
  std::vector<rt::cuda::KernelAttributes> kernels;
  bool ran = false;
  int64_t repeat = 0;
  double milliseconds = 0; ///< median
  reference::Work work;
  std::vector<ResultCheck> checks;
  /// Of --count-io: what was counted, and where the report differs.
  std::vector<IOCounter> counters;
  std::string ioDifference;

  void printText(llvm::raw_ostream &os) const;
  void printJson(llvm::raw_ostream &os) const;
};

/// Does it all. Returns the exit status: 0, or 1 after an error or failed
/// check.
int flashRun(const FlashRunOptions &options);

//===----------------------------------------------------------------------===//
// Its parts
//===----------------------------------------------------------------------===//

/// Values for each argument: arrays from files or seeded normal numbers,
/// indices from options.
struct RunInputs {
  std::vector<reference::RuntimeValue> values;
  std::vector<std::string> defaults;
};
rt::Result<RunInputs> makeInputs(const FunctionSignature &signature,
                                 const FlashRunOptions &options);

/// Fills lengths, pages, and data of masks and score functions that no file
/// gave; returns what with, or nothing if random numbers will do.
std::string fillDefaultData(rt::Array &array, const SignatureArgument &argument,
                            const SizeAssignment &sizes);

/// Fails when `bytes` are more than this machine's memory.
rt::Status checkMemory(double bytes);

/// The values as arguments of a call in host memory.
std::vector<rt::Argument>
hostArguments(llvm::ArrayRef<reference::RuntimeValue> values);

struct Execution {
  /// Of the only call, or the median of the repeated ones.
  double milliseconds = 0;
  std::string device;
  std::vector<rt::cuda::KernelAttributes> kernels;
};

/// Calls the function once for its results and then `repeat` times.
rt::Result<Execution> execute(Executable &executable,
                              llvm::ArrayRef<reference::RuntimeValue> values,
                              llvm::MutableArrayRef<rt::Array> results,
                              int64_t repeat);

/// Computes both references and judges every result.
rt::Result<std::vector<ResultCheck>>
checkResults(mlir::func::FuncOp func, const FunctionSignature &signature,
             const std::vector<reference::RuntimeValue> &arguments,
             const std::vector<const rt::Array *> &results);

/// A line on stderr that says how far something long is; nothing when stderr is
/// not a terminal.
class Progress {
public:
  explicit Progress(std::string what);
  ~Progress();
  void update(double part);

private:
  std::string what;
  bool active;
  int shown = -1;
};

} // namespace flash

#endif // FLASH_TOOLS_FLASHRUN_FLASHRUN_H
