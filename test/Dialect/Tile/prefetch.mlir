// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-prefetch{stages=2})))' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-prefetch{stages=1})))' | FileCheck %s --check-prefix=ONE

// With one stage there is nothing to do.
// ONE-NOT: flash_tile.ring

!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!lhs = !flash_tile.fragment<64x32xf16, #flash_tile.lhs<4>>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel
  // CHECK-SAME: %[[KEY:[a-z0-9_]+]]: memref<?x64xf16>, %[[VALUE:[a-z0-9_]+]]: memref<?x64xf16>, %{{.*}}: memref<?x64xf32>, %[[N:[a-z0-9_]+]]: index
  gpu.func @kernel(%key: memref<?x64xf16>, %value: memref<?x64xf16>, %out: memref<?x64xf32>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %c32 = arith.constant 32 : index
    %zero = arith.constant 0.0 : f32
    // CHECK-DAG: %[[RQ:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<1, 64x64xf16, cp_async>
    // CHECK-DAG: %[[RK:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 32x64xf16, cp_async>
    // CHECK-DAG: %[[RV:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 32x64xf16, cp_async>
    // CHECK: flash_tile.put %[[RQ]]
    %q = flash_tile.load %key[%c0, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<64x64xf16>
    %o0 = flash_tile.splat %zero : !acc
    // The first iteration's copies, if there is one.
    // CHECK: %[[ANY:[a-z0-9_]+]] = arith.cmpi slt, %{{.*}}, %[[N]]
    // CHECK: flash_tile.put %{{.*}}[%{{.*}}], %[[KEY]][%{{.*}}] rows(%{{.*}}) if(%[[ANY]])
    // CHECK: flash_tile.put %{{.*}}[%{{.*}}], %[[VALUE]][%{{.*}}] rows(%{{.*}}) if(%[[ANY]])
    // CHECK: %[[Q:[a-z0-9_]+]] = flash_tile.get %[[RQ]][%{{.*}}] in_flight 2
    // CHECK: scf.for %[[J:[a-z0-9_]+]] = %{{.*}} to %[[N]] step %{{.*}} iter_args(%{{.*}} = %{{.*}}, %[[I:[a-z0-9_]+]] = %{{.*}})
    %o = scf.for %j = %c0 to %n step %c32 iter_args(%acc = %o0) -> (!acc) {
      %left = arith.subi %n, %j : index
      %rows = arith.minsi %left, %c32 : index
      %k = flash_tile.load %key[%j, %c0] rows(%rows) {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<32x64xf16>
      %v = flash_tile.load %value[%j, %c0] rows(%rows) {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<32x64xf16>
      // CHECK: %[[K:[a-z0-9_]+]] = flash_tile.get %{{.*}}[%[[I]]] in_flight 1
      // CHECK: %[[NEXT:[a-z0-9_]+]] = arith.addi %[[J]]
      // CHECK: %[[MORE:[a-z0-9_]+]] = arith.cmpi slt, %[[NEXT]], %[[N]]
      // CHECK: flash_tile.put %{{.*}}[%{{.*}}], %[[KEY]][%[[NEXT]], %{{.*}}] rows(%{{.*}}) if(%[[MORE]])
      // CHECK: flash_tile.mma #flash_tile.mma_sync %[[Q]], %[[K]] transpose_b
      %s = flash_tile.mma #flash_tile.mma_sync %q, %k transpose_b
          : !flash_tile.shared<64x64xf16>, !flash_tile.shared<32x64xf16> -> !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>
      %p = flash_tile.convert %s : !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>> -> !lhs
      // The values are awaited where they are used.
      // CHECK: %[[V:[a-z0-9_]+]] = flash_tile.get %{{.*}}[%[[I]]] in_flight 1
      // CHECK: flash_tile.put %{{.*}}[%{{.*}}], %[[VALUE]]
      // CHECK: flash_tile.mma #flash_tile.mma_sync %{{.*}}, %[[V]] acc
      %o1 = flash_tile.mma #flash_tile.mma_sync %p, %v acc(%acc) : !lhs, !flash_tile.shared<32x64xf16> -> !acc
      // CHECK: arith.addi %[[I]]
      // CHECK: scf.yield
      scf.yield %o1 : !acc
    }
    flash_tile.store %o, %out[%c0, %c0] : !acc, memref<?x64xf32>
    gpu.return
  }
}
