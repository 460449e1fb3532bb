// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))' | FileCheck %s

// How many arrivals each barrier of a ring has, and which warp each role is. A stage of %q is full when it and its companion have come; of
// %k, which is watched, both land, and full is the watcher's one arrival. What one warpgroup fills has 4 warps, what all fill 8, and who
// stores it is one thread.

!map = !flash_tile.tensor_map<64x64xbf16>
!little = !flash_tile.tensor_map<16x64xbf16>
!sums = !flash_tile.tensor_map<64x32xf32>
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!lhs = !flash_tile.fragment<128x64xbf16, #flash_tile.acc<8>>
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @roles
  // Of %q: full, empty.
  // CHECK: "mbarrier.init.shared::cta.b64 [$0], 2;"
  // CHECK-NEXT: "mbarrier.init.shared::cta.b64 [$0], 8;"
  // CHECK-NOT: mbarrier.init
  // Of %k: full, empty, landed.
  // CHECK: fence.mbarrier_init
  // CHECK: "mbarrier.init.shared::cta.b64 [$0], 1;"
  // CHECK: "mbarrier.init.shared::cta.b64 [$0], 8;"
  // CHECK: "mbarrier.init.shared::cta.b64 [$0], 2;"
  // CHECK-NOT: mbarrier.init
  // Of %ds, and of %sums.
  // CHECK: fence.mbarrier_init
  // CHECK: "mbarrier.init.shared::cta.b64 [$0], 8;"
  // CHECK: "mbarrier.init.shared::cta.b64 [$0], 4;"
  // CHECK: fence.mbarrier_init
  // CHECK: "mbarrier.init.shared::cta.b64 [$0], 4;"
  // CHECK: "mbarrier.init.shared::cta.b64 [$0], 1;"
  gpu.func @roles(%m: !map, %l: !little, %s: !sums, %cut: i1, %x: f32) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.shared_bytes = 100000 : i64} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %q = flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<1, 64x64xbf16, mbarrier>
    %lse = flash_tile.ring with(%q : !flash_tile.ring<1, 64x64xbf16, mbarrier>) {shared_offset = 9216 : i64} : !flash_tile.ring<1, 16x64xbf16, mbarrier>
    %k = flash_tile.ring {shared_offset = 12288 : i64} : !flash_tile.ring<1, 64x64xbf16, mbarrier, watched>
    %b = flash_tile.ring with(%k : !flash_tile.ring<1, 64x64xbf16, mbarrier, watched>) {shared_offset = 21504 : i64} : !flash_tile.ring<1, 16x64xbf16, mbarrier>
    %ds = flash_tile.ring {shared_offset = 24576 : i64} : !flash_tile.ring<1, 128x64xbf16, mbarrier>
    %sums = flash_tile.ring {shared_offset = 41984 : i64} : !flash_tile.ring<1, 64x64xf32, mbarrier>
    flash_tile.specialize producer(40) {
      // CHECK: scf.if
      // CHECK: } else {
      // CHECK: setmaxnreg.dec
      // CHECK: arith.cmpi eq, %[[THREAD:.*]], %c256_i32
      // CHECK: scf.if
      // A companion lands on the barrier of the other ring.
      // CHECK: mbarrier.try_wait
      // CHECK: mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 8192;{{.*}} %[[FULL:[0-9]+]] :
      // CHECK: mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 2048;{{.*}} %[[FULL]] :
      flash_tile.put %q[%c0], %m[%c0, %c0] : !flash_tile.ring<1, 64x64xbf16, mbarrier>, !map
      flash_tile.put %lse[%c0], %l[%c0, %c0] : !flash_tile.ring<1, 16x64xbf16, mbarrier>, !little
      // CHECK: %[[LANDED:.*]] = arith.addi %[[BASE:.*]], %c20496_i32
      // CHECK: mbarrier.try_wait
      // CHECK: mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 8192;{{.*}} %[[LANDED]] :
      // CHECK: mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 2048;{{.*}} %[[LANDED]] :
      flash_tile.put %k[%c0], %m[%c64, %c0] : !flash_tile.ring<1, 64x64xbf16, mbarrier, watched>, !map
      flash_tile.put %b[%c0], %l[%c64, %c0] : !flash_tile.ring<1, 16x64xbf16, mbarrier>, !little
    } watcher {
      // The warp behind the producer's.
      // CHECK: arith.cmpi eq, %[[WARP:.*]], %c9_i32
      // CHECK: scf.if
      // CHECK: %[[AWAITED:.*]] = arith.addi %[[BASE]], %c20496_i32
      // CHECK: mbarrier.try_wait{{.*}} %[[AWAITED]],
      flash_tile.watch %k[%c0] when %cut queries(%c64) : !flash_tile.ring<1, 64x64xbf16, mbarrier, watched> {
      ^bb0(%i: index, %j: index):
        %sees = arith.cmpi sge, %i, %j : index
        flash_tile.yield %sees : i1
      }
    } consumers(232) {
      %tq = flash_tile.get %q[%c0] : !flash_tile.ring<1, 64x64xbf16, mbarrier>
      %tl = flash_tile.get %lse[%c0] : !flash_tile.ring<1, 16x64xbf16, mbarrier>
      flash_tile.release %q[%c0] : !flash_tile.ring<1, 64x64xbf16, mbarrier>
      %tk = flash_tile.get %k[%c0] : !flash_tile.ring<1, 64x64xbf16, mbarrier, watched>
      %tb = flash_tile.get %b[%c0] : !flash_tile.ring<1, 16x64xbf16, mbarrier>
      flash_tile.release %k[%c0] : !flash_tile.ring<1, 64x64xbf16, mbarrier, watched>
      %z = arith.constant 0.0 : bf16
      %d = flash_tile.splat %z : !lhs
      flash_tile.fill %ds[%c0], %d : !flash_tile.ring<1, 128x64xbf16, mbarrier>, !lhs
      flash_tile.in_turn %c0 {
        %td = flash_tile.get %ds[%c0] : !flash_tile.ring<1, 128x64xbf16, mbarrier>
        flash_tile.release %ds[%c0] : !flash_tile.ring<1, 128x64xbf16, mbarrier>
        %sum = flash_tile.splat %x : !acc
        flash_tile.fill %sums[%c0], %sum : !flash_tile.ring<1, 64x64xf32, mbarrier>, !acc
      }
    // CHECK: arith.cmpi eq, %[[THREAD]], %c320_i32
    // CHECK: scf.if
    // CHECK: cp.reduce.async.bulk.tensor
    } helper "writer" {
      %t = flash_tile.get %sums[%c0] : !flash_tile.ring<1, 64x64xf32, mbarrier>
      flash_tile.store_tile add %t, %s[%c0, %c0] : !flash_tile.shared<64x64xf32>, !sums
      flash_tile.release %sums[%c0] : !flash_tile.ring<1, 64x64xf32, mbarrier>
    // The warp behind the writer's: the last one.
    // CHECK: arith.cmpi eq, %[[THREAD]], %c352_i32
    } helper "last" {
      flash_tile.delay 100
    }
    gpu.return
  }
}
