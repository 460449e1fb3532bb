//===- CallPlan.h - What must hold of a call, ready to be asked -*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The checks and result sizes of a program, for every target: the executor asks
// them before it launches kernels, the CPU's code is called after them. It is
// immutable, so that calls from many threads share no lock.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_CALLPLAN_H
#define FLASH_RUNTIME_CALLPLAN_H

#include "flash/Runtime/CallArgument.h"
#include "flash/Runtime/Plan.h"

#include <memory>
#include <vector>

namespace flash::rt {

struct FlatProgram;

class CallPlan {
public:
  /// Verifies the program.
  static Result<CallPlan> create(Program program);

  const Program &program() const;

  /// Sizes of the results of a call: dims[i] has room for those of result i.
  /// Fails the checks that the call fails.
  Status getResultShapes(const CallArgument *arguments,
                         int64_t *const *dims) const;
  Result<std::vector<std::vector<int64_t>>>
  getResultShapes(const std::vector<Argument> &arguments) const;

  /// Bytes of memory that a call needs for its temporaries.
  Result<int64_t> getWorkspaceSize(const CallArgument *arguments) const;

  /// Checks a call.
  Status check(const CallArgument *arguments,
               const CallArgument *results) const;
  /// Kinds, ranks and numbers of arguments and results that know theirs.
  Status checkKinds(const std::vector<Argument> &arguments,
                    const std::vector<Argument> &results) const;

  /// How much a call does at most before it calls the driver: numbers read from
  /// arguments, operations, comparisons, parameters.
  struct Work {
    size_t loads = 0, operations = 0, checks = 0, launches = 0, params = 0;
    /// Parameters of the launch that has most.
    size_t mostParams = 0;
  };
  Work countWork() const;

private:
  friend class Executor;
  explicit CallPlan(std::shared_ptr<const FlatProgram> flat)
      : flat(std::move(flat)) {}
  std::shared_ptr<const FlatProgram> flat;
};

/// Arguments as calls have them; `arguments` must outlive the result.
std::vector<CallArgument>
toCallArguments(const std::vector<Argument> &arguments);

} // namespace flash::rt

#endif // FLASH_RUNTIME_CALLPLAN_H
