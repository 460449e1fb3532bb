//===- Regions.cpp - Text of drawn regions --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Both regions have all captures, in the order of their places, integers first.
//
//===----------------------------------------------------------------------===//

#include "Draw.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FormatVariadic.h"

#include <set>

using namespace flash;
using namespace flash::fuzz;
using llvm::formatv;
using rt::DType;

Sort fuzz::sortOf(Node node) {
  if (node < Node::True)
    return Sort::Index;
  return node < Node::Score ? Sort::Bit : Sort::Real;
}

//===----------------------------------------------------------------------===//
// Captures
//===----------------------------------------------------------------------===//

namespace {
/// A capture that some region reads.
struct Capture {
  bool real;
  Place place;
  bool operator<(const Capture &other) const {
    return std::tie(real, place) < std::tie(other.real, other.place);
  }
  std::string name() const {
    return (real ? "reals" : "integers") + std::to_string(int(place));
  }
  /// Types take turns with the draw.
  DType element(const Draw &draw) const {
    static const DType kReals[] = {DType::F32, DType::F16, DType::BF16,
                                   DType::F64};
    uint64_t turn = draw.seed / 7 + uint64_t(place);
    if (real)
      return kReals[turn % (draw.type == DType::F64 ? 4 : 3)];
    return turn % 2 ? DType::I32 : DType::I64;
  }
  bool isPair() const {
    return place == Place::HeadKey || place == Place::BatchKey;
  }
  std::string type(const Draw &draw) const {
    return std::string("tensor<") +
           (place == Place::Clamped ? "16"
            : isPair()              ? "?x?"
                                    : "?") +
           "x" + rt::nameOf(element(draw)) + ">";
  }
};
} // namespace

static void collect(const Expr &expr, std::set<Capture> &captures) {
  if (expr.node == Node::ReadInteger || expr.node == Node::ReadReal)
    captures.insert({expr.node == Node::ReadReal, Place(expr.number)});
  for (const Expr &in : expr.in)
    collect(in, captures);
}

static std::set<Capture> capturesOf(const Draw &draw) {
  std::set<Capture> captures;
  for (const std::vector<Expr> *region : {&draw.maskRegion, &draw.scoreRegion})
    for (const Expr &expr : *region)
      collect(expr, captures);
  return captures;
}

