//===- Guarded.h - Arrays between NaNs --------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Results, and inputs on a GPU: what is written beside them is seen.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASHMATRIX_GUARDED_H
#define FLASH_TOOLS_FLASHMATRIX_GUARDED_H

#include "flash/Reference/Check.h"
#include "flash/Runtime/Cuda.h"
#include "flash/Runtime/Executor.h"

#include <cstring>
#include <optional>

namespace flash::matrix {

/// An array between NaNs, in host memory and (for a GPU) in device memory.
class Guarded {
public:
  static rt::Result<Guarded> create(rt::DType type,
                                    const std::vector<int64_t> &shape,
                                    const rt::cuda::Driver *cuda) {
    rt::Result<int64_t> count = rt::countElements(shape);
    if (count.failed())
      return count.status();
    rt::Result<rt::Array> raw = rt::Array::create(type, {*count + 2 * kGuard});
    if (raw.failed())
      return raw.status();
    reference::poison(*raw);
    Guarded guarded(std::move(*raw), shape);
    if (cuda) {
      rt::Result<rt::cuda::DeviceBuffer> buffer =
          rt::cuda::DeviceBuffer::allocate(*cuda, guarded.raw.sizeInBytes());
      if (buffer.failed())
        return buffer.status();
      guarded.device.emplace(std::move(*buffer));
    }
    return guarded;
  }

  void set(const rt::Array &values) {
    std::memcpy(inner(), values.data(), values.sizeInBytes());
  }
  void poison() { reference::poison(raw); }
  rt::Status toDevice() {
    return device ? device->copyFromHost(raw.data(), raw.sizeInBytes())
                  : rt::Status::success();
  }
  rt::Status fromDevice() {
    return device ? device->copyToHost(raw.data(), raw.sizeInBytes())
                  : rt::Status::success();
  }

  rt::Argument argument() const {
    int64_t offset = kGuard * rt::sizeOf(raw.dtype());
    uint64_t base =
        device ? device->address() : reinterpret_cast<uint64_t>(raw.data());
    return rt::Argument::tensor(base + offset, shape);
  }

  /// Whether the guards are as they were.
  bool intact() const {
    const auto *bytes = raw.dataAs<unsigned char>();
    int64_t guard = kGuard * rt::sizeOf(raw.dtype()), end = raw.sizeInBytes();
    for (int64_t i = 0; i < guard; ++i)
      if (bytes[i] != 0xff || bytes[end - 1 - i] != 0xff)
        return false;
    return true;
  }

  rt::Result<rt::Array> values() const {
    rt::Result<rt::Array> array = rt::Array::create(raw.dtype(), shape);
    if (array.ok())
      std::memcpy(array->data(), inner(), array->sizeInBytes());
    return array;
  }

private:
  /// Elements; 1 KiB of 16-bit ones keeps the alignment that TMA needs.
  static constexpr int64_t kGuard = 512;

  Guarded(rt::Array raw, std::vector<int64_t> shape)
      : raw(std::move(raw)), shape(std::move(shape)) {}
  char *inner() {
    return raw.dataAs<char>() + kGuard * rt::sizeOf(raw.dtype());
  }
  const char *inner() const {
    return raw.dataAs<char>() + kGuard * rt::sizeOf(raw.dtype());
  }

  rt::Array raw;
  std::vector<int64_t> shape;
  std::optional<rt::cuda::DeviceBuffer> device;
};

} // namespace flash::matrix

#endif // FLASH_TOOLS_FLASHMATRIX_GUARDED_H
