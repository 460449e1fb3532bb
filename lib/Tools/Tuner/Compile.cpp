//===- Compile.cpp - Candidates to code -----------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each candidate has a context of its own, so that several are compiled at
// once while others are timed. What the assembler says decides whether a
// candidate is one: spills and serialised products are not worth a timing.
//
//===----------------------------------------------------------------------===//

#include "TunerImpl.h"

#include "flash/Dialect/Flash/Analysis/ScheduleSpace.h"
#include "flash/InitAll.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/Regex.h"

using namespace mlir;
using namespace flash;
using namespace flash::tuner;
using rt::Result;

/// Adds up the numbers before `what` in the assembler's log, or takes their
/// maximum.
static int64_t readNumbers(StringRef log, StringRef pattern, bool sum) {
  llvm::Regex regex(pattern);
  int64_t total = 0;
  SmallVector<StringRef> match;
  while (regex.match(log, &match)) {
    int64_t number = 0;
    if (!match[1].getAsInteger(10, number))
      total = sum ? total + number : std::max(total, number);
    log = log.substr(match[0].end() - log.begin());
  }
  return total;
}

static void readAssembler(Candidate &candidate, StringRef log) {
  int64_t registers = readNumbers(log, "Used ([0-9]+) registers", false);
  int64_t spilled = readNumbers(log, "([0-9]+) bytes spill stores", true);
  candidate.assembler = std::to_string(registers) + " registers";
  if (spilled > 0)
    candidate.failure =
        "the assembler spills " + std::to_string(spilled) + " bytes";
}

static std::shared_ptr<Candidate>
compile(const TuneOptions &options, const std::string &target,
        const TuneProblem &problem, std::string schedule, std::string name) {
  auto candidate = std::make_shared<Candidate>();
  candidate->schedule = std::move(schedule);
  candidate->name = std::move(name);
  DialectRegistry registry;
  registerAllDialects(registry);
  candidate->context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  MLIRContext *context = candidate->context.get();
  DiagnosticCollector diagnostics(context);
  candidate->module = parseSourceString<ModuleOp>(problem.text, context);
  Result<func::FuncOp> func = findEntry(*candidate->module, problem.entry);
  if (func.failed()) {
    candidate->failure = func.message();
    return candidate;
  }
  CompileOptions compile;
  compile.target = target;
  compile.schedule = candidate->schedule;
  compile.exactSchedule = true;
  compile.passes = options.run.passes;
  Result<std::unique_ptr<Executable>> executable =
      Executable::compile(*func, compile);
  if (executable.failed()) {
    candidate->failure = executable.message();
    return candidate;
  }
  candidate->executable = std::move(*executable);
  if (!candidate->executable->assemblerLog.empty())
    readAssembler(*candidate, candidate->executable->assemblerLog);
  return candidate;
}

Compilers::Compilers(const TuneOptions &options, std::string target, int count)
    : options(options), target(std::move(target)) {
  for (int i = 0; i < count; ++i)
    threads.emplace_back([this] {
      std::unique_lock<std::mutex> lock(mutex);
      while (true) {
        wake.wait(lock, [&] { return stopping || !tasks.empty(); });
        if (stopping)
          return;
        auto task = std::move(tasks.front());
        tasks.pop_front();
        lock.unlock();
        task();
        lock.lock();
      }
    });
}

Compilers::~Compilers() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  wake.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

std::shared_future<std::shared_ptr<Candidate>>
Compilers::compile(const TuneProblem &problem, ScheduleAttr schedule) {
  std::string text;
  llvm::raw_string_ostream(text) << schedule;
  std::packaged_task<std::shared_ptr<Candidate>()> task(
      [this, &problem, text, name = describeSchedule(schedule)] {
        return ::compile(options, target, problem, text, name);
      });
  std::shared_future<std::shared_ptr<Candidate>> future =
      task.get_future().share();
  {
    std::lock_guard<std::mutex> lock(mutex);
    tasks.push_back(std::move(task));
  }
  wake.notify_one();
  return future;
}
