// RUN: flash-opt %s | flash-opt | FileCheck %s
// RUN: flash-opt %s --mlir-print-op-generic | flash-opt | FileCheck %s

!half = !flash_tile.fragment<64x128xbf16, #flash_tile.stream<4, run = 8>>
!wide = !flash_tile.fragment<64x128xf32, #flash_tile.stream<4, run = 8>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
!grid = !flash_tile.fragment<64x128xf32, #flash_tile.stream<8, run = 4, column_groups = 2>>
!partial = !flash_tile.fragment<64xf32, #flash_tile.row_partial<8, column_groups = 2>>

// A row vector goes with runs, which a reduction along the columns, a map and a
// conversion keep.
// CHECK-LABEL: func.func @stream
func.func @stream(%m: memref<?x?x128xbf16>, %b: index, %n: index) {
  %c0 = arith.constant 0 : index
  // CHECK: flash_tile.fetch %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] rows(%{{.*}}) cols(%{{.*}}) {alignment = 16 : i64, padding = 1.000000e+00 : bf16, row_dim = 0 : i64} : memref<?x?x128xbf16> -> !flash_tile.fragment<64x128xbf16, #flash_tile.stream<4, run = 8>>
  %h = flash_tile.fetch %m[%b, %c0, %c0] rows(%n) cols(%n) {alignment = 16 : i64, padding = 1.0 : bf16, row_dim = 0 : i64}
      : memref<?x?x128xbf16> -> !half
  %w = flash_tile.map(%h) : (!half) -> !wide {
  ^bb0(%i: index, %j: index, %x: bf16):
    %y = arith.extf %x : bf16 to f32
    flash_tile.yield %y : f32
  }
  // CHECK: flash_tile.reduce add %{{.*}} : !flash_tile.fragment<64x128xf32, #flash_tile.stream<4, run = 8>> -> !flash_tile.fragment<64xf32, #flash_tile.row<4>>
  %r = flash_tile.reduce add %w : !wide -> !row
  %s = flash_tile.map(%w, %r) : (!wide, !row) -> !wide {
  ^bb0(%i: index, %j: index, %x: f32, %y: f32):
    %z = arith.mulf %x, %y : f32
    flash_tile.yield %z : f32
  }
  // CHECK: flash_tile.convert
  %t = flash_tile.convert %s : !wide -> !half
  // CHECK: flash_tile.store %{{.*}}, {{.*}} : !flash_tile.fragment<64x128xbf16, #flash_tile.stream<4, run = 8>>
  flash_tile.store %t, %m[%b, %c0, %c0] rows(%n) {alignment = 16 : i64} : !half, memref<?x?x128xbf16>
  return
}

// CHECK-LABEL: func.func @grid
// CHECK-SAME: !flash_tile.fragment<64x128xf32, #flash_tile.stream<8, run = 4, column_groups = 2>>
func.func @grid(%x: !grid) -> !partial {
  %r = flash_tile.reduce add %x : !grid -> !partial
  return %r : !partial
}
