/*===- flash-c/Compiler.h - Compiling attention, from C -------------------===*\
|*                                                                            *|
|* Part of Flash, under the Apache License v2.0 with LLVM Exceptions.         *|
|* See LICENSE for license information.                                       *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Compiles a function of an MLIR text for a target and asks what it takes    *|
|* and gives. See Runtime.h for calling it.                                   *|
|*                                                                            *|
|*   FlashFunction *f = flashCompile(text, strlen(text), "sm_90a", "");       *|
|*   if (!f) { puts(flashGetLastError()); ... }                               *|
|*                                                                            *|
|* A call that fails returns NULL or non-zero, and flashGetLastError, in      *|
|* the same thread, says why in one sentence. Functions may be used from      *|
|* several threads at once, except while they are destroyed.                  *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef FLASH_C_COMPILER_H
#define FLASH_C_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FLASH_C_EXPORT __attribute__((visibility("default")))
#else
#define FLASH_C_EXPORT
#endif

/** A compiled function. */
typedef struct FlashFunction FlashFunction;

typedef enum FlashType {
  FLASH_INDEX = 0, /**< a 64-bit integer passed by value */
  FLASH_F32 = 1,
  FLASH_F16 = 2,
  FLASH_BF16 = 3,
  FLASH_I32 = 4,
  FLASH_I64 = 5,
  FLASH_F64 = 6,
  FLASH_I8 = 7,
  FLASH_F8E4M3FN = 8,
  FLASH_F8E5M2 = 9,
  FLASH_I1 = 10,  /**< a byte each, 0 or 1 */
  FLASH_REAL = 11 /**< a number passed by value, FlashArgument.number */
} FlashType;

/** An argument or result. Pointers live as long as the function. */
typedef struct FlashValueInfo {
  /** `query`, `o`, ...; `arg3` or `result1` where the program does not say. */
  const char *name;
  FlashType type;
  int32_t rank;
  /** `rank` sizes; -1 where they are known at run time only. */
  const int64_t *dims;
} FlashValueInfo;

/** What went wrong last in this thread; "" if nothing did. Valid until the next
 *  call from this thread that fails. */
FLASH_C_EXPORT const char *flashGetLastError(void);

/** Compiles the text. `target` is "cpu", "auto", an architecture as "sm_90a",
 * or a CPU by LLVM's name for it as "cpu:x86-64-v3" ("cpu" is the machine at
 *  hand), whose code can be called where the processor has all that it needs.
 *  `options`, which may be NULL, are separated by semicolons:
 *
 *    entry=NAME                     the function, if there are several
 *    schedule=#flash.schedule<...>  overrides parts of the compiler's choice
 *    schedule-table=FILE            a table of measured schedules in the place
 *                                   of those that are built in; none for none
 *    split-kv=N                     N parts of the keys, merged
 *    passes=NAME=VALUE ...          options of flash-gpu-pipeline
 *
 *  A GPU is not needed to compile for one. ptxas may still be at work when this
 *  returns: a launch waits for the kernels that it launches, and has the errors
 *  of their assembling; flashFunctionPrepare waits for all. */
FLASH_C_EXPORT FlashFunction *flashCompile(const char *text, size_t length,
                                           const char *target,
                                           const char *options);

FLASH_C_EXPORT void flashFunctionDestroy(FlashFunction *function);

FLASH_C_EXPORT int32_t
flashFunctionGetNumArguments(const FlashFunction *function);
FLASH_C_EXPORT int32_t
flashFunctionGetNumResults(const FlashFunction *function);
/** Non-zero if there is no such argument. */
FLASH_C_EXPORT int flashFunctionGetArgument(const FlashFunction *function,
                                            int32_t index,
                                            FlashValueInfo *info);
FLASH_C_EXPORT int flashFunctionGetResult(const FlashFunction *function,
                                          int32_t index, FlashValueInfo *info);

/** Non-zero if pointers given to flashFunctionLaunch are to device memory. */
FLASH_C_EXPORT int flashFunctionIsOnDevice(const FlashFunction *function);

/** The code: `kind` is "llvm", "ptx", "cubin" or "plan", as far as the target
 *  has it; "L0" to "L4": the IR of a level, for which the text is compiled once
 *  more; or "report": JSON with the target, the schedule of each attention
 *  and where it came from, the passes' remarks, the assembler ("ptxas PATH",
 *  "nvJitLink PATH", or "driver") and what it said, and the milliseconds of
 *  each stage of the compilation. NULL on error. The bytes, `*size` of them
 * (and a zero after them), live until the next call for the same function, or
 * its destruction. */
FLASH_C_EXPORT const char *flashFunctionGetCode(FlashFunction *function,
                                                const char *kind, size_t *size);

/** Where this machine has `tool`, "ptxas" or "nvJitLink" (libnvJitLink.so): it
 *  is used where none is found otherwise. PTX is assembled by the ptxas of
 *  FLASH_PTXAS, of the PATH, of /usr/local/cuda, or this one; else, or where
 *  FLASH_PTXAS is empty, by the nvJitLink of FLASH_NVJITLINK, the one that the
 *  process has loaded, this one, or the loader's (but for kernels with wgmma,
 *  which it slows down); else by the driver, when it loads the code. Non-zero
 * for other tools. For the whole process. */
FLASH_C_EXPORT int flashSetToolPath(const char *tool, const char *path);

#ifdef __cplusplus
}
#endif

#endif /* FLASH_C_COMPILER_H */
