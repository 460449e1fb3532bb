//===- Fuzz.h - Many draws, and small failures ------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASHFUZZ_FUZZ_H
#define FLASH_TOOLS_FLASHFUZZ_FUZZ_H

#include "Draw.h"

#include <optional>

namespace flash::fuzz {

struct FuzzOptions {
  uint64_t seed = 0;
  /// The first draw's number, and how many; seconds after which none begins.
  uint64_t first = 0, count = 100;
  double seconds = 0;
  /// Processes.
  int64_t jobs = 1;
  /// Seconds that a draw may take before it counts as hanging; negative: so
  /// many times the mean of those that are done.
  double limit = -300;
  /// Draws stop after so many failures.
  int64_t failures = 5;
  /// `cpu`, or a CPU by name as `cpu:znver4`.
  std::string target = "cpu";
  /// LLVM's level.
  unsigned optLevel = 0;
  /// Compile, and run nothing: for CPUs that this machine is not.
  bool compileOnly = false;
  bool minimize = true, io = false, verbose = false;
  /// Simplifications to apply to the first draw, of a reproducer.
  std::vector<int64_t> steps;
};

/// What came of a draw, in this process or in another.
struct Outcome {
  /// `wrong`, `compile`, `crash`, `hang`; empty when it passed.
  std::string kind;
  std::string message;
  /// Largest error as a part of its limit.
  double part = 0;
  int64_t calls = 0;
};

/// Compiles and checks the draw, here.
Outcome runDraw(const Draw &draw, const FuzzOptions &options);

/// The same in a process of its own, which may crash or hang.
Outcome runApart(const Draw &draw, const FuzzOptions &options);

/// A failing draw, simplified while it fails in the same way, and the
/// simplifications' numbers.
struct Minimized {
  Draw draw;
  Outcome outcome;
  std::vector<int64_t> steps;
};
Minimized minimize(const Draw &draw, const Outcome &outcome,
                   const FuzzOptions &options);

/// Applies simplifications by their numbers; nothing if one does not exist.
std::optional<Draw> applySteps(Draw draw, const std::vector<int64_t> &steps);

/// Draws and checks; returns the exit status.
int runFuzz(const FuzzOptions &options);

} // namespace flash::fuzz

#endif // FLASH_TOOLS_FLASHFUZZ_FUZZ_H
