//===- TMTensorOps.td - What torch-mlir leaves beside linalg *- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// torch-mlir lowers what linalg has no op for (cumsum, scatter, sort, topk) to
// ops of its dialect tm_tensor. These are the same ops in the same syntax, so
// that exported programs are read, inlined and cleaned up; flash-raise follows
// positions through them.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_TMTENSOR_IR_TMTENSOROPS_TD
#define FLASH_DIALECT_TMTENSOR_IR_TMTENSOROPS_TD

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def TMTensor_Dialect : Dialect {
  let name = "tm_tensor";
  let cppNamespace = "::flash::tm_tensor";
  let summary = "ops of torch-mlir beside linalg";
  let description = [{
    The ops that torch-mlir writes where linalg has none, as it prints them.
    All work on tensors: operands after `outs` are destinations, of which each
    has a result of its type.
  }];
}

class TMTensor_Op<string mnemonic, list<Trait> traits = []> :
    Op<TMTensor_Dialect, mnemonic, !listconcat(traits, [Pure, AttrSizedOperandSegments])> {
  let arguments = (ins
    Arg<Variadic<AnyRankedTensor>, "what is read">:$inputs,
    Arg<Variadic<AnyRankedTensor>, "destinations; each has a result of its type">:$outputs);
  let results = (outs
    Res<Variadic<AnyRankedTensor>, "the destinations, written">:$results);
  let hasVerifier = 1;
}

class TMTensor_BodyOp<string mnemonic> :
    TMTensor_Op<mnemonic, [SingleBlockImplicitTerminator<"YieldOp">]> {
  let regions = (region SizedRegion<1>:$region);
}

def TMTensor_ScanOp : TMTensor_BodyOp<"scan"> {
  let summary = "running sum, product or maximum along a dimension";
  let description = [{
    The body takes what has been accumulated and the next element. The second
    destination is the accumulator: where a scan that is not inclusive starts.

    Example:

    ```mlir
    %sums:2 = tm_tensor.scan dimension(1) inclusive(true) ins(%x : tensor<2x8xi64>)
        outs(%init, %start : tensor<2x8xi64>, tensor<2xi64>) {
    ^bb0(%sum: i64, %element: i64):
      %next = arith.addi %sum, %element : i64
      tm_tensor.yield %next : i64
    } -> tensor<2x8xi64>, tensor<2xi64>
    ```
  }];
  let arguments = (ins
    Arg<Variadic<AnyRankedTensor>, "what is accumulated, one tensor">:$inputs,
    Arg<Variadic<AnyRankedTensor>, "the running values, and the accumulator">:$outputs,
    Arg<I64Attr, "the dimension along which it works">:$dimension,
    Arg<BoolAttr, "an element counts for its own place">:$inclusive);
  let assemblyFormat = [{
    `dimension` `(` $dimension `)` `inclusive` `(` $inclusive `)` attr-dict
    `ins` `(` $inputs `:` type($inputs) `)` `outs` `(` $outputs `:` type($outputs) `)`
    $region (`->` type($results)^)?
  }];
}

def TMTensor_ScatterOp : TMTensor_BodyOp<"scatter"> {
  let summary = "writes updates at indices";
  let description = [{
    The body takes an update and the element that it goes to.

    Example:

    ```mlir
    %0 = tm_tensor.scatter {dimension_map = array<i64: 0>} unique_indices(false)
        ins(%updates, %indices : tensor<4xf32>, tensor<4x1xi32>) outs(%original : tensor<8xf32>) {
    ^bb0(%update: f32, %old: f32):
      tm_tensor.yield %update : f32
    } -> tensor<8xf32>
    ```
  }];
  let arguments = (ins
    Arg<Variadic<AnyRankedTensor>, "updates, and the index of each">:$inputs,
    Arg<Variadic<AnyRankedTensor>, "the tensor that is changed">:$outputs,
    Arg<DenseI64ArrayAttr, "the dimensions that an index counts along">:$dimension_map,
    Arg<DefaultValuedAttr<BoolAttr, "true">, "no index stands twice">:$unique_indices);
  let assemblyFormat = [{
    attr-dict `unique_indices` `(` $unique_indices `)`
    (`ins` `(` $inputs^ `:` type($inputs) `)`)? `outs` `(` $outputs `:` type($outputs) `)`
    $region (`->` type($results)^)?
  }];
}

