// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-peel-masks)))' | FileCheck %s

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!q = !flash_tile.shared<128x64xf16>
!k = !flash_tile.shared<64x64xf16>
!ring = !flash_tile.ring<2, 64x64xf16, mbarrier>
gpu.module @kernels {
  // Keys from %n - 63 on are cut by their end, keys behind %row - 63 by the
  // diagonal: the first block that needs the mask begins at the lesser of
  // %n - 64 + 1 and %row - 63 + 1, rounded up to a block.
  // CHECK-LABEL: gpu.func @causal
  // CHECK-SAME: %[[LO:[a-z0-9_]+]]: index, %[[HI:[a-z0-9_]+]]: index, %[[N:[a-z0-9_]+]]: index, %[[ROW:[a-z0-9_]+]]: index
  gpu.func @causal(%query: memref<?x64xf16>, %out: memref<?x64xf32>, %lo: index, %hi: index, %n: index, %row: index)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.peel_masks]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c63 = arith.constant 63 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xf16> -> !q
    %rk = flash_tile.ring : !ring
    %s0 = flash_tile.splat %zero : !s
    // CHECK-DAG: arith.addi %{{.*}}, %[[N]]
    // CHECK-DAG: arith.addi %{{.*}}, %[[ROW]]
    // CHECK: %[[FROM:[a-z0-9_]+]] = arith.minsi
    // CHECK: %[[LEAST:[a-z0-9_]+]] = arith.minsi %[[FROM]], %[[HI]]
    // CHECK: arith.maxsi %[[LO]], %[[LEAST]]
    // CHECK: %[[MID:[a-z0-9_]+]] = arith.addi %[[LO]], %{{.*}}
    // CHECK: %[[NEVER:[a-z0-9_]+]] = arith.constant false
    // CHECK: %[[FIRST:[a-z0-9_]+]]:2 = scf.for %{{.*}} = %[[LO]] to %[[MID]]
    // CHECK:   scf.if %[[NEVER]]
    // CHECK: scf.for %{{.*}} = %[[MID]] to %[[HI]] step %{{.*}} iter_args(%{{.*}} = %[[FIRST]]#0, %{{.*}} = %[[FIRST]]#1)
    // CHECK:   %[[CUT:[a-z0-9_]+]] = arith.ori
    // CHECK:   scf.if %[[CUT]]
    // CHECK: } {flash_tile.masked}
    %r:2 = scf.for %j = %lo to %hi step %c64 iter_args(%acc = %s0, %i = %c0) -> (!s, index) {
      %left = arith.subi %n, %j : index
      %keys = arith.minsi %left, %c64 : index
      %k = flash_tile.get %rk[%i] : !ring
      %pending = flash_tile.mma_start #flash_tile.wgmma %q, %k acc(%acc) transpose_b : !q, !k -> !flash_tile.pending<!s>
      %s = flash_tile.mma_wait %pending : !flash_tile.pending<!s> -> !s
      flash_tile.release %rk[%i] : !ring
      %ragged = arith.cmpi slt, %keys, %c64 : index
      %last = arith.addi %j, %c63 : index
      %behind = arith.cmpi sgt, %last, %row : index
      %cut = arith.ori %ragged, %behind : i1
      %t = scf.if %cut -> (!s) {
        %m = flash_tile.map(%s) : (!s) -> !s {
        ^bb0(%a: index, %b: index, %x: f32):
          flash_tile.yield %zero : f32
        }
        scf.yield %m : !s
      } else {
        scf.yield %s : !s
      }
      %next = arith.addi %i, %c1 : index
      scf.yield %t, %next : !s, index
    }
    flash_tile.store %r#0, %out[%c0, %c0] : !s, memref<?x64xf32>
    gpu.return
  }

  // Blocks that a list names: where keys are whole (which is known before the loop), only the partial ones, from %full
  // on, meet the mask; else each may be cut by the end of the keys, and the first loop has no iteration.
  // CHECK-LABEL: gpu.func @lists
  // CHECK-SAME: %[[LO:[a-z0-9_]+]]: index, %[[HI:[a-z0-9_]+]]: index, %[[FULL:[a-z0-9_]+]]: index, %[[RAGGED:[a-z0-9_]+]]: i1
  gpu.func @lists(%query: memref<?x64xf16>, %numbers: memref<?xindex>, %out: memref<?x64xf32>, %lo: index, %hi: index, %full: index, %ragged: i1, %n: index, %row: index)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.peel_masks]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %true = arith.constant true
    %zero = arith.constant 0.0 : f32
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xf16> -> !q
    %rk = flash_tile.ring : !ring
    %s0 = flash_tile.splat %zero : !s
    // CHECK: %[[CUT:[a-z0-9_]+]] = arith.select %[[RAGGED]], %[[LO]], %[[HI]]
    // CHECK: %[[LISTED:[a-z0-9_]+]] = arith.addi %{{.*}}, %[[FULL]]
    // CHECK: %[[FROM:[a-z0-9_]+]] = arith.minsi %[[CUT]], %[[LISTED]]
    // CHECK: arith.minsi %[[FROM]], %[[HI]]
    // CHECK: %[[MID:[a-z0-9_]+]] = arith.addi %[[LO]], %{{.*}}
    // CHECK: %[[NEVER:[a-z0-9_]+]] = arith.constant false
    // CHECK: scf.for %{{.*}} = %[[LO]] to %[[MID]]
    // CHECK:   scf.if %[[NEVER]]
    // CHECK: scf.for %{{.*}} = %[[MID]] to %[[HI]]
    // CHECK:   scf.if %{{.*}} -> (!flash_tile
    %r = scf.for %j = %lo to %hi step %c1 iter_args(%acc = %s0) -> (!s) {
      %number = memref.load %numbers[%j] : memref<?xindex>
      %k0 = arith.muli %number, %c64 : index
      %left = arith.subi %n, %k0 : index
      %least = arith.minsi %left, %c64 : index
      %keys = arith.select %ragged, %least, %c64 : index
      %k = flash_tile.get %rk[%j] : !ring
      %pending = flash_tile.mma_start #flash_tile.wgmma %q, %k acc(%acc) transpose_b : !q, !k -> !flash_tile.pending<!s>
      %s = flash_tile.mma_wait %pending : !flash_tile.pending<!s> -> !s
      flash_tile.release %rk[%j] : !ring
      %short = arith.cmpi slt, %keys, %c64 : index
      %listed = arith.cmpi slt, %j, %full : index
      %seen = arith.cmpi sle, %k0, %row : index
      %whole = arith.ori %listed, %seen : i1
      %partial = arith.xori %whole, %true : i1
      %cut = arith.ori %short, %partial : i1
      %t = scf.if %cut -> (!s) {
        %m = flash_tile.map(%s) : (!s) -> !s {
        ^bb0(%a: index, %b: index, %x: f32):
          flash_tile.yield %zero : f32
        }
        scf.yield %m : !s
      } else {
        scf.yield %s : !s
      }
      scf.yield %t : !s
    }
    flash_tile.store %r, %out[%c0, %c0] : !s, memref<?x64xf32>
    gpu.return
  }

  // What is said of no iteration is asked in each: the loop stays one.
  // CHECK-LABEL: gpu.func @anywhere
  // CHECK-COUNT-1: scf.for
  // CHECK-NOT: scf.for
  gpu.func @anywhere(%query: memref<?x64xf16>, %numbers: memref<?xindex>, %out: memref<?x64xf32>, %lo: index, %hi: index, %ragged: i1, %n: index)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.peel_masks]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xf16> -> !q
    %rk = flash_tile.ring : !ring
    %s0 = flash_tile.splat %zero : !s
    %r = scf.for %j = %lo to %hi step %c1 iter_args(%acc = %s0) -> (!s) {
      %number = memref.load %numbers[%j] : memref<?xindex>
      %k = flash_tile.get %rk[%j] : !ring
      %pending = flash_tile.mma_start #flash_tile.wgmma %q, %k acc(%acc) transpose_b : !q, !k -> !flash_tile.pending<!s>
      %s = flash_tile.mma_wait %pending : !flash_tile.pending<!s> -> !s
      flash_tile.release %rk[%j] : !ring
      %listed = arith.cmpi slt, %number, %n : index
      %cut = arith.ori %ragged, %listed : i1
      %t = scf.if %cut -> (!s) {
        scf.yield %s0 : !s
      } else {
        scf.yield %s : !s
      }
      scf.yield %t : !s
    }
    flash_tile.store %r, %out[%c0, %c0] : !s, memref<?x64xf32>
    gpu.return
  }

  // A window's condition also holds before its first whole block, and ends to
  // hold: the loop stays one.
  // CHECK-LABEL: gpu.func @window
  // CHECK-COUNT-1: scf.for
  // CHECK-NOT: scf.for
  gpu.func @window(%query: memref<?x64xf16>, %out: memref<?x64xf32>, %lo: index, %hi: index, %n: index, %row: index)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.peel_masks]} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xf16> -> !q
    %rk = flash_tile.ring : !ring
    %s0 = flash_tile.splat %zero : !s
    %r = scf.for %j = %lo to %hi step %c64 iter_args(%acc = %s0) -> (!s) {
      %k = flash_tile.get %rk[%j] : !ring
      %pending = flash_tile.mma_start #flash_tile.wgmma %q, %k acc(%acc) transpose_b : !q, !k -> !flash_tile.pending<!s>
      %s = flash_tile.mma_wait %pending : !flash_tile.pending<!s> -> !s
      flash_tile.release %rk[%j] : !ring
      %before = arith.cmpi slt, %j, %row : index
      %t = scf.if %before -> (!s) {
        scf.yield %s0 : !s
      } else {
        scf.yield %s : !s
      }
      scf.yield %t : !s
    }
    flash_tile.store %r, %out[%c0, %c0] : !s, memref<?x64xf32>
    gpu.return
  }

  // Walked from the last block on, at %last: keys are cut where %last - %j is
  // above %n - 64 or %row - 63, so up to the greater of %last - (%n - 64) and
  // %last - (%row - 63).
  // CHECK-LABEL: gpu.func @backward
  // CHECK-SAME: %[[LO:[a-z0-9_]+]]: index, %[[HI:[a-z0-9_]+]]: index, %[[LAST:[a-z0-9_]+]]: index, %[[N:[a-z0-9_]+]]: index, %[[ROW:[a-z0-9_]+]]: index
  gpu.func @backward(%query: memref<?x64xf16>, %out: memref<?x64xf32>, %lo: index, %hi: index, %last: index, %n: index, %row: index)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.peel_masks<first = true>]} {
    %c0 = arith.constant 0 : index
    %c63 = arith.constant 63 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xf16> -> !q
    %rk = flash_tile.ring : !ring
    %s0 = flash_tile.splat %zero : !s
    // CHECK-DAG: arith.subi %{{.*}}, %[[N]]
    // CHECK-DAG: arith.subi %{{.*}}, %[[ROW]]
    // CHECK: %[[UNTIL:[a-z0-9_]+]] = arith.maxsi
    // CHECK-NEXT: %[[LEAST:[a-z0-9_]+]] = arith.minsi %[[UNTIL]], %[[HI]]
    // CHECK: arith.maxsi %[[LO]], %[[LEAST]]
    // CHECK: %[[MID:[a-z0-9_]+]] = arith.addi %[[LO]], %{{.*}}
    // CHECK: %[[FIRST:[a-z0-9_]+]] = scf.for %{{.*}} = %[[LO]] to %[[MID]]
    // CHECK:   %[[CUT:[a-z0-9_]+]] = arith.ori
    // CHECK:   scf.if %[[CUT]]
    // CHECK: %[[NEVER:[a-z0-9_]+]] = arith.constant false
    // CHECK: scf.for %{{.*}} = %[[MID]] to %[[HI]] step %{{.*}} iter_args(%{{.*}} = %[[FIRST]])
    // CHECK:   scf.if %[[NEVER]]
    %r = scf.for %j = %lo to %hi step %c64 iter_args(%acc = %s0) -> (!s) {
      %k0 = arith.subi %last, %j : index
      %left = arith.subi %n, %k0 : index
      %keys = arith.minsi %left, %c64 : index
      %k = flash_tile.get %rk[%j] : !ring
      %pending = flash_tile.mma_start #flash_tile.wgmma %q, %k acc(%acc) transpose_b : !q, !k -> !flash_tile.pending<!s>
      %s = flash_tile.mma_wait %pending : !flash_tile.pending<!s> -> !s
      flash_tile.release %rk[%j] : !ring
      %ragged = arith.cmpi slt, %keys, %c64 : index
      %end = arith.addi %k0, %c63 : index
      %behind = arith.cmpi sgt, %end, %row : index
      %cut = arith.ori %ragged, %behind : i1
      %t = scf.if %cut -> (!s) {
        scf.yield %s0 : !s
      } else {
        scf.yield %s : !s
      }
      scf.yield %t : !s
    }
    flash_tile.store %r, %out[%c0, %c0] : !s, memref<?x64xf32>
    gpu.return
  }

  // A window walked backward: three loops, and the one in the middle has no
  // masks. Where maxima stay, the first has a whole block more.
  // CHECK-LABEL: gpu.func @window_backward
  // CHECK-SAME: %[[LO:[a-z0-9_]+]]: index, %[[HI:[a-z0-9_]+]]: index, %[[LAST:[a-z0-9_]+]]: index
  gpu.func @window_backward(%query: memref<?x64xf16>, %out: memref<?x64xf32>, %lo: index, %hi: index, %last: index, %row: index, %far: index)
      kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.peel_masks<first = true, one_more = true>]} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %true = arith.constant true
    %zero = arith.constant 0.0 : f32
    %q = flash_tile.load %query[%c0, %c0] : memref<?x64xf16> -> !q
    %rk = flash_tile.ring : !ring
    %s0 = flash_tile.splat %zero : !s
    // CHECK: %[[MORE:[a-z0-9_]+]] = arith.addi %{{.*}}, %c64
    // CHECK-NEXT: arith.minsi %[[MORE]], %[[HI]]
    // CHECK: %[[MID:[a-z0-9_]+]] = arith.addi %[[LO]], %{{.*}}
    // CHECK: %[[FIRST:[a-z0-9_]+]] = scf.for %{{.*}} = %[[LO]] to %[[MID]]
    // CHECK:   %[[CUT:[a-z0-9_]+]] = arith.xori
    // CHECK:   scf.if %[[CUT]]
    // CHECK: %[[TAIL:[a-z0-9_]+]] = arith.addi %[[MID]], %{{.*}}
    // CHECK: %[[NEVER:[a-z0-9_]+]] = arith.constant false
    // CHECK: %[[WHOLE:[a-z0-9_]+]] = scf.for %{{.*}} = %[[MID]] to %[[TAIL]] step %{{.*}} iter_args(%{{.*}} = %[[FIRST]])
    // CHECK:   scf.if %[[NEVER]]
    // CHECK: scf.for %{{.*}} = %[[TAIL]] to %[[HI]] step %{{.*}} iter_args(%{{.*}} = %[[WHOLE]])
    // CHECK:   %[[CUT2:[a-z0-9_]+]] = arith.xori
    // CHECK:   scf.if %[[CUT2]]
    %r = scf.for %j = %lo to %hi step %c64 iter_args(%acc = %s0) -> (!s) {
      %k0 = arith.subi %last, %j : index
      %k = flash_tile.get %rk[%j] : !ring
      %pending = flash_tile.mma_start #flash_tile.wgmma %q, %k acc(%acc) transpose_b : !q, !k -> !flash_tile.pending<!s>
      %s = flash_tile.mma_wait %pending : !flash_tile.pending<!s> -> !s
      flash_tile.release %rk[%j] : !ring
      %near = arith.cmpi sge, %k0, %far : index
      %seen = arith.cmpi sle, %k0, %row : index
      %full = arith.andi %near, %seen : i1
      %cut = arith.xori %full, %true : i1
      %t = scf.if %cut -> (!s) {
        scf.yield %s0 : !s
      } else {
        scf.yield %s : !s
      }
      scf.yield %t : !s
    }
    flash_tile.store %r, %out[%c0, %c0] : !s, memref<?x64xf32>
    gpu.return
  }
}
