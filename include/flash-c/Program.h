/*===- flash-c/Program.h - Programs compiled ahead of time, from C --------===*\
|*                                                                            *|
|* Part of Flash, under the Apache License v2.0 with LLVM Exceptions.         *|
|* See LICENSE for license information.                                       *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* What `flash-run f.mlir --target=sm_90a --emit=program -o f.flash` wrote,   *|
|* as a function that Runtime.h calls. libflash-runtime.so has this and       *|
|* Runtime.h, without a compiler and without LLVM; so has libflash-c.so.      *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef FLASH_C_PROGRAM_H
#define FLASH_C_PROGRAM_H

#include "flash-c/Runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Loads a file. Needs no GPU: code is given to the driver by
 *  flashFunctionPrepare, or by the first launch. NULL, with a message, for a
 * file of another version, and for one that is damaged. Destroyed by
 *  flashFunctionDestroy. */
FLASH_C_EXPORT FlashFunction *flashProgramLoad(const char *path);

/** The same for a file's bytes, which are copied. */
FLASH_C_EXPORT FlashFunction *flashProgramLoadFromMemory(const void *data,
                                                         size_t size);

#ifdef __cplusplus
}
#endif

#endif /* FLASH_C_PROGRAM_H */
