//===- Check.cpp - Whether a result is as exact as it should be -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The measures, the limits and the exact rules that Check.h describes.
//
//===----------------------------------------------------------------------===//

#include "flash/Reference/Check.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::DType;

static constexpr int64_t kShortestRow = 8;

/// Elements of a row: the minor dimension of an output.
static int64_t rowLength(const Array &array) {
  return array.rank() == 4 ? array.shape().back() : 1;
}

/// Roundings of f64 over those of f32: there are as many, and those of the
/// reference, which is no more exact, besides.
constexpr double kDoubleOverSingle = 2 * 0x1p-29;

static double unitRoundoff(DType type) {
  switch (type) {
  case DType::BF16:
    return 0x1p-8;
  case DType::F16:
    return 0x1p-11;
  case DType::F64:
    return 0x1p-53;
  default:
    return 0x1p-24;
  }
}

Errors reference::measure(const Array &array, const Array &reference,
                          const Array *beside) {
  Errors errors;
  int64_t length = std::max<int64_t>(1, rowLength(reference));
  double error2 = 0, reference2 = 0;
  // A row whose probabilities a sink leaves no f32 for is measured beside what
  // there is: 1e-30.
  double smallest2 = array.dtype() == DType::F64 ? 0 : 1e-60;
  for (int64_t row = 0; row < reference.numElements(); row += length) {
    double rowError2 = 0, rowReference2 = 0;
    for (int64_t i = row; i < row + length; ++i) {
      double want = reference.at(i);
      if (!std::isfinite(want))
        continue;
      double difference = array.at(i) - want;
      rowError2 += difference * difference;
      double size = beside ? beside->at(i) : want;
      rowReference2 += size * size;
      errors.maximum = std::max(errors.maximum, std::fabs(difference));
    }
    error2 += rowError2;
    reference2 += rowReference2;
    if (rowReference2 > 0 && length >= kShortestRow)
      errors.row =
          std::max(errors.row,
                   std::sqrt(rowError2 / std::max(rowReference2, smallest2)));
  }
  if (error2 > 0)
    errors.relative = reference2 > 0 ? std::sqrt(error2 / reference2)
                                     : std::numeric_limits<double>::infinity();
  return errors;
}

void reference::raiseTo(Errors &largest, const Errors &errors) {
  for (double Errors::*each :
       {&Errors::relative, &Errors::maximum, &Errors::row})
    if (std::isfinite(errors.*each))
      largest.*each = std::max(largest.*each, errors.*each);
}

/// `[1, 3, 17]` for an element's number.
static std::string position(const Array &array, int64_t index) {
  std::string text;
  for (int64_t dim = array.rank() - 1; dim >= 0; --dim) {
    int64_t size = array.shape()[dim];
    text = std::to_string(index % size) + (text.empty() ? "" : ", ") + text;
    index /= size;
  }
  return "[" + text + "]";
}

static std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

/// The rules without tolerance; the reason of the first that is broken.
static std::string findExactFailure(const Array &array, const Array &reference,
                                    bool nanAsReference, const Array *beside) {
  int64_t length = std::max<int64_t>(1, rowLength(reference));
  int64_t wrong = 0, firstWrong = -1;
  std::string what;
  auto note = [&](int64_t index, const char *reason) {
    if (wrong++ == 0) {
      firstWrong = index;
      what = reason;
    }
  };
  for (int64_t row = 0; row < reference.numElements(); row += length) {
    bool zero = reference.rank() == 4;
    for (int64_t i = row; i < row + length && zero; ++i)
      zero = (beside ? beside : &reference)->at(i) == 0;
    for (int64_t i = row; i < row + length; ++i) {
      double have = array.at(i), want = reference.at(i);
      if (nanAsReference && std::isnan(want)) {
        if (!std::isnan(have))
          note(i, "not a NaN, but the reference is");
      } else if (std::isnan(want))
        note(i, "the reference is NaN (are the inputs?)");
      else if (std::isnan(have))
        note(i, "NaN: not written, or computed from a NaN");
      else if (std::isinf(have) || std::isinf(want)) {
        if (have != want)
          note(i, "infinite in one and not in the other");
      } else if (!rt::isFloat(reference.dtype()) && have != want)
        note(i, "not the reference's integer");
      else if (zero && have != 0)
        note(i, beside ? "not zero, but the row sees none and is not seen"
                       : "not zero, but the row sees no key");
    }
  }
  if (wrong == 0)
    return "";
  return what + " at " + position(reference, firstWrong) + " (" +
         number(array.at(firstWrong)) + ", reference " +
         number(reference.at(firstWrong)) + "); " + std::to_string(wrong) +
         " of " + std::to_string(reference.numElements()) + " elements";
}

