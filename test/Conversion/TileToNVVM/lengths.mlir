// RUN: flash-opt %s --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))" | FileCheck %s

gpu.module @kernels {
  // What a role's loops use of what is read is pinned where it is computed, a place of a tile in 32 bits; a search stays a loop.
  // CHECK-LABEL: gpu.func @lengths
  gpu.func @lengths(%map: !flash_tile.tensor_map<64x64xbf16>, %starts: memref<?xi32>, %tiles: index, %out: memref<?x64xf32>) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %ring = flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    flash_tile.specialize producer(40) {
      scf.for %t = %c0 to %tiles step %c1 {
        %last = scf.for %i = %c0 to %c3 step %c1 iter_args(%most = %c0) -> (index) {
          %n32 = memref.load %starts[%i] : memref<?xi32>
          %n = arith.index_cast %n32 : i32 to index
          %more = arith.maxsi %n, %most : index
          scf.yield %more : index
        }
        flash_tile.put %ring[%t], %map[%last, %c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier>, !flash_tile.tensor_map<64x64xbf16>
      }
    } consumers(232) {
      // CHECK: scf.for
      // CHECK:   memref.load
      // CHECK:   %[[REST:.*]] = arith.subi %{{.*}}, %{{.*}} : index
      // CHECK:   %[[WIDE:.*]] = arith.index_cast %[[REST]] : index to i64
      // CHECK:   %[[PINNED:.*]] = llvm.inline_asm has_side_effects {{.*}}"mov.b64 $0, $1;", "=l,l" %[[WIDE]]
      scf.for %t = %c0 to %tiles step %c1 {
        %n32 = memref.load %starts[%t] : memref<?xi32>
        %n = arith.index_cast %n32 : i32 to index
        %rest = arith.subi %n, %t : index
        // The other rows become zero for this warpgroup: by all of its threads, for the proxy of the copy engine.
        // CHECK: mbarrier.try_wait.parity
        // CHECK: %[[CUT:.*]] = arith.cmpi slt, %[[ROWS:.*]], %c64_i32 : i32
        // CHECK: scf.if %[[CUT]] {
        // CHECK:   %[[FROM:.*]] = arith.maxsi %[[ROWS]], %c0_i32
        // CHECK:   arith.shli %[[FROM]], %c7_i32
        // CHECK:   st.shared.v4.b32 [at + 0], {zero, zero, zero, zero};
        // CHECK:   fence.proxy.async.shared::cta
        // CHECK:   llvm.inline_asm has_side_effects {{.*}}"bar.sync $0, 128;"
        // CHECK: }
        %v = flash_tile.get %ring[%t] rows(%rest) : !flash_tile.ring<2, 64x64xbf16, mbarrier>
        flash_tile.release %ring[%t] : !flash_tile.ring<2, 64x64xbf16, mbarrier>
        scf.for %j = %c0 to %rest step %c64 {
          %o = flash_tile.splat %zero : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
          // Addresses of a store are computed here, in 32 bits as a place has.
          // CHECK: llvm.inline_asm has_side_effects {{.*}}"mov.b32 $0, $1;"
          // CHECK: llvm.store
          flash_tile.store %o, %out[%j, %c0] {alignment = 16 : i64} : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>, memref<?x64xf32>
        }
      }
      // CHECK: memref.load
      // CHECK: {llvm.loop_annotation = #[[LOOP:.*]]}
    }
    gpu.return
  }
}
