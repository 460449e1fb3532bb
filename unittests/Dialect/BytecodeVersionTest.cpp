//===- BytecodeVersionTest.cpp - Versions of our dialects in bytecode -----===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bytecode of this version is read, older one too, and of newer one it is said
// which version it has.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Utils/BytecodeVersion.h"
#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Tile/IR/Tile.h"
#include "flash/InitAll.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace flash;

static constexpr StringRef kText = R"mlir(
  func.func @f(%q: tensor<1x2x?x64xf32>) -> tensor<1x2x?x64xf32> {
    %o = flash.attention %q, %q, %q {mask = #flash.causal}
        : tensor<1x2x?x64xf32>, tensor<1x2x?x64xf32>, tensor<1x2x?x64xf32>
        -> tensor<1x2x?x64xf32>
    return %o : tensor<1x2x?x64xf32>
  }
  gpu.module @kernels {
    gpu.func @k(%x: f32) kernel
        attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
      %s = flash_tile.splat %x
          : !flash_tile.fragment<64xf32, #flash_tile.row<4>>
      gpu.return
    }
  }
)mlir";

namespace {

class BytecodeVersionTest : public ::testing::Test {
protected:
  BytecodeVersionTest() {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    module = parseSourceString<ModuleOp>(kText, &context);
  }

  static std::string write(ModuleOp module,
                           const BytecodeWriterConfig &config) {
    std::string bytes;
    llvm::raw_string_ostream os(bytes);
    EXPECT_TRUE(succeeded(writeBytecodeToFile(module, os, config)));
    return bytes;
  }

  /// The module's text, or the first error.
  std::string read(StringRef bytes) {
    std::string error, text;
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      if (error.empty())
        error = diagnostic.str();
    });
    OwningOpRef<ModuleOp> found = parseSourceString<ModuleOp>(bytes, &context);
    if (!found)
      return error;
    llvm::raw_string_ostream(text) << *found;
    return text;
  }

  MLIRContext context{MLIRContext::Threading::DISABLED};
  OwningOpRef<ModuleOp> module;
};

TEST_F(BytecodeVersionTest, ThisVersionIsRead) {
  ASSERT_TRUE(module);
  std::string text;
  llvm::raw_string_ostream(text) << *module;
  EXPECT_EQ(read(write(*module, BytecodeWriterConfig())), text);
}

TEST_F(BytecodeVersionTest, OlderVersionIsRead) {
  BytecodeWriterConfig config;
  config.setDialectVersion<FlashDialect>(std::make_unique<BytecodeVersion>(0));
  EXPECT_NE(read(write(*module, config)).find("flash.attention"),
            std::string::npos);
}

TEST_F(BytecodeVersionTest, NewerVersionIsAnError) {
  BytecodeWriterConfig config;
  config.setDialectVersion<tile::FlashTileDialect>(
      std::make_unique<BytecodeVersion>(1000));
  EXPECT_EQ(read(write(*module, config)),
            "the bytecode has version 1000 of the dialect 'flash_tile', but "
            "this program reads versions up to 1: read it with a newer Flash, "
            "or write it as text");
}

} // namespace
