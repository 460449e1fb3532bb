//===- DefaultData.cpp - Data that nobody gave ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What lengths, pages and masks hold without a file: such that a function can
// be run as it stands and does some work. Integers that no attention explains
// are zeros, for other values may lie outside.
//
//===----------------------------------------------------------------------===//

#include "flash/Tools/FlashRun/FlashRun.h"

#include <cmath>
#include <functional>

using namespace flash;
using rt::Array;

std::string flash::fillDefaultData(Array &array,
                                   const SignatureArgument &argument,
                                   const SizeAssignment &sizes) {
  const std::string &role = argument.role;
  auto size = [&](const char *name) { return sizes.size(name).value_or(0); };
  auto fill = [&](const std::function<double(int64_t)> &at) {
    for (int64_t i = 0; i < array.numElements(); ++i)
      array.set(i, at(i));
  };
  int64_t columns =
      array.rank() ? std::max<int64_t>(array.shape().back(), 1) : 1;
  if (role == "cu_seqlens_q" || role == "cu_seqlens_k") {
    int64_t rows = size(role == "cu_seqlens_q" ? "sq" : "sk"),
            sequences = std::max<int64_t>(columns - 1, 1);
    fill([&](int64_t i) { return double(i * rows / sequences); });
    return "equal lengths";
  }
  if (role == "kv_lengths") {
    int64_t keys = size("pages_each") ? size("pages_each") * size("page_size")
                                      : size("sk");
    // Ragged sequences share the keys; the shortest has so many.
    if (!size("pages_each") && size("bounds") > 1)
      keys /= size("bounds") - 1;
    fill([&](int64_t) { return double(keys); });
    return "all keys";
  }
  if (role == "page_table") {
    int64_t pages = std::max<int64_t>(size("pages"), 1);
    fill([&](int64_t i) { return double(i % pages); });
    return "pages in order";
  }
  if (role == "prefix lengths") {
    fill([&](int64_t) { return double(size("sk") / 2); });
    return "half of the keys";
  }
  if (role == "segments of queries" || role == "segments of keys") {
    int64_t each = columns / 4 + 1;
    fill([&](int64_t i) { return double(i % columns / each); });
    return "four documents";
  }
  if (role == "number of full blocks") {
    fill([&](int64_t) { return 1; });
    return "one";
  }
  if (role == "slopes") {
    // Those of the ALiBi paper; of both signs, scores would grow without bound.
    fill([&](int64_t i) {
      return std::exp2(-8.0 * double(i % columns + 1) / double(columns));
    });
    return "2^(-8 h / H)";
  }
  bool integers =
      array.dtype() == rt::DType::I32 || array.dtype() == rt::DType::I64 ||
      array.dtype() == rt::DType::I8;
  // What a region captures: widths, documents, flags. With zeros alone many a
  // mask hides every key.
  if (integers && role.empty()) {
    fill([&](int64_t i) { return double((i + 1) % 5); });
    return "1, 2, 3, 4, 0, ...";
  }
  if (array.dtype() == rt::DType::I1) {
    fill([&](int64_t i) { return double(i % 5 != 3); });
    return "four of five true";
  }
  return integers ? "zeros" : "";
}
