// RUN: flash-opt %s -convert-flash-to-tile --split-input-file | FileCheck %s

#id = affine_map<(a, b) -> (a, b)>

// Without products, lanes hold runs of 16 bytes: both tiles are fetched where
// they are made, before the first is looked at.
// CHECK-LABEL: gpu.func @sums
// CHECK: flash_tile.fetch %{{.*}}[%{{.*}}, %{{.*}}] rows(%[[N:.*]]) {alignment = 16 : i64, padding = 0.000000e+00 : bf16} : {{.*}} -> !flash_tile.fragment<64x128xbf16, #flash_tile.stream<4, run = 8>>
// CHECK: flash_tile.fetch %{{.*}}[%{{.*}}, %{{.*}}] rows(%[[N]])
// CHECK-NEXT: %[[P:.*]] = flash_tile.map({{.*}}) : {{.*}} -> !flash_tile.fragment<64x128xf32, #flash_tile.stream<4, run = 8>>
// CHECK-NOT: memref.load
// CHECK: flash_tile.reduce add %[[P]] : {{.*}} -> !flash_tile.fragment<64xf32, #flash_tile.row<4>>
func.func @sums(%a: tensor<?x128xbf16>, %b: tensor<?x128xbf16>, %n: index, %blocks: index) -> tensor<64xf32> {
  %zero = arith.constant 0.0 : f32
  %none = arith.constant 0.0 : bf16
  %c64 = arith.constant 64 : index
  %e0 = tensor.empty() : tensor<64xf32>
  %r = scf.forall (%i) in (1) shared_outs(%o = %e0) -> (tensor<64xf32>) {
    %missing = arith.subi %c64, %n : index
    %s = tensor.extract_slice %a[%i, 0] [%n, 128] [1, 1] : tensor<?x128xbf16> to tensor<?x128xbf16>
    %x = tensor.pad %s low[0, 0] high[%missing, 0] {
    ^bb0(%k: index, %l: index):
      tensor.yield %none : bf16
    } : tensor<?x128xbf16> to tensor<64x128xbf16>
    %t = tensor.extract_slice %b[%i, 0] [%n, 128] [1, 1] : tensor<?x128xbf16> to tensor<?x128xbf16>
    %y = tensor.pad %t low[0, 0] high[%missing, 0] {
    ^bb0(%k: index, %l: index):
      tensor.yield %none : bf16
    } : tensor<?x128xbf16> to tensor<64x128xbf16>
    %m = tensor.empty() : tensor<64x128xf32>
    %p = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%x, %y : tensor<64x128xbf16>, tensor<64x128xbf16>) outs(%m : tensor<64x128xf32>) {
    ^bb0(%u: bf16, %v: bf16, %w: f32):
      %uw = arith.extf %u : bf16 to f32
      %vw = arith.extf %v : bf16 to f32
      %q = arith.mulf %uw, %vw : f32
      linalg.yield %q : f32
    } -> tensor<64x128xf32>
    %e1 = tensor.empty() : tensor<64xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e1 : tensor<64xf32>) -> tensor<64xf32>
    %sum = linalg.reduce { arith.addf } ins(%p : tensor<64x128xf32>) outs(%z : tensor<64xf32>) dimensions = [1]
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %sum into %o[0] [64] [1] : tensor<64xf32> into tensor<64xf32>
    }
  } {flash_tile.kernel = #flash_tile.kernel<warps = 4>}
  return %r : tensor<64xf32>
}

// -----

#id = affine_map<(a, b) -> (a, b)>

// The widest elements in memory say how long a run is. 64 rows for 8 warps have
// two groups of columns; 100 columns of a tile of 128 exist.
// CHECK-LABEL: gpu.func @round
// CHECK: %[[F:.*]] = flash_tile.fetch {{.*}} {alignment = 16 : i64} : {{.*}} -> !flash_tile.fragment<64x128xf32, #flash_tile.stream<8, run = 4, column_groups = 2>>
// CHECK: %[[M:.*]] = flash_tile.map(%[[F]])
// CHECK: %[[C:.*]] = flash_tile.convert %[[M]] : {{.*}} -> !flash_tile.fragment<64x128xbf16, #flash_tile.stream<8, run = 4, column_groups = 2>>
// CHECK: flash_tile.store %[[C]], {{.*}} cols(%{{.*}}) {alignment = 8 : i64}
func.func @round(%a: tensor<64x128xf32>) -> tensor<64x100xbf16> {
  %two = arith.constant 2.0 : f32
  %e0 = tensor.empty() : tensor<64x100xbf16>
  %r = scf.forall (%i) in (1) shared_outs(%o = %e0) -> (tensor<64x100xbf16>) {
    %t = tensor.extract_slice %a[%i, 0] [64, 128] [1, 1] : tensor<64x128xf32> to tensor<64x128xf32>
    %m = tensor.empty() : tensor<64x128xbf16>
    %x = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%t : tensor<64x128xf32>) outs(%m : tensor<64x128xbf16>) {
    ^bb0(%y: f32, %u: bf16):
      %s = arith.mulf %y, %two : f32
      %k = arith.truncf %s : f32 to bf16
      linalg.yield %k : bf16
    } -> tensor<64x128xbf16>
    %part = tensor.extract_slice %x[0, 0] [64, 100] [1, 1] : tensor<64x128xbf16> to tensor<64x100xbf16>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %part into %o[0, 0] [64, 100] [1, 1] : tensor<64x100xbf16> into tensor<64x100xbf16>
    }
  } {flash_tile.kernel = #flash_tile.kernel<warps = 8>}
  return %r : tensor<64x100xbf16>
}

// -----

#id = affine_map<(a, b) -> (a, b)>

// Four runs of four columns do not make 24: pairs, as of an accumulator.
// CHECK-LABEL: gpu.func @narrow
// CHECK-NOT: flash_tile.fetch
// CHECK: flash_tile.map() : () -> !flash_tile.fragment<64x24xf32, #flash_tile.acc<4>>
// CHECK: memref.load
func.func @narrow(%a: tensor<64x24xf32>) -> tensor<64x24xf32> {
  %e0 = tensor.empty() : tensor<64x24xf32>
  %r = scf.forall (%i) in (1) shared_outs(%o = %e0) -> (tensor<64x24xf32>) {
    %t = tensor.extract_slice %a[%i, 0] [64, 24] [1, 1] : tensor<64x24xf32> to tensor<64x24xf32>
    %m = tensor.empty() : tensor<64x24xf32>
    %x = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%t : tensor<64x24xf32>) outs(%m : tensor<64x24xf32>) {
    ^bb0(%y: f32, %u: f32):
      %s = arith.mulf %y, %y : f32
      linalg.yield %s : f32
    } -> tensor<64x24xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %x into %o[0, 0] [64, 24] [1, 1] : tensor<64x24xf32> into tensor<64x24xf32>
    }
  } {flash_tile.kernel = #flash_tile.kernel<warps = 4>}
  return %r : tensor<64x24xf32>
}
