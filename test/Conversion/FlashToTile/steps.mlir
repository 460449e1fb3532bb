// RUN: flash-opt %s -convert-flash-to-tile --split-input-file --verify-diagnostics | FileCheck %s

#id = affine_map<(a, b) -> (a, b)>
#rev = affine_map<(a, b) -> (b, a)>
#row = affine_map<(a, b) -> (a)>
#col = affine_map<(a, b) -> (b)>

// A vector lies along the columns of what it is added to; sums of both directions; a matrix whose loops are in the
// other order.
// CHECK-LABEL: gpu.func @steps
// CHECK: %[[B:.*]] = flash_tile.map() : () -> !flash_tile.fragment<64xf32, #flash_tile.col<8>>
// CHECK: %[[X:.*]] = flash_tile.map(%[[B]]) : (!flash_tile.fragment<64xf32, #flash_tile.col<8>>) -> !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
// CHECK: %[[R:.*]] = flash_tile.reduce add %[[X]] : {{.*}} -> !flash_tile.fragment<128xf32, #flash_tile.row<8>>
// CHECK: %[[M:.*]] = flash_tile.map(%[[X]])
// CHECK: arith.mulf
// CHECK: %[[P:.*]] = flash_tile.reduce maximum %[[M]] : {{.*}} -> !flash_tile.fragment<64xf32, #flash_tile.col_partial<8>>
// CHECK: %[[C:.*]] = flash_tile.all_reduce maximum %[[P]] : {{.*}} -> !flash_tile.fragment<64xf32, #flash_tile.col<8>>
// CHECK: %[[C1:.*]] = flash_tile.map(%[[B]], %[[C]]) : (!flash_tile.fragment<64xf32, #flash_tile.col<8>>, !flash_tile.fragment<64xf32, #flash_tile.col<8>>)
// CHECK: arith.maximumf
// CHECK: flash_tile.store %[[R]]
// CHECK: flash_tile.store %[[C1]], {{.*}} : !flash_tile.fragment<64xf32, #flash_tile.col<8>>
func.func @steps(%a: tensor<128x64xf32>, %b: tensor<64xf32>) -> (tensor<128xf32>, tensor<64xf32>) {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<128xf32>
  %e1 = tensor.empty() : tensor<64xf32>
  %r:2 = scf.forall (%i) in (1) shared_outs(%o = %e0, %p = %e1) -> (tensor<128xf32>, tensor<64xf32>) {
    %t = tensor.extract_slice %a[%i, 0] [128, 64] [1, 1] : tensor<128x64xf32> to tensor<128x64xf32>
    %v = tensor.extract_slice %b[%i] [64] [1] : tensor<64xf32> to tensor<64xf32>
    %m = tensor.empty() : tensor<128x64xf32>
    %n = tensor.empty() : tensor<128xf32>
    %z = linalg.fill ins(%zero : f32) outs(%n : tensor<128xf32>) -> tensor<128xf32>
    %x = linalg.generic {indexing_maps = [#rev, #row, #rev], iterator_types = ["parallel", "parallel"]}
        ins(%t, %v : tensor<128x64xf32>, tensor<64xf32>) outs(%m : tensor<128x64xf32>) {
    ^bb0(%y: f32, %w: f32, %u: f32):
      %s = arith.addf %y, %w : f32
      linalg.yield %s : f32
    } -> tensor<128x64xf32>
    %rows = linalg.reduce { arith.addf } ins(%x : tensor<128x64xf32>) outs(%z : tensor<128xf32>) dimensions = [1]
    %columns = linalg.generic {indexing_maps = [#id, #col], iterator_types = ["reduction", "parallel"]}
        ins(%x : tensor<128x64xf32>) outs(%v : tensor<64xf32>) {
    ^bb0(%y: f32, %u: f32):
      %s = arith.mulf %y, %y : f32
      %k = arith.maximumf %u, %s : f32
      linalg.yield %k : f32
    } -> tensor<64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %rows into %o[0] [128] [1] : tensor<128xf32> into tensor<128xf32>
      tensor.parallel_insert_slice %columns into %p[0] [64] [1] : tensor<64xf32> into tensor<64xf32>
    }
  } {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.mma_sync, stages = 2>}
  return %r#0, %r#1 : tensor<128xf32>, tensor<64xf32>
}

// -----

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#nm = affine_map<(m, n, k) -> (n, m)>
#col = affine_map<(a, b) -> (b)>

// The result is transposed: its rows are the second operand's columns. 64 rows for 8 warps have two groups of
// columns. What is added to a result in the end is added at once, and nobody carries the sum.
// CHECK-LABEL: func.func @sum
// CHECK: %[[R:.*]] = memref.alloc() : memref<512x128xf32>
// CHECK: flash_tile.clear %[[R]] : memref<512x128xf32>
// CHECK-LABEL: gpu.func @sum
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step %{{.*}} {
// CHECK: %[[A:.*]] = flash_tile.load {{.*}} {alignment = 16 : i64} {{.*}} -> !flash_tile.shared<128x128xbf16>
// CHECK: %[[B:.*]] = flash_tile.load {{.*}} {alignment = 16 : i64} {{.*}} -> !flash_tile.shared<128x64xbf16>
// CHECK: %[[P:.*]] = flash_tile.mma #flash_tile.mma_sync %[[B]], %[[A]] transpose_a : {{.*}} -> !flash_tile.fragment<64x128xf32, #flash_tile.acc<8, column_groups = 2>>
// CHECK: flash_tile.store add %[[P]], %{{.*}}[%{{.*}}, %{{.*}}] {alignment = 16 : i64}
func.func @sum(%a: tensor<512x128xbf16>, %b: tensor<512x64xbf16>) -> tensor<512x128xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  %c512 = arith.constant 512 : index
  %e = tensor.empty() : tensor<512x128xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<512x128xf32>) -> tensor<512x128xf32>
  %r = scf.forall (%j) in (4) shared_outs(%o = %z) -> (tensor<512x128xf32>) {
    %w = tensor.empty() : tensor<512x128xf32>
    %none = linalg.fill ins(%zero : f32) outs(%w : tensor<512x128xf32>) -> tensor<512x128xf32>
    %t = tensor.empty() : tensor<64x128xf32>
    %tz = linalg.fill ins(%zero : f32) outs(%t : tensor<64x128xf32>) -> tensor<64x128xf32>
    %all = scf.for %i = %c0 to %c512 step %c128 iter_args(%s = %none) -> tensor<512x128xf32> {
      %x = tensor.extract_slice %a[%i, 0] [128, 128] [1, 1] : tensor<512x128xbf16> to tensor<128x128xbf16>
      %y = tensor.extract_slice %b[%i, 0] [128, 64] [1, 1] : tensor<512x64xbf16> to tensor<128x64xbf16>
      %p = linalg.matmul indexing_maps = [#km, #kn, #nm] ins(%x, %y : tensor<128x128xbf16>, tensor<128x64xbf16>)
          outs(%tz : tensor<64x128xf32>) -> tensor<64x128xf32>
      %s1 = flash.add_slice %p into %s[%i, 0] [64, 128] [1, 1] : tensor<64x128xf32> into tensor<512x128xf32>
      scf.yield %s1 : tensor<512x128xf32>
    }
    scf.forall.in_parallel {
      flash.parallel_add_slice %all into %o[0, 0] [512, 128] [1, 1] : tensor<512x128xf32> into tensor<512x128xf32>
    }
  } {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.mma_sync, stages = 2>}
  return %r : tensor<512x128xf32>
}

// -----

#id = affine_map<(a, b) -> (a, b)>
#row = affine_map<(a, b) -> (a)>
#col = affine_map<(a, b) -> (b)>

func.func @both(%a: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x64xf32>
  %r = scf.forall (%i) in (1) shared_outs(%o = %e) -> (tensor<64x64xf32>) {
    %t = tensor.extract_slice %a[%i, 0] [64, 64] [1, 1] : tensor<64x64xf32> to tensor<64x64xf32>
    %m = tensor.empty() : tensor<64x64xf32>
    %n = tensor.empty() : tensor<64xf32>
    %z = linalg.fill ins(%zero : f32) outs(%n : tensor<64xf32>) -> tensor<64xf32>
    %rows = linalg.reduce { arith.addf } ins(%t : tensor<64x64xf32>) outs(%z : tensor<64xf32>) dimensions = [1]
    // expected-error @below {{takes a vector along columns that lies along other rows or columns elsewhere, which a GPU kernel does not move}}
    %x = linalg.generic {indexing_maps = [#id, #col, #id], iterator_types = ["parallel", "parallel"]}
        ins(%t, %rows : tensor<64x64xf32>, tensor<64xf32>) outs(%m : tensor<64x64xf32>) {
    ^bb0(%y: f32, %w: f32, %u: f32):
      %s = arith.addf %y, %w : f32
      linalg.yield %s : f32
    } -> tensor<64x64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %x into %o[0, 0] [64, 64] [1, 1] : tensor<64x64xf32> into tensor<64x64xf32>
    }
  }
  return %r : tensor<64x64xf32>
}
