//===- FlashRunMain.cpp - The command line of flash-run -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The command line of flash::flashRun and flash::tune: compiles, runs and
// checks a file.
//
//===----------------------------------------------------------------------===//

#include "PassManagerOptions.h"
#include "flash/Tools/Drivers.h"
#include "flash/Tools/Tuner/Tuner.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

namespace cl = llvm::cl;

static constexpr llvm::StringLiteral kOverview =
    R"(Compiles a function with attention in it, runs it and checks it, in one process.

  flash-run examples/attention.mlir --check
  flash-run examples/attention.mlir --dim=sq=1 --dim=sk=4096 --target=cpu --repeat=20
  flash-run examples/attention.mlir --input=q.npy --input=k.npy --input=v.npy --output=o.npy
  flash-run examples/attention.mlir --print-ir-after-level=L1,L2 --compile-only
  flash-run examples/attention.mlir --target=sm_90a --emit=ptx -o attention.ptx
  flash-run examples/attention.mlir --target=sm_90a --emit=program -o attention.flash
  flash-run examples/attention.mlir --target=sm_90a --io-report --dim=sq=4096 --dim=sk=4096
  flash-run examples/attention.mlir --target=cpu --count-io
  flash-run examples/attention.mlir --target=sm_90a --emit=cubin -o attention.cubin --line-info=attention.L2.mlir
  flash-run examples/attention.mlir --target=sm_90a --compile-only --mlir-print-ir-after=flash-tile-overlap
  flash-run examples/attention.mlir --target=sm_90a --compile-only --mlir-timing
  flash-run --tune --target=sm_90a --tune-budget=600                 # a table of the fastest schedules
  flash-run examples/attention.mlir --tune --dim=sq=4096 --dim=sk=4096   # the same for one function

Sizes that the types leave open are set by name: batch, heads, kv_heads, sq and sk
(lengths of queries and of keys), or argK.D for dimension D of argument K. Arguments
without a file are normal random numbers, booleans (i1, NumPy's bool) random with as
many true as false, and other integers what their role asks for, else 0. The exit
status is 0 when all went well and --check, if given, passed; else 1, with one line
that says why.

Options --mlir-... are those of mlir-opt, for the passes to every level: they print IR (to
standard error, or as a tree of files by --mlir-print-ir-tree-dir=DIR), time passes, and write a
reproducer where a pass fails, which flash-opt --run-reproducer runs. What has one of them is
compiled anew, cached or not.

--tune measures schedules on this machine's device and writes the fastest to a table: JSON
that --schedule-table reads, and that the compiler has built in once it lies in data/schedules.
Candidates are compiled, compared with the compiler's own choice, and timed in turns. Each
measurement is in a log at once, so that a run that was interrupted, or whose budget was
spent, goes on where it ended (docs/Tuning.md).
)";

