//===- Rings.cpp - Stages of shared memory and their barriers ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ring, get, release, and the put of a producer:
//
//   put %ring[%i], %map[...]  ->  wait empty (phase ^ 1); arrive.expect_tx
//   full;
//                                 cp.async.bulk.tensor for each panel
//   get %ring[%i] (rows(%n))  ->  wait full (phase) (; clear the other rows)
//   release %ring[%i]         ->  one lane of each warp arrives on empty
//
// Copies to a ring that is watched arrive on a third barrier, and its watcher
// on full (ClearUnseen.cpp). Where the blocks of a cluster share a ring, each
// copies its part of the rows to the shared memory of all, and a release
// arrives on empty in all.
//
// with stage = i % stages and phase = (i / stages) & 1. Rings of kind cp_async
// wait for commit groups and for the other warps instead.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace flash::tile;

// The hint, 10 ms, keeps a waiting warp from asking all the time.
void flash::tile::waitBarrier(Emitter &e, Value barrier, Value parity,
                              Value when) {
  if (when) {
    e.ptx("{\n.reg .pred done;\nsetp.eq.s32 done, $2, 0;\n"
          "@done bra DONE;\nWAIT:\n"
          "mbarrier.try_wait.parity.shared::cta.b64 done, [$0], $1, 0x989680;\n"
          "@!done bra WAIT;\nDONE:\n}",
          "r,r,r",
          {barrier, parity,
           arith::ExtUIOp::create(e, e.getI32Type(), when).getResult()});
    return;
  }
  e.ptx("{\n.reg .pred done;\nWAIT:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [$0], $1, 0x989680;\n"
        "@!done bra WAIT;\n}",
        "r,r", {barrier, parity});
}

namespace {

/// How many arrivals an op of a ring is: one of each warp that runs it.
int64_t countArrivals(Operation *op, const KernelValues &kernel) {
  auto roles = op->getParentOfType<SpecializeOp>();
  if (roles && !roles.getConsumers().isAncestor(op->getParentRegion()))
    return 1;
  return op->getParentOfType<InTurnOp>() || op->getParentOfType<ByWarpgroupOp>()
             ? 4
             : kernel.warps;
}

/// How many warps arrive for a stage by ops of the ring of one kind: those of
/// each warpgroup that has such an op, or of one op, whoever runs it.
template <typename OpT>
int64_t countArrivals(Value ring, const KernelValues &kernel, int64_t none) {
  llvm::SmallPtrSet<Region *, 4> warpgroups;
  int64_t arrivals = none;
  for (Operation *user : ring.getUsers()) {
    if (!isa<OpT>(user))
      continue;
    arrivals = countArrivals(user, kernel);
    if (auto parts = user->getParentOfType<ByWarpgroupOp>())
      for (Region &body : parts.getBodies())
        if (body.isAncestor(user->getParentRegion()))
          warpgroups.insert(&body);
  }
  return warpgroups.empty() ? arrivals
                            : 4 * static_cast<int64_t>(warpgroups.size());
}

/// Whether another ring's barriers are waited for.
bool isCompanion(Value ring) {
  auto op = ring.getDefiningOp<RingOp>();
  return op && op.getWith();
}

/// The stage, with the barriers of the ring that has them.
StageAddress getStage(Emitter &e, ConversionPatternRewriter &rewriter,
                      Value ring, Value lowered, Value iteration) {
  auto type = cast<RingType>(ring.getType());
  StageAddress stage = getStage(e, lowered, type, iteration);
  if (!isCompanion(ring))
    return stage;
  Value leader = ring.getDefiningOp<RingOp>().getWith();
  StageAddress other = getStage(e, rewriter.getRemappedValue(leader),
                                cast<RingType>(leader.getType()), iteration);
  other.tile = stage.tile;
  return other;
}

struct RingLowering : TilePattern<RingOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(RingOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    FailureOr<Value> shared = getSharedAddress(e, *kernel, op);
    if (failed(shared))
      return failure();
    RingType ring = op.getRing().getType();
    if (ring.getCluster() > 1 && ring.getCluster() != kernel->cluster)
      return op.emitOpError()
             << "is shared by " << ring.getCluster()
             << " blocks in a kernel whose clusters have " << kernel->cluster;
    Value base = *shared;
    rewriter.replaceOp(op, base);
    if (ring.getKind() != RingKind::MBarrier || op.getWith())
      return success();

    Value isFirst = e.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                                  kernel->thread, e.i32(0));
    auto once = scf::IfOp::create(e, isFirst, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(once.thenBlock());
    // Full: one arrival with the bytes to expect of each ring, or one of each
    // warp that fills. Empty: one of each warp that releases. Of a ring that is
    // watched, copies land on a third barrier, and full is the watcher's.
    int64_t fills = countArrivals<FillOp>(op.getRing(), *kernel,
                                          1 + op.getCompanions().size());
    int64_t releases =
        countArrivals<ReleaseOp>(op.getRing(), *kernel, kernel->warps);
    for (int64_t stage = 0; stage < ring.getStages(); ++stage) {
      Value full = e.add(base, ring.getBarrierOffset() + 8 * stage);
      Value empty = e.add(full, 8 * ring.getStages());
      e.ptx("mbarrier.init.shared::cta.b64 [$0], " +
                std::to_string(ring.getWatched() ? 1 : fills) + ";",
            "r", full);
      e.ptx("mbarrier.init.shared::cta.b64 [$0], " +
                std::to_string(releases * ring.getCluster()) + ";",
            "r", empty);
      if (ring.getWatched())
        e.ptx("mbarrier.init.shared::cta.b64 [$0], " + std::to_string(fills) +
                  ";",
              "r", e.add(full, 16 * ring.getStages()));
    }
    e.ptx("fence.mbarrier_init.release.cluster;", "", {});
    e.ptx("fence.proxy.async.shared::cta;", "", {});
    return success();
  }
};

