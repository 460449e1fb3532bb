//===- IOCounters.cpp - Counters of a running program ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Prediction and count are keyed alike and compared without a tolerance.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/IOCounters.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>

using namespace mlir;
using namespace flash;

std::vector<IOCounter> flash::getIOCounters(ModuleOp module) {
  std::vector<IOCounter> counters;
  auto global = module.lookupSymbol<memref::GlobalOp>(kIOCountersName);
  auto list = global ? global->getAttrOfType<ArrayAttr>(
                           FlashDialect::getIOCountersAttrName())
                     : ArrayAttr();
  if (!list)
    return counters;
  for (Attribute entry : list) {
    auto fields = cast<DictionaryAttr>(entry);
    IOCounter counter;
    counter.operation = fields.getAs<IntegerAttr>("operation").getInt();
    counter.value = fields.getAs<StringAttr>("value").str();
    counter.isLoad = fields.getAs<StringAttr>("access").getValue() == "load";
    counters.push_back(counter);
  }
  return counters;
}

/// One entry for each key; zeros are left out.
static std::map<std::tuple<int64_t, std::string, bool>, int64_t>
collect(ArrayRef<IOCounter> counters) {
  std::map<std::tuple<int64_t, std::string, bool>, int64_t> sums;
  for (const IOCounter &counter : counters)
    if (counter.bytes != 0)
      sums[{counter.operation, counter.value, counter.isLoad}] += counter.bytes;
  return sums;
}

std::vector<IOCounter> flash::predictIOCounters(const FunctionIO &io) {
  std::vector<IOCounter> counters;
  for (size_t i = 0; i < io.operations.size(); ++i)
    for (const OperandIO &operand : io.operations[i].operands) {
      if (operand.value.empty())
        continue;
      const Bytes &bytes = operand.schedule.onChip;
      if (bytes.read)
        counters.push_back({int64_t(i), operand.value, true, bytes.read});
      if (bytes.written)
        counters.push_back({int64_t(i), operand.value, false, bytes.written});
    }
  return counters;
}

std::string flash::compareIOCounters(ArrayRef<IOCounter> predicted,
                                     ArrayRef<IOCounter> counted) {
  auto expected = collect(predicted), found = collect(counted);
  auto all = expected;
  all.insert(found.begin(), found.end());
  std::string text;
  llvm::raw_string_ostream os(text);
  for (const auto &[key, bytes] : all) {
    const auto &[operation, value, isLoad] = key;
    if (expected[key] != found[key])
      os << llvm::formatv("op{0} {1} {2}: the report says {3:N} bytes, the "
                          "program counted {4:N}\n",
                          operation, isLoad ? "loads" : "stores", value,
                          expected[key], found[key]);
  }
  return text;
}
