//===- FlashOps.cpp - Operations of the flash dialect -----------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The generated definitions, and what the verifiers of several ops share.
//
//===----------------------------------------------------------------------===//

#include "OpUtils.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace flash;

/// `score {...} mask {...}`, each if it is there.
static ParseResult parseBodies(OpAsmParser &parser, Region &score,
                               Region &mask) {
  for (auto [name, body] : {std::pair{"score", &score}, {"mask", &mask}}) {
    SMLoc at = parser.getCurrentLocation();
    if (failed(parser.parseOptionalKeyword(name)))
      continue;
    bool isAttribute = succeeded(parser.parseOptionalEqual());
    if (!isAttribute) {
      OptionalParseResult parsed = parser.parseOptionalRegion(*body);
      if (parsed.has_value() && failed(*parsed))
        return failure();
      isAttribute = !parsed.has_value();
    }
    if (isAttribute)
      return parser.emitError(at)
             << "'" << name << "' begins a region here; an attribute stands in "
             << "braces: write {" << name
             << (body == &mask ? " = #flash.causal}"
                               : "s = [#flash.softcap<30.0 : f32>]}");
  }
  SMLoc at = parser.getCurrentLocation();
  for (StringRef name : {"scale", "layout", "scores", "schedule", "dropout_p"})
    if (succeeded(parser.parseOptionalKeyword(name)))
      return parser.emitError(at)
             << "an attribute stands in braces: write {" << name << " = ...}";
  if (succeeded(parser.parseOptionalKeyword("attributes")))
    return parser.emitError(at)
           << "attributes stand in braces alone: write {mask = #flash.causal}";
  return success();
}

static void printBodies(OpAsmPrinter &printer, Operation *, Region &score,
                        Region &mask) {
  for (auto [name, body] : {std::pair{"score", &score}, {"mask", &mask}})
    if (!body->empty()) {
      printer << " " << name << " ";
      printer.printRegion(*body);
    }
}

#define GET_OP_CLASSES
#include "flash/Dialect/Flash/IR/FlashOps.cpp.inc"

LogicalResult flash::checkSame(Operation *op, StringRef what, NamedDim a,
                               NamedDim b) {
  if (compatible(a.size(), b.size()))
    return success();
  return op->emitOpError() << what << " differs: " << a.owner << " has "
                           << a.size() << " (dimension " << a.dim << "), "
                           << b.owner << " has " << b.size() << " (dimension "
                           << b.dim << ")";
}

LogicalResult flash::checkElement(Operation *op, StringRef aName, Type a,
                                  StringRef bName, Type b) {
  if (a == b)
    return success();
  return op->emitOpError() << "element types differ: " << aName << " has " << a
                           << ", " << bName << " has " << b;
}

LogicalResult flash::checkKeyElements(Operation *op, RankedTensorType query,
                                      RankedTensorType key,
                                      RankedTensorType value) {
  for (auto [name, type] : {std::pair{"key", key}, {"value", value}})
    if (!isNarrow(type) &&
        failed(checkElement(op, "query", query.getElementType(), name,
                            type.getElementType())))
      return failure();
  return success();
}

LogicalResult flash::checkFactor(Operation *op, StringRef name, Value factor,
                                 StringRef owners, RankedTensorType type) {
  bool narrow = isNarrow(type);
  if (bool(factor) == narrow)
    return success();
  return op->emitOpError() << (narrow ? "has no " : "has ") << name << ", but "
                           << owners << " of type " << type.getElementType()
                           << (narrow ? " need it" : " take none");
}

LogicalResult flash::verifyBody(Operation *op, StringRef name, Region &body,
                                Type score, ValueRange captures) {
  if (body.empty())
    return success();
  SmallVector<Type> types;
  if (score)
    types.push_back(score);
  types.append(4, IndexType::get(op->getContext()));
  llvm::append_range(types, captures.getTypes());
  Block &block = body.front();
  if (block.getNumArguments() != types.size())
    return op->emitOpError()
           << name << " region has " << block.getNumArguments()
           << " arguments, but must have " << types.size() << " ("
           << (score ? "the score, " : "") << "batch, head, two positions and "
           << captures.size() << " captures)";
  for (auto [index, argument, type] :
       llvm::enumerate(block.getArguments(), types))
    if (argument.getType() != type)
      return op->emitOpError() << "argument " << index << " of the " << name
                               << " region has type " << argument.getType()
                               << ", but must have " << type;
  Type result = score ? score : IntegerType::get(op->getContext(), 1);
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield)
    return op->emitOpError() << name << " region must end in flash.yield";
  if (yield.getValue().getType() != result)
    return yield.emitOpError()
           << "yields " << yield.getValue().getType() << " from the " << name
           << " region, but must yield " << result;
  return success();
}
