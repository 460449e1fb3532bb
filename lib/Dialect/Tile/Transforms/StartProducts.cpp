//===- StartProducts.cpp - Products in flight beside other work -----------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %s = mma ; %p = map(%s) ; %t = mma ; %d = map(%p, %t) ; %a = mma %d
//   ->  %s = mma_start ; %t = mma_start ; mma_wait %s in_flight 1 ; %p =
//   map(%s)
//       mma_wait %t ; %d = map(%p, %t) ; %a = mma_start %d ; mma_wait %a
//
// The body of a loop in another order: products start, in their order, as soon
// as what they read is there, and each is waited for where its result is first
// read. Registers of products in flight are all distinct until a wait for
// everything, which stands where they would not suffice. A product onto another
// one's sums runs after it without a wait. Stages of rings are released when
// the last product that reads them is complete; what one warpgroup does in its
// turn stands after all products.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/Transforms/Passes.h"

#include "PassGate.h"
#include "ProductLoops.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace flash::tile {
#define GEN_PASS_DEF_TILESTARTPRODUCTS
#include "flash/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace flash::tile

using namespace mlir;
using namespace flash;
using namespace flash::tile;

SmallVector<scf::ForOp> flash::tile::findProductLoops(gpu::GPUFuncOp kernel) {
  SmallVector<scf::ForOp> loops;
  kernel.walk([&](scf::ForOp loop) {
    auto products = loop.getBody()->getOps<MmaOp>();
    int64_t count = std::distance(products.begin(), products.end());
    if (count > 2 && llvm::all_of(products, [](MmaOp product) {
          return product.getInstruction().isAsynchronous();
        }))
      loops.push_back(loop);
  });
  return loops;
}

SmallVector<scf::ForOp> flash::tile::findStartedLoops(gpu::GPUFuncOp kernel) {
  SmallVector<scf::ForOp> loops;
  kernel.walk([&](scf::ForOp loop) {
    auto products = loop.getBody()->getOps<MmaStartOp>();
    if (std::distance(products.begin(), products.end()) > 2)
      loops.push_back(loop);
  });
  return loops;
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

/// Whether the op may move among others whose results it does not read: it
/// computes, waits for a stage, or writes a tile of its own.
static bool isMovable(Operation &op) {
  return isMemoryEffectFree(&op) ||
         isa<GetOp, ReadOp, LoadFragmentOp, MmaOp, StoreSharedOp, FillOp,
             ReleaseOp, AllReduceOp>(op) ||
         (isa<MapOp>(op) && !hasEffect<MemoryEffects::Write>(&op));
}

/// What the warps fill before the op waits for a stage that warps fill: who
/// fills that one may wait for what they filled.
static SmallVector<Operation *> getFillsBefore(Operation *op, Block *block) {
  SmallVector<Operation *> fills;
  auto get = dyn_cast<GetOp>(op);
  if (!get || llvm::none_of(get.getRing().getUsers(), llvm::IsaPred<FillOp>))
    return fills;
  for (auto fill : block->getOps<FillOp>())
    if (fill->isBeforeInBlock(op))
      fills.push_back(fill);
  return fills;
}

/// The ops of the block that `op` needs and that are not in `done` yet, in
/// order: those that make its operands, and what warps fill before it, alone or
/// in turn, where it waits for that.
static void collectNeeded(Operation *op, Block *block,
                          const llvm::SetVector<Operation *> &done,
                          llvm::SetVector<Operation *> &needed) {
  auto collect = [&](Operation *other) {
    other = other ? block->findAncestorOpInBlock(*other) : nullptr;
    if (other && other != op && !done.contains(other) &&
        !needed.contains(other))
      collectNeeded(other, block, done, needed);
  };
  if (isa<MmaOp, InTurnOp>(op))
    for (auto turn : block->getOps<InTurnOp>())
      if (turn->isBeforeInBlock(op))
        collect(turn);
  for (Operation *fill : getFillsBefore(op, block))
    collect(fill);
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      collect(operand.getDefiningOp());
  });
  needed.insert(op);
}

/// Whether the op reads device memory into registers.
static bool isFetch(Operation *op) {
  auto map = dyn_cast<MapOp>(op);
  return map && map.getInputs().empty();
}

