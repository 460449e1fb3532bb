//===- Passes.td - Passes of the flash dialect --------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_TRANSFORMS_PASSES
#define FLASH_DIALECT_FLASH_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def VerifyLevel : Pass<"flash-verify-level"> {
  let summary = "Check that only what belongs to a level is there";
  let description = [{
    L0: no tiled ops. L1: no `flash.attention`, `flash.merge`. L2: no
    `flash.online_attention`. L3: no tensors in kernels. L4: only target dialects in kernels. An op that does not belong is
    an error at its location.
  }];
  let options = [Option<"level", "level", "std::string", /*default=*/"\"L0\"", "L0, L1, L2, L3 or L4">];
}

#endif // FLASH_DIALECT_FLASH_TRANSFORMS_PASSES
