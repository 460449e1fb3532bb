// RUN: flash-opt %s --flash-gpu-tile-pipeline=target=sm_80 | FileCheck %s

// Rows of a slice begin where those of the argument do, and its own first column: kernels copy in pieces of 16 bytes only
// where that allows it.

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Columns 3 on, and columns 8 on of rows of 204: 6, and 408 bytes.
// CHECK-LABEL: gpu.func @odd
// CHECK: flash_tile.load {{.*}} {alignment = 2 : i64
// CHECK: flash_tile.load {{.*}} {alignment = 8 : i64
// CHECK: flash_tile.load {{.*}} {alignment = 16 : i64
func.func @odd(%a0: tensor<64x200xbf16>, %b0: tensor<64x204xbf16>, %d0: tensor<64x200xbf16>) -> tensor<64x64xf32> {
  %z = arith.constant 0.0 : f32
  %a = tensor.extract_slice %a0[0, 3] [64, 64] [1, 1] : tensor<64x200xbf16> to tensor<64x64xbf16>
  %b = tensor.extract_slice %b0[0, 8] [64, 64] [1, 1] : tensor<64x204xbf16> to tensor<64x64xbf16>
  %d = tensor.extract_slice %d0[0, 8] [64, 64] [1, 1] : tensor<64x200xbf16> to tensor<64x64xbf16>
  %e = tensor.empty() : tensor<64x64xf32>
  %r = scf.forall (%i) = (0) to (64) step (64) shared_outs(%o = %e) -> tensor<64x64xf32> {
    %t = tensor.empty() : tensor<64x64xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<64x64xf32>) -> tensor<64x64xf32>
    %ta = tensor.extract_slice %a[%i, 0] [64, 64] [1, 1] : tensor<64x64xbf16> to tensor<64x64xbf16>
    %tb = tensor.extract_slice %b[%i, 0] [64, 64] [1, 1] : tensor<64x64xbf16> to tensor<64x64xbf16>
    %td = tensor.extract_slice %d[%i, 0] [64, 64] [1, 1] : tensor<64x64xbf16> to tensor<64x64xbf16>
    %c = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%ta, %tb : tensor<64x64xbf16>, tensor<64x64xbf16>) outs(%zt : tensor<64x64xf32>) -> tensor<64x64xf32>
    %f = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%ta, %td : tensor<64x64xbf16>, tensor<64x64xbf16>) outs(%c : tensor<64x64xf32>) -> tensor<64x64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %f into %o[%i, 0] [64, 64] [1, 1] : tensor<64x64xf32> into tensor<64x64xf32>
    }
  } {flash.schedule = #flash.schedule<m = 64, n = 64, d = 16, warps = 4, instruction = mma_sync>}
  return %r : tensor<64x64xf32>
}
