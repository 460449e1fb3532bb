// RUN: flash-opt %s --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))" | FileCheck %s

!half = !flash_tile.fragment<64x32xbf16, #flash_tile.stream<4, run = 8>>
!wide = !flash_tile.fragment<64x32xf32, #flash_tile.stream<4, run = 8>>
!quad = !flash_tile.fragment<64x32xf32, #flash_tile.stream<4, run = 4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>

gpu.module @kernels {
  // One access for each of a lane's two rows: a lane's 8 columns are 16 bytes
  // further than those of the lane before. A chain of the even and one of the
  // odd columns, then the four lanes of a row.
  // CHECK-LABEL: gpu.func @whole
  gpu.func @whole(%m: memref<64x32xbf16>, %o: memref<64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    // CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    // CHECK-NOT: llvm.load
    // A bf16 is the upper half of an f32.
    // CHECK-NOT: arith.extf
    %h = flash_tile.fetch %m[%c0, %c0] {alignment = 16 : i64} : memref<64x32xbf16> -> !half
    %w = flash_tile.map(%h) : (!half) -> !wide {
    ^bb0(%i: index, %j: index, %x: bf16):
      %y = arith.extf %x : bf16 to f32
      flash_tile.yield %y : f32
    }
    // CHECK-COUNT-7: arith.addf
    // CHECK: nvvm.shfl.sync bfly
    // CHECK: arith.addf
    // CHECK: nvvm.shfl.sync bfly
    // CHECK: arith.addf
    // CHECK-COUNT-7: arith.addf
    // CHECK: nvvm.shfl.sync bfly
    %r = flash_tile.reduce add %w : !wide -> !row
    flash_tile.store %r, %o[%c0] : !row, memref<64xf32>
    gpu.return
  }

  // Rows that may be missing: the padding, and a predicate.
  // CHECK-LABEL: gpu.func @rows
  gpu.func @rows(%m: memref<64x32xbf16>, %o: memref<64x32xbf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    // CHECK-COUNT-2: flash_tile.inline_ptx "mov.b32 $0, 1065369472;\0Amov.b32 $1, 1065369472;\0Amov.b32 $2, 1065369472;\0Amov.b32 $3, 1065369472;\0A@$5 ld.global.v4.b32 {$0, $1, $2, $3}, [$4 + 0];", "=&r,=&r,=&r,=&r,l,b,~{memory}"
    %h = flash_tile.fetch %m[%c0, %c0] rows(%n) {alignment = 16 : i64, padding = 1.0 : bf16} : memref<64x32xbf16> -> !half
    // CHECK: scf.if
    // CHECK: llvm.store %{{.*}} : vector<8xbf16>, !llvm.ptr<1>
    flash_tile.store %h, %o[%c0, %c0] rows(%n) {alignment = 16 : i64} : !half, memref<64x32xbf16>
    gpu.return
  }

  // 30 of 32 columns, of rows that are aligned to 8 bytes: pieces of two
  // columns, the last of which may be missing.
  // CHECK-LABEL: gpu.func @columns
  gpu.func @columns(%m: memref<64x30xf32>, %o: memref<64x30xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %c30 = arith.constant 30 : index
    // CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 8 : i64} : !llvm.ptr<1> -> vector<2xi32>
    // CHECK-COUNT-2: flash_tile.inline_ptx {{.*}}ld.global.v2.b32 {$0, $1}, [$2 +
    %h = flash_tile.fetch %m[%c0, %c0] cols(%c30) {alignment = 8 : i64} : memref<64x30xf32> -> !quad
    // CHECK-COUNT-8: llvm.store %{{.*}} : vector<2xf32>, !llvm.ptr<1>
    flash_tile.store %h, %o[%c0, %c0] cols(%c30) {alignment = 8 : i64} : !quad, memref<64x30xf32>
    gpu.return
  }

  // Rows of an odd number of 16-bit elements, and columns whose number is not
  // known: one by one.
  // CHECK-LABEL: gpu.func @single
  gpu.func @single(%m: memref<64x31xbf16>, %o: memref<64x31xbf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    // CHECK-COUNT-8: llvm.inline_asm {{.*}} "mov.b16 $0, 0;\0A@$2 ld.global.b16 $0, [$1 +
    // CHECK-COUNT-4: llvm.inline_asm {{.*}} "mov.b32 $0, {$1, $2};"
    // CHECK-COUNT-8: llvm.inline_asm {{.*}} "mov.b16 $0, 0;\0A@$2 ld.global.b16
    %h = flash_tile.fetch %m[%c0, %c0] cols(%n) {alignment = 2 : i64} : memref<64x31xbf16> -> !half
    // CHECK-COUNT-16: llvm.store %{{.*}} : bf16, !llvm.ptr<1>
    flash_tile.store %h, %o[%c0, %c0] cols(%n) {alignment = 2 : i64} : !half, memref<64x31xbf16>
    gpu.return
  }
}