def TMTensor_SortOp : TMTensor_BodyOp<"sort"> {
  let summary = "sorts along a dimension";
  let description = [{
    The body takes two elements of each destination, and says whether they stand
    in order.

    Example:

    ```mlir
    %0 = tm_tensor.sort dimension(0) outs(%x : tensor<8xi64>) {
    ^bb0(%a: i64, %b: i64):
      %ordered = arith.cmpi sle, %a, %b : i64
      tm_tensor.yield %ordered : i1
    } -> tensor<8xi64>
    ```
  }];
  let arguments = (ins
    Arg<Variadic<AnyRankedTensor>, "nothing">:$inputs,
    Arg<Variadic<AnyRankedTensor>, "tensors that are sorted together">:$outputs,
    Arg<I64Attr, "the dimension along which it works">:$dimension);
  let assemblyFormat = [{
    attr-dict `dimension` `(` $dimension `)`
    (`ins` `(` $inputs^ `:` type($inputs) `)`)? `outs` `(` $outputs `:` type($outputs) `)`
    $region (`->` type($results)^)?
  }];
}

def TMTensor_TopkOp : TMTensor_BodyOp<"topk"> {
  let summary = "the k elements that come first in an order";
  let description = [{
    Values, and with a second input their indices. The body says whether the
    next element comes before one that has been taken.

    Example:

    ```mlir
    %0:2 = tm_tensor.topk dimension(1) ins(%x, %i : tensor<2x8xf32>, tensor<2x8xi32>)
        outs(%values, %indices : tensor<2x3xf32>, tensor<2x3xi32>) {
    ^bb0(%next: f32, %taken: f32):
      %before = arith.cmpf ogt, %next, %taken : f32
      tm_tensor.yield %before : i1
    } -> tensor<2x3xf32>, tensor<2x3xi32>
    ```
  }];
  let arguments = (ins
    Arg<Variadic<AnyRankedTensor>, "values, and perhaps their indices">:$inputs,
    Arg<Variadic<AnyRankedTensor>, "the k first values, and perhaps their indices">:$outputs,
    Arg<I64Attr, "the dimension along which it works">:$dimension);
  let assemblyFormat = [{
    attr-dict `dimension` `(` $dimension `)`
    `ins` `(` $inputs `:` type($inputs) `)` `outs` `(` $outputs `:` type($outputs) `)`
    $region (`->` type($results)^)?
  }];
}

def TMTensor_AttentionOp : TMTensor_Op<"attention"> {
  let summary = "softmax(Q K^T) V, of torch-mlir";
  let description = [{
    Inputs are query, key, value and perhaps a mask.

    Example:

    ```mlir
    %0 = tm_tensor.attention ins(%q, %k, %v : tensor<8x6x64xf32>, tensor<8x9x64xf32>, tensor<8x9x64xf32>)
        outs(%init : tensor<8x6x64xf32>) -> tensor<8x6x64xf32>
    ```
  }];
  let assemblyFormat = [{
    attr-dict `ins` `(` $inputs `:` type($inputs) `)` `outs` `(` $outputs `:` type($outputs) `)`
    (`->` type($results)^)?
  }];
}

def TMTensor_YieldOp : Op<TMTensor_Dialect, "yield", [Pure, ReturnLike, Terminator]> {
  let summary = "ends the body of an op";
  let description = [{
    Example:

    ```mlir
    tm_tensor.yield %sum : i64
    ```
  }];
  let arguments = (ins
    Arg<Variadic<AnyType>, "what the body gives">:$operands);
  let builders = [OpBuilder<(ins), [{ (void)$_builder, (void)$_state; }]>];
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
}

#endif // FLASH_DIALECT_TMTENSOR_IR_TMTENSOROPS_TD
