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
    // CHECK:   llvm.inline_asm has_side_effects {{.*}}LOOK:{{.*}}and.b32 x0, x0, 0x7c007c00;{{.*}}bar.red.or.pred some, $3, 256, some;
    // CHECK:   scf.if
    // The body's values are computed here, not before the loops.
    // CHECK:     llvm.inline_asm has_side_effects {{.*}}"mov.b64 $0, $1;"
    // CHECK:     scf.for
    // CHECK:       scf.for {{.*}} -> (i1)
    // CHECK:         scf.if
    // CHECK:           arith.cmpi sle
    // CHECK:       scf.if
    // CHECK:         st.shared.v4.b32 [$0 + 112], {zero, zero, zero, zero};
    // CHECK:     "bar.sync $0, 256;"
    flash_tile.clear_unseen %tile when %cut queries 32 : !flash_tile.shared<128x64xf16> {
    ^bb0(%i: index, %j: index):
      %q = arith.addi %i, %n : index
      %sees = arith.cmpi sle, %j, %q : index
      flash_tile.yield %sees : i1
    }
    gpu.return
  }

  // Warpgroups with a producer do so each by itself, at barriers of their own.
  // CHECK-LABEL: gpu.func @apart
  gpu.func @apart(%map: !flash_tile.tensor_map<64x64xbf16>, %q: memref<?x64xbf16>, %out: memref<?x64xf32>, %cut: i1) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %ring = flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    %tile = flash_tile.ring {shared_offset = 32768 : i64} : !flash_tile.ring<1, 128x64xbf16, mbarrier>
    flash_tile.specialize producer(40) {
      flash_tile.put %ring[%c0], %map[%c0, %c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier>, !flash_tile.tensor_map<64x64xbf16>
    } consumers(232) {
      %a = flash_tile.get %tile[%c0] : !flash_tile.ring<1, 128x64xbf16, mbarrier>
      %v = flash_tile.get %ring[%c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier>
      // CHECK: scf.if %{{.*}} {
      // CHECK:   fence.proxy.async.shared::cta
      // CHECK:   and.b32 x0, x0, 0x7f807f80;{{.*}}bar.red.or.pred some, $3, 128, some;
      // CHECK:   fence.proxy.async.shared::cta
      // CHECK:   "bar.sync $0, 128;"
      flash_tile.clear_unseen %v when %cut queries 128 : !flash_tile.shared<64x64xbf16> {
      ^bb0(%i: index, %j: index):
        %sees = arith.cmpi sle, %j, %i : index
        flash_tile.yield %sees : i1
      }
      %o = flash_tile.mma #flash_tile.wgmma %a, %v transpose_b
          : !flash_tile.shared<128x64xbf16>, !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
      flash_tile.store %o, %out[%c0, %c0] {alignment = 16 : i64} : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>, memref<?x64xf32>
    }
    gpu.return
  }
}
