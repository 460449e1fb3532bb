// RUN: flash-opt %s --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))" | FileCheck %s

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @queue
  gpu.func @queue(%map: !flash_tile.tensor_map<64x64xbf16>, %tiles: index, %counter: memref<1xi64>, %out: memref<?xindex>, %some: i1)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    // The producer's one arrival fills a place, one of each of eight warps
    // empties it.
    // CHECK: "mbarrier.init.shared::cta.b64 [$0], 1;"
    // CHECK: "mbarrier.init.shared::cta.b64 [$0], 8;"
    %queue = flash_tile.queue {shared_offset = 0 : i64}
    %ring = flash_tile.ring {shared_offset = 1024 : i64} : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    flash_tile.specialize producer(40) {
      // CHECK: setmaxnreg.dec
      // A word without the mark in its upper half is no counter yet, and is made one at 0 by who sees it first.
      // CHECK: COUNT:{{.*}}atom.relaxed.gpu.global.add.u64 old, [$1], 1;
      // CHECK-SAME: mov.b64 {$0, mark}, old;
      // CHECK-SAME: setp.eq.u32 counted, mark, 2141569246;
      // CHECK-SAME: @counted bra DONE;
      // CHECK-SAME: BEGIN:{{.*}}atom.relaxed.gpu.global.cas.b64 old, [$1], old, [[START:[0-9]+]];
      // CHECK-SAME: @counted bra COUNT;
      // CHECK-SAME: DONE:{{.*}}setp.eq.u32 last, mark, $2;
      // CHECK-SAME: @last st.relaxed.gpu.global.u64 [$1], [[START]];
      %tile = flash_tile.next_tile %counter of %tiles : memref<1xi64>
      // CHECK: mbarrier.try_wait.parity
      // CHECK: st.shared.b32 [$0], $1;
      // CHECK-SAME: mbarrier.arrive.shared::cta.b64 _, [$2];
      flash_tile.post %queue[%c0], %tile
      // CHECK-COUNT-2: cp.async.bulk.prefetch.tensor.2d.L2.global.tile [$0, {$1, $2}];
      flash_tile.prefetch %map[%tile, %c0] : !flash_tile.tensor_map<64x64xbf16> as !flash_tile.shared<64x128xbf16>
    } consumers(232) {
      %i = flash_tile.receive %queue[%c0]
      memref.store %i, %out[%c0] : memref<?xindex>
      %k = flash_tile.get %ring[%c1] when %some : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    }
    gpu.return
  }

  // A helper is one thread, and one more who empties a place.
  // CHECK-LABEL: gpu.func @helper
  // CHECK: mbarrier.init.shared::cta.b64 [$0], 1;
  // CHECK: mbarrier.init.shared::cta.b64 [$0], 9;
  // CHECK: ld.shared.b32 $0, [$1];
  // CHECK-NOT: bar.warp.sync
  // CHECK: mbarrier.arrive.shared::cta.b64 _, [$0];
  // CHECK-NOT: shfl
  // CHECK: memref.store
  gpu.func @helper(%out: memref<?xindex>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %queue = flash_tile.queue {shared_offset = 0 : i64}
    %i = flash_tile.receive %queue[%c0] alone
    memref.store %i, %out[%c0] : memref<?xindex>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @consumers
  gpu.func @consumers(%out: memref<?xindex>, %some: i1) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %queue = flash_tile.queue {shared_offset = 0 : i64}
    %ring = flash_tile.ring {shared_offset = 1024 : i64} : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    // CHECK: mbarrier.try_wait.parity
    // CHECK: ld.shared.b32 $0, [$1];
    // CHECK: bar.warp.sync 0xffffffff;
    // CHECK-SAME: @first mbarrier.arrive.shared::cta.b64 _, [$0];
    // CHECK: nvvm.shfl.sync idx
    %i = flash_tile.receive %queue[%c0]
    memref.store %i, %out[%c0] : memref<?xindex>
    // CHECK: setp.eq.s32 done, $2, 0;
    // CHECK-SAME: @done bra DONE;
    %k = flash_tile.get %ring[%c0] when %some : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    gpu.return
  }
}
