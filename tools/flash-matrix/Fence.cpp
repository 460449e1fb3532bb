//===- Fence.cpp - Memory that ends where it ends -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fence.h"

#include <csignal>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace flash;
using namespace flash::matrix;

// The pool's threads work on the case that was named last.
static char caseName[512];

static void onBadAccess(int) {
  // Nothing but system calls is allowed here.
  static constexpr char kWhat[] =
      ": read or written outside of an operand (or a crash)\n";
  (void)!write(STDOUT_FILENO, "FAIL ", 5);
  (void)!write(STDOUT_FILENO, caseName, std::strlen(caseName));
  (void)!write(STDOUT_FILENO, kWhat, sizeof(kWhat) - 1);
  _exit(1);
}

void Fence::setCase(const std::string &name) {
  std::strncpy(caseName, name.c_str(), sizeof(caseName) - 1);
  static bool installed = [] {
    struct sigaction action = {};
    action.sa_handler = onBadAccess;
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
    return true;
  }();
  (void)installed;
}

rt::Result<Fence> Fence::create(const rt::Array &array) {
  size_t page = sysconf(_SC_PAGESIZE), bytes = array.sizeInBytes(),
         inside = (bytes + page - 1) / page * page;
  Fence fence;
  fence.length = inside + 2 * page;
  fence.base = mmap(nullptr, fence.length, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (fence.base == MAP_FAILED) {
    fence.base = nullptr;
    return rt::Status::error("no memory for an operand of " +
                             std::to_string(bytes) + " bytes");
  }
  char *begin = static_cast<char *>(fence.base) + page;
  if (inside && mprotect(begin, inside, PROT_READ | PROT_WRITE) != 0)
    return rt::Status::error("the pages of an operand cannot be opened");
  fence.first = begin + (inside - bytes);
  std::memcpy(fence.first, array.data(), bytes);
  return fence;
}

Fence::~Fence() {
  if (base)
    munmap(base, length);
}
