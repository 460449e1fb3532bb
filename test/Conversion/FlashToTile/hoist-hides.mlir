// RUN: flash-opt %s -split-input-file -verify-diagnostics --convert-flash-to-tile --canonicalize --cse | FileCheck %s

// All queries of a loop read the same keys: cleared once, before the loop, are those that none of them sees. Whether there may be some is
// asked of the first and of the last iteration.
// CHECK-LABEL: gpu.func @keys
// CHECK: %[[TILE:.*]] = flash_tile.load
// CHECK: %[[COUNT:.*]] = arith.ceildivsi %[[END:.*]], %c64
// CHECK: %[[SOME:.*]] = arith.cmpi sgt, %[[COUNT]], %c0
// CHECK: %[[BEFORE:.*]] = arith.subi %[[COUNT]], %c1
// CHECK: %[[LAST:.*]] = arith.muli %[[BEFORE]], %c64
// CHECK: %[[HIDES:.*]] = arith.cmpi slt, %[[LAST]], %c64
// CHECK: %[[CUT:.*]] = arith.andi %[[SOME]], %[[HIDES]]
// CHECK: %[[ALL:.*]] = arith.muli %[[COUNT]], %c64
// CHECK: flash_tile.clear_unseen %[[TILE]] when %[[CUT]] queries(%[[ALL]]) : !flash_tile.shared<64x64xbf16> {
// CHECK: ^bb0(%[[I:.*]]: index, %[[J:.*]]: index):
// CHECK:   %[[STEP:.*]] = arith.divui %[[I]], %c64
// CHECK:   %[[AT:.*]] = arith.muli %[[STEP]], %c64
// CHECK:   %[[ROW:.*]] = arith.subi %[[I]], %[[AT]]
// CHECK:   %[[Q:.*]] = arith.addi %[[AT]], %[[ROW]]
// CHECK:   arith.cmpi sle, %[[J]], %[[Q]]
// CHECK: scf.for {{.*}} to %[[END]]
// CHECK-NOT: clear_unseen
// CHECK: gpu.return
func.func @keys(%q: tensor<?x64xbf16>, %k: tensor<64x64xbf16>, %end: index) -> tensor<64x64xf32> {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %o = scf.forall (%b) in (1) shared_outs(%out = %empty) -> (tensor<64x64xf32>) {
    %kt = tensor.extract_slice %k[0, 0] [64, 64] [1, 1] : tensor<64x64xbf16> to tensor<64x64xbf16>
    %e = tensor.empty() : tensor<64x64xf32>
    %acc0 = linalg.fill ins(%zero : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
    %r = scf.for %i = %c0 to %end step %c64 iter_args(%acc = %acc0) -> (tensor<64x64xf32>) {
      %qt = tensor.extract_slice %q[%i, 0] [64, 64] [1, 1] : tensor<?x64xbf16> to tensor<64x64xbf16>
      %cut = arith.cmpi sgt, %c64, %i : index
      %w = flash.hide_unseen %kt when %cut queries(%c64) : tensor<64x64xbf16> {
      ^bb0(%row: index, %key: index):
        %p = arith.addi %i, %row : index
        %sees = arith.cmpi sle, %key, %p : index
        flash.yield %sees : i1
      }
      %n = linalg.matmul ins(%qt, %w : tensor<64x64xbf16>, tensor<64x64xbf16>) outs(%acc : tensor<64x64xf32>) -> tensor<64x64xf32>
      scf.yield %n : tensor<64x64xf32>
    }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r into %out[0, 0] [64, 64] [1, 1] : tensor<64x64xf32> into tensor<64x64xf32>
    }
  }
  return %o : tensor<64x64xf32>
}

// -----

func.func @carried(%q: tensor<?x64xbf16>, %k: tensor<64x64xbf16>, %end: index) -> tensor<64x64xf32> {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %true = arith.constant true
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %o = scf.forall (%b) in (1) shared_outs(%out = %empty) -> (tensor<64x64xf32>) {
    %kt = tensor.extract_slice %k[0, 0] [64, 64] [1, 1] : tensor<64x64xbf16> to tensor<64x64xbf16>
    %e = tensor.empty() : tensor<64x64xf32>
    %acc0 = linalg.fill ins(%zero : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
    %r:2 = scf.for %i = %c0 to %end step %c64 iter_args(%acc = %acc0, %far = %c0) -> (tensor<64x64xf32>, index) {
      %qt = tensor.extract_slice %q[%i, 0] [64, 64] [1, 1] : tensor<?x64xbf16> to tensor<64x64xbf16>
      // expected-error @below {{of a tile that all iterations of a loop read must follow from their positions on a GPU}}
      %w = flash.hide_unseen %kt when %true queries(%c64) : tensor<64x64xbf16> {
      ^bb0(%row: index, %key: index):
        %sees = arith.cmpi sle, %key, %far : index
        flash.yield %sees : i1
      }
      %n = linalg.matmul ins(%qt, %w : tensor<64x64xbf16>, tensor<64x64xbf16>) outs(%acc : tensor<64x64xf32>) -> tensor<64x64xf32>
      %next = arith.addi %far, %i : index
      scf.yield %n, %next : tensor<64x64xf32>, index
    }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r#0 into %out[0, 0] [64, 64] [1, 1] : tensor<64x64xf32> into tensor<64x64xf32>
    }
  }
  return %o : tensor<64x64xf32>
}

// -----

// The size of a tensor, as of a mask's segments, is asked for outside of the body that says what is seen.
// CHECK-LABEL: gpu.func @size
// CHECK: flash_tile.clear_unseen
// CHECK: arith.cmpi sle, %[[SIZE:.*]], %
// CHECK-NOT: tensor.dim
// CHECK: gpu.return
func.func @size(%q: tensor<?x64xbf16>, %ids: tensor<?xi32>, %k: tensor<64x64xbf16>, %end: index) -> tensor<64x64xf32> {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %o = scf.forall (%b) in (1) shared_outs(%out = %empty) -> (tensor<64x64xf32>) {
    %kt = tensor.extract_slice %k[0, 0] [64, 64] [1, 1] : tensor<64x64xbf16> to tensor<64x64xbf16>
    %e = tensor.empty() : tensor<64x64xf32>
    %acc0 = linalg.fill ins(%zero : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
    %r = scf.for %i = %c0 to %end step %c64 iter_args(%acc = %acc0) -> (tensor<64x64xf32>) {
      %qt = tensor.extract_slice %q[%i, 0] [64, 64] [1, 1] : tensor<?x64xbf16> to tensor<64x64xbf16>
      %cut = arith.cmpi sgt, %c64, %i : index
      %first = arith.constant 0 : index
      %size = tensor.dim %ids, %first : tensor<?xi32>
      %w = flash.hide_unseen %kt when %cut queries(%c64) : tensor<64x64xbf16> {
      ^bb0(%row: index, %key: index):
        %p = arith.addi %i, %row : index
        %sees = arith.cmpi sle, %size, %p : index
        flash.yield %sees : i1
      }
      %n = linalg.matmul ins(%qt, %w : tensor<64x64xbf16>, tensor<64x64xbf16>) outs(%acc : tensor<64x64xf32>) -> tensor<64x64xf32>
      scf.yield %n : tensor<64x64xf32>
    }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r into %out[0, 0] [64, 64] [1, 1] : tensor<64x64xf32> into tensor<64x64xf32>
    }
  }
  return %o : tensor<64x64xf32>
}
