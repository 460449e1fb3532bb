// The IO report of a long attention comes at once: blocks of ranges are counted, not walked.
// RUN: timeout 20 flash-run %s --target=sm_90a --io-report --dim=sq=1048576 --dim=sk=1048576 | FileCheck %s
// RUN: timeout 20 flash-run %s --differentiate --target=sm_90a --io-report --dim=sq=1048576 --dim=sk=1048576 | FileCheck %s --check-prefixes=CHECK,BACKWARD
// RUN: timeout 20 flash-run %s --differentiate --target=cpu:x86-64-v3 --io-report --dim=sq=1048576 --dim=sk=1048576 | FileCheck %s --check-prefixes=CHECK,CPU
// CHECK: 1048576
// Blocks of 128 keys outside, of 64 queries inside: all but those of the diagonal.
// BACKWARD: blocks of keys outside
// BACKWARD: 8,590,983,168 of 17,179,869,184 loaded (density 0.5001); 8,588,886,016 full, 2,097,152 with a predicate
// Columns stay apart whatever they hold.
// BACKWARD: total both 69,793,218,560 2,533,413,839,962,112 8,829,915,889,664 4,503,635,060,850,688 569,686,341,189,632
// CPU: blocks of keys outside
// CPU: 30,542,455,680 full, 2,796,288 with a predicate
// CPU: blocks of queries outside
// CPU: 30,542,455,680 full, 2,796,288 with a predicate
// Only sizes matter: --io-report at lengths of a million.
!q = tensor<1x128x?x128xbf16>
!k = tensor<1x1x?x128xbf16>
func.func @main(%q: !q, %k: !k, %v: !k) -> !q {
  %o = flash.attention %q, %k, %v {mask = #flash.causal} : !q, !k, !k -> !q
  return %o : !q
}
