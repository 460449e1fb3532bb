//===- Spoil.cpp - What lies after the ends -------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows that no batch or sequence has, and keys that no query sees, are NaN and
// infinities: a kernel that multiplies one of them by a probability of zero
// shows it.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

using namespace flash;
using namespace flash::matrix;
using rt::Array;

int64_t matrix::startOfRow(const Kernel &kernel, const Array &array,
                           int64_t batch, int64_t head, int64_t row) {
  const std::vector<int64_t> &shape = array.shape();
  int64_t length = shape[kernel.bshd ? 1 : 2],
          heads = shape[kernel.bshd ? 2 : 1];
  return shape[3] * (kernel.bshd ? (batch * length + row) * heads + head
                                 : (batch * heads + head) * length + row);
}

/// The value of a spoilt element.
static double spoilt(int64_t row) {
  return row % 3 ? std::numeric_limits<double>::quiet_NaN()
                 : std::numeric_limits<double>::infinity();
}

/// Row `row` of a batch, in all heads.
static void spoilRow(const Kernel &kernel, Array &array, int64_t batch,
                     int64_t row) {
  if (!rt::isFloat(array.dtype()))
    return;
  const std::vector<int64_t> &shape = array.shape();
  int64_t heads = shape[kernel.bshd ? 2 : 1], columns = shape[3];
  double value = spoilt(row);
  for (int64_t head = 0; head < heads; ++head) {
    int64_t first = startOfRow(kernel, array, batch, head, row);
    for (int64_t column = 0; column < columns; ++column)
      array.set(first + column, value);
  }
}

void matrix::spoilBehindLengths(const Kernel &kernel, const Shape &shape,
                                std::vector<Array> &operands) {
  for (int64_t batch = 0; batch < shape.batch; ++batch)
    for (int64_t row = int64_t(operands[3].at(batch)); row < shape.sk; ++row)
      for (Array *array : {&operands[1], &operands[2]})
        spoilRow(kernel, *array, batch, row);
}

void matrix::spoilOutsideSequences(const Kernel &kernel, const Shape &shape,
                                   std::vector<Array> &operands) {
  auto spoil = [&](Array &array, const Array &starts, int64_t rows) {
    auto first = int64_t(starts.at(0)),
         end = int64_t(starts.at(starts.numElements() - 1));
    for (int64_t row = 0; row < rows; ++row)
      if (row < first || row >= end)
        spoilRow(kernel, array, 0, row);
  };
  spoil(operands[0], operands[3], shape.sq);
  spoil(operands[1], operands[4], shape.sk);
  spoil(operands[2], operands[4], shape.sk);
}

rt::Status matrix::spoilUnseen(
    const Kernel &kernel, const Shape &shape, std::vector<Array> &operands,
    const std::function<rt::Result<std::shared_ptr<const Array>>(
        const std::vector<Array> &)> &run) {
  Array &values = operands[2];
  int64_t columns = values.shape()[3],
          heads = operands[0].shape()[kernel.bshd ? 2 : 1],
          kvHeads = values.shape()[kernel.bshd ? 2 : 1];
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::array<int64_t, 3>> unseen; // batch, head, key
  // A key is a NaN in a column of its own, which all who see it have then.
  for (int64_t first = 0; first < shape.sk; first += columns) {
    std::vector<Array> probe;
    for (const Array &operand : operands) {
      rt::Result<Array> copy = Array::create(operand.dtype(), operand.shape());
      if (copy.failed())
        return copy.status();
      std::memcpy(copy->data(), operand.data(), operand.sizeInBytes());
      probe.push_back(std::move(*copy));
    }
    auto place = [&](int64_t b, int64_t h, int64_t key) {
      return startOfRow(kernel, values, b, h, key) + key - first;
    };
    int64_t end = std::min(first + columns, shape.sk);
    for (int64_t i = 0; i < values.numElements(); ++i)
      probe[2].set(i, 0);
    for (int64_t b = 0; b < shape.batch; ++b)
      for (int64_t h = 0; h < kvHeads; ++h)
        for (int64_t key = first; key < end; ++key)
          probe[2].set(place(b, h, key), nan);
    rt::Result<std::shared_ptr<const Array>> ran = run(probe);
    if (ran.failed())
      return ran.status();
    const Array &output = **ran;
    for (int64_t b = 0; b < shape.batch; ++b)
      for (int64_t h = 0; h < kvHeads; ++h)
        for (int64_t key = first; key < end; ++key) {
          bool seen = false;
          int64_t group = heads / kvHeads;
          for (int64_t q = h * group; q < (h + 1) * group && !seen; ++q)
            for (int64_t i = 0; i < shape.sq && !seen; ++i)
              seen = std::isnan(
                  output.at(startOfRow(kernel, output, b, q, i) + key - first));
          if (!seen)
            unseen.push_back({b, h, key});
        }
  }
  for (auto [b, h, key] : unseen)
    for (Array *array : {&operands[1], &operands[2]})
      for (int64_t d = 0; d < array->shape()[3]; ++d)
        array->set(startOfRow(kernel, *array, b, h, key) + d, spoilt(key));
  return rt::Status::success();
}
