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

Result<cuda::TensorMap> flash::rt::encodeTensorMap(
    const cuda::Driver &driver, const TensorMapParam &param,
    const TensorMapValues &values, const std::string &name) {
  std::string what = "encoding the tensor map of " + name;
  if (!driver.tensorMapEncodeTiled)
    return Status::error(what + " needs cuTensorMapEncodeTiled, which this "
                                "CUDA driver does not have");
  size_t rank = values.dims.size();
  bool empty = std::any_of(values.dims.begin(), values.dims.end(),
                           [](int64_t dim) { return dim == 0; });
  uint64_t dims[5] = {}, strides[4] = {};
  uint32_t elementStrides[5] = {1, 1, 1, 1, 1};
  for (size_t i = 0; i < rank; ++i) {
    int64_t dim = values.dims[i];
    if (dim < 0 || dim > (int64_t(1) << 32))
      return Status::error(what + ": dimension " + std::to_string(i) + " is " +
                           std::to_string(dim) + ", not within 0 to 2^32");
    dims[i] = empty ? 1 : static_cast<uint64_t>(dim);
    if (!param.elementStrides.empty())
      elementStrides[i] = param.elementStrides[i];
  }
  for (size_t i = 0; i + 1 < rank; ++i) {
    int64_t stride = values.byteStrides[i];
    if (empty)
      stride = 16;
    if (stride < 0 || stride % 16 != 0 || stride >= int64_t(1) << 40)
      return Status::error(what + ": the stride of dimension " +
                           std::to_string(i + 1) + " is " +
                           std::to_string(stride) +
                           " bytes, not a multiple of 16 within 0 to 2^40");
    strides[i] = static_cast<uint64_t>(stride);
  }
  // Empty tensors have any address, often null; nothing is read through it.
  uint64_t address = empty ? uint64_t(1) << 12 : values.address;
  if (address % 16 != 0) {
    char text[32];
    std::snprintf(text, sizeof(text), "0x%llx",
                  static_cast<unsigned long long>(address));
    return Status::error(what + ": the address " + text +
                         " is not a multiple of 16 bytes");
  }
  cuda::TensorMap map = {};
  cuda::Code code = driver.tensorMapEncodeTiled(
      &map, tensorMapType(param.dtype), static_cast<uint32_t>(rank),
      reinterpret_cast<void *>(address), dims, strides, param.box.data(),
      elementStrides, /*interleave=*/0, static_cast<int>(param.swizzle),
      static_cast<int>(param.l2Promotion), static_cast<int>(param.oobFill));
  Status status = driver.check(code, what, "cuTensorMapEncodeTiled");
  if (status.failed())
    return status;
  return map;
}

Result<cuda::TensorMap> TensorMapCache::get(const cuda::Driver &driver,
                                            const TensorMapParam &param,
                                            const TensorMapValues &values,
                                            const Program &program) {
  std::vector<uint64_t> key = {
      values.address,
      values.dims.size(),
      static_cast<uint64_t>(param.dtype),
      static_cast<uint64_t>(param.swizzle),
      static_cast<uint64_t>(param.l2Promotion),
      static_cast<uint64_t>(param.oobFill),
      param.elementStrides.size(),
  };
  key.insert(key.end(), values.dims.begin(), values.dims.end());
  key.insert(key.end(), values.byteStrides.begin(), values.byteStrides.end());
  key.insert(key.end(), param.box.begin(), param.box.end());
  key.insert(key.end(), param.elementStrides.begin(),
             param.elementStrides.end());

  std::lock_guard<std::mutex> lock(mutex);
  auto it = maps.find(key);
  if (it != maps.end())
    return it->second;
  Result<cuda::TensorMap> map = encodeTensorMap(
      driver, param, values, program.nameOfBuffer(param.buffer));
  if (map.failed())
    return map;
  if (maps.size() >= kCapacity)
    maps.clear();
  maps.emplace(std::move(key), *map);
  return map;
}
