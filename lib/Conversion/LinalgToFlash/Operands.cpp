//===- Operands.cpp - What each dimension is to an attention ----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which dimensions of Q, K, V and O are which follows from who has them:
//
//   Q K V O   batch, and heads of keys        Q K     head dim
//   Q     O   queries, and heads of a group     V O   head dim of the value
//     K V     keys
//
//===----------------------------------------------------------------------===//

#include "Matchers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace flash;
using namespace flash::raise;

std::optional<SmallVector<SmallVector<unsigned>>>
flash::raise::getAtoms(const Domain &domain, ArrayRef<AffineExpr> at,
                       RankedTensorType type) {
  SmallVector<SmallVector<unsigned>> atoms;
  SmallVector<bool> seen(domain.getNumDims());
  for (auto [index, size] : llvm::zip(at, type.getShape())) {
    std::optional<LinearSum> sum = LinearSum::get(index);
    if (!sum || sum->constant != 0 || !sum->symbols.empty())
      return std::nullopt;
    // From the innermost: each factor is the product of the sizes within.
    int64_t product = 1;
    for (const LinearSum::Term &term : llvm::reverse(sum->terms)) {
      if (ShapedType::isDynamic(product) || term.factor != product ||
          seen[term.dim])
        return std::nullopt;
      seen[term.dim] = true;
      int64_t part = domain.getSize(term.dim);
      product = ShapedType::isDynamic(part) ? part : product * part;
    }
    if (!ShapedType::isDynamic(product) && !ShapedType::isDynamic(size) &&
        product != size)
      return std::nullopt;
    if (sum->terms.empty() && size != 1)
      return std::nullopt;
    atoms.push_back(llvm::map_to_vector(
        sum->terms, [](const LinearSum::Term &term) { return term.dim; }));
  }
  return atoms;
}

Operand flash::raise::peelOperand(Tracer &tracer, Scalar factor,
                                  Peeling peeling) {
  Operand best{factor};
  std::optional<Operand> wider;
  double scale = 1;
  // A rounding that the program makes stays: nothing wider is taken, except
  // where the contraction itself rounds.
  Type narrowest = factor.getElementType();
  std::optional<Scalar> next = factor;
  while (next) {
    Scalar scalar = *next;
    next = std::nullopt;
    Type own = scalar.getElementType();
    bool isWider =
        own.getIntOrFloatBitWidth() > narrowest.getIntOrFloatBitWidth();
    if (own.getIntOrFloatBitWidth() < narrowest.getIntOrFloatBitWidth())
      narrowest = own;
    if (scalar.isElement()) {
      auto type = cast<RankedTensorType>(scalar.value.getType());
      bool isWhole =
          getAtoms(tracer.getDomain(), scalar.at, type).has_value() &&
          llvm::all_of(peeling.dims, [&](unsigned dim) {
            return llvm::any_of(scalar.at, [&](AffineExpr index) {
              return index.isFunctionOfDim(dim);
            });
          });
      if (isWhole && isWider && !wider)
        wider = Operand{scalar, scale, narrowest};
      else if (isWhole && !isWider)
        best = {scalar, scale};
      next = tracer.step(scalar);
      continue;
    }
    Operation *def = scalar.getDefiningOp();
    // A block argument, or an element that is read where its indices are known.
    if (!def || isa<tensor::ExtractOp>(def)) {
      next = tracer.step(scalar);
      continue;
    }
    auto inBody = [&](unsigned index) {
      return Scalar{def->getOperand(index), scalar.at};
    };
    if ((peeling.casts && isa<arith::ExtFOp>(def)) ||
        isa<arith::TruncFOp>(def)) {
      next = inBody(0);
    } else if (peeling.factors && isa<arith::MulFOp, arith::DivFOp>(def)) {
      bool isMul = isa<arith::MulFOp>(def);
      if (auto number = tracer.getNumber(inBody(1))) {
        scale = isMul ? scale * *number : scale / *number;
        next = inBody(0);
      } else if (auto number =
                     isMul ? tracer.getNumber(inBody(0)) : std::nullopt) {
        scale *= *number;
        next = inBody(1);
      }
    }
  }
  return best.element.isElement() || !wider ? best : *wider;
}

Roles::Shape Roles::getShape(Layout layout, bool keyHeadsOnly, unsigned length,
                             std::optional<unsigned> last) const {
  SmallVector<unsigned> heads = keyHeads;
  if (!keyHeadsOnly)
    llvm::append_range(heads, groups);
  Shape shape;
  shape[0] = batch;
  shape[layout == Layout::BHSD ? 1 : 2] = heads;
  if (length != ~0u)
    shape[layout == Layout::BHSD ? 2 : 1] = {length};
  if (last)
    shape[3] = {*last};
  return shape;
}

