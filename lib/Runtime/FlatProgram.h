//===- FlatProgram.h - A program made ready for calls -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program whose expressions have become slots of a tape. A call runs the
// first part of the tape, looks at the slots of its checks, and then, of each
// launch with a grid that is not empty, at those of its parameters:
//
//   check #4 == #7 ; launch 0: grid #12, #0, #1 ; tape 40..52 ; i64 #44, ...
//
// Nothing of it changes after it is made; nothing of a call is allocated, as
// long as its numbers fit in a CallFrame. Private to the runtime.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_RUNTIME_FLATPROGRAM_H
#define FLASH_LIB_RUNTIME_FLATPROGRAM_H

#include "Tape.h"
#include "flash/Runtime/Array.h"
#include "flash/Runtime/Plan.h"

#include <memory>
#include <variant>
#include <vector>

namespace flash::rt {

/// A tensor argument or a result.
struct FlatTensor {
  bool isTensor = false;
  size_t rank = 0;
  int64_t elementBytes = 0;
  int64_t alignment = 1;
  /// Of a result that is filled before kernels write it.
  bool isDense = false;
  /// Sizes that the call must have; of a result all.
  std::vector<std::pair<size_t, Slot>> dims;
};

struct FlatCheck {
  Check::Relation relation;
  Slot lhs, rhs;
};

struct FlatTemporary {
  size_t buffer;
  Slot bytes;
};

struct FlatParam {
  enum class Kind : uint8_t { Pointer, Int64, Int32, Float32, Real, Map };
  Kind kind;
  /// Where the bytes lie in a call's storage.
  uint32_t place = 0;
  /// A pointer's offset, an integer's value.
  Slot slot = 0;
  size_t buffer = 0;
  /// Index in FlatProgram::maps; of a real its argument.
  size_t index = 0;
};

struct FlatMap {
  size_t step, param;
  size_t buffer;
  Slot offset;
  std::vector<Slot> dims, strides;
};

struct FlatLaunch {
  size_t step = 0; ///< index in Program::steps
  Slot grid[3];
  TapeRange range;
  std::vector<FlatParam> params;
  size_t firstParam = 0; ///< among those of all launches
};

struct FlatFill {
  size_t step = 0;
  size_t buffer = 0;
  Slot offset = 0, bytes = 0;
  TapeRange range;
};

struct FlatProgram {
  static Result<std::shared_ptr<const FlatProgram>> create(Program program);

  const TensorMapParam &mapOf(const FlatMap &map) const {
    return *std::get_if<TensorMapParam>(
        &std::get_if<Launch>(&program.steps[map.step])->params[map.param]);
  }

  /// `argument 1 ('k') of 'attention'`.
  std::string nameOf(bool isResult, size_t index) const;

  Program program;
  Tape tape;
  /// What every call computes.
  TapeRange always;
  std::vector<FlatTensor> arguments, results;
  std::vector<std::vector<Slot>> resultDims;
  std::vector<FlatCheck> checks;
  std::vector<FlatTemporary> temporaries;
  std::vector<FlatMap> maps;
  std::vector<std::variant<FlatLaunch, FlatFill>> steps;
  /// Of all launches.
  size_t numParams = 0, paramBytes = 0;
};

/// Memory of a buffer in a call, with the bytes that may be reached from its
/// address: those before it, where strides are negative, and those after.
struct BufferView {
  uint64_t address = 0;
  int64_t before = 0, after = 0;
};

/// The numbers of one call, on the stack unless there are many.
class CallFrame {
public:
  explicit CallFrame(const FlatProgram &flat)
      : slots(get(flat.tape.numSlots(), inlineSlots, manySlots)),
        arguments(get(flat.arguments.size(), inlineArguments, manyArguments)),
        results(get(flat.results.size(), inlineResults, manyResults)) {}
  CallFrame(const CallFrame &) = delete;
  CallFrame &operator=(const CallFrame &) = delete;

private:
  int64_t inlineSlots[512];
  BufferView inlineArguments[24], inlineResults[4];
  std::unique_ptr<int64_t[]> manySlots;
  std::unique_ptr<BufferView[]> manyArguments, manyResults;

  template <typename T, size_t N>
  static T *get(size_t count, T (&few)[N], std::unique_ptr<T[]> &many) {
    if (count <= N)
      return few;
    many.reset(new T[count]);
    return many.get();
  }

public:
  int64_t *const slots;
  BufferView *const arguments, *const results;
};

/// Runs the part of the tape that every call needs, and all checks of the
/// arguments.
Status checkArguments(const FlatProgram &flat, const CallArgument *arguments,
                      CallFrame &frame);

/// Checks results that the caller allocated, for arguments that passed; loads
/// their strides.
Status checkResults(const FlatProgram &flat, const CallArgument *results,
                    CallFrame &frame);

/// Bytes of the temporaries of a call whose arguments passed.
Result<int64_t> measureWorkspace(const FlatProgram &flat,
                                 const CallFrame &frame);

/// Kinds, ranks and number of arguments that know them.
Status checkKinds(const FlatProgram &flat,
                  const std::vector<Argument> &arguments);
Status checkResultRanks(const FlatProgram &flat,
                        const std::vector<Argument> &results);

constexpr int64_t kTemporaryAlignment = 256;

} // namespace flash::rt

#endif // FLASH_LIB_RUNTIME_FLATPROGRAM_H
