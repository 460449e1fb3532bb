//===- Call.h - A program bound to the arguments of a call ------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of the executor that needs no GPU: checks a call, and evaluates
// every step to addresses and numbers. Private to the runtime.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_RUNTIME_CALL_H
#define FLASH_LIB_RUNTIME_CALL_H

#include "flash/Runtime/Array.h"
#include "flash/Runtime/Cuda.h"
#include "flash/Runtime/Plan.h"
#include "flash/Runtime/TensorMap.h"

#include <variant>
#include <vector>

namespace flash::rt {

/// Device memory of a buffer in this call.
struct BufferView {
  uint64_t address = 0;
  int64_t bytes = 0;
};

/// Storage of a kernel parameter: the driver reads as many bytes as the kernel
/// declares.
union ParamValue {
  cuda::TensorMap map;
  uint64_t pointer;
  int64_t i64;
  int32_t i32;
  float f32;
};

/// Bytes that a kernel declares for `param`.
size_t paramSize(const Param &param);

struct BoundLaunch {
  size_t step = 0; ///< index in Program::steps
  cuda::LaunchGeometry geometry;
  std::vector<ParamValue> params;
};

struct BoundFill {
  uint64_t address = 0;
  int64_t bytes = 0;
  uint8_t value = 0;
};

using BoundStep = std::variant<BoundLaunch, BoundFill>;

/// Checks the arguments against the signature, and all Checks.
Status checkArguments(const Program &program,
                      const std::vector<Argument> &arguments);

/// Shapes of the results, for arguments that passed.
Result<std::vector<std::vector<int64_t>>>
evaluateResultShapes(const Program &program,
                     const std::vector<Argument> &arguments);

/// Checks results that the caller allocated.
Status checkResults(const Program &program,
                    const std::vector<Argument> &arguments,
                    const std::vector<Argument> &results);

/// Evaluates the steps that have something to do. `views` is one a buffer.
Result<std::vector<BoundStep>> bindSteps(const Program &program,
                                         const std::vector<Argument> &arguments,
                                         const std::vector<BufferView> &views,
                                         const cuda::Driver &driver,
                                         TensorMapCache &maps);

} // namespace flash::rt

#endif // FLASH_LIB_RUNTIME_CALL_H
