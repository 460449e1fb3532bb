//===- FatalErrorsTest.cpp - LLVM's fatal errors are returned -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What would end the host's process comes back as an error, and the next
// compilation is as good as the first.
//
//===----------------------------------------------------------------------===//

#include "flash/ExecutionEngine/FatalErrors.h"

#include "flash/ExecutionEngine/CPUCode.h"
#include "flash/InitAll.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "gtest/gtest.h"

#include <thread>

using namespace flash;

namespace {

llvm::Error fail(const std::string &why) {
  return catchFatalErrors([&]() -> llvm::Error {
    llvm::report_fatal_error(llvm::Twine(why), /*gen_crash_diag=*/false);
  });
}

TEST(FatalErrorsTest, AreReturned) {
  EXPECT_EQ(llvm::toString(fail("no such register")), "no such register");
  EXPECT_EQ(llvm::toString(fail("once more")), "once more");
  bool ran = false;
  llvm::Error none = catchFatalErrors([&] {
    ran = true;
    return llvm::Error::success();
  });
  EXPECT_FALSE(bool(none));
  EXPECT_TRUE(ran);
  EXPECT_EQ(llvm::toString(catchFatalErrors([] {
              return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                             "an error of the usual kind");
            })),
            "an error of the usual kind");
}

TEST(FatalErrorsTest, OfTheInnerCallOnly) {
  std::string inner;
  llvm::Error outer = catchFatalErrors([&] {
    inner = llvm::toString(fail("inside"));
    return fail("behind it");
  });
  EXPECT_EQ(inner, "inside");
  EXPECT_EQ(llvm::toString(std::move(outer)), "behind it");
}

TEST(FatalErrorsTest, OfSeveralThreads) {
  std::vector<std::thread> threads;
  std::vector<std::string> reasons(8);
  for (size_t i = 0; i < reasons.size(); ++i)
    threads.emplace_back([&reasons, i] {
      for (int round = 0; round < 50; ++round)
        reasons[i] = llvm::toString(fail("thread " + std::to_string(i)));
    });
  for (std::thread &thread : threads)
    thread.join();
  for (size_t i = 0; i < reasons.size(); ++i)
    EXPECT_EQ(reasons[i], "thread " + std::to_string(i));
}

/// Moves bf16. Of nine, LLVM has no code on a CPU with AVX512-BF16: what
/// flash-bf16-to-bits keeps away from it.
std::string move(int length) {
  std::string type = "vector<" + std::to_string(length) + "xbf16>";
  return "llvm.func @_mlir_ciface_f(%p: !llvm.ptr, %q: !llvm.ptr) {\n"
         "  %x = llvm.load %p {alignment = 2 : i64} : !llvm.ptr -> " +
         type +
         "\n"
         "  llvm.store %x, %q {alignment = 2 : i64} : " +
         type + ", !llvm.ptr\n  llvm.return\n}\n";
}

TEST(FatalErrorsTest, OfTheCodeGenerator) {
  if (!llvm::Triple(llvm::sys::getProcessTriple()).isX86())
    GTEST_SKIP() << "x86 has the CPU that this is about";
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  auto compile = [&](const std::string &text,
                     llvm::StringRef cpu) -> std::string {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module);
    auto object = generateCPUCode(*module, "f", cpu, /*optLevel=*/0);
    return object ? "" : llvm::toString(object.takeError());
  };
  for (int round = 0; round < 3; ++round) {
    EXPECT_NE(compile(move(9), "znver4").find("soft promote"),
              std::string::npos);
    EXPECT_EQ(compile(move(8), "znver4"), "");
    EXPECT_EQ(compile(move(9), "x86-64-v3"), "");
  }
}

} // namespace
