//===- IOReport.cpp - Prints what an attention moves ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same facts for people and for programs. Bytes are whole numbers in both;
// what is an estimate or an order says so where it stands.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/IOReport.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace flash;
using llvm::formatv;

static std::string grouped(int64_t count) { return formatv("{0:N}", count); }

static std::string memorySize(int64_t bytes) {
  if (bytes >= 1 << 20 && bytes % (1 << 20) == 0)
    return formatv("{0} MiB", bytes >> 20);
  return formatv("{0} KiB", bytes >> 10);
}

static std::string toText(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return text;
}

static std::string elementType(Value value) {
  std::string text;
  llvm::raw_string_ostream(text) << getElementTypeOrSelf(value.getType());
  return text;
}

/// `bf16`; or `bf16, keys i8, values bf16` where they are not alike.
static std::string elementTypes(AttentionOpInterface op) {
  std::string query = elementType(op.getQuery()),
              key = elementType(op.getKey()),
              value = elementType(op.getValue());
  if (key == query && value == query)
    return query;
  return query + ", keys " + key + ", values " + value;
}

static std::string describeLocation(Operation *op) {
  if (auto file = op->getLoc()->findInstanceOf<FileLineColLoc>())
    return formatv("{0}:{1}", file.getFilename().getValue(), file.getLine());
  return "";
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static void printRow(llvm::raw_ostream &os, StringRef name, StringRef access,
                     ArrayRef<int64_t> columns, unsigned width) {
  os << "  " << llvm::left_justify(name, 14) << llvm::left_justify(access, 6);
  for (int64_t column : columns)
    os << llvm::right_justify(column ? grouped(column) : "-", width);
  os << "\n";
}

static void printTable(llvm::raw_ostream &os, ArrayRef<OperandIO> rows) {
  const OperandIO &last = rows.back();
  SmallVector<int64_t> totals{last.compulsory.total(), last.unfused.hbm.total(),
                              last.schedule.hbm.total(),
                              last.unfused.onChip.total(),
                              last.schedule.onChip.total()};
  unsigned width = 20;
  for (int64_t total : totals)
    width = std::max<unsigned>(width, grouped(total).size() + 1);
  os << llvm::left_justify("", 14 + 2 * width)
     << llvm::left_justify("HBM <-> shared cache", 2 * width - 8)
     << "shared cache <-> fast memory\n";
  os << llvm::left_justify("bytes", 22);
  for (StringRef column :
       {"compulsory", "unfused", "this schedule*", "unfused", "this schedule"})
    os << llvm::right_justify(column, width);
  os << "\n";
  for (const OperandIO &row : rows) {
    auto print = [&](StringRef access, int64_t Bytes::*side) {
      SmallVector<int64_t> columns{
          row.compulsory.*side, row.unfused.hbm.*side, row.schedule.hbm.*side,
          row.unfused.onChip.*side, row.schedule.onChip.*side};
      if (row.name == "total" ||
          llvm::any_of(columns, [](int64_t c) { return c != 0; }))
        printRow(os, row.name, access, columns, width);
    };
    print("read", &Bytes::read);
    print("write", &Bytes::written);
  }
  printRow(os, "total", "both", totals, width);
}

static void printTile(llvm::raw_ostream &os, const OperationIO &op) {
  os << "tile       " << op.schedule.getM() << " queries x "
     << op.schedule.getN() << " keys"
     << (op.chosen || !op.part.empty()
             ? ""
             : ", given or from a table, not chosen by the model")
     << "\n";
  if (!op.part.empty())
    return;
  os << "bound by   " << op.bound.limit << ": " << op.bound.reason << "\n";
  for (const TileResource &resource : op.resources)
    os << "uses       "
       << formatv("{3}: {0:N} of {1:N} {2}\n", resource.used, resource.limit,
                  resource.unit, resource.name);
  if (op.candidates.size() < 2)
    return;
  for (const TileCandidate &candidate : op.candidates) {
    ScheduleAttr s = candidate.schedule;
    os << "considered ";
    if (s.getN())
      os << llvm::format("%3lld x %3lld", (long long)s.getM(),
                         (long long)s.getN())
         << formatv(", {0} warps, cost {1:f2}", s.getWarps(), candidate.cost);
    else
      os << llvm::format("%3lld x", (long long)s.getM())
         << formatv(" nothing, {0} warps", s.getWarps());
    os << " (" << candidate.limit << ": " << candidate.reason << ")\n";
  }
}

static StringRef describePart(StringRef part) {
  return llvm::StringSwitch<StringRef>(part)
      .Case("statistics", "what each query has: log2 of its sum, delta")
      .Case("keys", "blocks of keys outside")
      .Case("queries", "blocks of queries outside")
      .Default("sums for dQ to dQ");
}

static void printOperation(const OperationIO &op, size_t number,
                           TargetAttr target, llvm::raw_ostream &os) {
  const AttentionSizes &s = op.sizes;
  std::string where = describeLocation(op.op);
  os << "op" << number << "        " << op.op->getName()
     << (where.empty() ? "" : " at " + where) << "\n";
  auto attention = dyn_cast<AttentionOpInterface>(op.op);
  auto backward = dyn_cast<AttentionBackwardOp>(op.op);
  if (backward)
    os << "loop       " << describePart(op.part) << ", "
       << toText(backward.getRecomputeAttr()) << "\n";
  bool ofRows = op.part == "statistics" || op.part == "rounding";
  if (!attention) {
    os << "sizes      batch " << s.batch << ", " << s.heads << " heads, "
       << s.queries << " rows, head dim " << s.vDim << "\n";
  } else {
    os << "sizes      batch " << s.batch << ", " << s.heads << " heads ("
       << s.keyHeads << " of keys), " << s.queries << " queries, " << s.keys
       << " keys, head dims " << s.qkDim << " and " << s.vDim << ", "
       << elementTypes(attention) << "\n";
    if (attention.getEffectiveMask())
      os << "mask       " << toText(attention.getEffectiveMask()) << "\n";
    if (!ofRows)
      printTile(os, op);
  }
  if (attention && !ofRows) {
    os << "blocks     "
       << formatv("{0:N} of {1:N} loaded (density {2:f4}); {3:N} full, {4:N} "
                  "with a predicate\n",
                  op.blocks.visited, op.blocks.all, op.blocks.density(),
                  op.blocks.full, op.blocks.visited - op.blocks.full);
    if (op.sampled)
      os << "           near, for so long a sequence: some blocks of "
         << (op.part == "keys" ? "keys" : "queries")
         << " stand for those beside them\n";
  }
  std::vector<OperandIO> rows = op.operands;
  rows.push_back(op.total());
  printTable(os, rows);
  if (!attention || ofRows)
    return;
  os << "order      " << (backward ? "backward, by Theorem 5, " : "")
     << (op.largeMemory ? "N^2 d^2 / M" : "N^2 d / sqrt(M), for M < d^2")
     << " = "
     << formatv("{0:e2} bytes at M = {1:N} bytes, times the density: an order "
                "of growth without its constant, no count\n",
                op.order, target.getFastMemory());
  if (op.sweep.empty())
    return;
  os << "sweep      of fast memory; the largest tile that fits, and what then "
        "crosses into it\n";
  os << "           fast memory          tile        on-chip bytes   order "
        "(bytes)\n";
  for (const SweepPoint &point : op.sweep)
    os << "           " << llvm::right_justify(memorySize(point.fastMemory), 11)
       << llvm::right_justify(formatv("{0} x {1}", point.m, point.n).str(), 14)
       << llvm::right_justify(grouped(point.bytes), 21)
       << llvm::right_justify(formatv("{0:e2}", point.order).str(), 16)
       << (point.large ? "" : "  (M < d^2)") << "\n";
}

void flash::printIOText(const FunctionIO &io, llvm::raw_ostream &os) {
  os << "function   @" << io.function << "\n";
  os << "target     " << io.target.getKind().getValue()
     << formatv(": {0:N} bytes of fast memory a core, {1} cores, {2:N} bytes "
                "of shared cache\n",
                io.target.getFastMemory(), io.target.getCores(),
                io.target.getL2());
  for (auto [number, op] : llvm::enumerate(io.operations)) {
    os << "\n";
    printOperation(op, number, io.target, os);
  }
  if (io.operations.size() > 1) {
    os << "\nall operations; compulsory for the function as a whole\n";
    printTable(os, {io.total});
  }
  os << "\n* an estimate from the size of the shared cache; the other columns "
        "are exact (docs/IO.md)\n";
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

using llvm::json::Array;
using llvm::json::Object;

static Object toJson(const Bytes &bytes) {
  return Object{{"read", bytes.read}, {"written", bytes.written}};
}

static Object toJson(const Traffic &traffic, bool estimated) {
  return Object{{estimated ? "hbm_estimate" : "hbm", toJson(traffic.hbm)},
                {"on_chip", toJson(traffic.onChip)}};
}

static Object toJson(const OperandIO &operand) {
  Object object{{"name", operand.name},
                {"compulsory", toJson(operand.compulsory)},
                {"unfused", toJson(operand.unfused, false)},
                {"schedule", toJson(operand.schedule, true)}};
  if (!operand.value.empty())
    object["value"] = operand.value;
  return object;
}

static Object toJson(const TileCandidate &candidate) {
  Object object{{"m", candidate.schedule.getM()},
                {"n", candidate.schedule.getN()},
                {"limit", candidate.limit},
                {"reason", candidate.reason}};
  if (candidate.schedule.getWarps())
    object["warps"] = candidate.schedule.getWarps();
  if (candidate.cost > 0)
    object["cost"] = candidate.cost;
  return object;
}

static Object toJson(const OperationIO &op) {
  const AttentionSizes &s = op.sizes;
  Object object{{"op", op.op->getName().getStringRef().str()},
                {"location", describeLocation(op.op)}};
  Array operands;
  for (const OperandIO &operand : op.operands)
    operands.push_back(toJson(operand));
  object["operands"] = std::move(operands);
  object["total"] = toJson(op.total());
  if (op.schedule)
    object["schedule"] = toText(op.schedule);
  auto attention = dyn_cast<AttentionOpInterface>(op.op);
  if (auto backward = dyn_cast<AttentionBackwardOp>(op.op)) {
    object["loop"] = op.part;
    object["recompute"] = toText(backward.getRecomputeAttr());
  }
  if (!attention) {
    object["sizes"] = Object{{"batch", s.batch},
                             {"heads", s.heads},
                             {"rows", s.queries},
                             {"dv", s.vDim}};
    return object;
  }
  object["sizes"] = Object{{"batch", s.batch},
                           {"heads", s.heads},
                           {"kv_heads", s.keyHeads},
                           {"sq", s.queries},
                           {"sk", s.keys},
                           {"dqk", s.qkDim},
                           {"dv", s.vDim},
                           {"type", elementType(attention.getQuery())},
                           {"key_type", elementType(attention.getKey())},
                           {"value_type", elementType(attention.getValue())}};
  object["mask"] = attention.getEffectiveMask()
                       ? toText(attention.getEffectiveMask())
                       : std::string();
  Object tile{{"m", op.schedule.getM()},
              {"n", op.schedule.getN()},
              {"chosen", op.chosen},
              {"limit", op.bound.limit},
              {"reason", op.bound.reason}};
  Array uses, candidates, sweep;
  for (const TileResource &resource : op.resources)
    uses.push_back(Object{{"name", resource.name},
                          {"unit", resource.unit},
                          {"used", resource.used},
                          {"limit", resource.limit}});
  for (const TileCandidate &candidate : op.candidates)
    candidates.push_back(toJson(candidate));
  tile["uses"] = std::move(uses);
  tile["considered"] = std::move(candidates);
  object["tile"] = std::move(tile);
  object["blocks"] = Object{{"all", op.blocks.all},
                            {"loaded", op.blocks.visited},
                            {"full", op.blocks.full},
                            {"density", op.blocks.density()},
                            {"sampled", op.sampled}};
  object["order"] = Object{
      {"formula", op.largeMemory ? "N^2 d^2 / M" : "N^2 d / sqrt(M)"},
      {"meaning", "order of growth times the density, without its constant"},
      {"bytes", op.order}};
  for (const SweepPoint &point : op.sweep)
    sweep.push_back(Object{{"fast_memory", point.fastMemory},
                           {"m", point.m},
                           {"n", point.n},
                           {"on_chip", point.bytes},
                           {"order", point.order},
                           {"m_at_least_d2", point.large}});
  object["sweep"] = std::move(sweep);
  return object;
}

Object flash::toJson(const FunctionIO &io) {
  Object object{
      {"function", io.function},
      {"target", Object{{"kind", io.target.getKind().getValue().str()},
                        {"cores", io.target.getCores()},
                        {"fast_memory", io.target.getFastMemory()},
                        {"l2", io.target.getL2()}}},
      {"total", ::toJson(io.total)}};
  Array operations;
  for (const OperationIO &op : io.operations)
    operations.push_back(::toJson(op));
  object["operations"] = std::move(operations);
  return object;
}

void flash::printIOJson(const FunctionIO &io, llvm::raw_ostream &os) {
  os << formatv("{0:2}", llvm::json::Value(toJson(io))) << "\n";
}
