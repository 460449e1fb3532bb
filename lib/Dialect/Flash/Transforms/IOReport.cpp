//===- IOReport.cpp - Report what attentions move (L0) ----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   %o = flash.attention %q, %k, %v {schedule = #flash.schedule<m = 128, ...>}
//   // stays, and is told of:
//   //   key  read  compulsory 16,777,216  unfused ...  this schedule ...
//
// At L0, because the report is a model of what the passes after it will do, and
// because a mask can be asked there.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Transforms/Passes.h"

#include "flash/Dialect/Flash/Analysis/IOReport.h"
#include "flash/Target/TargetInfo.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/ToolOutputFile.h"

namespace flash {
#define GEN_PASS_DEF_IOREPORT
#include "flash/Dialect/Flash/Transforms/Passes.h.inc"
} // namespace flash

using namespace mlir;
using namespace flash;

/// Gives the open sizes of a function's arguments values by what its attentions
/// use them for.
static SmallVector<KnownValue>
makeArguments(func::FuncOp func, const llvm::StringMap<int64_t> &dims) {
  SmallVector<KnownValue> arguments;
  auto get = [&](StringRef name, int64_t otherwise) {
    auto it = dims.find(name);
    return it == dims.end() ? otherwise : it->second;
  };
  for (auto [number, type] : llvm::enumerate(func.getArgumentTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor)
      arguments.push_back(KnownValue::tensor(tensor.getShape()));
    else
      arguments.push_back(
          KnownValue::number(get("arg" + std::to_string(number), 0)));
  }
  auto set = [&](Value value, int64_t dim, StringRef name, int64_t otherwise) {
    // A part of the keys is a slice; the size is that of the whole.
    auto argument = dyn_cast<BlockArgument>(traceTensor(value));
    if (!argument || argument.getOwner() != &func.getBody().front())
      return;
    int64_t &size = arguments[argument.getArgNumber()].shape[dim];
    if (ShapedType::isDynamic(size))
      size = get(name, otherwise);
  };
  auto setRows = [&](Value lse) {
    set(lse, 0, "batch", 1);
    set(lse, 1, "heads", 1);
    set(lse, 2, "sq", 1024);
  };
  func.walk([&](AttentionOpInterface op) {
    int64_t heads = op.getHeadsDim(), length = op.getLengthDim();
    auto fixedHeads = [&](Value value) {
      int64_t size = cast<RankedTensorType>(value.getType()).getDimSize(heads);
      return ShapedType::isDynamic(size) ? 1 : size;
    };
    for (Value value : {op.getQuery(), op.getKey(), op.getValue()}) {
      bool isQuery = value == op.getQuery();
      set(value, 0, "batch", 1);
      set(value, heads, isQuery ? "heads" : "kv_heads",
          fixedHeads(isQuery ? Value(op.getKey()) : Value(op.getQuery())));
      set(value, length, isQuery ? "sq" : "sk", 1024);
    }
    auto backward = dyn_cast<AttentionBackwardOp>(*op);
    if (!backward)
      return;
    for (Value output : {backward.getOutput(), backward.getDOutput()}) {
      set(output, 0, "batch", 1);
      set(output, heads, "heads", fixedHeads(op.getQuery()));
      set(output, length, "sq", 1024);
    }
    for (Value lse : {backward.getLse(), backward.getDLse()})
      if (lse)
        setRows(lse);
  });
  func.walk([&](MergeOp op) {
    int64_t heads = op.getLayout() == Layout::BHSD ? 1 : 2;
    for (Value output : op.getOutputs()) {
      set(output, 0, "batch", 1);
      set(output, heads, "heads", 1);
      set(output, 3 - heads, "sq", 1024);
    }
    for (Value lse : op.getLses())
      setRows(lse);
  });
  for (KnownValue &argument : arguments)
    for (int64_t &size : argument.shape)
      if (ShapedType::isDynamic(size))
        size = 1; // no attention's
  return arguments;
}

namespace {
struct IOReportPass : flash::impl::IOReportBase<IOReportPass> {
  using IOReportBase::IOReportBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto error = [&] { return module.emitError() << "flash-io-report: "; };
    FailureOr<TargetAttr> description =
        parseTarget(&getContext(), target, error);
    if (failed(description))
      return signalPassFailure();
    if (format != "text" && format != "json") {
      error() << "the format is text or json, not '" << format << "'";
      return signalPassFailure();
    }
    FailureOr<llvm::StringMap<int64_t>> sizes = parseDims(error);
    if (failed(sizes))
      return signalPassFailure();

    std::error_code failure;
    llvm::ToolOutputFile output(file, failure, llvm::sys::fs::OF_None);
    if (failure) {
      error() << "writing '" << file << "': " << failure.message();
      return signalPassFailure();
    }
    for (auto func : module.getOps<func::FuncOp>()) {
      bool any = false;
      func.walk([&](Operation *op) {
        any |= isa<AttentionOpInterface, MergeOp>(op);
      });
      if (!any)
        continue;
      FailureOr<FunctionIO> io =
          analyzeIO(func, makeArguments(func, *sizes), *description);
      if (failed(io))
        return signalPassFailure();
      if (format == "json")
        printIOJson(*io, output.os());
      else
        printIOText(*io, output.os());
    }
    output.keep();
    markAllAnalysesPreserved();
  }

private:
  FailureOr<llvm::StringMap<int64_t>>
  parseDims(function_ref<InFlightDiagnostic()> error) {
    static const llvm::StringSet<> names{"batch", "heads", "kv_heads", "sq",
                                         "sk"};
    llvm::StringMap<int64_t> sizes;
    for (StringRef text : dims) {
      auto [name, number] = text.split('=');
      int64_t value;
      bool isIndex = name.starts_with("arg");
      if ((!isIndex && !names.contains(name)) ||
          number.getAsInteger(10, value) || (!isIndex && value < 0))
        return error() << "'" << text
                       << "' is not NAME=N with a NAME of batch, heads, "
                          "kv_heads, sq, sk or argK";
      sizes[name] = value;
    }
    return sizes;
  }
};
} // namespace
