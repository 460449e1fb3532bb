// A backward becomes loops: which one is outside, what a step is given, and where sums go (L0 to L1).
//
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-schedule-recompute{target=cpu:x86-64-v3},flash-choose-schedule{target=cpu:x86-64-v3},flash-tile-attention),canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,CPU
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-schedule-recompute{target=sm_90a},flash-choose-schedule{target=sm_90a},flash-tile-attention),canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,GPU,SM90
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-schedule-recompute{target=sm_80},flash-choose-schedule{target=sm_80},flash-tile-attention),canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,GPU,SM80

!q = tensor<2x8x300x64xbf16>
!k = tensor<2x2x500x64xbf16>
!l = tensor<2x8x300xf32>
// Statistics of each row first: log-sum-exp in units of log 2 (+inf where it is -inf), and rowsum(o * do); on Hopper as rows of a
// product. A tensor of rows has whole blocks. Then keys outside, from the last block on; the queries that the causal mask shows them, of the four heads of the group, inside.
// A step adds to dK and dV and begins dQ with zeros, which leaves by add_slice. A CPU with more cores than key heads has two loops.
// CHECK-LABEL: func.func @all
// CHECK: %[[STAT:.*]]:2 = scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) in (2, 8, {{[357]}})
// CHECK: tensor.pad {{.*}} low[0] high[
// CHECK-NEXT: ^bb0
// CHECK-NEXT: tensor.yield %[[NONE:.*]] : f32
// CHECK: arith.cmpf oeq, %{{.*}}, %[[NONE]]
// CHECK: arith.select
// CHECK: linalg.reduce
// CHECK: scf.forall.in_parallel
// GPU: %[[ZERO:.*]] = linalg.fill {{.*}} -> tensor<2x8x{{320|384}}x64xf32>
// GPU: %[[SUMS:.*]]:3 = scf.forall (%[[B:.*]], %[[H:.*]], %[[J:.*]]) in (2, 2, {{[48]}}) shared_outs(%[[DQ:.*]] = %[[ZERO]],
// GPU: %[[BACKWARDS:.*]] = arith.subi %c{{[37]}}, %[[J]]
// GPU: arith.muli %[[BACKWARDS]], %c{{64|128}}
// GPU: %[[FIRST_HEAD:.*]] = arith.muli %[[H]], %c4
// GPU: %[[LOOP:.*]]:3 = scf.for %{{.*}} = %c0 to %{{.*}} step %c1
// GPU: arith.divui {{.*}} : i32
// SM80: tensor.extract_slice %[[STAT]]#0{{.*}} [1, 1, 1, 64] [1, 1, 1, 1]
// SM80: tensor.extract_slice %[[STAT]]#1{{.*}} [1, 1, 1, 64] [1, 1, 1, 1]
// SM90: tensor.extract_slice %[[STAT]]#0{{.*}} [1, 1, 1, 3, 128] {{.*}} to tensor<3x128xbf16>
// SM90: tensor.pad {{.*}} low[0, 0] high[13, 0]
// SM90: tensor.extract_slice %[[STAT]]#1{{.*}} [1, 1, 1, 3, 128] {{.*}} to tensor<3x128xbf16>
// GPU: %[[STEP:.*]], %{{.*}}, %{{.*}} = flash.backward_step {{.*}} {mask = #flash.causal, scale = 1.250000e-01 : f32, transposed}
// GPU: flash.add_slice %[[STEP]] into %{{.*}} [1, {{64|128}}, 64] [1, 1, 1] : tensor<{{64|128}}x64xf32> into tensor<4x{{320|384}}x64xf32>
// GPU: scf.forall.in_parallel
// GPU-COUNT-2: tensor.parallel_insert_slice {{.*}} into tensor<2x2x500x64xbf16>
// GPU: flash.parallel_add_slice %[[LOOP]]#0 into %[[DQ]][%[[B]], %[[FIRST_HEAD]], 0, 0] [1, 4, {{320|384}}, 64]
// SM90: flash.tiling = #flash.tiling<m = 128, n = 128, d = {{16|64}}{{.*}}warps = 8, instruction = #flash_tile.wgmma, stages = 2
// SM80: flash.tiling = #flash.tiling<m = 64, n = 64, d = 16{{.*}}warps = 4, {{.*}}stages = 2
// GPU: scf.forall {{.*}} in (2, 8, {{[35]}})
// GPU: tensor.extract_slice %[[SUMS]]#0
// GPU: arith.mulf
// GPU: arith.truncf
// CPU: scf.forall (%{{.*}}, %{{.*}}) in (2, 2)
// CPU: flash.backward_step {{.*}} -> key {{.*}} value
// CPU: scf.forall {{.*}} in (2, 8, 7)
// CPU: flash.backward_step {{.*}} -> query tensor<48x64xf32>
func.func @all(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal} : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}

