//===- Rearrange.cpp - Tensors in another order of dimensions ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   tensor<2x6x32xf32>: (d0), (d2), (d1, d3)
//   // to (d0), (d1), (d2), (d3):
//   tensor.expand_shape to 2x6x4x8, linalg.transpose to 2x4x6x8
//
// Dimensions of size 1 are dropped first and added last.
//
//===----------------------------------------------------------------------===//

#include "Rearrange.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace flash::raise;

void flash::raise::addAtomSizes(
    OpBuilder &builder, Location loc, Value tensor, AtomLists atoms,
    llvm::function_ref<int64_t(unsigned)> staticSize, AtomSizes &sizes) {
  AffineExpr size = builder.getAffineDimExpr(0);
  for (auto [dim, list] : llvm::enumerate(atoms)) {
    int64_t known = 1;
    for (unsigned atom : list)
      if (!ShapedType::isDynamic(staticSize(atom)))
        known *= staticSize(atom);
    for (unsigned atom : list) {
      if (sizes.count(atom))
        continue;
      sizes[atom] = ShapedType::isDynamic(staticSize(atom))
                        ? affine::makeComposedFoldedAffineApply(
                              builder, loc, size.floorDiv(known),
                              {tensor::getMixedSize(builder, loc, tensor, dim)})
                        : OpFoldResult(builder.getIndexAttr(staticSize(atom)));
    }
  }
}

static Value expand(OpBuilder &builder, Location loc, Value tensor,
                    ArrayRef<ReassociationIndices> groups,
                    ArrayRef<OpFoldResult> sizes) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return tensor::ExpandShapeOp::create(builder, loc, type.clone(shape), tensor,
                                       groups, sizes);
}

/// Groups in which each element of `isUnit` that is set hangs on to one before
/// it, or to the first after it.
static SmallVector<ReassociationIndices> groupUnits(ArrayRef<bool> isUnit) {
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices leading;
  for (auto [dim, unit] : llvm::enumerate(isUnit)) {
    if (!unit) {
      groups.push_back(std::exchange(leading, {}));
      groups.back().push_back(dim);
    } else if (groups.empty()) {
      leading.push_back(dim);
    } else {
      groups.back().push_back(dim);
    }
  }
  return groups;
}

static SmallVector<bool> getUnits(AtomLists atoms) {
  return llvm::map_to_vector(
      atoms, [](const SmallVector<unsigned> &list) { return list.empty(); });
}

/// Groups of consecutive numbers, one for each list that is not empty.
static SmallVector<ReassociationIndices> groupAtoms(AtomLists atoms) {
  SmallVector<ReassociationIndices> groups;
  int64_t next = 0;
  for (const SmallVector<unsigned> &list : atoms) {
    if (list.empty())
      continue;
    ReassociationIndices &group = groups.emplace_back();
    for (size_t i = 0; i < list.size(); ++i)
      group.push_back(next++);
  }
  return groups;
}

static SmallVector<unsigned> flatten(AtomLists atoms) {
  SmallVector<unsigned> flat;
  for (const SmallVector<unsigned> &list : atoms)
    llvm::append_range(flat, list);
  return flat;
}

/// Takes a tensor apart, so that each dimension is one of the domain.
static Value takeApart(OpBuilder &builder, Location loc, Value tensor,
                       AtomLists from, const AtomSizes &sizes) {
  SmallVector<bool> units = getUnits(from);
  if (llvm::is_contained(units, true))
    tensor = tensor::CollapseShapeOp::create(builder, loc, tensor,
                                             groupUnits(units));
  SmallVector<unsigned> flat = flatten(from);
  auto groups = groupAtoms(from);
  if (groups.size() == flat.size())
    return tensor;
  return expand(builder, loc, tensor, groups,
                llvm::map_to_vector(
                    flat, [&](unsigned atom) { return sizes.lookup(atom); }));
}

/// The inverse.
static Value putTogether(OpBuilder &builder, Location loc, Value tensor,
                         AtomLists to) {
  auto groups = groupAtoms(to);
  if (int64_t(groups.size()) !=
      cast<RankedTensorType>(tensor.getType()).getRank())
    tensor = tensor::CollapseShapeOp::create(builder, loc, tensor, groups);
  SmallVector<bool> units = getUnits(to);
  if (!llvm::is_contained(units, true))
    return tensor;
  SmallVector<OpFoldResult> sizes;
  int64_t next = 0;
  for (bool unit : units)
    sizes.push_back(unit ? OpFoldResult(builder.getIndexAttr(1))
                         : tensor::getMixedSize(builder, loc, tensor, next++));
  return expand(builder, loc, tensor, groupUnits(units), sizes);
}

static Value transpose(OpBuilder &builder, Location loc, Value tensor,
                       ArrayRef<int64_t> permutation) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  auto permuted =
      llvm::map_to_vector(permutation, [&](int64_t dim) { return sizes[dim]; });
  Value init = tensor::EmptyOp::create(
      builder, loc, permuted,
      cast<RankedTensorType>(tensor.getType()).getElementType());
  return linalg::TransposeOp::create(builder, loc, tensor, init, permutation)
      ->getResult(0);
}

using Lists = SmallVector<SmallVector<unsigned>>;

/// Whether `second` follows `first` inside of one of the lists.
static bool follows(AtomLists lists, unsigned first, unsigned second) {
  return llvm::any_of(lists, [&](const SmallVector<unsigned> &list) {
    const auto *place = llvm::find(list, first);
    return place != list.end() && place + 1 != list.end() && place[1] == second;
  });
}

/// Makes one of dimensions that stay together, such as the heads of keys and
/// their groups, where sizes are static.
static void joinAtoms(OpBuilder &builder, Lists &from, Lists &to,
                      AtomSizes &sizes) {
  for (SmallVector<unsigned> &list : from) {
    for (size_t i = 0; i + 1 < list.size();) {
      unsigned first = list[i], second = list[i + 1];
      std::optional<int64_t> a = getConstantIntValue(sizes.lookup(first)),
                             b = getConstantIntValue(sizes.lookup(second));
      if (!a || !b || !follows(to, first, second)) {
        ++i;
        continue;
      }
      sizes[first] = builder.getIndexAttr(*a * *b);
      list.erase(list.begin() + i + 1);
      for (SmallVector<unsigned> &other : to)
        llvm::erase(other, second);
    }
  }
}

Value flash::raise::rearrange(OpBuilder &builder, Location loc, Value tensor,
                              AtomLists fromAtoms, AtomLists toAtoms,
                              const AtomSizes &atomSizes) {
  if (fromAtoms == toAtoms)
    return tensor;
  Lists from(fromAtoms), to(toAtoms);
  AtomSizes sizes = atomSizes;
  joinAtoms(builder, from, to, sizes);
  SmallVector<unsigned> before = flatten(from), after = flatten(to);
  tensor = takeApart(builder, loc, tensor, from, sizes);
  if (before != after)
    tensor = transpose(
        builder, loc, tensor, llvm::map_to_vector(after, [&](unsigned atom) {
          return int64_t(llvm::find(before, atom) - before.begin());
        }));
  return putTogether(builder, loc, tensor, to);
}
