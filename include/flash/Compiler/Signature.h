//===- Signature.h - What a function is called with -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Names for the sizes of a function's arguments, from what its attentions use
// them for:
//
//   func.func @f(%q: tensor<?x32x?x128xbf16>, %k: tensor<?x8x?x128xbf16>, ...)
//   ->  batch = arg0.0 = arg1.0 = arg2.0, sq = arg0.2, sk = arg1.2 = arg2.2,
//   ...
//
// Dimensions that must be equal are one symbol, so that a user sets each size
// once.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_COMPILER_SIGNATURE_H
#define FLASH_COMPILER_SIGNATURE_H

#include "flash/Runtime/DType.h"
#include "flash/Runtime/Status.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace flash {

/// Dimensions of arguments that are one size.
struct SizeSymbol {
  /// `sq`; or `arg3.1` where no attention says what it is.
  std::string name;
  /// `sq` for `sq` and for the `sq2` of a second attention; else empty.
  std::string role;
  /// (argument, dimension).
  std::vector<std::pair<int, int>> uses;
  /// Set where a type says so.
  std::optional<int64_t> fixed;
  /// A role whose size it has if nobody says another: one for each so many
  /// (blocks of queries), and so many fewer (sequences have a bound more).
  struct Like {
    std::string role;
    int64_t each = 1, fewer = 0;
  };
  std::optional<Like> like;
};

struct SignatureArgument {
  /// An index, or an integer of 64 bits; of these no position is asked.
  bool isIndex = false, isSeed = false;
  /// A floating-point number, as a scale.
  bool isReal = false;
  /// `query`, `q_offset`, ...; or `arg3`.
  std::string name;
  /// What an attention has it for: `kv_lengths`, `slopes`, ...; or empty.
  std::string role;
  /// Whether its elements say what the function moves.
  bool isAsked = false;
  rt::DType dtype = rt::DType::F32;
  /// The symbol of each dimension.
  std::vector<int> symbols;
};

struct SignatureResult {
  /// `o`, `lse`; or `result1`.
  std::string name;
  bool isLse = false;
  rt::DType dtype = rt::DType::F32;
  int rank = 0;
  /// Sizes that the type says; -1 for others.
  std::vector<int64_t> sizes;
};

struct FunctionSignature {
  std::string name;
  std::vector<SizeSymbol> symbols;
  std::vector<SignatureArgument> arguments;
  std::vector<SignatureResult> results;
  /// Element type of the first attention's inputs.
  rt::DType inputType = rt::DType::F32;

  /// An error names what in the function cannot be called from outside.
  static rt::Result<FunctionSignature> get(mlir::func::FuncOp func);

  /// The symbol called `name` or `argK.D`; -1 if there is none.
  int findSymbol(llvm::StringRef name) const;
  /// The argument called `name` or `argK`; -1 if there is none.
  int findArgument(llvm::StringRef name) const;
};

/// The function called `name`, or the only public one with a body when `name`
/// is empty.
rt::Result<mlir::func::FuncOp> findEntry(mlir::ModuleOp module,
                                         llvm::StringRef name);

/// Sizes for every symbol of a signature.
class SizeAssignment {
public:
  explicit SizeAssignment(const FunctionSignature &signature);

  /// Sets the symbol that `name` means.
  rt::Status set(llvm::StringRef name, int64_t size);
  /// Takes the sizes of the argument given as an array.
  void setShape(int argument, const std::vector<int64_t> &shape);
  /// Gives sizes to what is left; returns what it chose, as `sq = 1024`.
  std::vector<std::string> setDefaults();

  /// The size that a name stands for, if it is known.
  std::optional<int64_t> size(llvm::StringRef name) const;
  /// The shape of an argument; the array's own where it was given one.
  std::vector<int64_t> shape(int argument) const;

private:
  int64_t defaultOf(llvm::StringRef role) const;

  const FunctionSignature &signature;
  std::vector<std::optional<int64_t>> sizes;
  std::map<int, std::vector<int64_t>> given;
};

} // namespace flash

#endif // FLASH_COMPILER_SIGNATURE_H
