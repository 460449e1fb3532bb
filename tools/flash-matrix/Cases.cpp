//===- Cases.cpp - Kernels and shapes to check ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Not the whole product of features, which would take hours: every value of
// every feature, all combinations of type, layout and mask, and each other
// feature with every type. Every kernel meets every shape.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"

#include "llvm/Support/raw_ostream.h"

using namespace flash;
using namespace flash::matrix;
using rt::DType;

std::string Kernel::name() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << rt::nameOf(type);
  if (keyType || valueType)
    os << "/" << rt::nameOf(keyElement()) << "/" << rt::nameOf(valueElement());
  os << (bshd ? " bshd" : " bhsd") << (causal ? " causal" : " full")
     << " d=" << dqk << "," << dv << " heads=" << heads << "/" << kvHeads
     << (dynamicHeads ? " dynamic-heads" : "") << (offsets ? " offsets" : "")
     << (lse ? "" : " no-lse") << (wideOutput ? " f32-output" : "")
     << (isStatic ? " static" : "");
  if (!scale.empty())
    os << " scale=" << scale;
  if (splitKV)
    os << " split=" << splitKV;
  if (!feature.empty())
    os << " " << feature;
  if (!gradients.empty())
    os << " gradients=" << gradients;
  for (const std::string &extra : gradientsOfExtras)
    os << " gradient=" << extra;
  if (!recompute.empty())
    os << " " << recompute;
  return text;
}

/// The numbers of the arguments that have gradients.
static std::vector<size_t> findArguments(const Kernel &kernel) {
  std::vector<size_t> numbers;
  for (char letter : kernel.gradients)
    numbers.push_back(std::string("qkv").find(letter));
  for (const std::string &name : kernel.gradientsOfExtras) {
    size_t number = 3 + 2 * kernel.offsets + 2 * kernel.seeds;
    for (const Extra &extra : kernel.extras) {
      if (extra.name == name)
        break;
      ++number;
    }
    numbers.push_back(number);
  }
  return numbers;
}

std::string Kernel::program() const {
  auto size = [&](int64_t fixed) {
    return isStatic ? std::to_string(fixed) : std::string("?");
  };
  std::string batch = size(shapes[0].batch), sq = size(shapes[0].sq),
              sk = size(shapes[0].sk);
  auto tensor = [&](const std::string &length, int64_t headCount, int64_t dim,
                    DType element) {
    std::string heads = dynamicHeads ? "?" : std::to_string(headCount);
    return "tensor<" + batch + "x" +
           (bshd ? length + "x" + heads : heads + "x" + length) + "x" +
           std::to_string(dim) + "x" + rt::nameOf(element) + ">";
  };
  auto keys = [&](int64_t dim, DType element) {
    if (!pageSize)
      return tensor(sk, kvHeads, dim, element);
    std::string size = dynamicPages ? "?" : std::to_string(pageSize),
                head = std::to_string(kvHeads);
    return "tensor<?x" + (bshd ? size + "x" + head : head + "x" + size) + "x" +
           std::to_string(dim) + "x" + rt::nameOf(element) + ">";
  };
  std::string q = tensor(sq, heads, dqk, type), k = keys(dqk, keyElement()),
              v = keys(dv, valueElement()),
              o = tensor(sq, heads, dv, wideOutput ? DType::F32 : type),
              l = "tensor<" + batch + "x" +
                  (dynamicHeads ? "?" : std::to_string(heads)) + "x" + sq +
                  (type == DType::F64 ? "xf64>" : "xf32>"),
              results = lse ? o + ", " + l : o;
  std::string text =
      "layout = #flash.layout<" + std::string(bshd ? "bshd" : "bhsd") + ">";
  if (causal)
    text += ", mask = #flash.causal";
  if (!attributes.empty())
    text += ", " + attributes;
  if (!scale.empty())
    text += ", scale = " + scale + " : f32";
  std::string parameters;
  for (const Extra &extra : extras)
    parameters += ", %" + extra.name + ": " + extra.type;
  std::string wrt;
  for (size_t argument : findArguments(*this))
    wrt +=
        (wrt.empty() ? "attributes {wrt = [" : ", ") + std::to_string(argument);
  if (!wrt.empty())
    wrt += "]} ";
  return "func.func @f(%q: " + q + ", %k: " + k + ", %v: " + v +
         (offsets ? ", %i: index, %j: index" : "") +
         (seeds ? ", %seed: i64, %offset: i64" : "") + parameters + ") -> (" +
         results + ") " + wrt + "{\n" + prelude + "  %o" + (lse ? ", %l" : "") +
         " = flash.attention %q, %k, %v" +
         (offsets ? " q_offset(%i) kv_offset(%j)" : "") + " " + operands +
         " {" + text + "} " + region + "\n      : " + q + ", " + k + ", " + v +
         " -> " + results + "\n  return %o" + (lse ? ", %l" : "") + " : " +
         results + "\n}\n";
}

std::string matrix::listOperands(const std::string &keyword,
                                 const std::vector<Extra> &extras) {
  if (extras.empty())
    return "";
  std::string names, types;
  for (const Extra &extra : extras) {
    names += (names.empty() ? "%" : ", %") + extra.name;
    types += (types.empty() ? "" : ", ") + extra.type;
  }
  return keyword + "(" + names + " : " + types + ") ";
}

