//===- TensorMapTest.cpp - TMA descriptors --------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is handed to the driver, and the rules that are checked before it.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/TensorMap.h"
#include "FakeDriver.h"
#include "TestProgram.h"

#include <gtest/gtest.h>

using namespace flash::rt;
using namespace flash::rt::cuda;

namespace {

TensorMapParam keyMap() {
  TensorMapParam map;
  map.dtype = DType::BF16;
  map.dims = {0, 0, 0};
  map.byteStrides = {0, 0};
  map.box = {64, 128, 1};
  return map;
}

using Dims = std::vector<uint64_t>;

TEST(TensorMapTest, Encode) {
  FakeDriver fake;
  TensorMapParam param = keyMap();
  param.elementStrides = {1, 2, 1};
  param.swizzle = Swizzle::B128;
  param.l2Promotion = L2Promotion::B128;
  param.oobFill = OobFill::NaN;
  TensorMapValues values{0x10000, {128, 1000, 16}, {256, 256000}};
  Result<TensorMap> map = encodeTensorMap(fake.table, param, values, "'k'");
  ASSERT_TRUE(map.ok()) << map.message();
  ASSERT_EQ(fake.maps.size(), 1u);
  const RecordedMap &record = fake.maps[0];
  EXPECT_EQ(record.type, 9);
  EXPECT_EQ(record.address, 0x10000u);
  EXPECT_EQ(record.dims, (Dims{128, 1000, 16}));
  EXPECT_EQ(record.strides, (Dims{256, 256000}));
  EXPECT_EQ(record.box, (std::vector<uint32_t>{64, 128, 1}));
  EXPECT_EQ(record.elementStrides, (std::vector<uint32_t>{1, 2, 1}));
  EXPECT_EQ(record.interleave, 0);
  EXPECT_EQ(record.swizzle, 3);
  EXPECT_EQ(record.l2Promotion, 2);
  EXPECT_EQ(record.oobFill, 1);
  EXPECT_EQ(map->opaque[15], 0xabc001u);
}

TEST(TensorMapTest, EmptyTensor) {
  // No keys: dimension 0 and a null address, which the driver would refuse.
  FakeDriver fake;
  Result<TensorMap> map =
      encodeTensorMap(fake.table, keyMap(), {0, {128, 0, 16}, {256, 0}}, "'k'");
  ASSERT_TRUE(map.ok()) << map.message();
  EXPECT_EQ(fake.maps[0].dims, (Dims{1, 1, 1}));
  EXPECT_EQ(fake.maps[0].strides, (Dims{16, 16}));
  EXPECT_NE(fake.maps[0].address, 0u);
}

TEST(TensorMapTest, Errors) {
  FakeDriver fake;
  auto error = [&](TensorMapValues values) {
    return encodeTensorMap(fake.table, keyMap(), values, "'k'").message();
  };
  EXPECT_EQ(error({0x10008, {128, 10, 16}, {256, 2560}}),
            "encoding the tensor map of 'k': the address 0x10008 is not a "
            "multiple of 16 bytes");
  EXPECT_EQ(error({0x10000, {59, 10, 16}, {118, 1180}}),
            "encoding the tensor map of 'k': the stride of dimension 1 is 118 "
            "bytes, not a multiple of 16 within 0 to 2^40");
  EXPECT_EQ(error({0x10000, {128, int64_t(1) << 33, 16}, {256, 2560}}),
            "encoding the tensor map of 'k': dimension 1 is 8589934592, not "
            "within 0 to 2^32");
  EXPECT_TRUE(fake.maps.empty());
  fake.fail = "cuTensorMapEncodeTiled";
  fake.failCode = 1;
  EXPECT_EQ(error({0x10000, {128, 10, 16}, {256, 2560}}),
            "encoding the tensor map of 'k': cuTensorMapEncodeTiled: "
            "CUDA_ERROR_INVALID_VALUE (other)");
  fake.table.tensorMapEncodeTiled = nullptr;
  EXPECT_EQ(error({0x10000, {128, 10, 16}, {256, 2560}}),
            "encoding the tensor map of 'k' needs cuTensorMapEncodeTiled, "
            "which this CUDA driver does not have");
}

TEST(TensorMapTest, Verify) {
  auto error = [](auto change) {
    TensorMapParam param = keyMap();
    change(param);
    return verifyTensorMap(param).message();
  };
  EXPECT_EQ(error([](TensorMapParam &) {}), "");
  EXPECT_EQ(error([](TensorMapParam &p) { p.dims.clear(); }),
            "tensor map: rank 0 is not within 1 to 5");
  EXPECT_EQ(error([](TensorMapParam &p) { p.dims.resize(6); }),
            "tensor map: rank 6 is not within 1 to 5");
  EXPECT_EQ(error([](TensorMapParam &p) { p.byteStrides.pop_back(); }),
            "tensor map: rank 3 with 1 strides, 3 box dimensions and 0 element "
            "strides");
  EXPECT_EQ(error([](TensorMapParam &p) { p.box[1] = 257; }),
            "tensor map: box dimension 257 is not within 1 to 256");
  EXPECT_EQ(error([](TensorMapParam &p) { p.elementStrides = {1, 9, 1}; }),
            "tensor map: element stride 9 is not within 1 to 8");
  EXPECT_EQ(error([](TensorMapParam &p) { p.box[0] = 128; }),
            "tensor map: the box's inner dimension has 256 bytes, more than "
            "its swizzle's 128");
  EXPECT_EQ(error([](TensorMapParam &p) {
              p.box[0] = 128;
              p.swizzle = Swizzle::None;
            }),
            "");
}

TEST(TensorMapTest, Cache) {
  FakeDriver fake;
  TensorMapCache cache = {};
  Program program = testProgram();
  TensorMapParam param = keyMap();
  TensorMapValues values{0x10000, {128, 10, 16}, {256, 2560}};
  TensorMapCache::Owner owner;
  auto get = [&] {
    TensorMap map;
    Status status = cache.get(fake.table, param, values, program, owner, &map);
    EXPECT_TRUE(status.ok()) << status.message();
    return map.opaque[0];
  };
  uint64_t first = get();
  EXPECT_EQ(get(), first);
  EXPECT_EQ(fake.maps.size(), 1u);
  // Whatever differs makes another map.
  values.address += 0x1000;
  EXPECT_NE(get(), first);
  values.dims[1] = 11;
  get();
  values.byteStrides[1] = 2816;
  get();
  owner.map = 1;
  get();
  owner.program = 1;
  get();
  EXPECT_EQ(fake.maps.size(), 6u);
  get();
  EXPECT_EQ(fake.maps.size(), 6u);
  // No more than its share is kept.
  for (uint64_t i = 0; i < 3000; ++i) {
    values.address = 0x100000 + i * 16;
    get();
  }
  EXPECT_EQ(fake.maps.size(), 3006u);
  values.address = 0x10000;
  EXPECT_NE(get(), first);
}

} // namespace
