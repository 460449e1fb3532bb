//===- Passes.td - From linalg to attention ----------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_LINALGTOFLASH_PASSES
#define FLASH_CONVERSION_LINALGTOFLASH_PASSES

include "mlir/Pass/PassBase.td"

def Raise : Pass<"flash-raise", "::mlir::func::FuncOp"> {
  let summary = "Recognise attention in linalg on tensors (to L0)";
  let description = [{
    Numerics change: scores and softmax are in f32 whatever the source rounds in
    between, and a row that sees no key gives 0 where the source gives NaN.

    ```mlir
    %s = linalg.batch_matmul ins(%q, %kt : ...) outs(%zero : ...) -> tensor<8x6x9xf32>
    %p = ...                                          // softmax of %s * 0.125 over the last dimension
    %o = linalg.batch_matmul ins(%p, %v : ...) outs(%zero : ...) -> tensor<8x6x64xf32>
    // becomes
    %o = flash.attention %q4, %k4, %v4 {scale = 0.125 : f32} : ...
    ```

    Calls have to be inlined before. An attention that cannot be raised leaves a
    remark that says why. docs/Raise.md has what is recognised.
  }];
  let options = [
    Option<"roundProbabilities", "round-probabilities", "bool", /*default=*/"false",
           "Take 16-bit operands where the source widens them and keeps probabilities in f32: these are rounded then">,
    Option<"finiteMinimaHide", "finite-minima-hide", "bool", /*default=*/"false",
           "Take low numbers in a mask, down from -9000, as -inf: each row sees a key, or may be 0 where it averages the values">
  ];
  let statistics = [Statistic<"numRaised", "num-raised", "Number of attentions raised">];
  let dependentDialects = ["::flash::FlashDialect", "::mlir::affine::AffineDialect",
                           "::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

def LowerTMTensor : Pass<"flash-lower-tm-tensor", "::mlir::func::FuncOp"> {
  let summary = "Write running sums (tm_tensor.scan) and attentions of torch-mlir as loops and linalg";
  let description = [{
    After flash-raise, for what still needs them: positions that a program
    computes from a padding mask, for instance. tm_tensor.attention becomes
    linalg; other ops of tm_tensor stay.

    ```mlir
    %sums:2 = tm_tensor.scan dimension(1) inclusive(true) ins(%x : tensor<2x8xi64>) outs(%init, %start : ...) {...}
    // becomes
    %sums:2 = scf.for %i = ... iter_args(%out = %init, %last = %start) ...
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

#endif // FLASH_CONVERSION_LINALGTOFLASH_PASSES
