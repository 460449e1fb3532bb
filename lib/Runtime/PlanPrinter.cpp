//===- PlanPrinter.cpp - Launch plans as text -----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For tests, and for people who ask what a function became:
//
//   plan @attention(q: bf16[?, 32, ?, 128], k: ...) -> (o: bf16[dim(0, 0),
//   ...])
//     buffer #0 = argument 0 ('q')
//     check dim(1, 2) == dim(2, 2): "..."
//     launch @attention of module #0 grid (...) block (...) shared 0
//       pointer #0
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Plan.h"

#include <cstdio>

using namespace flash::rt;

namespace {

template <typename List, typename Print>
std::string join(const List &list, Print print) {
  std::string text;
  bool first = true;
  for (const auto &item : list) {
    text += first ? "" : ", ";
    text += print(item);
    first = false;
  }
  return text;
}

std::string numbers(const std::vector<uint32_t> &values) {
  return "[" + join(values, [](uint32_t v) { return std::to_string(v); }) + "]";
}

std::string sizes(const std::array<uint32_t, 3> &values) {
  return "(" + join(values, [](uint32_t v) { return std::to_string(v); }) + ")";
}

std::string exprs(const std::vector<Expr> &list) {
  return "[" + join(list, [](const Expr &e) { return e.str(); }) + "]";
}

std::string place(int buffer, const Expr &offset) {
  std::string text = "#" + std::to_string(buffer);
  return offset.isConstant(0) ? text : text + " + " + offset.str() + " bytes";
}

std::string str(const PointerParam &param) {
  return "pointer " + place(param.buffer, param.byteOffset);
}
std::string str(const Int64Param &param) { return "i64 " + param.value.str(); }
std::string str(const Int32Param &param) { return "i32 " + param.value.str(); }
std::string str(const Float32Param &param) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", static_cast<double>(param.value));
  return std::string("f32 ") + text;
}
std::string str(const RealParam &param) {
  return std::string(nameOf(param.dtype)) + " number(" +
         std::to_string(param.argument) + ")";
}
std::string str(const TensorMapParam &param) {
  const char *swizzles[] = {"none", "32", "64", "128"};
  const char *promotions[] = {"none", "64", "128", "256"};
  std::string text = "tensor_map " + place(param.buffer, param.byteOffset) +
                     " : " + nameOf(param.dtype) + exprs(param.dims) +
                     " strides " + exprs(param.byteStrides) + " box " +
                     numbers(param.box);
  if (!param.elementStrides.empty())
    text += " element_strides " + numbers(param.elementStrides);
  return text + " swizzle " + swizzles[static_cast<int>(param.swizzle)] +
         " l2 " + promotions[static_cast<int>(param.l2Promotion)] +
         (param.oobFill == OobFill::NaN ? " fill nan" : " fill zero");
}

std::string str(const Launch &launch) {
  std::string text = "launch @" + launch.kernel + " of module #" +
                     std::to_string(launch.module) + " grid (" +
                     join(launch.grid, [](const Expr &e) { return e.str(); }) +
                     ") block " + sizes(launch.block);
  if (launch.cluster[0] * launch.cluster[1] * launch.cluster[2] > 1)
    text += " cluster " + sizes(launch.cluster);
  text += " shared " + std::to_string(launch.dynamicSharedBytes);
  for (const Param &param : launch.params)
    text += "\n    " + std::visit([](const auto &p) { return str(p); }, param);
  return text;
}

std::string str(const Fill &fill) {
  return "fill " + place(fill.buffer, fill.byteOffset) + ", " +
         fill.bytes.str() + " bytes of " + std::to_string(fill.value);
}

const char *str(Check::Relation relation) {
  switch (relation) {
  case Check::Relation::Equal:
    return " == ";
  case Check::Relation::EqualOrOne:
    return " == 1 or ";
  case Check::Relation::LessEqual:
    return " <= ";
  case Check::Relation::Divisible:
    return " divisible by ";
  }
  return "";
}

std::string str(const Check &check) {
  return "check " + check.lhs.str() + str(check.relation) + check.rhs.str() +
         ": \"" + check.message + "\"";
}

} // namespace

std::string Program::str() const {
  std::string text = "plan @" + signature.name + "(";
  text += join(signature.arguments, [](const ArgumentInfo &argument) {
    if (argument.isIndex)
      return argument.name + ": index";
    if (argument.isReal)
      return argument.name + ": " + nameOf(argument.dtype);
    return argument.name + ": " + nameOf(argument.dtype) + "[" +
           join(argument.dims,
                [](const std::optional<Expr> &dim) {
                  return dim ? dim->str() : std::string("?");
                }) +
           "]";
  });
  text += ") -> (";
  text += join(signature.results, [](const ResultInfo &result) {
    return result.name + ": " + nameOf(result.dtype) + exprs(result.dims);
  });
  text += ")\n";
  for (size_t i = 0; i < modules.size(); ++i)
    text += "  module #" + std::to_string(i) + " '" + modules[i].name + "' " +
            modules[i].target + (modules[i].isPtx() ? " ptx\n" : " cubin\n");
  for (size_t i = 0; i < buffers.size(); ++i) {
    text += "  buffer #" + std::to_string(i) + " = " +
            nameOfBuffer(static_cast<int>(i));
    if (buffers[i].kind == Buffer::Kind::Temporary)
      text += ", " + buffers[i].bytes.str() + " bytes";
    text += "\n";
  }
  for (const Check &check : checks)
    text += "  " + ::str(check) + "\n";
  for (const Step &step : steps)
    text +=
        "  " + std::visit([](const auto &s) { return ::str(s); }, step) + "\n";
  return text;
}
