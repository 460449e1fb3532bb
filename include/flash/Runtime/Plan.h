//===- Plan.h - The launch plan of a compiled function ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The data that a function becomes when it is compiled for a GPU: what it is
// called with, what must hold of that, and which kernels are launched on what.
// The compiler fills these structs; the executor runs them without MLIR.
//
//   flash_tile.launch @attention blocks(%nq, %h, %b) (%q, %k, %v, %o)
//   ->  launch #0 'attention' grid (ceildiv(dim(0, 2), 128), 32, dim(0, 0))
//         pointer q, tensor map k, tensor map v, pointer o
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_PLAN_H
#define FLASH_RUNTIME_PLAN_H

#include "flash/Runtime/DType.h"
#include "flash/Runtime/Expr.h"
#include "flash/Runtime/Status.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace flash::rt {

/// An argument of the function: a tensor, an index, or a number.
struct ArgumentInfo {
  static ArgumentInfo tensor(std::string name, DType dtype,
                             std::vector<std::optional<Expr>> dims) {
    return ArgumentInfo{std::move(name), false, dtype, std::move(dims)};
  }
  static ArgumentInfo index(std::string name) {
    return ArgumentInfo{std::move(name), true, DType::I64, {}};
  }
  static ArgumentInfo real(std::string name, DType dtype) {
    return ArgumentInfo{std::move(name), false, dtype, {}, 1, true};
  }
  bool isTensor() const { return !isIndex && !isReal; }

  std::string name;
  bool isIndex = false;
  DType dtype = DType::F32;
  /// Unset where any size is accepted; else the call must agree.
  std::vector<std::optional<Expr>> dims;
  /// Bytes of which a tensor's address and strides are multiples.
  int64_t alignment = 1;
  /// A floating-point number.
  bool isReal = false;
};

/// A result, in memory that the caller allocates after asking for the shape.
struct ResultInfo {
  std::string name;
  DType dtype = DType::F32;
  std::vector<Expr> dims;
  /// Bytes of which its address and strides are multiples.
  int64_t alignment = 1;
};

struct Signature {
  std::string name;
  std::vector<ArgumentInfo> arguments;
  std::vector<ResultInfo> results;
};

/// Device memory that kernels see: an argument, a result, or a temporary, which
/// is a part of the workspace. A temporary holds anything when the first kernel
/// sees it.
struct Buffer {
  enum class Kind { Argument, Result, Temporary };
  static Buffer argument(int index) { return {Kind::Argument, index, 0, {}}; }
  static Buffer result(int index) { return {Kind::Result, index, 0, {}}; }
  static Buffer temporary(std::string name, Expr bytes) {
    return {Kind::Temporary, -1, std::move(bytes), std::move(name)};
  }

  Kind kind = Kind::Argument;
  int index = 0;
  /// Of a temporary.
  Expr bytes;
  std::string name;
};

/// What must hold before anything is launched.
struct Check {
  enum class Relation {
    Equal,
    EqualOrOne, ///< or lhs is 1, which serves all
    LessEqual,
    Divisible
  };
  Relation relation = Relation::Equal;
  Expr lhs, rhs;
  /// The error when it does not hold; {lhs} and {rhs} become the values:
  /// "dimension 1 of 'k' ({rhs}) must divide dimension 1 of 'q' ({lhs})".
  std::string message;
};

struct PointerParam {
  int buffer = 0;
  Expr byteOffset;
};
struct Int64Param {
  Expr value;
};
struct Int32Param {
  Expr value;
};
struct Float32Param {
  float value = 0;
};
/// A floating-point argument of the call.
struct RealParam {
  int argument = 0;
  DType dtype = DType::F32;
};

/// The values are those of the driver's enumerations.
enum class Swizzle { None = 0, B32 = 1, B64 = 2, B128 = 3 };
enum class L2Promotion { None = 0, B64 = 1, B128 = 2, B256 = 3 };
enum class OobFill { Zero = 0, NaN = 1 };

/// A TMA descriptor, encoded at launch and passed by value (128 bytes, aligned
/// to 64). Dimensions are innermost first, as the hardware has them.
struct TensorMapParam {
  int buffer = 0;
  Expr byteOffset;
  DType dtype = DType::BF16;
  std::vector<Expr> dims;
  /// Of dimensions 1 and up; dimension 0 is contiguous.
  std::vector<Expr> byteStrides;
  std::vector<uint32_t> box;
  std::vector<uint32_t> elementStrides; ///< empty: all 1
  Swizzle swizzle = Swizzle::B128;
  L2Promotion l2Promotion = L2Promotion::B256;
  OobFill oobFill = OobFill::Zero;
};

using Param = std::variant<PointerParam, Int64Param, Int32Param, Float32Param,
                           RealParam, TensorMapParam>;

/// Bytes that a kernel declares for `param`.
size_t paramSize(const Param &param);

/// A kernel launch. A grid with a zero is not launched.
struct Launch {
  int module = 0;
  std::string kernel;
  std::array<Expr, 3> grid = {1, 1, 1};
  std::array<uint32_t, 3> block = {1, 1, 1};
  std::array<uint32_t, 3> cluster = {1, 1, 1};
  uint32_t dynamicSharedBytes = 0;
  std::vector<Param> params;
};

/// Sets bytes of a buffer.
struct Fill {
  int buffer = 0;
  Expr byteOffset;
  Expr bytes;
  uint8_t value = 0;
};

/// What is done, in order, on one stream.
using Step = std::variant<Launch, Fill>;

/// GPU code: a cubin, or PTX text.
struct ModuleImage {
  std::string name;
  std::string target; ///< sm_90a
  std::string image;

  bool isPtx() const {
    return image.compare(0, 4,
                         "\x7f"
                         "ELF") != 0;
  }
};

struct Program {
  Signature signature;
  std::vector<Buffer> buffers;
  std::vector<Check> checks;
  std::vector<Step> steps;
  std::vector<ModuleImage> modules;

  /// Whether every index, rank and constant is in range.
  Status verify() const;

  /// A name for errors: `argument 1 ('k')`.
  std::string nameOfBuffer(int buffer) const;

  /// The plan as text.
  std::string str() const;
};

} // namespace flash::rt

#endif // FLASH_RUNTIME_PLAN_H
