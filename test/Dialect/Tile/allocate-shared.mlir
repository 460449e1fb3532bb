// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-allocate-shared{limit=40000})))' --split-input-file --verify-diagnostics | FileCheck %s

gpu.module @kernels {
  // CHECK: gpu.func @kernel
  // CHECK-SAME: flash_tile.shared_bytes = 24608
  gpu.func @kernel(%key: memref<?x64xf16>) kernel attributes {flash_tile.warps = 4 : i64} {
    %c0 = arith.constant 0 : index
    // CHECK: flash_tile.load {{.*}}shared_offset = 0
    %q = flash_tile.load %key[%c0, %c0] : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
    // Two stages of 4096 bytes, and two barriers for each.
    // CHECK: flash_tile.ring {shared_offset = 16384 : i64}
    %r = flash_tile.ring : !flash_tile.ring<2, 32x64xf16, mbarrier>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @+1 {{kernel 'kernel' needs 65536 bytes of shared memory for a block, but the target has 40000: choose smaller tiles or fewer stages}}
  gpu.func @kernel(%key: memref<?x64xf16>) kernel attributes {flash_tile.warps = 4 : i64} {
    %r = flash_tile.ring : !flash_tile.ring<2, 256x64xf16, cp_async>
    gpu.return
  }
}
