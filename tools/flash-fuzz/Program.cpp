//===- Program.cpp - The kernel of a draw ---------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text of masks, score functions and sequences, and operands for them, of which
// data is as hard as it may be: empty sequences, lengths of zero, prefixes
// longer than the keys, documents out of order, pages shared.
//
//===----------------------------------------------------------------------===//

#include "Draw.h"

#include <algorithm>
#include <limits>

using namespace flash;
using namespace flash::fuzz;
using matrix::Extra;
using matrix::Kernel;
using matrix::Shape;
using rt::Array;
using rt::DType;

using Dims = std::vector<int64_t>;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

namespace {
/// Collects operands while text is made.
class ProgramBuilder {
public:
  explicit ProgramBuilder(const Draw &draw) : draw(draw) {}
  Kernel build();

private:
  using Fill = std::function<void(const Shape &, Random &, Array &)>;
  using Sizes = std::function<Dims(const Shape &)>;

  /// An operand of a name of its own; a size that is 1 for all is in `ones`, by
  /// bits. Returns the operand.
  Extra operand(const std::string &prefix, DType element, Sizes sizes,
                Fill fill, int64_t ones = 0);
  Extra integers(const std::string &prefix, Sizes sizes,
                 std::function<std::pair<int64_t, int64_t>(const Shape &)>);
  std::string print(const Mask &mask);
  std::string print(const Score &score);
  void addSequences();
  int64_t heads() const { return draw.kvHeads * draw.group; }
  /// Keys that there is room for.
  static int64_t keys(int64_t pageSize, const Shape &s) {
    return pageSize ? ceilDiv(s.sk, pageSize) * pageSize : s.sk;
  }
  /// Batches, or sequences of a ragged one.
  static int64_t batches(int64_t sequences, const Shape &s) {
    return sequences ? sequences : s.batch;
  }

  const Draw &draw;
  Kernel kernel;
  std::vector<Extra> maskOperands, scoreOperands;
  int64_t numOperands = 0;
};
} // namespace

Extra ProgramBuilder::operand(const std::string &prefix, DType element,
                              Sizes sizes, Fill fill, int64_t ones) {
  auto shape = [sizes, ones](const Shape &s) {
    Dims dims = sizes(s);
    for (size_t i = 0; i < dims.size(); ++i)
      if (ones >> i & 1)
        dims[i] = 1;
    return dims;
  };
  std::string type = "tensor<";
  Dims first = shape(draw.shapes[0]);
  for (size_t i = 0; i < first.size(); ++i)
    type +=
        (draw.isStatic || (ones >> i & 1) ? std::to_string(first[i]) : "?") +
        std::string("x");
  type += rt::nameOf(element) + std::string(">");
  // The data of an operand does not depend on what else there is.
  uint64_t salt = draw.seed + uint64_t(numOperands);
  Extra extra{
      prefix + std::to_string(numOperands++), type, element,
      [shape](const Kernel &, const Shape &s) { return shape(s); },
      [fill, salt](const Kernel &, const Shape &s, uint64_t, Array &array) {
        Random random(salt);
        fill(s, random, array);
      }};
  kernel.extras.push_back(extra);
  return extra;
}

