//===- ConvertContraction.cpp - Products of tiles -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   linalg.matmul ins(%p, %v) outs(%acc)  ->  flash_tile.mma %p, %v acc(%acc)
//
// Either operand may be transposed, and so may the result, which is the product
// of the operands in the other order. What is not in registers as the
// instruction wants it lies in shared memory: tiles of device memory are loaded
// there, and tiles that the kernel computed are stored there, once.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash;

std::optional<Product> Product::get(linalg::LinalgOp op) {
  if (!linalg::isaContractionOpInterface(op))
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (op.getNumLoops() != 3 || !llvm::all_of(maps, [](AffineMap map) {
        return map.getNumResults() == 2 && map.isProjectedPermutation();
      }))
    return std::nullopt;
  unsigned row = maps[2].getDimPosition(0), column = maps[2].getDimPosition(1);
  auto has = [&](unsigned i, unsigned dim) {
    return maps[i].getDimPosition(0) == dim || maps[i].getDimPosition(1) == dim;
  };
  unsigned a = has(0, row) ? 0 : 1, b = 1 - a;
  if (!has(a, row) || has(a, column) || !has(b, column) || has(b, row))
    return std::nullopt;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  return Product{&op->getOpOperand(a), &op->getOpOperand(b),
                 maps[a].getDimPosition(0) != row,
                 maps[b].getDimPosition(0) == column, sizes[row]};
}

/// Whether every element of `tensor` is known to be zero.
static bool isZero(Value tensor) {
  if (auto fill = tensor.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  return matchPattern(tensor, m_AnyZeroFloat());
}

bool KernelBuilder::isLeftFragment(OpOperand &use) const {
  auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
  std::optional<Product> product = op ? Product::get(op) : std::nullopt;
  return product && &use == product->a && !product->transposeA &&
         layouts.getColumnGroups(product->rows) == 1;
}

FailureOr<Value> KernelBuilder::sharedTile(Operation *user, Value tensor) {
  Value value = tiles.lookup(tensor);
  if (value && isa<tile::SharedType>(value.getType()))
    return value;
  Value &shared = sharedCopies[tensor];
  if (shared)
    return shared;
  FailureOr<Value> computed = fragment(user, tensor);
  if (failed(computed))
    return failure();
  auto type = cast<tile::FragmentType>(computed->getType());
  if (!type.getElementType().isF16() && !type.getElementType().isBF16())
    return user->emitError("matrix products of ")
           << type.getElementType()
           << " are not supported on a GPU yet; f16 and bf16 are";
  auto tile = tile::SharedType::getChecked([&] { return user->emitError(); },
                                           type.getRows(), type.getColumns(),
                                           type.getElementType());
  if (!tile)
    return failure();
  // Where it is computed, and so once.
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(*computed);
  return shared = tile::StoreSharedOp::create(builder, user->getLoc(), tile,
                                              *computed, IntegerAttr());
}

LogicalResult KernelBuilder::convertContraction(linalg::LinalgOp op) {
  std::optional<Product> product = Product::get(op);
  if (!product)
    return op.emitOpError("is not a product of two matrices, which is what a "
                          "GPU multiplies");
  FailureOr<Value> a =
      isLeftFragment(*product->a) && !isLoaded(product->a->get())
          ? fragment(op, product->a->get())
          : sharedTile(op, product->a->get());
  if (failed(a))
    return failure();
  FailureOr<Value> b = sharedTile(op, product->b->get());
  if (failed(b))
    return failure();
  if (auto left = dyn_cast<tile::FragmentType>(a->getType());
      left && !isa<tile::LhsLayoutAttr>(left.getLayout()))
    return op.emitError("matrix products of ")
           << left.getElementType()
           << " are not supported on a GPU yet; f16 and bf16 are";
  Value out = op.getDpsInits()[0], acc;
  if (!isZero(out)) {
    FailureOr<Value> value = fragment(op, out);
    if (failed(value))
      return failure();
    acc = *value;
  }
  FailureOr<tile::FragmentType> type = fragmentType(op->getResult(0));
  if (failed(type) || !*type)
    return failure();
  auto flag = [&](bool set) {
    return set ? builder.getUnitAttr() : UnitAttr();
  };
  tiles[op->getResult(0)] =
      tile::MmaOp::create(builder, op.getLoc(), *type, instruction, *a, *b, acc,
                          flag(product->transposeA), flag(product->transposeB));
  return success();
}
