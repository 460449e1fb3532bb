// Sizes that can be checked by hand: 2 batches, 4 query heads on 2 key heads, 300 queries, 300 keys, head dim 64, bf16 (128 bytes a row),
// tiles of 128 queries and 128 keys, on a CPU: one table for each loop of the backward. That counters agree is tested by running
// (test/Integration/CPU/io.test).
//
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-schedule-recompute{target=cpu:x86-64-v3},flash-choose-schedule{target=cpu:x86-64-v3}),flash-io-report{target=cpu:x86-64-v3})' -o /dev/null | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-schedule-recompute{target=cpu:x86-64-v3},flash-choose-schedule{target=cpu:x86-64-v3}),flash-io-report{target=cpu:x86-64-v3 format=json})' -o /dev/null | FileCheck %s --check-prefix=JSON
// RUN: not flash-opt %s --pass-pipeline='builtin.module(flash-io-report{target=cpu:x86-64-v3})' -o /dev/null 2>&1 | FileCheck %s --check-prefix=EARLY
// EARLY: has no recompute or no complete schedule (m, n and d): run flash-schedule-recompute and flash-choose-schedule before

// CHECK: op0        flash.attention_backward at
// CHECK: loop       what each query has: log2 of its sum, delta, #flash.recompute<outer = keys, sum = owned>
// O and dO: 8 heads x 300 rows x 128 bytes; log-sum-exps 8 x 300 x 4. Written are whole blocks: 8 x 384 x 4.
// CHECK: bytes                           compulsory             unfused      this schedule*             unfused       this schedule
// CHECK-NEXT: output        read               307,200             307,200             307,200             307,200             307,200
// CHECK-NEXT: d_output      read               307,200             307,200             307,200             307,200             307,200
// CHECK-NEXT: lse           read                 9,600               9,600               9,600               9,600               9,600
// CHECK-NEXT: log2 sums     write                    -              12,288              12,288              12,288              12,288
// CHECK-NEXT: delta         write                    -              12,288              12,288              12,288              12,288

// CHECK: op1        flash.attention_backward at
// CHECK: loop       blocks of keys outside, #flash.recompute<outer = keys, sum = owned>
// CHECK: mask       #flash.causal
// CHECK: tile       128 queries x 128 keys
// A triangle of 3 x 3 blocks for each of 8 query heads: 6 visited, of them 3 below the diagonal; two are full, the third of their row
// of blocks has 44 queries and all keys.
// CHECK: blocks     48 of 72 loaded (density 0.6667); {{[0-9]+}} full, {{[0-9]+}} with a predicate
// K and V once, of 4 key heads; Q and dO: 300, 172 and 44 rows for each query head. Statistics: 128 of each of 48 steps.
// CHECK: key           read  {{.* }}153,600
// CHECK-NEXT: value         read  {{.* }}153,600
// CHECK-NEXT: query         read  {{.* }}528,384
// CHECK-NEXT: d_output      read  {{.* }}528,384
// CHECK-NEXT: log2 sums     read  {{.* }}24,576
// CHECK-NEXT: delta         read  {{.* }}24,576
// Zeros of 8 x 384 x 64 in f32, and 48 tiles of 128 x 64 that are read and written.
// CHECK-NEXT: sums for dQ   read  {{.* }}1,572,864
// CHECK-NEXT: sums for dQ   write {{.* }}2,359,296
// CHECK-NEXT: d_key         write {{.* }}153,600
// CHECK-NEXT: d_value       write {{.* }}153,600
// P (8 x 300 x 300 in bf16) is read by two products; its gradient is written and read in f32, that of S written once and read twice.
// CHECK-NEXT: probabilities read                     -           2,880,000                   -           2,880,000                   -
// CHECK-NEXT: gradient of P read                     -           2,880,000                   -           2,880,000                   -
// CHECK-NEXT: gradient of P write                    -           2,880,000                   -           2,880,000                   -
// CHECK-NEXT: gradient of S read                     -           2,880,000                   -           2,880,000                   -
// CHECK-NEXT: gradient of S write                    -           1,440,000                   -           1,440,000                   -
// CHECK-NEXT: d_query       write                    -             307,200                   -             307,200                   -
// CHECK: order      backward, by Theorem 5, N^2 d^2 / M = {{.*}} an order of growth

// CHECK: op2        flash.attention_backward at
// CHECK: loop       sums for dQ to dQ
// CHECK: sums for dQ   read  {{.* }}786,432
// CHECK-NEXT: d_query       write {{.* }}307,200
// CHECK: all operations; compulsory for the function as a whole

// JSON: "loop": "keys"
// JSON: "recompute": "#flash.recompute<outer = keys, sum = owned>"

!q = tensor<2x4x300x64xbf16>
!k = tensor<2x2x300x64xbf16>
!l = tensor<2x4x300xf32>
func.func @owned(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do
      {mask = #flash.causal, recompute = #flash.recompute<outer = keys, sum = owned>, schedule = #flash.schedule<m = 128, n = 128>}
      : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}
