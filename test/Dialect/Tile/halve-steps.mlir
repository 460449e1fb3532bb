// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-halve-steps)))' | FileCheck %s

!m = memref<?x64xbf16>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!a = !flash_tile.fragment<128x16xbf16, #flash_tile.lhs<8>>
!b = !flash_tile.shared<16x64xbf16>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @halved
  // CHECK: %[[B:.*]] = flash_tile.load {{.*}} -> !flash_tile.shared<8x64xbf16>
  // CHECK: %[[A:.*]] = flash_tile.splat {{.*}} : !flash_tile.fragment<128x8xbf16, #flash_tile.lhs<8>>
  // CHECK: flash_tile.mma #flash_tile.wgmma %[[A]], %[[B]] : !flash_tile.fragment<128x8xbf16, #flash_tile.lhs<8>>, !flash_tile.shared<8x64xbf16>
  gpu.func @halved(%m: !m) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %c3 = arith.constant 3 : index
    %one = arith.constant 1.0 : bf16
    %b = flash_tile.load %m[%c0, %c0] rows(%c3) : !m -> !b
    %a = flash_tile.splat %one : !a
    %s = flash_tile.mma #flash_tile.wgmma %a, %b : !a, !b -> !s
    gpu.return
  }

  // More rows than half; rows that a call decides; an instruction that has no half.
  // CHECK-LABEL: gpu.func @whole
  // CHECK-NOT: shared<8x64
  gpu.func @whole(%m: !m, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %c3 = arith.constant 3 : index
    %c9 = arith.constant 9 : index
    %one = arith.constant 1.0 : bf16
    %a = flash_tile.splat %one : !a
    %b0 = flash_tile.load %m[%c0, %c0] rows(%c9) : !m -> !b
    %s0 = flash_tile.mma #flash_tile.wgmma %a, %b0 : !a, !b -> !s
    %b1 = flash_tile.load %m[%c0, %c0] rows(%n) : !m -> !b
    %s1 = flash_tile.mma #flash_tile.wgmma %a, %b1 : !a, !b -> !s
    %b2 = flash_tile.load %m[%c0, %c0] rows(%c3) : !m -> !b
    %s2 = flash_tile.mma #flash_tile.mma_sync %a, %b2 : !a, !b -> !s
    gpu.return
  }
}
