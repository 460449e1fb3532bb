// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-lazy-softmax)))' --split-input-file --verify-diagnostics | FileCheck %s

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!o = !flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<8>>
!partial = !flash_tile.fragment<128xf32, #flash_tile.row_partial<8>>
!q = !flash_tile.shared<128x64xbf16>
!k = !flash_tile.shared<64x64xbf16>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel
  gpu.func @kernel(%query: memref<?x64xbf16>, %out: memref<?x128xf32>, %rows: memref<?x128xf32>, %masked: i1, %n: index)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.lazy_softmax<early_check = true>]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %ninf = arith.constant 0xFF800000 : f32
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xbf16> -> !q
    %rk = flash_tile.ring : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    %o0 = flash_tile.splat %zero : !o
    %m0 = flash_tile.splat %ninf : !row
    %l0 = flash_tile.splat %zero : !partial
    // The first block takes its maximum as it is.
    // CHECK: flash_tile.mma #flash_tile.wgmma
    // CHECK: %{{[a-z0-9_]+}}, %[[M0:[a-z0-9_]+]], %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}} = flash_tile.online_softmax
    %k0 = flash_tile.get %rk[%c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    %s0 = flash_tile.mma #flash_tile.wgmma %q, %k0 transpose_b : !q, !k -> !s
    flash_tile.release %rk[%c0] : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    %e0, %m1, %l1, %a0 = flash_tile.online_softmax %s0, %m0, %l0 {scale = 0.125 : f32} : !s, !row, !partial
    // CHECK: scf.for {{.*}} iter_args(%[[MAX:[a-z0-9_]+]] = %[[M0]], %[[SUM:[a-z0-9_]+]] = %{{.*}}, %[[O:[a-z0-9_]+]] = %{{.*}}, %[[I:[a-z0-9_]+]] =
    %r:4 = scf.for %j = %c64 to %n step %c64 iter_args(%max = %m1, %sum = %l1, %acc = %o0, %i = %c1) -> (!row, !partial, !o, index) {
      // CHECK: %[[K:[a-z0-9_]+]] = flash_tile.get %[[RK:[a-z0-9_]+]][%[[I]]]
      %k = flash_tile.get %rk[%i] : !flash_tile.ring<2, 64x64xbf16, mbarrier>
      // CHECK: %[[WAIT:[a-z0-9_]+]] = flash_tile.mma_wait
      %pending = flash_tile.mma_start #flash_tile.wgmma %q, %k transpose_b : !q, !k -> !flash_tile.pending<!s>
      %s = flash_tile.mma_wait %pending : !flash_tile.pending<!s> -> !s
      flash_tile.release %rk[%i] : !flash_tile.ring<2, 64x64xbf16, mbarrier>
      // CHECK: %[[S:[a-z0-9_]+]] = scf.if %[[MASKED:[a-z0-9_]+]]
      %t = scf.if %masked -> (!s) {
        %hidden = flash_tile.map(%s) : (!s) -> !s {
        ^bb0(%row: index, %column: index, %x: f32):
          %less = arith.cmpi slt, %column, %n : index
          %y = arith.select %less, %x, %ninf : f32
          flash_tile.yield %y : f32
        }
        scf.yield %hidden : !s
      } else {
        scf.yield %s : !s
      }
      // CHECK: %[[SHIFT:[a-z0-9_]+]] = flash_tile.map(%[[MAX]])
      // CHECK: %[[E:[a-z0-9_]+]] = flash_tile.map(%[[S]], %[[SHIFT]])
      // CHECK: %[[T:[a-z0-9_]+]] = flash_tile.reduce add %[[E]]
      // CHECK: %[[FLAGS:[a-z0-9_]+]] = flash_tile.map(%[[T]])
      // CHECK:   %[[LARGE:[a-z0-9_]+]] = arith.constant 1.600000e+01 : f32
      // CHECK:   arith.cmpf uge, %{{.*}}, %[[LARGE]]
      // CHECK: %[[ANY:[a-z0-9_]+]] = flash_tile.any %[[FLAGS]]
      // Keys that are not read again go back at once.
      // CHECK: scf.if %[[ANY]] {
      // CHECK: } else {
      // CHECK-NEXT: flash_tile.release %[[RK]][%[[I]]]
      // CHECK: %[[P:[a-z0-9_]+]] = flash_tile.convert %[[E]]
      // CHECK: %[[R:[a-z0-9_]+]]:4 = scf.if %[[ANY]]
      // Where few probabilities may make up a row, the rounded ones are summed.
      // CHECK:   %[[TR:[a-z0-9_]+]] = flash_tile.reduce add %[[P]]
      // CHECK:   flash_tile.map(%[[TR]])
      // CHECK:     %[[LIMIT:[a-z0-9_]+]] = arith.constant 1.07374182E+9 : f32
      // CHECK:   %[[COLD:[a-z0-9_]+]] = flash_tile.any
      // CHECK:   %[[W:[a-z0-9_]+]]:4 = scf.if %[[COLD]]
      // CHECK:   %[[AGAIN:[a-z0-9_]+]] = flash_tile.mma #flash_tile.mma_sync %{{.*}}, %[[K]] transpose_b
      // CHECK:   %[[MASK:[a-z0-9_]+]] = scf.if %[[MASKED]]
      // CHECK:     flash_tile.map(%[[AGAIN]])
      // CHECK:   %[[EC:[a-z0-9_]+]], %[[MC:[a-z0-9_]+]], %[[LC:[a-z0-9_]+]], %[[ALPHA:[a-z0-9_]+]] = flash_tile.online_softmax %[[MASK]], %[[MAX]], %[[SUM]]
      // CHECK:   %[[PC:[a-z0-9_]+]] = flash_tile.convert %[[EC]]
      // CHECK:   %[[OC:[a-z0-9_]+]] = flash_tile.map(%[[ALPHA]], %[[O]])
      // CHECK:   scf.yield %[[PC]], %[[MC]], %[[LC]], %[[OC]]
      // CHECK: } else {
      // CHECK:   flash_tile.map(%[[SUM]], %[[TR]])
      // CHECK: flash_tile.release %[[RK]][%[[I]]]
      // CHECK-NEXT: scf.yield %[[W]]#0, %[[W]]#1, %[[W]]#2, %[[W]]#3
      // CHECK: } else {
      // CHECK:   %[[ADDED:[a-z0-9_]+]] = flash_tile.map(%[[SUM]], %[[T]])
      // CHECK:   scf.yield %[[P]], %[[MAX]], %[[ADDED]], %[[O]]
      // CHECK-NOT: flash_tile.release
      %e, %max1, %sum1, %alpha = flash_tile.online_softmax %t, %max, %sum {scale = 0.125 : f32} : !s, !row, !partial
      %p = flash_tile.convert %e : !s -> !p
      %scaled = flash_tile.map(%alpha, %acc) : (!row, !o) -> !o {
      ^bb0(%row: index, %column: index, %a: f32, %x: f32):
        %y = arith.mulf %x, %a : f32
        flash_tile.yield %y : f32
      }
      %v = flash_tile.load %query[%j, %c0] : memref<?x64xbf16> -> !flash_tile.shared<64x128xbf16>
      // CHECK: flash_tile.mma #flash_tile.wgmma %[[R]]#0, %{{.*}} acc(%[[R]]#3)
      %o = flash_tile.mma #flash_tile.wgmma %p, %v acc(%scaled) : !p, !flash_tile.shared<64x128xbf16> -> !o
      %next = arith.addi %i, %c1 : index
      // CHECK: scf.yield %[[R]]#1, %[[R]]#2
      scf.yield %max1, %sum1, %o, %next : !row, !partial, !o, index
    }
    flash_tile.store %r#2, %out[%c0, %c0] : !o, memref<?x128xf32>
    gpu.return
  }
}

