//===- Positions.cpp - Masks of positions as attributes ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   query - key >= 0                             #flash.causal, query 0 at 0
//   query - key + 3 >= 0, key - query + 5 >= 0   #flash.window<left = 5, right
//   = 3>
//
//===----------------------------------------------------------------------===//

#include "Positions.h"

using namespace mlir;
using namespace flash;
using namespace flash::raise;

bool Window::intersect(const Window &other) {
  Window both = *this;
  for (auto [mine, theirs] : {std::pair(&both.left, &other.left),
                              std::pair(&both.right, &other.right)}) {
    if (!*theirs)
      continue;
    if (*mine) {
      LinearSum difference = (*mine)->plus(**theirs, -1);
      if (!difference.isConstant())
        return false;
      if (difference.constant <= 0)
        continue;
    }
    *mine = **theirs;
  }
  if (both.left && both.right) {
    LinearSum width = both.left->plus(*both.right);
    if (!width.isConstant() || width.constant < 0)
      return false;
  }
  *this = both;
  return true;
}

std::pair<MaskAttrInterface, LinearSum>
Window::getMask(MLIRContext *context) const {
  // Bounds of the attribute are constants that are not negative: the query's
  // position moves.
  auto fits = [](const std::optional<LinearSum> &bound) {
    return !bound || (bound->isConstant() && bound->constant >= 0);
  };
  LinearSum offset;
  if (right && (!left || !fits(right)))
    offset = *right;
  else if (left && !fits(left))
    offset = LinearSum().plus(*left, -1);
  if (!left)
    return {CausalAttr::get(context), offset};
  return {WindowAttr::get(context, left->plus(offset).constant,
                          right ? right->plus(offset, -1).constant : -1),
          offset};
}

std::optional<Window> flash::raise::matchWindow(const LinearSum &sum,
                                                const Roles &roles) {
  int64_t query = 0, key = 0;
  for (const LinearSum::Term &term : sum.terms) {
    if (roles.query == term.dim)
      query = term.factor;
    else if (roles.key == term.dim)
      key = term.factor;
    else
      return std::nullopt;
  }
  // A single query stands at row 0.
  if (!roles.query)
    query = -key;
  if (key == -1 && query == 1)
    return Window{std::nullopt, sum.withoutDims()};
  if (key == 1 && query == -1)
    return Window{sum.withoutDims(), std::nullopt};
  return std::nullopt;
}
