//===- flash-fuzz.cpp - Random attentions against float64 -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The command line of flash::fuzz::runFuzz.
//
//===----------------------------------------------------------------------===//

#include "Fuzz.h"

#include "flash/Compiler/Executable.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

#include <random>
#include <thread>

namespace cl = llvm::cl;

static constexpr llvm::StringLiteral kOverview =
    R"(Draws attentions at random - features, shapes, types, layouts, regions, schedules -
compiles them for the CPU and checks every result against float64 (docs/Checking.md).
What fails is made smaller while it fails in the same way, and printed with the
command that brings it back.

  flash-fuzz --count=1000 --seed=fresh
  flash-fuzz --time=60
  flash-fuzz --seed=7 --draw=123 --steps=4,0,17
  flash-fuzz --target=cpu:znver4 --compile-only --opt-level=3
)";

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ResetCommandLineParser();
  cl::OptionCategory category("flash-fuzz options");
  flash::fuzz::FuzzOptions options;
  cl::opt<std::string> seed(
      "seed", cl::init("0"), cl::value_desc("N|fresh"),
      cl::desc("Of the draws; fresh: another one each time, printed"),
      cl::cat(category));
  cl::opt<uint64_t> count("count", cl::init(100), cl::value_desc("N"),
                          cl::desc("How many draws"), cl::cat(category));
  cl::opt<uint64_t> first("first", cl::init(0), cl::value_desc("N"),
                          cl::desc("Number of the first draw"),
                          cl::cat(category));
  cl::opt<int64_t> draw("draw", cl::init(-1), cl::value_desc("N"),
                        cl::desc("This draw alone"), cl::cat(category));
  cl::opt<std::string> steps(
      "steps", cl::value_desc("N,..."),
      cl::desc("Simplifications of the draw, as a failure prints them"),
      cl::cat(category));
  cl::opt<double> seconds("time", cl::init(0), cl::value_desc("seconds"),
                          cl::desc("Begin no draw after so long"),
                          cl::cat(category));
  cl::opt<double> limit(
      "limit", cl::init(options.limit), cl::value_desc("seconds"),
      cl::desc(
          "What takes longer counts as hanging (default: 300 times as long "
          "as the mean draw)"),
      cl::cat(category));
  cl::opt<int64_t> jobs("jobs", cl::init(0), cl::value_desc("N"),
                        cl::desc("Processes (default: one for each core)"),
                        cl::cat(category));
  cl::opt<int64_t> failures("failures", cl::init(5), cl::value_desc("N"),
                            cl::desc("Stop after so many"), cl::cat(category));
  cl::opt<bool> minimize("minimize", cl::init(true),
                         cl::desc("Make failures smaller"), cl::cat(category));
  cl::opt<bool> io("io",
                   cl::desc("Compare bytes that tiles move with the IO report "
                            "instead of results with float64"),
                   cl::cat(category));
  cl::opt<std::string> target(
      "target", cl::init("cpu"), cl::value_desc("cpu|cpu:NAME"),
      cl::desc("What to compile for: the machine at hand, or a CPU by LLVM's "
               "name for it"),
      cl::cat(category));
  cl::opt<bool> compileOnly("compile-only",
                            cl::desc("Compile and run nothing, so that any "
                                     "--target=cpu:NAME will do"),
                            cl::cat(category));
  cl::opt<unsigned> optLevel("opt-level", cl::init(0), cl::value_desc("0..3"),
                             cl::desc("LLVM's level"), cl::cat(category));
  cl::opt<bool> print("print", cl::desc("Print the programs, run nothing"),
                      cl::cat(category));
  cl::opt<bool> verbose("verbose", cl::desc("Print each draw"),
                        cl::cat(category));
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, kOverview);

  auto fail = [](const llvm::Twine &message) {
    llvm::errs() << "flash-fuzz: error: " << message << "\n";
    return 1;
  };
  if (seed == "fresh")
    options.seed = std::random_device()();
  else if (llvm::StringRef(seed).getAsInteger(10, options.seed))
    return fail("--seed is a number or 'fresh', not '" + seed + "'");
  options.first = draw >= 0 ? uint64_t(draw.getValue()) : first.getValue();
  options.count = draw >= 0 ? 1 : count.getValue();
  options.seconds = seconds;
  options.limit = limit;
  options.jobs =
      jobs > 0 ? jobs.getValue()
               : std::max<int64_t>(1, std::thread::hardware_concurrency());
  options.failures = failures;
  options.minimize = minimize && steps.empty();
  options.io = io;
  options.target = target;
  options.compileOnly = compileOnly;
  options.optLevel = optLevel;
  options.verbose = verbose;
  if (!llvm::StringRef(target).starts_with("cpu"))
    return fail("--target is cpu or cpu:NAME (cpu:x86-64-v3, ...), not '" +
                target + "'");
  if (io && compileOnly)
    return fail("--io counts while draws run; --compile-only runs none");
  if (flash::rt::Status status = flash::checkTarget(target); status.failed())
    return fail(status.message());
  if (!compileOnly)
    if (flash::rt::Status status = flash::checkTargetIsHere(target);
        status.failed())
      return fail(status.message());
  if (!options.count)
    return fail("--count must be at least 1");
  if (!steps.empty() && draw < 0)
    return fail("--steps are those of a --draw");
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(steps).split(parts, ',', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef part : parts)
    if (part.getAsInteger(10, options.steps.emplace_back()))
      return fail("--steps are numbers, not '" + part + "'");
  std::optional<flash::fuzz::Draw> drawn = flash::fuzz::applySteps(
      flash::fuzz::drawAttention(options.seed, options.first), options.steps);
  if (!drawn)
    return fail("the draw has no such --steps");
  if (print) {
    for (uint64_t i = 0; i < options.count; ++i) {
      flash::fuzz::Draw one =
          i ? flash::fuzz::drawAttention(options.seed, options.first + i)
            : *drawn;
      llvm::outs() << "// draw " << options.first + i << "\n"
                   << flash::fuzz::makeKernel(one).program() << "\n";
    }
    return 0;
  }
  llvm::outs() << "seed " << options.seed << "\n";
  return flash::fuzz::runFuzz(options);
}
