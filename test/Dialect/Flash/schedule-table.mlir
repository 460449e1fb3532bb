// A table of measured schedules: its entry for the problem and the length, else the model's choice.

// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=%S/Inputs/schedules.json}))' 2>%t.err | FileCheck %s --implicit-check-not='flash.attention'
// RUN: FileCheck %s --check-prefix=REMARK < %t.err
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none}))' | FileCheck %s --check-prefix=NONE
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=%S/Inputs/schedules.json schedule=#flash.schedule<n=48>}))' 2>/dev/null | FileCheck %s --check-prefix=OPTION
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80 table=%S/Inputs/schedules.json}))' 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a exact schedule=#flash.schedule<m=64,n=16>}))' | FileCheck %s --check-prefix=EXACT

// NONE-NOT: n = {{80|160}},
// OPTION: flash.attention {{.*}} #flash.schedule<m = 128, n = 48,
// OTHER-NOT: wgmma
// EXACT: #flash.schedule<m = 64, n = 16>

// CHECK-LABEL: @by_length
func.func @by_length(%a: tensor<2x4x512x64xbf16>, %b: tensor<2x4x4096x64xf16>, %c: tensor<2x4x4097x64xbf16>, %d: tensor<2x4x?x64xbf16>,
                     %cu: tensor<3xi32>, %n: tensor<2xi32>, %t: tensor<1x4x512x64xbf16>) {
  // CHECK: flash.attention {{.*}} n = 128,
  %0 = flash.attention %a, %a, %a {mask = #flash.causal} : tensor<2x4x512x64xbf16>, tensor<2x4x512x64xbf16>, tensor<2x4x512x64xbf16> -> tensor<2x4x512x64xbf16>
  // The longer of queries and keys; the width of the type, not the type.
  // CHECK: flash.attention {{.*}} n = 112,
  %a16 = arith.constant dense<0.0> : tensor<2x4x512x64xf16>
  %1 = flash.attention %a16, %b, %b {mask = #flash.causal} : tensor<2x4x512x64xf16>, tensor<2x4x4096x64xf16>, tensor<2x4x4096x64xf16> -> tensor<2x4x512x64xf16>
  // CHECK: flash.attention {{.*}} n = 80,
  %2 = flash.attention %c, %c, %c {mask = #flash.causal} : tensor<2x4x4097x64xbf16>, tensor<2x4x4097x64xbf16>, tensor<2x4x4097x64xbf16> -> tensor<2x4x4097x64xbf16>
  // Not known before the call, or in data alone: what serves all lengths.
  // CHECK: flash.attention {{.*}} n = 80,
  %3 = flash.attention %d, %d, %d {mask = #flash.causal} : tensor<2x4x?x64xbf16>, tensor<2x4x?x64xbf16>, tensor<2x4x?x64xbf16> -> tensor<2x4x?x64xbf16>
  // CHECK: flash.attention {{.*}} n = 80,
  %4 = flash.attention %a, %a, %a kv_lengths(%n : tensor<2xi32>) {mask = #flash.causal} : tensor<2x4x512x64xbf16>, tensor<2x4x512x64xbf16>, tensor<2x4x512x64xbf16> -> tensor<2x4x512x64xbf16>
  // Of ragged sequences nothing was measured: the model's.
  // CHECK: flash.attention {{.*}} n = 128,{{.*}} dynamic = true
  %5 = flash.attention %t, %t, %t cu_seqlens_q(%cu : tensor<3xi32>) cu_seqlens_k(%cu : tensor<3xi32>) {mask = #flash.causal} : tensor<1x4x512x64xbf16>, tensor<1x4x512x64xbf16>, tensor<1x4x512x64xbf16> -> tensor<1x4x512x64xbf16>
  return
}

// CHECK-LABEL: @what_else_matters
func.func @what_else_matters(%a: tensor<2x4x512x64xbf16>, %b: tensor<2x4x512x128xbf16>, %i: index) {
  // Other masks and score functions have entries of their own.
  // CHECK: flash.attention {{.*}}m = 192,
  %0 = flash.attention %a, %a, %a : tensor<2x4x512x64xbf16>, tensor<2x4x512x64xbf16>, tensor<2x4x512x64xbf16> -> tensor<2x4x512x64xbf16>
  // CHECK: flash.attention {{.*}}peelMasks = true
  %1 = flash.attention %a, %a, %a {mask = #flash.causal, scores = [#flash.softcap<3.0 : f32>]} : tensor<2x4x512x64xbf16>, tensor<2x4x512x64xbf16>, tensor<2x4x512x64xbf16> -> tensor<2x4x512x64xbf16>
  // With the LSE and offsets one without them is taken where registers suffice,
  // CHECK: flash.attention {{.*}} n = 128,
  %2, %lse = flash.attention %a, %a, %a q_offset(%i) {mask = #flash.causal} : tensor<2x4x512x64xbf16>, tensor<2x4x512x64xbf16>, tensor<2x4x512x64xbf16> -> tensor<2x4x512x64xbf16>, tensor<2x4x512xf32>
  // and otherwise not.
  // CHECK: flash.attention {{.*}} n = 160,
  %3 = flash.attention %b, %b, %b {mask = #flash.causal} : tensor<2x4x512x128xbf16>, tensor<2x4x512x128xbf16>, tensor<2x4x512x128xbf16> -> tensor<2x4x512x128xbf16>
  // REMARK: [[@LINE+2]]:15: remark: schedule table '{{.*}}schedules.json': its schedule of 128 queries and 160 keys was measured without LSE and offsets, with which it is short of registers; not taken
  // CHECK: flash.attention {{.*}} n = 128,
  %4, %lse4 = flash.attention %b, %b, %b {mask = #flash.causal} : tensor<2x4x512x128xbf16>, tensor<2x4x512x128xbf16>, tensor<2x4x512x128xbf16> -> tensor<2x4x512x128xbf16>, tensor<2x4x512xf32>
  // An entry that the target cannot run is left out.
  // REMARK: [[@LINE+2]]:8: remark: schedule table '{{.*}}schedules.json': its schedule of 128 queries and 256 keys needs 558,080 bytes of shared memory of 232,448; not taken
  // CHECK: flash.attention {{.*}} n = 128,
  %5 = flash.attention %b, %b, %b : tensor<2x4x512x128xbf16>, tensor<2x4x512x128xbf16>, tensor<2x4x512x128xbf16> -> tensor<2x4x512x128xbf16>
  return
}

// Merges have entries of their own, by the type of the parts and the head dim.
// CHECK-LABEL: @merges
// CHECK: flash.merge {{.*}}schedule = #flash.schedule<m = 128, n = 1, d = 16, warps = 8>
// CHECK: flash.merge {{.*}}schedule = #flash.schedule<m = 64, n = 1, d = 16, warps = 4>
func.func @merges(%o: tensor<1x4x9x64xf32>, %p: tensor<1x4x9x128xf32>, %l: tensor<1x4x9xf32>) -> (tensor<1x4x9x64xbf16>, tensor<1x4x9x128xbf16>) {
  %0 = flash.merge outputs(%o, %o : tensor<1x4x9x64xf32>, tensor<1x4x9x64xf32>) lses(%l, %l : tensor<1x4x9xf32>, tensor<1x4x9xf32>) -> tensor<1x4x9x64xbf16>
  %1 = flash.merge outputs(%p, %p : tensor<1x4x9x128xf32>, tensor<1x4x9x128xf32>) lses(%l, %l : tensor<1x4x9xf32>, tensor<1x4x9xf32>) -> tensor<1x4x9x128xbf16>
  return %0, %1 : tensor<1x4x9x64xbf16>, tensor<1x4x9x128xbf16>
}