namespace {
/// Whether a dimension is in each of Q, K, V and O.
struct Owners {
  bool query = false, key = false, value = false, output = false;
  std::array<bool, 4> list() const { return {query, key, value, output}; }
};
} // namespace

static std::string describeMissing(const Owners &owners) {
  std::string text;
  constexpr std::array<StringLiteral, 4> names{"query", "key", "value",
                                               "output"};
  for (auto [has, name] : llvm::zip(owners.list(), names))
    if (!has)
      text += (text.empty() ? "the " : " and the ") + name.str();
  return text;
}

FailureOr<Roles> flash::raise::matchRoles(Match &match, const Operand &query,
                                          const Operand &key,
                                          const Operand &value,
                                          const Indices &output, Location loc,
                                          const QueryHint &queryHint,
                                          unsigned keyDim) {
  Domain &domain = match.tracer.getDomain();
  Roles roles;
  SmallVector<unsigned> shared, rows;
  auto has = [](ArrayRef<AffineExpr> at, unsigned dim) {
    return llvm::any_of(
        at, [&](AffineExpr index) { return index.isFunctionOfDim(dim); });
  };
  auto setOnce = [&](std::optional<unsigned> &role, unsigned dim) {
    bool isFirst = !role;
    role = dim;
    return isFirst;
  };
  for (unsigned dim = 0; dim < domain.getNumDims(); ++dim) {
    Owners owners{has(query.element.at, dim), has(key.element.at, dim),
                  has(value.element.at, dim), has(output, dim)};
    std::array<bool, 4> list = owners.list();
    using List = std::array<bool, 4>;
    if (list == List{true, true, true, true})
      shared.push_back(dim);
    else if (list == List{true, false, false, true})
      rows.push_back(dim);
    else if (list == List{true, true, false, false}) {
      if (!setOnce(roles.headDim, dim))
        return match.miss(loc, "queries and keys are contracted over more than "
                               "one dimension");
    } else if (list == List{false, false, true, true}) {
      if (!setOnce(roles.valueDim, dim))
        return match.miss(loc, "the value has more than one head dim");
    } else if (list == List{false, true, true, false} && dim == keyDim)
      roles.key = dim;
    else if (list != List{false, false, false, false})
      return match.miss(loc, "a dimension is not one of an attention: it is "
                             "missing in " +
                                 describeMissing(owners));
  }
  if (!roles.key)
    return match.miss(loc, "the second contraction is not over the keys");

  // Which of the dimensions of queries alone is their length: the one that the
  // mask compares; else not one that is joined with a head's; else the largest.
  auto joined = [&](unsigned dim) {
    return llvm::any_of(query.element.at, [&](AffineExpr index) {
      return index.isFunctionOfDim(dim) &&
             llvm::any_of(shared, [&](unsigned other) {
               return index.isFunctionOfDim(other);
             });
    });
  };
  auto rank = [&](unsigned dim) {
    int64_t size = domain.getSize(dim);
    return std::tuple(queryHint.dim == dim, !joined(dim),
                      ShapedType::isDynamic(size)
                          ? std::numeric_limits<int64_t>::max()
                          : size);
  };
  // A step of decoding: what is left are the few heads of a group.
  constexpr int64_t kMostOfGroup = 16;
  bool isGroup = !queryHint.dim && queryHint.isSingle && rows.size() == 1 &&
                 joined(rows.front()) &&
                 !ShapedType::isDynamic(domain.getSize(rows.front())) &&
                 domain.getSize(rows.front()) <= kMostOfGroup;
  if (!rows.empty() && !isGroup) {
    auto best = llvm::max_element(
        rows, [&](unsigned a, unsigned b) { return rank(a) < rank(b); });
    roles.query = *best;
    rows.erase(best);
  }
  // In the order of the query's dimensions, so that reshapes suffice.
  SmallVector<unsigned> order;
  for (AffineExpr index : query.element.at)
    if (std::optional<LinearSum> sum = LinearSum::get(index))
      for (const LinearSum::Term &term : sum->terms)
        order.push_back(term.dim);
  auto byOrder = [&](unsigned a, unsigned b) {
    return llvm::find(order, a) < llvm::find(order, b);
  };
  llvm::sort(shared, byOrder);
  llvm::sort(rows, byOrder);
  roles.groups = rows;
  if (shared.size() > 1)
    roles.keyHeads.push_back(shared.pop_back_val());
  roles.batch = shared;
  return roles;
}