/// Whether a product belongs to the iteration before: its left operand comes
/// from a ring that is filled here for another one.
static bool isLate(MmaOp product) {
  auto get = product.getA().getDefiningOp<GetOp>();
  return get && get->getBlock() == product->getBlock() &&
         llvm::any_of(get.getRing().getUsers(), [&](Operation *user) {
           auto fill = dyn_cast<FillOp>(user);
           return fill && fill->getBlock() == product->getBlock() &&
                  fill.getIteration() != get.getIteration();
         });
}

/// Whether the op, or something in it, waits for a product of the block.
static bool dependsOnProduct(Operation *op, Block *block) {
  if (isa<MmaOp>(op))
    return true;
  bool depends = llvm::any_of(getFillsBefore(op, block), [&](Operation *fill) {
    return dependsOnProduct(fill, block);
  });
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands()) {
      Operation *definition = operand.getDefiningOp();
      definition =
          definition ? block->findAncestorOpInBlock(*definition) : nullptr;
      depends |=
          definition && definition != op && dependsOnProduct(definition, block);
    }
  });
  return depends;
}

/// Adds ops to the order, those first that need not wait for a product.
static void append(llvm::SetVector<Operation *> &order,
                   const llvm::SetVector<Operation *> &ops, Block *block) {
  for (Operation *op : ops)
    if (!dependsOnProduct(op, block))
      order.insert(op);
  order.insert(ops.begin(), ops.end());
}

/// Products as early as their operands allow, what a product needs of device
/// memory before the product before it; the rest after them, in order. Products
/// of the iteration before start where the fewest registers are held: right
/// before the last one, and leave while that runs.
static llvm::SetVector<Operation *> getOrder(Block *block) {
  llvm::SetVector<Operation *> order;
  MmaOp before;
  auto finish = [&] {
    if (before)
      order.insert(before);
  };
  for (auto product : block->getOps<MmaOp>()) {
    if (isLate(product))
      continue;
    llvm::SetVector<Operation *> seen = order, needed;
    if (before)
      seen.insert(before);
    collectNeeded(product, block, seen, needed);
    for (Operation *op : needed)
      if (isFetch(op)) {
        llvm::SetVector<Operation *> address;
        collectNeeded(op, block, order, address);
        order.insert(address.begin(), address.end());
      }
    finish();
    needed.remove(product);
    append(order, needed, block);
    before = product;
  }
  // Other warps wait for what is filled, and its addresses are not held beside
  // the last products.
  for (auto fill : block->getOps<FillOp>()) {
    llvm::SetVector<Operation *> needed;
    collectNeeded(fill, block, order, needed);
    if (!before || !needed.contains(before))
      order.insert(needed.begin(), needed.end());
  }
  for (auto product : block->getOps<MmaOp>()) {
    if (!isLate(product))
      continue;
    llvm::SetVector<Operation *> needed;
    collectNeeded(product, block, order, needed);
    order.insert(needed.begin(), needed.end());
  }
  finish();
  for (Operation &op : block->without_terminator())
    if (!isa<ReleaseOp>(op))
      order.insert(&op);
  return order;
}

//===----------------------------------------------------------------------===//
// Waits
//===----------------------------------------------------------------------===//

int64_t flash::tile::countRegisters(Value value) {
  Type of = value.getType();
  if (auto pending = dyn_cast<PendingType>(of))
    of = pending.getAccumulator();
  auto type = dyn_cast<FragmentType>(of);
  if (!type)
    return 0;
  int64_t bits = type.getElementType().getIntOrFloatBitWidth();
  return type.getElementsPerLane() * bits / 32;
}

int64_t flash::tile::getFragmentRegisters(SpecializeOp roles) {
  constexpr int64_t spare = 24;
  return roles.getConsumerRegisters() - spare;
}

namespace {
/// Rewrites one loop's body.
class ProductStarts {
public:
  ProductStarts(scf::ForOp loop, int64_t registers, bool advance)
      : block(loop.getBody()), registers(registers), advance(advance) {
    for (auto release : block->getOps<ReleaseOp>())
      releases.push_back(release);
    for (Value carried : loop.getRegionIterArgs())
      carriedRegisters += countRegisters(carried);
  }