std::vector<matrix::Extra> fuzz::makeCaptures(const Draw &draw) {
  std::vector<matrix::Extra> extras;
  for (const Capture &capture : capturesOf(draw)) {
    bool small = draw.smallIntegers, real = capture.real;
    auto shape = [=, sequences = draw.sequences,
                  heads = draw.kvHeads * draw.group](const matrix::Kernel &,
                                                     const matrix::Shape &s) {
      int64_t batches = sequences ? sequences : s.batch;
      switch (capture.place) {
      case Place::Batch:
        return std::vector<int64_t>{batches};
      case Place::Head:
        return std::vector<int64_t>{heads};
      case Place::Key:
      case Place::Query:
        return std::vector<int64_t>{s.sk};
      case Place::HeadKey:
        return std::vector<int64_t>{heads, s.sk};
      case Place::BatchKey:
        return std::vector<int64_t>{batches, s.sk};
      case Place::Clamped:
        return std::vector<int64_t>{16};
      }
      return std::vector<int64_t>();
    };
    auto fill = [=](const matrix::Kernel &, const matrix::Shape &,
                    uint64_t seed, rt::Array &array) {
      Random random(seed);
      for (int64_t i = 0; i < array.numElements(); ++i)
        array.set(i, real    ? double(random.between(-512, 512)) / 256
                     : small ? double(random.between(0, 4))
                             : double(random.between(-40, 200)));
    };
    extras.push_back({capture.name(), capture.type(draw), capture.element(draw),
                      shape, fill});
  }
  return extras;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static llvm::StringRef scoreTypeOf(const Draw &draw) {
  return draw.type == DType::F64 ? "f64" : "f32";
}

namespace {
class Printer {
public:
  explicit Printer(const Draw &draw)
      : draw(draw), realType(scoreTypeOf(draw)) {}

  /// Prints what computes the expression; returns its name.
  std::string print(const Expr &expr);
  std::string text;

private:
  /// `%n = <what>`.
  std::string emit(const llvm::Twine &what) {
    std::string name = "%v" + std::to_string(next++);
    text += "    " + name + " = " + what.str() + "\n";
    return name;
  }
  std::string number(int64_t value) {
    return emit("arith.constant " + llvm::Twine(value) + " : index");
  }
  std::string real(double value) {
    return emit("arith.constant " + formatv("{0:e}", value).str() + " : " +
                realType);
  }
  std::string binary(llvm::StringRef op, const std::string &a,
                     const std::string &b, llvm::StringRef type) {
    return emit(op + " " + a + ", " + b + " : " + type);
  }
  std::string read(const Expr &expr);
  std::string printIndex(const Expr &expr);
  std::string printBit(const Expr &expr);
  std::string printReal(const Expr &expr);

  const Draw &draw;
  /// The type of scores.
  const llvm::StringRef realType;
  int next = 0;
};
} // namespace

/// The element in its own type.
std::string Printer::read(const Expr &expr) {
  Capture capture{expr.node == Node::ReadReal, Place(expr.number)};
  std::string index;
  switch (capture.place) {
  case Place::Batch:
    index = "%b";
    break;
  case Place::Head:
    index = "%h";
    break;
  case Place::Key:
    index = "%y";
    break;
  case Place::Query:
    index = binary("arith.maxsi", "%x", number(0), "index");
    break;
  case Place::HeadKey:
    index = "%h, %y";
    break;
  case Place::BatchKey:
    index = "%b, %y";
    break;
  case Place::Clamped: {
    std::string at =
        expr.in.empty() ? std::string("%y") : printIndex(expr.in[0]);
    at = binary("arith.minsi", at, number(15), "index");
    index = binary("arith.maxsi", at, number(0), "index");
    break;
  }
  }
  return emit("tensor.extract %c_" + capture.name() + "[" + index +
              "] : " + capture.type(draw));
}

std::string Printer::printIndex(const Expr &expr) {
  std::vector<std::string> in;
  if (expr.node != Node::ReadInteger)
    for (const Expr &operand : expr.in)
      in.push_back(print(operand));
  switch (expr.node) {
  case Node::Batch:
    return "%b";
  case Node::Head:
    return "%h";
  case Node::Query:
    return "%x";
  case Node::Key:
    return "%y";
  case Node::Number:
    return number(expr.number);
  case Node::Add:
    return binary("arith.addi", in[0], in[1], "index");
  case Node::Sub:
    return binary("arith.subi", in[0], in[1], "index");
  case Node::Mul:
    return binary("arith.muli", in[0], number(expr.number), "index");
  case Node::Min:
    return binary("arith.minsi", in[0], in[1], "index");
  case Node::Max:
    return binary("arith.maxsi", in[0], in[1], "index");
  case Node::Abs:
    return emit("math.absi " + in[0] + " : index");
  case Node::FloorDiv:
    return binary("arith.floordivsi", in[0], number(expr.number), "index");
  case Node::Div:
    return binary("arith.divsi", in[0], number(expr.number), "index");
  case Node::Rem:
    return binary("arith.remsi", in[0], number(expr.number), "index");
  case Node::ChooseIndex:
    return emit("arith.select " + in[0] + ", " + in[1] + ", " + in[2] +
                " : index");
  case Node::Narrow: {
    std::string narrow = emit("arith.index_cast " + in[0] + " : index to i32");
    return emit("arith.index_cast " + narrow + " : i32 to index");
  }
  default: {
    Capture capture{false, Place(expr.number)};
    std::string element = read(expr);
    return emit("arith.index_cast " + element + " : " +
                rt::nameOf(capture.element(draw)) + " to index");
  }
  }
}

std::string Printer::printBit(const Expr &expr) {
  static constexpr llvm::StringLiteral kPredicates[] = {
      "eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"};
  std::vector<std::string> in;
  in.reserve(expr.in.size());
  for (const Expr &operand : expr.in)
    in.push_back(print(operand));
  switch (expr.node) {
  case Node::Compare:
    return emit("arith.cmpi " + kPredicates[expr.number] + ", " + in[0] + ", " +
                in[1] + " : index");
  case Node::CompareReal:
    return binary("arith.cmpf olt,", in[0], real(double(expr.number) / 4),
                  realType)
        .c_str();
  case Node::And:
    return binary("arith.andi", in[0], in[1], "i1");
  case Node::Or:
    return binary("arith.ori", in[0], in[1], "i1");
  case Node::Xor:
    return binary("arith.xori", in[0], in[1], "i1");
  default:
    return emit(expr.number ? "arith.constant true" : "arith.constant false");
  }
}

std::string Printer::printReal(const Expr &expr) {
  std::vector<std::string> in;
  if (expr.node != Node::ReadReal)
    for (const Expr &operand : expr.in)
      in.push_back(print(operand));
  auto unary = [&](llvm::StringRef op, const std::string &a) {
    return emit(op + " " + a + " : " + realType);
  };
  auto both = [&](llvm::StringRef op, const std::string &a,
                  const std::string &b) { return binary(op, a, b, realType); };
  switch (expr.node) {
  case Node::Score:
    return "%s";
  case Node::Real:
    return real(double(expr.number) / 16);
  case Node::FromIndex: {
    std::string low = binary("arith.maxsi", in[0], number(-20), "index"),
                index = binary("arith.minsi", low, number(20), "index"),
                narrow = emit("arith.index_cast " + index + " : index to i32");
    return both("arith.mulf",
                emit("arith.sitofp " + narrow + " : i32 to " + realType),
                real(0.125));
  }
  case Node::AddReal:
    return both("arith.addf", in[0], in[1]);
  case Node::SubReal:
    return both("arith.subf", in[0], in[1]);
  case Node::MulReal:
    return both("arith.mulf", in[0], in[1]);
  case Node::MaxReal:
    return both("arith.maximumf", in[0], in[1]);
  case Node::AbsReal:
    return unary("math.absf", in[0]);
  case Node::Tanh:
    return unary("math.tanh", in[0]);
  case Node::ExpOfNegative:
    return unary("math.exp", unary("arith.negf", unary("math.absf", in[0])));
  case Node::Clamp:
    return both("arith.minimumf", both("arith.maximumf", in[0], real(-3)),
                real(3));
  case Node::Scaled:
    return both("arith.mulf", in[0], real(double(expr.number) / 8));
  case Node::Leaky:
    return both("arith.maximumf", in[0], both("arith.mulf", in[0], real(0.5)));
  case Node::ChooseReal:
    return emit("arith.select " + in[0] + ", " + in[1] + ", " + in[2] + " : " +
                realType);
  case Node::Hidden:
    return emit(realType == "f64" ? "arith.constant 0xFFF0000000000000 : f64"
                                  : "arith.constant 0xFF800000 : f32");
  default: {
    Capture capture{true, Place(expr.number)};
    std::string element = read(expr);
    if (rt::nameOf(capture.element(draw)) == realType)
      return element;
    return emit("arith.extf " + element + " : " +
                rt::nameOf(capture.element(draw)) + " to " + realType);
  }
  }
}

std::string Printer::print(const Expr &expr) {
  switch (sortOf(expr.node)) {
  case Sort::Index:
    return printIndex(expr);
  case Sort::Bit:
    return printBit(expr);
  case Sort::Real:
    return printReal(expr);
  }
  return "";
}

std::string fuzz::printRegion(const Draw &draw, bool ofScore) {
  Printer printer(draw);
  std::string value =
      printer.print((ofScore ? draw.scoreRegion : draw.maskRegion)[0]);
  std::string type = scoreTypeOf(draw).str();
  std::string text =
      ofScore ? "score {\n  ^bb0(%s: " + type + ", " : "mask {\n  ^bb0(";
  text += "%b: index, %h: index, %x: index, %y: index";
  for (const Capture &capture : capturesOf(draw))
    text += ", %c_" + capture.name() + ": " + capture.type(draw);
  return text + "):\n" + printer.text + "    flash.yield " + value + " : " +
         (ofScore ? type : "i1") + "\n  }";
}
