//===- Schedule.cpp - #flash.schedule<...> --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text of a schedule, one schedule laid over another, and what L0 and L1 read
// of it. What is written is wished, with its default value too: `lazy = false`
// is not the same as nothing.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/ScheduleFields.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace flash;

static ParseResult parseField(AsmParser &parser, int64_t &value) {
  return parser.parseInteger(value);
}
static ParseResult parseField(AsmParser &parser, bool &value) {
  return parser.parseInteger(value);
}
static ParseResult parseField(AsmParser &parser, Instruction &value) {
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return failure();
  std::optional<Instruction> parsed = symbolizeInstruction(keyword);
  if (!parsed)
    return parser.emitError(loc)
           << "expected none, mma_sync or wgmma, not '" << keyword << "'";
  value = *parsed;
  return success();
}

static void printField(raw_ostream &os, int64_t value) { os << value; }
static void printField(raw_ostream &os, bool value) {
  os << (value ? "true" : "false");
}
static void printField(raw_ostream &os, Instruction value) {
  os << stringifyInstruction(value);
}

/// Calls `visit(name, member, bit)`: the bit of `fixed`, 0 of needed fields.
template <typename Visit> static void forEachBit(Visit visit) {
  uint64_t bit = 1;
  ScheduleFields::forEach([&](StringRef name, auto member, auto, bool needed) {
    visit(name, member, needed ? 0 : bit);
    bit <<= 1;
  });
}

static ParseResult failUnknown(AsmParser &parser, SMLoc loc,
                               StringRef keyword) {
  auto error = parser.emitError(loc)
               << "unknown field of a schedule: " << keyword;
  // What it was called before there was a backward pass.
  if (keyword == "backward")
    return error << "; the order of keys is 'reverseKeys'";
  SmallVector<StringRef> known;
  ScheduleFields::forEach(
      [&](StringRef name, auto...) { known.push_back(name); });
  return error << suggestName(keyword, known);
}

static ParseResult parseFields(AsmParser &parser, ScheduleFields &fields) {
  SmallVector<StringRef> seen;
  return parser.parseCommaSeparatedList(
      AsmParser::Delimiter::LessGreater, [&]() -> ParseResult {
        SMLoc loc = parser.getCurrentLocation();
        StringRef keyword;
        if (parser.parseKeyword(&keyword) || parser.parseEqual())
          return failure();
        bool found = false;
        ParseResult result = success();
        forEachBit([&](StringRef name, auto member, uint64_t bit) {
          if (name != keyword)
            return;
          found = true;
          result = parseField(parser, fields.*member);
          if (fields.*member == ScheduleFields().*member)
            fields.fixed |= bit;
        });
        if (!found)
          return failUnknown(parser, loc, keyword);
        if (llvm::is_contained(seen, keyword))
          return parser.emitError(loc)
                 << "duplicate field of a schedule: " << keyword;
        seen.push_back(keyword);
        return result;
      });
}

Attribute ScheduleAttr::parse(AsmParser &parser, Type) {
  ScheduleFields fields;
  if (failed(parseFields(parser, fields)))
    return {};
  return fields.get(parser.getContext());
}

void ScheduleAttr::print(AsmPrinter &printer) const {
  raw_ostream &os = printer.getStream();
  ScheduleFields fields = ScheduleFields::get(*this);
  StringRef separator = "";
  os << '<';
  forEachBit([&](StringRef name, auto member, uint64_t bit) {
    if (fields.*member == ScheduleFields().*member && !(fields.fixed & bit))
      return;
    os << separator << name << " = ";
    printField(os, fields.*member);
    separator = ", ";
  });
  os << '>';
}

TilingAttr ScheduleAttr::getTiling() const {
  return TilingAttr::get(getContext(), getM(), getN(), getD(), getTransposed(),
                         getPeel(), getReverseKeys(), getPackHeads(),
                         /*summaries=*/getWarps() == 0 &&
                             getInstruction() == Instruction::None,
                         /*joinLists=*/getSpecialize());
}

LogicalResult
TilingAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                   int64_t m, int64_t n, int64_t d, bool, bool, bool,
                   int64_t packHeads, bool, bool) {
  for (auto [name, size] :
       {std::pair{"m", m}, std::pair{"n", n}, std::pair{"d", d}})
    if (size < 1)
      return emitError() << "a tiling has " << name << " of at least 1, not "
                         << size;
  if (packHeads < 0)
    return emitError() << "packHeads is negative";
  return success();
}

LogicalResult
BoundedAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                    int64_t upTo, ScheduleAttr schedule) {
  if (upTo < 1)
    return emitError() << "a schedule is for lengths up to 1 or more, not "
                       << upTo;
  if (!schedule.isComplete())
    return emitError() << "a schedule for some lengths says m, n and d";
  return success();
}

ScheduleAttr flash::overlay(ScheduleAttr base, ScheduleAttr over) {
  ScheduleFields fields = ScheduleFields::get(base);
  fields.fixed = 0;
  if (over) {
    ScheduleFields wish = ScheduleFields::get(over);
    forEachBit([&](StringRef, auto member, uint64_t bit) {
      if (wish.*member != ScheduleFields().*member || (wish.fixed & bit))
        fields.*member = wish.*member;
    });
  }
  return fields.get(base.getContext());
}

bool flash::isFixed(ScheduleAttr schedule, StringRef field) {
  bool fixed = false;
  forEachBit([&](StringRef name, auto, uint64_t bit) {
    fixed |= name == field && (schedule.getFixed() & bit);
  });
  return fixed;
}
