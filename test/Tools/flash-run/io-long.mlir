// The IO report of a long attention comes at once: blocks of ranges are counted, not walked.
// RUN: timeout 20 flash-run %s --target=sm_90a --io-report --dim=sq=1048576 --dim=sk=1048576 | FileCheck %s
// CHECK: 1048576
// Only sizes matter: --io-report at lengths of a million.
!q = tensor<1x128x?x128xbf16>
!k = tensor<1x1x?x128xbf16>
func.func @main(%q: !q, %k: !k, %v: !k) -> !q {
  %o = flash.attention %q, %k, %v {mask = #flash.causal} : !q, !k, !k -> !q
  return %o : !q
}
