// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))' | FileCheck %s

// 18 elements a lane, those of all 128 threads together; the flag is each warp's, set when all of its lanes have stored.

!acc = !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @hand_over
  // CHECK-COUNT-18: llvm.store
  // CHECK-NOT: llvm.store
  // The turn has a mark, so that memory that holds anything is nobody's.
  // CHECK: arith.addi %{{.*}}, %c2141569246_i32
  // CHECK: llvm.inline_asm has_side_effects {{.*}}bar.warp.sync 0xffffffff;{{.*}}@first st.release.gpu.global.u32 [$0], $1;
  // CHECK: gpu.return
  gpu.func @hand_over(%state: memref<?x2304xf32>, %turns: memref<100x4xi32>, %slot: index, %part: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %zero = arith.constant 0.0 : f32
    %o = flash_tile.splat %zero : !acc
    %m = flash_tile.splat %zero : !row
    flash_tile.hand_over %o, %m to %state, %turns[%slot] part %part : !acc, !row -> memref<?x2304xf32>, memref<100x4xi32>
    gpu.return
  }
  // CHECK-LABEL: gpu.func @take_over
  // CHECK: llvm.inline_asm has_side_effects {{.*}}ld.acquire.gpu.global.u32 turn, [$0];{{.*}}vote.sync.all.pred{{.*}}st.relaxed.gpu.global.u32 [$0], 0;
  // CHECK-COUNT-18: llvm.load
  // CHECK: gpu.return
  gpu.func @take_over(%state: memref<?x2304xf32>, %turns: memref<100x4xi32>, %slot: index, %part: index, %out: memref<?x32xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %o, %m = flash_tile.take_over %state, %turns[%slot] part %part : memref<?x2304xf32>, memref<100x4xi32> -> !acc, !row
    %r = flash_tile.map(%o, %m) : (!acc, !row) -> !acc {
    ^bb0(%i: index, %j: index, %x: f32, %y: f32):
      %z = arith.mulf %x, %y : f32
      flash_tile.yield %z : f32
    }
    flash_tile.store %r, %out[%c0, %c0] : !acc, memref<?x32xf32>
    gpu.return
  }
}
