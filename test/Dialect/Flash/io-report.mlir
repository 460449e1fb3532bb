// Sizes that can be checked by hand: 2 batches, 4 query heads on 2 key heads, 300 queries, 300 keys, head dim 64,
// bf16 (128 bytes a row), tiles of 128 queries and 128 keys.

// DEFINE: %{report} = flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80 schedule="#flash.schedule<m = 128, n = 128>"}),flash-io-report{target=sm_80 dims=batch=2,sq=300,sk=300})' -o /dev/null
// RUN: %{report} | FileCheck %s

// CHECK: function   @attention
// CHECK: target     sm_80: 166,912 bytes of fast memory a core, 108 cores
// CHECK: op0        flash.attention at {{.*}}io-report.mlir
// CHECK: sizes      batch 2, 4 heads (2 of keys), 300 queries, 300 keys, head dims 64 and 64, bf16
// CHECK: mask       #flash.causal
// CHECK: tile       128 queries x 128 keys
// A triangle of 3 x 3 blocks for each of 8 heads: 6 visited, of them 3 below the diagonal full.
// CHECK: blocks     48 of 72 loaded (density 0.6667); 24 full, 24 with a predicate
// CHECK: bytes                           compulsory             unfused      this schedule*             unfused       this schedule
// Q: 8 heads x 300 rows x 128 bytes; unfused products go through it once for each of 3 blocks of keys.
// CHECK-NEXT: query         read               307,200             307,200             307,200             921,600             307,200
// K: 4 key heads x 300 rows once; the schedule loads 128, 256 and 300 rows for each of 8 query heads.
// CHECK-NEXT: key           read               153,600             153,600             153,600             921,600             700,416
// CHECK-NEXT: value         read               153,600             153,600             153,600             921,600             700,416
// S and P: 8 x 300 x 300, f32 and bf16, each written and read.
// CHECK-NEXT: scores        read                     -           2,880,000                   -           2,880,000                   -
// CHECK-NEXT: scores        write                    -           2,880,000                   -           2,880,000                   -
// CHECK-NEXT: probabilities read                     -           1,440,000                   -           1,440,000                   -
// CHECK-NEXT: probabilities write                    -           1,440,000                   -           1,440,000                   -
// CHECK-NEXT: output        write              307,200             307,200             307,200             307,200             307,200
// CHECK-NEXT: lse           write                9,600               9,600               9,600               9,600               9,600
// CHECK-NEXT: total         read               614,400           4,934,400             614,400           7,084,800           1,708,032
// CHECK-NEXT: total         write              316,800           4,636,800             316,800           4,636,800             316,800
// CHECK-NEXT: total         both               931,200           9,571,200             931,200          11,721,600           2,024,832
// CHECK-NEXT: order      N^2 d^2 / M = {{.*}} an order of growth without its constant, no count
// CHECK: sweep      of fast memory
// CHECK: 32 KiB       32 x 32
// CHECK: * an estimate

// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none}),flash-io-report{target=sm_90a})' -o /dev/null | FileCheck %s --check-prefix=BOUND
// BOUND: tile       192 queries x 96 keys
// BOUND: bound by   registers: 112 keys a block need 172 registers a thread of 160
// BOUND: uses       registers: {{[0-9]+}} of {{[0-9]+}} a thread
// BOUND: uses       shared memory: {{[0-9,]+}} of 232,448 bytes
// BOUND: considered 128 x 128, 8 warps, cost {{.*}} (keys a block: 128 keys a block are the most that the model tries)
// BOUND: considered 192 x 96, 12 warps, cost

// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule="#flash.schedule<m = 7, n = 5>"}),flash-io-report{dims=sq=9,sk=11})' -o /dev/null | FileCheck %s --check-prefix=GIVEN
// GIVEN: tile       7 queries x 5 keys, given or from a table, not chosen by the model
// GIVEN-NEXT: bound by   the schedule: 21 keys a block need {{[0-9,]+}} of {{[0-9,]+}} bytes of fast memory, the nearest limit, and would fit

// Parts of the keys are one attention when unfused, and need their inputs once.
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-split-kv{parts=3},flash-choose-schedule{target=sm_80 schedule="#flash.schedule<m = 128, n = 128>"}),flash-io-report{target=sm_80 dims=batch=2,sq=300,sk=300})' -o /dev/null | FileCheck %s --check-prefix=SPLIT
// SPLIT: op3        flash.merge
// SPLIT: sizes      batch 2, 4 heads, 300 rows, head dim 64
// SPLIT: all operations; compulsory for the function as a whole
// SPLIT: total         both               931,200           9,571,200

// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80}),flash-io-report{target=sm_80 format=json file=%t.json dims=sq=300,sk=300})' -o /dev/null
// RUN: %python -c "import json; r = json.load(open(r'%t.json')); o = r['operations'][0]; print(r['function'], o['op'], o['blocks']['density'] > 0.5, o['operands'][1]['schedule']['on_chip']['read'] > o['operands'][1]['compulsory']['read'], len(o['sweep']) > 4, o['order']['meaning'])" | FileCheck %s --check-prefix=JSON
// JSON: attention flash.attention True True True order of growth times the density, without its constant
func.func @attention(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>)
    -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
  %o, %l = flash.attention %q, %k, %v {mask = #flash.causal}
      : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %o, %l : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
}
