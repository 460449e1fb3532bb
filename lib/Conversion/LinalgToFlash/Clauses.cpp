//===- Clauses.cpp - Conjunctions and disjunctions --------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What follows from another clause falls out, so that what is left is short:
//
//   q - k >= 0 and q - k + 3 >= 0           q - k >= 0
//   q - k >= 0 or k - q - 1 >= 0            always
//
//===----------------------------------------------------------------------===//

#include "Conditions.h"

using namespace mlir;
using namespace flash::raise;

static Clauses always() { return {}; }
static Clauses never() { return {Clause()}; }

bool flash::raise::areOfPositions(const Clauses &clauses) {
  return llvm::all_of(clauses, [](const Clause &clause) {
    return clause.size() == 1 && clause.front().sum;
  });
}

/// Whether `sum` is at least `least` everywhere.
static bool isAtLeast(Tracer &tracer, const LinearSum &sum, int64_t least) {
  auto lowest = tracer.getDomain().lowerBound(sum);
  return lowest && *lowest >= least;
}

static bool isSame(Tracer &tracer, const Literal &a, const Literal &b) {
  if (a.sum || b.sum)
    return a.sum && b.sum && *a.sum == *b.sum;
  return a.wanted == b.wanted && tracer.same(a.condition, b.condition);
}

/// Whether `a` holds wherever `b` holds.
static bool follows(Tracer &tracer, const Literal &a, const Literal &b) {
  if (a.sum && b.sum)
    return isAtLeast(tracer, a.sum->plus(*b.sum, -1), 0);
  return isSame(tracer, a, b);
}

static bool areOpposite(Tracer &tracer, const Literal &a, const Literal &b) {
  return !a.sum && !b.sum && a.wanted != b.wanted &&
         tracer.same(a.condition, b.condition);
}

Clauses flash::raise::conjoin(Tracer &tracer, Clauses a, const Clauses &b) {
  if (isNever(a) || isNever(b))
    return never();
  auto isSingle = [](const Clause &clause) { return clause.size() == 1; };
  for (const Clause &clause : b) {
    bool isImplied = false;
    if (isSingle(clause)) {
      const Literal &literal = clause.front();
      for (const Clause &other : a) {
        if (!isSingle(other))
          continue;
        isImplied |= follows(tracer, literal, other.front());
        if (areOpposite(tracer, literal, other.front()))
          return never();
      }
      if (!isImplied)
        llvm::erase_if(a, [&](const Clause &other) {
          return isSingle(other) && follows(tracer, other.front(), literal);
        });
    }
    if (!isImplied)
      a.push_back(clause);
  }
  return a;
}

bool flash::raise::implies(Tracer &tracer, const Clauses &a, const Clauses &b) {
  return llvm::all_of(b, [&](const Clause &clause) {
    return llvm::any_of(clause, [&](const Literal &literal) {
      return llvm::any_of(a, [&](const Clause &known) {
        return known.size() == 1 && follows(tracer, literal, known.front());
      });
    });
  });
}

std::optional<Clauses> flash::raise::disjoin(Tracer &tracer, const Clauses &a,
                                             const Clauses &b) {
  if (isAlways(a) || isAlways(b))
    return always();
  if (isNever(a))
    return b;
  if (isNever(b))
    return a;
  if (a.size() != 1 || b.size() != 1)
    return std::nullopt;
  Clause clause = a.front();
  for (const Literal &literal : b.front()) {
    bool isImplied = false;
    for (const Literal &other : clause) {
      // One of the two holds everywhere.
      if (areOpposite(tracer, literal, other) ||
          (literal.sum && other.sum &&
           isAtLeast(tracer, literal.sum->plus(*other.sum), -1)))
        return always();
      isImplied |= follows(tracer, other, literal);
    }
    if (isImplied)
      continue;
    llvm::erase_if(clause, [&](const Literal &other) {
      return follows(tracer, literal, other);
    });
    clause.push_back(literal);
  }
  return Clauses{clause};
}
