//===- Extras.cpp - Operands beside queries, keys and values -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

#include <algorithm>
#include <limits>
#include <random>

using namespace flash;
using namespace flash::matrix;
using rt::Array;
using rt::DType;

const char *const flash::matrix::dilatedMask = R"(mask {
  ^bb0(%b: index, %h: index, %x: index, %y: index):
    %c3 = arith.constant 3 : index
    %c0 = arith.constant 0 : index
    %c40 = arith.constant 40 : index
    %d = arith.subi %x, %y : index
    %r = arith.remsi %d, %c3 : index
    %z = arith.cmpi eq, %r, %c0 : index
    %w = arith.muli %h, %c40 : index
    %n = arith.cmpi slt, %d, %w : index
    %s = arith.ori %z, %n : i1
    flash.yield %s : i1
  })";

const std::vector<Shape> &matrix::mixedShapes() {
  static const std::vector<Shape> shapes = {
      {1, 0, 63},   {1, 63, 0},   {2, 1, 113},  {1, 113, 113},  {2, 200, 97},
      {1, 97, 200}, {3, 64, 128}, {1, 1, 1023}, {1, 300, 1023}, {1, 517, 517}};
  return shapes;
}

int64_t matrix::keysOf(const Kernel &kernel, const Shape &shape) {
  int64_t page = std::max<int64_t>(kernel.pageSize, 1);
  return ceilDiv(shape.sk, page) * page;
}

int64_t matrix::pagesOf(const Kernel &kernel, const Shape &shape) {
  return kernel.pageSize ? shape.batch * ceilDiv(shape.sk, kernel.pageSize) + 2
                         : 0;
}

Extra matrix::drawn(
    std::string name, std::string type,
    std::function<Dims(const Kernel &, const Shape &)> shape,
    std::function<std::pair<int64_t, int64_t>(const Shape &)> range) {
  return {
      std::move(name), std::move(type), DType::I32, std::move(shape),
      [range](const Kernel &, const Shape &shape, uint64_t seed, Array &array) {
        std::mt19937_64 random(seed);
        auto [low, high] = range(shape);
        std::uniform_int_distribution<int64_t> draw(low, high);
        for (int64_t i = 0; i < array.numElements(); ++i)
          array.set(i, double(draw(random)));
      }};
}

Extra matrix::segments(std::string name, bool ofQueries) {
  return {std::move(name), "tensor<?x?xi32>", DType::I32,
          [ofQueries](const Kernel &, const Shape &s) {
            return Dims{s.batch, ofQueries ? s.sq : s.sk};
          },
          [](const Kernel &, const Shape &s, uint64_t seed, Array &array) {
            int64_t length = s.batch ? array.numElements() / s.batch : 0;
            for (int64_t i = 0; i < array.numElements(); ++i) {
              int64_t row = i % length;
              array.set(i, double(row % 89 == 7 ? 0 : row / 37));
            }
          }};
}

Extra matrix::starts(std::string name, bool ofQueries) {
  return {
      std::move(name), "tensor<?xi32>", DType::I32,
      [](const Kernel &, const Shape &) { return Dims{5}; },
      [ofQueries](const Kernel &, const Shape &s, uint64_t seed, Array &array) {
        int64_t total = ofQueries ? s.sq : s.sk;
        std::mt19937_64 random(seed);
        std::vector<int64_t> cuts{0};
        for (int i = 0; i < 3; ++i)
          cuts.push_back(int64_t(random() % (total + 1)));
        cuts.push_back(std::max<int64_t>(total - 3, 0));
        cuts[2] = cuts[1];
        std::sort(cuts.begin(), cuts.end());
        for (int i = 0; i < 5; ++i)
          array.set(i, double(cuts[i]));
      }};
}

Extra matrix::keyLengths() {
  return drawn(
      "n", "tensor<?xi32>",
      [](const Kernel &, const Shape &s) { return Dims{s.batch}; },
      [](const Shape &s) { return std::pair<int64_t, int64_t>{0, s.sk}; });
}

