//===- Fuzz.cpp - Draws, in several processes -----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Workers take the next number from shared memory and say there which draw they
// are at, so that a worker that dies or hangs names it. They are replaced now
// and then: code that was compiled stays in a process.
//
//===----------------------------------------------------------------------===//

#include "Fuzz.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace flash;
using namespace flash::fuzz;
using Clock = std::chrono::steady_clock;

namespace {
constexpr int64_t kMostJobs = 64;
constexpr uint64_t kIdle = ~uint64_t(0);

struct Worker {
  std::atomic<uint64_t> at;   ///< the draw, or kIdle
  std::atomic<int64_t> since; ///< milliseconds since the beginning
};

struct Failure {
  uint64_t number;
  char kind[16];
  char message[1000];
};

/// What processes share.
struct Shared {
  std::atomic<uint64_t> next, done, failed, calls;
  std::atomic<int64_t> milliseconds; ///< of draws that are done
  std::atomic<double> part;
  std::atomic<uint64_t> partOf;
  Worker workers[kMostJobs];
  Failure failures[256];
};

class Fuzzer {
public:
  explicit Fuzzer(const FuzzOptions &options) : options(options) {}
  int run();

private:
  double elapsed() const {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }
  bool more() const {
    return shared->next < options.first + options.count &&
           (options.seconds <= 0 || elapsed() < options.seconds) &&
           int64_t(shared->failed.load()) < options.failures;
  }
  /// Seconds after which a draw hangs. A mean of a few draws says little.
  double longest() const {
    if (options.limit >= 0)
      return options.limit;
    double mean = double(shared->milliseconds) / 1000 /
                  double(std::max<uint64_t>(shared->done, 1));
    return -options.limit * std::max(mean, 0.4);
  }
  /// What a draw in a process of its own is run with.
  FuzzOptions apart() const {
    FuzzOptions bounded = options;
    bounded.limit = longest();
    return bounded;
  }
  void work(Worker &worker);
  void start(int64_t job);
  void watch();
  void note(uint64_t number, const std::string &kind,
            const std::string &message);
  bool onlySlow(const Failure &failure);
  void report(const Failure &failure);

  const FuzzOptions &options;
  Clock::time_point begin = Clock::now();
  Shared *shared = nullptr;
  std::vector<pid_t> pids;
};
} // namespace

void Fuzzer::note(uint64_t number, const std::string &kind,
                  const std::string &message) {
  // At once; the report, at the end, has it smaller.
  llvm::outs() << "draw " << number << " fails: " << kind << ": " << message
               << "\n";
  llvm::outs().flush();
  uint64_t slot = shared->failed++;
  if (slot >= std::size(shared->failures))
    return;
  Failure &failure = shared->failures[slot];
  failure.number = number;
  std::strncpy(failure.kind, kind.c_str(), sizeof(failure.kind) - 1);
  std::strncpy(failure.message, message.c_str(), sizeof(failure.message) - 1);
}

/// In a child.
void Fuzzer::work(Worker &worker) {
  constexpr int kDrawsOfAWorker = 100;
  for (int i = 0; i < kDrawsOfAWorker && more(); ++i) {
    uint64_t number = shared->next++;
    if (number >= options.first + options.count)
      break;
    worker.since = int64_t(elapsed() * 1000);
    worker.at = number;
    Outcome outcome = runDraw(drawAttention(options.seed, number), options);
    worker.at = kIdle;
    shared->calls += uint64_t(outcome.calls);
    shared->milliseconds += int64_t(elapsed() * 1000) - worker.since;
    ++shared->done;
    if (outcome.part > shared->part) {
      shared->part = outcome.part;
      shared->partOf = number;
    }
    if (!outcome.kind.empty())
      note(number, outcome.kind, outcome.message);
    if (options.verbose) {
      llvm::outs() << (outcome.kind.empty() ? "ok   " : "FAIL ") << number
                   << " " << outcome.message << "\n";
      llvm::outs().flush();
    }
  }
}

void Fuzzer::start(int64_t job) {
  llvm::outs().flush();
  Worker &worker = shared->workers[job];
  worker.at = kIdle;
  pid_t child = fork();
  if (child == 0) {
    work(worker);
    _exit(0);
  }
  pids[job] = child;
}

