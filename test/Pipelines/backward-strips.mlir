// Sums of dQ in memory as accumulators hold them (order-sums): whoever adds, a helper, the warps through shared memory, or from registers, and
// what rounds them agree, and no product waits for another that did not before.
//
// RUN: flash-run %s --entry=d128 --target=sm_90a --passes=order-sums=true --emit=ptx -o %t.ptx && %ptxas -v -arch=sm_90a %t.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: FileCheck %s --check-prefixes=BULK,READS < %t.ptx
// RUN: flash-run %s --entry=d64 --target=sm_90a --passes=order-sums=true --emit=ptx -o %t.ptx && %ptxas -v -arch=sm_90a %t.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: FileCheck %s --check-prefixes=BULK,READS < %t.ptx
// RUN: flash-run %s --entry=d256 --target=sm_90a --passes='order-sums=true deal-products=true' --schedule='#flash.schedule<stages = 2>' --emit=ptx -o %t.ptx && %ptxas -v -arch=sm_90a %t.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: FileCheck %s --check-prefixes=REGISTERS,READS < %t.ptx
//
// Each warpgroup of the wide one has a loop of its own.
// RUN: flash-run %s --entry=d256 --target=sm_90a --passes='order-sums=true deal-products=true' --schedule='#flash.schedule<stages = 2>' --print-ir-after-level=L3 --compile-only | FileCheck %s --check-prefix=PARTS

// CHECK-NOT: C75
// CHECK: Compiling entry
// CHECK-NOT: C75

// BULK-NOT: cp.reduce.async.bulk.tensor
// BULK: cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32
// BULK-NOT: cp.reduce.async.bulk.tensor

// REGISTERS-NOT: cp.reduce
// REGISTERS: red.global.add.v4.f32

// READS: ld.global.v4

// PARTS: flash_tile.by_warpgroup {
// PARTS: flash_tile.store add %{{.*}} strips
// PARTS: }, {
// PARTS: flash_tile.store add %{{.*}} strips
// PARTS: flash_tile.fetch %{{.*}} strips

!a = tensor<?x?x?x128xbf16>
!b = tensor<?x?x?x64xbf16>
!c = tensor<?x?x?x256xbf16>
!l = tensor<?x?x?xf32>
func.func @d128(%q: !a, %k: !a, %v: !a, %o: !a, %l: !l, %do: !a) -> (!a, !a, !a) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {mask = #flash.causal} : !a, !a, !a, !a, !l, !a -> query !a key !a value !a
  return %dq, %dk, %dv : !a, !a, !a
}
func.func @d64(%q: !b, %k: !b, %v: !b, %o: !b, %l: !l, %do: !b) -> (!b, !b, !b) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do : !b, !b, !b, !b, !l, !b -> query !b key !b value !b
  return %dq, %dk, %dv : !b, !b, !b
}
func.func @d256(%q: !c, %k: !c, %v: !c, %o: !c, %l: !l, %do: !c) -> (!c, !c, !c) {
  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {recompute = #flash.recompute<outer = keys, sum = added, statistics = product>} : !c, !c, !c, !c, !l, !c -> query !c key !c value !c
  return %dq, %dk, %dv : !c, !c, !c
}
