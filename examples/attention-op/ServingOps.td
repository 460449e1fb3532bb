//===- ServingOps.td - A dialect that knows nothing of Flash --*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def ServingDialect : Dialect {
  let name = "serving";
  let cppNamespace = "::serving";
}

// docs: begin op
def DecodeOp : Op<ServingDialect, "decode", [Pure]> {
  let summary = "New queries attend to a cache of keys and values";
  let description = [{
    Tensors are batch x length x heads x head dim. Of each batch's cache
    `lengths` keys are valid, and a query sees those up to its own position.
  }];
  let arguments = (ins AnyRankedTensor:$queries, AnyRankedTensor:$cachedKeys,
                       AnyRankedTensor:$cachedValues, AnyRankedTensor:$lengths);
  let results = (outs AnyRankedTensor:$attended);
  let assemblyFormat = [{
    $queries `,` $cachedKeys `,` $cachedValues `,` $lengths attr-dict `:` functional-type(operands, results)
  }];
}
// docs: end op
