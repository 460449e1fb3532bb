// RUN: flash-opt %s --convert-flash-to-tile --canonicalize --cse --split-input-file | FileCheck %s

// Rows that end where the tensor does are said to (`to_end`); not those whose number is data, nor those that end before.

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: gpu.func @arithmetic
// CHECK: flash_tile.load %{{.*}} rows(%{{.*}}) to_end {alignment = 16 : i64}
// CHECK: flash_tile.load %{{.*}} rows(%{{.*}}) {alignment = 16 : i64}
// CHECK: flash_tile.store %{{.*}} rows(%{{.*}}) to_end {
func.func @arithmetic(%a: tensor<?x64xbf16>, %b: tensor<?x64xbf16>, %count: tensor<1xi32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %z = arith.constant 0.0 : f32
  %ze = arith.constant 0.0 : bf16
  %rows = tensor.dim %a, %c0 : tensor<?x64xbf16>
  %e = tensor.empty(%rows) : tensor<?x64xf32>
  %r = scf.forall (%i) = (0) to (%rows) step (64) shared_outs(%o = %e) -> tensor<?x64xf32> {
    %left = arith.subi %rows, %i : index
    %n = arith.minsi %c64, %left : index
    %high = arith.subi %c64, %n : index
    %t = tensor.empty() : tensor<64x64xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<64x64xf32>) -> tensor<64x64xf32>
    %ta = tensor.extract_slice %a[%i, 0] [%n, 64] [1, 1] : tensor<?x64xbf16> to tensor<?x64xbf16>
    %pa = tensor.pad %ta low[0, 0] high[%high, 0] {
    ^bb0(%x: index, %y: index):
      tensor.yield %ze : bf16
    } : tensor<?x64xbf16> to tensor<64x64xbf16>
    // As many keys as the data say.
    %of = tensor.extract %count[%c0] : tensor<1xi32>
    %keys = arith.index_cast %of : i32 to index
    %m = arith.minsi %c64, %keys : index
    %above = arith.subi %c64, %m : index
    %tb = tensor.extract_slice %b[0, 0] [%m, 64] [1, 1] : tensor<?x64xbf16> to tensor<?x64xbf16>
    %pb = tensor.pad %tb low[0, 0] high[%above, 0] {
    ^bb0(%x: index, %y: index):
      tensor.yield %ze : bf16
    } : tensor<?x64xbf16> to tensor<64x64xbf16>
    %c = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%pa, %pb : tensor<64x64xbf16>, tensor<64x64xbf16>) outs(%zt : tensor<64x64xf32>) -> tensor<64x64xf32>
    %s = tensor.extract_slice %c[0, 0] [%n, 64] [1, 1] : tensor<64x64xf32> to tensor<?x64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[%i, 0] [%n, 64] [1, 1] : tensor<?x64xf32> into tensor<?x64xf32>
    }
  }
  return %r : tensor<?x64xf32>
}

// -----

// By affine.min, with a place that is an affine.apply; and a step that ends a row before the tensor.

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: gpu.func @affine
// CHECK: flash_tile.load %{{.*}} rows(%{{.*}}) to_end {alignment = 16 : i64}
// CHECK: flash_tile.load %{{.*}} rows(%{{.*}}) {alignment = 16 : i64}
func.func @affine(%a: tensor<?x64xbf16>, %b: tensor<?x64xbf16>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %ze = arith.constant 0.0 : bf16
  %rows = tensor.dim %a, %c0 : tensor<?x64xbf16>
  %blocks = affine.apply affine_map<()[s] -> (s ceildiv 64)>()[%rows]
  %e = tensor.empty(%rows) : tensor<?x64xf32>
  %r = scf.forall (%i) in (%blocks) shared_outs(%o = %e) -> tensor<?x64xf32> {
    %first = affine.apply affine_map<(i) -> (i * 64)>(%i)
    %n = affine.min affine_map<(i)[s] -> (64, s - i * 64)>(%i)[%rows]
    %high = affine.apply affine_map<(n) -> (64 - n)>(%n)
    %m = affine.min affine_map<(i)[s] -> (64, s - i * 64 - 1)>(%i)[%rows]
    %above = affine.apply affine_map<(n) -> (64 - n)>(%m)
    %t = tensor.empty() : tensor<64x64xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<64x64xf32>) -> tensor<64x64xf32>
    %ta = tensor.extract_slice %a[%first, 0] [%n, 64] [1, 1] : tensor<?x64xbf16> to tensor<?x64xbf16>
    %pa = tensor.pad %ta low[0, 0] high[%high, 0] {
    ^bb0(%x: index, %y: index):
      tensor.yield %ze : bf16
    } : tensor<?x64xbf16> to tensor<64x64xbf16>
    %tb = tensor.extract_slice %b[%first, 0] [%m, 64] [1, 1] : tensor<?x64xbf16> to tensor<?x64xbf16>
    %pb = tensor.pad %tb low[0, 0] high[%above, 0] {
    ^bb0(%x: index, %y: index):
      tensor.yield %ze : bf16
    } : tensor<?x64xbf16> to tensor<64x64xbf16>
    %c = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%pa, %pb : tensor<64x64xbf16>, tensor<64x64xbf16>) outs(%zt : tensor<64x64xf32>) -> tensor<64x64xf32>
    %s = tensor.extract_slice %c[0, 0] [%n, 64] [1, 1] : tensor<64x64xf32> to tensor<?x64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[%first, 0] [%n, 64] [1, 1] : tensor<?x64xf32> into tensor<?x64xf32>
    }
  }
  return %r : tensor<?x64xf32>
}
