//===- Report.cpp - What a run has to tell --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same facts for people and for programs.
//
//===----------------------------------------------------------------------===//

#include "flash/Tools/FlashRun/FlashRun.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <cmath>

using namespace flash;
using llvm::format;

static double totalMilliseconds(const std::vector<StageTime> &stages) {
  double total = 0;
  for (const StageTime &stage : stages)
    total += stage.milliseconds;
  return total;
}

/// FLOP/s with a readable prefix.
static std::string rate(double flops, double milliseconds) {
  double perSecond = flops / (milliseconds * 1e-3);
  if (perSecond >= 1e12)
    return llvm::formatv("{0:f2} TFLOP/s", perSecond * 1e-12);
  return llvm::formatv("{0:f2} GFLOP/s", perSecond * 1e-9);
}

static std::string bytes(int64_t count) {
  if (count >= 1 << 20)
    return llvm::formatv("{0:f1} MiB", double(count) / (1 << 20));
  return llvm::formatv("{0:f1} KiB", double(count) / (1 << 10));
}

static void printCheck(llvm::raw_ostream &os, const ResultCheck &check) {
  const reference::Verdict &v = check.verdict;
  os << format("check     %-6s", check.name.c_str());
  auto measure = [&](const char *name, double error, double unfused,
                     double limit) {
    os << format(" %s %.3g (unfused %.3g, limit %.3g)", name, error, unfused,
                 limit);
  };
  measure("relative", v.error.relative, v.unfused.relative, v.limit.relative);
  measure("maximum", v.error.maximum, v.unfused.maximum, v.limit.maximum);
  if (v.error.row > 0 || v.unfused.row > 0)
    measure("row", v.error.row, v.unfused.row, v.limit.row);
  os << (v.passed() ? "  ok" : "  FAILED: " + v.failure)
     << (check.zero ? ", but all of it is 0: if no query sees a key, --input "
                      "and --scalar give the mask other data\n"
                    : "\n");
}

void RunReport::printText(llvm::raw_ostream &os) const {
  os << "target    " << target << (device.empty() ? "" : " (" + device + ")")
     << "\n";
  os << "function  @" << function << "(" << llvm::join(arguments, ", ")
     << ") -> (" << llvm::join(results, ", ") << ")\n";
  if (!defaults.empty())
    os << "defaults  " << llvm::join(defaults, ", ")
       << "  (set with --dim, --scalar)\n";
  for (auto [schedule, source] : llvm::zip(schedules, scheduleSources))
    os << "schedule  " << schedule << "  (" << source << ")\n";
  for (const std::string &remark : remarks)
    os << "remark    " << remark << "\n";
  os << "compile  ";
  for (const StageTime &stage : stages)
    if (!isFromCache)
      os << " " << stage.name << format(" %.1f ms,", stage.milliseconds);
  os << format(" together %.1f ms", totalMilliseconds(stages))
     << (isFromCache ? ", from the cache\n" : "\n");
  if (!assembler.empty())
    os << "assembler " << assembler << "\n";
  if (ran)
    os << "memory    inputs " << bytes(inputBytes) << ", outputs "
       << bytes(outputBytes) << "\n";
  for (const rt::cuda::KernelAttributes &kernel : kernels)
    os << "kernel    " << kernel.registers << " registers a thread, "
       << kernel.localBytes << " bytes of local memory\n";
  if (ran) {
    os << format("run       %.4f ms", milliseconds);
    if (repeat > 0)
      os << " (median of " << repeat << ")";
    else
      os << " (once; --repeat=N for a median)";
    if (work.flops > 0)
      os << ", " << rate(work.flops, milliseconds) << " on visible pairs";
    if (work.flopsUnmasked != work.flops)
      os << " (" << format("%.3g", 100 * work.flops / work.flopsUnmasked)
         << " % of all)";
    os << "\n";
  }
  for (const IOCounter &counter : counters)
    os << llvm::formatv("count     op{0} {1,-6} {2,-6} {3:N} bytes\n",
                        counter.operation, counter.isLoad ? "loads" : "stores",
                        counter.value, counter.bytes);
  if (!counters.empty())
    os << "count     "
       << (ioDifference.empty() ? "the io report says the same\n"
                                : "FAILED: " + ioDifference);
  for (const ResultCheck &check : checks)
    printCheck(os, check);
}

/// JSON has no infinities and no NaN.
static llvm::json::Value number(double value) {
  if (std::isfinite(value))
    return value;
  return nullptr;
}

static llvm::json::Object toJson(const reference::Errors &errors) {
  return llvm::json::Object{{"relative", number(errors.relative)},
                            {"maximum", number(errors.maximum)},
                            {"row", number(errors.row)}};
}

void RunReport::printJson(llvm::raw_ostream &os) const {
  using llvm::json::Array;
  using llvm::json::Object;
  Object report{{"target", target},
                {"device", device},
                {"function", function},
                {"arguments", Array(arguments)},
                {"results", Array(results)},
                {"defaults", Array(defaults)},
                {"schedules", Array(schedules)},
                {"schedule_sources", Array(scheduleSources)},
                {"remarks", Array(remarks)},
                {"assembler", assembler},
                {"input_bytes", inputBytes},
                {"output_bytes", outputBytes}};
  Object compile;
  for (const StageTime &stage : stages)
    compile[stage.name] = stage.milliseconds;
  compile["total"] = totalMilliseconds(stages);
  report["compile_ms"] = std::move(compile);
  Array kernelList;
  for (const rt::cuda::KernelAttributes &kernel : kernels)
    kernelList.push_back(
        Object{{"registers", kernel.registers},
               {"static_shared_bytes", kernel.staticSharedBytes},
               {"local_bytes", kernel.localBytes}});
  report["kernels"] = std::move(kernelList);
  report["flops"] = work.flops;
  if (ran) {
    report["repeat"] = repeat;
    report["milliseconds"] = milliseconds;
    report["tflops"] = number(work.flops / (milliseconds * 1e-3) * 1e-12);
  }
  bool passed = ioDifference.empty();
  if (!counters.empty()) {
    Array counted;
    for (const IOCounter &counter : counters)
      counted.push_back(Object{{"operation", counter.operation},
                               {"access", counter.isLoad ? "load" : "store"},
                               {"value", counter.value},
                               {"bytes", counter.bytes}});
    report["count"] = std::move(counted);
    report["count_difference"] = ioDifference;
    report["passed"] = passed;
  }
  if (!checks.empty()) {
    Object all;
    for (const ResultCheck &check : checks) {
      passed &= check.verdict.passed();
      all[check.name] = Object{{"error", toJson(check.verdict.error)},
                               {"unfused", toJson(check.verdict.unfused)},
                               {"limit", toJson(check.verdict.limit)},
                               {"passed", check.verdict.passed()},
                               {"failure", check.verdict.failure}};
    }
    report["check"] = std::move(all);
    report["passed"] = passed;
  }
  os << llvm::formatv("{0:2}", llvm::json::Value(std::move(report))) << "\n";
}
