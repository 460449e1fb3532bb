//===- CudaHeaderTest.cpp - Our declarations against cuda.h ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime declares the driver's types and numbers itself. Where a CUDA
// toolkit is found, this file is compiled too, and compares them with cuda.h.
//
//===----------------------------------------------------------------------===//

#include "FakeDriver.h"
#include "flash/Runtime/CudaDriver.h"
#include "flash/Runtime/TensorMap.h"

#include <gtest/gtest.h>
#include <type_traits>

// All versions of functions by their symbols, as dlsym has them.
#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>
#if CUDA_VERSION < 13020
extern "C" CUresult CUDAAPI cuFuncGetParamCount(CUfunction, size_t *);
#endif

namespace rtc = flash::rt::cuda;

namespace {

/// Equal numbers of parameters, each of equal size, pointers where pointers
/// are.
template <typename R, typename... Ours, typename... Theirs>
constexpr bool sameAbi(rtc::Code (*)(Ours...), R (*)(Theirs...)) {
  if constexpr (sizeof...(Ours) != sizeof...(Theirs))
    return false;
  else
    return ((sizeof(Ours) == sizeof(Theirs) &&
             std::is_pointer_v<Ours> == std::is_pointer_v<Theirs>) &&
            ...);
}

// NOLINTBEGIN(bugprone-macro-parentheses): a member's name
#define FLASH_CHECK_FUNCTION(member, symbol, parameters)                       \
  static_assert(                                                               \
      sameAbi(decltype(rtc::Driver::member)(), decltype (&symbol)()),          \
      #symbol);
// NOLINTEND(bugprone-macro-parentheses)
FLASH_RT_CUDA_FUNCTIONS(FLASH_CHECK_FUNCTION)
FLASH_RT_CUDA_OPTIONAL_FUNCTIONS(FLASH_CHECK_FUNCTION)
#undef FLASH_CHECK_FUNCTION

TEST(CudaHeaderTest, Layouts) {
  static_assert(sizeof(rtc::TensorMap) == sizeof(CUtensorMap));
  static_assert(alignof(rtc::TensorMap) >= alignof(CUtensorMap) ||
                alignof(rtc::TensorMap) == 64);
  static_assert(sizeof(rtc::LaunchConfig) == sizeof(CUlaunchConfig));
  static_assert(sizeof(rtc::LaunchAttribute) == sizeof(CUlaunchAttribute));
  EXPECT_EQ(offsetof(rtc::LaunchConfig, blockDim),
            offsetof(CUlaunchConfig, blockDimX));
  EXPECT_EQ(offsetof(rtc::LaunchConfig, sharedMemBytes),
            offsetof(CUlaunchConfig, sharedMemBytes));
  EXPECT_EQ(offsetof(rtc::LaunchConfig, stream),
            offsetof(CUlaunchConfig, hStream));
  EXPECT_EQ(offsetof(rtc::LaunchConfig, attrs),
            offsetof(CUlaunchConfig, attrs));
  EXPECT_EQ(offsetof(rtc::LaunchConfig, numAttrs),
            offsetof(CUlaunchConfig, numAttrs));
  EXPECT_EQ(offsetof(rtc::LaunchAttribute, value),
            offsetof(CUlaunchAttribute, value));
}

TEST(CudaHeaderTest, Numbers) {
#define FLASH_SAME(ours, theirs)                                               \
  EXPECT_EQ(static_cast<int>(ours), static_cast<int>(theirs))
  FLASH_SAME(0, CUDA_SUCCESS);
  FLASH_SAME(rtc::LaunchAttribute::kClusterDimension,
             CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
  FLASH_SAME(rtc::kMaxSharedMemoryPerBlock,
             CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
  FLASH_SAME(rtc::kClockRate, CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
  FLASH_SAME(rtc::kMultiprocessorCount,
             CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  FLASH_SAME(rtc::kMemoryClockRate, CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
  FLASH_SAME(rtc::kMemoryBusWidth, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
  FLASH_SAME(rtc::kL2CacheSize, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  FLASH_SAME(rtc::kComputeCapabilityMajor,
             CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  FLASH_SAME(rtc::kComputeCapabilityMinor,
             CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  FLASH_SAME(rtc::kMaxSharedMemoryPerMultiprocessor,
             CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
  FLASH_SAME(rtc::kMaxRegistersPerMultiprocessor,
             CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR);
  FLASH_SAME(rtc::kMaxSharedMemoryPerBlockOptin,
             CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  FLASH_SAME(rtc::kMaxThreadsPerBlock, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  FLASH_SAME(rtc::kSharedSizeBytes, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
  FLASH_SAME(rtc::kLocalSizeBytes, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
  FLASH_SAME(rtc::kNumRegs, CU_FUNC_ATTRIBUTE_NUM_REGS);
  FLASH_SAME(rtc::kMaxDynamicSharedSizeBytes,
             CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
  FLASH_SAME(rtc::kNonPortableClusterSizeAllowed,
             CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED);
  FLASH_SAME(rtc::kErrorLogBuffer, CU_JIT_ERROR_LOG_BUFFER);
  FLASH_SAME(rtc::kErrorLogBufferSizeBytes, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
  FLASH_SAME(rtc::kGenerateLineInfo, CU_JIT_GENERATE_LINE_INFO);

  using namespace flash::rt;
  FLASH_SAME(Swizzle::None, CU_TENSOR_MAP_SWIZZLE_NONE);
  FLASH_SAME(Swizzle::B32, CU_TENSOR_MAP_SWIZZLE_32B);
  FLASH_SAME(Swizzle::B64, CU_TENSOR_MAP_SWIZZLE_64B);
  FLASH_SAME(Swizzle::B128, CU_TENSOR_MAP_SWIZZLE_128B);
  FLASH_SAME(L2Promotion::None, CU_TENSOR_MAP_L2_PROMOTION_NONE);
  FLASH_SAME(L2Promotion::B64, CU_TENSOR_MAP_L2_PROMOTION_L2_64B);
  FLASH_SAME(L2Promotion::B128, CU_TENSOR_MAP_L2_PROMOTION_L2_128B);
  FLASH_SAME(L2Promotion::B256, CU_TENSOR_MAP_L2_PROMOTION_L2_256B);
  FLASH_SAME(OobFill::Zero, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  FLASH_SAME(OobFill::NaN, CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA);
#undef FLASH_SAME
}

TEST(CudaHeaderTest, TensorMapTypes) {
  using flash::rt::DType;
  const std::pair<DType, int> types[] = {
      {DType::F32, CU_TENSOR_MAP_DATA_TYPE_FLOAT32},
      {DType::F16, CU_TENSOR_MAP_DATA_TYPE_FLOAT16},
      {DType::BF16, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16},
      {DType::F64, CU_TENSOR_MAP_DATA_TYPE_FLOAT64},
      {DType::I64, CU_TENSOR_MAP_DATA_TYPE_INT64},
      {DType::I32, CU_TENSOR_MAP_DATA_TYPE_INT32}};
  for (auto [type, number] : types) {
    rtc::FakeDriver fake;
    flash::rt::TensorMapParam param;
    param.dtype = type;
    param.dims = {16};
    param.box = {8};
    ASSERT_TRUE(
        flash::rt::encodeTensorMap(fake.table, param, {4096, {16}, {}}, "x")
            .ok());
    EXPECT_EQ(fake.maps[0].type, number) << flash::rt::nameOf(type);
  }
}

} // namespace
