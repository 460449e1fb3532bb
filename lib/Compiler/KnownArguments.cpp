//===- KnownArguments.cpp - A call as analyses know it --------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KnownArguments.h"

#include "flash/Dialect/Flash/Analysis/CaptureReads.h"
#include "flash/Runtime/Float16.h"

using namespace mlir;
using namespace flash;

/// The elements of a tensor in host memory, which has them as `Stored`.
template <typename Stored, typename Convert>
static auto readEach(const rt::Argument &argument, Convert convert) {
  using Element = decltype(convert(Stored()));
  int64_t count = 1;
  for (int64_t size : argument.dims)
    count *= size;
  const auto *first = reinterpret_cast<const Stored *>(argument.address);
  auto elements = std::make_shared<std::vector<Element>>();
  elements->reserve(count);
  for (int64_t i = 0; i < count; ++i)
    elements->push_back(convert(first[i]));
  return elements;
}

static std::shared_ptr<const std::vector<int64_t>>
readIntegers(const rt::Argument &argument, Type element) {
  auto convert = [](auto value) { return int64_t(value); };
  if (element.isIndex() || element.isInteger(64))
    return readEach<int64_t>(argument, convert);
  if (element.isInteger(32))
    return readEach<int32_t>(argument, convert);
  if (element.isInteger(8))
    return readEach<int8_t>(argument, convert);
  if (element.isInteger(1)) // a byte
    return readEach<uint8_t>(argument,
                             [](uint8_t value) { return int64_t(value != 0); });
  return nullptr;
}

static std::shared_ptr<const std::vector<double>>
readFloats(const rt::Argument &argument, Type element) {
  auto convert = [](auto value) { return double(value); };
  if (element.isF64())
    return readEach<double>(argument, convert);
  if (element.isF32())
    return readEach<float>(argument, convert);
  if (element.isF16())
    return readEach<uint16_t>(
        argument, [](uint16_t bits) { return double(rt::f16ToFloat(bits)); });
  if (element.isBF16())
    return readEach<uint16_t>(
        argument, [](uint16_t bits) { return double(rt::bf16ToFloat(bits)); });
  return nullptr;
}

SmallVector<KnownValue>
compiler::describeArguments(func::FuncOp func,
                            const std::vector<rt::Argument> &arguments) {
  llvm::SmallBitVector asked = findAskedArguments(func);
  SmallVector<KnownValue> known;
  for (auto [number, argument] : llvm::enumerate(arguments)) {
    if (argument.isIndex || argument.isReal) {
      known.push_back(KnownValue::number(argument.value));
      continue;
    }
    KnownValue tensor = KnownValue::tensor(argument.dims);
    if (argument.address && asked.test(number)) {
      Type element = getElementTypeOrSelf(func.getArgumentTypes()[number]);
      tensor.elements = readIntegers(argument, element);
      tensor.reals = readFloats(argument, element);
    }
    known.push_back(std::move(tensor));
  }
  return known;
}
