//===- DialectsTest.cpp - The dialects through MLIR's C API ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program that knows MLIR's C API alone: it loads our dialects, reads an
// attention and runs a pass.
//
//===----------------------------------------------------------------------===//

#include "flash-c/Dialects.h"

#include "mlir-c/Pass.h"

#include <gtest/gtest.h>
#include <string>

static const char *kProgram = R"(
func.func @f(%q: tensor<1x2x64x64xf32>) -> tensor<1x2x64x64xf32> {
  %o = flash.attention %q, %q, %q {mask = #flash.causal}
      : tensor<1x2x64x64xf32>, tensor<1x2x64x64xf32>, tensor<1x2x64x64xf32> -> tensor<1x2x64x64xf32>
  return %o : tensor<1x2x64x64xf32>
})";

static MlirStringRef text(const char *string) {
  return mlirStringRefCreateFromCString(string);
}

static void append(MlirStringRef part, void *to) {
  static_cast<std::string *>(to)->append(part.data, part.length);
}

static std::string print(MlirModule module) {
  std::string printed;
  mlirOperationPrint(mlirModuleGetOperation(module), append, &printed);
  return printed;
}

TEST(DialectsTest, HandlesLoadTheDialects) {
  MlirContext context = mlirContextCreate();
  for (MlirDialectHandle handle : {mlirGetDialectHandle__flash__(),
                                   mlirGetDialectHandle__flash_tile__()}) {
    mlirDialectHandleRegisterDialect(handle, context);
    EXPECT_FALSE(
        mlirDialectIsNull(mlirDialectHandleLoadDialect(handle, context)));
  }
  MlirStringRef name =
      mlirDialectHandleGetNamespace(mlirGetDialectHandle__flash__());
  EXPECT_EQ(std::string(name.data, name.length), "flash");
  EXPECT_TRUE(mlirContextIsRegisteredOperation(context, text("flash.merge")));
  mlirContextDestroy(context);
}

TEST(DialectsTest, PassesRun) {
  MlirDialectRegistry registry = mlirDialectRegistryCreate();
  mlirFlashRegisterAllDialects(registry);
  mlirFlashRegisterPasses();
  MlirContext context = mlirContextCreateWithRegistry(registry, false);
  mlirContextLoadAllAvailableDialects(context);
  MlirModule module = mlirModuleCreateParse(context, text(kProgram));
  ASSERT_FALSE(mlirModuleIsNull(module));
  EXPECT_NE(print(module).find("flash.attention"), std::string::npos);

  MlirPassManager manager = mlirPassManagerCreate(context);
  std::string errors;
  MlirLogicalResult parsed = mlirParsePassPipeline(
      mlirPassManagerGetAsOpPassManager(manager),
      text("builtin.module(func.func(flash-choose-schedule{target=sm_90a},"
           "flash-tile-attention))"),
      append, &errors);
  ASSERT_TRUE(mlirLogicalResultIsSuccess(parsed)) << errors;
  ASSERT_TRUE(mlirLogicalResultIsSuccess(
      mlirPassManagerRunOnOp(manager, mlirModuleGetOperation(module))));
  EXPECT_NE(print(module).find("flash.online_attention"), std::string::npos);
  mlirPassManagerDestroy(manager);
  mlirModuleDestroy(module);
  mlirContextDestroy(context);
  mlirDialectRegistryDestroy(registry);
}
