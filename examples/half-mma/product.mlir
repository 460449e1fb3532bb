// C = A B^T of one block, by an instruction that Flash does not know.
//
//   half-mma-opt product.mlir --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-allocate-shared)),
//     flash-gpu-lowering-pipeline{target=sm_80})' | flash-translate --flash-to-ptx --flash-target=sm_80

// CHECK: .entry product(
// CHECK: ldmatrix.sync
// Four steps of 16, for each 8 blocks of 8 columns: two instructions each.
// CHECK-COUNT-64: mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32
// CHECK-NOT: mma.sync

!tile = !flash_tile.shared<128x64xbf16>
!acc = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>

gpu.module @kernels {
  gpu.func @product(%a: memref<128x64xbf16>, %b: memref<64x64xbf16>, %c: memref<128x64xf32>) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %ta = flash_tile.load %a[%c0, %c0] {alignment = 16 : i64} : memref<128x64xbf16> -> !tile
    %tb = flash_tile.load %b[%c0, %c0] {alignment = 16 : i64} : memref<64x64xbf16> -> !flash_tile.shared<64x64xbf16>
    %p = flash_tile.mma #half.mma %ta, %tb transpose_b : !tile, !flash_tile.shared<64x64xbf16> -> !acc
    flash_tile.store %p, %c[%c0, %c0] {alignment = 8 : i64} : !acc, memref<128x64xf32>
    gpu.return
  }
}
