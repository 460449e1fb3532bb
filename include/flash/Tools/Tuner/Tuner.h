//===- Tuner.h - Measures schedules and writes a table ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `flash-run --tune` does, as a library. docs/Tuning.md is its manual.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_TUNER_TUNER_H
#define FLASH_TOOLS_TUNER_TUNER_H

#include "flash/Tools/FlashRun/FlashRun.h"

namespace flash {

struct TuneOptions {
  /// The file (empty: the list of standard problems), target, sizes, seed and
  /// passes; the rest is not looked at.
  FlashRunOptions run;
  /// Of queries and keys, where the types leave them open.
  std::vector<int64_t> lengths;
  /// Of the standard problems: `64`, `192/128`; `full`, `causal`, `window`.
  std::vector<std::string> headDims, masks;
  /// Whether the standard problems give the LSE, too.
  bool lse = false;
  /// The most tiles, and the most variants of them, that are measured for a
  /// problem.
  int64_t candidates = 16;
  /// Seconds after which no measurement is begun; 0: no end.
  double budget = 0;
  /// Where measurements go as they are made, and the table at the end. Empty:
  /// named after the device.
  std::string log, table;
  /// List candidates and what the assembler says of each; measure nothing.
  bool dryRun = false;
  /// Threads that compile; 0: as many as the machine has.
  int jobs = 0;
};

/// Does it all. Returns the exit status.
int tune(const TuneOptions &options);

} // namespace flash

#endif // FLASH_TOOLS_TUNER_TUNER_H
