//===- DelayRole.cpp - Make one role late ---------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A missing barrier between roles shows only when one of them is slower than
// usual, and race checkers do not follow mbarriers. So a test makes each role
// late in turn:
//
//   scf.for ... { flash_tile.put }
//   // becomes
//   scf.for ... { flash_tile.delay 2000 ; flash_tile.put }
//
// It runs on finished roles, before shared memory is allocated.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"
#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILEDELAYROLE
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash::tile;

/// Delays at the start of a role and of each iteration of its loops.
static void delayRegion(Region &role, int64_t nanoseconds,
                        IntegerAttr warpgroup) {
  OpBuilder builder(role.getContext());
  auto delay = [&](Block *block) {
    builder.setInsertionPointToStart(block);
    DelayOp::create(builder, role.getLoc(),
                    builder.getI64IntegerAttr(nanoseconds), warpgroup);
  };
  role.walk([&](scf::ForOp loop) { delay(loop.getBody()); });
  delay(&role.front());
}

/// Which role of `op` a name means: its region, which is null where the kernel
/// needs no such role, and the warpgroup if it is one.
static FailureOr<std::pair<Region *, IntegerAttr>> findRole(SpecializeOp op,
                                                            StringRef name) {
  if (Region *role = op.getRole(name))
    return std::pair(role, IntegerAttr());
  // What not each kernel has.
  if (name == "watcher" || name == "writer")
    return std::pair<Region *, IntegerAttr>();
  StringRef number = name;
  int64_t warpgroup;
  if (number.consume_front("consumer") && !number.getAsInteger(10, warpgroup) &&
      warpgroup >= 0)
    return std::pair(
        &op.getConsumers(),
        IntegerAttr::get(IntegerType::get(op.getContext(), 64), warpgroup));
  return op.emitOpError() << "has no role '" << name
                          << "'; there are producer, watcher, consumers, "
                             "consumer0, ..., and helpers by their names";
}

namespace {
struct TileDelayRolePass
    : flash::tile::impl::TileDelayRoleBase<TileDelayRolePass> {
  using TileDelayRoleBase::TileDelayRoleBase;

  void runOnOperation() override {
    WalkResult walk = getOperation().walk([&](SpecializeOp op) {
      auto found = findRole(op, role);
      if (failed(found))
        return WalkResult::interrupt();
      if (found->first)
        delayRegion(*found->first, nanoseconds, found->second);
      return WalkResult::advance();
    });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
