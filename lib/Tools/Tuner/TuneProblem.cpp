//===- TuneProblem.cpp - The order of measurements for a problem ----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   tiles  ->  compiled, compared  ->  timed in turns, at each length
//   variants of those that won     ->  the same
//   ->  an entry of the table
//
// What is no candidate (it does not compile, spills, or gives other results
// than the model's schedule) is written down as such, and so is a candidate
// that has been begun: if a run does not come back from it, the next leaves it
// out.
//
//===----------------------------------------------------------------------===//

#include "TunerImpl.h"

#include "flash/Dialect/Flash/Analysis/ScheduleSpace.h"

#include "llvm/Support/Format.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace flash;
using namespace flash::tuner;
using rt::Array;
using rt::Result;
using rt::Status;

/// A round has so many launches, of which the first is not counted.
static constexpr int kRounds = 4, kLaunches = 6;
/// What is so much slower than the best is not measured further.
static constexpr double kHopeless = 1.25;

static std::string textOf(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return text;
}

static double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  size_t middle = times.size() / 2;
  return times.size() % 2 ? times[middle]
                          : (times[middle - 1] + times[middle]) / 2;
}

std::string Pace::str() const {
  int all = done + known + left;
  std::string text =
      std::to_string(done + known) + " of " + std::to_string(all);
  if (done > 0)
    text +=
        ", " + std::to_string(std::lround(seconds() / done * left)) + " s left";
  return text;
}

//===----------------------------------------------------------------------===//
// Candidates
//===----------------------------------------------------------------------===//

std::vector<ScheduleAttr> ProblemTuner::tiles() const {
  std::vector<ScheduleAttr> tiles = enumerateTiles(target, problem.tile);
  if (int64_t(tiles.size()) > options.candidates)
    tiles.resize(options.candidates);
  return tiles;
}

void ProblemTuner::compileAhead() {
  bool known = llvm::all_of(problem.cases, [&](const TuneCase &what) {
    return log.findSession(problem, what, 1);
  });
  if (known)
    return;
  for (ScheduleAttr schedule : tiles())
    if (std::string text = textOf(schedule);
        !log.findFailure(problem, text) && !code.count(text))
      code[text] = compilers.compile(problem, schedule);
}

