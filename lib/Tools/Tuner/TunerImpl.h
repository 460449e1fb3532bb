//===- TunerImpl.h - The parts of the tuner ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   Problems.cpp    what is tuned: a file's function, or standard problems
//   Compile.cpp     candidates to code, several at a time
//   Bench.cpp       runs and times code on the device
//   Log.cpp         measurements on disk, so that nothing is measured twice
//   Select.cpp      measurements to an entry of the table
//   TuneProblem.cpp the order of it for a problem
//   Tune.cpp        the order of it all
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_TOOLS_TUNER_TUNERIMPL_H
#define FLASH_LIB_TOOLS_TUNER_TUNERIMPL_H

#include "flash/Dialect/Flash/Analysis/ScheduleTable.h"
#include "flash/Runtime/Array.h"
#include "flash/Tools/Tuner/Tuner.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace flash::tuner {

//===----------------------------------------------------------------------===//
// Problems
//===----------------------------------------------------------------------===//

/// A call of a problem's function.
struct TuneCase {
  int64_t length = 0;
  /// `4x32x512x64, ...`: the shapes of the arguments.
  std::string sizes;
  /// Tensors that random numbers are made for have no array.
  std::vector<reference::RuntimeValue> arguments;
  std::vector<std::pair<rt::DType, std::vector<int64_t>>> results;
  double flops = 0;
};

/// A function that is compiled with one schedule and another.
struct TuneProblem {
  std::string text, entry, title;
  TileProblem tile;
  ScheduleKey key;
  /// What is timed, shortest first.
  std::vector<TuneCase> cases;
  /// What is compared: sizes that tiles do not divide.
  TuneCase odd;
};

/// The problems that the options name. IR is made in `context`.
rt::Result<std::vector<TuneProblem>> makeProblems(const TuneOptions &options,
                                                  mlir::MLIRContext &context,
                                                  bool onDevice);

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

/// A schedule for a problem, and its code.
struct Candidate {
  std::string schedule;
  /// For people.
  std::string name;
  /// Why it is none; empty while nothing speaks against it.
  std::string failure;
  /// `168 registers`: what the assembler says.
  std::string assembler;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<Executable> executable;
};

/// Threads that compile, first come first served.
class Compilers {
public:
  Compilers(const TuneOptions &options, std::string target, int threads);
  ~Compilers();
  /// The problem must live until the candidate is there.
  std::shared_future<std::shared_ptr<Candidate>>
  compile(const TuneProblem &problem, ScheduleAttr schedule);

private:
  const TuneOptions &options;
  std::string target;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::packaged_task<std::shared_ptr<Candidate>()>> tasks;
  bool stopping = false;
  std::vector<std::thread> threads;
};

//===----------------------------------------------------------------------===//
// Measurements
//===----------------------------------------------------------------------===//

/// Memory of the device (or of the host) with inputs in it, and a clock.
class Bench {
public:
  static rt::Result<std::unique_ptr<Bench>> create(bool onDevice,
                                                   uint64_t seed);
  virtual ~Bench() = default;
  /// Makes inputs for the case; `distinct`, where every number is drawn anew
  /// (else a pattern repeats, which is quicker made).
  virtual rt::Status load(const TuneCase &what, bool distinct) = 0;
  /// Launches `count` times and gives the milliseconds of each.
  virtual rt::Result<std::vector<double>> time(Executable &executable,
                                               int count) = 0;
  /// Launches once on poisoned results.
  virtual rt::Result<std::vector<rt::Array>> run(Executable &executable) = 0;
};

/// A schedule's time in a session: a case, measured with other schedules in
/// turns, the model's choice among them.
struct Measurement {
  std::string schedule;
  double milliseconds = 0;
  int samples = 0;
};

/// What has been measured. A session is known when all of it is.
class Log {
public:
  /// The identity of what is measured: records of another do not count.
  struct Identity {
    std::string target, device, driver, commit;
  };
  /// Reads what is there and opens the file for more.
  rt::Status open(const std::string &path, const Identity &identity);

