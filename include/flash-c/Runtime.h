/*===- flash-c/Runtime.h - Calling compiled attention, from C -------------===*\
|*                                                                            *|
|* Part of Flash, under the Apache License v2.0 with LLVM Exceptions.         *|
|* See LICENSE for license information.                                       *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Calls a function that Compiler.h compiled, on memory of the caller's.      *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef FLASH_C_RUNTIME_H
#define FLASH_C_RUNTIME_H

#include "flash-c/Compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An argument or result of a call. */
typedef struct FlashArgument {
  /** Of a tensor: its first element, in device or host memory (see
   *  flashFunctionIsOnDevice). Dense, in C order. */
  void *data;
  /** Of a tensor: as many sizes as its rank. */
  const int64_t *dims;
  /** Of an index or an i64: its value. */
  int64_t value;
} FlashArgument;

/** The sizes of a call's results: `shapes[i]` is an array of result i's rank.
 *  Non-zero, with a message that names what disagrees, for a call that is not
 *  possible. */
FLASH_C_EXPORT int flashFunctionGetResultShapes(FlashFunction *function,
                                                const FlashArgument *arguments,
                                                int64_t *const *shapes);

/** Calls the function. On a GPU the work is enqueued on `stream` (a CUstream or
 *  cudaStream_t, NULL for the default stream), in the calling thread's current
 *  context; on the CPU it is done on return. Sizes are checked first;
 *  non-zero on error, and then nothing has been launched. */
FLASH_C_EXPORT int flashFunctionLaunch(FlashFunction *function,
                                       const FlashArgument *arguments,
                                       const FlashArgument *results,
                                       void *stream);

/** Loads the code into the current context, so that the first launch is as fast
 *  as others. Does nothing on the CPU. */
FLASH_C_EXPORT int flashFunctionPrepare(FlashFunction *function);

/** Threads of the CPU target, for the process; 0 restores the default. */
FLASH_C_EXPORT void flashSetNumThreads(int32_t count);

#ifdef __cplusplus
}
#endif

#endif /* FLASH_C_RUNTIME_H */
