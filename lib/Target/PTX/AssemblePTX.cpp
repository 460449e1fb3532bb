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

#include "flash/Target/AssemblePTX.h"
#include "NvJitLink.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <csignal>
#include <mutex>
#include <thread>

using namespace mlir;
using flash::rt::Status;

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
static Status checkSerialization(StringRef assembler, StringRef log) {
  if (StringRef line = findSerialization(log); !line.empty())
    return Status::error((assembler + " serialised wgmma: " + line).str());
  return Status::success();
}

static Status assembleWithNvJitLink(const std::string &library, StringRef ptx,
                                    StringRef target,
                                    flash::AssembledPTX &made) {
  std::string error;
  FailureOr<std::string> cubin =
      flash::ptx::assembleWithNvJitLink(library, ptx, target, made.log, error);
  if (failed(cubin))
    return Status::error(error);
  made.cubin = std::move(*cubin);
  return checkSerialization("nvJitLink", made.log);
}

Status flash::assemblePTX(StringRef ptx, StringRef target, AssembledPTX &made) {
  if (std::string ptxas = findPtxas(); !ptxas.empty())
    return assembleWithPtxas(ptxas, ptx, target, made);
  std::string library = findNvJitLink();
  if (library.empty())
    return Status::error(
        "there is no ptxas: set FLASH_PTXAS, or put it on the PATH (it is "
        "part of the CUDA toolkit); and no libnvJitLink.so in its place");
  if (!isForNvJitLink(ptx))
    return Status::error(
        "this kernel has wgmma or setmaxnreg, which nvJitLink (" + library +
        ") takes the speed of: set FLASH_PTXAS, or leave it to the driver");
  return assembleWithNvJitLink(library, ptx, target, made);
}

static Status writeFile(const std::string &path, StringRef text) {
  std::error_code code;
  llvm::raw_fd_ostream os(path, code);
  if (!code)
    os << text;
  os.close();
  if (!code && !os.has_error())
    return Status::success();
  os.clear_error();
  return Status::error("cannot write " + path);
}

/// Runs a program to its end, for at most five minutes; its exit code. LLVM's
/// own limit is an alarm, of which a process has one: the caller's, and not
/// that of a thread that assembles beside it.
static int runProgram(const std::string &path, ArrayRef<StringRef> arguments,
                      ArrayRef<std::optional<StringRef>> redirects,
                      std::string &problem) {
  bool failed = false;
  llvm::sys::ProcessInfo process =
      llvm::sys::ExecuteNoWait(path, arguments, std::nullopt, redirects,
                               /*MemoryLimit=*/0, &problem, &failed);
  if (failed)
    return -1;
  auto end = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  while (std::chrono::steady_clock::now() < end) {
    llvm::sys::ProcessInfo ended =
        llvm::sys::Wait(process, /*SecondsToWait=*/0, &problem,
                        /*ProcStat=*/nullptr, /*Polling=*/true);
    if (ended.Pid != 0)
      return ended.ReturnCode;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill(process.Pid, SIGKILL);
  llvm::sys::Wait(process, std::nullopt);
  problem = "it takes more than five minutes";
  return -1;
}

Status flash::assembleWithPtxas(StringRef ptxas, StringRef ptx,
                                StringRef target, AssembledPTX &made) {
  llvm::SmallString<128> directory;
  if (llvm::sys::fs::createUniqueDirectory("flash", directory))
    return Status::error("cannot make a temporary directory");
  std::string base = directory.str().str();
  std::string input = base + "/kernel.ptx", output = base + "/kernel.cubin",
              messages = base + "/log";
  llvm::scope_exit cleanUp([&] {
    // What cannot be removed is left to the system.
    [[maybe_unused]] std::error_code left =
        llvm::sys::fs::remove_directories(base);
  });
  if (Status status = writeFile(input, ptx); status.failed())
    return status;
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
    int code = runProgram(ptxas.str(), arguments, redirects, problem);
    made.log = readFile(messages);
    return code;
  };
  // Kernels for several lengths are assembled side by side, to the same code.
  bool several = ptx.count(".entry") > 1;
  int code = assemble(several);
  if (several && code != 0 && StringRef(made.log).contains("Unknown option"))
    code = assemble(/*concurrently=*/false);
  if (code != 0)
    return Status::error("ptxas (" + ptxas.str() +
                         ") failed: " + (problem.empty() ? made.log : problem));
  made.cubin = readFile(output);
  return checkSerialization("ptxas", made.log);
}
