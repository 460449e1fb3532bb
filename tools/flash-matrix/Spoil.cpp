//===- Spoil.cpp - What lies behind the ends ------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rows that no batch or sequence has are NaN and infinities: a kernel that
// multiplies one of them by a probability of zero shows it.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include <algorithm>
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

/// Row `row` of a batch, in all heads.
static void spoilRow(const Kernel &kernel, Array &array, int64_t batch,
                     int64_t row) {
  if (!rt::isFloat(array.dtype()))
    return;
  const std::vector<int64_t> &shape = array.shape();
  int64_t heads = shape[kernel.bshd ? 2 : 1], columns = shape[3];
  double value = row % 3 ? std::numeric_limits<double>::quiet_NaN()
                         : std::numeric_limits<double>::infinity();
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
