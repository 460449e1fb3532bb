// RUN: flash-opt %s -convert-flash-to-tile -split-input-file | FileCheck %s

// Tiles of several heads: rows along two dimensions of a memref, of which one is cut off.

// Positions outside, heads inside; the vector's rows the other way round than its memref.
// CHECK-LABEL: gpu.func @inside
// CHECK: %[[LEFT:.*]] = arith.minsi
// CHECK: flash_tile.store %{{.*}}, %{{.*}}[%[[B:[a-z0-9_]+]], %[[I:[a-z0-9_]+]], %[[H:[a-z0-9_]+]], %{{.*}}] rows(%[[LEFT]]) to_end {alignment = 16 : i64, packed = #flash_tile.packed_rows<dim = 2, size = 4>, row_dim = 1 : i64} : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
// CHECK: flash_tile.store %{{.*}}, %{{.*}}[%[[B]], %[[H]], %[[I]]] rows(%[[LEFT]]) to_end {alignment = 4 : i64, packed = #flash_tile.packed_rows<dim = 1, size = 4>} : !flash_tile.fragment<64xf32, #flash_tile.row<4>>
func.func @inside(%n: index, %s: index) -> (tensor<?x?x8x64xf32>, tensor<?x8x?xf32>) {
  %c4 = arith.constant 4 : index
  %c15 = arith.constant 15 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  %up = arith.addi %s, %c15 : index
  %blocks = arith.divui %up, %c16 : index
  %eo = tensor.empty(%n, %s) : tensor<?x?x8x64xf32>
  %el = tensor.empty(%n, %s) : tensor<?x8x?xf32>
  %r:2 = scf.forall (%b, %g, %i) in (%n, 2, %blocks) shared_outs(%oo = %eo, %lo = %el) -> (tensor<?x?x8x64xf32>, tensor<?x8x?xf32>) {
    %h = arith.muli %g, %c4 : index
    %first = arith.muli %i, %c16 : index
    %rest = arith.subi %s, %first : index
    %left = arith.minsi %rest, %c16 : index
    %te = tensor.empty() : tensor<64x64xf32>
    %t = linalg.fill ins(%zero : f32) outs(%te : tensor<64x64xf32>) -> tensor<64x64xf32>
    %re = tensor.empty() : tensor<64xf32>
    %row = linalg.fill ins(%zero : f32) outs(%re : tensor<64xf32>) -> tensor<64xf32>
    %o = tensor.expand_shape %t [[0, 1], [2]] output_shape [16, 4, 64] : tensor<64x64xf32> into tensor<16x4x64xf32>
    %op = tensor.extract_slice %o[0, 0, 0] [%left, 4, 64] [1, 1, 1] : tensor<16x4x64xf32> to tensor<?x4x64xf32>
    %l = tensor.expand_shape %row [[0, 1]] output_shape [16, 4] : tensor<64xf32> into tensor<16x4xf32>
    %le = tensor.empty() : tensor<4x16xf32>
    %lt = linalg.transpose ins(%l : tensor<16x4xf32>) outs(%le : tensor<4x16xf32>) permutation = [1, 0]
    %lp = tensor.extract_slice %lt[0, 0] [4, %left] [1, 1] : tensor<4x16xf32> to tensor<4x?xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %op into %oo[%b, %first, %h, 0] [1, %left, 4, 64] [1, 1, 1, 1] : tensor<?x4x64xf32> into tensor<?x?x8x64xf32>
      tensor.parallel_insert_slice %lp into %lo[%b, %h, %first] [1, 4, %left] [1, 1, 1] : tensor<4x?xf32> into tensor<?x8x?xf32>
    }
  }
  return %r#0, %r#1 : tensor<?x?x8x64xf32>, tensor<?x8x?xf32>
}

// -----

// What is multiplied is loaded like that; heads outside.
// CHECK-LABEL: gpu.func @outside
// CHECK: %[[LEFT:.*]] = arith.minsi
// CHECK: flash_tile.load %{{.*}}[%[[B:[a-z0-9_]+]], %[[H:[a-z0-9_]+]], %[[I:[a-z0-9_]+]], %{{.*}}] rows(%[[LEFT]]) to_end {alignment = 16 : i64, packed = #flash_tile.packed_rows<dim = 1, size = 4, outer = true>} : memref<?x8x?x64xf16, {{.*}}> -> !flash_tile.shared<64x64xf16>
// CHECK: flash_tile.store %{{.*}}, %{{.*}}[%[[B]], %[[H]], %[[I]], %{{.*}}] rows(%[[LEFT]]) to_end {alignment = 16 : i64, packed = #flash_tile.packed_rows<dim = 1, size = 4, outer = true>}
func.func @outside(%q: tensor<?x8x?x64xf16>, %k: tensor<64x64xf16>) -> tensor<?x8x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %c15 = arith.constant 15 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : f16
  %n = tensor.dim %q, %c0 : tensor<?x8x?x64xf16>
  %s = tensor.dim %q, %c2 : tensor<?x8x?x64xf16>
  %up = arith.addi %s, %c15 : index
  %blocks = arith.divui %up, %c16 : index
  %eo = tensor.empty(%n, %s) : tensor<?x8x?x64xf32>
  %r = scf.forall (%b, %g, %i) in (%n, 2, %blocks) shared_outs(%oo = %eo) -> (tensor<?x8x?x64xf32>) {
    %h = arith.muli %g, %c4 : index
    %first = arith.muli %i, %c16 : index
    %rest = arith.subi %s, %first : index
    %left = arith.minsi %rest, %c16 : index
    %qs = tensor.extract_slice %q[%b, %h, %first, 0] [1, 4, %left, 64] [1, 1, 1, 1] : tensor<?x8x?x64xf16> to tensor<4x?x64xf16>
    %pad = arith.subi %c16, %left : index
    %qp = tensor.pad %qs low[0, 0, 0] high[0, %pad, 0] {
    ^bb0(%x: index, %y: index, %z: index):
      tensor.yield %zero16 : f16
    } : tensor<4x?x64xf16> to tensor<4x16x64xf16>
    %rows = tensor.collapse_shape %qp [[0, 1], [2]] : tensor<4x16x64xf16> into tensor<64x64xf16>
    %ks = tensor.extract_slice %k[0, 0] [64, 64] [1, 1] : tensor<64x64xf16> to tensor<64x64xf16>
    %te = tensor.empty() : tensor<64x64xf32>
    %t = linalg.fill ins(%zero : f32) outs(%te : tensor<64x64xf32>) -> tensor<64x64xf32>
    %p = linalg.matmul ins(%rows, %ks : tensor<64x64xf16>, tensor<64x64xf16>) outs(%t : tensor<64x64xf32>) -> tensor<64x64xf32>
    %o = tensor.expand_shape %p [[0, 1], [2]] output_shape [4, 16, 64] : tensor<64x64xf32> into tensor<4x16x64xf32>
    %op = tensor.extract_slice %o[0, 0, 0] [4, %left, 64] [1, 1, 1] : tensor<4x16x64xf32> to tensor<4x?x64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %op into %oo[%b, %h, %first, 0] [1, 4, %left, 64] [1, 1, 1, 1] : tensor<4x?x64xf32> into tensor<?x8x?x64xf32>
    }
  }
  return %r : tensor<?x8x?x64xf32>
}
