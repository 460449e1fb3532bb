// RUN: flash-opt %s --flash-tile-store-tma --split-input-file | FileCheck %s
// RUN: flash-opt %s --flash-tile-store-tma=cache-hints=true --split-input-file | FileCheck %s --check-prefix=HINT

!acc = !flash_tile.fragment<128x64xf16, #flash_tile.acc<8>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<8>>

module {
  // CHECK-LABEL: func.func @host
  // CHECK: %[[MAP:[a-z0-9_]+]] = flash_tile.tensor_map %{{.*}} : memref<?x?x64xf16> -> !flash_tile.tensor_map<16x1x64xf16>
  // CHECK: flash_tile.launch @kernels::@kernel {{.*}} args({{.*}}, %[[MAP]] :
  func.func @host(%o: memref<?x?x64xf16>, %l: memref<?x?xf32>, %n: index) {
    flash_tile.launch @kernels::@kernel grid(%n) args(%o, %l, %n : memref<?x?x64xf16>, memref<?x?xf32>, index)
    return
  }
  gpu.module @kernels {
    // CHECK: gpu.func @kernel(
    // CHECK-SAME: %[[MAPO:[a-z0-9_]+]]: !flash_tile.tensor_map<16x1x64xf16>)
    gpu.func @kernel(%out: memref<?x?x64xf16>, %stat: memref<?x?xf32>, %n: index) kernel
        attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.store_tma]} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c128 = arith.constant 128 : index
      %zero = arith.constant 0.0 : f16
      %wide = arith.constant 0.0 : f32
      %size = memref.dim %out, %c0 : memref<?x?x64xf16>
      flash_tile.specialize producer(40) {
      } consumers(232) {
        scf.for %i = %c0 to %n step %c128 {
          %o = flash_tile.splat %zero : !acc
          %l = flash_tile.splat %wide : !row
          %left = arith.subi %size, %i : index
          // The rows are the first dimension; the accelerator cuts them off.
          // HINT: flash_tile.store_async {{.*}} {hint = 0 : i32}
          // CHECK: flash_tile.store_async %{{.*}}, %[[MAPO]][%{{.*}}, %{{.*}}, %{{.*}}]
          flash_tile.store %o, %out[%i, %c1, %c0] rows(%left) to_end {row_dim = 0 : i64, alignment = 16 : i64} : !acc, memref<?x?x64xf16>
          // Cut off elsewhere, where the rows of others follow: whole tiles only.
          // CHECK: %[[WHOLE:[a-z0-9_]+]] = arith.cmpi sle, %{{.*}}, %[[N:[a-z0-9_]+]]
          // CHECK: scf.if %[[WHOLE]] {
          // CHECK:   flash_tile.store_async %{{.*}}, %[[MAPO]]
          // CHECK: } else {
          // CHECK:   flash_tile.store %{{.*}} rows(%[[N]])
          // CHECK: }
          flash_tile.store %o, %out[%i, %c1, %c0] rows(%n) {row_dim = 0 : i64, alignment = 16 : i64} : !acc, memref<?x?x64xf16>
          // Not aligned, or a row vector: as they are.
          // CHECK: flash_tile.store %{{.*}}
          flash_tile.store %o, %out[%i, %c1, %c0] {row_dim = 0 : i64, alignment = 8 : i64} : !acc, memref<?x?x64xf16>
          // CHECK: flash_tile.store %{{.*}}
          flash_tile.store %l, %stat[%c0, %i] : !row, memref<?x?xf32>
        }
        // CHECK: flash_tile.store_wait
      }
      gpu.return
    }
  }
}

// -----

// A part of the columns at a time; results that have no more go through as they are.

!acc = !flash_tile.fragment<128x256xf16, #flash_tile.acc<8>>
!narrow = !flash_tile.fragment<128x128xf16, #flash_tile.acc<8>>

module {
  func.func @host(%o: memref<?x256xf16>, %p: memref<?x128xf16>, %n: index) {
    flash_tile.launch @kernels::@parts grid(%n) args(%o, %p, %n : memref<?x256xf16>, memref<?x128xf16>, index)
    return
  }
  gpu.module @kernels {
    // CHECK-LABEL: gpu.func @parts(
    gpu.func @parts(%out: memref<?x256xf16>, %other: memref<?x128xf16>, %i: index) kernel
        attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.store_tma<columns = 128>]} {
      %c0 = arith.constant 0 : index
      %zero = arith.constant 0.0 : f16
      flash_tile.specialize producer(40) {
      } consumers(232) {
        %o = flash_tile.splat %zero : !acc
        %p = flash_tile.splat %zero : !narrow
        // CHECK: flash_tile.store_async %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}] columns 128 :
        flash_tile.store %o, %out[%i, %c0] {alignment = 16 : i64} : !acc, memref<?x256xf16>
        // CHECK: flash_tile.store_async %{{.*}}, %{{.*}}[%{{.*}}, %{{.*}}] :
        flash_tile.store %p, %other[%i, %c0] {alignment = 16 : i64} : !narrow, memref<?x128xf16>
      }
      gpu.return
    }
  }
}

// -----

// Where a helper has sums stored, results at the end of a tile go from registers: behind the sums they would have to wait.
!acc = !flash_tile.fragment<128x64xf16, #flash_tile.acc<8>>
module {
  func.func @host(%o: memref<?x64xf16>, %n: index) {
    flash_tile.launch @kernels::@helped grid(%n) args(%o, %n : memref<?x64xf16>, index)
    return
  }
  gpu.module @kernels {
    // CHECK-LABEL: gpu.func @helped
    // CHECK-NOT: flash_tile.store_async
    // CHECK: flash_tile.store
    gpu.func @helped(%out: memref<?x64xf16>, %n: index) kernel
        attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.store_tma]} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %zero = arith.constant 0.0 : f16
      flash_tile.specialize producer(40) {
      } consumers(232) {
        scf.for %t = %c0 to %n step %c1 {
          %o = flash_tile.splat %zero : !acc
          flash_tile.store %o, %out[%t, %c0] {alignment = 16 : i64} : !acc, memref<?x64xf16>
        } {flash_tile.tiles}
      } helper "writer" {
      }
      gpu.return
    }
  }
}