struct GetLowering : TilePattern<GetOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(GetOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    RingType ring = op.getRing().getType();
    StageAddress stage =
        getStage(e, adaptor.getRing(), ring, op.getIteration());
    if (ring.getKind() == RingKind::MBarrier) {
      if (!isCompanion(op.getRing()))
        waitBarrier(e, stage.full, stage.phase, op.getWhen());
      if (op.getRows())
        clearRows(e, *kernel, ring.getTile(), stage.tile, op.getRows());
    } else {
      e.ptx("cp.async.wait_group " + std::to_string(op.getInFlight()) + ";", "",
            {});
      if (kernel->usesAsyncProxy)
        e.ptx("fence.proxy.async.shared::cta;", "", {});
      e.barrier(*kernel);
    }
    rewriter.replaceOp(op, stage.tile);
    return success();
  }
};

/// Lane i arrives in block i of the cluster. Without a scope: what reads the
/// stage has been waited for, and a release at the cluster's would be a fence
/// of all memory.
void releaseInCluster(Emitter &e, const KernelValues &kernel, RingType ring,
                      const StageAddress &stage) {
  e.ptx("{\n.reg .pred some;\n.reg .b32 there;\nsetp.lt.u32 some, $1, " +
            std::to_string(ring.getCluster()) +
            ";\n@some mapa.shared::cluster.u32 there, $0, $1;\n"
            "@some mbarrier.arrive.shared::cluster.b64 _, "
            "[there];\n}",
        "r,r", {stage.empty, kernel.lane});
}

struct ReleaseLowering : TilePattern<ReleaseOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(ReleaseOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    RingType ring = op.getRing().getType();
    if (ring.getKind() == RingKind::MBarrier) {
      StageAddress stage =
          getStage(e, adaptor.getRing(), ring, op.getIteration());
      if (ring.getCluster() > 1) {
        releaseInCluster(e, *kernel, ring, stage);
        rewriter.eraseOp(op);
        return success();
      }
      e.ptx("{\n.reg .pred first;\nsetp.eq.s32 first, $1, 0;\n"
            "@first mbarrier.arrive.shared::cta.b64 _, [$0];\n}",
            "r,r", {stage.empty, kernel->lane});
    } else {
      e.barrier(*kernel);
    }
    rewriter.eraseOp(op);
    return success();
  }
};

/// Registers of all computing warps to a stage.
struct FillLowering : TilePattern<FillOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(FillOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const KernelValues *kernel = getKernel(op);
    if (!kernel)
      return rewriter.notifyMatchFailure(op, "is not in a kernel");
    Emitter e(op.getLoc(), rewriter);
    RingType ring = op.getRing().getType();
    FragmentType type = op.getValue().getType();
    StageAddress stage =
        getStage(e, adaptor.getRing(), ring, op.getIteration());
    Value before = e.bitXor(stage.phase, e.i32(1));
    // Warpgroups that fill in turn do not see each phase of a stage that others
    // fill, too. While the one before has not filled it, the stage has not been
    // given back twice, which has the parity of what is waited for.
    int64_t turns = kernel->warps / type.getWarps();
    if (!op.getAlways() && ring.getStages() % turns)
      waitBarrier(e, stage.full, before, Value());
    waitBarrier(e, stage.empty, before, Value());
    if (op.getStrips())
      writeStripsToShared(e, *kernel, adaptor.getValue(), type, stage.tile);
    else
      writeToShared(e, *kernel, adaptor.getValue(), type,
                    {0, type.getColumnsOfWarp()}, ring.getTile(), stage.tile,
                    /*hasMatrices=*/true);
    e.ptx("fence.proxy.async.shared::cta;", "", {});
    e.ptx("bar.warp.sync 0xffffffff;", "", {});
    e.ptx("{\n.reg .pred first;\nsetp.eq.s32 first, $1, 0;\n"
          "@first mbarrier.arrive.shared::cta.b64 _, [$0];\n}",
          "r,r", {stage.full, kernel->lane});
    rewriter.eraseOp(op);
    return success();
  }
};

