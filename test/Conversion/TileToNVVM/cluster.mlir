// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))' | FileCheck %s

!ring = !flash_tile.ring<2, 128x64xbf16, mbarrier, cluster 2>
!map = !flash_tile.tensor_map<1x64x64xbf16>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel
  // CHECK: %[[MASK:.*]] = arith.constant 3 : i16
  // CHECK: %[[RANK:.*]] = nvvm.read.ptx.sreg.cluster.ctaid.x : i32
  // All warps of both blocks release a stage.
  // CHECK: mbarrier.init.shared::cta.b64 [$0], 16;
  // CHECK: barrier.cluster.arrive.release.aligned;
  // CHECK: barrier.cluster.wait.acquire.aligned;
  // CHECK: scf.if
  // CHECK: mapa.shared::cluster.u32 there, $0, $1;
  // CHECK-SAME: mbarrier.arrive.shared::cluster.b64 _, [there];
  // The bytes of the whole tile arrive, of which this block copies 64 rows to both.
  // CHECK: mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 16384;
  // CHECK: %[[ROWS:.*]] = arith.muli %[[RANK]], %{{.*}} : i32
  // CHECK: cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint [$0], [$1, {$2, $3, $4}], [$5], $6, $7;
  // CHECK-SAME: "r,l,r,r,r,r,h,l{{.*}} %[[MASK]],
  // CHECK: barrier.cluster.arrive.release;
  // CHECK: barrier.cluster.wait.acquire;
  // CHECK: gpu.return
  gpu.func @kernel(%map: !map, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, cluster = 2>} {
    %c0 = arith.constant 0 : index
    %ring = flash_tile.ring {shared_offset = 0 : i64} : !ring
    flash_tile.specialize producer(40) {
      flash_tile.put %ring[%n], %map[%c0, %n, %c0] {hint = 1 : i32} : !ring, !map
    } consumers(232) {
      %k = flash_tile.get %ring[%n] : !ring
      flash_tile.release %ring[%n] : !ring
    }
    gpu.return
  }

  // Two parts of 64 columns through one tile.
  // CHECK-LABEL: gpu.func @parts
  // CHECK: cp.async.bulk.wait_group.read 0;
  // CHECK-COUNT-4: stmatrix.sync.aligned.m8n8.x4
  // CHECK-NOT: stmatrix
  // CHECK: cp.async.bulk.tensor.2d.global.shared::cta.bulk_group
  // CHECK: cp.async.bulk.commit_group;
  // CHECK: cp.async.bulk.wait_group.read 0;
  // CHECK-COUNT-4: stmatrix.sync.aligned.m8n8.x4
  // CHECK-NOT: stmatrix
  // CHECK: cp.async.bulk.tensor.2d.global.shared::cta.bulk_group {{.*}} %c64_i32,
  gpu.func @parts(%x: f32, %map: !flash_tile.tensor_map<16x64xbf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %f = flash_tile.splat %x : !flash_tile.fragment<64x128xf32, #flash_tile.acc<4>>
    %h = flash_tile.convert %f : !flash_tile.fragment<64x128xf32, #flash_tile.acc<4>> -> !flash_tile.fragment<64x128xbf16, #flash_tile.acc<4>>
    flash_tile.store_async %h, %map[%i, %c0] columns 64 {shared_offset = 0 : i64} : !flash_tile.fragment<64x128xbf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xbf16>
    gpu.return
  }
}
