// RUN: flash-opt %s --flash-tile-finalize-kernels | FileCheck %s

// CHECK: llvm.func @k(%{{.*}}: i64, %{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant})
// CHECK-SAME: attributes {gpu.kernel, nvvm.kernel}
llvm.func @k(%n: i64, %m: !llvm.ptr) attributes {flash_tile.tensor_map_parameters = array<i64: 1>, gpu.kernel, nvvm.kernel} {
  llvm.return
}

// CHECK: llvm.func @other(%{{.*}}: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel}
llvm.func @other(%m: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
  llvm.return
}
