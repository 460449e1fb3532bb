//===- TensorMap.h - TMA descriptors ----------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Encodes tensor maps with the driver, after checking what the hardware asks
// for (the driver only says CUDA_ERROR_INVALID_VALUE), and remembers them: the
// same tensors come again at every call of a loop.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_TENSORMAP_H
#define FLASH_RUNTIME_TENSORMAP_H

#include "flash/Runtime/CudaDriver.h"
#include "flash/Runtime/Plan.h"

#include <map>
#include <mutex>
#include <vector>

namespace flash::rt {

/// A tensor map with its sizes evaluated; innermost dimension first.
struct TensorMapValues {
  uint64_t address = 0;
  std::vector<int64_t> dims;
  std::vector<int64_t> byteStrides;
};

/// Checks what does not depend on the call: rank, box, swizzle.
Status verifyTensorMap(const TensorMapParam &param);

/// Encodes. `name` is the tensor's in errors. A tensor without elements gets a
/// map of one element that no kernel may read: its key loop is empty.
Result<cuda::TensorMap> encodeTensorMap(const cuda::Driver &driver,
                                        const TensorMapParam &param,
                                        const TensorMapValues &values,
                                        const std::string &name);

/// Thread-safe memory of encoded maps. Bounded: it starts anew when full.
class TensorMapCache {
public:
  Result<cuda::TensorMap> get(const cuda::Driver &driver,
                              const TensorMapParam &param,
                              const TensorMapValues &values,
                              const Program &program);

private:
  static constexpr size_t kCapacity = 1024;
  std::mutex mutex;
  std::map<std::vector<uint64_t>, cuda::TensorMap> maps;
};

} // namespace flash::rt

#endif // FLASH_RUNTIME_TENSORMAP_H
