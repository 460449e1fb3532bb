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

/// Code that LLVM has none for on a CPU with AVX512-BF16: flash-bf16-to-bits
/// keeps it away from there.
constexpr const char *kNinth = R"mlir(
llvm.func @_mlir_ciface_f(%p: !llvm.ptr) {
  %x = llvm.load %p {alignment = 2 : i64} : !llvm.ptr -> vector<9xbf16>
  %y = llvm.fpext %x : vector<9xbf16> to vector<9xf32>
  llvm.store %y, %p {alignment = 4 : i64} : vector<9xf32>, !llvm.ptr
  llvm.return
}
)mlir";

TEST(FatalErrorsTest, OfTheCodeGenerator) {
  if (!llvm::Triple(llvm::sys::getProcessTriple()).isX86())
    GTEST_SKIP() << "x86 has the CPU that this is about";
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  auto compile = [&](std::string text, llvm::StringRef cpu) -> std::string {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module);
    auto object = generateCPUCode(*module, "f", cpu, /*optLevel=*/0);
    return object ? "" : llvm::toString(object.takeError());
  };
  std::string other = kNinth;
  for (size_t at; (at = other.find("9xbf16")) != std::string::npos;)
    other.replace(at, 6, "8xbf16");
  for (size_t at; (at = other.find("9xf32")) != std::string::npos;)
    other.replace(at, 5, "8xf32");
  for (int round = 0; round < 3; ++round) {
    EXPECT_NE(compile(kNinth, "znver4").find("soft promote"),
              std::string::npos);
    EXPECT_EQ(compile(other, "znver4"), "");
    EXPECT_EQ(compile(kNinth, "x86-64-v3"), "");
  }
}

} // namespace
