//===- ChooseSchedule.cpp - Tile sizes from a target ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   flash.attention %q, %k, %v
//   // for #flash.target<kind = "sm_80", ...> becomes
//   flash.attention %q, %k, %v {schedule = #flash.schedule<m = 128, n = 64,
//   warps = 4, ...>}
//
// The one place that chooses: what a table of measurements has
// (Analysis/ScheduleTable.h), else by a model (Analysis/ScheduleModel.h). Later
// passes only read the attribute, so that a choice can be printed, overridden
// and measured.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "TileUtils.h"
#include "flash/Dialect/Flash/Analysis/PackHeads.h"
#include "flash/Dialect/Flash/Analysis/ScheduleTable.h"
#include "flash/Dialect/Flash/IR/MaskRange.h"
#include "flash/Dialect/Flash/IR/ScheduleFields.h"
#include "flash/Support/DebugLog.h"
#include "flash/Target/TargetInfo.h"
#include "mlir/AsmParser/AsmParser.h"

#define DEBUG_TYPE "flash-choose-schedule"

namespace flash {
#define GEN_PASS_DEF_CHOOSESCHEDULE
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

/// A product has at most so many columns, and registers hold no more of them.
static constexpr int64_t kMaxHeadDimOnGPU = 256;

namespace {
struct ChooseSchedulePass
    : flash::impl::ChooseScheduleBase<ChooseSchedulePass> {
  using ChooseScheduleBase::ChooseScheduleBase;

  void runOnOperation() override {
    func::FuncOp func = getOperation();
    auto error = [&] { return func.emitError() << "flash-choose-schedule: "; };
    FailureOr<TargetAttr> description =
        parseTarget(&getContext(), target, error);
    if (failed(description))
      return signalPassFailure();
    ScheduleAttr fromOption;
    if (!schedule.empty()) {
      bool isNamed = StringRef(schedule).starts_with("#flash.schedule<");
      {
        // Of what is no such attribute at all, the error below says more.
        ScopedDiagnosticHandler silent(
            &getContext(), [&](Diagnostic &) { return success(!isNamed); });
        fromOption = dyn_cast_or_null<ScheduleAttr>(
            parseAttribute(schedule, &getContext()));
      }
      if (!fromOption) {
        error() << "'" << schedule
                << "' is not a #flash.schedule attribute: write it as "
                   "'#flash.schedule<m = 64, n = 64>'";
        return signalPassFailure();
      }
    }
    if (exact && !fromOption) {
      error() << "exact needs a schedule";
      return signalPassFailure();
    }
    llvm::Expected<std::vector<ScheduleTable>> tables =
        loadScheduleTables(table, &getContext());
    if (!tables) {
      error() << llvm::toString(tables.takeError());
      return signalPassFailure();
    }
    WalkResult fits = func.walk([&](AttentionOpInterface op) {
      if (description->isCPU())
        return WalkResult::advance();
      for (auto [name, type] : {std::pair{"keys", op.getKey().getType()},
                                {"values", op.getValue().getType()}})
        if (type.getElementTypeBitWidth() == 8) {
          op.emitOpError("has ")
              << name << " of type " << type.getElementType()
              << ", but on a GPU they have 16 bits; --target=cpu takes 8";
          return WalkResult::interrupt();
        }
      int64_t most = std::max(op.getQKHeadDim(), op.getVHeadDim());
      if (most <= kMaxHeadDimOnGPU)
        return WalkResult::advance();
      op.emitOpError("has a head dim of ")
          << most << ", but on a GPU it is at most " << kMaxHeadDimOnGPU
          << "; --target=cpu takes more";
      return WalkResult::interrupt();
    });
    if (fits.wasInterrupted())
      return signalPassFailure();
    func.walk([](AttentionOpInterface op) {
      IRRewriter rewriter(op);
      (void)liftMaskRegion(rewriter, op);
    });
    func.walk([&](AttentionOp op) {
      TileProblem problem = TileProblem::get(op);
      ScheduleAttr chosen = fromOption;
      if (!exact) {
        ScheduleChoice choice = chooseSchedule(*description, problem, *tables);
        LDBG() << "by "
               << (choice.table.empty() ? "the model" : "table " + choice.table)
               << ": " << choice.schedule;
        if (!choice.remark.empty())
          op.emitRemark() << choice.remark;
        chosen = overlay(choice.schedule, fromOption);
        // What is given is given for every length.
        if (!fromOption && !op.getScheduleAttr())
          setShorterSchedules(op, choice.shorter);
      }
      ScheduleAttr asked = op.getScheduleAttr();
      chosen = overlay(chosen, asked);
      auto isGiven = [&](StringRef field) {
        return llvm::any_of(ArrayRef{fromOption, asked}, [=](auto given) {
          return given && isFixed(given, field);
        });
      };
      if (!exact && !isGiven("packHeads"))
        chosen = packHeads(*description, chosen, problem);
      // A CPU's tiles have any number of rows: here one that the heads divide.
      if (!exact && description->isCPU() && !isGiven("m"))
        if (int64_t heads = std::max<int64_t>(chosen.getPackHeads(), 1);
            heads > 1 && chosen.getM() % heads) {
          ScheduleFields fields = ScheduleFields::get(chosen);
          fields.m = llvm::alignTo(fields.m, heads);
          chosen = fields.get(&getContext());
        }
      if (!exact && chosen.getInstruction() == Instruction::MmaSync)
        if (std::string reason = explainInstruction(*description, problem);
            !reason.empty())
          op.emitRemark("attention by mma.sync instead of wgmma: ") << reason;
      LDBG() << "attention at " << op.getLoc() << ": " << chosen;
      op.setScheduleAttr(chosen);
    });
    func.walk([&](AttentionBackwardOp op) {
      if (!op.getRecompute())
        return;
      ScheduleAttr chosen = fromOption;
      if (!exact)
        chosen = overlay(chooseBackwardSchedule(op, *description), fromOption);
      op.setScheduleAttr(overlay(chosen, op.getScheduleAttr()));
      LDBG() << "backward at " << op.getLoc() << ": " << op.getScheduleAttr();
    });
    func.walk([&](MergeOp op) {
      ScheduleChoice choice = chooseSchedule(*description, op, *tables);
      if (!choice.remark.empty())
        op.emitRemark() << choice.remark;
      op.setScheduleAttr(overlay(choice.schedule, op.getScheduleAttr()));
    });
  }
};
} // namespace
