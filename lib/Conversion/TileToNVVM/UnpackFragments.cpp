//===- UnpackFragments.cpp - The elements of bundles ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %b = builtin.unrealized_conversion_cast %x, %y : f32, f32 to vector<2xf32>
//   %r = scf.for ... iter_args(%i = %b) -> (vector<2xf32>) {
//     %e:2 = builtin.unrealized_conversion_cast %i : vector<2xf32> to f32, f32
//   ->
//   %r:2 = scf.for ... iter_args(%e0 = %x, %e1 = %y) -> (f32, f32) {
//
// A fragment is nothing but its elements then, and LLVM need not undo any
// packing. Not before: passes over structured loops take their time for each
// value that a loop carries.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/TileToNVVM/Passes.h"

#include "Lowering.h"

#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"

namespace flash {
#define GEN_PASS_DEF_TILEUNPACKFRAGMENTS
#include "flash/Conversion/TileToNVVM/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash::tile;

namespace {
/// Vectors to their elements, by casts.
class ElementConverter : public TypeConverter {
public:
  ElementConverter() {
    addConversion([](Type type) { return type; });
    addConversion([](VectorType type, SmallVectorImpl<Type> &types) {
      types.append(type.getNumElements(), type.getElementType());
      return success();
    });
    addSourceMaterialization(
        [](OpBuilder &b, Type type, ValueRange elements, Location loc) {
          return UnrealizedConversionCastOp::create(b, loc, type, elements)
              .getResult(0);
        });
    addTargetMaterialization(
        [](OpBuilder &b, TypeRange types, ValueRange bundle, Location loc) {
          return llvm::to_vector_of<Value>(
              UnrealizedConversionCastOp::create(b, loc, types, bundle)
                  .getResults());
        });
  }
};
} // namespace

void flash::tile::eraseUnreadBundles(gpu::GPUFuncOp function) {
  function.walk([](UnrealizedConversionCastOp cast) {
    if (cast->use_empty())
      cast.erase();
  });
}

/// Leaves of each bundle its elements, in loops and branches, too.
static LogicalResult unpackFragments(Operation *root) {
  ElementConverter converter;
  RewritePatternSet patterns(root->getContext());
  ConversionTarget target(*root->getContext());
  scf::populateSCFStructuralTypeConversionsAndLegality(converter, patterns,
                                                       target);
  target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  if (failed(applyPartialConversion(root, target, std::move(patterns))))
    return failure();
  SmallVector<UnrealizedConversionCastOp> casts, left;
  root->walk([&](UnrealizedConversionCastOp cast) {
    if (isa<VectorType>(cast.getResultTypes().front()) ||
        isa<VectorType>(cast.getOperandTypes().front()))
      casts.push_back(cast);
  });
  reconcileUnrealizedCasts(casts, &left);
  if (left.empty())
    return success();
  return left.front().emitError("a fragment has another user than its lane");
}

namespace {
struct TileUnpackFragmentsPass
    : flash::impl::TileUnpackFragmentsBase<TileUnpackFragmentsPass> {
  void runOnOperation() override {
    if (failed(unpackFragments(getOperation())))
      signalPassFailure();
  }
};
} // namespace
