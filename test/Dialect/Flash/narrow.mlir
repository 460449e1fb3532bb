// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule=#flash.schedule<m=64,n=32>},flash-tile-attention),canonicalize,cse,flash-verify-level{level=L1})' | FileCheck %s
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule=#flash.schedule<m=64,n=32>},flash-tile-attention,flash-decompose-attention),canonicalize,cse,flash-verify-level{level=L2})' | FileCheck %s --check-prefix=STEP
// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-split-kv{parts=2}))' | FileCheck %s --check-prefix=SPLIT

// Keys and values of 8 bits, of two types: each has its factor and its conversion.

// CHECK-LABEL: func @mixed(
// CHECK-SAME: %[[KF:[^:]*]]: tensor<4xf32>, %[[VF:[^:]*]]: tensor<4xf32>
// CHECK: scf.forall
// CHECK-DAG: %[[K:.+]] = tensor.extract %[[KF]]
// CHECK: scf.for
// CHECK: flash.online_attention ins({{.*}} : tensor<16x64xf16>, tensor<32x16xi8>, tensor<32x24xf8E4M3FN>) {{.*}} key_scale(%[[K]])
// CHECK: %[[V:.+]] = tensor.extract %[[VF]]
// CHECK: linalg.generic
// CHECK: arith.divf %[[V]],

// STEP-LABEL: func @mixed(
// STEP: arith.sitofp %{{.+}} : i8 to f16
// STEP: linalg.matmul
// STEP: flash.online_softmax {{.*}} scale = 1.000000e+00
// STEP: arith.extf %{{.+}} : f8E4M3FN to f
// STEP: linalg.matmul

// SPLIT-LABEL: func @mixed(
// SPLIT-COUNT-2: flash.attention {{.*}} key_scale({{.*}}) value_scale({{.*}}) {{.*}}xi8>, {{.*}}xf8E4M3FN>
func.func @mixed(%q: tensor<1x4x128x16xf16>, %k: tensor<1x4x64x16xi8>, %v: tensor<1x4x64x24xf8E4M3FN>, %x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<1x4x128x24xf16> {
  %o = flash.attention %q, %k, %v key_scale(%x : tensor<4xf32>) value_scale(%y : tensor<4xf32>)
      : tensor<1x4x128x16xf16>, tensor<1x4x64x16xi8>, tensor<1x4x64x24xf8E4M3FN> -> tensor<1x4x128x24xf16>
  return %o : tensor<1x4x128x24xf16>
}

// -----

// Values alone: no factor meets the scores, and softmax has the scale.

// CHECK-LABEL: func @values(
// CHECK-SAME: %[[VF:[^:]*]]: tensor<4xf32>
// CHECK: scf.for
// CHECK: flash.online_attention
// CHECK-NOT: key_scale
// CHECK: %[[V:.+]] = tensor.extract %[[VF]]
// CHECK: arith.divf %[[V]],

// STEP-LABEL: func @values(
// STEP-NOT: arith.sitofp
// STEP: flash.online_softmax {{.*}} scale = 2.500000e-01
// STEP: arith.sitofp %{{.+}} : i8 to f16
// STEP: linalg.matmul

// SPLIT-LABEL: func @values(
// SPLIT-COUNT-2: flash.attention {{[^k]*}} value_scale({{.*}}) {{.*}}xf16>, {{.*}}xi8>
func.func @values(%q: tensor<1x4x128x16xf16>, %k: tensor<1x4x64x16xf16>, %v: tensor<1x4x64x24xi8>, %y: tensor<4xf32>) -> tensor<1x4x128x24xf16> {
  %o = flash.attention %q, %k, %v value_scale(%y : tensor<4xf32>)
      : tensor<1x4x128x16xf16>, tensor<1x4x64x16xf16>, tensor<1x4x64x24xi8> -> tensor<1x4x128x24xf16>
  return %o : tensor<1x4x128x24xf16>
}

// -----

// Keys alone, in pages: only they are converted, and nothing is left to do after the loop.

// CHECK-LABEL: func @keys(
// CHECK-SAME: %[[KF:[^:]*]]: tensor<4xf32>
// CHECK: %[[K:.+]] = tensor.extract %[[KF]]
// CHECK: scf.for
// CHECK: flash.online_attention ins({{.*}} : tensor<16x64xf32>, tensor<32x16xf8E5M2>, tensor<32x24xf32>) {{.*}} key_scale(%[[K]])
// CHECK-NOT: tensor.extract %[[KF]]

// STEP-LABEL: func @keys(
// STEP: arith.extf %{{.+}} : f8E5M2 to f32
// STEP: linalg.matmul
// STEP-NOT: arith.extf
// STEP: linalg.matmul

// SPLIT-LABEL: func @keys(
// SPLIT-COUNT-2: flash.attention {{.*}} page_table({{.*}}) key_scale(
func.func @keys(%q: tensor<1x4x128x16xf32>, %k: tensor<9x4x32x16xf8E5M2>, %v: tensor<9x4x32x24xf32>, %n: tensor<1xi32>, %t: tensor<1x9xi32>, %x: tensor<4xf32>) -> tensor<1x4x128x24xf32> {
  %o = flash.attention %q, %k, %v kv_lengths(%n : tensor<1xi32>) page_table(%t : tensor<1x9xi32>) key_scale(%x : tensor<4xf32>)
      : tensor<1x4x128x16xf32>, tensor<9x4x32x16xf8E5M2>, tensor<9x4x32x24xf32> -> tensor<1x4x128x24xf32>
  return %o : tensor<1x4x128x24xf32>
}
