// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-allocate-shared{limit=40000})))' --split-input-file --verify-diagnostics | FileCheck %s

gpu.module @kernels {
  // CHECK: gpu.func @kernel
  // CHECK-SAME: flash_tile.shared_bytes = 24608
  gpu.func @kernel(%key: memref<?x64xf16>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    // CHECK: flash_tile.load {{.*}}shared_offset = 0
    %q = flash_tile.load %key[%c0, %c0] : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
    // Two stages of 4096 bytes, and two barriers for each.
    // CHECK: flash_tile.ring {shared_offset = 16384 : i64}
    %r = flash_tile.ring : !flash_tile.ring<2, 32x64xf16, mbarrier>
    gpu.return
  }
}

// -----

// A queue lies where the alignment of tiles leaves room. Stores wait for each
// other, so that tiles of one type share their place.
gpu.module @kernels {
  // CHECK: gpu.func @shared
  // CHECK-SAME: flash_tile.shared_bytes = 17408
  gpu.func @shared(%map: !flash_tile.tensor_map<16x64xf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %zero = arith.constant 0.0 : f16
    // CHECK: flash_tile.ring {shared_offset = 0 : i64}
    %r = flash_tile.ring : !flash_tile.ring<2, 32x64xf16, mbarrier>
    // CHECK: flash_tile.queue {shared_offset = 8224 : i64}
    %queue = flash_tile.queue
    %o = flash_tile.splat %zero : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
    // CHECK-COUNT-2: flash_tile.store_async {{.*}}shared_offset = 9216
    flash_tile.store_async %o, %map[%i, %i] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
    flash_tile.store_async %o, %map[%i, %i] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @+1 {{kernel 'kernel' needs 65536 bytes of shared memory for a block, but the target has 40000: choose smaller tiles or fewer stages}}
  gpu.func @kernel(%key: memref<?x64xf16>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %r = flash_tile.ring : !flash_tile.ring<2, 256x64xf16, cp_async>
    gpu.return
  }
}

// -----

// A ring that is read ahead gets a stage more where there is room: the first one. Stores of another type take the same
// place behind a barrier of all warps; one loop with both keeps them apart.
gpu.module @kernels {
  // CHECK: gpu.func @ahead
  // CHECK-SAME: flash_tile.shared_bytes = 38912
  gpu.func @ahead(%map: !flash_tile.tensor_map<16x64xf16>, %sums: !flash_tile.tensor_map<16x32xf32>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    // CHECK: flash_tile.ring {ahead, shared_offset = 0 : i64} : !flash_tile.ring<3, 32x64xf16, mbarrier>
    %r = flash_tile.ring {ahead} : !flash_tile.ring<2, 32x64xf16, mbarrier>
    // CHECK: flash_tile.ring {ahead, shared_offset = 13312 : i64} : !flash_tile.ring<1, 64x64xf16, mbarrier>
    %s = flash_tile.ring {ahead} : !flash_tile.ring<1, 64x64xf16, mbarrier>
    %zero = arith.constant 0.0 : f16
    %zero32 = arith.constant 0.0 : f32
    %o = flash_tile.splat %zero : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
    %a = flash_tile.splat %zero32 : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
    // CHECK: flash_tile.store_async add {{.*}} {shared_offset = 22528 : i64}
    flash_tile.store_async add %a, %sums[%i, %i] : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x32xf32>
    // CHECK: flash_tile.store_async {{.*}} {barrier, shared_offset = 22528 : i64}
    // CHECK: flash_tile.store_async {{.*}} {shared_offset = 22528 : i64}
    flash_tile.store_async %o, %map[%i, %i] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
    flash_tile.store_async %o, %map[%i, %i] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
    gpu.return
  }

  // CHECK: gpu.func @together
  gpu.func @together(%map: !flash_tile.tensor_map<16x64xf16>, %sums: !flash_tile.tensor_map<16x32xf32>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f16
    %zero32 = arith.constant 0.0 : f32
    %o = flash_tile.splat %zero : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
    %a = flash_tile.splat %zero32 : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
    scf.for %i = %c0 to %n step %c1 {
      // CHECK: flash_tile.store_async add {{.*}} {shared_offset = 0 : i64}
      flash_tile.store_async add %a, %sums[%i, %i] : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x32xf32>
      // CHECK: flash_tile.store_async {{.*}} {shared_offset = 16384 : i64}
      flash_tile.store_async %o, %map[%i, %i] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
    }
    gpu.return
  }
}

// -----

// Stores at the end take the places of rings that are over: those that are put, and looked at by a watcher, once, and have been awaited.
gpu.module @kernels {
  // CHECK: gpu.func @watched
  gpu.func @watched(%map: !flash_tile.tensor_map<64x64xf16>, %to: !flash_tile.tensor_map<16x64xf16>, %i: index, %c: i1) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %zero = arith.constant 0.0 : f16
    // CHECK: flash_tile.ring {shared_offset = 0 : i64}
    %k = flash_tile.ring : !flash_tile.ring<1, 64x64xf16, mbarrier, watched>
    // CHECK: flash_tile.ring {shared_offset = 9216 : i64}
    %v = flash_tile.ring : !flash_tile.ring<1, 64x64xf16, mbarrier>
    flash_tile.specialize producer(40) {
      flash_tile.put %k[%i], %map[%i, %i] : !flash_tile.ring<1, 64x64xf16, mbarrier, watched>, !flash_tile.tensor_map<64x64xf16>
      flash_tile.put %v[%i], %map[%i, %i] : !flash_tile.ring<1, 64x64xf16, mbarrier>, !flash_tile.tensor_map<64x64xf16>
    } watcher {
      flash_tile.watch %k[%i] when %c queries(%i) : !flash_tile.ring<1, 64x64xf16, mbarrier, watched> {
      ^bb0(%q: index, %j: index):
        flash_tile.yield %c : i1
      }
    } consumers(232) {
      %tk = flash_tile.get %k[%i] : !flash_tile.ring<1, 64x64xf16, mbarrier, watched>
      %tv = flash_tile.get %v[%i] : !flash_tile.ring<1, 64x64xf16, mbarrier>
      flash_tile.release %k[%i] : !flash_tile.ring<1, 64x64xf16, mbarrier, watched>
      flash_tile.release %v[%i] : !flash_tile.ring<1, 64x64xf16, mbarrier>
      %o = flash_tile.splat %zero : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
      // CHECK: flash_tile.store_async {{.*}}shared_offset = 0
      // CHECK: flash_tile.store_async {{.*}}shared_offset = 9216
      flash_tile.store_async %o, %to[%i, %i] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
      flash_tile.store_async %o, %to[%i, %i] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
    }
    gpu.return
  }
}

