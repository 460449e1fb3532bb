//===- Matrix.h - Kernels and shapes to check -------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASHMATRIX_MATRIX_H
#define FLASH_TOOLS_FLASHMATRIX_MATRIX_H

#include "flash/Compiler/Executable.h"
#include "flash/Reference/Interpreter.h"
#include "flash/Runtime/Array.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flash::matrix {

/// A call: sizes that are known at run time.
struct Shape {
  int64_t batch, sq, sk;
  /// Of kernels that take offsets.
  int64_t qOffset = 0, kvOffset = 0;
  /// Of kernels whose numbers of heads are dynamic; 0: the kernel's.
  int64_t heads = 0, kvHeads = 0;
};

struct Kernel;
struct MatrixOptions;

/// An operand beside Q, K, V and offsets.
struct Extra {
  /// Its name in the program, and the text of its type.
  std::string name, type;
  rt::DType element;
  /// Its shape in a call, and what it holds.
  std::function<std::vector<int64_t>(const Kernel &, const Shape &)> shape;
  std::function<void(const Kernel &, const Shape &, uint64_t seed, rt::Array &)>
      fill;
};

/// What is compiled once.
struct Kernel {
  rt::DType type = rt::DType::F32;
  /// Of keys and of values, where it is not the queries'.
  std::optional<rt::DType> keyType, valueType;
  bool bshd = false, causal = false;
  /// A name for `attributes`, `operands` and `region`, which are text of the
  /// program, and the operands that they need.
  std::string feature, attributes, operands, region;
  std::vector<Extra> extras;
  /// Writes what no result may depend on over parts of the operands: those of
  /// the call in their order, without offsets.
  std::function<void(const Kernel &, const Shape &, std::vector<rt::Array> &)>
      spoil;
  /// Spoils keys and values that no query sees.
  bool spoilsUnseen = false;
  /// Keys in pages of this size; 0: not.
  int64_t pageSize = 0;
  /// Whether only the call says so.
  bool dynamicPages = false;
  /// Whether the seed and the offset of dropout are arguments (i64).
  bool seeds = false;
  int64_t dqk = 64, dv = 64, heads = 4, kvHeads = 2;
  bool offsets = false, dynamicHeads = false, lse = true, wideOutput = false;
  /// Sizes are in the types.
  bool isStatic = false;
  /// Text of the scale; empty for the default.
  std::string scale;
  int64_t splitKV = 0;
  /// Of which of Q, K and V (`qkv`, `k`, ...), and of which extras, gradients
  /// are results, too; gradients for all results are operands then. Both empty:
  /// the forward alone.
  std::string gradients;
  std::vector<std::string> gradientsOfExtras;
  /// What the backward computes again, as `outer = both`, and fields of its
  /// schedule; empty for the compiler's choice.
  std::string recompute, backwardSchedule;
  /// Text before the attention.
  std::string prelude;
  std::vector<Shape> shapes;
  /// What only schedules of a GPU do; no case of the CPU.
  bool onlyGPU = false;
  /// Inputs are such that results are NaN where the reference's are.
  bool nanAsReference = false;

  bool hasGradients() const {
    return !gradients.empty() || !gradientsOfExtras.empty();
  }
  rt::DType keyElement() const { return keyType.value_or(type); }
  rt::DType valueElement() const { return valueType.value_or(type); }

  /// `bf16 bshd causal d=59,111 heads=4/2 split=3`; `bf16/i8/bf16 ...` where
  /// keys or values have another type.
  std::string name() const;
  /// ` B=1 Sq=63 Sk=113`, and what else a call chooses.
  std::string describe(const Shape &shape) const;
  /// The function, with the first shape's sizes if it is static.
  std::string program() const;
};

/// Kernels with masks other than causal, of one element type.
std::vector<Kernel> makeMaskKernels(rt::DType type);

/// Kernels with lists of blocks, of one element type.
std::vector<Kernel> makeBlockSparseKernels(rt::DType type);

/// Kernels with ragged sequences, lengths of keys or pages, of one element
/// type.
std::vector<Kernel> makeSequenceKernels(rt::DType type);

/// Kernels with score functions, of one element type.
std::vector<Kernel> makeScoreKernels(rt::DType type);

/// Kernels with keys or values of 8 bits, of one element type of queries.
std::vector<Kernel> makeNarrowKernels(rt::DType type);

