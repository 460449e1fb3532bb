// RUN: flash-opt %s --flash-gpu-lowering-pipeline=target=sm_80 -o %t.80.mlir
// RUN: flash-translate %t.80.mlir --flash-to-ptx --flash-target=sm_80 -o %t.80.ptx
// RUN: %ptxas -v -arch=sm_80 %t.80.ptx -o %t.80.cubin 2>&1 | FileCheck %s
// RUN: FileCheck %s --check-prefix=PTX < %t.80.ptx

// A matrix product by hand in tiles, C = A B^T, for any member of the sm_80 family:
// 128 x 128 of C a block, 64 columns of A and B a step, three stages.

// CHECK: Compiling entry function 'gemm'
// CHECK-NOT: warning
// CHECK: 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
// CHECK-NOT: warning
// CHECK: Used {{[0-9]+}} registers

// Four steps of 16, for each 16 blocks of 8 columns.
// PTX: .reqntid 256
// PTX-COUNT-64: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// PTX-NOT: mma.sync

!tile = !flash_tile.shared<128x64xf16>
!ring = !flash_tile.ring<3, 128x64xf16, cp_async>
!acc = !flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>
!acc16 = !flash_tile.fragment<128x128xf16, #flash_tile.acc<8>>
!m = memref<?x?xf16, strided<[?, 1]>>

gpu.module @kernels {
  gpu.func @gemm(%a: !m, %b: !m, %c: !m) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.shared_bytes = 98304 : i64} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %zero = arith.constant 0.0 : f32
    %x = gpu.block_id x
    %y = gpu.block_id y
    %i = arith.muli %y, %c128 : index
    %j = arith.muli %x, %c128 : index
    %m = memref.dim %a, %c0 : !m
    %n = memref.dim %b, %c0 : !m
    %k = memref.dim %a, %c1 : !m
    %rows = arith.subi %m, %i : index
    %cols = arith.subi %n, %j : index
    %ra = flash_tile.ring {shared_offset = 0 : i64} : !ring
    %rb = flash_tile.ring {shared_offset = 49152 : i64} : !ring
    %more1 = arith.cmpi slt, %c64, %k : index
    %left1 = arith.subi %k, %c64 : index
    flash_tile.put %ra[%c0], %a[%i, %c0] rows(%rows) cols(%k) {alignment = 16 : i64} : !ring, !m
    flash_tile.put %rb[%c0], %b[%j, %c0] rows(%cols) cols(%k) {alignment = 16 : i64} : !ring, !m
    flash_tile.put %ra[%c1], %a[%i, %c64] rows(%rows) cols(%left1) if(%more1) {alignment = 16 : i64} : !ring, !m
    flash_tile.put %rb[%c1], %b[%j, %c64] rows(%cols) cols(%left1) if(%more1) {alignment = 16 : i64} : !ring, !m
    %init = flash_tile.splat %zero : !acc
    %r:2 = scf.for %k0 = %c0 to %k step %c64 iter_args(%acc = %init, %it = %c0) -> (!acc, index) {
      %ahead = arith.addi %k0, %c128 : index
      %itn = arith.addi %it, %c2 : index
      %next = arith.addi %it, %c1 : index
      %more = arith.cmpi slt, %ahead, %k : index
      %left = arith.subi %k, %ahead : index
      %ta = flash_tile.get %ra[%it] in_flight 2 : !ring
      %tb = flash_tile.get %rb[%it] in_flight 2 : !ring
      flash_tile.put %ra[%itn], %a[%i, %ahead] rows(%rows) cols(%left) if(%more) {alignment = 16 : i64} : !ring, !m
      flash_tile.put %rb[%itn], %b[%j, %ahead] rows(%cols) cols(%left) if(%more) {alignment = 16 : i64} : !ring, !m
      %sum = flash_tile.mma #flash_tile.mma_sync %ta, %tb acc(%acc) transpose_b : !tile, !tile -> !acc
      scf.yield %sum, %next : !acc, index
    }
    %out = flash_tile.convert %r#0 : !acc -> !acc16
    flash_tile.store %out, %c[%i, %j] rows(%rows) cols(%cols) {alignment = 4 : i64} : !acc16, !m
    gpu.return
  }
}
