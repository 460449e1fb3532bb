//===- Simplify.cpp - What is one step simpler ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Features are dropped before sizes are shrunk: each attempt compiles.
//
//===----------------------------------------------------------------------===//

#include "Draw.h"

using namespace flash;
using namespace flash::fuzz;

/// Trees that are one step simpler: a node's operand or a constant in its
/// place.
static std::vector<Expr> simplify(const Expr &expr) {
  std::vector<Expr> simpler;
  for (const Expr &in : expr.in)
    if (sortOf(in.node) == sortOf(expr.node))
      simpler.push_back(in);
  Expr constant{Node::Number, 0, {}};
  if (sortOf(expr.node) == Sort::Bit)
    constant = {Node::True, 1, {}};
  if (sortOf(expr.node) == Sort::Real)
    constant = {Node::Real, 0, {}};
  if (expr.node != constant.node && expr.node != Node::Query &&
      expr.node != Node::Key && expr.node != Node::Score)
    simpler.push_back(constant);
  if (expr.node == Node::Number && expr.number != 0)
    simpler.push_back({Node::Number, expr.number / 2, {}});
  for (size_t i = 0; i < expr.in.size(); ++i)
    for (Expr &in : simplify(expr.in[i])) {
      Expr copy = expr;
      copy.in[i] = std::move(in);
      simpler.push_back(std::move(copy));
    }
  return simpler;
}

static std::vector<Mask> simplify(const Mask &mask) {
  std::vector<Mask> simpler = mask.parts;
  if (mask.parts.size() > 1 || mask.kind == Mask::BlockSparse)
    for (size_t i = 0; i < mask.parts.size(); ++i) {
      Mask copy = mask;
      copy.parts.erase(copy.parts.begin() + long(i));
      simpler.push_back(std::move(copy));
    }
  if (mask.kind == Mask::Window)
    for (int64_t Mask::*side : {&Mask::a, &Mask::b})
      if (mask.*side != -1) {
        Mask copy = mask;
        copy.*side = copy.*side ? copy.*side / 2 : -1;
        simpler.push_back(std::move(copy));
      }
  for (size_t i = 0; i < mask.parts.size(); ++i)
    for (Mask &part : simplify(mask.parts[i])) {
      Mask copy = mask;
      copy.parts[i] = std::move(part);
      simpler.push_back(std::move(copy));
    }
  return simpler;
}

static bool hasRegion(const Mask &mask) {
  return mask.kind == Mask::Region || llvm::any_of(mask.parts, hasRegion);
}

namespace {
/// Collects copies of a draw, each changed a little.
class Simplifier {
public:
  explicit Simplifier(const Draw &draw) : draw(draw) {}
  std::vector<Draw> simpler;

  void run() {
    features();
    trees();
    sizes();
  }

private:
  template <typename Change> void add(Change change) {
    Draw copy = draw;
    change(copy);
    // Regions that nothing uses any more.
    if (copy.mask.empty() || !hasRegion(copy.mask[0]))
      copy.maskRegion.clear();
    if (llvm::none_of(copy.scores, [](const Score &score) {
          return score.kind == Score::Region;
        }))
      copy.scoreRegion.clear();
    simpler.push_back(std::move(copy));
  }
  template <typename T> void set(T Draw::*field, T value) {
    if (draw.*field != value)
      add([&](Draw &copy) { copy.*field = value; });
  }
  void features();
  void trees();
  void sizes();

  const Draw &draw;
};
} // namespace