// -----

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xf16, #flash_tile.lhs<8>>
!o = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<8>>
!q = !flash_tile.shared<128x64xf16>
!k = !flash_tile.shared<64x64xf16>
// With the sum stored, the exact exponentials are summed. f16 ends at 2^16: the
// limit is 2^12. Alpha without a product is 1 where nothing changes.

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @with_sum
  gpu.func @with_sum(%query: memref<?x64xf16>, %out: memref<?x64xf32>, %rows: memref<?x128xf32>, %max: !row, %sum: !row)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.lazy_softmax]} {
    %c0 = arith.constant 0 : index
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xf16> -> !q
    %k = flash_tile.load %query[%c0, %c0] : memref<?x64xf16> -> !k
    %s = flash_tile.mma #flash_tile.wgmma %q, %k transpose_b : !q, !k -> !s
    // CHECK: %[[E:[a-z0-9_]+]] = flash_tile.map(%{{.*}}, %{{.*}})
    // CHECK: %[[T:[a-z0-9_]+]] = flash_tile.reduce add %[[E]]
    // CHECK: %[[LIMIT:[a-z0-9_]+]] = arith.constant 4.096000e+03 : f32
    // CHECK: arith.cmpf uge, %{{.*}}, %[[LIMIT]]
    // CHECK: scf.if
    // CHECK: } else {
    // CHECK:   %[[ONE:[a-z0-9_]+]] = arith.constant 1.000000e+00
    // CHECK:   %[[KEEP:[a-z0-9_]+]] = flash_tile.splat %[[ONE]]
    // CHECK:   scf.yield %{{.*}}, %{{.*}}, %{{.*}}, %[[KEEP]]
    %e, %max1, %sum1, %alpha = flash_tile.online_softmax %s, %max, %sum {scale = 0.125 : f32} : !s, !row, !row
    %p = flash_tile.convert %e : !s -> !p
    %o = flash_tile.mma #flash_tile.wgmma %p, %k : !p, !k -> !o
    flash_tile.store %o, %out[%c0, %c0] : !o, memref<?x64xf32>
    flash_tile.store %sum1, %rows[%c0, %c0] : !row, memref<?x128xf32>
    flash_tile.store %alpha, %rows[%c0, %c0] : !row, memref<?x128xf32>
    gpu.return
  }
}

