// Backwards from L0 to PTX: kernels, how many products, registers. Numbers are the matrix's (tools/flash-matrix/BackwardCases.cpp).
//
// RUN: flash-run %s --entry=dense --target=sm_90a --emit=ptx -o %t.sm_90a.dense.ptx && %ptxas -v -arch=sm_90a %t.sm_90a.dense.ptx -o %t.sm_90a.dense.cubin 2>&1 | FileCheck %s --check-prefix=FITS
// RUN: flash-run %s --entry=causal --target=sm_90a --emit=ptx -o %t.sm_90a.causal.ptx && %ptxas -v -arch=sm_90a %t.sm_90a.causal.ptx -o %t.sm_90a.causal.cubin 2>&1 | FileCheck %s --check-prefix=FITS
// RUN: flash-run %s --entry=keys --target=sm_90a --emit=ptx -o %t.sm_90a.keys.ptx && %ptxas -v -arch=sm_90a %t.sm_90a.keys.ptx -o %t.sm_90a.keys.cubin 2>&1 | FileCheck %s --check-prefix=FITS
// RUN: flash-run %s --entry=query --target=sm_90a --emit=ptx -o %t.sm_90a.query.ptx && %ptxas -v -arch=sm_90a %t.sm_90a.query.ptx -o %t.sm_90a.query.cubin 2>&1 | FileCheck %s --check-prefix=FITS
// RUN: flash-run %s --entry=softcap --target=sm_90a --emit=ptx -o %t.sm_90a.softcap.ptx && %ptxas -v -arch=sm_90a %t.sm_90a.softcap.ptx -o %t.sm_90a.softcap.cubin 2>&1 | FileCheck %s --check-prefix=FITS
// RUN: flash-run %s --entry=narrow --target=sm_90a --emit=ptx -o %t.sm_90a.narrow.ptx && %ptxas -v -arch=sm_90a %t.sm_90a.narrow.ptx -o %t.sm_90a.narrow.cubin 2>&1 | FileCheck %s --check-prefix=FITS
// RUN: flash-run %s --entry=wide --target=sm_90a --emit=ptx -o %t.sm_90a.wide.ptx && %ptxas -v -arch=sm_90a %t.sm_90a.wide.ptx -o %t.sm_90a.wide.cubin 2>&1 | FileCheck %s --check-prefix=FITS
// RUN: flash-run %s --entry=dense --target=sm_80 --emit=ptx -o %t.sm_80.dense.ptx && %ptxas -v -arch=sm_80 %t.sm_80.dense.ptx -o %t.sm_80.dense.cubin 2>&1 | FileCheck %s --check-prefix=FITS
// RUN: flash-run %s --entry=causal --target=sm_80 --emit=ptx -o %t.sm_80.causal.ptx && %ptxas -v -arch=sm_80 %t.sm_80.causal.ptx -o %t.sm_80.causal.cubin 2>&1 | FileCheck %s --check-prefix=FITS
// RUN: flash-run %s --entry=keys --target=sm_80 --emit=ptx -o %t.sm_80.keys.ptx && %ptxas -v -arch=sm_80 %t.sm_80.keys.ptx -o %t.sm_80.keys.cubin 2>&1 | FileCheck %s --check-prefix=CLEAN
// RUN: flash-run %s --entry=query --target=sm_80 --emit=ptx -o %t.sm_80.query.ptx && %ptxas -v -arch=sm_80 %t.sm_80.query.ptx -o %t.sm_80.query.cubin 2>&1 | FileCheck %s --check-prefix=CLEAN
// RUN: flash-run %s --entry=softcap --target=sm_80 --emit=ptx -o %t.sm_80.softcap.ptx && %ptxas -v -arch=sm_80 %t.sm_80.softcap.ptx -o %t.sm_80.softcap.cubin 2>&1 | FileCheck %s --check-prefix=CLEAN
// RUN: flash-run %s --entry=narrow --target=sm_80 --emit=ptx -o %t.sm_80.narrow.ptx && %ptxas -v -arch=sm_80 %t.sm_80.narrow.ptx -o %t.sm_80.narrow.cubin 2>&1 | FileCheck %s --check-prefix=CLEAN
// RUN: flash-run %s --entry=wide --target=sm_80 --emit=ptx -o %t.sm_80.wide.ptx && %ptxas -v -arch=sm_80 %t.sm_80.wide.ptx -o %t.sm_80.wide.cubin 2>&1 | FileCheck %s --check-prefix=CLEAN
// RUN: FileCheck %s --check-prefix=DENSE < %t.sm_90a.dense.ptx
// RUN: FileCheck %s --check-prefix=KEYS < %t.sm_90a.keys.ptx
// RUN: FileCheck %s --check-prefix=QUERY < %t.sm_90a.query.ptx
// RUN: FileCheck %s --check-prefix=NARROW < %t.sm_90a.narrow.ptx

// No wgmma is serialised (C7510 and its like), and registers suffice.
// CLEAN-NOT: C75
// CLEAN: Compiling entry
// CLEAN-NOT: C75
// CLEAN-NOT: {{[1-9][0-9]* bytes spill}}
// CLEAN: 0 bytes spill stores, 0 bytes spill loads
// CLEAN-NOT: C75
// CLEAN-NOT: {{[1-9][0-9]* bytes spill}}

// What spills a little (between tiles, not in a loop with products) still has each product in flight.
// FITS-NOT: C75
// FITS: Compiling entry
// FITS-NOT: C75

// With blocks of 128 keys and 64 queries and steps of 16, S and dP take dqk / 16 and dv / 16 products and one for a statistic, dK and dV 4 each, dQ 8. Products that
// stand once more beside the loop (S starts before it), or in a branch of it, come on top.
// DENSE-COUNT-40: wgmma.mma_async
// DENSE: .entry

// A gradient that nobody asked for is not computed: dK and dV have no product for dQ, and dQ alone has three.
// KEYS-COUNT-35: wgmma.mma_async
// KEYS-NOT: wgmma.mma_async
// QUERY-COUNT-28: wgmma.mma_async
// QUERY-NOT: wgmma.mma_async

// NARROW-COUNT-32: wgmma.mma_async

!q = tensor<?x8x?x128xbf16>
!k = tensor<?x2x?x128xbf16>
!l = tensor<?x8x?xf32>
func.func @dense(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}
func.func @causal(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal} : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}
func.func @keys(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> (!k, !k) {
  %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal} : !q, !k, !k, !q, !l, !q -> key !k value !k
  return %dk, %dv : !k, !k
}
func.func @query(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> !q {
  %dq = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal} : !q, !k, !k, !q, !l, !q -> query !q
  return %dq : !q
}
func.func @softcap(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {scores = [#flash.softcap<30.0>], recompute = #flash.recompute<outer = both>} : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}
!n = tensor<?x8x?x64xf16>
!m = tensor<?x8x?xf32>
func.func @narrow(%q: !n, %k: !n, %v: !n, %o: !n, %l: !m, %do: !n) -> (!n, !n, !n) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do : !n, !n, !n, !n, !m, !n -> query !n key !n value !n
  return %dq, %dk, %dv : !n, !n, !n
}
!w = tensor<?x8x?x256xbf16>
func.func @wide(%q: !w, %k: !w, %v: !w, %o: !w, %l: !m, %do: !w) -> (!w, !w, !w) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal} : !w, !w, !w, !w, !m, !w -> query !w key !w value !w
  return %dq, %dk, %dv : !w, !w, !w
}
