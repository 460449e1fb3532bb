//===- Tune.cpp - Problems in, a table out --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What can fail early does, before anything is measured: options, sizes, a
// table or a log that cannot be written or is another device's. The table is
// written after each problem, whole or not at all.
//
//===----------------------------------------------------------------------===//

#include "TunerImpl.h"

#include "flash/Dialect/Flash/Analysis/ScheduleSpace.h"
#include "flash/InitAll.h"
#include "flash/Runtime/ThreadPool.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/ToolOutputFile.h"

#include <ctime>

using namespace mlir;
using namespace flash;
using namespace flash::tuner;
using rt::Result;
using rt::Status;

//===----------------------------------------------------------------------===//
// Who and when
//===----------------------------------------------------------------------===//

static std::string readFile(const llvm::Twine &path) {
  auto buffer = llvm::MemoryBuffer::getFileAsStream(path);
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

/// The first word after `key` in a text of the system's.
static std::string wordAfter(StringRef text, StringRef key, char end) {
  size_t at = text.find(key);
  if (at == StringRef::npos)
    return "";
  return text.substr(at + key.size()).ltrim(" \t:").split(end).first.str();
}

/// The first word with dots between digits: where the driver says its version
/// has changed from module to module.
static std::string findVersion(StringRef text) {
  for (StringRef rest = text; !rest.empty();) {
    auto [word, behind] = rest.split(' ');
    if (word.contains('.') &&
        word.find_first_not_of("0123456789.") == StringRef::npos)
      return word.str();
    rest = behind;
  }
  return "";
}

/// FLASH_COMMIT; else what git says of the folder.
static std::string findCommit() {
  if (std::optional<std::string> given =
          llvm::sys::Process::GetEnv("FLASH_COMMIT"))
    return *given;
  llvm::ErrorOr<std::string> git = llvm::sys::findProgramByName("git");
  llvm::SmallString<128> path;
  if (!git || llvm::sys::fs::createTemporaryFile("flash-commit", "", path))
    return "unknown";
  llvm::FileRemover remove(path);
  std::optional<StringRef> redirects[] = {StringRef(""), StringRef(path),
                                          StringRef("")};
  if (llvm::sys::ExecuteAndWait(*git, {*git, "rev-parse", "--short", "HEAD"},
                                std::nullopt, redirects) != 0)
    return "unknown";
  std::string text = StringRef(readFile(path)).trim().str();
  return text.empty() ? "unknown" : text;
}

static std::string today() {
  char text[16];
  std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(text, sizeof(text), "%Y-%m-%d", &utc);
  return text;
}

static Result<Log::Identity> identify(TargetAttr target) {
  Log::Identity identity;
  llvm::raw_string_ostream(identity.target) << Attribute(target);
  identity.commit = findCommit();
  if (target.isCPU()) {
    std::string model =
        wordAfter(readFile("/proc/cpuinfo"), "model name", '\n');
    identity.device = (model.empty() ? "a CPU" : model) + ", " +
                      std::to_string(rt::numThreads()) + " threads";
    return identity;
  }
  Result<const rt::cuda::Driver *> driver = rt::cuda::Driver::get();
  if (driver.failed())
    return driver.status();
  Result<rt::cuda::DeviceInfo> device = rt::cuda::deviceInfo(**driver);
  if (device.failed())
    return device.status();
  identity.device = device->name;
  identity.driver = findVersion(readFile("/proc/driver/nvidia/version"));
  if (identity.driver.empty())
    identity.driver = "CUDA " + std::to_string(device->driverVersion / 1000) +
                      "." + std::to_string(device->driverVersion / 10 % 100);
  return identity;
}

/// `sm_90a-nvidia-h100-80gb-hbm3.json`.
static std::string defaultTable(TargetAttr target, StringRef device) {
  std::string name = target.getKind().getValue().str();
  bool gap = true;
  for (char c : device) {
    if (llvm::isAlnum(c))
      name += (gap ? "-" : "") + std::string(1, llvm::toLower(c));
    gap = !llvm::isAlnum(c);
  }
  return name + ".json";
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

/// The table that is there, to be gone on with, or a new one.
static Result<ScheduleTable> openTable(const std::string &path,
                                       const Log::Identity &identity,
                                       MLIRContext *context) {
  ScheduleTable table;
  if (llvm::sys::fs::exists(path)) {
    llvm::Expected<std::vector<ScheduleTable>> tables =
        loadScheduleTables(path, context);
    if (!tables)
      return Status::error(llvm::toString(tables.takeError()));
    table = std::move(tables->front());
    if (table.target != identity.target || table.device != identity.device)
      return Status::error("'" + path + "' is the table of " + table.device +
                           " (" + table.target + "), not of " +
                           identity.device +
                           "; name another with "
                           "--tune-table");
  }
  table.name = path;
  table.target = identity.target;
  table.device = identity.device;
  table.driver = identity.driver;
  table.commit = identity.commit;
  table.date = today();
  return table;
}

static Status writeTable(const ScheduleTable &table) {
  // Through a temporary file and a rename: no partial file.
  llvm::Error error =
      llvm::writeToOutput(table.name, [&](llvm::raw_ostream &os) {
        os << table.str();
        return llvm::Error::success();
      });
  if (!error)
    return Status::success();
  return Status::error("writing '" + table.name +
                       "': " + llvm::toString(std::move(error)));
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

/// A line for each candidate: what the assembler says, nothing measured.
static Status dryRun(ArrayRef<TuneProblem> problems, const TuneOptions &options,
                     TargetAttr target, Compilers &compilers) {
  for (const TuneProblem &problem : problems) {
    std::vector<ScheduleAttr> tiles = enumerateTiles(target, problem.tile);
    std::vector<ScheduleAttr> variants =
        enumerateVariants(target, problem.tile, tiles.front());
    for (auto *list : {&tiles, &variants})
      if (int64_t(list->size()) > options.candidates)
        list->resize(options.candidates);
    std::vector<std::shared_future<std::shared_ptr<Candidate>>> code;
    for (auto *list : {&tiles, &variants})
      for (ScheduleAttr schedule : *list)
        code.push_back(compilers.compile(problem, schedule));
    llvm::outs() << problem.title << ": " << tiles.size() << " tiles, "
                 << variants.size() << " variants of the first\n";
    for (auto &future : code) {
      const Candidate &candidate = *future.get();
      llvm::outs() << "  " << candidate.name << ": ";
      if (!candidate.failure.empty())
        llvm::outs() << "no candidate, " << candidate.failure;
      else
        llvm::outs() << (candidate.assembler.empty() ? "compiles"
                                                     : candidate.assembler);
      llvm::outs() << "\n";
    }
  }
  return Status::success();
}

static Status measureAll(ArrayRef<TuneProblem> problems,
                         const TuneOptions &options, TargetAttr target,
                         Compilers &compilers, ScheduleTable &table, Log &log) {
  Result<std::unique_ptr<Bench>> bench =
      Bench::create(!target.isCPU(), uint64_t(options.run.seed));
  if (bench.failed())
    return bench.status();
  int sessions = 0;
  for (const TuneProblem &problem : problems)
    sessions += 2 * int(problem.cases.size());
  Pace pace(sessions, options.budget);
  std::vector<std::unique_ptr<ProblemTuner>> tuners;
  tuners.reserve(problems.size());
  for (const TuneProblem &problem : problems)
    tuners.push_back(std::make_unique<ProblemTuner>(problem, options, target,
                                                    compilers, log, pace));
  int done = 0;
  for (size_t i = 0; i < tuners.size(); ++i) {
    // On a device the next problem's code is made while this one is timed.
    if (i == 0)
      tuners[i]->compileAhead();
    if (i + 1 < tuners.size() && !target.isCPU())
      tuners[i + 1]->compileAhead();
    Result<std::optional<ScheduleEntry>> entry = tuners[i]->run(**bench);
    if (entry.failed())
      return entry.status().withContext(problems[i].title);
    tuners[i].reset();
    if (!*entry)
      continue;
    ++done;
    llvm::outs() << problems[i].title << "\n";
    for (const ScheduleRange &range : (*entry)->ranges)
      llvm::outs() << "  "
                   << (range.upTo ? "up to " + std::to_string(range.upTo)
                                  : std::string("any length"))
                   << ": "
                   << describeSchedule(
                          parseSchedule(range.schedule, target.getContext()))
                   << "\n";
    llvm::outs().flush();
    table.set(std::move(**entry));
    if (Status status = writeTable(table); status.failed())
      return status;
  }
  llvm::outs() << llvm::formatv(
      "{0} of {1} problems are in {2}; {3} sessions measured, {4} known, in "
      "{5:f0} s\n",
      done, problems.size(), table.name, pace.numMeasured(), pace.numKnown(),
      pace.seconds());
  if (done < int(problems.size()))
    llvm::outs() << "the budget is spent: run again to go on\n";
  return Status::success();
}

static Status run(const TuneOptions &options) {
  if (options.run.threads > 0)
    rt::setNumThreads(options.run.threads);
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadDialect<FlashDialect>();
  std::string name =
      options.run.target == "auto" ? chooseTarget() : options.run.target;
  Result<TargetAttr> target = resolveTarget(&context, name);
  if (target.failed())
    return target.status();
  if (!options.dryRun)
    if (Status status = checkTargetIsHere(name); status.failed())
      return status;
  Result<std::vector<TuneProblem>> problems =
      makeProblems(options, context, !target->isCPU());
  if (problems.failed())
    return problems.status();

  int jobs = options.jobs > 0
                 ? options.jobs
                 : std::max(1, int(std::thread::hardware_concurrency()));
  Compilers compilers(options, name, jobs);
  if (options.dryRun)
    return dryRun(*problems, options, *target, compilers);

  Result<Log::Identity> identity = identify(*target);
  if (identity.failed())
    return identity.status();
  std::string path = options.table.empty()
                         ? defaultTable(*target, identity->device)
                         : options.table;
  Result<ScheduleTable> table = openTable(path, *identity, &context);
  if (table.failed())
    return table.status();
  // Whether it can be written is better known now than later.
  Status status = writeTable(*table);
  Log log;
  if (status.ok())
    status = log.open(options.log.empty()
                          ? StringRef(path).rsplit(".json").first.str() +
                                ".log.jsonl"
                          : options.log,
                      *identity);
  if (status.ok() && log.numKnown > 0)
    llvm::errs() << "going on: " << log.numKnown
                 << " sessions are in the log\n";
  if (status.ok())
    status = measureAll(*problems, options, *target, compilers, *table, log);
  return status;
}

int flash::tune(const TuneOptions &options) {
  Status status = ::run(options);
  llvm::outs().flush();
  if (status.ok())
    return 0;
  std::string message = status.message();
  std::replace(message.begin(), message.end(), '\n', ' ');
  llvm::errs() << "flash-run: error: " << message << "\n";
  return 1;
}
