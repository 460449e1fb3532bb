//===- Passes.td - From L2 to LLVM on the CPU --------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_FLASHTOCPU_PASSES
#define FLASH_CONVERSION_FLASHTOCPU_PASSES

include "mlir/Pass/PassBase.td"

def SoftmaxToLinalgPass : Pass<"flash-softmax-to-linalg"> {
  let summary = "Lower flash.online_softmax to linalg";
  let description = [{
    Along either dimension. With c = scale * log2(e):

    ```mlir
    %p, %m1, %s1, %a = flash.online_softmax ins(%s) outs(%p0, %m, %sum, %a0)
    // becomes
    %old = linalg.generic ins(%m) outs(%a0)                // copy
    %m1  = linalg.generic ins(%s) outs(%m)                 // running maximum
    %a   = linalg.generic ins(%m1) outs(%old)              // exp2((old - m1) c)
    %sa  = linalg.generic ins(%a) outs(%sum)               // sum * alpha
    %p, %s1 = linalg.generic ins(%m1) outs(%s, %sa)        // exp2((s - m1) c)
    ```

    P takes the place of the scores when nothing else reads them. A 16-bit P is
    rounded, kept in f32, and truncated exactly afterwards.

    `flash.hide_unseen` and the product that reads it become a look at the values
    and two products: of the values where they lie, and, where one that is not
    finite is found, of a copy without those that no query sees.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def ExpandSumsPass : Pass<"flash-expand-sums"> {
  let summary = "Lower flash.add_slice to linalg";
  let description = [{
    ```mlir
    %d1 = flash.add_slice %t into %d0[%i, 0] [64, 128] [1, 1] : tensor<64x128xf32> into tensor<?x128xf32>
    // becomes
    %s  = tensor.extract_slice %d0[%i, 0] [64, 128] [1, 1]
    %a  = linalg.add ins(%s, %t) outs(%s)
    %d1 = tensor.insert_slice %a into %d0[%i, 0] [64, 128] [1, 1]
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def PromoteOperandsPass : Pass<"flash-promote-operands"> {
  let summary = "Convert 16-bit operands of contractions to f32 once";
  let description = [{
    ```mlir
    linalg.matmul ins(%k, %v : tensor<64x64xbf16>, tensor<64x96xbf16>) outs(%s : tensor<64x96xf32>)
    // becomes
    %k32 = linalg.generic { arith.extf } ins(%k) outs(%empty : tensor<64x64xf32>)
    linalg.generic { mulf, addf } ins(%k32, %v32) outs(%s)
    ```

    An operand that was just rounded from f32 is read where it was before, so P
    is never stored in 16 bits. No result changes: 16-bit values are exact in f32.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ResultsToOutputsPass : Pass<"flash-results-to-outputs", "::mlir::ModuleOp"> {
  let summary = "Turn the results of entry points into output buffers";
  let description = [{
    ```mlir
    func.func @f(%q: tensor<?xf32>) -> tensor<?xf32> { return %o }
    // becomes
    func.func @f(%q: tensor<?xf32> {bufferization.writable = false}, %out: memref<?xf32>) {
      bufferization.materialize_in_destination %o in restrict writable %out
      return
    }
    ```

    Each public function with a body gets `llvm.emit_c_interface`: its C entry
    takes pointers to descriptors, inputs first, then outputs. Of two dimensions or
    more, all but the last may have any stride: inputs say so by
    `bufferization.buffer_layout`, outputs by their type.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
}

def PadToCopyPass : Pass<"flash-pad-to-copy"> {
  let summary = "Turn tensor.pad into a fill and a copy";
  let description = [{
    ```mlir
    %p = tensor.pad %t low[0, 0] high[%h, 0] { yield %zero }
    // becomes
    %f = linalg.fill ins(%zero) outs(%empty)
    %p = tensor.insert_slice %t into %f[0, 0] [%rows, 64] [1, 1]
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def OutlineParallelPass : Pass<"flash-outline-parallel", "::mlir::ModuleOp"> {
  let summary = "Outline parallel loops and call them through the runtime";
  let description = [{
    ```mlir
    scf.forall (%i, %j) in (%n, %m) { memref.alloc() ... }
    // becomes
    func.func private @f_body0(%ctx: !llvm.ptr, %begin: i64, %end: i64) {
      memref.alloca() ...
      scf.for %t = %begin to %end { ... }
    }
    call @flash_rt_parallel_for(%nm, @f_body0, %ctx)
    ```

    Scratch memory belongs to a call of the body, so it grows with the number of
    threads and not with the length of a sequence. Buffers that remain in the
    caller are freed before it returns.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
  let statistics = [
    Statistic<"numOutlined", "loops-outlined", "Parallel loops that became functions">
  ];
}

def VectorizeLanesPass : Pass<"flash-vectorize-lanes"> {
  let summary = "Turn linalg ops on buffers into loops over vectors in registers";
  let description = [{
    ```mlir
    linalg.matmul ins(%k, %q : memref<64x128xf32>, memref<128x96xf32>) outs(%s : memref<64x96xf32>)
    // becomes
    scf.for %m step 24 { scf.for %n step 4 {
      %acc:12 = scf.for %d iter_args(...) -> (vector<8xf32> x 12) {
        // 3 vector.load of %q, 4 memref.load of %k broadcast, 12 math.fma
      }
    } }
    ```

    The lanes are the parallel dimension along which most operands are
    contiguous; operands that are not are read and written lane by lane. Copies
    of parts of buffers are vectorized too. An op with a body that is not
    element-wise or with other indexing maps than projected permutations is left
    for scalar loops. Multiply-adds of contractions are fused: they round once.
    A contraction takes over the element-wise op before it that makes its initial
    values, and prefetches the operands that it reads in place.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "unsigned", "256",
           "Width of a vector register in bits">,
    Option<"registers", "registers", "unsigned", "16",
           "Number of vector registers">
  ];
  let statistics = [
    Statistic<"numVectorized", "ops-vectorized", "linalg ops that became vector loops">,
    Statistic<"numLeft", "ops-left", "linalg ops left for scalar loops">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def WidenFloat16Pass : Pass<"flash-widen-float16"> {
  let summary = "Compute on f32 what is written on f16 and bf16";
  let description = [{
    ```mlir
    %z = math.exp %x : vector<9xbf16>
    // becomes
    %a = arith.extf %x : vector<9xbf16> to vector<9xf32>
    %b = math.exp %a : vector<9xf32>
    %z = arith.truncf %b : vector<9xf32> to vector<9xbf16>
    ```

    Operations of arith and math; each result is rounded to its type as before.
    Conversions between f64 and 16 bits go by way of f32 and round once.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
  let statistics = [
    Statistic<"numWidened", "ops-widened", "Operations computed in f32">
  ];
}

def BF16ToBitsPass : Pass<"flash-bf16-to-bits", "::mlir::ModuleOp"> {
  let summary = "Keep bf16 in 16-bit integers";
  let description = [{
    ```mlir
    %x = llvm.load %p : !llvm.ptr -> vector<9xbf16>
    %y = llvm.bitcast %x : vector<9xbf16> to vector<9xi16>
    // becomes
    %y = llvm.load %p : !llvm.ptr -> vector<9xi16>
    ```

    On the LLVM dialect, when nothing computes on bf16 any more. LLVM handles
    integer vectors of every length on every CPU, and those of bf16 it does not.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def ExpandExp2Pass : Pass<"flash-expand-exp2"> {
  let summary = "Expand exp2 on f32 and f64 into arithmetic";
  let description = [{
    Changes numerics: relative error up to 1.7e-7, of f64 2.3e-16; results below
    2^-126, of f64 2^-1022, become 0.
    exp2(-inf) = 0, exp2(0) = 1 and NaN are exact. Scalars and vectors.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def ExpandMathPass : Pass<"flash-expand-math"> {
  let summary = "Expand tanh, exp, log and the like on f32 into arithmetic";
  let description = [{
    For what score functions call. Changes numerics: tanh has a relative error up
    to 2.7e-7 and is 1 within a unit in the last place beyond 8.5; the others are
    upstream's approximations (a few units in the last place). NaNs stay NaNs.
    Functions of other types, and those for which no polynomial is known, remain.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

def ExpandFloat8Pass : Pass<"flash-expand-float8"> {
  let summary = "Expand extensions of 8-bit floating point into arithmetic";
  let description = [{
    `arith.extf` from f8E4M3FN and f8E5M2 becomes integer arithmetic and an
    extension of f16, which is exact. Scalars and vectors.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def MathToCallsPass : Pass<"flash-math-to-calls", "::mlir::ModuleOp"> {
  let summary = "Call the C library for functions that LLVM does not know";
  let description = [{
    erf, erfc, cbrt, acosh, asinh and atanh of what flash-expand-math left
    (f64), lane by lane.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::mlir::vector::VectorDialect"];
}

#endif // FLASH_CONVERSION_FLASHTOCPU_PASSES
