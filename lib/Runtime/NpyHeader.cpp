//===- NpyHeader.cpp - The dictionary in .npy files -----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the literal that NumPy writes before the elements:
//
//   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Npy.h"

#include <cstring>
#include <optional>

using namespace flash::rt;

namespace {

constexpr size_t kMaxRank = 32;

Result<DType> parseDescr(const std::string &descr) {
  struct Entry {
    const char *descr;
    DType type;
  };
  static const Entry entries[] = {
      {"<f4", DType::F32},  {"<f2", DType::F16}, {"<f8", DType::F64},
      {"<i8", DType::I64},  {"<i4", DType::I32}, {"|V2", DType::BF16},
      {"<V2", DType::BF16}, {"|i1", DType::I8},  {"|b1", DType::I1},
      // Which float of 8 bits it is, the file does not say: ml_dtypes writes
      // them as void (|V1, and <f1 in later versions), flash-run as |u1.
      {"|u1", DType::F8E4M3FN}, {"|V1", DType::F8E4M3FN},
      {"<V1", DType::F8E4M3FN}, {"<f1", DType::F8E4M3FN},
      {"|f1", DType::F8E4M3FN},
  };
  for (const Entry &entry : entries)
    if (descr == entry.descr)
      return entry.type;
  if (!descr.empty() && descr[0] == '>')
    return Status::error("element type '" + descr +
                         "' is big-endian; only little-endian is supported");
  return Status::error("element type '" + descr +
                       "' is not supported; supported are <f4, <f2, <f8, <i8, "
                       "<i4, |i1, |b1, |V2 for bf16, and |V1 or |u1 for floats of 8 bits");
}

/// A reader of the small part of Python's literals that headers use.
class DictionaryParser {
public:
  explicit DictionaryParser(const std::string &text) : text(text) {}

  Result<NpyHeader> parse() {
    std::optional<std::string> descr;
    std::optional<bool> fortran;
    std::optional<std::vector<int64_t>> shape;
    if (!eat('{'))
      return malformed("'{' expected");
    while (!eat('}')) {
      Result<std::string> key = string();
      if (key.failed())
        return key.status();
      if (!eat(':'))
        return malformed("':' expected");
      Status status = Status::success();
      if (*key == "descr" && !descr)
        status = assign(descr, descrValue());
      else if (*key == "fortran_order" && !fortran)
        status = assign(fortran, boolean());
      else if (*key == "shape" && !shape)
        status = assign(shape, tuple());
      else
        return malformed("unexpected or repeated key '" + *key + "'");
      if (status.failed())
        return status;
      if (!eat(',') && peek() != '}')
        return malformed("',' or '}' expected");
    }
    skipSpace();
    if (at != text.size())
      return malformed("text after the dictionary");
    if (!descr || !fortran || !shape)
      return malformed(std::string("no '") +
                       (!descr     ? "descr"
                        : !fortran ? "fortran_order"
                                   : "shape") +
                       "'");
    Result<DType> type = parseDescr(*descr);
    if (type.failed())
      return type.status();
    if (*fortran && shape->size() > 1)
      return Status::error("the array is in Fortran order; only C order is "
                           "supported (numpy.ascontiguousarray makes it so)");
    return NpyHeader{*type, std::move(*shape)};
  }

private:
  template <typename T>
  static Status assign(std::optional<T> &to, Result<T> from) {
    if (from.ok())
      to = std::move(*from);
    return from.status();
  }

  Status malformed(const std::string &what) const {
    return Status::error("malformed header: " + what + " at character " +
                         std::to_string(at));
  }

  void skipSpace() {
    while (at < text.size() && std::strchr(" \t\n\r", text[at]) && text[at])
      ++at;
  }
  char peek() {
    skipSpace();
    return at < text.size() ? text[at] : '\0';
  }
  bool eat(char c) {
    if (peek() != c || at >= text.size())
      return false;
    ++at;
    return true;
  }

  Result<std::string> string() {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      return malformed("a string expected");
    size_t end = text.find(quote, at + 1);
    if (end == std::string::npos)
      return malformed("unterminated string");
    std::string value = text.substr(at + 1, end - at - 1);
    at = end + 1;
    return value;
  }

  Result<std::string> descrValue() {
    if (peek() == '[')
      return Status::error("structured element types are not supported");
    return string();
  }

  Result<bool> boolean() {
    skipSpace();
    for (bool value : {false, true}) {
      const char *word = value ? "True" : "False";
      if (text.compare(at, std::strlen(word), word) == 0) {
        at += std::strlen(word);
        return value;
      }
    }
    return malformed("True or False expected");
  }

  Result<std::vector<int64_t>> tuple() {
    std::vector<int64_t> dims;
    if (!eat('('))
      return malformed("'(' expected");
    while (!eat(')')) {
      Result<int64_t> dim = integer();
      if (dim.failed())
        return dim.status();
      dims.push_back(*dim);
      if (dims.size() > kMaxRank)
        return malformed("more than 32 dimensions");
      if (!eat(',') && peek() != ')')
        return malformed("',' or ')' expected");
    }
    return dims;
  }

  Result<int64_t> integer() {
    if (peek() == '-')
      return malformed("negative dimension");
    int64_t value = 0;
    size_t begin = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
      if (__builtin_mul_overflow(value, int64_t(10), &value) ||
          __builtin_add_overflow(value, int64_t(text[at] - '0'), &value))
        return malformed("dimension beyond 64 bits");
    if (at == begin)
      return malformed("a number expected");
    if (at < text.size() && text[at] == 'L') // written by Python 2
      ++at;
    return value;
  }

  const std::string &text;
  size_t at = 0;
};

} // namespace

Result<NpyHeader> flash::rt::parseNpyDictionary(const std::string &text) {
  return DictionaryParser(text).parse();
}
