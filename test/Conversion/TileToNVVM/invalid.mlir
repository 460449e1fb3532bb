// RUN: flash-opt %s --split-input-file --verify-diagnostics --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm))"

gpu.module @kernels {
  gpu.func @no_place(%m: memref<?x64xbf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    // expected-error @below {{has no shared_offset; run flash-tile-allocate-shared}}
    // expected-error @below {{failed to legalize operation 'flash_tile.load'}}
    %t = flash_tile.load %m[%i, %i] : memref<?x64xbf16> -> !flash_tile.shared<16x64xbf16>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_warps(%m: memref<?x64xbf16>, %i: index) kernel {
    // expected-error @below {{failed to legalize operation 'flash_tile.load'}}
    %t = flash_tile.load %m[%i, %i] {shared_offset = 0 : i64} : memref<?x64xbf16> -> !flash_tile.shared<16x64xbf16>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @no_cluster(%i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    // expected-error @below {{is shared by 2 blocks in a kernel whose clusters have 1}}
    // expected-error @below {{failed to legalize operation 'flash_tile.ring'}}
    %ring = flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<2, 128x64xbf16, mbarrier, cluster 2>
    gpu.return
  }
}