void Simplifier::features() {
  if (draw.shapes.size() > 1)
    for (const matrix::Shape &shape : draw.shapes)
      add([&](Draw &copy) { copy.shapes = {shape}; });
  if (!draw.gradients.empty())
    add([](Draw &copy) {
      copy.gradients.clear();
      copy.ofExtras = false;
      copy.recompute.clear();
      copy.backwardSchedule.clear();
    });
  set(&Draw::ofExtras, false);
  set(&Draw::recompute, std::string());
  set(&Draw::backwardSchedule, std::string());
  if (draw.gradients.size() > 1)
    for (char operand : draw.gradients)
      set(&Draw::gradients, std::string(1, operand));
  if (!draw.mask.empty())
    add([](Draw &copy) { copy.mask.clear(); });
  if (!draw.scores.empty())
    add([](Draw &copy) { copy.scores.clear(); });
  if (draw.scores.size() > 1)
    for (size_t i = 0; i < draw.scores.size(); ++i)
      add([&](Draw &copy) {
        copy.scores.erase(copy.scores.begin() + long(i));
      });
  if (draw.pageSize || draw.kvLengths)
    add([](Draw &copy) {
      copy.pageSize = 0;
      copy.kvLengths = false;
    });
  set<int64_t>(&Draw::pageSize, 0);
  set<int64_t>(&Draw::sequences, 0);
  if (draw.sequences > 1)
    set<int64_t>(&Draw::sequences, draw.sequences - 1);
  set<int64_t>(&Draw::splitKV, 0);
  set<int64_t>(&Draw::packHeads, 0);
  if (draw.reverseKeys)
    add([](Draw &copy) { copy.reverseKeys = false; });
  if (draw.m || draw.n)
    add([](Draw &copy) { copy.m = copy.n = 0; });
  set(&Draw::offsets, false);
  set(&Draw::isStatic, false);
  set(&Draw::dynamicHeads, false);
  set(&Draw::wideOutput, false);
  set(&Draw::bareRegions, false);
  set(&Draw::bshd, false);
  set(&Draw::lse, true);
  set(&Draw::scale, std::string());
  set(&Draw::sinks, false);
  set(&Draw::dropout, std::string());
  if (draw.keyType && draw.valueType)
    add([](Draw &copy) {
      copy.keyType.reset();
      copy.valueType.reset();
    });
  set(&Draw::keyType, std::optional<rt::DType>());
  set(&Draw::valueType, std::optional<rt::DType>());
  if (draw.keyType && draw.valueType)
    set(&Draw::valueType, draw.keyType);
  set(&Draw::type, rt::DType::F32);
  for (size_t i = 0; i < draw.scores.size(); ++i) {
    if (draw.scores[i].a && draw.scores[i].kind != Score::Softcap)
      add([&](Draw &copy) { copy.scores[i].a = 0; });
    if (draw.scores[i].type != rt::DType::F32)
      add([&](Draw &copy) { copy.scores[i].type = rt::DType::F32; });
    if (draw.scores[i].infinities)
      add([&](Draw &copy) { copy.scores[i].infinities = false; });
  }
}

void Simplifier::trees() {
  if (!draw.mask.empty())
    for (const Mask &mask : simplify(draw.mask[0]))
      add([&](Draw &copy) { copy.mask = {mask}; });
  for (std::vector<Expr> Draw::*region :
       {&Draw::maskRegion, &Draw::scoreRegion})
    if (!(draw.*region).empty())
      for (const Expr &expr : simplify((draw.*region)[0]))
        add([&](Draw &copy) { copy.*region = {expr}; });
  if (!draw.scoreRegion.empty() && draw.scoreRegion[0].node != Node::Score)
    add([](Draw &copy) { copy.scoreRegion = {{Node::Score, 0, {}}}; });
}

void Simplifier::sizes() {
  auto shrink = [&](int64_t Draw::*field, int64_t least) {
    int64_t size = draw.*field, last = -1;
    for (int64_t value : {least, size / 2, size - 1})
      if (value >= least && value < size && value != last) {
        set(field, value);
        last = value;
      }
  };
  shrink(&Draw::group, 1);
  shrink(&Draw::kvHeads, 1);
  shrink(&Draw::dqk, 1);
  shrink(&Draw::dv, 1);
  if (draw.m) {
    shrink(&Draw::m, 1);
    shrink(&Draw::n, 1);
  }
  if (draw.shapes.size() != 1)
    return;
  const matrix::Shape &shape = draw.shapes[0];
  for (int64_t matrix::Shape::*field :
       {&matrix::Shape::batch, &matrix::Shape::sq, &matrix::Shape::sk,
        &matrix::Shape::qOffset, &matrix::Shape::kvOffset}) {
    int64_t size = shape.*field, last = -1;
    for (int64_t value : {int64_t(1), size / 2, size - 1})
      if (value > 0 && value < size && value != last) {
        add([&](Draw &copy) { copy.shapes[0].*field = value; });
        last = value;
      }
  }
}

std::vector<Draw> fuzz::simplify(const Draw &draw) {
  Simplifier simplifier(draw);
  simplifier.run();
  return std::move(simplifier.simpler);
}