// -----

// At the end of a tile of a persistent kernel results take the place of a ring that consumers alone use, side by side where both
// fit, and the ring is used again when they have been read; sums that leave in the loop have a place of their own.
gpu.module @kernels {
  // CHECK: gpu.func @results
  // CHECK: flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<1, 64x64xf16, mbarrier>
  // CHECK: flash_tile.ring {shared_offset = 9216 : i64} : !flash_tile.ring<2, 64x64xf16, mbarrier>
  // CHECK: flash_tile.get
  // CHECK-NEXT: flash_tile.store_wait {barrier}
  // CHECK-NEXT: scf.for
  // CHECK: flash_tile.store_async add {{.*}} {shared_offset = [[OWN:[0-9]+]] : i64}
  // CHECK: flash_tile.store_async {{.*}} {barrier, free, shared_offset = 9216 : i64}
  // CHECK: flash_tile.store_async {{.*}} {free, shared_offset = 17408 : i64}
  gpu.func @results(%map: !flash_tile.tensor_map<16x64xf16>, %rows: !flash_tile.tensor_map<64x64xf16>, %sums: !flash_tile.tensor_map<16x32xf32>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %keys = flash_tile.ring : !flash_tile.ring<1, 64x64xf16, mbarrier>
    %ring = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f16
    %wide = arith.constant 0.0 : f32
    flash_tile.specialize producer(40) {
      flash_tile.put %keys[%c0], %rows[%c0, %c0] : !flash_tile.ring<1, 64x64xf16, mbarrier>, !flash_tile.tensor_map<64x64xf16>
    } consumers(232) {
      %p = flash_tile.splat %zero : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
      %s = flash_tile.splat %wide : !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>
      scf.for %t = %c0 to %n step %c1 {
        %k = flash_tile.get %keys[%t] : !flash_tile.ring<1, 64x64xf16, mbarrier>
        scf.for %i = %c0 to %n step %c1 {
          flash_tile.fill %ring[%i], %p : !flash_tile.ring<2, 64x64xf16, mbarrier>, !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
          %x = flash_tile.get %ring[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
          flash_tile.release %ring[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
          flash_tile.store_async add %s, %sums[%i, %c0] : !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x32xf32>
        }
        flash_tile.store_async %p, %map[%t, %c0] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
        flash_tile.store_async %p, %map[%t, %c1] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
      } {flash_tile.tiles}
      flash_tile.store_wait
    }
    gpu.return
  }
}

// -----

// One after the other where the ring has room for one.
gpu.module @kernels {
  // CHECK: gpu.func @turns
  // CHECK: flash_tile.store_async {{.*}} {barrier, free, shared_offset = 0 : i64}
  // CHECK: flash_tile.store_async {{.*}} {barrier, shared_offset = 0 : i64}
  gpu.func @turns(%map: !flash_tile.tensor_map<16x64xf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %ring = flash_tile.ring : !flash_tile.ring<1, 64x64xf16, mbarrier>
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f16
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %p = flash_tile.splat %zero : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
      scf.for %t = %c0 to %n step %c1 {
        flash_tile.fill %ring[%t], %p : !flash_tile.ring<1, 64x64xf16, mbarrier>, !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
        %x = flash_tile.get %ring[%t] : !flash_tile.ring<1, 64x64xf16, mbarrier>
        flash_tile.release %ring[%t] : !flash_tile.ring<1, 64x64xf16, mbarrier>
        flash_tile.store_async %p, %map[%t, %c0] columns 64 : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
        flash_tile.store_async %p, %map[%t, %c1] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
      } {flash_tile.tiles}
    }
    gpu.return
  }
}

// -----

// Where a kibibyte for each ring's barriers is too much, those of all rings lie behind everything.
gpu.module @kernels {
  // CHECK: gpu.func @packed
  // CHECK-SAME: flash_tile.shared_bytes = 38992
  // CHECK: flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<2, 64x64xf16, mbarrier, barriers 38912>
  // CHECK: flash_tile.ring {shared_offset = 16384 : i64} : !flash_tile.ring<2, 64x64xf16, mbarrier, barriers 22560>
  // CHECK: flash_tile.ring {shared_offset = 32768 : i64} : !flash_tile.ring<1, 48x64xf16, mbarrier, barriers 6208>
  // CHECK: flash_tile.get %{{.*}} : !flash_tile.ring<2, 64x64xf16, mbarrier, barriers 22560>
  gpu.func @packed(%i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %a = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
    %b = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
    %c = flash_tile.ring : !flash_tile.ring<1, 48x64xf16, mbarrier>
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %t = flash_tile.get %b[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
    }
    gpu.return
  }
}
