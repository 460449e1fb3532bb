// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none}))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a}))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80}))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3}))' | FileCheck %s --check-prefix=CPU

// Heads share tiles where tiles of one head would be less than 0.9 as full.

// CPU-NOT: packHeads = {{[2-9]}}

// CHECK-LABEL: @decode
// CHECK: packHeads = 8
func.func @decode(%q: tensor<2x1x32x128xbf16>, %k: tensor<2x?x4x128xbf16>) -> tensor<2x1x32x128xbf16> {
  %o = flash.attention %q, %k, %k {layout = #flash.layout<bshd>, mask = #flash.causal} : tensor<2x1x32x128xbf16>, tensor<2x?x4x128xbf16>, tensor<2x?x4x128xbf16> -> tensor<2x1x32x128xbf16>
  return %o : tensor<2x1x32x128xbf16>
}

// CHECK-LABEL: @a_little_more
// CHECK: packHeads = 4
func.func @a_little_more(%q: tensor<2x8x130x128xbf16>, %k: tensor<2x2x130x128xbf16>) -> tensor<2x8x130x128xbf16> {
  %o = flash.attention %q, %k, %k : tensor<2x8x130x128xbf16>, tensor<2x2x130x128xbf16>, tensor<2x2x130x128xbf16> -> tensor<2x8x130x128xbf16>
  return %o : tensor<2x8x130x128xbf16>
}

// Full tiles.
// CHECK-LABEL: @whole
// CHECK-NOT: packHeads
func.func @whole(%q: tensor<2x8x3840x128xbf16>, %k: tensor<2x2x3840x128xbf16>) -> tensor<2x8x3840x128xbf16> {
  %o = flash.attention %q, %k, %k : tensor<2x8x3840x128xbf16>, tensor<2x2x3840x128xbf16>, tensor<2x2x3840x128xbf16> -> tensor<2x8x3840x128xbf16>
  return %o : tensor<2x8x3840x128xbf16>
}

// Heads with keys of their own.
// CHECK-LABEL: @alone
// CHECK-NOT: packHeads
func.func @alone(%q: tensor<2x8x1x128xbf16>, %k: tensor<2x8x?x128xbf16>) -> tensor<2x8x1x128xbf16> {
  %o = flash.attention %q, %k, %k : tensor<2x8x1x128xbf16>, tensor<2x8x?x128xbf16>, tensor<2x8x?x128xbf16> -> tensor<2x8x1x128xbf16>
  return %o : tensor<2x8x1x128xbf16>
}

// What a schedule says stays: one head a tile.
// CHECK-LABEL: @given
// CHECK: packHeads = 1>
func.func @given(%q: tensor<2x8x1x128xbf16>, %k: tensor<2x2x?x128xbf16>) -> tensor<2x8x1x128xbf16> {
  %o = flash.attention %q, %k, %k {schedule = #flash.schedule<packHeads = 1>} : tensor<2x8x1x128xbf16>, tensor<2x2x?x128xbf16>, tensor<2x2x?x128xbf16> -> tensor<2x8x1x128xbf16>
  return %o : tensor<2x8x1x128xbf16>
}

// Lengths that are not known, and a mask of each head.
// CHECK-LABEL: @dynamic
// CHECK-NOT: packHeads
func.func @dynamic(%q: tensor<2x8x?x128xbf16>, %k: tensor<2x2x?x128xbf16>) -> tensor<2x8x?x128xbf16> {
  %o = flash.attention %q, %k, %k : tensor<2x8x?x128xbf16>, tensor<2x2x?x128xbf16>, tensor<2x2x?x128xbf16> -> tensor<2x8x?x128xbf16>
  return %o : tensor<2x8x?x128xbf16>
}

// CHECK-LABEL: @by_head
// CHECK-NOT: packHeads
func.func @by_head(%q: tensor<1x4x7x64xf16>, %k: tensor<1x1x9x64xf16>) -> tensor<1x4x7x64xf16> {
  %o = flash.attention %q, %k, %k {mask = #flash.region} mask {
    ^bb0(%b: index, %h: index, %i: index, %j: index):
      %visible = arith.cmpi sle, %h, %j : index
      flash.yield %visible : i1
  } : tensor<1x4x7x64xf16>, tensor<1x1x9x64xf16>, tensor<1x1x9x64xf16> -> tensor<1x4x7x64xf16>
  return %o : tensor<1x4x7x64xf16>
}
// CHECK-LABEL: @end
// CPU-LABEL: @end
func.func private @end()
