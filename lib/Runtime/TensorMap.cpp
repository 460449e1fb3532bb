//===- TensorMap.cpp - TMA descriptors ------------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// cuTensorMapEncodeTiled, and the rules of its arguments (CUDA driver API,
// "Tensor Map Object Management"), worded for people.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/TensorMap.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

using namespace flash::rt;

/// CUtensorMapDataType.
static int tensorMapType(DType type) {
  switch (type) {
  case DType::I8:
  case DType::I1:
  case DType::F8E4M3FN:
  case DType::F8E5M2:
    return 0; // bytes
  case DType::I32:
    return 3;
  case DType::I64:
    return 5;
  case DType::F16:
    return 6;
  case DType::F32:
    return 7;
  case DType::F64:
    return 8;
  case DType::BF16:
    return 9;
  }
  return 0;
}

Status flash::rt::verifyTensorMap(const TensorMapParam &param) {
  size_t rank = param.dims.size();
  auto error = [](const std::string &text) {
    return Status::error("tensor map: " + text);
  };
  if (rank < 1 || rank > 5)
    return error("rank " + std::to_string(rank) + " is not within 1 to 5");
  if (param.byteStrides.size() != rank - 1 || param.box.size() != rank ||
      (!param.elementStrides.empty() && param.elementStrides.size() != rank))
    return error("rank " + std::to_string(rank) + " with " +
                 std::to_string(param.byteStrides.size()) + " strides, " +
                 std::to_string(param.box.size()) + " box dimensions and " +
                 std::to_string(param.elementStrides.size()) +
                 " element strides");
  for (uint32_t size : param.box)
    if (size < 1 || size > 256)
      return error("box dimension " + std::to_string(size) +
                   " is not within 1 to 256");
  for (uint32_t stride : param.elementStrides)
    if (stride < 1 || stride > 8)
      return error("element stride " + std::to_string(stride) +
                   " is not within 1 to 8");
  int64_t inner = param.box[0] * sizeOf(param.dtype);
  if (inner % 16 != 0)
    return error("the box's inner dimension has " + std::to_string(inner) +
                 " bytes, not a multiple of 16");
  int64_t span = 16 << static_cast<int>(param.swizzle);
  if (param.swizzle != Swizzle::None && inner > span)
    return error("the box's inner dimension has " + std::to_string(inner) +
                 " bytes, more than its swizzle's " + std::to_string(span));
  return Status::success();
}

/// `name` makes the tensor's name, for errors only: maps of new tensors are
/// encoded in every call.
template <typename Name>
static Status encode(const cuda::Driver &driver, const TensorMapParam &param,
                     const TensorMapValues &values, Name name,
                     cuda::TensorMap &map) {
  auto what = [&] { return "encoding the tensor map of " + name(); };
  if (!driver.tensorMapEncodeTiled)
    return Status::error(what() + " needs cuTensorMapEncodeTiled, which this "
                                  "CUDA driver does not have");
  size_t rank = param.dims.size();
  bool empty = std::any_of(values.dims.begin(), values.dims.begin() + rank,
                           [](int64_t dim) { return dim == 0; });
  uint64_t dims[5] = {}, strides[4] = {};
  uint32_t elementStrides[5] = {1, 1, 1, 1, 1};
  for (size_t i = 0; i < rank; ++i) {
    int64_t dim = values.dims[i];
    if (dim < 0 || dim > (int64_t(1) << 32))
      return Status::error(what() + ": dimension " + std::to_string(i) +
                           " is " + std::to_string(dim) +
                           ", not within 0 to 2^32");
    dims[i] = empty ? 1 : static_cast<uint64_t>(dim);
    if (!param.elementStrides.empty())
      elementStrides[i] = param.elementStrides[i];
  }
  for (size_t i = 0; i + 1 < rank; ++i) {
    int64_t stride = values.byteStrides[i];
    if (empty)
      stride = 16;
    if (stride < 0 || stride % 16 != 0 || stride >= int64_t(1) << 40)
      return Status::error(what() + ": the stride of dimension " +
                           std::to_string(i + 1) + " is " +
                           std::to_string(stride) +
                           " bytes, not a multiple of 16 within 0 to 2^40");
    // Of one element no stride is used.
    if (dims[i + 1] == 1)
      stride = stride ? stride : 16;
    strides[i] = static_cast<uint64_t>(stride);
  }
  // Empty tensors have any address, often null; nothing is read through it.
  uint64_t address = empty ? uint64_t(1) << 12 : values.address;
  if (address % 16 != 0) {
    char text[32];
    std::snprintf(text, sizeof(text), "0x%llx",
                  static_cast<unsigned long long>(address));
    return Status::error(what() + ": the address " + text +
                         " is not a multiple of 16 bytes");
  }
  cuda::Code code = driver.tensorMapEncodeTiled(
      &map, tensorMapType(param.dtype), static_cast<uint32_t>(rank),
      reinterpret_cast<void *>(address), dims, strides, param.box.data(),
      elementStrides, /*interleave=*/0, static_cast<int>(param.swizzle),
      static_cast<int>(param.l2Promotion), static_cast<int>(param.oobFill));
  if (code == 0)
    return Status::success();
  return driver.check(code, what(), "cuTensorMapEncodeTiled");
}

Result<cuda::TensorMap> flash::rt::encodeTensorMap(
    const cuda::Driver &driver, const TensorMapParam &param,
    const TensorMapValues &values, const std::string &name) {
  cuda::TensorMap map = {};
  Status status = encode(driver, param, values, [&] { return name; }, map);
  if (status.failed())
    return status;
  return map;
}

TensorMapCache &TensorMapCache::ofThread() {
  static thread_local TensorMapCache cache;
  return cache;
}

Status TensorMapCache::get(const cuda::Driver &driver,
                           const TensorMapParam &param,
                           const TensorMapValues &values,
                           const Program &program, Owner owner, void *to) {
  // No program has the number 0, which entries without a map have.
  Key key = {owner.program + 1, owner.map, values.address};
  size_t next = 3;
  for (int64_t dim : values.dims)
    key[next++] = static_cast<uint64_t>(dim);
  for (int64_t stride : values.byteStrides)
    key[next++] = static_cast<uint64_t>(stride);
  uint64_t hash = 0;
  for (uint64_t word : key)
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  Entry &entry = entries[(hash >> 32) % kCapacity];
  if (entry.key != key) {
    entry.key = {};
    Status status = encode(
        driver, param, values,
        [&] { return program.nameOfBuffer(param.buffer); }, entry.map);
    if (status.failed())
      return status;
    entry.key = key;
  }
  std::memcpy(to, &entry.map, sizeof(entry.map));
  return Status::success();
}
