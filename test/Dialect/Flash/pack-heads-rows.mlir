// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v2},flash-tile-attention))' -o /dev/null
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v2}))' | FileCheck %s --check-prefixes=CHECK,SSE
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3}))' | FileCheck %s --check-prefixes=CHECK,AVX2

// On a CPU the rows of a tile follow from the registers; where heads share a tile, they divide its rows. Three vectors of 4 lanes
// twice are 24, which 16 does not divide.

// CHECK-LABEL: @chosen
// SSE: #flash.schedule<m = 32, n = 48, {{.*}}packHeads = 16
// AVX2: #flash.schedule<m = 48, n = 48, {{.*}}packHeads = 16
func.func @chosen(%q: tensor<1x16x?x64xf32>, %k: tensor<1x1x?x64xf32>) -> tensor<1x16x?x64xf32> {
  %o = flash.attention %q, %k, %k {schedule = #flash.schedule<packHeads = 16>} : tensor<1x16x?x64xf32>, tensor<1x1x?x64xf32>, tensor<1x1x?x64xf32> -> tensor<1x16x?x64xf32>
  return %o : tensor<1x16x?x64xf32>
}

// Rows that are given stay.
// CHECK-LABEL: @given
// CHECK: #flash.schedule<m = 16, n = 48, {{.*}}packHeads = 16
func.func @given(%q: tensor<1x16x?x64xf32>, %k: tensor<1x1x?x64xf32>) -> tensor<1x16x?x64xf32> {
  %o = flash.attention %q, %k, %k {schedule = #flash.schedule<m = 16, packHeads = 16>} : tensor<1x16x?x64xf32>, tensor<1x1x?x64xf32>, tensor<1x1x?x64xf32> -> tensor<1x16x?x64xf32>
  return %o : tensor<1x16x?x64xf32>
}
