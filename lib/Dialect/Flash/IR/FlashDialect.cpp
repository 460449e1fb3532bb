//===- FlashDialect.cpp - The flash dialect ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registers the dialect's attributes and operations, and checks its attributes
// on operations of others: an unknown one is an error that names the nearest.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Utils/BytecodeVersion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace flash;

#include "flash/Dialect/Flash/IR/FlashDialect.cpp.inc"
#include "flash/Dialect/Flash/IR/FlashEnums.cpp.inc"

/// `#flash.causal, #flash.segments`
static ParseResult parseMasks(AsmParser &parser,
                              SmallVector<MaskAttrInterface> &masks) {
  SMLoc at = parser.getCurrentLocation();
  auto usage = [&]() -> ParseResult {
    return parser.emitError(
        at, "masks stand one after another: write #flash.and<#flash.causal, "
            "#flash.window<left = 127, right = 0>> (or #flash.or<...>)");
  };
  do {
    at = parser.getCurrentLocation();
    Attribute attribute;
    OptionalParseResult parsed = parser.parseOptionalAttribute(attribute);
    if (!parsed.has_value())
      return usage();
    if (failed(*parsed))
      return failure();
    auto mask = dyn_cast<MaskAttrInterface>(attribute);
    if (!mask)
      return usage();
    masks.push_back(mask);
  } while (succeeded(parser.parseOptionalComma()));
  return success();
}

static void printMasks(AsmPrinter &printer, ArrayRef<MaskAttrInterface> masks) {
  llvm::interleaveComma(masks, printer);
}

#define GET_ATTRDEF_CLASSES
#include "flash/Dialect/Flash/IR/FlashAttrs.cpp.inc"

Attribute FlashDialect::parseAttribute(DialectAsmParser &parser,
                                       Type type) const {
  SMLoc at = parser.getCurrentLocation();
  StringRef mnemonic;
  Attribute attribute;
  OptionalParseResult parsed =
      generatedAttributeParser(parser, &mnemonic, type, attribute);
  if (parsed.has_value())
    return attribute;
  std::string nearest = suggestName(
      mnemonic, {"causal", "window", "prefix", "segments", "block_sparse",
                 "and", "or", "region", "softcap", "alibi", "bias", "layout",
                 "schedule", "tiling", "recompute", "target"});
  parser.emitError(at) << "unknown attribute #flash." << mnemonic << nearest;
  return {};
}

void FlashDialect::printAttribute(Attribute attribute,
                                  DialectAsmPrinter &printer) const {
  (void)generatedAttributePrinter(attribute, printer);
}

void FlashDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "flash/Dialect/Flash/IR/FlashAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "flash/Dialect/Flash/IR/FlashOps.cpp.inc"
      >();
  addInterface<VersionedBytecode>(kBytecodeVersion);
}

static LogicalResult verifyShorterSchedules(Operation *op, StringRef name,
                                            Attribute value) {
  if (!isa<AttentionOp>(op))
    return op->emitError() << "'" << name << "' belongs on a flash.attention";
  auto list = dyn_cast<ArrayAttr>(value);
  int64_t above = 0;
  for (Attribute element : list ? list.getValue() : ArrayRef<Attribute>()) {
    auto bounded = dyn_cast<BoundedAttr>(element);
    if (!bounded)
      return op->emitError()
             << "'" << name << "' has schedules with their bounds, as in "
             << "#flash.bounded<up_to = 1024, schedule = <...>>, but not "
             << element;
    if (bounded.getUpTo() <= above)
      return op->emitError()
             << "'" << name << "' has " << bounded.getUpTo() << " after "
             << above << ": bounds are in ascending order";
    above = bounded.getUpTo();
  }
  return list ? success()
              : op->emitError() << "'" << name << "' must be a list";
}

LogicalResult FlashDialect::verifyOperationAttribute(Operation *op,
                                                     NamedAttribute attribute) {
  StringRef name = attribute.getName();
  Attribute value = attribute.getValue();
  if (name == getShorterSchedulesAttrName())
    return verifyShorterSchedules(op, name, value);
  if (name == getScheduleAttrName() || name == getTilingAttrName()) {
    if (!isa<scf::ForallOp>(op)) {
      InFlightDiagnostic error = op->emitError()
                                 << "'" << name << "' belongs on an scf.forall";
      if (isa_and_nonnull<FlashDialect>(op->getDialect()))
        error << "; this operation has 'schedule'";
      return error;
    }
    bool isSchedule = name == getScheduleAttrName();
    if (isSchedule ? !isa<ScheduleAttr>(value) : !isa<TilingAttr>(value))
      return op->emitError()
             << "'" << name << "' must be a #" << name << "<...>";
    return success();
  }
  if (name == getRareAttrName())
    return isa<UnitAttr>(value)
               ? success()
               : op->emitError() << "'" << name << "' has no value";
  if (name == getIOCountersAttrName())
    return op->hasAttr(SymbolTable::getSymbolAttrName())
               ? success()
               : op->emitError() << "'" << name << "' belongs on a global";
  if (name == getNameAttrName())
    return op->emitError() << "'" << name
                           << "' belongs on an argument of a function";
  return op->emitError()
         << "unknown attribute '" << name << "' of the flash dialect"
         << suggestName(name, {getScheduleAttrName(), getTilingAttrName(),
                               getShorterSchedulesAttrName(), getNameAttrName(),
                               getIOCountersAttrName(), getRareAttrName()});
}

LogicalResult FlashDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                     unsigned argument,
                                                     NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if (name != getNameAttrName())
    return op->emitError() << "argument " << argument
                           << " has an unknown attribute '" << name
                           << "' of the flash dialect"
                           << suggestName(name, {getNameAttrName()});
  if (!isa<StringAttr>(attribute.getValue()))
    return op->emitError() << "'" << name << "' of argument " << argument
                           << " must be a string";
  return success();
}

LogicalResult FlashDialect::verifyRegionResultAttribute(
    Operation *op, unsigned, unsigned result, NamedAttribute attribute) {
  return op->emitError()
         << "result " << result << " has an attribute '"
         << attribute.getName().getValue()
         << "' of the flash dialect, which has none for results";
}