/// Kernels whose tiles are of several heads, of one element type.
std::vector<Kernel> makePackedKernels(rt::DType type);

/// Kernels that schedules for Hopper make differently, of one element type.
std::vector<Kernel> makeHopperKernels(rt::DType type);

/// Kernels that give gradients, too, of one element type.
std::vector<Kernel> makeBackwardKernels(rt::DType type);

/// Kernels of the other makers that give gradients.
std::vector<Kernel> makeBackwardFeatureKernels(rt::DType type);

/// Kernels whose masks hide keys and values that are spoilt, of one element
/// type.
std::vector<Kernel> makeUnseenKernels(rt::DType type);

/// `keyword(%a, %b : t, t) ` of these operands; empty without any.
std::string listOperands(const std::string &keyword,
                         const std::vector<Extra> &extras);

/// Number of the first element of a row of Q, K or V.
int64_t startOfRow(const Kernel &kernel, const rt::Array &array, int64_t batch,
                   int64_t head, int64_t row);

/// For `spoil`, where operands beside Q, K, V begin with kv_lengths: keys and
/// values after each batch's. Where they begin with cu_seqlens_q and
/// cu_seqlens_k: rows in no sequence.
void spoilBehindLengths(const Kernel &kernel, const Shape &shape,
                        std::vector<rt::Array> &operands);
void spoilOutsideSequences(const Kernel &kernel, const Shape &shape,
                           std::vector<rt::Array> &operands);

/// Writes NaN and infinities over the keys and values of a call, `operands`
/// without offsets, that no query sees; found by what reaches the results of
/// the reference, `run` with the operands it is given.
rt::Status
spoilUnseen(const Kernel &kernel, const Shape &shape,
            std::vector<rt::Array> &operands,
            const std::function<rt::Result<std::shared_ptr<const rt::Array>>(
                const std::vector<rt::Array> &)> &run);

/// The function that runs forward and backward of a kernel with gradients.
rt::Result<mlir::func::FuncOp> addGradients(const Kernel &kernel,
                                            mlir::func::FuncOp func);

/// Whether a result has the same bits each time: not a gradient to which blocks
/// of keys add in any order.
bool isRepeatable(const Kernel &kernel, const MatrixOptions &options,
                  size_t result);

/// Pages that a call has.
int64_t pagesOf(const Kernel &kernel, const Shape &shape);

/// Every head dim from 1 to 256 of every type, with one shape each.
std::vector<Kernel> makeHeadDimKernels();

/// All kernels but those; `large` adds lengths of several thousand.
std::vector<Kernel> makeKernels(bool large);

struct MatrixOptions {
  std::string target = "cpu";
  bool isCPU() const { return target.compare(0, 3, "cpu") == 0; }
  /// Options of the GPU's pipeline.
  std::string passes;
  /// Attribute that overrides parts of the chosen schedules.
  std::string schedule;
  /// Tables of measured schedules, as CompileOptions has them.
  std::string scheduleTable;
  uint64_t seed = 0;
  /// Launches of each case; all must give the same bits.
  int64_t repeats = 1;
  /// Parts of names; a kernel must have each.
  std::vector<std::string> filters;
  bool large = false, verbose = false;
  /// makeHeadDimKernels() in the place of the others.
  bool headDims = false;
  /// Compile, and run nothing.
  bool compileOnly = false;
  /// Count what tiles load and store, and compare with the IO report instead of
  /// results with float64.
  bool io = false;
  /// LLVM's level on the CPU.
  unsigned optLevel = 3;
  /// Every n-th kernel only.
  int64_t stride = 1;
  /// Kernels are dealt out by their names to so many parts, of which this one
  /// is wanted, counted from 1.
  uint64_t part = 1, parts = 1;
};

/// The kernels that the options' filters and stride leave.
std::vector<Kernel> selectKernels(const MatrixOptions &options);

/// Launches a kernel that was compiled with counters and compares what it moved
/// with the IO report; returns what differs, or an empty string.
std::string checkIO(mlir::func::FuncOp func, const CompileOptions &options,
                    Executable &executable,
                    const std::vector<reference::RuntimeValue> &values,
                    const std::vector<rt::Argument> &arguments);

/// Runs it; returns the exit status.
int runMatrix(const MatrixOptions &options);

} // namespace flash::matrix

#endif // FLASH_TOOLS_FLASHMATRIX_MATRIX_H