int flashRunMain(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // LLVM's libraries register hundreds of options, --threads among them.
  cl::ResetCommandLineParser();
  cl::OptionCategory category("flash-run options");
  flash::FlashRunOptions options;

  cl::opt<std::string> file(cl::Positional,
                            cl::desc("FILE.mlir (- for standard input)"),
                            cl::cat(category));
  cl::opt<std::string> target(
      "target", cl::init("auto"),
      cl::value_desc("cpu|cpu:NAME|auto|sm_90a|..."),
      cl::desc("What to compile for; auto: the GPU if there is one, else the "
               "CPU; cpu:NAME: a CPU by LLVM's name for it (cpu:x86-64-v3, "
               "cpu:znver4), the same code on every machine"),
      cl::cat(category));
  cl::opt<std::string> entry("entry", cl::value_desc("name"),
                             cl::desc("The function, if the file has several"),
                             cl::cat(category));
  cl::list<std::string> inputs(
      "input", cl::value_desc("FILE.npy"),
      cl::desc("An argument, in order: a file, a number for an index, or "
               "'normal' for random numbers"),
      cl::cat(category));
  cl::list<std::string> outputs("output", cl::value_desc("FILE.npy"),
                                cl::desc("Where a result goes, in order"),
                                cl::cat(category));
  cl::list<std::string> dims(
      "dim", cl::value_desc("NAME=N"),
      cl::desc("A size that the types leave open: batch, heads, kv_heads, sq, "
               "sk, or argK.D"),
      cl::cat(category));
  cl::list<std::string> scalars(
      "scalar", cl::value_desc("NAME=N"),
      cl::desc("The value of an index, i64 or floating-point argument: "
               "q_offset, kv_offset, seed, offset, or argK"),
      cl::cat(category));
  cl::opt<int64_t> seed("seed", cl::init(0), cl::desc("Of the random inputs"),
                        cl::cat(category));
  cl::opt<bool> check(
      "check",
      cl::desc("Compare with an f64 reference; fail above 1.25 times the error "
               "of an unfused computation plus a floor (docs/Checking.md)"),
      cl::cat(category));
  cl::opt<int64_t> repeat("repeat", cl::init(0), cl::value_desc("N"),
                          cl::desc("Run N times more; report the median"),
                          cl::cat(category));
  cl::list<std::string> print(
      "print-ir-after-level", cl::CommaSeparated, cl::value_desc("L0,...,L4"),
      cl::desc("Print the program at these levels"), cl::cat(category));
  cl::opt<std::string> emit(
      "emit", cl::value_desc("llvm|ptx|cubin|plan|program"),
      cl::desc("Write code instead of running it (no GPU is needed); program: "
               "a file for flashProgramLoad and libflash-runtime.so"),
      cl::cat(category));
  cl::opt<std::string> emitPath("o", cl::init("-"), cl::value_desc("file"),
                                cl::desc("Where --emit writes"),
                                cl::cat(category));
  cl::opt<bool> compileOnly("compile-only",
                            cl::desc("Compile and report, do not run"),
                            cl::cat(category));
  cl::opt<std::string> ioReport(
      "io-report", cl::ValueOptional, cl::value_desc("text|json"),
      cl::desc(
          "Tell what the function would move, run nothing: bytes over both "
          "boundaries for unfused attention and for the schedule, the "
          "compulsory bytes, what bound the tile, a sweep over sizes of "
          "fast memory (docs/IO.md). No GPU is needed"),
      cl::cat(category));
  cl::opt<bool> differentiate(
      "differentiate",
      cl::desc("Run the forward and the backward of the function "
               "(flash-differentiate), with random gradients for its results "
               "as its last arguments; results are its own, then the gradients "
               "of its tensors of floats, or of those that its attribute wrt = "
               "[0, 2] numbers"),
      cl::cat(category));
  cl::opt<bool> countIO(
      "count-io",
      cl::desc("Run with a counter beside each tile that is loaded or stored, "
               "and fail if a byte differs from what --io-report says (CPU)"),
      cl::cat(category));
  cl::opt<std::string> report(
      "report", cl::init("text"), cl::value_desc("text|json"),
      cl::desc("Form of the report on standard output"), cl::cat(category));
  cl::opt<std::string> schedule(
      "schedule", cl::value_desc("#flash.schedule<...>"),
      cl::desc("Overrides parts of the compiler's choice of tiles"),
      cl::cat(category));
  cl::opt<std::string> scheduleTable(
      "schedule-table", cl::value_desc("FILE|none"),
      cl::desc("Measured schedules to choose from, as --tune writes them, in "
               "the place of those that are built in (docs/Tuning.md)"),
      cl::cat(category));
  cl::opt<int64_t> splitKV(
      "split-kv", cl::init(0), cl::value_desc("N"),
      cl::desc("Split the keys into N parts, at most 16, and merge them"),
      cl::cat(category));
  cl::opt<std::string> passes(
      "passes", cl::value_desc("name=value ..."),
      cl::desc("Options of flash-gpu-pipeline, as overlap=false or "
               "delay-role=producer"),
      cl::cat(category));
  cl::opt<std::string> lineInfo(
      "line-info", cl::ValueOptional, cl::value_desc("FILE.mlir"),
      cl::desc("Write the program at L2 to FILE (L2.mlir) and have "
               "PTX and cubins name its lines, for profilers and "
               "disassemblers; the code is the same"),
      cl::cat(category));
  cl::opt<int> threads(
      "threads", cl::init(0), cl::value_desc("N"),
      cl::desc("CPU threads (default: FLASH_NUM_THREADS, else all)"),
      cl::cat(category));

  cl::opt<bool> tune(
      "tune",
      cl::desc("Find the fastest schedules by measurement and write a table of "
               "them; without FILE, for a list of standard problems"),
      cl::cat(category));
  cl::opt<bool> tuneDryRun(
      "tune-dry-run",
      cl::desc("List the candidates and what the assembler says of each; "
               "measure nothing. No GPU is needed"),
      cl::cat(category));
  cl::opt<double> tuneBudget(
      "tune-budget", cl::init(0), cl::value_desc("SECONDS"),
      cl::desc("Begin no measurement after this time; run again to go on"),
      cl::cat(category));
  cl::opt<int64_t> tuneCandidates(
      "tune-candidates", cl::init(16), cl::value_desc("N"),
      cl::desc("Measure at most N tiles of each problem, and N variants of the "
               "best (default: 16)"),
      cl::cat(category));
  cl::list<int64_t> tuneLengths(
      "tune-lengths", cl::CommaSeparated, cl::value_desc("N,..."),
      cl::desc("Lengths of queries and keys to measure at, where types leave "
               "them open (default: those of --dim; standard problems: 512 to "
               "16384)"),
      cl::cat(category));
  cl::list<std::string> tuneHeadDims(
      "tune-head-dims", cl::CommaSeparated, cl::value_desc("D,QK/V,..."),
      cl::desc("Head dims of the standard problems (default: 128, 64, 256, "
               "192/128, 96)"),
      cl::cat(category));
  cl::list<std::string> tuneMasks(
      "tune-masks", cl::CommaSeparated, cl::value_desc("full,causal,window"),
      cl::desc("Masks of the standard problems (default: all three)"),
      cl::cat(category));
  cl::opt<bool> tuneLSE(
      "tune-lse",
      cl::desc("The standard problems store the LSE, too, as a forward that is "
               "trained does"),
      cl::cat(category));
  cl::opt<std::string> tuneTable(
      "tune-table", cl::value_desc("FILE.json"),
      cl::desc("The table; entries of other problems stay in it (default: "
               "named after the target and the device)"),
      cl::cat(category));
  cl::opt<std::string> tuneLog(
      "tune-log", cl::value_desc("FILE.jsonl"),
      cl::desc("The log of measurements (default: beside the table)"),
      cl::cat(category));
  cl::opt<int> tuneJobs(
      "tune-jobs", cl::init(0), cl::value_desc("N"),
      cl::desc("Threads that compile candidates (default: all)"),
      cl::cat(category));

  flash::PassManagerOptions passManagers;
  cl::HideUnrelatedOptions({&category, &passManagers.getCategory()});
  cl::ParseCommandLineOptions(argc, argv, kOverview);

  options.file = file;
  options.target = target;
  options.entry = entry;
  options.inputs = inputs;
  options.outputs = outputs;
  options.dims = dims;
  options.scalars = scalars;
  options.seed = seed;
  options.check = check;
  options.repeat = repeat;
  options.printAfterLevels.insert(print.begin(), print.end());
  options.emit = emit;
  options.emitPath = emitPath;
  options.compileOnly = compileOnly;
  options.json = report == "json";
  if (ioReport.getNumOccurrences())
    options.ioReport = ioReport.empty() ? "text" : std::string(ioReport);
  options.countIO = countIO;
  options.differentiate = differentiate;
  options.schedule = schedule;
  options.scheduleTable = scheduleTable;
  options.splitKV = splitKV;
  options.passes = passes;
  options.threads = threads;
  options.observer = passManagers.getObserver();
  if (lineInfo.getNumOccurrences())
    options.lineInfo = lineInfo.empty() ? "L2.mlir" : std::string(lineInfo);

  auto fail = [](const llvm::Twine &message) {
    llvm::errs() << "flash-run: error: " << message << "\n";
    return 1;
  };
  if (report != "text" && report != "json")
    return fail("--report is text or json, not '" + report + "'");
  if (!options.ioReport.empty() && options.ioReport != "text" &&
      options.ioReport != "json")
    return fail("--io-report is text or json, not '" + options.ioReport + "'");
  if (options.countIO &&
      (!options.ioReport.empty() || options.compileOnly || !emit.empty()))
    return fail("--count-io runs the program: not with --io-report, "
                "--compile-only or --emit");
  if (options.countIO && options.repeat > 0)
    return fail("--count-io counts one run: not with --repeat");
  for (const std::string &level : options.printAfterLevels)
    if (level.size() != 2 || level[0] != 'L' || level[1] < '0' ||
        level[1] > '4')
      return fail("--print-ir-after-level: the levels are L0, L1, L2, L3 and "
                  "L4, not '" +
                  level + "'");
  if (options.repeat < 0 || options.splitKV < 0 || options.threads < 0)
    return fail("--repeat, --split-kv and --threads must not be negative");
  if (!options.emit.empty() && options.emit != "llvm" &&
      options.emit != "ptx" && options.emit != "cubin" &&
      options.emit != "plan" && options.emit != "program")
    return fail("--emit is llvm, ptx, cubin, plan or program, not '" +
                options.emit + "'");
  if (tune || tuneDryRun) {
    if (check || repeat || countIO || compileOnly || !emit.empty() ||
        !options.ioReport.empty() || !options.outputs.empty() ||
        !options.printAfterLevels.empty() || !options.schedule.empty() ||
        !options.scheduleTable.empty() || splitKV || options.observer ||
        !options.lineInfo.empty())
      return fail("--tune compiles, runs and compares by itself: not with "
                  "options that say how");
    if (tuneCandidates < 1 || tuneBudget < 0 || tuneJobs < 0)
      return fail("--tune-candidates, --tune-budget and --tune-jobs are "
                  "positive numbers");
    flash::TuneOptions tuning;
    tuning.run = options;
    tuning.lengths = tuneLengths;
    tuning.headDims = tuneHeadDims;
    tuning.lse = tuneLSE;
    tuning.masks = tuneMasks;
    tuning.candidates = tuneCandidates;
    tuning.budget = tuneBudget;
    tuning.table = tuneTable;
    tuning.log = tuneLog;
    tuning.dryRun = tuneDryRun;
    tuning.jobs = tuneJobs;
    return flash::tune(tuning);
  }
  if (options.file.empty())
    return fail("a FILE is needed (--help shows examples)");
  return flash::flashRun(options);
}
