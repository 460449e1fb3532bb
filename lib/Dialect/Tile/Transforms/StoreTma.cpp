//===- StoreTma.cpp - Results through the copy engine ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   specialize ... consumers { scf.for { ... ; store %o, %out[...] rows(%n) } }
//   ->  consumers { scf.for { ... ; store_async %o, %map[...] } ; store_wait }
//
// A lane has two neighbouring columns of a row: stored from registers, a row
// leaves in pieces of 16 bytes. Through shared memory it leaves whole, and the
// warp goes on to its next tile meanwhile; so does what is added to f32 in
// memory, which the copy engine does on its way. It runs when roles exist: the
// producer's waits leave the copy engine to it.
//
//===----------------------------------------------------------------------===//

#include "PassGate.h"
#include "TensorMaps.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILESTORETMA
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// The box of the 16 rows that a warp stores at a time, or of half of them: in
/// shared memory, 8 rows are what the swizzle repeats after.
static std::optional<BoxRows> boxOf(StoreOp store) {
  for (int64_t count : {16, 8})
    if (auto box = findBox(store.getRowDimension(), store.getPackedAttr(),
                           store.getValue().getType().getRows(), count))
      return box;
  return std::nullopt;
}

/// Why the store stays as it is, or an empty string.
static StringRef reasonAgainst(StoreOp store) {
  if (store.getStrips())
    return "";
  FragmentType type = store.getValue().getType();
  if (type.getElementType().getIntOrFloatBitWidth() != 16 &&
      !(store.getAdd() && type.getElementType().isF32()))
    return "results have not 16 bits, and are not sums of f32";
  int64_t panel = 128 * 8 / type.getElementType().getIntOrFloatBitWidth();
  if (type.getColumnGroups() > 1 && type.getColumnsOfWarp() % panel)
    return "a group of columns is no multiple of 128 bytes";
  if (!boxOf(store))
    return "the rows of a warp are no box of the result";
  return reasonAgainstTma(store, store.getDestination());
}

/// Through a tile of at most `columns` columns (0: all). Rows that end before
/// the tensor does are followed by those of somebody else: a tile that has all
/// of its rows goes this way, one that is cut off is stored as it was.
static void makeAsync(StoreOp store, TensorMaps &maps, int64_t columns,
                      CacheHintAttr hint) {
  FragmentType type = store.getValue().getType();
  if (store.getStrips()) {
    OpBuilder builder(store);
    StoreAsyncOp::create(builder, store.getLoc(), store.getValue(),
                         store.getDestination(), store.getOffsets(),
                         /*when=*/Value(), /*columns=*/IntegerAttr(), hint,
                         /*shared_offset=*/IntegerAttr(),
                         /*row_dim=*/IntegerAttr(), PackedRowsAttr(),
                         store.getAddAttr());
    store.erase();
    return;
  }
  auto tile =
      SharedType::get(type.getRows(), type.getColumns(), type.getElementType());
  Value map = maps.get(store.getLoc(), store.getDestination(), *boxOf(store),
                       tile.getPanelColumns());
  OpBuilder builder(store);
  bool isCut = !isCutByMemref(store);
  if (isCut) {
    PackedRowsAttr packed = store.getPackedAttr();
    Value all = arith::ConstantIndexOp::create(
        builder, store.getLoc(),
        packed ? packed.getOthers(type.getRows()) : type.getRows());
    Value whole =
        arith::CmpIOp::create(builder, store.getLoc(),
                              arith::CmpIPredicate::sle, all, store.getRows());
    auto branch = scf::IfOp::create(builder, store.getLoc(), whole,
                                    /*withElseRegion=*/true);
    store->moveBefore(branch.elseBlock()->getTerminator());
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  }
  bool parts =
      columns && columns < type.getColumns() && type.getColumnGroups() == 1;
  StoreAsyncOp::create(
      builder, store.getLoc(), store.getValue(), map, store.getOffsets(),
      /*when=*/Value(),
      parts ? builder.getI64IntegerAttr(columns) : IntegerAttr(), hint,
      /*shared_offset=*/IntegerAttr(),
      store.getPackedAttr() ? builder.getI64IntegerAttr(store.getRowDimension())
                            : IntegerAttr(),
      store.getPackedAttr(), store.getAddAttr());
  if (!isCut)
    store.erase();
}

namespace {
struct TileStoreTmaPass
    : flash::tile::impl::TileStoreTmaBase<TileStoreTmaPass> {
  using TileStoreTmaBase::TileStoreTmaBase;

  void runOnOperation() override {
    LaunchMap launches = findLaunches(getOperation());
    SmallVector<gpu::GPUFuncOp> kernels;
    getOperation().walk(
        [&](gpu::GPUFuncOp kernel) { kernels.push_back(kernel); });
    for (gpu::GPUFuncOp kernel : kernels) {
      PassGate<StoreTmaAttr> gate(kernel, "it has no roles");
      if (!gate)
        continue;
      for (auto roles : kernel.getBody().getOps<SpecializeOp>())
        numStores += run(roles, launches[kernel], gate);
    }
  }

private:
  /// Returns how many stores have become asynchronous.
  int64_t run(SpecializeOp roles, ArrayRef<LaunchOp> launches,
              PassGate<StoreTmaAttr> &gate) {
    SmallVector<StoreOp> stores;
    auto kernel = roles->getParentOfType<gpu::GPUFuncOp>();
    bool hasWriter = !roles.getHelpers().empty();
    roles.getConsumers().walk([&](StoreOp store) {
      // Row vectors are little beside the matrix.
      if (store.getValue().getType().getRank() != 2)
        return;
      // A helper has sums stored, after which others would have to wait.
      if (hasWriter && !store.getAdd() &&
          store->getParentOp()->hasAttr(FlashTileDialect::getTilesAttrName()))
        return;
      if (StringRef reason = reasonAgainst(store); reason.empty())
        stores.push_back(store);
      else
        gate.leave(reason);
    });
    if (stores.empty()) {
      gate.leave("it stores no matrix");
      return 0;
    }
    TensorMaps maps(kernel, launches);
    auto hint = cacheHints
                    ? CacheHintAttr::get(&getContext(), CacheHint::EvictFirst)
                    : CacheHintAttr();
    for (StoreOp store : stores)
      makeAsync(store, maps, gate->getColumns(), hint);
    OpBuilder builder(roles.getConsumers().front().getTerminator());
    StoreWaitOp::create(builder, roles.getLoc(), /*barrier=*/false);
    gate.worked();
    return stores.size();
  }
};
} // namespace
