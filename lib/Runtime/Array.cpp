//===- Array.cpp - Dense host arrays --------------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Creation with every size checked, and element access for code that is not in
// a hurry.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Array.h"
#include "flash/Runtime/Float16.h"
#include "flash/Runtime/Float8.h"

#include <cstring>

using namespace flash::rt;

std::string flash::rt::shapeToString(const std::vector<int64_t> &shape) {
  if (shape.empty())
    return "scalar";
  std::string text;
  for (int64_t dim : shape)
    text += (text.empty() ? "" : "x") + std::to_string(dim);
  return text;
}

Result<int64_t> flash::rt::countElements(const std::vector<int64_t> &shape) {
  int64_t count = 1;
  bool overflow = false, empty = false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0)
      return Status::error("dimension " + std::to_string(i) +
                           " is negative: " + std::to_string(shape[i]));
    empty |= shape[i] == 0;
    overflow |= __builtin_mul_overflow(count, shape[i], &count);
  }
  if (empty)
    return int64_t(0);
  if (overflow)
    return Status::error("the number of elements of " + shapeToString(shape) +
                         " does not fit in 64 bits");
  return count;
}

Result<Array> Array::create(DType type, std::vector<int64_t> shape) {
  Result<int64_t> count = countElements(shape);
  if (count.failed())
    return count.status();
  int64_t bytes;
  // The allocation is rounded up to whole alignment units, and never empty.
  int64_t padded;
  if (__builtin_mul_overflow(*count, sizeOf(type), &bytes) ||
      __builtin_add_overflow(bytes, int64_t(kAlignment), &padded))
    return Status::error("the size of " + shapeToString(shape) + " x " +
                         nameOf(type) + " does not fit in 64 bits");
  padded = padded / int64_t(kAlignment) * int64_t(kAlignment);

  Array array;
  array.type = type;
  array.dims = std::move(shape);
  array.count = *count;
  array.storage.reset(static_cast<std::byte *>(
      std::aligned_alloc(kAlignment, static_cast<size_t>(padded))));
  if (!array.storage)
    return Status::error("no memory for " + std::to_string(bytes) +
                         " bytes of " + shapeToString(array.dims) + " x " +
                         nameOf(type));
  std::memset(array.data(), 0, static_cast<size_t>(padded));
  return array;
}

double Array::at(int64_t index) const {
  switch (type) {
  case DType::F32:
    return dataAs<float>()[index];
  case DType::F16:
    return f16ToFloat(dataAs<uint16_t>()[index]);
  case DType::BF16:
    return bf16ToFloat(dataAs<uint16_t>()[index]);
  case DType::F64:
    return dataAs<double>()[index];
  case DType::I64:
    return static_cast<double>(dataAs<int64_t>()[index]);
  case DType::I32:
    return dataAs<int32_t>()[index];
  case DType::I8:
    return dataAs<int8_t>()[index];
  case DType::I1:
    return dataAs<uint8_t>()[index] != 0;
  case DType::F8E4M3FN:
    return f8E4M3FNToFloat(dataAs<uint8_t>()[index]);
  case DType::F8E5M2:
    return f8E5M2ToFloat(dataAs<uint8_t>()[index]);
  }
  return 0;
}

void Array::set(int64_t index, double value) {
  switch (type) {
  case DType::F32:
    dataAs<float>()[index] = static_cast<float>(value);
    return;
  case DType::F16:
    dataAs<uint16_t>()[index] = floatToF16(static_cast<float>(value));
    return;
  case DType::BF16:
    dataAs<uint16_t>()[index] = floatToBf16(static_cast<float>(value));
    return;
  case DType::F64:
    dataAs<double>()[index] = value;
    return;
  case DType::I64:
    dataAs<int64_t>()[index] = static_cast<int64_t>(value);
    return;
  case DType::I32:
    dataAs<int32_t>()[index] = static_cast<int32_t>(value);
    return;
  case DType::I8:
    dataAs<int8_t>()[index] = static_cast<int8_t>(value);
    return;
  case DType::I1:
    dataAs<uint8_t>()[index] = value != 0;
    return;
  case DType::F8E4M3FN:
    dataAs<uint8_t>()[index] = floatToF8E4M3FN(static_cast<float>(value));
    return;
  case DType::F8E5M2:
    dataAs<uint8_t>()[index] = floatToF8E5M2(static_cast<float>(value));
    return;
  }
}
