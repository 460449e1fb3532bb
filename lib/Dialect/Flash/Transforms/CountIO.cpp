//===- CountIO.cpp - Count what tiles load and store ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %t = tensor.extract_slice %k[%b, %h, %k0, 0] [1, 1, %rows, 128] ...
//   // and beside it
//   %n = arith.muli %rows, %c512
//   memref.atomic_rmw addi %n, %counters[%slot]
//
// Sums that blocks add up are read and written tile by tile (flash.add_slice),
// after zeros.
//
// At L1 or L2, where a tile's load is one op and says how much of it exists;
// what comes after neither adds loads nor leaves any out, since an atomic
// addition can be neither merged nor removed. The counters are a global of the
// module, so that programs that run side by side do not mix.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "TileUtils.h"
#include "flash/Dialect/Flash/Analysis/IOCounters.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include <map>

namespace flash {
#define GEN_PASS_DEF_COUNTIO
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

namespace {
/// A slice that crosses the boundary.
struct Site {
  Operation *before; // the counter's place
  int64_t operation; // number of the loop
  std::string value; // name of the tensor
  bool isLoad;
  SmallVector<OpFoldResult> sizes;
  int64_t elementBytes;
};

class Counter {
public:
  explicit Counter(ModuleOp module) : module(module) {}

  void collect(func::FuncOp func);
  void insert();
  size_t numSites() const { return sites.size(); }

private:
  void collect(scf::ForallOp loop, int64_t number, ArrayRef<Operation *> loops);
  void collectSums(scf::ForallOp loop, int64_t number,
                   ArrayRef<Operation *> loops);

  ModuleOp module;
  SmallVector<Site> sites;
};
} // namespace

static int64_t elementBytes(Value tensor) {
  Type element = getElementTypeOrSelf(tensor.getType());
  return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// The result of the loop that a tensor is a part of, updated in place: what an
/// inner loop carries, or a slice of it; null for a tile.
static Value findDestination(Value value, scf::ForallOp loop) {
  while (value) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      Operation *owner = argument.getOwner()->getParentOp();
      if (owner == loop)
        return llvm::is_contained(loop.getRegionIterArgs(), argument)
                   ? loop.getTiedOpResult(loop.getTiedOpOperand(argument))
                   : Value();
      auto inner = dyn_cast<scf::ForOp>(owner);
      OpOperand *init = inner && argument != inner.getInductionVar()
                            ? inner.getTiedLoopInit(argument)
                            : nullptr;
      value = init ? init->get() : Value();
      continue;
    }
    auto result = cast<OpResult>(value);
    Operation *op = result.getOwner();
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
      value = slice.getSource();
    else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      value = insert.getDest();
    else if (auto sum = dyn_cast<AddSliceOp>(op))
      value = sum.getDest();
    else if (auto inner = dyn_cast<scf::ForOp>(op))
      value = inner.getTiedLoopInit(result)->get();
    else
      return Value();
  }
  return Value();
}

/// Parts of results that inner loops write or add to, and the zeros that sums
/// begin with.
void Counter::collectSums(scf::ForallOp loop, int64_t number,
                          ArrayRef<Operation *> loops) {
  auto add = [&](Operation *op, Value destination, Value tile,
                 ArrayRef<OpFoldResult> sizes, bool loads) {
    Value result = findDestination(destination, loop);
    if (!result)
      return;
    Site site{op->getNextNode(),         number,
              nameTensor(result, loops),
              /*isLoad=*/false,          SmallVector<OpFoldResult>(sizes),
              elementBytes(tile)};
    sites.push_back(site);
    site.isLoad = true;
    if (loads)
      sites.push_back(site);
  };
  loop.walk([&](tensor::InsertSliceOp store) {
    add(store, store.getDest(), store.getSource(), store.getMixedSizes(),
        /*loads=*/false);
  });
  loop.walk([&](AddSliceOp sum) {
    add(sum, sum.getDest(), sum.getSource(), sum.getMixedSizes(),
        /*loads=*/true);
  });
  for (auto [output, result] :
       llvm::zip_equal(loop.getOutputs(), loop.getResults())) {
    auto fill = output.getDefiningOp<linalg::FillOp>();
    auto empty = fill ? fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>()
                      : tensor::EmptyOp();
    if (empty)
      sites.push_back({fill->getNextNode(), number, nameTensor(result, loops),
                       false, empty.getMixedSizes(), elementBytes(output)});
  }
}