  void run();

private:
  /// A product that has been started, in how many groups.
  struct Started {
    MmaOp product;
    Value pending;
    int64_t groups = 1;
  };

  void start(OpBuilder &builder, MmaOp product);
  void waitFor(OpBuilder &builder, size_t count);
  void waitForReads(OpBuilder &builder, Operation *op);
  void release(OpBuilder &builder);
  int64_t registersOf(MmaOp product);
  Started *findOnto(MmaOp product);

  Block *block;
  int64_t registers, carriedRegisters = 0;
  bool advance;
  SmallVector<Started> inFlight;
  /// Products since the last wait for all of them.
  SmallVector<MmaOp> chain;
  llvm::DenseMap<Value, Value> complete;
  SmallVector<ReleaseOp> releases;
  llvm::SetVector<Operation *> order;
  size_t position = 0;
};
} // namespace

/// What a product holds and the loop does not carry anyway.
int64_t ProductStarts::registersOf(MmaOp product) {
  int64_t count = countRegisters(product.getA());
  bool carried = isa_and_nonnull<BlockArgument>(product.getAcc());
  return count + (carried ? 0 : countRegisters(product.getResult()));
}

/// Waits until the oldest `count` products in flight are complete.
void ProductStarts::waitFor(OpBuilder &builder, size_t count) {
  if (count == 0)
    return;
  SmallVector<Value> pending;
  SmallVector<Type> types;
  for (auto [i, started] : llvm::enumerate(inFlight)) {
    pending.push_back(started.pending);
    types.push_back(i < count ? started.product.getResult().getType()
                              : started.pending.getType());
  }
  int64_t groups = 0;
  for (const Started &started : ArrayRef(inFlight).drop_front(count))
    groups += started.groups;
  auto wait =
      MmaWaitOp::create(builder, inFlight[count - 1].product.getLoc(), types,
                        pending, builder.getI64IntegerAttr(groups));
  for (auto [i, started] : llvm::enumerate(inFlight)) {
    started.pending = wait.getResult(i);
    if (i < count)
      started.product.getResult().replaceAllUsesWith(wait.getResult(i));
  }
  inFlight.erase(inFlight.begin(), inFlight.begin() + count);
  if (inFlight.empty())
    chain.clear();
  release(builder);
}

/// Waits for the products whose results the op reads.
void ProductStarts::waitForReads(OpBuilder &builder, Operation *op) {
  size_t count = 0;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      for (auto [i, started] : llvm::enumerate(inFlight))
        if (operand == started.product.getResult())
          count = std::max(count, i + 1);
  });
  waitFor(builder, count);
}

/// The product that was started last, if this one adds to its sums, nobody else
/// reads them, and there are registers for its left operand.
ProductStarts::Started *ProductStarts::findOnto(MmaOp product) {
  if (inFlight.empty() || !product.getAcc())
    return nullptr;
  int64_t held = carriedRegisters + countRegisters(product.getA());
  for (MmaOp other : chain)
    held += registersOf(other);
  Started &last = inFlight.back();
  return last.product.getResult() == product.getAcc() &&
                 product.getAcc().hasOneUse() && held <= registers
             ? &last
             : nullptr;
}

void ProductStarts::start(OpBuilder &builder, MmaOp product) {
  if (Started *onto = findOnto(product)) {
    onto->pending = MmaStartOp::create(
        builder, product.getLoc(), onto->pending.getType(),
        product.getInstruction(), product.getA(), product.getB(),
        /*acc=*/Value(), product.getTransposeAAttr(),
        product.getTransposeBAttr(), onto->pending);
    onto->product = product;
    ++onto->groups;
    return;
  }
  waitForReads(builder, product);
  int64_t held = carriedRegisters + registersOf(product);
  for (MmaOp other : chain)
    held += registersOf(other);
  // A late product runs beside those after it.
  if (isLate(product))
    for (Operation *op : ArrayRef(order.getArrayRef()).drop_front(position + 1))
      if (auto other = dyn_cast<MmaOp>(op))
        held += registersOf(other);
  if (held > registers)
    waitFor(builder, inFlight.size());
  auto started = MmaStartOp::create(
      builder, product.getLoc(),
      PendingType::get(product.getResult().getType()), product.getInstruction(),
      product.getA(), product.getB(), product.getAcc(),
      product.getTransposeAAttr(), product.getTransposeBAttr());
  // A product that needs nothing but stages, before all others, will have been
  // started an iteration ahead, and waited for.
  bool isAhead = advance && inFlight.empty() && chain.empty() &&
                 !product.getAcc() && product.getB().getDefiningOp<GetOp>() &&
                 product.getA().getParentBlock() != block;
  inFlight.push_back({product, started.getResult()});
  if (!isAhead)
    chain.push_back(product);
}