/// Coordinates of a tile in a tensor map: those of the memref, reversed.
static SmallVector<Value> getCoordinates(Emitter &e, ValueRange offsets) {
  SmallVector<Value> coordinates;
  for (Value offset : llvm::reverse(offsets))
    coordinates.push_back(e.toI32(offset));
  return coordinates;
}

/// `[$map, {$map+1, ...}]`: a tensor map and as many coordinates.
static std::string placeText(int64_t map, int64_t rank) {
  std::string text = "[$" + std::to_string(map) + ", {";
  for (int64_t i = 0; i < rank; ++i)
    text += (i ? ", $" : "$") + std::to_string(map + 1 + i);
  return text + "}]";
}

/// TMA. The box is one panel of the tile.
struct PutTensorLowering : TilePattern<PutOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(PutOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    RingType ring = op.getRing().getType();
    const KernelValues *kernel = getKernel(op);
    if (!kernel || ring.getKind() != RingKind::MBarrier)
      return rewriter.notifyMatchFailure(op, "does not copy by the producer");
    if (ring.getCluster() > 1 && !kernel->rank)
      return rewriter.notifyMatchFailure(op, "its kernel has no clusters");
    Emitter e(op.getLoc(), rewriter);
    SharedType tile = ring.getTile();
    StageAddress stage = getStage(e, rewriter, op.getRing(), adaptor.getRing(),
                                  op.getIteration());
    if (!isCompanion(op.getRing()))
      waitBarrier(e, stage.empty, e.bitXor(stage.phase, e.i32(1)));
    e.ptx("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], " +
              std::to_string(tile.getSizeInBytes()) + ";",
          "r", stage.landed);

    SmallVector<Value> coordinates = getCoordinates(e, op.getOffsets());
    int64_t rank = coordinates.size();
    std::string text = "cp.async.bulk.tensor." + std::to_string(rank) +
                       "d.shared::cluster.global.mbarrier::complete_tx::bytes "
                       "[$0], " +
                       placeText(1, rank) + ", [$" + std::to_string(rank + 2) +
                       "]";
    std::string constraints = "r,l";
    for (int64_t i = 0; i <= rank; ++i)
      constraints += ",r";
    // This block's rows, to all blocks of the cluster.
    Value firstRow;
    if (ring.getCluster() > 1) {
      text.insert(text.find(" [$0]"), ".multicast::cluster");
      text += ", $" + std::to_string(rank + 3);
      constraints += ",h";
      firstRow = e.mul(kernel->rank, ring.getRowsOfBlock());
      Value &row = coordinates[rank - 1 - op.getRowDimension()];
      row = e.add(row, firstRow);
    }
    if (op.getHint()) {
      text.insert(text.find(" [$0]"), ".L2::cache_hint");
      text += ", $" + std::to_string(rank + (firstRow ? 4 : 3));
      constraints += ",l";
    }
    text += ";";
    for (int64_t panel = 0; panel < tile.getPanels(); ++panel) {
      Value target = e.add(stage.tile, panel * tile.getPanelBytes());
      if (firstRow)
        target = e.add(target, e.shl(firstRow, 7));
      SmallVector<Value> operands{target, adaptor.getSource()};
      operands.push_back(e.add(coordinates[0], panel * tile.getPanelColumns()));
      llvm::append_range(operands, llvm::drop_begin(coordinates));
      operands.push_back(stage.landed);
      if (firstRow)
        operands.push_back(arith::ConstantOp::create(
            e, e.getI16IntegerAttr((1 << ring.getCluster()) - 1)));
      if (op.getHint())
        operands.push_back(getCachePolicy(e, *op.getHint()));
      e.ptx(text, constraints, operands);
    }
    rewriter.eraseOp(op);
    return success();
  }
};

/// The same places, to the L2 cache.
struct PrefetchLowering : TilePattern<PrefetchOp> {
  using TilePattern::TilePattern;
  LogicalResult
  matchAndRewrite(PrefetchOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter e(op.getLoc(), rewriter);
    auto tile = cast<SharedType>(op.getTile());
    SmallVector<Value> coordinates = getCoordinates(e, op.getOffsets());
    int64_t rank = coordinates.size();
    std::string text = "cp.async.bulk.prefetch.tensor." + std::to_string(rank) +
                       "d.L2.global.tile " + placeText(0, rank) + ";";
    std::string constraints = "l";
    for (int64_t i = 0; i < rank; ++i)
      constraints += ",r";
    for (int64_t panel = 0; panel < tile.getPanels(); ++panel) {
      SmallVector<Value> operands{adaptor.getSource()};
      operands.push_back(e.add(coordinates[0], panel * tile.getPanelColumns()));
      llvm::append_range(operands, llvm::drop_begin(coordinates));
      e.ptx(text, constraints, operands);
    }
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void flash::tile::populateRingPatterns(const TileTypeConverter &converter,
                                       RewritePatternSet &patterns,
                                       const KernelMap &kernels) {
  patterns.add<RingLowering, FillLowering, GetLowering, ReleaseLowering,
               PutTensorLowering, PrefetchLowering>(
      converter, patterns.getContext(), kernels);
}
