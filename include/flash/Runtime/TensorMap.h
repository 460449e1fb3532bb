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

#include <array>
#include <string>

namespace flash::rt {

/// A tensor map with its sizes evaluated; innermost dimension first.
struct TensorMapValues {
  uint64_t address = 0;
  std::array<int64_t, 5> dims = {};
  std::array<int64_t, 4> byteStrides = {};
};

/// Checks what does not depend on the call: rank, box, swizzle.
Status verifyTensorMap(const TensorMapParam &param);

/// Encodes. `name` is the tensor's in errors. A tensor without elements gets a
/// map of one element that no kernel may read: its key loop is empty.
Result<cuda::TensorMap> encodeTensorMap(const cuda::Driver &driver,
                                        const TensorMapParam &param,
                                        const TensorMapValues &values,
                                        const std::string &name);

/// Memory of encoded maps: of each thread its own, so that launches share no
/// lock, of a fixed size, so that it does not grow.
class TensorMapCache {
public:
  /// Whose map it is: a program of this process, and its number there.
  struct Owner {
    uint64_t program = 0, map = 0;
  };

  static TensorMapCache &ofThread();

  /// Writes the map to `to`, encoding it unless the same map of the same owner
  /// is remembered.
  Status get(const cuda::Driver &driver, const TensorMapParam &param,
             const TensorMapValues &values, const Program &program, Owner owner,
             void *to);

private:
  static constexpr size_t kCapacity = 64;
  /// Owner, address, sizes and strides.
  using Key = std::array<uint64_t, 12>;
  struct Entry {
    Key key;
    cuda::TensorMap map;
  };
  Entry entries[kCapacity];
};

} // namespace flash::rt

#endif // FLASH_RUNTIME_TENSORMAP_H