Extra matrix::pageTable() {
  return {"t", "tensor<?x?xi32>", DType::I32,
          [](const Kernel &k, const Shape &s) {
            return Dims{s.batch, ceilDiv(s.sk, k.pageSize)};
          },
          [](const Kernel &k, const Shape &s, uint64_t seed, Array &array) {
            std::vector<int64_t> pages(pagesOf(k, s));
            for (size_t i = 0; i < pages.size(); ++i)
              pages[i] = int64_t(i);
            std::shuffle(pages.begin(), pages.end(), std::mt19937_64(seed));
            for (int64_t i = 0; i < array.numElements(); ++i)
              array.set(i, double(pages[i]));
          }};
}

Extra matrix::floats(std::string name, std::string type, DType element,
                     double low, double high,
                     std::function<Dims(const Kernel &, const Shape &)> shape) {
  return {std::move(name), std::move(type), element, std::move(shape),
          [=](const Kernel &, const Shape &, uint64_t seed, Array &array) {
            std::mt19937_64 random(seed);
            std::uniform_real_distribution<double> draw(low, high);
            for (int64_t i = 0; i < array.numElements(); ++i)
              array.set(i, draw(random));
          }};
}

Extra matrix::slopes(DType type, double low, double high) {
  return floats("a", std::string("tensor<?x") + rt::nameOf(type) + ">", type,
                low, high,
                [](const Kernel &k, const Shape &) { return Dims{k.heads}; });
}

Extra matrix::sinks() {
  return {"z", "tensor<?xf32>", DType::F32,
          [](const Kernel &k, const Shape &) { return Dims{k.heads}; },
          [](const Kernel &k, const Shape &, uint64_t, Array &array) {
            static constexpr double kLogits[] = {
                -std::numeric_limits<double>::infinity(), 1.5, -30, 60};
            for (int64_t i = 0; i < array.numElements(); ++i)
              array.set(i, kLogits[i % 4]);
          }};
}

void matrix::makeNarrow(Kernel &kernel, std::optional<DType> key,
                        std::optional<DType> value) {
  auto add = [&](const char *keyword, const char *name, DType type) {
    // Integers are as large as 127.
    auto [low, high] =
        type == DType::I8 ? std::pair{0.02, 0.03} : std::pair{0.5, 1.5};
    kernel.extras.push_back(
        floats(name, "tensor<?xf32>", DType::F32, low, high,
               [](const Kernel &k, const Shape &) { return Dims{k.kvHeads}; }));
    kernel.operands += " " + listOperands(keyword, {kernel.extras.back()});
  };
  kernel.keyType = key;
  kernel.valueType = value;
  if (key)
    add("key_scale", "x", *key);
  if (value)
    add("value_scale", "y", *value);
}

Extra matrix::bias(double low, double high) {
  return floats("w", "tensor<1x?x?x?xf32>", DType::F32, low, high,
                [](const Kernel &k, const Shape &s) {
                  return Dims{1, k.heads, s.sq, keysOf(k, s)};
                });
}

Extra matrix::prefixLengths() {
  return drawn(
      "p", "tensor<?xi32>",
      [](const Kernel &, const Shape &s) { return Dims{s.batch}; },
      [](const Shape &s) { return std::pair<int64_t, int64_t>{0, s.sk + 9}; });
}

Extra matrix::documents(std::string name, bool ofQueries) {
  return {std::move(name), "tensor<?x?xi32>", DType::I32,
          [ofQueries](const Kernel &k, const Shape &s) {
            return Dims{s.batch, ofQueries ? s.sq : keysOf(k, s)};
          },
          [](const Kernel &, const Shape &, uint64_t, Array &array) {
            constexpr int32_t kIds[]{INT32_MAX, 1, 0, -1, INT32_MIN};
            int64_t length = std::max<int64_t>(array.shape()[1], 1);
            for (int64_t i = 0; i < array.numElements(); ++i)
              array.set(i, double(kIds[i % length / 150 % 5]));
          }};
}
