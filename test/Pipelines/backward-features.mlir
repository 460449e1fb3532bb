// Backwards of sequences, lengths, lists of blocks, dropout and sinks from L0 to what an assembler takes. Results are the matrix's
// (tools/flash-matrix/BackwardFeatureCases.cpp).
//
// RUN: flash-run %s --entry=ragged --target=sm_90a --emit=ptx -o %t.ragged.90.ptx && %ptxas -v -arch=sm_90a %t.ragged.90.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: flash-run %s --entry=lengths --target=sm_90a --emit=ptx -o %t.lengths.90.ptx && %ptxas -v -arch=sm_90a %t.lengths.90.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: flash-run %s --entry=lists --target=sm_90a --emit=ptx -o %t.lists.90.ptx && %ptxas -v -arch=sm_90a %t.lists.90.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: flash-run %s --entry=dropout --target=sm_90a --emit=ptx -o %t.dropout.90.ptx && %ptxas -v -arch=sm_90a %t.dropout.90.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: flash-run %s --entry=sinks --target=sm_90a --emit=ptx -o %t.sinks.90.ptx && %ptxas -v -arch=sm_90a %t.sinks.90.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: flash-run %s --entry=deterministic --target=sm_90a --emit=ptx -o %t.deterministic.90.ptx && %ptxas -v -arch=sm_90a %t.deterministic.90.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: flash-run %s --entry=ragged --target=sm_80 --emit=ptx -o %t.ragged.80.ptx && %ptxas -v -arch=sm_80 %t.ragged.80.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: flash-run %s --entry=lengths --target=sm_80 --emit=ptx -o %t.lengths.80.ptx && %ptxas -v -arch=sm_80 %t.lengths.80.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: flash-run %s --entry=lists --target=sm_80 --emit=ptx -o %t.lists.80.ptx && %ptxas -v -arch=sm_80 %t.lists.80.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: flash-run %s --entry=dropout --target=sm_80 --emit=ptx -o %t.dropout.80.ptx && %ptxas -v -arch=sm_80 %t.dropout.80.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: flash-run %s --entry=deterministic --target=sm_80 --emit=ptx -o %t.deterministic.80.ptx && %ptxas -v -arch=sm_80 %t.deterministic.80.ptx -o %t.cubin 2>&1 | FileCheck %s

// No wgmma is serialised (C7510 and its like).
// CHECK-NOT: C75
// CHECK: Compiling entry
// CHECK-NOT: C75

// Nothing is added by several blocks where the order is fixed.
// RUN: FileCheck %s --check-prefix=ORDER < %t.deterministic.90.ptx
// RUN: FileCheck %s --check-prefix=ORDER < %t.deterministic.80.ptx
// RUN: FileCheck %s --check-prefix=ADDED < %t.ragged.80.ptx
// ORDER-NOT: {{(red|atom|reduce)[.].*add.*f32}}
// ADDED: {{(red|atom)[.].*add.*f32}}

!q = tensor<?x8x?x64xbf16>
!k = tensor<?x2x?x64xbf16>
!l = tensor<?x8x?xf32>
!rq = tensor<1x8x?x128xbf16>
!rk = tensor<1x2x?x128xbf16>
!rl = tensor<1x8x?xf32>
!n = tensor<1x1x?xi32>
!list = tensor<1x1x?x?xi32>

func.func @ragged(%q: !rq, %k: !rk, %v: !rk, %o: !rq, %l: !rl, %do: !rq, %cq: tensor<?xi32>, %ck: tensor<?xi32>) -> (!rq, !rk, !rk) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : tensor<?xi32>)
      {mask = #flash.causal} : !rq, !rk, !rk, !rq, !rl, !rq -> query !rq key !rk value !rk
  return %dq, %dk, %dv : !rq, !rk, !rk
}
func.func @lengths(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q, %n: tensor<?xi32>) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do kv_lengths(%n : tensor<?xi32>)
      {mask = #flash.causal} : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}
func.func @lists(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q, %pn: !n, %p: !list, %fn: !n, %f: !list) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do mask_operands(%pn, %p, %fn, %f : !n, !list, !n, !list)
      {mask = #flash.block_sparse<bq = 128, bk = 128, partial = #flash.causal>} : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}
func.func @dropout(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q, %seed: i64, %offset: i64) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do dropout(%seed, %offset)
      {dropout_p = 0.1 : f32} : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}
func.func @sinks(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q, %s: tensor<8xf32>) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do sinks(%s : tensor<8xf32>)
      {mask = #flash.causal} : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}
func.func @deterministic(%q: !q, %k: !k, %v: !k, %o: !q, %l: !l, %do: !q) -> (!q, !k, !k) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {deterministic} : !q, !k, !k, !q, !l, !q -> query !q key !k value !k
  return %dq, %dk, %dv : !q, !k, !k
}