  const std::vector<Measurement> *findSession(const TuneProblem &problem,
                                              const TuneCase &what,
                                              int phase) const;
  rt::Status addSession(const TuneProblem &problem, const TuneCase &what,
                        int phase, std::vector<Measurement> measurements);
  /// Why a schedule is no candidate; null if nothing is known.
  const std::string *findFailure(const TuneProblem &problem,
                                 const std::string &schedule) const;
  rt::Status addFailure(const TuneProblem &problem, const std::string &schedule,
                        const std::string &why);
  /// Sessions that were there when the file was opened.
  int numKnown = 0;

private:
  rt::Status readLine(llvm::StringRef line, const Identity &identity);
  rt::Status write(llvm::json::Object record);

  std::string path;
  bool current = false;
  std::unique_ptr<llvm::raw_fd_ostream> file;
  std::map<std::string, std::vector<Measurement>> sessions;
  std::map<std::string, std::string> failures;
};

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

/// All measurements of a case: the sessions, of which later ones count.
struct CaseResult {
  const TuneCase *what;
  std::vector<std::vector<Measurement>> sessions;
};

/// The schedules that are best at one of the cases, by what has been measured.
std::vector<std::string> findBest(const std::vector<CaseResult> &results,
                                  const std::string &model);

/// An entry with as many schedules as pay for themselves.
ScheduleEntry makeEntry(const ScheduleKey &key,
                        const std::vector<CaseResult> &results,
                        const std::string &model);

//===----------------------------------------------------------------------===//
// The order of it
//===----------------------------------------------------------------------===//

/// How far everything is, and whether there is time for more.
class Pace {
public:
  Pace(int sessions, double budget) : left(sessions), budget(budget) {}
  bool isSpent() const { return budget > 0 && seconds() >= budget; }
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         begin)
        .count();
  }
  /// A session is done; `measured`, or was known.
  void step(bool measured) {
    --left;
    ++(measured ? done : known);
  }
  /// `12 of 180, 35 s left`.
  std::string str() const;
  int numMeasured() const { return done; }
  int numKnown() const { return known; }

private:
  std::chrono::steady_clock::time_point begin =
      std::chrono::steady_clock::now();
  int left, done = 0, known = 0;
  double budget;
};

/// Measures one problem, in two phases: tiles; then, around the best of them,
/// variants.
class ProblemTuner {
public:
  ProblemTuner(const TuneProblem &problem, const TuneOptions &options,
               TargetAttr target, Compilers &compilers, Log &log, Pace &pace)
      : problem(problem), options(options), target(target),
        compilers(compilers), log(log), pace(pace) {}

  /// Starts to compile what the first phase needs.
  void compileAhead();
  /// The entry; none when there was no time for all of it.
  rt::Result<std::optional<ScheduleEntry>> run(Bench &bench);

private:
  std::vector<ScheduleAttr> tiles() const;
  rt::Status findReference(Bench &bench);
  rt::Result<Candidate *> get(ScheduleAttr schedule, Bench &bench);
  rt::Status compare(Candidate &candidate, Bench &bench);
  rt::Result<bool> runPhase(int phase, llvm::ArrayRef<ScheduleAttr> schedules,
                            Bench &bench);
  rt::Result<std::vector<Measurement>>
  measure(llvm::ArrayRef<Candidate *> candidates, Bench &bench);
  void tell(const TuneCase &what, llvm::ArrayRef<Measurement> measurements);

  const TuneProblem &problem;
  const TuneOptions &options;
  TargetAttr target;
  Compilers &compilers;
  Log &log;
  Pace &pace;
  std::map<std::string, std::shared_future<std::shared_ptr<Candidate>>> code;
  /// Candidates whose results were compared.
  std::set<std::string> compared;
  /// What others are compared with: the model's schedule, or, where that does
  /// not compile, the first that does; and its results.
  ScheduleAttr reference;
  std::vector<rt::Array> expected;
  std::vector<CaseResult> results;
};

} // namespace flash::tuner

#endif // FLASH_LIB_TOOLS_TUNER_TUNERIMPL_H
