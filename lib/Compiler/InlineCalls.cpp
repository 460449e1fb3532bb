//===- InlineCalls.cpp - Calls become what they call ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/Compiler/InlineCalls.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace flash;

/// `open` has the functions whose bodies the op stands in.
static LogicalResult inlineWithin(Operation *root, ModuleOp callees,
                                  llvm::StringSet<> &open) {
  SmallVector<func::CallOp> calls;
  root->walk([&](func::CallOp call) { calls.push_back(call); });
  for (func::CallOp call : calls) {
    StringRef name = call.getCallee();
    auto callee = callees.lookupSymbol<func::FuncOp>(name);
    if (!callee || callee.isExternal())
      return call.emitOpError("calls @")
             << name << ", which has no body in this module";
    if (!callee.getBody().hasOneBlock())
      return call.emitOpError("calls @")
             << name
             << ", which has more than one block: write its branches "
                "and loops as scf.if and scf.for";
    if (callee.getFunctionType() != call.getCalleeType())
      return call.emitOpError("calls @")
             << name << " with other types than it has";
    if (!open.insert(name).second)
      return call.emitOpError("calls @")
             << name << ", which calls itself: a loop is written as scf.for";
    OwningOpRef<func::FuncOp> copy = callee.clone();
    if (failed(inlineWithin(*copy, callees, open)))
      return failure();
    Block &body = copy->getBody().front();
    for (auto [argument, operand] :
         llvm::zip(body.getArguments(), call.getOperands()))
      argument.replaceAllUsesWith(operand);
    Operation *end = body.getTerminator();
    for (Operation &op : llvm::make_early_inc_range(body.without_terminator()))
      op.moveBefore(call);
    call.replaceAllUsesWith(end->getOperands());
    call.erase();
    open.erase(name);
  }
  return success();
}

LogicalResult flash::inlineCalls(func::FuncOp func, ModuleOp callees) {
  llvm::StringSet<> open;
  open.insert(func.getName());
  return inlineWithin(func, callees, open);
}
