//===- Draw.cpp - Draws an attention --------------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything is drawn by itself, then what is not legal together is drawn
// again. Sizes are small: compiling takes most of the time, and what is wrong
// with a tile shows with two of them.
//
//===----------------------------------------------------------------------===//

#include "Draw.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace flash;
using namespace flash::fuzz;
using rt::DType;

//===----------------------------------------------------------------------===//
// Random numbers (splitmix64)
//===----------------------------------------------------------------------===//

uint64_t Random::next() {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

int64_t Random::between(int64_t low, int64_t high) {
  return low + int64_t(next() % uint64_t(high - low + 1));
}

bool Random::chance(double part) {
  return double(next() >> 11) * 0x1p-53 < part;
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

static Expr drawIndex(Random &random, int depth);
static Expr drawReal(Random &random, int depth);

/// A capture: where it is read, and the index for Place::Clamped.
static Expr drawRead(Random &random, Node node, int depth) {
  Expr read{node, random.between(0, kPlaces - 1), {}};
  if (read.number == int64_t(Place::Clamped))
    read.in.push_back(drawIndex(random, depth - 1));
  return read;
}

static Expr drawBit(Random &random, int depth) {
  if (depth > 0 && random.chance(0.4))
    return {random.of({Node::And, Node::Or, Node::Xor}),
            0,
            {drawBit(random, depth - 1), drawBit(random, depth - 1)}};
  if (random.chance(0.05))
    return {Node::True, random.between(0, 1), {}};
  if (random.chance(0.1))
    return {Node::CompareReal,
            random.between(-8, 8),
            {drawRead(random, Node::ReadReal, depth)}};
  // The common form, a distance against a bound, is drawn often.
  if (random.chance(0.3))
    return {Node::Compare,
            random.between(0, 9),
            {{Node::Sub, 0, {{Node::Query, 0, {}}, {Node::Key, 0, {}}}},
             drawIndex(random, 0)}};
  return {Node::Compare,
          random.between(0, 9),
          {drawIndex(random, depth - 1), drawIndex(random, depth - 1)}};
}

static Expr drawIndex(Random &random, int depth) {
  if (depth <= 0 || random.chance(0.35)) {
    Node leaf =
        random.of({Node::Query, Node::Key, Node::Query, Node::Key, Node::Batch,
                   Node::Head, Node::Number, Node::Number, Node::ReadInteger});
    if (leaf == Node::Number)
      return {leaf,
              random.chance(0.8) ? random.between(-5, 40)
                                 : random.between(-1000, 1000),
              {}};
    if (leaf == Node::ReadInteger)
      return {leaf, random.between(0, kPlaces - 2), {}};
    return {leaf, 0, {}};
  }
  Node node =
      random.of({Node::Add, Node::Sub, Node::Sub, Node::Mul, Node::Min,
                 Node::Max, Node::Abs, Node::FloorDiv, Node::Div, Node::Rem,
                 Node::ChooseIndex, Node::Narrow, Node::ReadInteger});
  switch (node) {
  case Node::Mul:
    return {node, random.between(-3, 7), {drawIndex(random, depth - 1)}};
  case Node::FloorDiv:
  case Node::Div:
  case Node::Rem:
    return {node, random.between(1, 17), {drawIndex(random, depth - 1)}};
  case Node::Abs:
  case Node::Narrow:
    return {node, 0, {drawIndex(random, depth - 1)}};
  case Node::ChooseIndex:
    return {node,
            0,
            {drawBit(random, depth - 1), drawIndex(random, depth - 1),
             drawIndex(random, depth - 1)}};
  case Node::ReadInteger:
    return drawRead(random, node, depth);
  default:
    return {
        node, 0, {drawIndex(random, depth - 1), drawIndex(random, depth - 1)}};
  }
}

/// Within a few units.
static Expr drawBounded(Random &random, int depth) {
  if (depth <= 0 || random.chance(0.3)) {
    if (random.chance(0.3))
      return {Node::Real, random.between(-32, 32), {}};
    if (random.chance(0.5))
      return drawRead(random, Node::ReadReal, depth);
    return {Node::FromIndex, 0, {drawIndex(random, depth - 1)}};
  }
  Node node =
      random.of({Node::AddReal, Node::SubReal, Node::MulReal, Node::MaxReal,
                 Node::AbsReal, Node::Tanh, Node::ExpOfNegative, Node::Clamp,
                 Node::ChooseReal, Node::FromIndex});
  switch (node) {
  case Node::AbsReal:
    return {node, 0, {drawBounded(random, depth - 1)}};
  case Node::Tanh:
  case Node::ExpOfNegative:
  case Node::Clamp:
    return {node, 0, {drawReal(random, depth - 1)}};
  case Node::ChooseReal:
    return {node,
            0,
            {drawBit(random, depth - 1), drawBounded(random, depth - 1),
             drawBounded(random, depth - 1)}};
  case Node::FromIndex:
    return {node, 0, {drawIndex(random, depth - 1)}};
  default:
    return {node,
            0,
            {drawBounded(random, depth - 1), drawBounded(random, depth - 1)}};
  }
}

static Expr drawReal(Random &random, int depth) {
  return random.chance(0.5) ? Expr{Node::Score, 0, {}}
                            : drawBounded(random, depth);
}

static Expr drawScoreRegion(Random &random) {
  Expr score{Node::Score, 0, {}};
  int depth = int(random.between(1, 3));
  switch (random.between(0, 7)) {
  case 0:
    return {Node::Scaled, random.of<int64_t>({-8, -3, 4, 8, 10}), {score}};
  case 1:
    return {Node::Leaky, 0, {score}};
  case 2:
    return {Node::ChooseReal,
            0,
            {drawBit(random, depth), score, drawBounded(random, depth)}};
  case 3:
    return {Node::ChooseReal,
            0,
            {drawBit(random, depth), score, {Node::Hidden, 0, {}}}};
  case 4:
    return {Node::MaxReal, 0, {score, drawBounded(random, depth)}};
  case 5:
    return {Node::SubReal, 0, {drawBounded(random, depth), score}};
  default:
    return {Node::AddReal, 0, {score, drawBounded(random, depth)}};
  }
}

//===----------------------------------------------------------------------===//
// Masks and scores
//===----------------------------------------------------------------------===//

static Mask drawMask(Random &random, int depth) {
  if (depth > 0 && random.chance(0.45)) {
    Mask mask{random.of({Mask::And, Mask::Or}), -1, -1, {}};
    for (int64_t i = random.between(2, 3); i > 0; --i)
      mask.parts.push_back(drawMask(random, depth - 1));
    return mask;
  }
  Mask mask{random.of({Mask::Causal, Mask::Causal, Mask::Window, Mask::Window,
                       Mask::Prefix, Mask::Segments, Mask::Region, Mask::Region,
                       Mask::BlockSparse}),
            -1,
            -1,
            {}};
  auto side = [&] {
    return random.chance(0.3) ? -1 : random.of<int64_t>({0, 1, 3, 17, 48, 300});
  };
  if (mask.kind == Mask::Window) {
    mask.a = side();
    mask.b = side();
  } else if (mask.kind == Mask::BlockSparse) {
    mask.a = random.of<int64_t>({1, 8, 13, 16, 20, 48, 64});
    mask.b = random.of<int64_t>({1, 8, 10, 16, 31, 48, 96});
    if (random.chance(0.5))
      mask.parts.push_back(drawMask(random, depth - 1));
  }
  return mask;
}

static Score drawScore(Random &random) {
  Score score{
      random.of({Score::Alibi, Score::Bias, Score::Region, Score::Softcap})};
  if (score.kind == Score::Softcap)
    score.a = random.of<int64_t>({1, 5, 30, 200});
  if (score.kind == Score::Alibi)
    score.a = random.between(0, 1);
  score.type = random.of({DType::F32, DType::F16, DType::BF16, DType::F64});
  if (score.kind == Score::Bias) {
    score.a = random.between(0, 15);
    score.infinities = random.chance(0.2);
  }
  return score;
}

//===----------------------------------------------------------------------===//
// The attention
//===----------------------------------------------------------------------===//

static int64_t drawHeadDim(Random &random) {
  double which = double(random.between(0, 99));
  if (which < 60)
    return random.of<int64_t>({1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24});
  if (which < 92)
    return random.of<int64_t>({31, 32, 33, 40, 59, 64});
  return random.of<int64_t>({80, 96, 111, 128});
}

static int64_t drawLength(Random &random) {
  double which = double(random.between(0, 99));
  if (which < 4)
    return 0;
  if (which < 12)
    return 1;
  if (which < 55)
    return random.between(2, 60);
  if (which < 95)
    return random.between(61, 200);
  return random.between(201, 600);
}

/// What block-sparse masks want of tiles.
static void findBlocks(const Mask &mask, int64_t &bq, int64_t &bk) {
  if (mask.kind == Mask::BlockSparse) {
    bq = mask.a;
    bk = mask.b;
  }
  for (const Mask &part : mask.parts)
    findBlocks(part, bq, bk);
}

static matrix::Shape drawShape(Random &random, const Draw &draw) {
  matrix::Shape shape{random.chance(0.03) ? 0 : random.between(1, 3),
                      drawLength(random), drawLength(random)};
  if (draw.sequences)
    shape.batch = 1;
  if (random.chance(0.4))
    shape.sk = shape.sq;
  if (draw.offsets) {
    shape.qOffset = random.of<int64_t>({0, 1, -3, 40, 100, -50, 1000});
    shape.kvOffset = shape.qOffset + random.of<int64_t>({0, 0, 1, -20, 33});
  }
  return shape;
}

/// Keys and values of 8 bits, often of one type; or one of them alone.
static void drawNarrow(Random &random, Draw &draw) {
  auto type = [&] {
    return random.of({DType::I8, DType::F8E4M3FN, DType::F8E5M2});
  };
  draw.keyType = draw.valueType = type();
  if (random.chance(0.6))
    draw.valueType = type();
  if (random.chance(0.4))
    (random.chance(0.5) ? draw.keyType : draw.valueType).reset();
}

static Draw drawAny(Random &random) {
  Draw draw;
  draw.seed = random.next();
  draw.type = random.chance(0.12)
                  ? DType::F64
                  : random.of({DType::F32, DType::F16, DType::BF16});
  if (random.chance(0.2))
    drawNarrow(random, draw);
  draw.bshd = random.chance(0.5);
  draw.lse = random.chance(0.8);
  draw.wideOutput = rt::sizeOf(draw.type) == 2 && random.chance(0.2);
  draw.isStatic = random.chance(0.15);
  draw.dynamicHeads = !draw.isStatic && random.chance(0.15);
  draw.offsets = random.chance(0.2);
  draw.smallIntegers = random.chance(0.5);
  draw.dqk = drawHeadDim(random);
  draw.dv = random.chance(0.6) ? draw.dqk : drawHeadDim(random);
  draw.kvHeads = random.between(1, 3);
  draw.group = random.chance(0.5) ? 1 : random.between(2, 3);
  if (random.chance(0.3))
    draw.scale = random.of({"1.0", "0.01", "0.0", "-0.125", "0.5"});
  draw.sinks = random.chance(0.15);
  if (random.chance(0.15))
    draw.dropout = random.of({"0.0", "0.1", "0.25", "0.5", "0.9"});
  if (random.chance(0.15))
    draw.splitKV = random.of<int64_t>({2, 3, 5});
  if (random.chance(0.7))
    draw.mask.push_back(drawMask(random, 2));
  if (random.chance(0.5))
    for (int64_t i = random.between(1, 3); i > 0; --i)
      draw.scores.push_back(drawScore(random));
  draw.maskRegion.push_back(drawBit(random, int(random.between(0, 3))));
  draw.scoreRegion.push_back(drawScoreRegion(random));
  draw.bareRegions = random.chance(0.3);

  if (random.chance(0.15))
    draw.sequences = random.between(1, 5);
  draw.kvLengths = random.chance(0.15);
  if (random.chance(0.15)) {
    draw.pageSize = random.of<int64_t>({1, 2, 7, 16, 24, 48, 64});
    draw.kvLengths = true;
  }
  int64_t bq = 0, bk = 0;
  if (!draw.mask.empty())
    findBlocks(draw.mask[0], bq, bk);
  auto tile = [&](int64_t block, int64_t most) -> int64_t {
    if (!block)
      return random.chance(0.5) ? random.between(1, most)
                                : random.of<int64_t>({8, 16, 24, 32, 48, 64});
    // Tiles that fill the block, or that are cut off at its end.
    int64_t size = random.between(1, std::min(block + 9, most));
    if (random.chance(0.5))
      while (block % size)
        --size;
    return size;
  };
  if (random.chance(0.3)) {
    draw.m = tile(bq, 100);
    draw.n = tile(bk, 70);
    draw.reverseKeys = random.chance(0.4);
  }
  for (int64_t i = draw.isStatic ? 1 : 3; i > 0; --i)
    draw.shapes.push_back(drawShape(random, draw));
  return draw;
}

static int64_t countKind(const Mask &mask, Mask::Kind kind) {
  int64_t count = mask.kind == kind;
  for (const Mask &part : mask.parts)
    count += countKind(part, kind);
  return count;
}

static bool hasPlace(const Expr &expr, Place place) {
  if ((expr.node == Node::ReadInteger || expr.node == Node::ReadReal) &&
      expr.number == int64_t(place))
    return true;
  return llvm::any_of(expr.in,
                      [&](const Expr &in) { return hasPlace(in, place); });
}

static bool asksHead(const Expr &expr) {
  return expr.node == Node::Head || hasPlace(expr, Place::Head) ||
         hasPlace(expr, Place::HeadKey) || llvm::any_of(expr.in, asksHead);
}

/// Whether tiles can be of several heads: those share their keys, and the mask
/// does not tell them apart (lists of blocks may, or be of one head).
static bool canPack(const Draw &draw) {
  return draw.group % draw.packHeads == 0 && draw.m % draw.packHeads == 0 &&
         !draw.dynamicHeads && !draw.sequences &&
         llvm::none_of(draw.maskRegion, asksHead) &&
         llvm::none_of(draw.mask, [](const Mask &mask) {
           return countKind(mask, Mask::BlockSparse) > 0;
         });
}

/// Whether a backward takes all of it.
static bool canDifferentiate(const Draw &draw) {
  return !draw.keyType && !draw.valueType;
}

bool fuzz::isLegal(const Draw &draw) {
  if (draw.shapes.empty() || (draw.isStatic && draw.shapes.size() != 1) ||
      (draw.isStatic && draw.dynamicHeads))
    return false;
  if (!draw.mask.empty()) {
    const Mask &mask = draw.mask[0];
    if (countKind(mask, Mask::Region) > 1)
      return false;
  }
  if (llvm::count_if(draw.scores, [](const Score &score) {
        return score.kind == Score::Region;
      }) > 1)
    return false;
  if (!draw.gradients.empty() && !canDifferentiate(draw))
    return false;
  if ((draw.pageSize && !draw.kvLengths) || (draw.packHeads && !canPack(draw)))
    return false;
  // What follows an infinite bias must not turn it round.
  for (size_t i = 0; i + 1 < draw.scores.size(); ++i)
    if (draw.scores[i].infinities &&
        llvm::any_of(
            llvm::drop_begin(draw.scores, i + 1),
            [](const Score &score) { return score.kind == Score::Region; }))
      return false;
  // Positions are rows only without offsets.
  if (draw.offsets)
    for (const std::vector<Expr> *region :
         {&draw.maskRegion, &draw.scoreRegion})
      for (const Expr &expr : *region)
        for (Place place :
             {Place::Key, Place::Query, Place::HeadKey, Place::BatchKey})
          if (hasPlace(expr, place))
            return false;
  return llvm::all_of(draw.shapes, [&](const matrix::Shape &shape) {
    return !draw.sequences || shape.batch == 1;
  });
}

/// Whether #flash.region stands somewhere, so that the region is used.
static void dropUnused(Draw &draw) {
  if (draw.mask.empty() || !countKind(draw.mask[0], Mask::Region))
    draw.maskRegion.clear();
  if (llvm::none_of(draw.scores, [](const Score &score) {
        return score.kind == Score::Region;
      }))
    draw.scoreRegion.clear();
}

/// Half of those that can.
static void packHeads(Draw &draw) {
  Random random(draw.seed + 1);
  if (draw.group == 1 || !random.chance(0.5))
    return;
  Draw packed = draw;
  packed.packHeads = draw.group;
  packed.m = llvm::alignTo(draw.m, draw.group);
  if (fuzz::isLegal(packed))
    draw = packed;
}

/// Gradients, of half of those that have some.
static void drawGradients(Draw &draw) {
  Random random(draw.seed + 2);
  if (!canDifferentiate(draw) || !random.chance(0.5))
    return;
  int64_t which = random.chance(0.5) ? 7 : random.between(1, 7);
  for (int64_t i = 0; i < 3; ++i)
    if (which >> i & 1)
      draw.gradients += "qkv"[i];
  draw.ofExtras = random.chance(0.5);
  draw.recompute = random.of<const char *>(
      {"", "outer = keys, sum = owned", "outer = both", "outer = each"});
  if (draw.gradients == "q" && random.chance(0.5))
    draw.recompute = "outer = queries";
  if (random.chance(0.3))
    draw.backwardSchedule = "m = " + std::to_string(random.between(1, 80)) +
                            ", n = " + std::to_string(random.between(1, 80));
}

Draw fuzz::drawAttention(uint64_t seed, uint64_t number) {
  Random mix(seed);
  Random random(mix.next() ^ (number * 0xd1342543de82ef95 + 1));
  for (;;) {
    Draw draw = drawAny(random);
    dropUnused(draw);
    if (draw.dynamicHeads)
      for (matrix::Shape &shape : draw.shapes)
        std::tie(shape.heads, shape.kvHeads) =
            std::pair(draw.kvHeads * draw.group, draw.kvHeads);
    if (!isLegal(draw))
      continue;
    packHeads(draw);
    drawGradients(draw);
    return draw;
  }
}
