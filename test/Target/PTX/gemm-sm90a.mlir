// RUN: flash-opt %s --flash-gpu-lowering-pipeline=target=sm_90a -o %t.mlir
// RUN: flash-translate %t.mlir --flash-to-ptx --flash-target=sm_90a -o %t.ptx
// RUN: %ptxas -v -arch=sm_90a %t.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: FileCheck %s --check-prefix=PTX < %t.ptx

// A matrix product by hand in tiles, C = A B, for Hopper: TMA, four stages, wgmma
// with both operands in shared memory. B is K x N: not K-major.

// CHECK: Compiling entry function 'gemm'
// CHECK-NOT: {{warning|C75}}
// CHECK: 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
// CHECK-NOT: {{warning|C75}}
// CHECK: Used 168 registers

// PTX: .param .align 64 .b8 gemm_param_0[128]
// PTX: .reqntid 384
// PTX-COUNT-4: wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16

!a = !flash_tile.shared<128x64xbf16>
!b = !flash_tile.shared<64x128xbf16>
!ra = !flash_tile.ring<4, 128x64xbf16, mbarrier>
!rb = !flash_tile.ring<4, 64x128xbf16, mbarrier>
!acc = !flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>
!acc16 = !flash_tile.fragment<128x128xbf16, #flash_tile.acc<8>>
!m = memref<?x?xbf16, strided<[?, 1]>>
!ma = !flash_tile.tensor_map<128x64xbf16>
!mb = !flash_tile.tensor_map<64x64xbf16>

gpu.module @kernels {
  gpu.func @gemm(%a: !ma, %b: !mb, %c: !m, %steps: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.shared_bytes = 132224 : i64} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %zero = arith.constant 0.0 : f32
    %x = gpu.block_id x
    %y = gpu.block_id y
    %i = arith.muli %y, %c128 : index
    %j = arith.muli %x, %c128 : index
    %m = memref.dim %c, %c0 : !m
    %n = memref.dim %c, %c1 : !m
    %rows = arith.subi %m, %i : index
    %cols = arith.subi %n, %j : index
    %ra = flash_tile.ring {shared_offset = 0 : i64} : !ra
    %rb = flash_tile.ring {shared_offset = 66560 : i64} : !rb
    flash_tile.specialize producer(40) {
      scf.for %it = %c0 to %steps step %c1 {
        %k = arith.muli %it, %c64 : index
        flash_tile.put %ra[%it], %a[%i, %k] : !ra, !ma
        flash_tile.put %rb[%it], %b[%k, %j] : !rb, !mb
      }
    } consumers(232) {
      %init = flash_tile.splat %zero : !acc
      %r = scf.for %it = %c0 to %steps step %c1 iter_args(%acc = %init) -> (!acc) {
        %ta = flash_tile.get %ra[%it] : !ra
        %tb = flash_tile.get %rb[%it] : !rb
        %p = flash_tile.mma_start #flash_tile.wgmma %ta, %tb acc(%acc) : !a, !b -> !flash_tile.pending<!acc>
        %sum = flash_tile.mma_wait %p : !flash_tile.pending<!acc> -> !acc
        flash_tile.release %ra[%it] : !ra
        flash_tile.release %rb[%it] : !rb
        scf.yield %sum : !acc
      }
      %out = flash_tile.convert %r : !acc -> !acc16
      flash_tile.store %out, %c[%i, %j] rows(%rows) cols(%cols) {alignment = 4 : i64} : !acc16, !m
    }
    gpu.return
  }
}
