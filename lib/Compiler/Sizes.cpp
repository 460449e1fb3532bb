//===- Sizes.cpp - Sizes of a call ----------------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What types and files do not say is given by name, or has a default that goes
// with the others: as many slopes as heads, as many segments as rows.
//
//===----------------------------------------------------------------------===//

#include "flash/Compiler/Signature.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace flash;
using llvm::StringRef;
using rt::Status;

SizeAssignment::SizeAssignment(const FunctionSignature &signature)
    : signature(signature) {
  for (const SizeSymbol &symbol : signature.symbols)
    sizes.push_back(symbol.fixed);
}

Status SizeAssignment::set(StringRef name, int64_t size) {
  int index = signature.findSymbol(name);
  if (index < 0) {
    std::vector<std::string> names;
    for (const SizeSymbol &symbol : signature.symbols)
      if (!symbol.fixed)
        names.push_back(symbol.name);
    return Status::error(
        "@" + signature.name + " has no size called '" + name.str() + "'; " +
        (names.empty() ? "all its sizes are static"
                       : "there is " + llvm::join(names, ", ")));
  }
  if (size < 0)
    return Status::error("the size " + name.str() +
                         " must not be negative, but is " +
                         std::to_string(size));
  const SizeSymbol &symbol = signature.symbols[index];
  if (symbol.fixed && *symbol.fixed != size)
    return Status::error("the size " + name.str() + " is " +
                         std::to_string(*symbol.fixed) + " by its type, not " +
                         std::to_string(size));
  if (!symbol.fixed && sizes[index] && *sizes[index] != size)
    return Status::error("the size " + name.str() + " is given as " +
                         std::to_string(*sizes[index]) + " and as " +
                         std::to_string(size));
  sizes[index] = size;
  return Status::success();
}

void SizeAssignment::setShape(int argument, const std::vector<int64_t> &shape) {
  const std::vector<int> &symbols = signature.arguments[argument].symbols;
  given[argument] = shape;
  // What disagrees is found, and said better, by the run on shapes.
  for (size_t dim = 0; dim < std::min(symbols.size(), shape.size()); ++dim)
    if (!sizes[symbols[dim]])
      sizes[symbols[dim]] = shape[dim];
}

std::optional<int64_t> SizeAssignment::size(StringRef name) const {
  int index = signature.findSymbol(name);
  return index < 0 ? std::nullopt : sizes[index];
}

/// The size of a role that nobody gave.
int64_t SizeAssignment::defaultOf(StringRef role) const {
  if (role == "batch")
    return 1;
  if (role == "heads")
    return size("kv_heads").value_or(4);
  if (role == "kv_heads")
    return size("heads").value_or(4);
  if (role == "sq")
    return size("sk").value_or(1024);
  if (role == "sk")
    return size("sq").value_or(1024);
  if (role == "bounds") // of four sequences
    return 5;
  if (role == "pages_each")
    return 16;
  return 64;
}

std::vector<std::string> SizeAssignment::setDefaults() {
  std::vector<std::string> chosen;
  auto choose = [&](size_t index, int64_t size) {
    sizes[index] = size;
    chosen.push_back(signature.symbols[index].name + " = " +
                     std::to_string(size));
  };
  // What follows from other sizes comes last.
  auto follows = [](const SizeSymbol &symbol) {
    return (symbol.role.empty() && symbol.like) || symbol.role == "pages";
  };
  for (auto [index, symbol] : llvm::enumerate(signature.symbols))
    if (!sizes[index] && !follows(symbol))
      choose(index, defaultOf(symbol.role));
  for (auto [index, symbol] : llvm::enumerate(signature.symbols)) {
    if (sizes[index])
      continue;
    if (symbol.role == "pages") {
      choose(index,
             size("batch").value_or(1) * size("pages_each").value_or(16));
      continue;
    }
    const SizeSymbol::Like &like = *symbol.like;
    int64_t of = size(like.role).value_or(defaultOf(like.role));
    choose(index,
           std::max<int64_t>(
               int64_t(llvm::divideCeil(of, like.each)) - like.fewer, 0));
  }
  return chosen;
}

std::vector<int64_t> SizeAssignment::shape(int argument) const {
  if (auto it = given.find(argument); it != given.end())
    return it->second;
  std::vector<int64_t> shape;
  for (int symbol : signature.arguments[argument].symbols)
    shape.push_back(sizes[symbol].value_or(0));
  return shape;
}