/// Lengths at, beside and far from multiples of tiles, Sq != Sk both ways; with
/// the causal mask, Sq > Sk has rows that see no key.
static std::vector<Shape> makeShapes(bool large) {
  std::vector<Shape> shapes = {{1, 0, 0},    {1, 0, 63},     {1, 63, 0},
                               {1, 1, 1},    {2, 1, 113},    {1, 63, 63},
                               {2, 113, 63}, {1, 63, 113},   {1, 113, 113},
                               {3, 64, 128}, {1, 17, 200},   {1, 1, 1023},
                               {1, 1023, 1}, {1, 1023, 113}, {1, 113, 1023},
                               {0, 5, 5},    {1, 1023, 1023}};
  if (large)
    shapes.insert(shapes.end(),
                  {{1, 4097, 4097}, {1, 1, 8191}, {1, 2048, 4096}});
  return shapes;
}

/// Positions: aligned top-left, shifted both ways, far out, and such that no
/// query sees a key (the last).
static std::vector<Shape> makeOffsetShapes() {
  std::vector<Shape> shapes;
  for (auto [qOffset, kvOffset] : {std::pair<int64_t, int64_t>{0, 0},
                                   {5, 0},
                                   {-3, 4},
                                   {40, 7},
                                   {1000000, 999990},
                                   {-100000, -99990},
                                   {0, 2000}})
    for (auto [sq, sk] :
         {std::pair<int64_t, int64_t>{113, 113}, {63, 200}, {1, 63}, {200, 17}})
      shapes.push_back({1, sq, sk, qOffset, kvOffset});
  return shapes;
}

std::vector<Kernel> matrix::makeKernels(bool large) {
  std::vector<Kernel> kernels;
  const std::vector<Shape> shapes = makeShapes(large);
  auto add = [&](Kernel kernel) {
    if (kernel.shapes.empty())
      kernel.shapes = shapes;
    kernels.push_back(std::move(kernel));
  };
  int turn = 0; // of features that need not meet all others
  for (DType type : {DType::F32, DType::F16, DType::BF16, DType::F64}) {
    Kernel base;
    base.type = type;
    // Head dims that targets are made for, in every layout and with every mask.
    for (bool bshd : {false, true})
      for (bool causal : {false, true})
        for (int64_t dim : {64, 128}) {
          Kernel kernel = base;
          kernel.bshd = bshd;
          kernel.causal = causal;
          kernel.dqk = kernel.dv = dim;
          add(kernel);
        }
    // dqk != dv, and head dims off every tile.
    for (auto [dqk, dv] : {std::pair<int64_t, int64_t>{59, 111},
                           {111, 59},
                           {59, 59},
                           {111, 111},
                           {192, 128},
                           {256, 256},
                           {16, 8},
                           {1, 1}}) {
      Kernel kernel = base;
      kernel.dqk = dqk;
      kernel.dv = dv;
      kernel.bshd = turn & 1;
      kernel.causal = ++turn & 1;
      add(kernel);
    }
    // Ratios of heads.
    for (auto [heads, kvHeads] :
         {std::pair<int64_t, int64_t>{3, 3}, {6, 1}, {8, 2}, {6, 2}}) {
      Kernel kernel = base;
      kernel.heads = heads;
      kernel.kvHeads = kvHeads;
      kernel.causal = true;
      kernel.bshd = ++turn & 1;
      add(kernel);
    }
    {
      Kernel kernel = base;
      kernel.dynamicHeads = kernel.causal = true;
      for (Shape shape : {Shape{1, 63, 113}, {2, 113, 63}})
        for (auto [heads, kvHeads] :
             {std::pair<int64_t, int64_t>{4, 4}, {6, 3}, {5, 1}, {0, 0}}) {
          shape.heads = heads;
          shape.kvHeads = kvHeads;
          kernel.shapes.push_back(shape);
        }
      add(kernel);
    }
    for (bool bshd : {false, true}) {
      Kernel kernel = base;
      kernel.bshd = bshd;
      kernel.causal = kernel.offsets = true;
      kernel.shapes = makeOffsetShapes();
      add(kernel);
      kernel.splitKV = 2;
      add(kernel);
    }
    for (int64_t parts : {2, 3, 7})
      for (bool causal : {false, true}) {
        Kernel kernel = base;
        kernel.splitKV = parts;
        kernel.causal = causal;
        kernel.bshd = ++turn & 1;
        add(kernel);
      }
    for (const char *scale : {"1.0", "0.01", "0.0", "-0.125"}) {
      Kernel kernel = base;
      kernel.scale = scale;
      kernel.causal = ++turn & 1;
      add(kernel);
    }
    {
      Kernel kernel = base;
      kernel.causal = kernel.isStatic = true;
      kernel.shapes = {{2, 113, 200}};
      add(kernel);
      kernel.shapes = {{1, 128, 256}};
      add(kernel);
    }
    {
      Kernel kernel = base;
      kernel.lse = false;
      kernel.causal = true;
      add(kernel);
    }
    if (rt::sizeOf(type) == 2) {
      Kernel kernel = base;
      kernel.wideOutput = kernel.causal = true;
      add(kernel);
    }
    for (Kernel &kernel : makeSequenceKernels(type))
      add(std::move(kernel));
    for (Kernel &kernel : makeMaskKernels(type))
      add(std::move(kernel));
    for (Kernel &kernel : makeBlockSparseKernels(type))
      add(std::move(kernel));
    for (Kernel &kernel : makeScoreKernels(type))
      add(std::move(kernel));
    for (Kernel &kernel : makeNarrowKernels(type))
      add(std::move(kernel));
    if (type != DType::F64)
      for (Kernel &kernel : makePackedKernels(type))
        add(std::move(kernel));
    for (Kernel &kernel : makeHopperKernels(type))
      add(std::move(kernel));
    for (Kernel &kernel : makeUnseenKernels(type))
      add(std::move(kernel));
    for (Kernel &kernel : makeBackwardFeatureKernels(type))
      add(std::move(kernel));
    for (Kernel &kernel : makeBackwardKernels(type))
      add(std::move(kernel));
  }
  return kernels;
}