/// Gives back the stages that nobody reads any more.
void ProductStarts::release(OpBuilder &builder) {
  for (ReleaseOp &op : releases) {
    if (!op)
      continue;
    auto isRead = [&](Operation *user) {
      Operation *here = block->findAncestorOpInBlock(*user);
      if (!here || isa<ReleaseOp>(here))
        return false;
      bool flying = llvm::any_of(inFlight, [&](const Started &started) {
        return started.product == here;
      });
      auto rest = llvm::ArrayRef(order.getArrayRef()).drop_front(position);
      return flying || llvm::is_contained(rest, here);
    };
    auto get = llvm::find_if(block->getOps<GetOp>(), [&](GetOp get) {
      return get.getRing() == op.getRing() &&
             get.getIteration() == op.getIteration();
    });
    if (get == block->getOps<GetOp>().end() ||
        llvm::is_contained(
            llvm::ArrayRef(order.getArrayRef()).drop_front(position), *get) ||
        llvm::any_of((*get)->getUsers(), isRead))
      continue;
    op->remove();
    builder.insert(op);
    op = {};
  }
}

/// Operands that are the same in every iteration are made before the loop.
static void hoistSplats(scf::ForOp loop) {
  for (auto splat :
       llvm::make_early_inc_range(loop.getBody()->getOps<SplatOp>()))
    if (loop.isDefinedOutsideOfLoop(splat.getValue()))
      splat->moveBefore(loop);
}

void ProductStarts::run() {
  order = getOrder(block);
  OpBuilder builder(block, block->getTerminator()->getIterator());
  SmallVector<MmaOp> products;
  for (Operation *op : order) {
    op->moveBefore(block->getTerminator());
    builder.setInsertionPoint(op);
    if (auto product = dyn_cast<MmaOp>(op)) {
      start(builder, product);
      products.push_back(product);
    } else if (isa<InTurnOp>(op)) {
      waitFor(builder, inFlight.size());
    } else {
      waitForReads(builder, op);
    }
    ++position;
  }
  builder.setInsertionPoint(block->getTerminator());
  waitFor(builder, inFlight.size());
  for (ReleaseOp op : releases)
    if (op)
      op->moveBefore(block->getTerminator());
  for (MmaOp product : llvm::reverse(products))
    product.erase();
}

namespace {
struct TileStartProductsPass
    : flash::tile::impl::TileStartProductsBase<TileStartProductsPass> {
  using TileStartProductsBase::TileStartProductsBase;

  void runOnOperation() override {
    PassGate<StartProductsAttr> gate(
        getOperation(),
        "it has no loop with more than two asynchronous products");
    if (!gate)
      return;
    for (scf::ForOp loop : findProductLoops(getOperation())) {
      auto roles = loop->getParentOfType<SpecializeOp>();
      Operation *fixed = nullptr;
      for (Operation &op : loop.getBody()->without_terminator())
        if (!isMovable(op) && !isa<StoreOp, StoreAsyncOp, InTurnOp>(op))
          fixed = &op;
      if (fixed) {
        gate.leave("'" + fixed->getName().getStringRef().str() +
                   "' does not move among the products");
        continue;
      }
      if (!roles) {
        gate.leave("it has no roles, and so no register counts");
        continue;
      }
      hoistSplats(loop);
      ProductStarts(loop, getFragmentRegisters(roles), advance).run();
      gate.worked();
      ++numLoops;
    }
  }
};
} // namespace
