// What surrounds a backward reads and writes each row once: 16 bytes at a time, or as much as the head dim's rows are aligned to.
// RUN: for x in "hd128 sm_80" "hd59 sm_80" "hd192 sm_80" "merged sm_80" "hd128 sm_90a" "hd72 sm_90a" "hd1 sm_90a" "merged_hd72 sm_90a"; do set -- $x && \
// RUN:   flash-run %s --entry=$1 --target=$2 --emit=ptx > %t.ptx && %ptxas -v -arch=$2 %t.ptx -o /dev/null > %t.log 2>&1 && \
// RUN:   grep -A 2 -E "'$1(_[02])?' for" %t.log | not grep -E " [1-9][0-9]* bytes (stack|spill)" || exit 1; done
// RUN: flash-run %s --entry=hd128 --target=sm_90a --emit=ptx | FileCheck %s
// RUN: flash-run %s --entry=hd59 --target=sm_80 --emit=ptx | FileCheck %s --check-prefix=ODD
// RUN: flash-run %s --entry=merged --target=sm_90a --emit=ptx | FileCheck %s --check-prefix=MERGED
// Each function is for a GPU to check: flash-run streams.mlir --entry=NAME --target=sm_90a --check (test/Integration/GPU/run.sh).

// The statistics: 16 rows of a warp, two of a lane, of both tensors, on their way before the first is looked at; a bf16 is widened
// by its bits. On Hopper each statistic leaves as three of bf16.
// CHECK-LABEL: .entry hd128_0(
// CHECK-NOT: fma
// CHECK-COUNT-16: @%p{{[0-9]+}} ld.global.v4.b32
// CHECK-NOT: cvt.f32.bf16
// CHECK: st.global.b16
// CHECK-LABEL: .entry hd128_1(
// The sums are of f32: 16 bytes of them, and 8 of what they are rounded to, have no gaps between the lanes.
// CHECK-LABEL: .entry hd128_2(
// CHECK-COUNT-16: ld.global.v4.b32
// CHECK-COUNT-16: st.global.v2.b32

// Rows that begin at any element: one by one, and none behind the last.
// ODD-LABEL: .entry hd59_0(
// ODD-NOT: ld.global.v
// ODD: @%p{{[0-9]+}} ld.global.b16
// ODD-LABEL: .entry hd59_2(
// ODD: ld.global.v4.b32
// ODD: st.global.b16

// MERGED-LABEL: .entry merged(
// MERGED-COUNT-16: @%p{{[0-9]+}} ld.global.v4.b32
// MERGED: st.global.v4.b32

