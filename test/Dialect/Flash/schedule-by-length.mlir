// Schedules for calls of different lengths: beside `schedule` at L0, a loop nest for each at L1, whose results are the next one's
// destination. One of them has iterations.

// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=%S/Inputs/schedules.json}))' | FileCheck %s --check-prefix=L0
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=%S/Inputs/schedules.json},flash-tile-attention),canonicalize,cse)' | FileCheck %s

// L0-LABEL: @dynamic
// L0: flash.attention
// L0-SAME: flash.shorter_schedules = [#flash.bounded<up_to = 1024, schedule = <m = 128, n = 128, {{[^>]*}}>>, #flash.bounded<up_to = 4096, schedule = <m = 128, n = 112, {{[^>]*}}>>]
// L0-SAME: schedule = #flash.schedule<m = 128, n = 80,

// CHECK-LABEL: @dynamic
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[SHORT:.*]] = arith.constant 1024 : index
// CHECK: %[[LENGTH:.*]] = arith.maxsi
// CHECK: %[[OVER:.*]] = arith.subi %[[LENGTH]], %[[SHORT]]
// CHECK: %[[POSITIVE:.*]] = arith.maxsi %[[OVER]], %[[ZERO]]
// CHECK: %[[LONGER:.*]] = arith.minsi %[[POSITIVE]], %[[ONE]]
// CHECK: %[[SHORTER:.*]] = arith.subi %[[ONE]], %[[LONGER]]
// CHECK: %[[NONE:.*]] = arith.muli %{{.*}}, %[[SHORTER]]
// CHECK: %[[FIRST:.*]] = scf.forall {{.*}} in (%[[NONE]], 4, %{{.*}}) shared_outs
// CHECK: tensor<128x64xbf16>
// CHECK: flash.tiling = #flash.tiling<m = 128, n = 128,
// CHECK: %[[SECOND:.*]] = scf.forall {{.*}} shared_outs(%{{.*}} = %[[FIRST]])
// CHECK: flash.tiling = #flash.tiling<m = 128, n = 112,
// CHECK: %[[THIRD:.*]] = scf.forall {{.*}} shared_outs(%{{.*}} = %[[SECOND]])
// CHECK: flash.tiling = #flash.tiling<m = 128, n = 80,
// CHECK: return %[[THIRD]]
func.func @dynamic(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x4x?x64xbf16>) -> tensor<?x4x?x64xbf16> {
  %o = flash.attention %q, %k, %k {mask = #flash.causal} : tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xbf16>
  return %o : tensor<?x4x?x64xbf16>
}
