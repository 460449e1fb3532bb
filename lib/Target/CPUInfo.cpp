//===- CPUInfo.cpp - CPUs by name -----------------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fills in #flash.target<kind = "cpu...", ...>. Names and features are LLVM's;
// caches and cores, of which LLVM knows nothing, are a table's, or for the
// machine at hand the operating system's.
//
//===----------------------------------------------------------------------===//

#include "flash/Target/CPUInfo.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Process.h"
#include "llvm/TargetParser/AArch64TargetParser.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"
#include <algorithm>
#include <thread>
#include <unistd.h>

using namespace mlir;
using namespace flash;

namespace {
struct CPURow {
  StringLiteral name;
  int64_t cores, l2, l3; // cores that share an L3; bytes of L2 each, and of L3
};
} // namespace

// docs: begin cpus
static constexpr CPURow kCPUs[] = {
    {"x86-64", 8, 256 << 10, 8 << 20},
    {"x86-64-v2", 8, 256 << 10, 8 << 20},
    {"x86-64-v3", 8, 512 << 10, 32 << 20},
    {"x86-64-v4", 8, 1 << 20, 32 << 20},
    {"haswell", 18, 256 << 10, 45 << 20},
    {"broadwell", 22, 256 << 10, 55 << 20},
    {"skylake", 4, 256 << 10, 8 << 20},
    {"skylake-avx512", 28, 1 << 20, 38 << 20},
    {"cascadelake", 28, 1 << 20, 38 << 20},
    {"icelake-server", 40, 1280 << 10, 60 << 20},
    {"sapphirerapids", 56, 2 << 20, 105 << 20},
    {"emeraldrapids", 64, 2 << 20, 320 << 20},
    {"graniterapids", 86, 2 << 20, 336 << 20},
    {"znver1", 4, 512 << 10, 8 << 20},
    {"znver2", 4, 512 << 10, 16 << 20},
    {"znver3", 8, 512 << 10, 32 << 20},
    {"znver4", 8, 1 << 20, 32 << 20},
    {"znver5", 8, 1 << 20, 32 << 20},
};
// docs: end cpus

static bool isX86Host() {
  return llvm::Triple(llvm::sys::getProcessTriple()).isX86();
}

/// The features of a CPU, by LLVM's names, and those that they imply; none if
/// there is no such CPU.
static llvm::StringMap<bool> getFeatures(StringRef name) {
  llvm::StringMap<bool> features;
  if (llvm::X86::parseArchX86(name, /*Only64Bit=*/true) != llvm::X86::CK_None) {
    SmallVector<StringRef> listed;
    llvm::X86::getFeaturesForCPU(name, listed);
    for (StringRef feature : listed) {
      features[feature] = true;
      llvm::X86::updateImpliedFeatures(feature, /*Enabled=*/true, features);
    }
  } else if (std::optional<llvm::AArch64::CpuInfo> cpu =
                 llvm::AArch64::parseCpu(name)) {
    std::vector<StringRef> extensions;
    llvm::AArch64::getExtensionFeatures(cpu->getImpliedExtensions(),
                                        extensions);
    for (StringRef extension : extensions)
      if (extension.consume_front("+"))
        features[extension] = true;
  }
  return features;
}

SmallVector<StringRef> flash::getCPUNames() {
  SmallVector<StringRef> names;
  if (isX86Host())
    llvm::X86::fillValidCPUArchList(names, /*Only64Bit=*/true);
  else
    llvm::AArch64::fillValidCPUArchList(names);
  auto isLevel = [](StringRef name) { return name.starts_with("x86-64"); };
  SmallVector<StringRef> ordered(llvm::make_filter_range(names, isLevel));
  llvm::copy_if(names, std::back_inserter(ordered),
                [&](StringRef name) { return !isLevel(name); });
  return ordered;
}

/// Bits and number of vector registers. The least that each architecture
/// guarantees is SSE2 and NEON.
static std::pair<int64_t, int64_t>
getVectorRegisters(function_ref<bool(StringRef)> has) {
  if (has("avx512f"))
    return {512, 32};
  if (has("avx2") && has("fma"))
    return {256, 16};
  return {128, has("neon") ? 32 : 16};
}

static TargetAttr describe(MLIRContext *context, StringRef kind,
                           StringRef name) {
  llvm::StringMap<bool> features = getFeatures(name);
  auto [bits, registers] = getVectorRegisters(
      [&](StringRef feature) { return features.lookup(feature); });
  // One that the table does not have is like the level of the same registers.
  StringRef like = bits == 512   ? "x86-64-v4"
                   : bits == 256 ? "x86-64-v3"
                                 : "x86-64-v2";
  auto find = [](StringRef name) {
    return llvm::find_if(kCPUs,
                         [=](const CPURow &row) { return row.name == name; });
  };
  const CPURow *row = find(name);
  if (row == std::end(kCPUs))
    row = find(like);
  return TargetAttr::get(context, StringAttr::get(context, kind), row->cores,
                         row->l2, registers, row->l3, bits);
}