// A gradient for the log-sum-exp is taken from delta. Keys outside for dK and dV, queries outside for dQ: nothing is added to memory.
// CHECK-LABEL: func.func @both
// CHECK: linalg.reduce
// CHECK: arith.subf
// CHECK: scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) in (2, 2, {{4|8|11}})
// CHECK: flash.backward_step {{.*}} -> key tensor<{{48|64|128}}x64xf32> value
// CHECK: scf.forall (%{{.*}}, %[[H:.*]], %{{.*}}) in (2, 8, {{3|5|7}})
// CHECK: arith.divui %[[H]], %c4 : index
// CHECK: flash.backward_step {{.*}} -> query tensor<{{48|64|128}}x64xf32>
// CHECK-NOT: add_slice
func.func @both(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q, %dl: !l) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do d_lse(%dl : !l) {recompute = #flash.recompute<outer = both>} : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}

// A loop for dK and one for dV; the gradient that nobody asked for has none.
// CHECK-LABEL: func.func @each
// CHECK: flash.backward_step {{.*}} -> key tensor
// CHECK: scf.forall
// CHECK: flash.backward_step {{.*}} -> value tensor
// CHECK-NOT: flash.backward_step
func.func @each(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> (!k, !k) {
  %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {recompute = #flash.recompute<outer = each>} : !q, !k, !k, !q, !l, !q -> key !k value !k
  return %dk, %dv : !k, !k
}

// dQ alone: queries outside, keys that the window shows them inside.
// CHECK-LABEL: func.func @query
// CHECK: scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) in (2, 8, {{3|5|7}})
// CPU: %[[QT:.*]] = linalg.transpose
// CPU: %[[OT:.*]] = linalg.transpose
// CHECK: arith.divui %{{.*}}, %[[SIZE:c(48|64)]] : index
// CHECK: %[[FIRST:.*]] = arith.muli %{{.*}}, %[[SIZE]]
// CHECK: %[[END:.*]] = arith.minsi
// CHECK: scf.for %{{.*}} = %[[FIRST]] to %[[END]] step %[[SIZE]]
// CHECK: flash.backward_step
// CPU-SAME: query_t(%[[QT]] : tensor<64x48xbf16>) d_output_t(%[[OT]] : tensor<64x48xbf16>)
// CPU-SAME: transposed}
// GPU-NOT: transposed
// CHECK-SAME: -> query tensor
// CHECK-NOT: flash.backward_step
func.func @query(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> !q {
  %dq = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.window<left = 100, right = 5>} : !q, !k, !k, !q, !l, !q -> query !q
  return %dq : !q
}

// dV alone: one loop, one sum.
// CHECK-LABEL: func.func @value
// CHECK: scf.forall
// CHECK: scf.forall
// CHECK: %{{.*}} = flash.backward_step {{.*}} d_value(%{{.*}}) positions({{.*}} {mask = #flash.window<left = 100, right = 5>, {{.*}}} -> value tensor
// CHECK-NOT: flash.backward_step
// CHECK-NOT: add_slice
func.func @value(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> !k {
  %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.window<left = 100, right = 5>} : !q, !k, !k, !q, !l, !q -> value !k
  return %dv : !k
}

!d = tensor<?x?x?x24xf16>
!e = tensor<?x?x?x40xf16>
!m = tensor<?x?x?xf32>
// Any sizes, heads beside lengths in memory: a step's tiles are padded, and what exists of them is written. On a CPU one iteration has
// all keys of a head, and its part of each gradient is its own.
// CHECK-LABEL: func.func @dynamic
// CHECK: %[[GROUP:.*]] = arith.divui %{{.*}}, %{{.*}} : index
// CPU: scf.forall (%[[B:.*]], %[[H:.*]]) in (%{{.*}}, %{{.*}}) shared_outs(%[[DQ:.*]] = %{{.*}}, %[[DK:.*]] = %{{.*}}, %[[DV:.*]] = %{{.*}})
// CPU: tensor.extract_slice %[[DQ]][%[[B]], %{{.*}}, 0, 0] [1, %[[GROUP]], %{{.*}}, 24] {{.*}} to tensor<?x?x24xf32>
// CPU: tensor.extract_slice %[[DK]][%[[B]], 0, %[[H]], 0] [1, %{{.*}}, 1, 24] {{.*}} to tensor<?x24xf16>
// CPU: tensor.extract_slice %[[DV]][%[[B]], 0, %[[H]], 0] [1, %{{.*}}, 1, 40] {{.*}} to tensor<?x40xf16>
// CPU: scf.for {{.*}} step %c48 iter_args
// CPU: %[[KT:.*]] = linalg.transpose {{.*}} outs(%{{.*}} : tensor<24x48xf16>)
// CPU: %[[VT:.*]] = linalg.transpose {{.*}} outs(%{{.*}} : tensor<40x48xf16>)
// CPU: scf.for {{.*}} step %c1 iter_args
// CPU: flash.backward_step {{.*}} key_t(%[[KT]] : tensor<24x48xf16>) value_t(%[[VT]] : tensor<40x48xf16>) d_query(
// CPU: flash.add_slice
// CPU: tensor.insert_slice {{.*}} : tensor<?x24xf16> into tensor<?x24xf16>
// CPU: tensor.insert_slice {{.*}} : tensor<?x40xf16> into tensor<?x40xf16>
// CPU: scf.forall.in_parallel
// CPU-COUNT-3: tensor.parallel_insert_slice
// GPU: flash.backward_step ins({{.*}} : tensor<{{64|128}}x32xf16>, tensor<{{64|128}}x32xf16>, tensor<{{64|128}}x{{48|64}}xf16>, tensor<{{64|128}}x{{48|64}}xf16>
// GPU: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[B:.*]], %{{.*}}, %[[H:.*]], 0] [1, %{{.*}}, 1, 24] {{.*}} : tensor<?x24xf16> into tensor<?x?x?x24xf16>
// GPU: flash.parallel_add_slice {{.*}} [1, %[[GROUP]], %{{.*}}, 32]
func.func @dynamic(%q: !d, %k: !d, %v: !e, %o: !e, %l: !m, %do: !e) -> (!d, !d, !e) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {layout = #flash.layout<bshd>} : !d, !d, !e, !e, !m, !e -> query !d key !d value !e
  return %dq, %dk, %dv : !d, !d, !e
}

!s = tensor<1x8x384x64xbf16>
!t = tensor<1x8x384xf32>
// One head for each key head and whole blocks: nothing is padded, no head is looked for, and the group's sums have two dimensions.
// CHECK-LABEL: func.func @whole
// CPU-NOT: tensor.pad
// SM80-NOT: tensor.pad
// SM90-NOT: tensor<?x64xbf16>
// GPU: flash.add_slice {{.*}} into tensor<384x64xf32>
// CPU: scf.for {{.*}} step %c48
func.func @whole(%q: !s, %k: !s, %v: !s, %o: !s, %l: !t, %do: !s) -> (!s, !s, !s) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal} : !s, !s, !s, !s, !t, !s -> query !s key !s value !s
  return %dq, %dk, %dv : !s, !s, !s
}

// A mask that is written as a region bounds the loop over queries, too. What it says of distances is an attribute before tiles are chosen.
// CHECK-LABEL: func.func @region_distance
// CHECK: flash.backward_step {{.*}} {mask = #flash.causal, {{.*}}} -> value tensor
func.func @region_distance(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> !k {
  %dv = flash.attention_backward %q, %k, %v, %o, %l, %do mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %s = arith.cmpi sle, %j, %i : index
    flash.yield %s : i1
  } : !q, !k, !k, !q, !l, !q -> value !k
  return %dv : !k
}

// Other comparisons are solved for the query: its block of 96 is the key's, or the one behind it.
// CHECK-LABEL: func.func @region_blocks
// CHECK: linalg.reduce
// CHECK: scf.forall
// CHECK: %[[KLAST:.*]] = arith.addi %[[K:.*]], %c{{47|63|127}} : index
// CHECK: %[[LEAST:.*]] = arith.floordivsi %[[K]], %c96
// CHECK: %[[LAST:.*]] = arith.floordivsi %[[KLAST]], %c96
// CHECK: %[[MOST:.*]] = arith.addi %[[LAST]], %c1
// CHECK: %[[LOW:.*]] = arith.muli %[[LEAST]], %c96
// CHECK: %[[HIGH:.*]] = arith.muli %[[MOST]], %c96
// CHECK: %[[END:.*]] = arith.addi %[[HIGH]], %c96
// CHECK: %[[LOW0:.*]] = arith.maxsi %[[LOW]], %c0
// CHECK: %[[FIRST:.*]] = arith.minsi %[[LOW0]], %c384
// CHECK: %[[BLOCK:.*]] = arith.divui %[[FIRST]], %[[SIZE:c(48|64)]]
// CHECK: %[[FROM:.*]] = arith.muli %[[BLOCK]], %[[SIZE]]
// CHECK: %[[END0:.*]] = arith.maxsi %[[END]], %c0
// CHECK: %[[TO:.*]] = arith.minsi %[[END0]], %c384
// CHECK: scf.for %{{.*}} = %[[FROM]] to %[[TO]] step %[[SIZE]]
// CHECK: flash.backward_step
func.func @region_blocks(%q: !s, %k: !s, %v: !s, %o: !s, %l: !t, %do: !s) -> !s {
  %dv = flash.attention_backward %q, %k, %v, %o, %l, %do mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c1 = arith.constant 1 : index
    %c96 = arith.constant 96 : index
    %x = arith.floordivsi %i, %c96 : index
    %y = arith.floordivsi %j, %c96 : index
    %z = arith.addi %y, %c1 : index
    %m = arith.cmpi sle, %y, %x : index
    %n = arith.cmpi sle, %x, %z : index
    %s = arith.andi %m, %n : i1
    flash.yield %s : i1
  } : !s, !s, !s, !s, !t, !s -> value !s
  return %dv : !s
}
