//===- Gradients.cpp - Arrays of gradients --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a backward is given, and what it fills.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"

using namespace flash;
using namespace flash::reference;
using rt::Array;
using rt::DType;
using rt::Result;
using rt::Status;

Result<AttentionGradients> reference::createGradients(Arithmetic arithmetic,
                                                      const Array &query,
                                                      const Array &key,
                                                      const Array &value) {
  auto create = [&]() -> Result<Gradients> {
    auto like = [&](const Array &array) {
      bool wide = arithmetic == Arithmetic::Float64;
      return Array::create(wide ? DType::F64 : array.dtype(), array.shape());
    };
    Result<Array> q = like(query), k = like(key), v = like(value);
    for (const Result<Array> *each : {&q, &k, &v})
      if (each->failed())
        return each->status();
    return Gradients{std::move(*q), std::move(*k), std::move(*v), {}, {}};
  };
  Result<Gradients> gradients = create();
  if (gradients.failed())
    return gradients.status();
  AttentionGradients result{std::move(*gradients), std::nullopt};
  if (arithmetic == Arithmetic::Unfused)
    return result;
  Result<Gradients> magnitudes = create();
  if (magnitudes.failed())
    return magnitudes.status();
  result.magnitudes = std::move(*magnitudes);
  return result;
}

Status reference::checkBackward(const Array &query, const Array &outputGradient,
                                const Array *lseGradient,
                                const std::vector<int64_t> &outputShape,
                                const Options &options) {
  if (!options.keyScales.empty() || !options.valueScales.empty())
    return Status::error("8-bit keys and values have no gradients");
  if (options.score && !options.scoreWithSlope)
    return Status::error("the score functions have no slopes");
  auto check = [](const char *name, const Array &array,
                  const std::vector<int64_t> &shape) {
    return array.shape() == shape
               ? Status::success()
               : Status::error(std::string(name) + " is " +
                               rt::shapeToString(array.shape()) +
                               ", but must be " + rt::shapeToString(shape));
  };
  Status status =
      check("the gradient of the output", outputGradient, outputShape);
  if (status.failed() || !lseGradient)
    return status;
  const std::vector<int64_t> &q = query.shape();
  int head = options.bshd ? 2 : 1, length = options.bshd ? 1 : 2;
  return check("the gradient of the lse", *lseGradient,
               {q[0], q[head], q[length]});
}
