//===- Extras.h - Operands beside queries, keys and values ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What several groups of cases take: data of masks, of sequences and of score
// functions.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_TOOLS_FLASH_MATRIX_EXTRAS_H
#define FLASH_TOOLS_FLASH_MATRIX_EXTRAS_H

#include "Matrix.h"

namespace flash::matrix {

using Dims = std::vector<int64_t>;

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Short and long, equal and not, none: for kernels that say nothing of
/// lengths.
const std::vector<Shape> &mixedShapes();

/// The region of a mask that is no range: each third key, and of a head's own
/// the nearest.
extern const char *const dilatedMask;

/// How many keys there is room for: all of the last page.
int64_t keysOf(const Kernel &kernel, const Shape &shape);

/// Integers from `low` to `high`, each drawn by itself.
Extra drawn(std::string name, std::string type,
            std::function<Dims(const Kernel &, const Shape &)> shape,
            std::function<std::pair<int64_t, int64_t>(const Shape &)> range);

/// Floats of a shape of their own, drawn from [low, high).
Extra floats(std::string name, std::string type, rt::DType element, double low,
             double high,
             std::function<Dims(const Kernel &, const Shape &)> shape);

/// Documents of odd lengths one after another, the same for queries and keys
/// where both exist; a few rows are of a document that stands elsewhere.
Extra segments(std::string name, bool ofQueries);

/// `p`: a prefix of each batch, some longer than the keys.
Extra prefixLengths();

/// Documents that hold whole blocks, with ids that fall and are as far apart as
/// there are; of pages, all of whose keys have one, those after the last too.
Extra documents(std::string name, bool ofQueries);

/// Starts of four sequences (one may be empty) that leave a few rows out.
Extra starts(std::string name, bool ofQueries);

/// `n`: numbers of keys that batches have.
Extra keyLengths();

/// `t`: pages in an order of their own.
Extra pageTable();

/// `a`: a slope of each head.
Extra slopes(rt::DType type = rt::DType::F32, double low = 0.0,
             double high = 0.1);

/// `z`: a logit for each query head, from far below to far above all scores;
/// the first is -inf, which is none.
Extra sinks();

/// Gives keys, values or both a type of 8 bits, with a factor `x` or `y` of
/// each key head; before operands that stand after those.
void makeNarrow(Kernel &kernel, std::optional<rt::DType> key,
                std::optional<rt::DType> value);

/// `w`: a bias of all batches, each head.
Extra bias(double low = -2, double high = 2);

} // namespace flash::matrix

#endif // FLASH_TOOLS_FLASH_MATRIX_EXTRAS_H