static Errors limits(const Errors &unfused, const Array &reference,
                     ResultKind kind, DType inputType, int64_t queryRows) {
  double largest = 0;
  for (int64_t i = 0; i < reference.numElements(); ++i)
    if (std::isfinite(reference.at(i)))
      largest = std::max(largest, std::fabs(reference.at(i)));
  double columns = std::max<int64_t>(1, rowLength(reference));
  double elements = std::max<double>(columns, reference.numElements());
  double u = unitRoundoff(inputType);
  Errors floor;
  if (kind == ResultKind::Lse)
    // Near zero a relative error means nothing: the reference norm may vanish.
    floor = {2e-6 * std::max(1.0, 1 / std::max(largest, 1e-30)),
             2e-6 * std::max(1.0, largest), 0};
  else if (kind == ResultKind::Gradient) {
    // delta is rounded with O: one draw a query.
    double draws = std::sqrt(
        std::min(elements / columns, std::max(1.0, double(queryRows))));
    double each = 4 * u / std::sqrt(elements);
    floor = {1e-6 + (4e-6 + u) / draws + each,
             (5e-6 + u + 4 * u / draws + each) * largest,
             5e-6 + u + 4 * u / std::sqrt(columns)};
  } else
    floor = {1e-6 + (4e-6 + u / 2) / std::sqrt(elements / columns) +
                 4 * u / std::sqrt(elements),
             (5e-6 + u + 4 * u / std::sqrt(elements)) * largest,
             5e-6 + u / 2 + 4 * u / std::sqrt(columns)};
  double unit = inputType == DType::F64 ? kDoubleOverSingle : 1;
  auto limit = [&](double unfused, double floor) {
    return 1.25 * unfused + floor * unit;
  };
  return {limit(unfused.relative, floor.relative),
          limit(unfused.maximum, floor.maximum), limit(unfused.row, floor.row)};
}

/// What an attention without fusion in f64 would be off by, from what it is off
/// by in f32. Numbers that f32 does not have say nothing.
static Errors inDouble(Errors errors) {
  for (double *error : {&errors.relative, &errors.maximum, &errors.row})
    *error = std::isfinite(*error) ? *error * kDoubleOverSingle : 0;
  return errors;
}

Verdict reference::judge(const Array &array, const Array &reference,
                         const Array &unfused, ResultKind kind, DType inputType,
                         bool nanAsReference, GradientScale scale) {
  return judge(array, reference, measure(unfused, reference, scale.magnitudes),
               kind, inputType, nanAsReference, scale);
}

Verdict reference::judge(const Array &array, const Array &reference,
                         const Errors &unfused, ResultKind kind,
                         DType inputType, bool nanAsReference,
                         GradientScale scale) {
  Verdict verdict;
  // A gradient may have fewer digits than queries: that of a sink, of a bias.
  if (kind == ResultKind::Gradient &&
      unitRoundoff(array.dtype()) > unitRoundoff(inputType))
    inputType = array.dtype();
  if (array.shape() != reference.shape()) {
    verdict.failure = "the shape is " + rt::shapeToString(array.shape()) +
                      ", the reference's " +
                      rt::shapeToString(reference.shape());
    return verdict;
  }
  const Array *beside = scale.magnitudes;
  verdict.failure = findExactFailure(array, reference, nanAsReference, beside);
  verdict.error = measure(array, reference, beside);
  verdict.unfused = inputType == DType::F64 ? inDouble(unfused) : unfused;
  verdict.limit = limits(verdict.unfused, beside ? *beside : reference, kind,
                         inputType, scale.queryRows);
  if (!verdict.passed())
    return verdict;
  auto check = [&](const char *name, double error, double limit) {
    // Written so that a NaN fails.
    if (error <= limit || !verdict.passed())
      return;
    verdict.failure = std::string(name) + " error " + number(error) +
                      " is above the limit " + number(limit);
    verdict.beyondLimit = true;
  };
  check("relative", verdict.error.relative, verdict.limit.relative);
  check("maximum", verdict.error.maximum, verdict.limit.maximum);
  if (kind != ResultKind::Lse)
    check("largest row", verdict.error.row, verdict.limit.row);
  return verdict;
}

void reference::poison(Array &array) {
  if (!rt::isFloat(array.dtype())) {
    std::memset(array.data(), 0xa5, array.sizeInBytes());
    return;
  }
  // All ones is a NaN in every floating-point type.
  std::memset(array.data(), 0xff, array.sizeInBytes());
}
