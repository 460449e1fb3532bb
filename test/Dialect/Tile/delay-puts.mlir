// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-overlap,canonicalize)))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-overlap{delay-puts=false})))' | FileCheck %s --check-prefix=OFF

// Overlapped consumers get K of an iteration before V of the one before, and so does the producer fill the rings.

!ring = !flash_tile.ring<2, 64x64xbf16, mbarrier>
!map = !flash_tile.tensor_map<64x64xbf16>
!acc = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!lhs = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
!q = !flash_tile.shared<128x64xbf16>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel
  // CHECK-SAME: %[[MK:[a-z0-9]+]]: !flash_tile.tensor_map<64x64xbf16>, %[[MV:[a-z0-9]+]]: !flash_tile.tensor_map<64x64xbf16>, %{{.*}}: memref<?xindex>, %[[N:[a-z0-9]+]]: index)
  gpu.func @kernel(%mk: !map, %mv: !map, %list: memref<?xindex>, %n: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.overlap<delay_puts = true>]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %qr = flash_tile.ring : !flash_tile.ring<1, 128x64xbf16, mbarrier>
    // CHECK: %[[RK:.*]] = flash_tile.ring : !flash_tile.ring<2,
    %kr = flash_tile.ring : !ring
    // CHECK: %[[RV:.*]] = flash_tile.ring : !flash_tile.ring<2,
    %vr = flash_tile.ring : !ring
    // OFF: flash_tile.specialize
    // OFF-NEXT: scf.for
    // OFF: flash_tile.put
    // OFF: flash_tile.put
    // OFF: } consumers
    // CHECK: flash_tile.specialize
    flash_tile.specialize producer(40) {
      // CHECK: scf.if
      // CHECK:   flash_tile.put %[[RK]][%c0], %[[MK]][%c0, %c0]
      // CHECK:   %[[AT0:.*]] = memref.load %{{.*}}[%c0]
      // CHECK:   %[[LAST:.*]]:2 = scf.for %[[J:.*]] = %c64 to %[[N]] step %c64 iter_args(%[[I:.*]] = %c1, %[[AT:.*]] = %[[AT0]])
      // CHECK:     flash_tile.put %[[RK]][%[[I]]], %[[MK]][%[[J]], %c0]
      // CHECK:     %[[NEXTAT:.*]] = memref.load
      // CHECK:     %[[NEXT:.*]] = arith.addi %[[I]], %c1
      // CHECK:     %[[BEFORE:.*]] = arith.subi %[[I]], %c1
      // CHECK:     flash_tile.put %[[RV]][%[[BEFORE]]], %[[MV]][%[[AT]], %c0]
      // CHECK:     scf.yield %[[NEXT]], %[[NEXTAT]]
      // CHECK:   %[[END:.*]] = arith.subi %[[LAST]]#0, %c1
      // CHECK:   flash_tile.put %[[RV]][%[[END]]], %[[MV]][%[[LAST]]#1, %c0]
      // CHECK: } consumers
      %count = scf.for %j = %c0 to %n step %c64 iter_args(%i = %c0) -> (index) {
        flash_tile.put %kr[%i], %mk[%j, %c0] : !ring, !map
        // What it needs and cannot be computed back is carried.
        %at = memref.load %list[%i] : memref<?xindex>
        flash_tile.put %vr[%i], %mv[%at, %c0] : !ring, !map
        %next = arith.addi %i, %c1 : index
        scf.yield %next : index
      }
    } consumers(232) {
      %q = flash_tile.get %qr[%c0] : !flash_tile.ring<1, 128x64xbf16, mbarrier>
      %o0 = flash_tile.splat %zero : !acc
      %r:2 = scf.for %j = %c0 to %n step %c64 iter_args(%o = %o0, %i = %c0) -> (!acc, index) {
        %k = flash_tile.get %kr[%i] : !ring
        %s = flash_tile.mma #flash_tile.wgmma %q, %k transpose_b : !q, !flash_tile.shared<64x64xbf16> -> !acc
        flash_tile.release %kr[%i] : !ring
        %p = flash_tile.convert %s : !acc -> !lhs
        %half = flash_tile.map(%o) : (!acc) -> !acc {
        ^bb0(%row: index, %column: index, %x: f32):
          %y = arith.addf %x, %x : f32
          flash_tile.yield %y : f32
        }
        %v = flash_tile.get %vr[%i] : !ring
        %o1 = flash_tile.mma #flash_tile.wgmma %p, %v acc(%half) : !lhs, !flash_tile.shared<64x64xbf16> -> !acc
        flash_tile.release %vr[%i] : !ring
        %next = arith.addi %i, %c1 : index
        scf.yield %o1, %next : !acc, index
      }
    }
    gpu.return
  }
}
