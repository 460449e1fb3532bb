//===- ProgramFile.cpp - Programs as bytes --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One description of each struct serves both directions: `visit(stream, value)`
// writes what a Writer is given, and fills in what a Reader finds. A reader
// that meets the end, a number out of range or an expression that is nested too
// deep fails, and everything after that is empty.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/ProgramFile.h"

#include <cstring>
#include <type_traits>

using namespace flash::rt;

static constexpr char kMagic[] = "FLASHPRG";
static constexpr size_t kHeaderBytes = 8 + 4 + 8 + 8;
static constexpr int kMaxDepth = 1000;

uint64_t flash::rt::hashBytes(const char *data, size_t size) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; ++i)
    hash = (hash ^ static_cast<unsigned char>(data[i])) * 0x100000001b3u;
  return hash;
}

namespace {

struct Writer {
  static constexpr bool isReader = false;
  std::string bytes;

  void number(uint64_t value, int width = 8) {
    for (int i = 0; i < width; ++i)
      bytes += static_cast<char>(value >> (8 * i));
  }
  void raw(std::string &text) {
    number(text.size());
    bytes += text;
  }
};

struct Reader {
  static constexpr bool isReader = true;
  const char *at, *end;
  bool failed = false;

  uint64_t number(int width = 8) {
    if (failed || end - at < width) {
      failed = true;
      return 0;
    }
    uint64_t value = 0;
    for (int i = 0; i < width; ++i)
      value |= static_cast<uint64_t>(static_cast<unsigned char>(at[i]))
               << (8 * i);
    at += width;
    return value;
  }
  void raw(std::string &text) {
    uint64_t size = number();
    if (failed || size > static_cast<uint64_t>(end - at)) {
      failed = true;
      return;
    }
    text.assign(at, static_cast<size_t>(size));
    at += size;
  }
};

template <typename Stream, typename T>
std::enable_if_t<std::is_integral_v<T>> visit(Stream &s, T &value) {
  if constexpr (Stream::isReader)
    value = static_cast<T>(s.number());
  else
    s.number(static_cast<uint64_t>(value));
}

/// An enumerator, of those up to `last`.
template <typename Stream, typename T>
void visitEnum(Stream &s, T &value, T last) {
  auto number = static_cast<uint64_t>(value);
  visit(s, number);
  if constexpr (Stream::isReader) {
    s.failed |= number > static_cast<uint64_t>(last);
    value = s.failed ? T() : static_cast<T>(number);
  }
}

template <typename Stream> void visit(Stream &s, std::string &text) {
  s.raw(text);
}
template <typename Stream> void visit(Stream &s, DType &type) {
  visitEnum(s, type, DType::F8E5M2);
}
template <typename Stream> void visit(Stream &s, float &value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  visit(s, bits);
  std::memcpy(&value, &bits, sizeof(bits));
}

template <typename Stream> void visitExpr(Stream &s, Expr &expr, int depth) {
  Expr::Kind kind = Stream::isReader ? Expr::Kind() : expr.kind();
  visitEnum(s, kind, Expr::Kind::Max);
  if constexpr (Stream::isReader) {
    s.failed |= depth > kMaxDepth;
    if (s.failed)
      return;
  }
  switch (kind) {
  case Expr::Kind::Constant:
  case Expr::Kind::Scalar:
  case Expr::Kind::Dim:
  case Expr::Kind::Stride:
  case Expr::Kind::ResultStride: {
    bool hasDimension =
        kind != Expr::Kind::Constant && kind != Expr::Kind::Scalar;
    int64_t value = Stream::isReader ? 0 : expr.value(), dimension = 0;
    if (!Stream::isReader && hasDimension)
      dimension = expr.dimension();
    visit(s, value);
    if (hasDimension)
      visit(s, dimension);
    if constexpr (Stream::isReader) {
      int operand = static_cast<int>(value), dim = static_cast<int>(dimension);
      expr = kind == Expr::Kind::Constant ? Expr(value)
             : kind == Expr::Kind::Scalar ? Expr::scalar(operand)
             : kind == Expr::Kind::Dim    ? Expr::dim(operand, dim)
             : kind == Expr::Kind::Stride ? Expr::stride(operand, dim)
                                          : Expr::resultStride(operand, dim);
    }
    return;
  }
  default: {
    Expr lhs, rhs;
    if constexpr (!Stream::isReader) {
      lhs = expr.lhs();
      rhs = expr.rhs();
    }
    visitExpr(s, lhs, depth + 1);
    visitExpr(s, rhs, depth + 1);
    if constexpr (Stream::isReader)
      expr = Expr::binary(kind, lhs, rhs);
    return;
  }
  }
}
template <typename Stream> void visit(Stream &s, Expr &expr) {
  visitExpr(s, expr, 0);
}

template <typename Stream, typename T>
void visit(Stream &s, std::optional<T> &value) {
  bool has = value.has_value();
  visit(s, has);
  if (!has)
    return;
  if constexpr (Stream::isReader)
    value.emplace();
  visit(s, *value);
}

template <typename Stream, typename T>
void visit(Stream &s, std::vector<T> &values) {
  uint64_t count = values.size();
  visit(s, count);
  if constexpr (Stream::isReader) {
    // Each element has a byte at least.
    s.failed |= count > static_cast<uint64_t>(s.end - s.at);
    for (uint64_t i = 0; i < count && !s.failed; ++i)
      visit(s, values.emplace_back());
  } else {
    for (T &value : values)
      visit(s, value);
  }
}
template <typename Stream, typename T, size_t N>
void visit(Stream &s, std::array<T, N> &values) {
  for (T &value : values)
    visit(s, value);
}

template <typename Stream> void visit(Stream &s, ArgumentInfo &info) {
  visit(s, info.name);
  visit(s, info.isIndex);
  visit(s, info.isReal);
  visit(s, info.dtype);
  visit(s, info.dims);
  visit(s, info.alignment);
}
template <typename Stream> void visit(Stream &s, ResultInfo &info) {
  visit(s, info.name);
  visit(s, info.dtype);
  visit(s, info.dims);
  visit(s, info.alignment);
}
template <typename Stream> void visit(Stream &s, Buffer &buffer) {
  visitEnum(s, buffer.kind, Buffer::Kind::Temporary);
  visit(s, buffer.index);
  visit(s, buffer.bytes);
  visit(s, buffer.name);
}
template <typename Stream> void visit(Stream &s, Check &check) {
  visitEnum(s, check.relation, Check::Relation::Divisible);
  visit(s, check.lhs);
  visit(s, check.rhs);
  visit(s, check.message);
}

template <typename Stream> void visit(Stream &s, PointerParam &param) {
  visit(s, param.buffer);
  visit(s, param.byteOffset);
}
template <typename Stream> void visit(Stream &s, Int64Param &param) {
  visit(s, param.value);
}
template <typename Stream> void visit(Stream &s, Int32Param &param) {
  visit(s, param.value);
}
template <typename Stream> void visit(Stream &s, Float32Param &param) {
  visit(s, param.value);
}
template <typename Stream> void visit(Stream &s, RealParam &param) {
  visit(s, param.argument);
  visit(s, param.dtype);
}
template <typename Stream> void visit(Stream &s, TensorMapParam &param) {
  visit(s, param.buffer);
  visit(s, param.byteOffset);
  visit(s, param.dtype);
  visit(s, param.dims);
  visit(s, param.byteStrides);
  visit(s, param.box);
  visit(s, param.elementStrides);
  visitEnum(s, param.swizzle, Swizzle::B128);
  visitEnum(s, param.l2Promotion, L2Promotion::B256);
  visitEnum(s, param.oobFill, OobFill::NaN);
}

/// Calls `make<I>` of alternative `index` for a reader.
template <size_t I = 0, typename... Ts>
bool emplace(std::variant<Ts...> &value, uint64_t index) {
  if constexpr (I == sizeof...(Ts)) {
    return false;
  } else {
    if (index != I)
      return emplace<I + 1>(value, index);
    value.template emplace<I>();
    return true;
  }
}
template <typename Stream> void visit(Stream &s, Launch &launch);
template <typename Stream> void visit(Stream &s, Fill &fill);
template <typename Stream, typename... Ts>
void visit(Stream &s, std::variant<Ts...> &value) {
  uint64_t index = value.index();
  visit(s, index);
  if constexpr (Stream::isReader) {
    s.failed |= !emplace(value, index);
    if (s.failed)
      return;
  }
  std::visit([&](auto &alternative) { visit(s, alternative); }, value);
}

template <typename Stream> void visit(Stream &s, Launch &launch) {
  visit(s, launch.module);
  visit(s, launch.kernel);
  visit(s, launch.grid);
  visit(s, launch.block);
  visit(s, launch.cluster);
  visit(s, launch.dynamicSharedBytes);
  visit(s, launch.params);
}
template <typename Stream> void visit(Stream &s, Fill &fill) {
  visit(s, fill.buffer);
  visit(s, fill.byteOffset);
  visit(s, fill.bytes);
  visit(s, fill.value);
}
template <typename Stream> void visit(Stream &s, ModuleImage &module) {
  visit(s, module.name);
  visit(s, module.target);
  visit(s, module.image);
}
template <typename Stream> void visit(Stream &s, ProgramVariant &variant) {
  Program &program = variant.program;
  visit(s, variant.when);
  visit(s, program.signature.name);
  visit(s, program.signature.arguments);
  visit(s, program.signature.results);
  visit(s, program.buffers);
  visit(s, program.checks);
  visit(s, program.steps);
  visit(s, program.modules);
}

} // namespace

