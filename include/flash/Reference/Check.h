//===- Check.h - Whether a result is as exact as it should be ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A result is compared with the f64 reference, beside the unfused computation
// on the same inputs. For each of three measures
//
//   relative   ||x - ref|| / ||ref|| over the whole result
//   maximum    max |x - ref|
//   row        the largest relative error of one row (outputs with at least 8
//              columns; in shorter rows cancellation makes it meaningless)
//
// the limit is 1.25 times the unfused computation's measure plus a floor. With
// u the unit roundoff of the input type (2^-24 f32, 2^-11 f16, 2^-8 bf16) and n
// the number of elements:
//
//   relative   1e-6 + (4e-6 + u/2) / sqrt(rows) + 4u / sqrt(n)
//   maximum    (5e-6 + u + 4u / sqrt(n)) * max |ref|
//   row        5e-6 + u/2 + 4u / sqrt(columns)
//   LSE        2e-6 * max(1, max |ref|) for the maximum; 2e-6 relative
//
// Gradients are measured beside what their terms amount to where they do not
// cancel (AttentionGradients::magnitudes) in the place of ref, and with r the
// lesser of their rows and those of the queries the floors are
//
//   relative   1e-6 + (4e-6 + u) / sqrt(r) + 4u / sqrt(n)
//   maximum    (5e-6 + u + 4u / sqrt(r) + 4u / sqrt(n)) * max magnitude
//   row        5e-6 + u + 4u / sqrt(columns)
//
// CheckCall.h compares a result that is above its limit with more unfused
// computations. docs/Checking.md says why.
//
// Three things have no tolerance: a NaN fails (but where inputs have some, and
// the reference has one, too, it is asked for); LSE is -inf exactly where the
// reference's is; a row that is zero in the reference (of a gradient: in the
// magnitudes) is zero.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_REFERENCE_CHECK_H
#define FLASH_REFERENCE_CHECK_H

#include "flash/Runtime/Array.h"

#include <string>

namespace flash::reference {

/// How far an array is from the reference.
struct Errors {
  double relative = 0, maximum = 0, row = 0;
};

/// Raises each of the largest errors to another one; what is not finite says
/// nothing.
void raiseTo(Errors &largest, const Errors &errors);

/// How many more unfused computations a result that is above its limit is
/// compared with (CheckCall.h).
constexpr uint64_t kVariants = 16;

/// What a result is.
enum class ResultKind { Output, Lse, Gradient };

/// What a gradient is measured beside; without magnitudes, itself.
struct GradientScale {
  const rt::Array *magnitudes = nullptr;
  /// Rows of the queries, over all batches and heads: each has a delta.
  int64_t queryRows = 1;
};

struct Verdict {
  Errors error, unfused, limit;
  /// It fails for an error above its limit, not for a rule without tolerance.
  bool beyondLimit = false;
  /// Why the result fails; empty when it passes.
  std::string failure;
  bool passed() const { return failure.empty(); }
};

/// Errors over the elements that are finite in the reference, relative to those
/// of another array where there is one.
Errors measure(const rt::Array &array, const rt::Array &reference,
               const rt::Array *beside = nullptr);

/// Judges `array`. `inputType` is the type of Q, K and V. With `nanAsReference`
/// it has a NaN where, and only where, the reference has one.
Verdict judge(const rt::Array &array, const rt::Array &reference,
              const rt::Array &unfused, ResultKind kind, rt::DType inputType,
              bool nanAsReference = false, GradientScale scale = {});

/// The same beside an unfused computation's errors.
Verdict judge(const rt::Array &array, const rt::Array &reference,
              const Errors &unfused, ResultKind kind, rt::DType inputType,
              bool nanAsReference = false, GradientScale scale = {});

/// Fills an array with NaN, so that what is not written is seen.
void poison(rt::Array &array);

} // namespace flash::reference

#endif // FLASH_REFERENCE_CHECK_H
