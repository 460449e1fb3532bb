//===- Conditions.h - What a condition says ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A condition is a conjunction of clauses, a clause a disjunction of literals,
// and a literal an inequality of positions or a condition that is not known:
//
//   andi(cmpi sge %q, %k), %keep[b, k])     (q - k >= 0) and (keep[b, k])
//
// So a causal mask is found beside padding that only the data knows.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_LINALGTOFLASH_CONDITIONS_H
#define FLASH_CONVERSION_LINALGTOFLASH_CONDITIONS_H

#include "Scalars.h"

namespace flash::raise {

inline bool isAlways(const Clauses &clauses) { return clauses.empty(); }
inline bool isNever(const Clauses &clauses) {
  return llvm::any_of(clauses, [](const Clause &c) { return c.empty(); });
}
/// Whether all clauses are single inequalities.
bool areOfPositions(const Clauses &clauses);

Clauses conjoin(Tracer &tracer, Clauses a, const Clauses &b);
/// Whether `b` is seen to hold wherever `a` does.
bool implies(Tracer &tracer, const Clauses &a, const Clauses &b);
/// Nothing where it is not a conjunction of clauses that are found in the two.
std::optional<Clauses> disjoin(Tracer &tracer, const Clauses &a,
                               const Clauses &b);

/// What holds where the condition equals `wanted`.
Clauses getClauses(Tracer &tracer, Scalar condition, bool wanted);

/// Whether it always holds or never, where that is known.
std::optional<bool> decide(Tracer &tracer, const Scalar &condition);

/// The number that a scalar of floats or integers is.
std::optional<double> getConstant(Tracer &tracer, const Scalar &scalar);

/// A number, and the conditions under which a scalar is that.
struct Case {
  double value;
  llvm::SmallVector<std::pair<Scalar, bool>, 2> when = {};
};

/// All numbers that a scalar can be, if they are few:
/// select(c, -inf, 0) * uitofp(d) is -inf (c and d), or 0.
std::optional<llvm::SmallVector<Case>> getCases(Tracer &tracer, Scalar scalar);

/// What holds where a scalar is not one of those numbers. Nothing where that is
/// not such a conjunction.
std::optional<Clauses> getOtherCases(Tracer &tracer, llvm::ArrayRef<Case> cases,
                                     llvm::function_ref<bool(double)> isOne);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_CONDITIONS_H
