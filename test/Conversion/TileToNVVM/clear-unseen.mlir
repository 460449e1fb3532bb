// RUN: flash-opt %s --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))" | FileCheck %s

gpu.module @kernels {
  // All warps look at the tile together, and clear rows only where something is not finite.
  // CHECK-LABEL: gpu.func @together
  gpu.func @together(%k: memref<?x64xf16>, %out: memref<?x64xf32>, %cut: i1, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %tile = flash_tile.load %k[%c0, %c0] {shared_offset = 0 : i64} : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
    // CHECK: scf.if %{{.*}} {
    // CHECK-NOT: fence.proxy.async
    // CHECK:   llvm.inline_asm has_side_effects {{.*}}LOOK:{{.*}}and.b32 x0, x0, 0x7c007c00;{{.*}}bar.red.or.pred some, 0, 256, some;
    // CHECK:   scf.if
    // The body's values are computed here, not before the loops.
    // CHECK:     llvm.inline_asm has_side_effects {{.*}}"mov.b64 $0, $1;"
    // CHECK:     scf.for
    // CHECK:       scf.for {{.*}} -> (i1)
    // CHECK:         scf.if
    // CHECK:           arith.cmpi sle
    // CHECK:       scf.if
    // CHECK:         st.shared.v4.b32 [$0 + 112], {zero, zero, zero, zero};
    // CHECK:     "bar.sync 0, 256;"
    flash_tile.clear_unseen %tile when %cut queries(%n) : !flash_tile.shared<128x64xf16> {
    ^bb0(%i: index, %j: index):
      %q = arith.addi %i, %n : index
      %sees = arith.cmpi sle, %j, %q : index
      flash_tile.yield %sees : i1
    }
    gpu.return
  }

  // In a kernel with a producer a warp beside it looks at what has landed, and says that the stage is full.
  // CHECK-LABEL: gpu.func @watched
  gpu.func @watched(%map: !flash_tile.tensor_map<64x64xbf16>, %out: memref<?x64xf32>, %cut: i1) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %c128 = arith.constant 128 : index
    %ring = flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched>
    flash_tile.specialize producer(40) {
      flash_tile.put %ring[%c0], %map[%c0, %c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched>, !flash_tile.tensor_map<64x64xbf16>
    } watcher {
      flash_tile.watch %ring[%c0] when %cut queries(%c128) : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched> {
      ^bb0(%i: index, %j: index):
        %sees = arith.cmpi sle, %j, %i : index
        flash_tile.yield %sees : i1
      }
    } consumers(232) {
      %v = flash_tile.get %ring[%c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched>
      flash_tile.release %ring[%c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched>
    }
    // CHECK-DAG: %[[FULL:.*]] = arith.constant 16384 : i32
    // CHECK-DAG: %[[LANDED:.*]] = arith.constant 16416 : i32
    // Two full barriers, two empty ones, two for copies that have landed.
    // CHECK-COUNT-6: "mbarrier.init.shared::cta.b64
    // CHECK-NOT: "mbarrier.init.shared::cta.b64
    // CHECK: "setmaxnreg.inc.sync.aligned.u32 232;"
    // CHECK: %[[AT:.*]] = arith.addi %{{.*}}, %[[FULL]] : i32
    // CHECK: mbarrier.try_wait.parity{{.*}} %[[AT]],
    // CHECK: } else {
    // CHECK: "setmaxnreg.dec.sync.aligned.u32 40;"
    // CHECK: scf.if
    // CHECK:   %[[AT:.*]] = arith.addi %{{.*}}, %[[LANDED]] : i32
    // CHECK:   mbarrier.arrive.expect_tx{{.*}} %[[AT]] :
    // CHECK:   cp.async.bulk.tensor{{.*}} %[[AT]] : (
    // CHECK: scf.if
    // CHECK:   %[[DONE:.*]] = arith.addi %{{.*}}, %[[FULL]] : i32
    // CHECK:   %[[AT:.*]] = arith.addi %{{.*}}, %[[LANDED]] : i32
    // CHECK:   mbarrier.try_wait.parity{{.*}} %[[AT]],
    // CHECK:   scf.if
    // CHECK:     and.b32 x0, x0, 0x7f807f80;{{.*}}vote.sync.any.pred some, some, 0xffffffff;
    // CHECK:     scf.if
    // CHECK:       st.shared.v4.b32
    // CHECK:       "bar.warp.sync 0xffffffff;"
    // CHECK:   bar.warp.sync 0xffffffff;{{.*}}mbarrier.arrive.shared::cta.b64 {{.*}} %[[DONE]],
    gpu.return
  }

  // The watcher receives the numbers of tiles, too: nine warps empty a place.
  // CHECK-LABEL: gpu.func @tiles
  gpu.func @tiles(%map: !flash_tile.tensor_map<64x64xbf16>, %tile: index, %cut: i1) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    // CHECK: "mbarrier.init.shared::cta.b64 [$0], 1;"
    // CHECK: "mbarrier.init.shared::cta.b64 [$0], 9;"
    %queue = flash_tile.queue {shared_offset = 0 : i64}
    %ring = flash_tile.ring {shared_offset = 1024 : i64} : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched>
    flash_tile.specialize producer(40) {
      flash_tile.post %queue[%c0], %tile
      flash_tile.put %ring[%c0], %map[%tile, %c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched>, !flash_tile.tensor_map<64x64xbf16>
    } watcher {
      %t = flash_tile.receive %queue[%c0]
      flash_tile.watch %ring[%c0] when %cut queries(%t) : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched> {
      ^bb0(%i: index, %j: index):
        %sees = arith.cmpi sle, %j, %i : index
        flash_tile.yield %sees : i1
      }
    } consumers(232) {
      %t = flash_tile.receive %queue[%c0]
      %v = flash_tile.get %ring[%c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched>
      flash_tile.release %ring[%c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched>
    }
    gpu.return
  }
}
