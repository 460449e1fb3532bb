// RUN: flash-opt %s --flash-tile-separate-kernels --split-input-file | FileCheck %s
// A second run finds nothing to do.
// RUN: flash-opt %s --flash-tile-separate-kernels --flash-tile-separate-kernels --split-input-file | FileCheck %s

// A kernel takes along what it names, and what that names; what is left without a user goes.
// CHECK-LABEL: gpu.module @kernels attributes {one = 1 : i64}
// CHECK-NEXT: memref.global "private" constant @both
// CHECK-NOT: @of_second
// CHECK: gpu.func @first
// CHECK-NOT: gpu.func
// The name is not one that the module has.
// CHECK: gpu.module @kernels_1 attributes {one = 1 : i64}
// CHECK-DAG: memref.global "private" constant @both
// CHECK-DAG: memref.global "private" constant @of_second
// CHECK: gpu.func @second
// CHECK-NOT: gpu.func
// CHECK: gpu.module @kernels_2
// CHECK-NEXT: gpu.func @third
// CHECK: func.func @kernels_0
// CHECK: flash_tile.launch @kernels::@first
// CHECK: flash_tile.launch @kernels_2::@third
// CHECK: flash_tile.launch @kernels_1::@second
gpu.module @kernels attributes {one = 1 : i64} {
  memref.global "private" constant @both : memref<2xf32> = dense<1.0>
  memref.global "private" constant @of_second : memref<2xf32> = dense<2.0>
  gpu.func @first() kernel {
    %0 = memref.get_global @both : memref<2xf32>
    gpu.return
  }
  gpu.func @second() kernel {
    %0 = memref.get_global @both : memref<2xf32>
    %1 = memref.get_global @of_second : memref<2xf32>
    gpu.return
  }
  gpu.func @third() kernel {
    gpu.return
  }
}
func.func @kernels_0(%n: index) {
  flash_tile.launch @kernels::@first grid(%n)
  flash_tile.launch @kernels::@third grid(%n)
  flash_tile.launch @kernels::@second grid(%n)
  return
}

// -----

// One kernel, and a module of the user's own: as they are.
// CHECK-LABEL: gpu.module @alone
// CHECK-NEXT: gpu.func @kernel
// CHECK-NEXT: gpu.return
// CHECK-NEXT: }
// CHECK-NEXT: gpu.func @helper
// CHECK: gpu.module @empty
gpu.module @alone {
  gpu.func @kernel() kernel {
    gpu.return
  }
  gpu.func @helper() {
    gpu.return
  }
}
gpu.module @empty {
}