func.func @merged(%o0: tensor<?x4x?x128xf32>, %o1: tensor<?x4x?x128xf32>, %l0: tensor<?x4x?xf32>, %l1: tensor<?x4x?xf32>) -> tensor<?x4x?x128xf32> {
  %o = flash.merge outputs(%o0, %o1 : tensor<?x4x?x128xf32>, tensor<?x4x?x128xf32>) lses(%l0, %l1 : tensor<?x4x?xf32>, tensor<?x4x?xf32>) -> tensor<?x4x?x128xf32>
  return %o : tensor<?x4x?x128xf32>
}
func.func @merged_hd72(%o0: tensor<2x4x77x72xf32>, %o1: tensor<2x4x77x72xf32>, %l0: tensor<2x4x77xf32>, %l1: tensor<2x4x77xf32>) -> tensor<2x4x77x72xf32> {
  %o = flash.merge outputs(%o0, %o1 : tensor<2x4x77x72xf32>, tensor<2x4x77x72xf32>) lses(%l0, %l1 : tensor<2x4x77xf32>, tensor<2x4x77xf32>) -> tensor<2x4x77x72xf32>
  return %o : tensor<2x4x77x72xf32>
}
func.func @hd128(%q: tensor<?x?x?x128xbf16>, %k: tensor<?x?x?x128xbf16>, %v: tensor<?x?x?x128xbf16>, %do: tensor<?x?x?x128xbf16>) -> (tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16> -> tensor<?x?x?x128xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x128xbf16> -> query tensor<?x?x?x128xbf16> key tensor<?x?x?x128xbf16> value tensor<?x?x?x128xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>
}
func.func @hd64(%q: tensor<?x?x?x64xbf16>, %k: tensor<?x?x?x64xbf16>, %v: tensor<?x?x?x64xbf16>, %do: tensor<?x?x?x64xbf16>) -> (tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16> -> tensor<?x?x?x64xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x64xbf16> -> query tensor<?x?x?x64xbf16> key tensor<?x?x?x64xbf16> value tensor<?x?x?x64xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>
}
func.func @hd256(%q: tensor<?x?x?x256xbf16>, %k: tensor<?x?x?x256xbf16>, %v: tensor<?x?x?x256xbf16>, %do: tensor<?x?x?x256xbf16>) -> (tensor<?x?x?x256xbf16>, tensor<?x?x?x256xbf16>, tensor<?x?x?x256xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x256xbf16>, tensor<?x?x?x256xbf16>, tensor<?x?x?x256xbf16> -> tensor<?x?x?x256xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x256xbf16>, tensor<?x?x?x256xbf16>, tensor<?x?x?x256xbf16>, tensor<?x?x?x256xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x256xbf16> -> query tensor<?x?x?x256xbf16> key tensor<?x?x?x256xbf16> value tensor<?x?x?x256xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x256xbf16>, tensor<?x?x?x256xbf16>, tensor<?x?x?x256xbf16>
}
func.func @hd192(%q: tensor<?x?x?x192xbf16>, %k: tensor<?x?x?x192xbf16>, %v: tensor<?x?x?x192xbf16>, %do: tensor<?x?x?x192xbf16>) -> (tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16> -> tensor<?x?x?x192xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x192xbf16> -> query tensor<?x?x?x192xbf16> key tensor<?x?x?x192xbf16> value tensor<?x?x?x192xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>
}
func.func @hd80(%q: tensor<?x?x?x80xbf16>, %k: tensor<?x?x?x80xbf16>, %v: tensor<?x?x?x80xbf16>, %do: tensor<?x?x?x80xbf16>) -> (tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16> -> tensor<?x?x?x80xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x80xbf16> -> query tensor<?x?x?x80xbf16> key tensor<?x?x?x80xbf16> value tensor<?x?x?x80xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>
}
func.func @hd96(%q: tensor<?x?x?x96xbf16>, %k: tensor<?x?x?x96xbf16>, %v: tensor<?x?x?x96xbf16>, %do: tensor<?x?x?x96xbf16>) -> (tensor<?x?x?x96xbf16>, tensor<?x?x?x96xbf16>, tensor<?x?x?x96xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x96xbf16>, tensor<?x?x?x96xbf16>, tensor<?x?x?x96xbf16> -> tensor<?x?x?x96xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x96xbf16>, tensor<?x?x?x96xbf16>, tensor<?x?x?x96xbf16>, tensor<?x?x?x96xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x96xbf16> -> query tensor<?x?x?x96xbf16> key tensor<?x?x?x96xbf16> value tensor<?x?x?x96xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x96xbf16>, tensor<?x?x?x96xbf16>, tensor<?x?x?x96xbf16>
}
func.func @hd72(%q: tensor<?x?x?x72xbf16>, %k: tensor<?x?x?x72xbf16>, %v: tensor<?x?x?x72xbf16>, %do: tensor<?x?x?x72xbf16>) -> (tensor<?x?x?x72xbf16>, tensor<?x?x?x72xbf16>, tensor<?x?x?x72xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x72xbf16>, tensor<?x?x?x72xbf16>, tensor<?x?x?x72xbf16> -> tensor<?x?x?x72xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x72xbf16>, tensor<?x?x?x72xbf16>, tensor<?x?x?x72xbf16>, tensor<?x?x?x72xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x72xbf16> -> query tensor<?x?x?x72xbf16> key tensor<?x?x?x72xbf16> value tensor<?x?x?x72xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x72xbf16>, tensor<?x?x?x72xbf16>, tensor<?x?x?x72xbf16>
}
func.func @hd100(%q: tensor<?x?x?x100xbf16>, %k: tensor<?x?x?x100xbf16>, %v: tensor<?x?x?x100xbf16>, %do: tensor<?x?x?x100xbf16>) -> (tensor<?x?x?x100xbf16>, tensor<?x?x?x100xbf16>, tensor<?x?x?x100xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x100xbf16>, tensor<?x?x?x100xbf16>, tensor<?x?x?x100xbf16> -> tensor<?x?x?x100xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x100xbf16>, tensor<?x?x?x100xbf16>, tensor<?x?x?x100xbf16>, tensor<?x?x?x100xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x100xbf16> -> query tensor<?x?x?x100xbf16> key tensor<?x?x?x100xbf16> value tensor<?x?x?x100xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x100xbf16>, tensor<?x?x?x100xbf16>, tensor<?x?x?x100xbf16>
}
func.func @hd59(%q: tensor<?x?x?x59xbf16>, %k: tensor<?x?x?x59xbf16>, %v: tensor<?x?x?x59xbf16>, %do: tensor<?x?x?x59xbf16>) -> (tensor<?x?x?x59xbf16>, tensor<?x?x?x59xbf16>, tensor<?x?x?x59xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x59xbf16>, tensor<?x?x?x59xbf16>, tensor<?x?x?x59xbf16> -> tensor<?x?x?x59xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x59xbf16>, tensor<?x?x?x59xbf16>, tensor<?x?x?x59xbf16>, tensor<?x?x?x59xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x59xbf16> -> query tensor<?x?x?x59xbf16> key tensor<?x?x?x59xbf16> value tensor<?x?x?x59xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x59xbf16>, tensor<?x?x?x59xbf16>, tensor<?x?x?x59xbf16>
}
func.func @hd30(%q: tensor<?x?x?x30xbf16>, %k: tensor<?x?x?x30xbf16>, %v: tensor<?x?x?x30xbf16>, %do: tensor<?x?x?x30xbf16>) -> (tensor<?x?x?x30xbf16>, tensor<?x?x?x30xbf16>, tensor<?x?x?x30xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x30xbf16>, tensor<?x?x?x30xbf16>, tensor<?x?x?x30xbf16> -> tensor<?x?x?x30xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x30xbf16>, tensor<?x?x?x30xbf16>, tensor<?x?x?x30xbf16>, tensor<?x?x?x30xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x30xbf16> -> query tensor<?x?x?x30xbf16> key tensor<?x?x?x30xbf16> value tensor<?x?x?x30xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x30xbf16>, tensor<?x?x?x30xbf16>, tensor<?x?x?x30xbf16>
}
func.func @hd16(%q: tensor<?x?x?x16xbf16>, %k: tensor<?x?x?x16xbf16>, %v: tensor<?x?x?x16xbf16>, %do: tensor<?x?x?x16xbf16>) -> (tensor<?x?x?x16xbf16>, tensor<?x?x?x16xbf16>, tensor<?x?x?x16xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x16xbf16>, tensor<?x?x?x16xbf16>, tensor<?x?x?x16xbf16> -> tensor<?x?x?x16xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x16xbf16>, tensor<?x?x?x16xbf16>, tensor<?x?x?x16xbf16>, tensor<?x?x?x16xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x16xbf16> -> query tensor<?x?x?x16xbf16> key tensor<?x?x?x16xbf16> value tensor<?x?x?x16xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x16xbf16>, tensor<?x?x?x16xbf16>, tensor<?x?x?x16xbf16>
}
func.func @hd8(%q: tensor<?x?x?x8xbf16>, %k: tensor<?x?x?x8xbf16>, %v: tensor<?x?x?x8xbf16>, %do: tensor<?x?x?x8xbf16>) -> (tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16> -> tensor<?x?x?x8xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x8xbf16> -> query tensor<?x?x?x8xbf16> key tensor<?x?x?x8xbf16> value tensor<?x?x?x8xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16>, tensor<?x?x?x8xbf16>
}
func.func @hd1(%q: tensor<?x?x?x1xbf16>, %k: tensor<?x?x?x1xbf16>, %v: tensor<?x?x?x1xbf16>, %do: tensor<?x?x?x1xbf16>) -> (tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16> -> tensor<?x?x?x1xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x1xbf16> -> query tensor<?x?x?x1xbf16> key tensor<?x?x?x1xbf16> value tensor<?x?x?x1xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16>, tensor<?x?x?x1xbf16>
}
func.func @f16_hd128(%q: tensor<?x?x?x128xf16>, %k: tensor<?x?x?x128xf16>, %v: tensor<?x?x?x128xf16>, %do: tensor<?x?x?x128xf16>) -> (tensor<?x?x?x128xf16>, tensor<?x?x?x128xf16>, tensor<?x?x?x128xf16>) {
  %o, %l = flash.attention %q, %k, %v {mask = #flash.causal} : tensor<?x?x?x128xf16>, tensor<?x?x?x128xf16>, tensor<?x?x?x128xf16> -> tensor<?x?x?x128xf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal} : tensor<?x?x?x128xf16>, tensor<?x?x?x128xf16>, tensor<?x?x?x128xf16>, tensor<?x?x?x128xf16>, tensor<?x?x?xf32>, tensor<?x?x?x128xf16> -> query tensor<?x?x?x128xf16> key tensor<?x?x?x128xf16> value tensor<?x?x?x128xf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x128xf16>, tensor<?x?x?x128xf16>, tensor<?x?x?x128xf16>
}
func.func @bshd_hd80(%q: tensor<?x?x?x80xbf16>, %k: tensor<?x?x?x80xbf16>, %v: tensor<?x?x?x80xbf16>, %do: tensor<?x?x?x80xbf16>) -> (tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>) {
  %o, %l = flash.attention %q, %k, %v {mask = #flash.causal, layout = #flash.layout<bshd>} : tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16> -> tensor<?x?x?x80xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal, layout = #flash.layout<bshd>} : tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x80xbf16> -> query tensor<?x?x?x80xbf16> key tensor<?x?x?x80xbf16> value tensor<?x?x?x80xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>, tensor<?x?x?x80xbf16>
}
func.func @wide_values(%q: tensor<?x?x?x64xbf16>, %k: tensor<?x?x?x64xbf16>, %v: tensor<?x?x?x128xbf16>, %do: tensor<?x?x?x128xbf16>) -> (tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x128xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x128xbf16> -> tensor<?x?x?x128xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x128xbf16> -> query tensor<?x?x?x64xbf16> key tensor<?x?x?x64xbf16> value tensor<?x?x?x128xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x64xbf16>, tensor<?x?x?x64xbf16>, tensor<?x?x?x128xbf16>
}
func.func @narrow_values(%q: tensor<?x?x?x192xbf16>, %k: tensor<?x?x?x192xbf16>, %v: tensor<?x?x?x128xbf16>, %do: tensor<?x?x?x128xbf16>) -> (tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>, tensor<?x?x?x128xbf16>) {
  %o, %l = flash.attention %q, %k, %v {mask = #flash.causal} : tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>, tensor<?x?x?x128xbf16> -> tensor<?x?x?x128xbf16>, tensor<?x?x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal} : tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?x128xbf16>, tensor<?x?x?xf32>, tensor<?x?x?x128xbf16> -> query tensor<?x?x?x192xbf16> key tensor<?x?x?x192xbf16> value tensor<?x?x?x128xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x192xbf16>, tensor<?x?x?x192xbf16>, tensor<?x?x?x128xbf16>
}
func.func @grouped(%q: tensor<?x4x?x128xbf16>, %k: tensor<?x2x?x128xbf16>, %v: tensor<?x2x?x128xbf16>, %do: tensor<?x4x?x128xbf16>) -> (tensor<?x4x?x128xbf16>, tensor<?x2x?x128xbf16>, tensor<?x2x?x128xbf16>) {
  %o, %l = flash.attention %q, %k, %v {mask = #flash.causal} : tensor<?x4x?x128xbf16>, tensor<?x2x?x128xbf16>, tensor<?x2x?x128xbf16> -> tensor<?x4x?x128xbf16>, tensor<?x4x?xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal} : tensor<?x4x?x128xbf16>, tensor<?x2x?x128xbf16>, tensor<?x2x?x128xbf16>, tensor<?x4x?x128xbf16>, tensor<?x4x?xf32>, tensor<?x4x?x128xbf16> -> query tensor<?x4x?x128xbf16> key tensor<?x2x?x128xbf16> value tensor<?x2x?x128xbf16>
  return %r#0, %r#1, %r#2 : tensor<?x4x?x128xbf16>, tensor<?x2x?x128xbf16>, tensor<?x2x?x128xbf16>
}
func.func @whole(%q: tensor<1x4x128x128xbf16>, %k: tensor<1x4x128x128xbf16>, %v: tensor<1x4x128x128xbf16>, %do: tensor<1x4x128x128xbf16>) -> (tensor<1x4x128x128xbf16>, tensor<1x4x128x128xbf16>, tensor<1x4x128x128xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<1x4x128x128xbf16>, tensor<1x4x128x128xbf16>, tensor<1x4x128x128xbf16> -> tensor<1x4x128x128xbf16>, tensor<1x4x128xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<1x4x128x128xbf16>, tensor<1x4x128x128xbf16>, tensor<1x4x128x128xbf16>, tensor<1x4x128x128xbf16>, tensor<1x4x128xf32>, tensor<1x4x128x128xbf16> -> query tensor<1x4x128x128xbf16> key tensor<1x4x128x128xbf16> value tensor<1x4x128x128xbf16>
  return %r#0, %r#1, %r#2 : tensor<1x4x128x128xbf16>, tensor<1x4x128x128xbf16>, tensor<1x4x128x128xbf16>
}
func.func @ragged(%q: tensor<2x3x77x72xbf16>, %k: tensor<2x3x130x72xbf16>, %v: tensor<2x3x130x72xbf16>, %do: tensor<2x3x77x72xbf16>) -> (tensor<2x3x77x72xbf16>, tensor<2x3x130x72xbf16>, tensor<2x3x130x72xbf16>) {
  %o, %l = flash.attention %q, %k, %v : tensor<2x3x77x72xbf16>, tensor<2x3x130x72xbf16>, tensor<2x3x130x72xbf16> -> tensor<2x3x77x72xbf16>, tensor<2x3x77xf32>
  %r:3 = flash.attention_backward %q, %k, %v, %o, %l, %do : tensor<2x3x77x72xbf16>, tensor<2x3x130x72xbf16>, tensor<2x3x130x72xbf16>, tensor<2x3x77x72xbf16>, tensor<2x3x77xf32>, tensor<2x3x77x72xbf16> -> query tensor<2x3x77x72xbf16> key tensor<2x3x130x72xbf16> value tensor<2x3x130x72xbf16>
  return %r#0, %r#1, %r#2 : tensor<2x3x77x72xbf16>, tensor<2x3x130x72xbf16>, tensor<2x3x130x72xbf16>
}
