//===- Draw.h - A random attention ------------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is drawn is a value that can be changed: a failure is made smaller by
// changing one thing at a time, and the kernel's text follows from the value.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASHFUZZ_DRAW_H
#define FLASH_TOOLS_FLASHFUZZ_DRAW_H

#include "../flash-matrix/Matrix.h"

#include <cstdint>
#include <string>
#include <vector>

namespace flash::fuzz {

/// Numbers that depend on the seed alone, whatever the C++ library.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next();
  /// From `low` to `high`.
  int64_t between(int64_t low, int64_t high);
  bool chance(double part);
  template <typename T> T of(std::initializer_list<T> choices) {
    return choices.begin()[between(0, int64_t(choices.size()) - 1)];
  }

private:
  uint64_t state;
};

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

/// What a region computes.
enum class Node {
  // Of type index.
  Batch,
  Head,
  Query,
  Key,
  Number,
  Add,
  Sub,
  Mul,
  Min,
  Max,
  Abs,
  FloorDiv,
  Div,
  Rem,
  ChooseIndex,
  Narrow,
  ReadInteger,
  // i1.
  True,
  Compare,
  CompareReal,
  And,
  Or,
  Xor,
  // The score's type. `Bounded` ones stay within a few units, so that scores
  // remain such as a type can tell apart.
  Score,
  Real,
  FromIndex,
  AddReal,
  SubReal,
  MulReal,
  MaxReal,
  AbsReal,
  Tanh,
  ExpOfNegative,
  Clamp,
  Scaled,
  Leaky,
  ChooseReal,
  Hidden,
  ReadReal,
};

/// A tree of them. `number` is a constant, a divisor, a predicate, the capture
/// that is read.
struct Expr {
  Node node;
  int64_t number = 0;
  std::vector<Expr> in;
};

enum class Sort { Index, Bit, Real };
Sort sortOf(Node node);

/// How a capture is indexed, which is also its shape.
enum class Place {
  Batch,
  Head,
  Key,      ///< at the key's position
  Query,    ///< at the query's position, if it is not negative
  HeadKey,  ///< two dimensions
  BatchKey, ///< two dimensions
  Clamped,  ///< 16 elements, at any index brought into range
};
constexpr int64_t kPlaces = 7;

//===----------------------------------------------------------------------===//
// The attention
//===----------------------------------------------------------------------===//

struct Mask {
  enum Kind {
    Causal,
    Window,
    Prefix,
    Segments,
    Region,
    BlockSparse,
    And,
    Or
  } kind;
  /// Of a window, -1 for none; or a block's queries and keys.
  int64_t a = -1, b = -1;
  /// Of And and Or; what decides in partial blocks.
  std::vector<Mask> parts;
};

struct Score {
  enum Kind { Alibi, Bias, Softcap, Region } kind;
  /// Alibi: 1 with a batch. Bias: bits of the dimensions that are 1, for all.
  /// Softcap: the cap.
  int64_t a = 0;
  /// Of slopes and biases.
  rt::DType type = rt::DType::F32;
  bool infinities = false;
};

struct Draw {
  /// Of the data of all operands.
  uint64_t seed = 0;
  rt::DType type = rt::DType::F32;
  /// Of keys and of values that have 8 bits, with a factor for each key head.
  std::optional<rt::DType> keyType, valueType;
  bool bshd = false, lse = true, wideOutput = false, isStatic = false,
       dynamicHeads = false, offsets = false, smallIntegers = true;
  int64_t dqk = 8, dv = 8, kvHeads = 1, group = 1;
  std::string scale;
  bool sinks = false;
  /// The chance of dropout; empty for none.
  std::string dropout;
  int64_t splitKV = 0;
  /// Of the schedule; 0: the compiler's.
  int64_t m = 0, n = 0;
  bool reverseKeys = false;
  /// Query heads that share a tile; 0: the compiler's.
  int64_t packHeads = 0;

  /// At most one of each.
  std::vector<Mask> mask;
  std::vector<Score> scores;
  std::vector<Expr> maskRegion, scoreRegion;
  /// Without attributes the regions stand for themselves.
  bool bareRegions = false;

  /// Of which of Q, K and V gradients are asked for; empty: of none. What the
  /// backward computes again, and its tiles; empty for the compiler's choice.
  std::string gradients, recompute, backwardSchedule;
  /// Whether sinks, slopes, biases and captures have gradients, too.
  bool ofExtras = false;

  /// 0: not ragged.
  int64_t sequences = 0;
  bool kvLengths = false;
  int64_t pageSize = 0;

  std::vector<matrix::Shape> shapes;
};

/// The draw with this number. Legal.
Draw drawAttention(uint64_t seed, uint64_t number);

/// Whether the attention is one that the CPU has to take.
bool isLegal(const Draw &draw);

/// The kernel of the draw: its text and its operands.
matrix::Kernel makeKernel(const Draw &draw);

/// Text of a region, from `score {` or `mask {` on.
std::string printRegion(const Draw &draw, bool ofScore);

/// Captures that the regions read, as operands.
std::vector<matrix::Extra> makeCaptures(const Draw &draw);

/// All draws that are one step simpler, in an order that depends on the draw
/// alone; larger steps first. Some may not be legal.
std::vector<Draw> simplify(const Draw &draw);

} // namespace flash::fuzz

#endif // FLASH_TOOLS_FLASHFUZZ_DRAW_H
