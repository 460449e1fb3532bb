// RUN: flash-opt %s | flash-opt | FileCheck %s
// RUN: flash-opt %s --mlir-print-op-generic | flash-opt | FileCheck %s

!acc = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!acc16 = !flash_tile.fragment<128x64xbf16, #flash_tile.acc<8>>
!lhs = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<8>>
!partial = !flash_tile.fragment<128xf32, #flash_tile.row_partial<8>>
!flag = !flash_tile.fragment<128xi1, #flash_tile.row<8>>

gpu.module @kernels {
  // A vector along columns has one row, in a ring, too.
  // CHECK-LABEL: gpu.func @vectors
  // CHECK: flash_tile.ring : !flash_tile.ring<2, 1x64xf32, mbarrier>
  gpu.func @vectors() kernel {
    %ring = flash_tile.ring : !flash_tile.ring<2, 1x64xf32, mbarrier>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @synchronous
  gpu.func @synchronous(%q: memref<?x8x?x64xbf16>, %o: memref<?x8x?x64xbf16>,
                        %lse: memref<?x8x?xf32>, %n: index, %scale: f32, %more: i1)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    // CHECK: flash_tile.load %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}] rows(%{{.*}}) to_end {alignment = 16 : i64} : memref<?x8x?x64xbf16> -> !flash_tile.shared<128x64xbf16>
    %qs = flash_tile.load %q[%c0, %c0, %c0, %c0] rows(%n) to_end {alignment = 16 : i64}
        : memref<?x8x?x64xbf16> -> !flash_tile.shared<128x64xbf16>
    // CHECK: flash_tile.load_fragment
    %a = flash_tile.load_fragment %qs : !flash_tile.shared<128x64xbf16> -> !lhs
    // CHECK: flash_tile.ring : !flash_tile.ring<2, 64x64xbf16, cp_async>
    %ring = flash_tile.ring : !flash_tile.ring<2, 64x64xbf16, cp_async>
    // CHECK: flash_tile.put %{{.*}}[%{{.*}}], %{{.*}}[{{.*}}] rows(%{{.*}}) cols(%{{.*}}) if(%{{.*}}) {row_dim = 2 : i64} :
    flash_tile.put %ring[%c0], %q[%c0, %c0, %c0, %c0] rows(%n) cols(%n) if(%more) {row_dim = 2 : i64}
        : !flash_tile.ring<2, 64x64xbf16, cp_async>, memref<?x8x?x64xbf16>
    // CHECK: flash_tile.get %{{.*}}[%{{.*}}] in_flight 1 : !flash_tile.ring<2, 64x64xbf16, cp_async>
    %k = flash_tile.get %ring[%c0] in_flight 1 : !flash_tile.ring<2, 64x64xbf16, cp_async>
    %cut = arith.constant true
    // CHECK: flash_tile.clear_unseen %{{.*}} when %{{.*}} queries(%{{.*}}) : !flash_tile.shared<64x64xbf16> {
    // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index):
    flash_tile.clear_unseen %k when %cut queries(%n) : !flash_tile.shared<64x64xbf16> {
    ^bb0(%row: index, %column: index):
      %sees = arith.cmpi sle, %column, %row : index
      flash_tile.yield %sees : i1
    }
    // CHECK: flash_tile.mma #flash_tile.mma_sync %{{.*}}, %{{.*}} transpose_b : !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>, !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
    %s = flash_tile.mma #flash_tile.mma_sync %a, %k transpose_b : !lhs, !flash_tile.shared<64x64xbf16> -> !acc
    // CHECK: flash_tile.reduce max
    %m = flash_tile.reduce max %s : !acc -> !row
    // CHECK: flash_tile.map(%{{.*}}, %{{.*}}) : (!flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>, !flash_tile.fragment<128xf32, #flash_tile.row<8>>) -> !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>> {
    // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: f32, %{{.*}}: f32):
    %p = flash_tile.map(%s, %m) : (!acc, !row) -> !acc {
    ^bb0(%i: index, %j: index, %se: f32, %me: f32):
      %d = arith.subf %se, %me : f32
      %x = arith.mulf %d, %scale : f32
      %e = math.exp2 %x : f32
      // CHECK: flash_tile.yield %{{.*}} : f32
      flash_tile.yield %e : f32
    }
    // CHECK: flash_tile.reduce add {{.*}} -> !flash_tile.fragment<128xf32, #flash_tile.row_partial<8>>
    %l = flash_tile.reduce add %p : !acc -> !partial
    // CHECK: flash_tile.all_reduce add
    %sum = flash_tile.all_reduce add %l : !partial -> !row
    %over, %twice = flash_tile.map(%sum) : (!row) -> (!flag, !row) {
    ^bb0(%i: index, %se: f32):
      %f = arith.cmpf ogt, %se, %scale : f32
      %t = arith.addf %se, %se : f32
      flash_tile.yield %f, %t : i1, f32
    }
    // CHECK: flash_tile.any %{{.*}} : !flash_tile.fragment<128xi1, #flash_tile.row<8>>
    %any = flash_tile.any %over : !flag
    // CHECK: flash_tile.convert
    %pa = flash_tile.convert %p : !acc -> !lhs
    // CHECK: flash_tile.splat %{{.*}} : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
    %z = flash_tile.splat %zero : !acc
    // CHECK: flash_tile.mma #flash_tile.mma_sync %{{.*}}, %{{.*}} acc(%{{.*}}) :
    %o1 = flash_tile.mma #flash_tile.mma_sync %pa, %k acc(%z) : !lhs, !flash_tile.shared<64x64xbf16> -> !acc
    // CHECK: flash_tile.release
    flash_tile.release %ring[%c0] : !flash_tile.ring<2, 64x64xbf16, cp_async>
    %o2 = flash_tile.convert %o1 : !acc -> !acc16
    // CHECK: flash_tile.store %{{.*}}, %{{.*}}[{{.*}}] rows(%{{.*}}) to_end {alignment = 16 : i64} : !flash_tile.fragment<128x64xbf16, #flash_tile.acc<8>>, memref<?x8x?x64xbf16>
    flash_tile.store %o2, %o[%c0, %c0, %c0, %c0] rows(%n) to_end {alignment = 16 : i64} : !acc16, memref<?x8x?x64xbf16>
    // CHECK: flash_tile.store %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] :
    flash_tile.store %twice, %lse[%c0, %c0, %c0] : !row, memref<?x8x?xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @watched
  gpu.func @watched(%map: !flash_tile.tensor_map<1x1x128x64xbf16>, %cut: i1, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    // CHECK: flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier, cluster 2, watched>
    %shared = flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier, cluster 2, watched>
    %ring = flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier, watched>
    flash_tile.specialize producer(40) {
      flash_tile.put %ring[%c0], %map[%c0, %c0, %c0, %c0] : !flash_tile.ring<2, 128x64xbf16, mbarrier, watched>, !flash_tile.tensor_map<1x1x128x64xbf16>
    // CHECK: } watcher {
    } watcher {
      // CHECK-NEXT: flash_tile.watch %{{.*}}[%{{.*}}] when %{{.*}} queries(%{{.*}}) : !flash_tile.ring<2, 128x64xbf16, mbarrier, watched> {
      // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index):
      flash_tile.watch %ring[%c0] when %cut queries(%n) : !flash_tile.ring<2, 128x64xbf16, mbarrier, watched> {
      ^bb0(%row: index, %column: index):
        %sees = arith.cmpi sle, %column, %row : index
        flash_tile.yield %sees : i1
      }
    // CHECK: } consumers(232) {
    } consumers(232) {
      %v = flash_tile.get %ring[%c0] : !flash_tile.ring<2, 128x64xbf16, mbarrier, watched>
    }
    gpu.return
  }

  // CHECK-LABEL: gpu.func @specialized
  gpu.func @specialized(%map: !flash_tile.tensor_map<1x1x128x64xbf16>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.shared_bytes = 16448 : i64} {
    %c0 = arith.constant 0 : index
    // CHECK: flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<2, 128x64xbf16, mbarrier>
    %ring = flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<2, 128x64xbf16, mbarrier>
    // CHECK: flash_tile.specialize producer(40) {
    // CHECK-NEXT: flash_tile.put %{{.*}}[%{{.*}}], %{{.*}}[{{.*}}] : !flash_tile.ring<2, 128x64xbf16, mbarrier>, !flash_tile.tensor_map<1x1x128x64xbf16>
    // CHECK-NEXT: } consumers(232) {
    flash_tile.specialize producer(40) {
      flash_tile.put %ring[%c0], %map[%c0, %c0, %c0, %c0] : !flash_tile.ring<2, 128x64xbf16, mbarrier>, !flash_tile.tensor_map<1x1x128x64xbf16>
    } consumers(232) {
      %q = flash_tile.get %ring[%c0] : !flash_tile.ring<2, 128x64xbf16, mbarrier>
      // CHECK: flash_tile.mma_start #flash_tile.wgmma %{{.*}}, %{{.*}} transpose_b : !flash_tile.shared<128x64xbf16>, !flash_tile.shared<128x64xbf16> -> !flash_tile.pending<!flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>>
      %s = flash_tile.mma_start #flash_tile.wgmma %q, %q transpose_b : !flash_tile.shared<128x64xbf16>, !flash_tile.shared<128x64xbf16>
          -> !flash_tile.pending<!flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>>
      // CHECK: flash_tile.mma_wait %{{.*}} in_flight 1 : {{.*}} -> !flash_tile.pending<
      %t = flash_tile.mma_wait %s in_flight 1 : !flash_tile.pending<!flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>>
          -> !flash_tile.pending<!flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>>
      // CHECK: flash_tile.mma_wait %{{.*}} : {{.*}} -> !flash_tile.fragment<
      %u = flash_tile.mma_wait %t : !flash_tile.pending<!flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>>
          -> !flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>
      flash_tile.release %ring[%c0] : !flash_tile.ring<2, 128x64xbf16, mbarrier>
    }
    gpu.return
  }

  // CHECK-LABEL: gpu.func @turns
  gpu.func @turns(%map: !flash_tile.tensor_map<64x32xf32>, %more: i1) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %ones = arith.constant 1.0 : bf16
    %ring = flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier>
    %rows = flash_tile.ring : !flash_tile.ring<2, 16x64xbf16, mbarrier>
    %square = flash_tile.ring : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    %sums = flash_tile.ring : !flash_tile.ring<1, 64x64xf32, mbarrier>
    // CHECK: flash_tile.specialize producer(40)
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %t = flash_tile.get %ring[%c0] : !flash_tile.ring<2, 128x64xbf16, mbarrier>
      %r = flash_tile.get %rows[%c0] : !flash_tile.ring<2, 16x64xbf16, mbarrier>
      %a = flash_tile.splat %ones : !flash_tile.fragment<128x16xbf16, #flash_tile.lhs<8>>
      // CHECK: %[[S:.*]] = flash_tile.mma_start #flash_tile.wgmma %{{.*}}, %{{.*}} :
      %s = flash_tile.mma_start #flash_tile.wgmma %a, %r : !flash_tile.fragment<128x16xbf16, #flash_tile.lhs<8>>, !flash_tile.shared<16x64xbf16>
          -> !flash_tile.pending<!flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>>
      %q = flash_tile.get %square[%c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier>
      // CHECK: flash_tile.mma_start #flash_tile.wgmma %{{.*}}, %{{.*}} onto(%[[S]]) transpose_b :
      %u = flash_tile.mma_start #flash_tile.wgmma %t, %q onto(%s) transpose_b : !flash_tile.shared<128x64xbf16>, !flash_tile.shared<64x64xbf16>
          -> !flash_tile.pending<!flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>>
      // CHECK: flash_tile.in_turn %{{.*}} when %{{.*}} {
      flash_tile.in_turn %c0 when %more {
        %p = flash_tile.mma #flash_tile.wgmma %t, %t transpose_a : !flash_tile.shared<128x64xbf16>, !flash_tile.shared<128x64xbf16>
            -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
        // CHECK: flash_tile.fill %{{.*}}[%{{.*}}], %{{.*}} : !flash_tile.ring<1, 64x64xf32, mbarrier>, !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
        flash_tile.fill %sums[%c0], %p : !flash_tile.ring<1, 64x64xf32, mbarrier>, !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
      }
    // CHECK: helper "writer" {
    } helper "writer" {
      %t = flash_tile.get %sums[%c0] : !flash_tile.ring<1, 64x64xf32, mbarrier>
      // CHECK: flash_tile.store_tile add %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}] : !flash_tile.shared<64x64xf32>, !flash_tile.tensor_map<64x32xf32>
      flash_tile.store_tile add %t, %map[%c0, %c0] : !flash_tile.shared<64x64xf32>, !flash_tile.tensor_map<64x32xf32>
      flash_tile.release %sums[%c0] : !flash_tile.ring<1, 64x64xf32, mbarrier>
    }
    gpu.return
  }

  // CHECK-LABEL: gpu.func @asking
  gpu.func @asking(%map: !flash_tile.tensor_map<1x1x128x64xbf16>, %tiles: index, %counter: memref<1xi64>, %more: i1) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %ring = flash_tile.ring : !flash_tile.ring<2, 128x64xbf16, mbarrier>
    // CHECK: %[[QUEUE:.*]] = flash_tile.queue
    %queue = flash_tile.queue
    // CHECK: flash_tile.tile_of %{{.*}} of %{{.*}} counter(%{{.*}} : memref<1xi64>)
    %here = flash_tile.tile_of %c0 of %tiles counter(%counter : memref<1xi64>)
    flash_tile.specialize producer(40) {
      // CHECK: %[[NEXT:.*]] = flash_tile.next_tile %{{.*}} of %{{.*}} : memref<1xi64>
      %next = flash_tile.next_tile %counter of %tiles : memref<1xi64>
      // CHECK: flash_tile.post %[[QUEUE]][%{{.*}}], %[[NEXT]]
      flash_tile.post %queue[%c0], %next
      // CHECK: flash_tile.prefetch %{{.*}}[{{.*}}] : !flash_tile.tensor_map<1x1x128x64xbf16> as !flash_tile.shared<128x64xbf16>
      flash_tile.prefetch %map[%c0, %c0, %here, %c0] : !flash_tile.tensor_map<1x1x128x64xbf16> as !flash_tile.shared<128x64xbf16>
    } consumers(232) {
      // CHECK: flash_tile.receive %[[QUEUE]][%{{.*}}]
      %tile = flash_tile.receive %queue[%c0]
      // CHECK: flash_tile.get %{{.*}}[%{{.*}}] when %{{.*}} :
      %q = flash_tile.get %ring[%tile] when %more : !flash_tile.ring<2, 128x64xbf16, mbarrier>
      // CHECK: flash_tile.get %{{.*}}[%{{.*}}] rows(%{{.*}}) :
      %v = flash_tile.get %ring[%tile] rows(%tile) : !flash_tile.ring<2, 128x64xbf16, mbarrier>
    }
    gpu.return
  }
}

