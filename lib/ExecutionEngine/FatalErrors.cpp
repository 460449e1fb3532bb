//===- FatalErrors.cpp - LLVM's fatal errors, returned --------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A code generator that meets something it cannot do calls report_fatal_error,
// and a host program, a Python process say, would go down with it. LLVM lets a
// handler leave by longjmp, as its own CrashRecoveryContext does; that one
// takes over the process's signals, too, which are the host's.
//
//===----------------------------------------------------------------------===//

#include "flash/ExecutionEngine/FatalErrors.h"

#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/PrettyStackTrace.h"

#include <csetjmp>
#include <mutex>
#include <string>

using namespace flash;

namespace {

/// Where a fatal error of this thread goes.
struct Catcher {
  std::jmp_buf where;
  std::string reason;
};

/// Installs the handler, of which a process has one, while any thread needs it.
class InstalledHandler {
public:
  InstalledHandler() {
    std::lock_guard<std::mutex> lock(mutex);
    if (users++ == 0)
      llvm::install_fatal_error_handler(handle);
  }
  ~InstalledHandler() {
    std::lock_guard<std::mutex> lock(mutex);
    if (--users == 0)
      llvm::remove_fatal_error_handler();
  }

  static thread_local Catcher *current;

private:
  /// In a thread of somebody else's, LLVM goes on to end the process.
  static void handle(void *, const char *reason, bool) {
    if (!current) {
      fprintf(stderr, "LLVM ERROR: %s\n", reason);
      return;
    }
    current->reason = reason;
    std::longjmp(current->where, 1);
  }

  static std::mutex mutex;
  static int users;
};

thread_local Catcher *InstalledHandler::current = nullptr;
std::mutex InstalledHandler::mutex;
int InstalledHandler::users = 0;

} // namespace

llvm::Error flash::catchFatalErrors(llvm::function_ref<llvm::Error()> run) {
  InstalledHandler handler;
  Catcher catcher, *const outer = InstalledHandler::current;
  const void *const trace = llvm::SavePrettyStackState();
  if (setjmp(catcher.where) != 0) {
    InstalledHandler::current = outer;
    // What LLVM was at stands on a stack that is gone.
    llvm::RestorePrettyStackState(trace);
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   catcher.reason);
  }
  InstalledHandler::current = &catcher;
  llvm::Error error = run();
  InstalledHandler::current = outer;
  return error;
}
