//===- Select.cpp - Measurements to an entry of the table -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   over the model's time   512   1k    2k    4k
//   128 x 128               0.85  0.90  1.03  1.05    ->  up to 1408: 128 x 128
//   192 x 96 (the model's)  1     1     1     1           else: 192 x 96
//
// Times are compared with the model's in the same session, since a device's
// clock drifts from one to the next. Neighbouring lengths share a schedule
// unless another one is worth a kernel of its own.
//
//===----------------------------------------------------------------------===//

#include "TunerImpl.h"

#include "llvm/Support/Format.h"

#include <cmath>

using namespace flash;
using namespace flash::tuner;

/// What a schedule must gain over the model's to be believed, and what another
/// kernel must gain (both natural logarithms of times, the second one over all
/// of its lengths).
static constexpr double kNoise = 0.01, kKernel = 0.04;

namespace {
/// A schedule at a case.
struct Time {
  double ratio; ///< over the model's, a logarithm
  double milliseconds;
};
} // namespace

/// Of each schedule the latest time.
static std::map<std::string, Time> timesOf(const CaseResult &result,
                                           const std::string &model) {
  std::map<std::string, Time> times;
  for (const std::vector<Measurement> &session : result.sessions) {
    auto reference =
        llvm::find_if(session, [&](auto &m) { return m.schedule == model; });
    if (reference == session.end())
      continue;
    for (const Measurement &m : session)
      times[m.schedule] = {std::log(m.milliseconds / reference->milliseconds),
                           m.milliseconds};
  }
  return times;
}

std::vector<std::string> tuner::findBest(const std::vector<CaseResult> &results,
                                         const std::string &model) {
  // How often each wins; ties by name, so that the order is always the same.
  std::map<std::string, int> wins;
  for (const CaseResult &result : results) {
    const std::string *best = nullptr;
    double least = 0;
    std::map<std::string, Time> times = timesOf(result, model);
    for (auto &[schedule, time] : times)
      if (!best || time.ratio < least) {
        best = &schedule;
        least = time.ratio;
      }
    if (best)
      ++wins[least < -kNoise ? *best : model];
  }
  std::vector<std::string> best;
  best.reserve(wins.size());
  for (auto &[schedule, count] : wins)
    best.push_back(schedule);
  llvm::sort(best, [&](const std::string &a, const std::string &b) {
    return std::tie(wins[b], a) < std::tie(wins[a], b);
  });
  return best;
}

/// `0.1234 ms, 252.1 TFLOP/s, 1.172 times the model's speed`.
static std::string describe(const Time &time, double flops) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format("%.4g ms", time.milliseconds);
  if (flops > 0)
    os << llvm::format(", %.4g TFLOP/s", flops / time.milliseconds * 1e-9);
  os << llvm::format(", %.3f times the model's speed", std::exp(-time.ratio));
  return text;
}

ScheduleEntry tuner::makeEntry(const ScheduleKey &key,
                               const std::vector<CaseResult> &results,
                               const std::string &model) {
  size_t count = results.size();
  std::vector<std::map<std::string, Time>> times;
  times.reserve(results.size());
  for (const CaseResult &result : results)
    times.push_back(timesOf(result, model));

  // The best schedule of the cases [first, last], and what they cost with it.
  auto bestOf = [&](size_t first, size_t last) {
    std::pair<double, std::string> best{HUGE_VAL, model};
    for (auto &[schedule, time] : times[first]) {
      double cost = schedule == model ? -kNoise * double(last - first + 1) : 0;
      for (size_t i = first; i <= last; ++i) {
        auto found = times[i].find(schedule);
        cost += found == times[i].end() ? HUGE_VAL : found->second.ratio;
      }
      best = std::min(best, {cost, schedule});
    }
    return best;
  };
  // The cheapest way to cut the first n cases: its cost, and where the last
  // piece begins.
  std::vector<std::pair<double, size_t>> cut(count + 1, {HUGE_VAL, 0});
  cut[0].first = 0;
  for (size_t n = 1; n <= count; ++n)
    for (size_t begin = 0; begin < n; ++begin)
      cut[n] = std::min(
          cut[n],
          {cut[begin].first + bestOf(begin, n - 1).first + kKernel, begin});

  ScheduleEntry entry;
  entry.key = key;
  for (size_t end = count; end > 0; end = cut[end].second) {
    size_t begin = cut[end].second;
    ScheduleRange range;
    range.schedule = bestOf(begin, end - 1).second;
    if (end < count) {
      // Half-way to the next length that was measured.
      range.upTo = int64_t(std::sqrt(double(results[end - 1].what->length) *
                                     double(results[end].what->length)));
      if (range.upTo > 512)
        range.upTo -= range.upTo % 64;
    }
    llvm::json::Object measured;
    for (size_t i = begin; i < end; ++i) {
      auto found = times[i].find(range.schedule);
      if (found == times[i].end())
        continue;
      measured[std::to_string(results[i].what->length)] =
          describe(found->second, results[i].what->flops);
    }
    range.measured["measured"] = std::move(measured);
    entry.ranges.insert(entry.ranges.begin(), std::move(range));
  }
  return entry;
}
