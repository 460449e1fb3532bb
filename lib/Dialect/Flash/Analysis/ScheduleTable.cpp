//===- ScheduleTable.cpp - The files of measured schedules ----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reading and writing. A file is the user's: whatever is wrong with it is an
// error that names the field, and nothing is guessed.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/ScheduleTable.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Threading.h"

using namespace mlir;
using namespace flash;
using llvm::Error;
using llvm::Expected;
using llvm::json::Object;

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Parses without a diagnostic: the caller says what the text is part of. Other
/// threads, which work on other functions, may have something to say.
static Attribute parseQuietly(StringRef text, MLIRContext *context) {
  uint64_t here = llvm::get_threadid();
  ScopedDiagnosticHandler quiet(context, [here](Diagnostic &) {
    return success(llvm::get_threadid() == here);
  });
  return text.empty() ? Attribute() : parseAttribute(text, context);
}

ScheduleAttr flash::parseSchedule(StringRef text, MLIRContext *context) {
  return dyn_cast_or_null<ScheduleAttr>(parseQuietly(text, context));
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

static constexpr StringLiteral kAttention = "attention", kMerge = "merge";
static constexpr StringLiteral kOps[] = {kAttention, "attention_backward",
                                         kMerge};

ScheduleKey ScheduleKey::get(const TileProblem &p) {
  return {p.op,  p.elementBytes * 8, p.qkDim, p.vDim, p.mask, p.scores,
          p.lse, p.offsets,          p.paged};
}

ScheduleKey ScheduleKey::get(MergeOp op) {
  auto part = cast<RankedTensorType>(op.getOutputs().front().getType());
  ScheduleKey key;
  key.op = kMerge;
  key.bits = part.getElementTypeBitWidth();
  key.vDim = part.getDimSize(3);
  return key;
}

static auto tie(const ScheduleKey &k) {
  return std::tie(k.op, k.bits, k.qkDim, k.vDim, k.mask, k.scores, k.lse,
                  k.offsets, k.paged);
}

bool ScheduleKey::operator==(const ScheduleKey &other) const {
  return tie(*this) == tie(other);
}

std::string ScheduleKey::str() const {
  if (op == kMerge)
    return llvm::formatv("merge, {0} bit, head dim {1}", bits, vDim);
  std::string text = op == kAttention ? "" : op + ", ";
  text += llvm::formatv("{0} bit, head dim {1}", bits, qkDim);
  if (vDim != qkDim)
    text += "/" + std::to_string(vDim);
  text += ", " + (mask == "none" ? std::string("full") : mask);
  if (!scores.empty())
    text += ", " + scores;
  for (auto [set, name] :
       {std::pair{lse, ", lse"}, {offsets, ", offsets"}, {paged, ", paged"}})
    if (set)
      text += name;
  return text;
}

Object ScheduleKey::toJson() const {
  if (op == kMerge)
    return Object{{"op", op}, {"bits", bits}, {"v", vDim}};
  Object object{{"bits", bits}, {"qk", qkDim}, {"v", vDim}, {"mask", mask}};
  if (op != kAttention)
    object["op"] = op;
  if (!scores.empty())
    object["scores"] = scores;
  for (auto [set, name] :
       {std::pair{lse, "lse"}, {offsets, "offsets"}, {paged, "paged"}})
    if (set)
      object[name] = true;
  return object;
}

Expected<ScheduleKey> ScheduleKey::fromJson(const Object &object) {
  ScheduleKey key;
  for (const auto &member : object) {
    StringRef field = member.first;
    const llvm::json::Value &value = member.second;
    auto number = [&](int64_t &to) {
      std::optional<int64_t> read = value.getAsInteger();
      to = read.value_or(0);
      return read && *read > 0;
    };
    auto text = [&](std::string &to) {
      std::optional<StringRef> read = value.getAsString();
      to = read.value_or("").str();
      return read.has_value();
    };
    auto flag = [&](bool &to) {
      std::optional<bool> read = value.getAsBoolean();
      to = read.value_or(false);
      return read.has_value();
    };
    bool known = true, ok = true;
    if (field == "op")
      ok = text(key.op) && llvm::is_contained(kOps, StringRef(key.op));
    else if (field == "bits")
      ok = number(key.bits);
    else if (field == "qk")
      ok = number(key.qkDim);
    else if (field == "v")
      ok = number(key.vDim);
    else if (field == "mask")
      ok = text(key.mask);
    else if (field == "scores")
      ok = text(key.scores);
    else if (field == "lse")
      ok = flag(key.lse);
    else if (field == "offsets")
      ok = flag(key.offsets);
    else if (field == "paged")
      ok = flag(key.paged);
    else
      known = false;
    if (!known)
      return makeError("a problem has no '" + field + "'");
    if (!ok)
      return makeError(
          llvm::formatv("'{0}' of a problem cannot be {1}", field, value));
  }
  if (key.op == kMerge) {
    ScheduleKey all;
    std::tie(all.op, all.bits, all.vDim) = std::tie(key.op, key.bits, key.vDim);
    if (!key.vDim || !(key == all))
      return makeError("the problem of a merge has 'bits' and 'v'");
  } else if (!key.qkDim || !key.vDim) {
    return makeError("a problem needs 'qk' and 'v'");
  }
  return key;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

static Expected<ScheduleRange> parseRange(const llvm::json::Value &value,
                                          int64_t above, bool last,
                                          MLIRContext *context) {
  const Object *object = value.getAsObject();
  if (!object)
    return makeError("a schedule is an object");
  ScheduleRange range;
  for (auto &[name, field] : *object) {
    if (name == "up_to") {
      std::optional<int64_t> bound = field.getAsInteger();
      if (!bound || *bound <= above)
        return makeError(llvm::formatv(
            "'up_to' must be a number above {0}, not {1}", above, field));
      range.upTo = *bound;
    } else if (name == "schedule") {
      range.schedule = field.getAsString().value_or("").str();
    } else {
      range.measured[name] = field;
    }
  }
  if (!range.upTo && !last)
    return makeError("only the last schedule of a problem may be without "
                     "'up_to'");
  ScheduleAttr schedule = parseSchedule(range.schedule, context);
  if (!schedule)
    return makeError("'" + range.schedule +
                     "' is not a #flash.schedule attribute");
  if (!schedule.isComplete())
    return makeError("'" + range.schedule + "' does not say m, n and d");
  return range;
}

static Expected<ScheduleEntry> parseEntry(const llvm::json::Value &value,
                                          MLIRContext *context) {
  const Object *object = value.getAsObject();
  const Object *problem = object ? object->getObject("problem") : nullptr;
  const llvm::json::Array *schedules =
      object ? object->getArray("schedules") : nullptr;
  if (!problem || !schedules || schedules->empty())
    return makeError("an entry has a 'problem' and 'schedules'");
  Expected<ScheduleKey> key = ScheduleKey::fromJson(*problem);
  if (!key)
    return key.takeError();
  ScheduleEntry entry;
  entry.key = std::move(*key);
  for (auto [index, schedule] : llvm::enumerate(*schedules)) {
    int64_t above = entry.ranges.empty() ? 0 : entry.ranges.back().upTo;
    Expected<ScheduleRange> range =
        parseRange(schedule, above, index + 1 == schedules->size(), context);
    if (!range)
      return makeError(entry.key.str() + ": " +
                       llvm::toString(range.takeError()));
    entry.ranges.push_back(std::move(*range));
  }
  return entry;
}

Expected<ScheduleTable> ScheduleTable::parse(StringRef text, StringRef name,
                                             MLIRContext *context) {
  auto fail = [&](const llvm::Twine &message) {
    return makeError("schedule table '" + name + "': " + message);
  };
  Expected<llvm::json::Value> json = llvm::json::parse(text);
  if (!json)
    return fail(llvm::toString(json.takeError()));
  const Object *object = json->getAsObject();
  if (!object || object->getInteger("format") != 1)
    return fail("it is not a table of format 1");
  ScheduleTable table;
  table.name = name.str();
  for (auto [field, to] : {std::pair{"target", &table.target},
                           {"device", &table.device},
                           {"driver", &table.driver},
                           {"date", &table.date},
                           {"commit", &table.commit}})
    *to = object->getString(field).value_or("").str();
  if (!isa_and_nonnull<TargetAttr>(parseQuietly(table.target, context)))
    return fail("'target' must be a #flash.target attribute, not '" +
                table.target + "'");
  const llvm::json::Array *entries = object->getArray("entries");
  if (!entries)
    return fail("it has no 'entries'");
  for (const llvm::json::Value &value : *entries) {
    Expected<ScheduleEntry> entry = parseEntry(value, context);
    if (!entry)
      return fail(llvm::toString(entry.takeError()));
    if (llvm::any_of(table.entries, [&](const ScheduleEntry &other) {
          return other.key == entry->key;
        }))
      return fail("two entries for " + entry->key.str());
    table.entries.push_back(std::move(*entry));
  }
  return table;
}

void ScheduleTable::set(ScheduleEntry entry) {
  auto sameKey = [&](const ScheduleEntry &other) {
    return other.key == entry.key;
  };
  auto found = llvm::find_if(entries, sameKey);
  if (found != entries.end())
    *found = std::move(entry);
  else
    entries.push_back(std::move(entry));
  llvm::sort(entries, [](const ScheduleEntry &a, const ScheduleEntry &b) {
    return tie(a.key) < tie(b.key);
  });
}

std::string ScheduleTable::str() const {
  llvm::json::Array list;
  for (const ScheduleEntry &entry : entries) {
    llvm::json::Array schedules;
    for (const ScheduleRange &range : entry.ranges) {
      Object object = range.measured;
      object["schedule"] = range.schedule;
      if (range.upTo)
        object["up_to"] = range.upTo;
      schedules.push_back(std::move(object));
    }
    list.push_back(Object{{"problem", entry.key.toJson()},
                          {"schedules", std::move(schedules)}});
  }
  llvm::json::Value value(Object{{"format", 1},
                                 {"target", target},
                                 {"device", device},
                                 {"driver", driver},
                                 {"date", date},
                                 {"commit", commit},
                                 {"entries", std::move(list)}});
  return llvm::formatv("{0:2}\n", value).str();
}

//===----------------------------------------------------------------------===//
// Where they come from
//===----------------------------------------------------------------------===//

namespace {
struct BuiltinTable {
  const char *name, *text;
};
} // namespace

static constexpr BuiltinTable kBuiltinTables[] = {
#include "BuiltinSchedules.inc"
    {nullptr, nullptr}};

Expected<std::vector<ScheduleTable>>
flash::loadScheduleTables(StringRef source, MLIRContext *context) {
  std::vector<ScheduleTable> tables;
  auto add = [&](StringRef text, const llvm::Twine &name) -> Error {
    Expected<ScheduleTable> table =
        ScheduleTable::parse(text, name.str(), context);
    if (!table)
      return table.takeError();
    tables.push_back(std::move(*table));
    return Error::success();
  };
  if (source == "none")
    return tables;
  if (source.empty()) {
    for (const BuiltinTable *table = kBuiltinTables; table->name; ++table)
      if (Error error =
              add(table->text, "built-in " + llvm::Twine(table->name)))
        return error;
    return tables;
  }
  SmallVector<StringRef> paths;
  source.split(paths, ',', -1, /*KeepEmpty=*/false);
  for (StringRef path : paths) {
    auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
    if (!buffer)
      return makeError("schedule table '" + path +
                       "': " + buffer.getError().message());
    if (Error error = add((*buffer)->getBuffer(), path))
      return error;
  }
  return tables;
}