/// The largest relative difference of results, or 1 where one has infinities or
/// NaN and the other not.
static double difference(const Array &a, const Array &b) {
  double difference = 0, norm = 0;
  for (int64_t i = 0, n = a.numElements(); i < n; ++i) {
    double x = a.at(i), y = b.at(i);
    if (!std::isfinite(x) || !std::isfinite(y)) {
      if (!(x == y))
        return 1;
      continue;
    }
    difference += (x - y) * (x - y);
    norm += y * y;
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

/// Twice the unit roundoff of the inputs, and a little for f32.
static double tolerance(int64_t bits, const TuneProblem &problem) {
  for (const reference::RuntimeValue &value : problem.odd.arguments)
    if (const auto *tensor = std::get_if<reference::Tensor>(&value)) {
      if (tensor->type == rt::DType::BF16)
        return std::ldexp(1, -7);
      if (tensor->type == rt::DType::F16)
        return std::ldexp(1, -10);
    }
  return bits > 32 ? 1e-12 : 1e-5;
}

Status ProblemTuner::compare(Candidate &candidate, Bench &bench) {
  if (!compared.insert(candidate.schedule).second)
    return Status::success();
  // If it does not come back, the next run knows.
  Status status = log.addFailure(problem, candidate.schedule,
                                 "a run of the tuner ended in it");
  if (status.failed())
    return status;
  status = candidate.executable->prepare();
  std::string failure;
  if (status.ok()) {
    auto kernels = candidate.executable->kernelAttributes();
    for (const rt::cuda::KernelAttributes &kernel :
         kernels.ok() ? *kernels : std::vector<rt::cuda::KernelAttributes>())
      if (kernel.localBytes > 0)
        failure = "the assembler needs " + std::to_string(kernel.localBytes) +
                  " bytes of local memory";
  }
  if (status.ok() && failure.empty()) {
    Result<std::vector<Array>> outputs = bench.run(*candidate.executable);
    if (outputs.failed()) {
      // A device that failed does nothing more for this process.
      return outputs.status().withContext(candidate.name +
                                          " (run again to go on without it)");
    }
    if (expected.empty())
      expected = std::move(*outputs);
    else
      for (auto [output, other] : llvm::zip(*outputs, expected))
        if (double apart = difference(output, other);
            apart > tolerance(problem.key.bits, problem))
          failure = "its results differ by " + std::to_string(apart) +
                    " from those of the model's schedule";
  }
  candidate.failure = status.failed() ? status.message() : failure;
  return log.addFailure(problem, candidate.schedule, candidate.failure);
}

Result<Candidate *> ProblemTuner::get(ScheduleAttr schedule, Bench &bench) {
  std::string text = textOf(schedule);
  if (log.findFailure(problem, text))
    return nullptr;
  auto found = code.find(text);
  if (found == code.end())
    found = code.emplace(text, compilers.compile(problem, schedule)).first;
  Candidate &candidate = *found->second.get();
  if (!candidate.failure.empty())
    if (Status status =
            log.addFailure(problem, candidate.schedule, candidate.failure);
        status.failed())
      return status;
  if (candidate.failure.empty())
    if (Status status = compare(candidate, bench); status.failed())
      return status;
  if (candidate.failure.empty())
    return &candidate;
  llvm::errs() << "  " << candidate.name << ": no candidate, "
               << candidate.failure << "\n";
  candidate.executable.reset();
  return nullptr;
}

Status ProblemTuner::findReference(Bench &bench) {
  Status status = bench.load(problem.odd, /*distinct=*/true);
  if (status.failed())
    return status;
  for (ScheduleAttr schedule : tiles()) {
    Result<Candidate *> candidate = get(schedule, bench);
    if (candidate.failed())
      return candidate.status();
    if (*candidate) {
      reference = schedule;
      return Status::success();
    }
  }
  return Status::error(problem.title +
                       ": none of the candidates runs on this target");
}

//===----------------------------------------------------------------------===//
// Times
//===----------------------------------------------------------------------===//

Result<std::vector<Measurement>>
ProblemTuner::measure(ArrayRef<Candidate *> candidates, Bench &bench) {
  std::vector<std::vector<double>> times(candidates.size());
  double best = HUGE_VAL;
  for (auto [index, candidate] : llvm::enumerate(candidates)) {
    Result<std::vector<double>> first = bench.time(*candidate->executable, 3);
    if (first.failed())
      return first.status().withContext(candidate->name);
    times[index] = {(*first)[1], (*first)[2]};
    best = std::min(best, median(times[index]));
  }
  std::vector<size_t> order;
  for (size_t i = 0; i < candidates.size(); ++i)
    if (i == 0 || median(times[i]) <= kHopeless * best) {
      order.push_back(i);
      times[i].clear();
    }
  for (int round = 0; round < kRounds; ++round) {
    std::rotate(order.begin(), order.begin() + (round > 0), order.end());
    for (size_t i : order) {
      Result<std::vector<double>> more =
          bench.time(*candidates[i]->executable, kLaunches);
      if (more.failed())
        return more.status().withContext(candidates[i]->name);
      times[i].insert(times[i].end(), more->begin() + 1, more->end());
    }
  }
  std::vector<Measurement> measurements;
  for (auto [index, candidate] : llvm::enumerate(candidates))
    measurements.push_back(
        {candidate->schedule, median(times[index]), int(times[index].size())});
  return measurements;
}

/// A line for each candidate, the fastest first.
void ProblemTuner::tell(const TuneCase &what,
                        ArrayRef<Measurement> measurements) {
  std::vector<Measurement> sorted(measurements);
  llvm::sort(sorted, [](const Measurement &a, const Measurement &b) {
    return std::tie(a.milliseconds, a.schedule) <
           std::tie(b.milliseconds, b.schedule);
  });
  llvm::errs() << "[" << pace.str() << "] " << problem.title << ", length "
               << what.length << "\n";
  for (const Measurement &m : sorted) {
    llvm::errs() << llvm::format("%10.4f ms", m.milliseconds);
    if (what.flops > 0)
      llvm::errs() << llvm::format(" %7.2f TFLOP/s",
                                   what.flops / m.milliseconds * 1e-9);
    llvm::errs()
        << llvm::format("  %.3f of the model's speed  ",
                        measurements.front().milliseconds / m.milliseconds)
        << describeSchedule(parseSchedule(m.schedule, target.getContext()))
        << "\n";
  }
}

Result<bool> ProblemTuner::runPhase(int phase, ArrayRef<ScheduleAttr> schedules,
                                    Bench &bench) {
  bool known = llvm::all_of(problem.cases, [&](const TuneCase &what) {
    return log.findSession(problem, what, phase);
  });
  std::vector<Candidate *> candidates;
  if (!known) {
    if (pace.isSpent())
      return false;
    // All are compiled at once; the reference comes first.
    for (ScheduleAttr schedule : schedules)
      if (std::string text = textOf(schedule);
          !log.findFailure(problem, text) && !code.count(text))
        code[text] = compilers.compile(problem, schedule);
    Status status = bench.load(problem.odd, /*distinct=*/true);
    if (status.failed())
      return status;
    for (ScheduleAttr schedule : schedules) {
      if (pace.isSpent())
        return false;
      Result<Candidate *> candidate = get(schedule, bench);
      if (candidate.failed())
        return candidate.status();
      if (*candidate)
        candidates.push_back(*candidate);
    }
  }
  for (auto [index, what] : llvm::enumerate(problem.cases)) {
    const std::vector<Measurement> *session =
        log.findSession(problem, what, phase);
    if (!session) {
      if (pace.isSpent())
        return false;
      Status status = bench.load(what, /*distinct=*/false);
      if (status.failed())
        return status;
      Result<std::vector<Measurement>> measured = measure(candidates, bench);
      if (measured.failed())
        return measured.status();
      status = log.addSession(problem, what, phase, *measured);
      if (status.failed())
        return status;
      session = log.findSession(problem, what, phase);
      pace.step(/*measured=*/true);
      tell(what, *session);
    } else {
      pace.step(/*measured=*/false);
    }
    results[index].sessions.push_back(*session);
  }
  return true;
}

Result<std::optional<ScheduleEntry>> ProblemTuner::run(Bench &bench) {
  for (const TuneCase &what : problem.cases)
    results.push_back({&what, {}});
  const std::vector<Measurement> *before =
      log.findSession(problem, problem.cases.front(), 1);
  if (before) {
    // The first of a session is the one that others were compared with.
    reference = parseSchedule(before->front().schedule, target.getContext());
    if (!reference)
      return Status::error("the log has '" + before->front().schedule +
                           "', which is no schedule");
  } else if (pace.isSpent()) {
    return std::optional<ScheduleEntry>();
  }
  bool complete = llvm::all_of(problem.cases, [&](const TuneCase &what) {
    return log.findSession(problem, what, 1) &&
           log.findSession(problem, what, 2);
  });
  if (!complete) {
    // Also where it is known, for its results.
    Status status = findReference(bench);
    if (status.failed())
      return status;
  }
  std::vector<ScheduleAttr> schedules{reference};
  for (ScheduleAttr tile : tiles())
    if (tile != reference)
      schedules.push_back(tile);
  Result<bool> done = runPhase(1, schedules, bench);
  if (done.failed())
    return done.status();
  if (!*done)
    return std::optional<ScheduleEntry>();

  // Variants of the two that win most often, in turns.
  std::vector<std::string> best = findBest(results, textOf(reference));
  best.resize(std::min<size_t>(best.size(), 2));
  schedules = {reference};
  std::vector<std::vector<ScheduleAttr>> lists;
  for (const std::string &text : best) {
    ScheduleAttr winner = parseSchedule(text, target.getContext());
    if (winner != reference)
      schedules.push_back(winner);
    lists.push_back(enumerateVariants(target, problem.tile, winner));
  }
  size_t most = schedules.size() + size_t(options.candidates);
  for (size_t rank = 0; rank < 64; ++rank)
    for (const std::vector<ScheduleAttr> &list : lists)
      if (rank < list.size() && schedules.size() < most &&
          !llvm::is_contained(schedules, list[rank]))
        schedules.push_back(list[rank]);
  done = runPhase(2, schedules, bench);
  if (done.failed())
    return done.status();
  if (!*done)
    return std::optional<ScheduleEntry>();
  return std::optional<ScheduleEntry>(
      makeEntry(problem.key, results, textOf(reference)));
}