Extra ProgramBuilder::integers(
    const std::string &prefix, Sizes sizes,
    std::function<std::pair<int64_t, int64_t>(const Shape &)> range) {
  return operand(prefix, DType::I32, std::move(sizes),
                 [range](const Shape &s, Random &random, Array &array) {
                   auto [low, high] = range(s);
                   for (int64_t i = 0; i < array.numElements(); ++i)
                     array.set(i, double(random.between(low, high)));
                 });
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

std::string ProgramBuilder::print(const Mask &mask) {
  auto parts = [&] {
    std::string text;
    for (const Mask &part : mask.parts)
      text += (text.empty() ? "" : ", ") + print(part);
    return text;
  };
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
    return "#flash.and<" + parts() + ">";
  case Mask::Or:
    return "#flash.or<" + parts() + ">";
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
    break;
  }
  // Each block is in the list of partial ones, of full ones, or in none.
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
          [=, heads = heads()](const Shape &s) {
            Dims dims{s.batch, heads, ceilDiv(s.sq, bq)};
            if (list)
              dims.push_back(ceilDiv(s.sk, bk) + 1);
            return dims;
          },
          [=](const Shape &s, Random &, Array &array) {
            int64_t rows = ceilDiv(s.sq, bq), blocks = ceilDiv(s.sk, bk);
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
  std::string partial = parts();
  return "#flash.block_sparse<bq = " + std::to_string(bq) +
         ", bk = " + std::to_string(bk) +
         (partial.empty() ? ">" : ", partial = " + partial + ">");
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

std::string ProgramBuilder::print(const Score &score) {
  int64_t sequences = draw.sequences;
  auto uniform = [infinities = score.infinities](double low, double high) {
    return [=](const Shape &, Random &random, Array &array) {
      for (int64_t i = 0; i < array.numElements(); ++i)
        array.set(i, infinities && random.chance(0.2)
                         ? -std::numeric_limits<double>::infinity()
                         : low + (high - low) *
                                     double(random.between(0, 1 << 20)) /
                                     (1 << 20));
    };
  };
  switch (score.kind) {
  case Score::Alibi:
    // Such that distances stay within what a score can hold.
    scoreOperands.push_back(operand(
        "slopes", DType::F32,
        [=, heads = heads()](const Shape &s) {
          return score.a ? Dims{batches(sequences, s), heads} : Dims{heads};
        },
        uniform(0, draw.offsets ? 0.01 : 0.1)));
    return "#flash.alibi";
  case Score::Bias:
    scoreOperands.push_back(operand(
        "bias", score.type,
        [heads = heads(), page = draw.pageSize](const Shape &s) {
          return Dims{s.batch, heads, s.sq, keys(page, s)};
        },
        uniform(-2, 2), score.a));
    return "#flash.bias";
  case Score::Softcap:
    return "#flash.softcap<" + std::to_string(score.a) + ".0 : f32>";
  case Score::Region:
    return "#flash.region";
  }
  return "";
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

/// Where sequences begin; some are empty, and some rows belong to none.
static std::vector<int64_t> startsOf(const Draw &draw, int64_t total,
                                     bool ofQueries) {
  Random random(draw.seed * 2 + ofQueries);
  std::vector<int64_t> cuts(draw.sequences + 1);
  for (int64_t &cut : cuts)
    cut = random.chance(0.2) ? 0 : random.between(0, total);
  if (random.chance(0.7))
    cuts[0] = 0;
  if (random.chance(0.7))
    cuts.back() = total;
  std::sort(cuts.begin(), cuts.end());
  return cuts;
}

void ProgramBuilder::addSequences() {
  std::string &text = kernel.operands;
  int64_t sequences = draw.sequences;
  bool ragged = draw.sequences > 0, paged = draw.pageSize > 0;
  auto add = [&](const char *keyword, const Extra &extra) {
    text +=
        std::string(keyword) + "(%" + extra.name + " : " + extra.type + ") ";
  };
  for (bool ofQueries : {true, false})
    if (ragged && (ofQueries || !paged))
      add(ofQueries ? "cu_seqlens_q" : "cu_seqlens_k",
          operand(
              ofQueries ? "cuq" : "cuk", DType::I32,
              [n = draw.sequences](const Shape &) { return Dims{n + 1}; },
              [d = draw, ofQueries](const Shape &s, Random &, Array &array) {
                std::vector<int64_t> starts =
                    startsOf(d, ofQueries ? s.sq : s.sk, ofQueries);
                for (size_t i = 0; i < starts.size(); ++i)
                  array.set(int64_t(i), double(starts[i]));
              }));
  auto perBatch = [=](const Shape &s) { return Dims{batches(sequences, s)}; };
  if (draw.kvLengths)
    add("kv_lengths",
        operand("lengths", DType::I32, perBatch,
                [d = draw, ragged, paged](const Shape &s, Random &random,
                                          Array &array) {
                  std::vector<int64_t> starts;
                  if (ragged && !paged)
                    starts = startsOf(d, s.sk, false);
                  for (int64_t i = 0; i < array.numElements(); ++i) {
                    int64_t most =
                        starts.empty() ? s.sk : starts[i + 1] - starts[i];
                    array.set(i, double(random.chance(0.2)
                                            ? most
                                            : random.between(0, most)));
                  }
                }));
  if (paged)
    add("page_table", operand(
                          "pages", DType::I32,
                          [=, size = draw.pageSize](const Shape &s) {
                            return Dims{batches(sequences, s),
                                        ceilDiv(s.sk, size)};
                          },
                          [size = draw.pageSize](const Shape &s, Random &random,
                                                 Array &array) {
                            Kernel paged;
                            paged.pageSize = size;
                            int64_t last = matrix::pagesOf(paged, s) - 1;
                            for (int64_t i = 0; i < array.numElements(); ++i)
                              array.set(i, double(random.between(0, last)));
                          }));
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

/// `keyword(%a, %b : t, t) `.
static std::string list(const char *keyword, const std::vector<Extra> &extras) {
  if (extras.empty())
    return "";
  std::string names, types;
  for (const Extra &extra : extras) {
    names += (names.empty() ? "%" : ", %") + extra.name;
    types += (types.empty() ? "" : ", ") + extra.type;
  }
  return std::string(keyword) + "(" + names + " : " + types + ") ";
}

Kernel ProgramBuilder::build() {
  kernel.type = draw.type;
  kernel.bshd = draw.bshd;
  kernel.lse = draw.lse;
  kernel.wideOutput = draw.wideOutput;
  kernel.isStatic = draw.isStatic;
  kernel.dynamicHeads = draw.dynamicHeads;
  kernel.offsets = draw.offsets;
  kernel.dqk = draw.dqk;
  kernel.dv = draw.dv;
  kernel.heads = heads();
  kernel.kvHeads = draw.kvHeads;
  kernel.scale = draw.scale;
  kernel.splitKV = draw.splitKV;
  kernel.pageSize = draw.pageSize;
  kernel.shapes = draw.shapes;
  for (Shape &shape : kernel.shapes)
    std::tie(shape.heads, shape.kvHeads) = std::pair(heads(), draw.kvHeads);

  addSequences();
  std::string &attributes = kernel.attributes;
  auto attribute = [&](const std::string &text) {
    attributes += (attributes.empty() ? "" : ", ") + text;
  };
  if (!draw.mask.empty()) {
    std::string mask = print(draw.mask[0]);
    if (mask != "#flash.region" || !draw.bareRegions)
      attribute("mask = " + mask);
  }
  std::string scores;
  for (const Score &score : draw.scores)
    scores += (scores.empty() ? "" : ", ") + print(score);
  if (!scores.empty() && (scores != "#flash.region" || !draw.bareRegions))
    attribute("scores = [" + scores + "]");
  if (draw.m)
    attribute("schedule = #flash.schedule<m = " + std::to_string(draw.m) +
              ", n = " + std::to_string(draw.n) +
              (draw.backward ? ", backward = true>" : ">"));
  std::vector<Extra> captures = makeCaptures(draw);
  for (const Extra &capture : captures)
    kernel.extras.push_back(capture);
  kernel.operands += list("mask_operands", maskOperands) +
                     list("score_operands", scoreOperands) +
                     list("captures", captures);
  if (!draw.scoreRegion.empty())
    kernel.region += printRegion(draw, /*ofScore=*/true) + " ";
  if (!draw.maskRegion.empty())
    kernel.region += printRegion(draw, /*ofScore=*/false);
  return std::move(kernel);
}

Kernel fuzz::makeKernel(const Draw &draw) {
  return ProgramBuilder(draw).build();
}