void Counter::collect(scf::ForallOp loop, int64_t number,
                      ArrayRef<Operation *> loops) {
  loop.walk([&](tensor::ExtractSliceOp slice) {
    // A part of a tile, or of another part, is in fast memory already.
    if (loop->isAncestor(slice.getSource().getParentBlock()->getParentOp()))
      return;
    std::string name = nameTensor(slice.getSource(), loops);
    if (!name.empty())
      sites.push_back({slice->getNextNode(), number, name, true,
                       slice.getMixedSizes(), elementBytes(slice)});
  });
  loop.walk([&](ReadPagesOp read) {
    RankedTensorType type = read.getSource().getType();
    Attribute all = IntegerAttr::get(IndexType::get(type.getContext()),
                                     read.getTile().getType().getDimSize(0));
    Attribute columns =
        IntegerAttr::get(IndexType::get(type.getContext()), type.getDimSize(3));
    OpFoldResult rows = read.getRows() ? OpFoldResult(read.getRows()) : all;
    sites.push_back({read->getNextNode(),
                     number,
                     nameTensor(read.getSource(), loops),
                     true,
                     {rows, columns},
                     elementBytes(read.getSource())});
  });
  for (Operation &op : loop.getTerminator().getYieldingOps()) {
    auto store = dyn_cast<tensor::ParallelInsertSliceOp>(op);
    // What was written in place is there already.
    if (!store || findDestination(store.getSource(), loop))
      continue;
    auto destination = cast<BlockArgument>(store.getDest());
    Value result = loop.getTiedOpResult(loop.getTiedOpOperand(destination));
    sites.push_back({loop.getTerminator(), number, nameTensor(result, loops),
                     false, store.getMixedSizes(),
                     elementBytes(store.getSource())});
  }
  collectSums(loop, number, loops);
}

void Counter::collect(func::FuncOp func) {
  SmallVector<Operation *> loops;
  func.walk<WalkOrder::PreOrder>([&](scf::ForallOp loop) {
    if (loop->hasAttr(FlashDialect::getTilingAttrName()))
      loops.push_back(loop);
    return WalkResult::skip();
  });
  for (auto [number, loop] : llvm::enumerate(loops))
    collect(cast<scf::ForallOp>(loop), number, loops);
}

void Counter::insert() {
  std::map<std::tuple<int64_t, std::string, bool>, int64_t> slots;
  OpBuilder builder(module.getContext());
  SmallVector<Attribute> descriptions;
  for (const Site &site : sites) {
    auto [it, isNew] = slots.insert(
        {{site.operation, site.value, site.isLoad}, int64_t(slots.size())});
    if (!isNew)
      continue;
    descriptions.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr("operation",
                              builder.getI64IntegerAttr(site.operation)),
         builder.getNamedAttr("value", builder.getStringAttr(site.value)),
         builder.getNamedAttr("access", builder.getStringAttr(
                                            site.isLoad ? "load" : "store"))}));
  }
  Type i64 = builder.getI64Type();
  auto type = MemRefType::get({int64_t(slots.size())}, i64);
  builder.setInsertionPointToStart(module.getBody());
  auto zeros =
      DenseElementsAttr::get(RankedTensorType::get(type.getShape(), i64),
                             builder.getI64IntegerAttr(0));
  auto global =
      memref::GlobalOp::create(builder, module.getLoc(), kIOCountersName,
                               /*sym_visibility=*/StringAttr(), type, zeros,
                               /*constant=*/false, /*alignment=*/IntegerAttr());
  global->setAttr(FlashDialect::getIOCountersAttrName(),
                  builder.getArrayAttr(descriptions));

  for (const Site &site : sites) {
    Location loc = site.before->getLoc();
    builder.setInsertionPoint(site.before);
    IndexBuilder index(builder, loc);
    Value bytes = index.constant(site.elementBytes);
    for (OpFoldResult size : site.sizes)
      bytes =
          index.mul(getValueOrCreateConstantIndexOp(builder, loc, size), bytes);
    bytes = arith::IndexCastOp::create(builder, loc, i64, bytes);
    Value counters =
        memref::GetGlobalOp::create(builder, loc, type, kIOCountersName);
    Value slot = index.constant(
        slots.find({site.operation, site.value, site.isLoad})->second);
    memref::AtomicRMWOp::create(builder, loc, arith::AtomicRMWKind::addi, bytes,
                                counters, slot);
  }
}

namespace {
struct CountIOPass : flash::impl::CountIOBase<CountIOPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (module.lookupSymbol(kIOCountersName)) {
      module.emitError() << "flash-count-io: there is a '" << kIOCountersName
                         << "' already; a program is counted once";
      return signalPassFailure();
    }
    // A tile that nothing reads is not loaded.
    IRRewriter rewriter(&getContext());
    (void)runRegionDCE(rewriter, module->getRegions());
    Counter counter(module);
    for (auto func : module.getOps<func::FuncOp>()) {
      if (counter.numSites()) {
        size_t before = counter.numSites();
        counter.collect(func);
        if (counter.numSites() == before)
          continue;
        func.emitError() << "flash-count-io: a second function with tiled "
                            "operations; one is counted at a time";
        return signalPassFailure();
      }
      counter.collect(func);
    }
    if (counter.numSites() == 0) {
      module.emitError() << "flash-count-io: there is no tiled operation; run "
                            "flash-tile-attention before";
      return signalPassFailure();
    }
    counter.insert();
    numSites += counter.numSites();
  }
};
} // namespace
