//===- ProgramBuilder.h - Makes the kernel of a draw ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What Program.cpp (the kernel, scores), Masks.cpp and Sequences.cpp share:
// text is made, and operands that it needs are collected.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASHFUZZ_PROGRAMBUILDER_H
#define FLASH_TOOLS_FLASHFUZZ_PROGRAMBUILDER_H

#include "Draw.h"

namespace flash::fuzz {

using Dims = std::vector<int64_t>;

class ProgramBuilder {
public:
  explicit ProgramBuilder(const Draw &draw) : draw(draw) {}
  matrix::Kernel build();

private:
  using Extra = matrix::Extra;
  using Shape = matrix::Shape;
  using Fill = std::function<void(const Shape &, Random &, rt::Array &)>;
  using Sizes = std::function<Dims(const Shape &)>;

  // Program.cpp
  /// An operand of a name of its own; a size that is 1 for all is in `ones`, by
  /// bits. Returns the operand.
  Extra operand(const std::string &prefix, rt::DType element, Sizes sizes,
                Fill fill, int64_t ones = 0);
  Extra integers(const std::string &prefix, Sizes sizes,
                 std::function<std::pair<int64_t, int64_t>(const Shape &)>);
  std::string print(const Score &score);
  std::string headNumbers(const char *keyword, int64_t count,
                          double (*number)(Random &));
  std::string narrowFactors();
  std::string sinks();
  std::string dropout();

  // Masks.cpp
  std::string print(const Mask &mask);
  std::string printBlockSparse(const Mask &mask);
  std::string printParts(const Mask &mask);

  // Sequences.cpp
  std::string sequences();

  int64_t heads() const { return draw.kvHeads * draw.group; }
  static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
  /// Keys that there is room for.
  static int64_t keys(int64_t pageSize, const Shape &s) {
    return pageSize ? ceilDiv(s.sk, pageSize) * pageSize : s.sk;
  }
  /// Batches, or sequences of a ragged one.
  static int64_t batches(int64_t sequences, const Shape &s) {
    return sequences ? sequences : s.batch;
  }

  const Draw &draw;
  matrix::Kernel kernel;
  std::vector<Extra> maskOperands, scoreOperands;
  int64_t numOperands = 0;
};

} // namespace flash::fuzz

#endif // FLASH_TOOLS_FLASHFUZZ_PROGRAMBUILDER_H
