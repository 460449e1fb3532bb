//===- flash-matrix.cpp - Kernels times shapes, against float64 -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The command line of flash::matrix::runMatrix.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include "flash/Compiler/Executable.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

#include <random>

namespace cl = llvm::cl;

static constexpr llvm::StringLiteral kOverview =
    R"(Compiles many kernels, runs each on many shapes and checks every result
against float64 (docs/Checking.md). Inputs lie between NaNs and outputs are NaN before
a run, so that what is read or written outside, or not written, is seen.

  flash-matrix --target=cpu
  flash-matrix --target=sm_90a --repeats=100 --seed=fresh
  flash-matrix --filter=bf16 --filter=split --verbose
  flash-matrix --io
  flash-matrix --head-dims --target=cpu:znver4 --run-if-possible --part=3/16
)";

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ResetCommandLineParser();
  cl::OptionCategory category("flash-matrix options");
  flash::matrix::MatrixOptions options;
  cl::opt<std::string> target(
      "target", cl::init("cpu"), cl::value_desc("cpu|cpu:NAME|auto|sm_90a|..."),
      cl::desc("What to compile for and run on"), cl::cat(category));
  cl::opt<std::string> schedule(
      "schedule", cl::value_desc("#flash.schedule<...>"),
      cl::desc("Overrides parts of the compiler's choice of tiles"));
  cl::opt<std::string> scheduleTable(
      "schedule-table", cl::value_desc("FILE|none"),
      cl::desc("Measured schedules in the place of those that are built in"));
  cl::opt<std::string> passes(
      "passes", cl::value_desc("name=value ..."),
      cl::desc("Options of flash-gpu-pipeline, as delay-role=producer"),
      cl::cat(category));
  cl::opt<std::string> seed(
      "seed", cl::init("0"), cl::value_desc("N|fresh"),
      cl::desc("Of the inputs; fresh: another one each time, printed"),
      cl::cat(category));
  cl::opt<int64_t> repeats(
      "repeats", cl::init(1), cl::value_desc("N"),
      cl::desc("Launch each case N times; all results must have the same bits"),
      cl::cat(category));
  cl::list<std::string> filters("filter", cl::value_desc("text"),
                                cl::desc("Only kernels with this in their name "
                                         "(repeatable: with all of them)"),
                                cl::cat(category));
  cl::opt<int64_t> stride("stride", cl::init(1), cl::value_desc("N"),
                          cl::desc("Only every N-th kernel"),
                          cl::cat(category));
  cl::opt<std::string> part(
      "part", cl::init("1/1"), cl::value_desc("K/N"),
      cl::desc("Deal the kernels out to N parts, by their names, and take the "
               "K-th: other K, other kernels, and all of them in the end"),
      cl::cat(category));
  cl::opt<bool> headDims("head-dims",
                         cl::desc("Every head dim from 1 to 256 of every type, "
                                  "with one shape, instead of the matrix"),
                         cl::cat(category));
  cl::opt<bool> compileOnly(
      "compile-only", cl::desc("Compile and run nothing; any --target will do"),
      cl::cat(category));
  cl::opt<bool> runIfPossible(
      "run-if-possible",
      cl::desc("Compile only, if this machine cannot run the --target's code"),
      cl::cat(category));
  cl::opt<unsigned> optLevel("opt-level", cl::init(3), cl::value_desc("0..3"),
                             cl::desc("LLVM's level on the CPU"),
                             cl::cat(category));
  cl::opt<bool> large("large", cl::desc("Add lengths of several thousand"),
                      cl::cat(category));
  cl::opt<bool> io(
      "io",
      cl::desc("Count the bytes that tiles load and store while each case runs "
               "(CPU), and compare with the IO report, to the byte, instead of "
               "results with float64"),
      cl::cat(category));
  cl::opt<bool> list(
      "list", cl::desc("Print the kernels' names and programs, run nothing"),
      cl::cat(category));
  cl::opt<bool> verbose("verbose", cl::desc("Print each case"),
                        cl::cat(category));
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, kOverview);

  auto fail = [](const llvm::Twine &message) {
    llvm::errs() << "flash-matrix: error: " << message << "\n";
    return 1;
  };
  if (seed == "fresh")
    options.seed = std::random_device()();
  else if (llvm::StringRef(seed).getAsInteger(10, options.seed))
    return fail("--seed is a number or 'fresh', not '" + seed + "'");
  if (repeats < 1 || stride < 1)
    return fail("--repeats and --stride must be at least 1");
  if (optLevel > 3)
    return fail("--opt-level is 0, 1, 2 or 3");
  options.target = target == "auto" ? flash::chooseTarget() : target;
  options.passes = passes;
  options.schedule = schedule;
  options.scheduleTable = scheduleTable;
  options.repeats = repeats;
  options.filters.assign(filters.begin(), filters.end());
  options.stride = stride;
  options.optLevel = optLevel;
  options.large = large;
  options.verbose = verbose;
  options.io = io;
  options.headDims = headDims;
  llvm::StringRef number, of;
  std::tie(number, of) = llvm::StringRef(part).split('/');
  if (number.getAsInteger(10, options.part) ||
      of.getAsInteger(10, options.parts) || options.part < 1 ||
      options.part > options.parts)
    return fail("--part is K/N with K from 1 to N, not '" + part + "'");
  if (io && !options.isCPU())
    return fail("--io counts on the target cpu");
  if (list) {
    for (const flash::matrix::Kernel &kernel :
         flash::matrix::selectKernels(options))
      llvm::outs() << "// " << kernel.name() << "\n"
                   << kernel.program() << "\n";
    return 0;
  }
  if (flash::rt::Status status = flash::checkTarget(options.target);
      status.failed())
    return fail(status.message());
  flash::rt::Status here = flash::checkTargetIsHere(options.target);
  options.compileOnly = compileOnly || (runIfPossible && here.failed());
  if (!options.compileOnly && here.failed())
    return fail(here.message());
  if (io && options.compileOnly)
    return fail("--io counts while cases run; --compile-only runs none");
  return flash::matrix::runMatrix(options);
}
