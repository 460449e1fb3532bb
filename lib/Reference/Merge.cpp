//===- Merge.cpp - Attentions over disjoint keys, joined --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Row by row: weights exp(lse_i - lse), in the arithmetic's type.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"
#include "flash/Runtime/ThreadPool.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::DType;
using rt::Result;
using rt::Status;

template <typename T>
static void mergeRows(const std::vector<const Array *> &outputs,
                      const std::vector<const Array *> &lses, bool bshd,
                      const Sizes &sizes, Attended &result) {
  rt::parallelFor(
      sizes.batch * sizes.heads * sizes.sq, [&](int64_t begin, int64_t end) {
        std::vector<T> part(sizes.dv);
        std::vector<double> row(sizes.dv);
        for (int64_t i = begin; i < end; ++i) {
          int64_t b = i / sizes.sq / sizes.heads,
                  h = i / sizes.sq % sizes.heads, s = i % sizes.sq;
          constexpr T kNone = -std::numeric_limits<T>::infinity();
          T max = kNone, sum = 0;
          for (const Array *lse : lses) {
            T value = static_cast<T>(lse->at(i));
            if (value > max || std::isnan(value))
              max = value;
          }
          std::vector<T> all(sizes.dv, 0);
          if (max != kNone) {
            for (const Array *lse : lses)
              sum += std::exp(static_cast<T>(lse->at(i)) - max);
            for (size_t p = 0; p < outputs.size(); ++p) {
              T weight = std::exp(static_cast<T>(lses[p]->at(i)) - max) / sum;
              // A part without keys has weight 0, whatever its output holds.
              if (weight == 0)
                continue;
              readRow(*outputs[p], rowStart(*outputs[p], bshd, b, h, s),
                      sizes.dv, part.data());
              for (int64_t d = 0; d < sizes.dv; ++d)
                all[d] += weight * part[d];
            }
          }
          std::copy(all.begin(), all.end(), row.begin());
          writeRow(result.output, rowStart(result.output, bshd, b, h, s),
                   sizes.dv, row.data());
          result.lse.set(i, max == kNone ? kNone : max + std::log(sum));
        }
      });
}

Result<Attended> reference::merge(Arithmetic arithmetic,
                                  const std::vector<const Array *> &outputs,
                                  const std::vector<const Array *> &lses,
                                  bool bshd, DType outputType) {
  if (outputs.empty() || outputs.size() != lses.size())
    return Status::error("merge needs as many log-sum-exps (" +
                         std::to_string(lses.size()) + ") as outputs (" +
                         std::to_string(outputs.size()) + "), at least one");
  const std::vector<int64_t> &shape = outputs.front()->shape();
  if (shape.size() != 4)
    return Status::error("merge: outputs must have 4 dimensions, not " +
                         std::to_string(shape.size()));
  int head = bshd ? 2 : 1, length = bshd ? 1 : 2;
  Sizes sizes{shape[0], shape[head], shape[head], shape[length],
              0,        shape[3],    shape[3]};
  for (size_t p = 0; p < outputs.size(); ++p) {
    if (outputs[p]->shape() != shape)
      return Status::error("merge: output 0 is " + rt::shapeToString(shape) +
                           ", output " + std::to_string(p) + " is " +
                           rt::shapeToString(outputs[p]->shape()));
    if (lses[p]->shape() != sizes.lseShape())
      return Status::error("merge: lse " + std::to_string(p) + " is " +
                           rt::shapeToString(lses[p]->shape()) +
                           ", but outputs need " +
                           rt::shapeToString(sizes.lseShape()));
  }
  Result<Attended> result = createResult(arithmetic, sizes, bshd, outputType);
  if (result.failed())
    return result;
  if (arithmetic == Arithmetic::Float64)
    mergeRows<double>(outputs, lses, bshd, sizes, *result);
  else
    mergeRows<float>(outputs, lses, bshd, sizes, *result);
  return result;
}
