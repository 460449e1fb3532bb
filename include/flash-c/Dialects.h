/*===- flash-c/Dialects.h - The dialects, for MLIR's C API ----------------===*\
|*                                                                            *|
|* Part of Flash, under the Apache License v2.0 with LLVM Exceptions.         *|
|* See LICENSE for license information.                                       *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* The dialects and passes for programs that use MLIR's C API, in the library *|
|* FlashCAPI (Flash::FlashCAPI of the CMake package):                         *|
|*                                                                            *|
|*   MlirDialectHandle handle = mlirGetDialectHandle__flash__();              *|
|*   mlirDialectHandleRegisterDialect(handle, context);                       *|
|*   mlirDialectHandleLoadDialect(handle, context);                           *|
|*                                                                            *|
|* It needs the LLVM and MLIR, 22.1, that Flash was built with, and one copy  *|
|* of it in the process: types are told apart by addresses. A program with    *|
|* another MLIR uses Compiler.h, which keeps its own to itself.               *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef FLASH_C_DIALECTS_H
#define FLASH_C_DIALECTS_H

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

/** mlirGetDialectHandle__flash__: attention, levels L0 to L2. */
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Flash, flash);
/** mlirGetDialectHandle__flash_tile__: tile programs for GPUs, L3. */
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(FlashTile, flash_tile);

/** Registers our dialects, those of MLIR that our passes make, and the
 *  interfaces that lowering them needs. */
MLIR_CAPI_EXPORTED void
mlirFlashRegisterAllDialects(MlirDialectRegistry registry);

/** Registers our passes and pipelines, so that mlirParsePassPipeline knows
 * them: `builtin.module(func.func(flash-choose-schedule{target=sm_90a}))`. Once
 * for the process. */
MLIR_CAPI_EXPORTED void mlirFlashRegisterPasses(void);

#ifdef __cplusplus
}
#endif

#endif /* FLASH_C_DIALECTS_H */