/// Starts workers until there is nothing more to draw; returns when all have
/// ended.
void Fuzzer::watch() {
  bool terminal = isatty(STDERR_FILENO);
  double told = 0;
  for (int64_t left = 1; left > 0; usleep(50000)) {
    left = 0;
    for (int64_t job = 0; job < options.jobs; ++job) {
      if (pids[job] == 0 && more())
        start(job);
      if (pids[job] == 0)
        continue;
      ++left;
      Worker &worker = shared->workers[job];
      uint64_t at = worker.at;
      double spent = elapsed() - double(worker.since) / 1000;
      bool hangs = at != kIdle && spent > longest();
      if (hangs)
        kill(pids[job], SIGKILL);
      int status = 0;
      if (waitpid(pids[job], &status, hangs ? 0 : WNOHANG) != pids[job])
        continue;
      pids[job] = 0;
      at = worker.at;
      if (at == kIdle)
        continue;
      ++shared->done;
      note(at, hangs ? "hang" : "crash",
           hangs ? "not done in time"
                 : "the process ended, status " + std::to_string(status));
    }
    if (elapsed() - told > (terminal ? 1 : 60)) {
      told = elapsed();
      llvm::errs() << (terminal ? "\r" : "") << shared->done << " of "
                   << options.count << " draws, " << shared->failed
                   << " failed, " << llvm::format("%.0f s", told)
                   << (terminal ? "" : "\n");
    }
  }
  if (terminal)
    llvm::errs() << "\r\033[K";
}

/// Whether what took too long ends in time when it has the machine to itself:
/// others may have had it.
bool Fuzzer::onlySlow(const Failure &failure) {
  if (llvm::StringRef(failure.kind) != "hang" || !options.steps.empty() ||
      !runApart(drawAttention(options.seed, failure.number), apart())
           .kind.empty())
    return false;
  llvm::outs() << "draw " << failure.number << " passes when it runs again\n";
  return true;
}

/// Prints a failure, as small as it gets, with what brings it back.
void Fuzzer::report(const Failure &failure) {
  llvm::raw_ostream &os = llvm::outs();
  os << "FAIL draw " << failure.number << " of seed " << options.seed << ": "
     << failure.kind << ": " << failure.message << "\n";
  os.flush();
  Draw draw = drawAttention(options.seed, failure.number);
  Minimized smallest{
      draw, {failure.kind, failure.message, 0, 0}, options.steps};
  if (!options.steps.empty())
    smallest.draw = *applySteps(draw, options.steps);
  if (options.minimize) {
    // A crash may need what ran before it in the same process.
    Outcome again = runApart(draw, apart());
    if (again.kind.empty())
      os << "  it passes in a process of its own\n";
    else
      smallest = fuzz::minimize(draw, again, apart());
  }
  matrix::Kernel kernel = makeKernel(smallest.draw);
  os << "  smallest: " << smallest.outcome.kind << ": "
     << smallest.outcome.message
     << "\n  reproduce: flash-fuzz --seed=" << options.seed
     << " --draw=" << failure.number;
  for (size_t i = 0; i < smallest.steps.size(); ++i)
    os << (i ? "," : " --steps=") << smallest.steps[i];
  if (options.target != "cpu")
    os << " --target=" << options.target;
  if (options.optLevel)
    os << " --opt-level=" << options.optLevel;
  os << (options.io ? " --io" : "")
     << (options.compileOnly ? " --compile-only" : "") << "\n  calls:";
  for (const matrix::Shape &shape : kernel.shapes)
    os << kernel.describe(shape) << ";";
  if (kernel.splitKV)
    os << " --split-kv=" << kernel.splitKV;
  if (kernel.hasGradients())
    os << "\n  gradients: " << kernel.gradients << " " << kernel.recompute
       << (kernel.backwardSchedule.empty()
               ? ""
               : ", schedule " + kernel.backwardSchedule);
  os << "\n" << kernel.program();
  os.flush();
}

int Fuzzer::run() {
  void *memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    llvm::errs() << "flash-fuzz: error: no shared memory\n";
    return 1;
  }
  shared = new (memory) Shared();
  shared->next = options.first;
  pids.resize(options.jobs);
  if (options.steps.empty()) {
    watch();
  } else {
    Outcome outcome = runApart(
        *applySteps(drawAttention(options.seed, options.first), options.steps),
        apart());
    shared->done = 1;
    shared->calls = outcome.calls;
    shared->part = outcome.part;
    if (!outcome.kind.empty())
      note(options.first, outcome.kind, outcome.message);
  }
  double seconds = elapsed();
  uint64_t failed = shared->failed, done = shared->done;
  for (uint64_t i = 0; i < std::min<uint64_t>(shared->failed, options.failures);
       ++i)
    if (onlySlow(shared->failures[i]))
      --failed;
    else
      report(shared->failures[i]);
  llvm::outs() << "seed " << options.seed << ", draws " << options.first
               << " to " << options.first + done << ", " << shared->calls
               << " calls, " << options.jobs << " processes, "
               << llvm::format("%.0f s, %.1f draws a second", seconds,
                               double(done) / seconds)
               << "\n";
  if (!options.io)
    llvm::outs() << "largest error: "
                 << llvm::format("%.2f", shared->part.load())
                 << " of its limit, draw " << shared->partOf << "\n";
  llvm::outs() << done - failed << " passed, " << failed << " failed\n";
  return failed || !done;
}

int fuzz::runFuzz(const FuzzOptions &options) {
  FuzzOptions bounded = options;
  bounded.jobs = std::min(options.jobs, kMostJobs);
  return Fuzzer(bounded).run();
}
