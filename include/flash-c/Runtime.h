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

/** An argument or result of a call. Set what does not apply to zero. */
typedef struct FlashArgument {
  /** Of a tensor: its first element, in device or host memory (see
   *  flashFunctionIsOnDevice). */
  void *data;
  /** Of a tensor: as many sizes as its rank. May be NULL for a result. */
  const int64_t *dims;
  /** Of an index or an i64: its value. */
  int64_t value;
  /** Of a tensor: as many strides as its rank, in elements; NULL: dense, in C
   *  order. The last dimension is contiguous (1); others may be anything, 0 for
   *  an expanded one, and those of results must not make elements lie upon each
   *  other. On a GPU, strides and addresses of query, key, value and output are
   *  multiples of 16 bytes where their rows are. */
  const int64_t *strides;
  /** Of a floating-point number: its value. */
  double number;
} FlashArgument;

/** The sizes of a call's results: `shapes[i]` is an array of result i's rank.
 *  Non-zero, with a message that names what disagrees, for a call that is not
 *  possible. */
FLASH_C_EXPORT int flashFunctionGetResultShapes(FlashFunction *function,
                                                const FlashArgument *arguments,
                                                int64_t *const *shapes);

/** What a call with these sizes moves, by the model of docs/IO.md: `format` is
 *  "text" or "json". Of arguments `dims` and `value` are looked at, and the
 *  elements of integer tensors whose `data` is not NULL, which are in host
 *  memory here. Lives as the code of flashFunctionGetCode does. NULL on error,
 *  and for programs that were compiled ahead of time. */
FLASH_C_EXPORT const char *
flashFunctionGetIOReport(FlashFunction *function,
                         const FlashArgument *arguments, const char *format,
                         size_t *size);

/** Calls the function. On a GPU the work is enqueued on `stream` (a CUstream or
 *  cudaStream_t, NULL for the default stream), in the calling thread's current
 *  context; on the CPU it is done on return. Sizes are checked first;
 *  non-zero on error, and then nothing has been launched. */
FLASH_C_EXPORT int flashFunctionLaunch(FlashFunction *function,
                                       const FlashArgument *arguments,
                                       const FlashArgument *results,
                                       void *stream);

/** Bytes of device memory that a call with these sizes needs for what its
 *  kernels hand to each other; 0 on the CPU, and for many functions. Non-zero,
 *  with a message, for a call that is not possible. */
FLASH_C_EXPORT int flashFunctionGetWorkspaceSize(FlashFunction *function,
                                                 const FlashArgument *arguments,
                                                 size_t *size);

/** flashFunctionLaunch with a workspace of the caller's: `workspaceSize` bytes
 * of device memory, at a multiple of 256, at least as many as
 *  flashFunctionGetWorkspaceSize says. It holds anything before and after;
 * while the call runs it is the call's. A captured graph keeps using it: graphs
 * that run at the same time need a workspace each. flashFunctionLaunch
 * allocates its own, in the order of the stream (cuMemAllocAsync). */
FLASH_C_EXPORT int
flashFunctionLaunchWithWorkspace(FlashFunction *function,
                                 const FlashArgument *arguments,
                                 const FlashArgument *results, void *workspace,
                                 size_t workspaceSize, void *stream);

/** Waits for all kernels and loads them into the current context, so that the
 *  first launch is as fast as others; an error of the assembler is its error.
 *  Call it before launches are captured in a graph. Does nothing on the CPU. */
FLASH_C_EXPORT int flashFunctionPrepare(FlashFunction *function);

/** Threads of the CPU target, for the process; 0 restores the default. */
FLASH_C_EXPORT void flashSetNumThreads(int32_t count);

#ifdef __cplusplus
}
#endif

#endif /* FLASH_C_RUNTIME_H */
