//===- FatalErrors.h - LLVM's fatal errors, returned ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_EXECUTIONENGINE_FATALERRORS_H
#define FLASH_EXECUTIONENGINE_FATALERRORS_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace flash {

/// Calls `run`. If LLVM reports a fatal error in it (`report_fatal_error`),
/// which would end the process, that is the error returned, and `run` is left
/// as it stands: nothing of it is destroyed, so what it made has to be owned by
/// something that the caller can leak, and locks that it held stay locked.
/// Calls may come from several threads at once.
llvm::Error catchFatalErrors(llvm::function_ref<llvm::Error()> run);

} // namespace flash

#endif // FLASH_EXECUTIONENGINE_FATALERRORS_H