// -----

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xf16, #flash_tile.lhs<8>>
!o = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<8>>
!q = !flash_tile.shared<128x64xf16>
!k = !flash_tile.shared<64x64xf16>
// Keys from the last to the first: in the first loop, over blocks that masks cut, rows see their first keys, and it keeps the
// running maximum. So does the last, over a window's far end.

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @backward
  gpu.func @backward(%query: memref<?x64xf16>, %out: memref<?x64xf32>, %m0: !row, %l0: !row, %o0: !o, %masked: i1, %n: index)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.lazy_softmax<cut_exact = true>]} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %never = arith.constant false
    %ninf = arith.constant 0xFF800000 : f32
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xf16> -> !q
    %k = flash_tile.load %query[%c0, %c0] : memref<?x64xf16> -> !k
    // CHECK: scf.for
    // CHECK-NOT: flash_tile.any
    // CHECK: flash_tile.online_softmax
    // CHECK-NOT: flash_tile.any
    // CHECK: scf.for
    // CHECK-NOT: flash_tile.online_softmax
    // CHECK: flash_tile.any
    // CHECK: flash_tile.mma #flash_tile.mma_sync
    // CHECK: scf.for
    // CHECK-NOT: flash_tile.any
    // CHECK: flash_tile.online_softmax
    // CHECK-NOT: flash_tile.any
    // CHECK: flash_tile.store
    %head:3 = scf.for %j = %c0 to %n step %c64 iter_args(%max = %m0, %sum = %l0, %acc = %o0) -> (!row, !row, !o) {
      %s = flash_tile.mma #flash_tile.wgmma %q, %k transpose_b : !q, !k -> !s
      %t = scf.if %masked -> (!s) {
        %hidden = flash_tile.map(%s) : (!s) -> !s {
        ^bb0(%row: index, %column: index, %x: f32):
          flash_tile.yield %ninf : f32
        }
        scf.yield %hidden : !s
      } else {
        scf.yield %s : !s
      }
      %e, %max1, %sum1, %alpha = flash_tile.online_softmax %t, %max, %sum {scale = 0.125 : f32} : !s, !row, !row
      %p = flash_tile.convert %e : !s -> !p
      %scaled = flash_tile.map(%alpha, %acc) : (!row, !o) -> !o {
      ^bb0(%row: index, %column: index, %a: f32, %x: f32):
        %y = arith.mulf %x, %a : f32
        flash_tile.yield %y : f32
      }
      %o = flash_tile.mma #flash_tile.wgmma %p, %k acc(%scaled) : !p, !k -> !o
      scf.yield %max1, %sum1, %o : !row, !row, !o
    } {flash_tile.masked}
    %whole:3 = scf.for %j = %c0 to %n step %c64 iter_args(%max = %head#0, %sum = %head#1, %acc = %head#2) -> (!row, !row, !o) {
      %s = flash_tile.mma #flash_tile.wgmma %q, %k transpose_b : !q, !k -> !s
      %t = scf.if %never -> (!s) {
        %hidden = flash_tile.map(%s) : (!s) -> !s {
        ^bb0(%row: index, %column: index, %x: f32):
          flash_tile.yield %ninf : f32
        }
        scf.yield %hidden : !s
      } else {
        scf.yield %s : !s
      }
      %e, %max1, %sum1, %alpha = flash_tile.online_softmax %t, %max, %sum {scale = 0.125 : f32} : !s, !row, !row
      %p = flash_tile.convert %e : !s -> !p
      %scaled = flash_tile.map(%alpha, %acc) : (!row, !o) -> !o {
      ^bb0(%row: index, %column: index, %a: f32, %x: f32):
        %y = arith.mulf %x, %a : f32
        flash_tile.yield %y : f32
      }
      %o = flash_tile.mma #flash_tile.wgmma %p, %k acc(%scaled) : !p, !k -> !o
      scf.yield %max1, %sum1, %o : !row, !row, !o
    }
    %tail:3 = scf.for %j = %c0 to %n step %c64 iter_args(%max = %whole#0, %sum = %whole#1, %acc = %whole#2) -> (!row, !row, !o) {
      %s = flash_tile.mma #flash_tile.wgmma %q, %k transpose_b : !q, !k -> !s
      %t = scf.if %masked -> (!s) {
        %hidden = flash_tile.map(%s) : (!s) -> !s {
        ^bb0(%row: index, %column: index, %x: f32):
          flash_tile.yield %ninf : f32
        }
        scf.yield %hidden : !s
      } else {
        scf.yield %s : !s
      }
      %e, %max1, %sum1, %alpha = flash_tile.online_softmax %t, %max, %sum {scale = 0.125 : f32} : !s, !row, !row
      %p = flash_tile.convert %e : !s -> !p
      %scaled = flash_tile.map(%alpha, %acc) : (!row, !o) -> !o {
      ^bb0(%row: index, %column: index, %a: f32, %x: f32):
        %y = arith.mulf %x, %a : f32
        flash_tile.yield %y : f32
      }
      %o = flash_tile.mma #flash_tile.wgmma %p, %k acc(%scaled) : !p, !k -> !o
      scf.yield %max1, %sum1, %o : !row, !row, !o
    } {flash_tile.masked}
    flash_tile.store %tail#2, %out[%c0, %c0] : !o, memref<?x64xf32>
    gpu.return
  }
}

// -----

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<8>>
// Scores that cannot be computed again keep the running maximum.

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @unknown
  // expected-remark @below {{flash-tile-lazy-softmax leaves 'unknown' as it is: its scores are not a product with element-wise functions}}
  gpu.func @unknown(%out: memref<?x64xf32>, %rows: memref<?x128xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.lazy_softmax]} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %s = flash_tile.splat %zero : !s
    %r = flash_tile.splat %zero : !row
    // CHECK: flash_tile.online_softmax
    %e, %max, %sum, %alpha = flash_tile.online_softmax %s, %r, %r {scale = 0.5 : f32} : !s, !row, !row
    flash_tile.store %e, %out[%c0, %c0] : !s, memref<?x64xf32>
    flash_tile.store %max, %rows[%c0, %c0] : !row, memref<?x128xf32>
    gpu.return
  }
}