std::string
flash::rt::writeProgramFile(const std::vector<ProgramVariant> &variants) {
  Writer body;
  std::vector<ProgramVariant> copy = variants;
  visit(body, copy);
  Writer file;
  file.bytes.assign(kMagic, 8);
  file.number(kProgramFileVersion, 4);
  file.number(body.bytes.size());
  file.number(hashBytes(body.bytes.data(), body.bytes.size()));
  return file.bytes + body.bytes;
}

Result<std::vector<ProgramVariant>> flash::rt::readProgramFile(const char *data,
                                                               size_t size) {
  if (size < kHeaderBytes || std::memcmp(data, kMagic, 8) != 0)
    return Status::error("this is no program of Flash's");
  Reader header{data + 8, data + size};
  uint64_t version = header.number(4), bytes = header.number(),
           hash = header.number();
  if (version != kProgramFileVersion)
    return Status::error("the program is of format " + std::to_string(version) +
                         ", but this library reads format " +
                         std::to_string(kProgramFileVersion) +
                         ": compile it again");
  const char *body = data + kHeaderBytes;
  if (bytes != size - kHeaderBytes ||
      hash != hashBytes(body, size - kHeaderBytes))
    return Status::error("the program is damaged: it was cut or changed");
  Reader reader{body, data + size};
  std::vector<ProgramVariant> variants;
  visit(reader, variants);
  if (reader.failed || reader.at != reader.end || variants.empty())
    return Status::error("the program is damaged: it does not read");
  for (const ProgramVariant &variant : variants)
    if (Status status = variant.program.verify(); status.failed())
      return status;
  return variants;
}
