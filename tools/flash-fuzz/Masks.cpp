//===- Masks.cpp - Text of drawn masks ------------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operands are as hard as they may be: prefixes longer than the keys, documents
// out of order, lists of blocks that are empty.
//
//===----------------------------------------------------------------------===//

#include "ProgramBuilder.h"

#include <algorithm>

using namespace flash;
using namespace flash::fuzz;
using matrix::Shape;
using rt::Array;
using rt::DType;

std::string ProgramBuilder::printParts(const Mask &mask) {
  std::string text;
  for (const Mask &part : mask.parts)
    text += (text.empty() ? "" : ", ") + print(part);
  return text;
}

std::string ProgramBuilder::print(const Mask &mask) {
  int64_t sequences = draw.sequences;
  switch (mask.kind) {
  case Mask::Causal:
    return "#flash.causal";
  case Mask::Window:
    return "#flash.window<left = " + std::to_string(mask.a) +
           ", right = " + std::to_string(mask.b) + ">";
  case Mask::Region:
    return "#flash.region";
  case Mask::And:
    return "#flash.and<" + printParts(mask) + ">";
  case Mask::Or:
    return "#flash.or<" + printParts(mask) + ">";
  case Mask::Prefix:
    maskOperands.push_back(integers(
        "prefix", [=](const Shape &s) { return Dims{batches(sequences, s)}; },
        [](const Shape &s) {
          return std::pair<int64_t, int64_t>{0, s.sk + 9};
        }));
    return "#flash.prefix";
  case Mask::Segments:
    // Documents one after another, with a few rows of one that is elsewhere.
    for (bool ofQueries : {true, false})
      maskOperands.push_back(operand(
          ofQueries ? "segq" : "segk", DType::I32,
          [=, page = draw.pageSize](const Shape &s) {
            return Dims{s.batch, ofQueries ? s.sq : keys(page, s)};
          },
          [length = 1 + int64_t(draw.seed % 50)](const Shape &, Random &random,
                                                 Array &array) {
            int64_t columns = std::max<int64_t>(array.shape()[1], 1);
            for (int64_t i = 0; i < array.numElements(); ++i)
              array.set(i, double(random.chance(0.05) ? random.between(-1, 3)
                                                      : i % columns / length));
          }));
    return "#flash.segments";
  case Mask::BlockSparse:
    return printBlockSparse(mask);
  }
  return "";
}

/// Each block is in the list of partial ones, of full ones, or in none. Of
/// ragged sequences there are as many entries as the longest could need, or one
/// less.
std::string ProgramBuilder::printBlockSparse(const Mask &mask) {
  int64_t bq = mask.a, bk = mask.b;
  uint64_t salt = draw.seed;
  int64_t ones = int64_t(draw.seed / 5 % 4);
  auto kindOf = [salt](uint64_t outer, uint64_t row, uint64_t block) {
    return Random(salt + outer * 1000003 + row * 1009 + block).between(0, 2);
  };
  for (int kind : {1, 2})
    for (bool list : {false, true})
      maskOperands.push_back(operand(
          std::string(kind == 1 ? "partial" : "full") + (list ? "l" : "n"),
          DType::I32,
          [=, heads = heads(), sequences = draw.sequences](const Shape &s) {
            int64_t less = sequences ? int64_t(salt & 1) : 0;
            Dims dims{batches(sequences, s), heads,
                      std::max<int64_t>(ceilDiv(s.sq, bq) - less, s.sq > 0)};
            if (list)
              dims.push_back(ceilDiv(s.sk, bk) + 1);
            return dims;
          },
          [=](const Shape &s, Random &, Array &array) {
            int64_t rows = array.shape()[2], blocks = ceilDiv(s.sk, bk);
            int64_t outer = array.shape()[0] * array.shape()[1];
            for (int64_t at = 0; at < outer * rows; ++at) {
              int64_t count = 0;
              for (int64_t b = 0; b < blocks; ++b)
                if (kindOf(at / rows, at % rows, b) == kind) {
                  if (list)
                    array.set(at * (blocks + 1) + count, double(b));
                  ++count;
                }
              if (!list)
                array.set(at, double(count));
            }
          },
          ones));
  std::string partial = printParts(mask);
  return "#flash.block_sparse<bq = " + std::to_string(bq) +
         ", bk = " + std::to_string(bk) +
         (partial.empty() ? ">" : ", partial = " + partial + ">");
}