static LogicalResult check(StringRef name,
                           function_ref<InFlightDiagnostic()> emitError) {
  if (!getFeatures(name).empty())
    return success();
  SmallVector<StringRef> names = getCPUNames();
  return emitError() << "no CPU '" << name << "'; there are "
                     << llvm::join(names, ", ");
}

FailureOr<TargetAttr>
flash::getNamedCPUTarget(MLIRContext *context, StringRef name,
                         function_ref<InFlightDiagnostic()> emitError) {
  if (failed(check(name, emitError)))
    return failure();
  return describe(context, ("cpu:" + name).str(), name);
}

//===----------------------------------------------------------------------===//
// The machine at hand
//===----------------------------------------------------------------------===//

/// The CPU that tests have this machine described as, or an empty string.
static const std::string &getForcedCPU() {
  static const std::string name =
      llvm::sys::Process::GetEnv("FLASH_HOST_CPU").value_or("");
  return name;
}

LogicalResult
flash::checkHostCPU(function_ref<InFlightDiagnostic()> emitError) {
  if (getForcedCPU().empty())
    return success();
  return check(getForcedCPU(), [&] {
    InFlightDiagnostic diagnostic = emitError();
    diagnostic << "FLASH_HOST_CPU: ";
    return diagnostic;
  });
}

static int64_t cacheSize(int name, int64_t otherwise) {
  long size = sysconf(name);
  return size > 0 ? size : otherwise;
}

TargetAttr flash::getHostCPUTarget(MLIRContext *context) {
  if (!getForcedCPU().empty())
    return describe(context, "cpu", getForcedCPU());
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  auto [bits, registers] = getVectorRegisters(
      [&](StringRef feature) { return features.lookup(feature); });
  int64_t cores = std::max(1u, std::thread::hardware_concurrency());
  return TargetAttr::get(context, StringAttr::get(context, "cpu"), cores,
                         cacheSize(_SC_LEVEL2_CACHE_SIZE, 256 << 10), registers,
                         cacheSize(_SC_LEVEL3_CACHE_SIZE, 1 << 20), bits);
}

/// Instructions that a program has to ask for by name: the code generator never
/// chooses them by itself, so a machine without them (a virtual one often hides
/// some) runs the code all the same.
static bool isByRequest(StringRef feature) {
  if (feature.starts_with("amx") || feature.starts_with("xsave"))
    return true;
  return llvm::StringSwitch<bool>(feature)
      .Cases({"aes", "vaes", "pclmul", "vpclmulqdq", "sha", "sha512", "sm3",
              "sm4", "kl", "widekl", "rdrnd", "rdseed"},
             true) // cryptography
      .Cases({"cldemote", "clflushopt", "clwb", "clzero", "wbnoinvd",
              "prefetchi", "movrs"},
             true) // caches
      .Cases({"pku", "shstk", "sgx", "invpcid", "pconfig", "fsgsbase", "uintr",
              "usermsr", "hreset", "ptwrite", "rdpid", "rdpru", "lwp",
              "serialize"},
             true) // the system
      .Cases({"rtm", "tsxldtrk", "waitpkg", "mwaitx", "enqcmd", "movdiri",
              "movdir64b"},
             true) // transactions, waiting, devices
      .Default(false);
}

SmallVector<std::string> flash::findMissingFeatures(StringRef name) {
  SmallVector<std::string> missing;
  if (name.empty())
    return missing;
  bool isX86 =
      llvm::X86::parseArchX86(name, /*Only64Bit=*/true) != llvm::X86::CK_None;
  if (isX86 != isX86Host()) {
    missing.push_back(isX86 ? "x86-64" : "AArch64");
    return missing;
  }
  // What LLVM does not look for on x86 (x87) every 64-bit processor has; of an
  // AArch64 processor the operating system says only what follows.
  constexpr StringLiteral kNamedOnAArch64[] = {"neon", "sve", "sve2", "lse",
                                               "crc"};
  llvm::StringMap<bool> here = llvm::sys::getHostCPUFeatures();
  auto isLookedFor = [&](StringRef feature) {
    return isX86 ? here.contains(feature)
                 : llvm::is_contained(kNamedOnAArch64, feature);
  };
  for (const auto &feature : getFeatures(name)) {
    StringRef text = feature.getKey();
    if (feature.getValue() && isLookedFor(text) && !here.lookup(text) &&
        !isByRequest(text))
      missing.push_back(text.str());
  }
  llvm::sort(missing);
  return missing;
}

StringRef flash::getCodeCPU(TargetAttr target) {
  StringRef name = target.getCPUName();
  if (!name.empty() || getForcedCPU().empty())
    return name;
  return findMissingFeatures(getForcedCPU()).empty() ? StringRef(getForcedCPU())
                                                     : StringRef();
}
