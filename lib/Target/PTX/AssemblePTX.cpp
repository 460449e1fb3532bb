//===- AssemblePTX.cpp - ptxas, or nvJitLink ------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds and runs the assembler: ptxas, a program of the CUDA toolkit that is
// called with temporary files; or else libnvJitLink (NvJitLink.cpp), which is
// where PyTorch or JAX are. Nothing of CUDA is needed to build or to link.
//
//===----------------------------------------------------------------------===//

#include "NvJitLink.h"
#include "flash/Target/EmitPTX.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

using namespace mlir;

/// What hosts say of where tools are; under the mutex.
static std::mutex toolMutex;
static std::string ptxasOfHost, nvJitLinkOfHost;

bool flash::setToolPath(StringRef tool, StringRef path) {
  std::lock_guard<std::mutex> lock(toolMutex);
  if (tool != "ptxas" && tool != "nvJitLink")
    return false;
  (tool == "ptxas" ? ptxasOfHost : nvJitLinkOfHost) = path.str();
  return true;
}

static std::string findPtxas() {
  if (std::optional<std::string> named =
          llvm::sys::Process::GetEnv("FLASH_PTXAS"))
    return *named;
  if (llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  StringRef usual = "/usr/local/cuda/bin/ptxas";
  if (llvm::sys::fs::can_execute(usual))
    return usual.str();
  std::lock_guard<std::mutex> lock(toolMutex);
  return ptxasOfHost;
}

static std::string findNvJitLink() {
  if (std::optional<std::string> named =
          llvm::sys::Process::GetEnv("FLASH_NVJITLINK"))
    return *named;
  std::string host;
  {
    std::lock_guard<std::mutex> lock(toolMutex);
    host = nvJitLinkOfHost;
  }
  return flash::ptx::locateNvJitLink(host);
}

std::string flash::findAssembler() {
  std::string ptxas = findPtxas();
  return ptxas.empty() ? findNvJitLink() : ptxas;
}

/// nvJitLink makes relocatable code, in which the assembler ignores setmaxnreg
/// and serialises wgmma (its messages C7504 and C7509): Hopper's kernels spill
/// hundreds of bytes, where the driver's assembler takes them as ptxas does.
static bool isForNvJitLink(StringRef ptx) {
  return !ptx.contains("wgmma.") && !ptx.contains("setmaxnreg.");
}

std::string flash::describeAssembler(StringRef ptx) {
  if (std::string ptxas = findPtxas(); !ptxas.empty())
    return "ptxas " + ptxas;
  if (std::string library = findNvJitLink();
      !library.empty() && isForNvJitLink(ptx))
    return "nvJitLink " + library;
  return "driver";
}

bool flash::hasAssembler(StringRef ptx) {
  return describeAssembler(ptx) != "driver";
}

bool flash::ptx::hasLineInfo(StringRef ptx) { return ptx.contains("\t.loc\t"); }

static std::string readFile(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

/// The first line that says that wgmma was serialised (warnings C7510 to
/// C7519), or nothing.
static StringRef findSerialization(StringRef log) {
  while (!log.empty()) {
    auto [line, rest] = log.split('\n');
    size_t code = line.find("(C751");
    if (code != StringRef::npos && line.substr(code).contains(')'))
      return line.trim();
    log = rest;
  }
  return "";
}

/// A kernel with wgmma that was serialised is right, and several times slower
/// than it should be.
static FailureOr<std::string> checkSerialization(FailureOr<std::string> cubin,
                                                 StringRef assembler,
                                                 StringRef log,
                                                 std::string &error) {
  if (failed(cubin))
    return failure();
  if (StringRef line = findSerialization(log); !line.empty()) {
    error = (assembler + " serialised wgmma: " + line).str();
    return failure();
  }
  return cubin;
}

FailureOr<std::string> flash::assemblePTX(StringRef ptx, StringRef target,
                                          std::string &log,
                                          std::string &error) {
  std::string ptxas = findPtxas();
  if (ptxas.empty()) {
    std::string library = findNvJitLink();
    if (library.empty()) {
      error =
          "there is no ptxas: set FLASH_PTXAS, or put it on the PATH (it is "
          "part of the CUDA toolkit); and no libnvJitLink.so in its place";
      return failure();
    }
    if (!isForNvJitLink(ptx)) {
      error = "this kernel has wgmma or setmaxnreg, which nvJitLink (" +
              library +
              ") takes the speed of: set FLASH_PTXAS, or leave it to "
              "the driver";
      return failure();
    }
    return checkSerialization(
        flash::ptx::assembleWithNvJitLink(library, ptx, target, log, error),
        "nvJitLink", log, error);
  }
  llvm::SmallString<128> directory;
  if (llvm::sys::fs::createUniqueDirectory("flash", directory)) {
    error = "cannot make a temporary directory";
    return failure();
  }
  std::string base = directory.str().str();
  std::string input = base + "/kernel.ptx", output = base + "/kernel.cubin",
              messages = base + "/log";
  llvm::scope_exit cleanUp([&] {
    // What cannot be removed is left to the system.
    [[maybe_unused]] std::error_code left =
        llvm::sys::fs::remove_directories(base);
  });
  {
    std::error_code code;
    llvm::raw_fd_ostream os(input, code);
    if (!code)
      os << ptx;
    os.close();
    if (code || os.has_error()) {
      os.clear_error();
      error = "cannot write " + input;
      return failure();
    }
  }
  std::string arch = "-arch=" + target.str();
  std::optional<StringRef> redirects[] = {StringRef(""), StringRef(messages),
                                          StringRef(messages)};
  std::string problem;
  auto assemble = [&](bool concurrently) {
    SmallVector<StringRef> arguments{ptxas, "-O3", "-v", arch};
    if (concurrently)
      arguments.append({"--split-compile", "0"});
    if (flash::ptx::hasLineInfo(ptx))
      arguments.push_back("-lineinfo");
    arguments.append({"-o", output, input});
    int code = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt,
                                         redirects, /*SecondsToWait=*/300,
                                         /*MemoryLimit=*/0, &problem);
    log = readFile(messages);
    return code;
  };
  // Kernels for several lengths are assembled side by side, to the same code.
  bool several = ptx.count(".entry") > 1;
  int code = assemble(several);
  if (several && code != 0 && StringRef(log).contains("Unknown option"))
    code = assemble(/*concurrently=*/false);
  if (code != 0) {
    error =
        "ptxas (" + ptxas + ") failed: " + (problem.empty() ? log : problem);
    return failure();
  }
  return checkSerialization(readFile(output), "ptxas", log, error);
}
