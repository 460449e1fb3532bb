//===- HostCPU.cpp - The description of this machine ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fills in #flash.target<kind = "cpu", ...> for the machine at hand: what
// LLVM's feature detection says of the vector registers, what the operating
// system says of the caches.
//
//===----------------------------------------------------------------------===//

#include "flash/Target/HostCPU.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <algorithm>
#include <thread>
#include <unistd.h>

using namespace mlir;

static int64_t cacheSize(int name, int64_t otherwise) {
  long size = sysconf(name);
  return size > 0 ? size : otherwise;
}

flash::TargetAttr flash::getHostCPUTarget(MLIRContext *context) {
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  // The least that each architecture guarantees: SSE2, NEON.
  bool isX86 = llvm::Triple(llvm::sys::getProcessTriple()).isX86();
  int64_t bits = 128, registers = isX86 ? 16 : 32;
  if (features.lookup("avx512f")) {
    bits = 512;
    registers = 32;
  } else if (features.lookup("avx2") && features.lookup("fma")) {
    bits = 256;
  }
  int64_t cores = std::max(1u, std::thread::hardware_concurrency());
  return TargetAttr::get(context, StringAttr::get(context, "cpu"), cores,
                         cacheSize(_SC_LEVEL2_CACHE_SIZE, 256 << 10), registers,
                         cacheSize(_SC_LEVEL3_CACHE_SIZE, 1 << 20), bits);
}