// CHECK-LABEL: func.func @host
func.func @host(%k: memref<?x8x?x64xbf16>, %n: index) {
  // CHECK: flash_tile.tensor_map %{{.*}} : memref<?x8x?x64xbf16> -> !flash_tile.tensor_map<1x1x128x64xbf16>
  %map = flash_tile.tensor_map %k : memref<?x8x?x64xbf16> -> !flash_tile.tensor_map<1x1x128x64xbf16>
  // CHECK: flash_tile.launch @kernels::@specialized grid(%{{.*}}, %{{.*}}) args(%{{.*}} : !flash_tile.tensor_map<1x1x128x64xbf16>)
  flash_tile.launch @kernels::@specialized grid(%n, %n) args(%map : !flash_tile.tensor_map<1x1x128x64xbf16>)
  return
}

// CHECK-LABEL: func.func @parts
func.func @parts(%state: memref<?x2304xf32>, %turns: memref<100x4xi32>, %slot: index, %part: index, %next: index) {
  // CHECK: %[[F:.*]]:2 = flash_tile.take_over %{{.*}}, %{{.*}}[%{{.*}}] part %{{.*}} : memref<?x2304xf32>, memref<100x4xi32> -> !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>, !flash_tile.fragment<64xf32, #flash_tile.row<4>>
  %o, %m = flash_tile.take_over %state, %turns[%slot] part %part : memref<?x2304xf32>, memref<100x4xi32>
      -> !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>, !flash_tile.fragment<64xf32, #flash_tile.row<4>>
  // CHECK: flash_tile.hand_over %[[F]]#0, %[[F]]#1 to %{{.*}}, %{{.*}}[%{{.*}}] part %{{.*}} :
  flash_tile.hand_over %o, %m to %state, %turns[%slot] part %next
      : !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>, !flash_tile.fragment<64xf32, #flash_tile.row<4>> -> memref<?x2304xf32>, memref<100x4xi32>
  return
}
