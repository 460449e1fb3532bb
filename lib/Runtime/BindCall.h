//===- BindCall.h - Steps with everything evaluated -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The steps of a call that have something to do, as addresses and numbers, in
// memory on the stack. Private to the runtime.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_RUNTIME_BINDCALL_H
#define FLASH_LIB_RUNTIME_BINDCALL_H

#include "FlatProgram.h"
#include "flash/Runtime/Cuda.h"

namespace flash::rt {

struct BoundStep {
  size_t step = 0; ///< index in FlatProgram::steps
  cuda::LaunchGeometry geometry;
  /// Of a fill.
  uint64_t address = 0;
  int64_t bytes = 0;
};

/// Storage of a call's steps and kernel parameters.
class BoundCall {
public:
  explicit BoundCall(const FlatProgram &flat);
  BoundCall(const BoundCall &) = delete;
  BoundCall &operator=(const BoundCall &) = delete;

  /// Evaluates the steps that have something to do. `workspace` is where
  /// temporaries lie, `owner` a number that no other program of the process
  /// has.
  Status bind(const CallArgument *arguments, CallFrame &frame,
              const cuda::Driver &driver, uint64_t workspace, uint64_t owner);

  const BoundStep *begin() const { return steps; }
  const BoundStep *end() const { return steps + count; }
  void **paramsOf(const FlatLaunch &launch) {
    return pointers + launch.firstParam;
  }

private:
  struct Context;
  Status bindGrid(const FlatLaunch &launch, const CallFrame &frame,
                  cuda::LaunchGeometry &geometry, bool &empty) const;
  Status bindParam(const Context &call, const FlatLaunch &launch, size_t i);
  Status bindMap(const Context &call, size_t index, void *to);

  // Before what points to one of them, so that they are made first.
  BoundStep fewSteps[8];
  void *fewPointers[96];
  BufferView fewViews[24];
  alignas(64) char littleStorage[2048];
  std::unique_ptr<BoundStep[]> manySteps;
  std::unique_ptr<void *[]> manyPointers;
  std::unique_ptr<BufferView[]> manyViews;
  std::unique_ptr<char[]> muchStorage;

  const FlatProgram &flat;
  size_t count = 0;
  BoundStep *steps;
  void **pointers;
  BufferView *views;
  char *storage;
};

} // namespace flash::rt

#endif // FLASH_LIB_RUNTIME_BINDCALL_H
