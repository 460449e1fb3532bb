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

void Window::intersect(const Window &other) {
  auto smaller = [](std::optional<int64_t> a, std::optional<int64_t> b) {
    return a && b ? std::min(*a, *b) : a ? a : b;
  };
  left = smaller(left, other.left);
  right = smaller(right, other.right);
}

std::pair<MaskAttrInterface, int64_t>
Window::getMask(MLIRContext *context) const {
  // Bounds of the attribute are not negative: the query's position moves.
  int64_t offset = 0;
  if (right && (!left || *right < 0))
    offset = *right;
  else if (left && *left < 0)
    offset = -*left;
  if (!left)
    return {CausalAttr::get(context), offset};
  return {
      WindowAttr::get(context, *left + offset, right ? *right - offset : -1),
      offset};
}

std::optional<Window> flash::raise::matchWindow(ArrayRef<LinearSum> atLeastZero,
                                                const Roles &roles) {
  Window window;
  for (const LinearSum &sum : atLeastZero) {
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
      window.intersect({std::nullopt, sum.constant});
    else if (key == 1 && query == -1)
      window.intersect({sum.constant, std::nullopt});
    else
      return std::nullopt;
  }
  if (window.left && window.right && *window.left + *window.right < 0)
    return std::nullopt; // nothing is visible
  return window;
}

bool flash::raise::showsEachQueryAKey(const Window &window,
                                      const Domain &domain,
                                      const Roles &roles) {
  if (window.right && *window.right < 0)
    return false; // not query 0
  if (!window.left)
    return true;
  int64_t queries = roles.query ? domain.getSize(*roles.query) : 1,
          keys = domain.getSize(*roles.key);
  return !ShapedType::isDynamic(queries) && !ShapedType::isDynamic(keys) &&
         queries - 1 - *window.left <= keys - 1;
}
