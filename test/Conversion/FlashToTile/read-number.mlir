// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a},flash-tile-attention,flash-decompose-attention),convert-flash-to-tile,canonicalize,cse)' | FileCheck %s

// A position that lies in device memory is read by the kernel, and what is made of it is computed there.

// CHECK-LABEL: func.func @start(
// CHECK-NOT: memref.load
// CHECK-NOT: index_cast
// CHECK: return
// CHECK: flash_tile.kernel
// CHECK: %[[READ:.+]] = memref.load %{{.+}}[] : memref<i32
// CHECK: arith.index_cast %[[READ]] : i32 to index
func.func @start(%q: tensor<2x4x64x64xf16>, %k: tensor<2x4x256x64xf16>, %v: tensor<2x4x256x64xf16>, %at: tensor<i32>) -> tensor<2x4x64x64xf16> {
  %read = tensor.extract %at[] : tensor<i32>
  %start = arith.index_cast %read : i32 to index
  %o = flash.attention %q, %k, %v q_offset(%start) {mask = #flash.causal} : tensor<2x4x64x64xf16>, tensor<2x4x256x64xf16>, tensor<2x4x256x64xf16> -> tensor<2x4x64x64xf16>
  return %o : tensor<2x4x64x64xf16>
}

// -----

// The host cannot assert what it cannot read.

func.func @asserted(%q: tensor<2x4x64x64xf16>, %k: tensor<2x4x256x64xf16>, %v: tensor<2x4x256x64xf16>, %at: tensor<i32>) -> tensor<2x4x64x64xf16> {
  %read = tensor.extract %at[] : tensor<i32>
  %start = arith.index_cast %read : i32 to index
  %c0 = arith.constant 0 : index
  %holds = arith.cmpi sge, %start, %c0 : index
  // expected-error @+1 {{on a GPU, what the host decides cannot be read from a tensor: make the number an argument of the function}}
  cf.assert %holds, "a query sees no key"
  %o = flash.attention %q, %k, %v q_offset(%start) {mask = #flash.causal} : tensor<2x4x64x64xf16>, tensor<2x4x256x64xf16>, tensor<2x4x256x64xf16> -> tensor<2x4x64x64xf16>
  return %o : tensor<2x4x64x64xf16>
}
