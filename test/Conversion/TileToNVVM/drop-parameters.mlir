// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(flash-tile-drop-parameters))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(flash-tile-drop-parameters,flash-tile-drop-parameters))' | FileCheck %s

gpu.module @kernels {
  // What nobody reads goes, attributes of the others stay theirs.
  // CHECK-LABEL: llvm.func @some
  // CHECK-SAME: (%[[TO:.*]]: !llvm.ptr, %[[MAP:.*]]: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant})
  // CHECK-SAME: flash_tile.parameters = array<i64: 1, 3>
  // CHECK: llvm.store %[[MAP]], %[[TO]]
  llvm.func @some(%a: !llvm.ptr, %to: !llvm.ptr, %n: i64, %map: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %m: i64)
      attributes {gpu.kernel, nvvm.kernel} {
    llvm.store %map, %to : !llvm.ptr, !llvm.ptr
    llvm.return
  }
  // CHECK-LABEL: llvm.func @all
  // CHECK-SAME: (%{{.*}}: !llvm.ptr, %{{.*}}: i64) attributes {gpu.kernel, nvvm.kernel}
  llvm.func @all(%to: !llvm.ptr, %n: i64) attributes {gpu.kernel, nvvm.kernel} {
    llvm.store %n, %to : i64, !llvm.ptr
    llvm.return
  }
  // No kernel: its callers give what it takes.
  // CHECK-LABEL: llvm.func @function
  // CHECK-SAME: (%{{.*}}: i64)
  llvm.func @function(%n: i64) {
    llvm.return
  }
}
