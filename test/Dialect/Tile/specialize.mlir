// RUN: flash-opt %s --flash-tile-specialize --split-input-file --verify-diagnostics | FileCheck %s

!acc = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>

module {
  // CHECK-LABEL: func.func @host
  func.func @host(%q: memref<?x64xf16>, %k: memref<?x64xf16>, %o: memref<?x64xf32>, %n: index) {
    // CHECK: %[[MQ:[a-z0-9_]+]] = flash_tile.tensor_map %{{.*}} : memref<?x64xf16> -> !flash_tile.tensor_map<128x64xf16>
    // CHECK: %[[MK:[a-z0-9_]+]] = flash_tile.tensor_map %{{.*}} : memref<?x64xf16> -> !flash_tile.tensor_map<64x64xf16>
    // CHECK: flash_tile.launch @kernels::@kernel {{.*}} args({{.*}}, %[[MQ]], %[[MK]]
    flash_tile.launch @kernels::@kernel grid(%n) args(%q, %k, %o, %n : memref<?x64xf16>, memref<?x64xf16>, memref<?x64xf32>, index)
    return
  }
  gpu.module @kernels {
    // CHECK: gpu.func @kernel(
    // CHECK-SAME: %[[MAPQ:[a-z0-9_]+]]: !flash_tile.tensor_map<128x64xf16>, %[[MAPK:[a-z0-9_]+]]: !flash_tile.tensor_map<64x64xf16>)
    gpu.func @kernel(%query: memref<?x64xf16>, %key: memref<?x64xf16>, %out: memref<?x64xf32>, %n: index) kernel
        attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, roles = <producer_registers = 40, consumer_registers = 232>>} {
      // CHECK: %[[RQ:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<1, 128x64xf16, mbarrier>
      // CHECK: %[[RK:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
      // CHECK: flash_tile.specialize producer(40)
      // CHECK:   flash_tile.put %[[RQ]][%{{.*}}], %[[MAPQ]]
      // CHECK:   scf.for %[[J:[a-z0-9_]+]] = {{.*}} iter_args(%[[I:[a-z0-9_]+]] = %{{.*}}) -> (index)
      // CHECK:     flash_tile.put %[[RK]][%[[I]]], %[[MAPK]][%[[J]], %{{.*}}]
      // CHECK: consumers(232)
      // CHECK:   %[[Q:[a-z0-9_]+]] = flash_tile.get %[[RQ]]
      // CHECK:   scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[C:[a-z0-9_]+]] = %{{.*}})
      // CHECK:     %[[K:[a-z0-9_]+]] = flash_tile.get %[[RK]][%[[C]]]
      // CHECK:     flash_tile.mma #flash_tile.wgmma %[[Q]], %[[K]]
      // CHECK:     flash_tile.release %[[RK]][%[[C]]]
      // CHECK:   flash_tile.release %[[RQ]]
      // CHECK:   flash_tile.store
      %c0 = arith.constant 0 : index
    %size = memref.dim %key, %c0 : memref<?x64xf16>
      %c64 = arith.constant 64 : index
      %zero = arith.constant 0.0 : f32
      %q = flash_tile.load %query[%c0, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
      %o0 = flash_tile.splat %zero : !acc
      %o = scf.for %j = %c0 to %n step %c64 iter_args(%acc = %o0) -> (!acc) {
        %left = arith.subi %size, %j : index
        %rows = arith.minsi %left, %c64 : index
        %k = flash_tile.load %key[%j, %c0] rows(%rows) to_end {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<64x64xf16>
        %s = flash_tile.mma #flash_tile.wgmma %q, %k acc(%acc) transpose_b
            : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !acc
        scf.yield %s : !acc
      }
      flash_tile.store %o, %out[%c0, %c0] : !acc, memref<?x64xf32>
      gpu.return
    }
  }
}

// -----

// A persistent kernel: both roles go through the tiles, the stages are counted
// on from one to the next.

!acc = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @persistent
  gpu.func @persistent(%query: memref<?x64xf16>, %key: memref<?x64xf16>, %out: memref<?x64xf32>, %tiles: index, %n: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, outer_stages = 2, roles = <producer_registers = 40, consumer_registers = 232>>, flash_tile.passes = [#flash_tile.persistent]} {
    // CHECK: %[[RQ:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 128x64xf16, mbarrier>
    // CHECK: %[[RK:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
    // CHECK: flash_tile.specialize producer(40)
    // CHECK:   scf.for %[[T:[a-z0-9_]+]] = {{.*}} iter_args(%[[C:[a-z0-9_]+]] = %{{.*}}) -> (index)
    // CHECK:     %[[FIRST:[a-z0-9_]+]] = arith.muli %[[T]]
    // CHECK:     flash_tile.put %[[RQ]][%[[T]]], %{{.*}}[%[[FIRST]],
    // CHECK:     %[[END:[a-z0-9_]+]] = scf.for {{.*}} iter_args(%[[I:[a-z0-9_]+]] = %[[C]])
    // CHECK:       flash_tile.put %[[RK]][%[[I]]]
    // CHECK:     scf.yield %[[END]]
    // CHECK: consumers(232)
    // CHECK:   scf.for %[[T:[a-z0-9_]+]] = {{.*}} iter_args(%[[C:[a-z0-9_]+]] = %{{.*}}) -> (index)
    // CHECK:     flash_tile.get %[[RQ]][%[[T]]]
    // CHECK:     %[[LOOP:[a-z0-9_]+]]:2 = scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %[[I:[a-z0-9_]+]] = %[[C]])
    // CHECK:       flash_tile.get %[[RK]][%[[I]]]
    // CHECK:       flash_tile.release %[[RK]][%[[I]]]
    // CHECK:     flash_tile.release %[[RQ]][%[[T]]]
    // CHECK:     flash_tile.store
    // CHECK:     scf.yield %[[LOOP]]#1
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %zero = arith.constant 0.0 : f32
    scf.for %t = %c0 to %tiles step %c1 {
      %first = arith.muli %t, %c128 : index
      %q = flash_tile.load %query[%first, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
      %o0 = flash_tile.splat %zero : !acc
      %o = scf.for %j = %c0 to %n step %c64 iter_args(%acc = %o0) -> (!acc) {
        %k = flash_tile.load %key[%j, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<64x64xf16>
        %s = flash_tile.mma #flash_tile.wgmma %q, %k acc(%acc) transpose_b
            : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !acc
        scf.yield %s : !acc
      }
      flash_tile.store %o, %out[%first, %c0] : !acc, memref<?x64xf32>
    } {flash_tile.tiles}
    gpu.return
  }
}

// -----

// Rows that are not aligned cannot be copied by the accelerator.

!acc = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>

gpu.module @kernels {
  // expected-remark @+1 {{flash-tile-specialize leaves 'kernel' as it is: rows are not known to be aligned to 16 bytes}}
  gpu.func @kernel(%key: memref<?x59xf16>, %out: memref<?x64xf32>, %n: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, roles = <producer_registers = 40, consumer_registers = 232>>} {
    %c0 = arith.constant 0 : index
    %c59 = arith.constant 59 : index
    %c128 = arith.constant 128 : index
    %zero = arith.constant 0.0 : f32
    %o0 = flash_tile.splat %zero : !acc
    %o = scf.for %j = %c0 to %n step %c128 iter_args(%acc = %o0) -> (!acc) {
      %k = flash_tile.load %key[%j, %c0] cols(%c59) {alignment = 2 : i64} : memref<?x59xf16> -> !flash_tile.shared<128x64xf16>
      %k2 = flash_tile.load %key[%j, %c0] cols(%c59) {alignment = 2 : i64} : memref<?x59xf16> -> !flash_tile.shared<64x64xf16>
      %s = flash_tile.mma #flash_tile.wgmma %k, %k2 acc(%acc) transpose_b
          : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !acc
      scf.yield %s : !acc
    }
    flash_tile.store %o, %out[%c0, %c0] : !acc, memref<?x64xf32>
    gpu.return
  }
}

// -----

// Keys lie where a list says. The producer reads the next number before it waits for a stage, that of the first
// iteration where there is one.

!acc = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @listed
  // CHECK-SAME: %[[FIRST:[a-z0-9_]+]]: memref<?xi32>, %[[SECOND:[a-z0-9_]+]]: memref<?xi32>, %[[SPLIT:[a-z0-9_]+]]: index, %[[N:[a-z0-9_]+]]: index
  gpu.func @listed(%query: memref<?x64xf16>, %key: memref<?x64xf16>, %out: memref<?x64xf32>, %first: memref<?xi32>, %second: memref<?xi32>, %split: index, %n: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, roles = <producer_registers = 40, consumer_registers = 232>>} {
    // CHECK: flash_tile.specialize producer(40)
    // CHECK:   %[[SOME:[a-z0-9_]+]] = arith.cmpi slt, %c0{{.*}}, %[[N]]
    // CHECK:   %[[START:[a-z0-9_]+]] = scf.if %[[SOME]] -> (i32)
    // CHECK:     scf.if
    // CHECK:   scf.for %[[J:[a-z0-9_]+]] = {{.*}} iter_args(%[[I:[a-z0-9_]+]] = %{{.*}}, %[[NUMBER:[a-z0-9_]+]] = %[[START]]) -> (index, i32)
    // CHECK:     %[[BEHIND:[a-z0-9_]+]] = arith.addi %[[J]], %c1
    // CHECK:     %[[INSIDE:[a-z0-9_]+]] = arith.cmpi slt, %[[BEHIND]], %[[N]]
    // CHECK:     %[[AT:[a-z0-9_]+]] = arith.select %[[INSIDE]], %[[BEHIND]], %[[J]]
    // CHECK:     %[[OF:[a-z0-9_]+]] = arith.cmpi slt, %[[AT]], %[[SPLIT]]
    // CHECK:     %[[NEXT:[a-z0-9_]+]] = scf.if %[[OF]] -> (i32)
    // CHECK:       memref.load %[[FIRST]][%[[AT]]]
    // CHECK:       memref.load %[[SECOND]]
    // CHECK:     arith.index_cast %[[NUMBER]] : i32 to index
    // CHECK-NOT: memref.load
    // CHECK:     flash_tile.put
    // CHECK:     scf.yield %{{.*}}, %[[NEXT]]
    // CHECK: consumers(232)
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %size = memref.dim %key, %c0 : memref<?x64xf16>
    %ragged = arith.cmpi slt, %c64, %size : index
    %zero = arith.constant 0.0 : f32
    %q = flash_tile.load %query[%c0, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
    %o0 = flash_tile.splat %zero : !acc
    %o = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %o0) -> (!acc) {
      %isfirst = arith.cmpi slt, %j, %split : index
      %number = scf.if %isfirst -> (i32) {
        %a = memref.load %first[%j] : memref<?xi32>
        scf.yield %a : i32
      } else {
        %at = arith.subi %j, %split : index
        %b = memref.load %second[%at] : memref<?xi32>
        scf.yield %b : i32
      }
      %block = arith.index_cast %number : i32 to index
      %row = arith.muli %block, %c64 : index
      %left = arith.subi %size, %row : index
      %least = arith.minsi %left, %c64 : index
      %rows = arith.select %ragged, %least, %c64 : index
      %k = flash_tile.load %key[%row, %c0] rows(%rows) to_end {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<64x64xf16>
      %s = flash_tile.mma #flash_tile.wgmma %q, %k acc(%acc) transpose_b
          : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !acc
      scf.yield %s : !acc
    }
    flash_tile.store %o, %out[%c0, %c0] : !acc, memref<?x64xf32>
    gpu.return
  }
}

// -----

// A length that is data: the accelerator brings what lies behind it, too. Of V those rows are cleared, of K nobody sees
// them: they lead to scores that are replaced.

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xf16, #flash_tile.lhs<8>>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @length
  gpu.func @length(%query: memref<?x64xf16>, %key: memref<?x64xf16>, %value: memref<?x64xf16>, %out: memref<?x64xf32>,
                   %lengths: memref<?xi32>, %b: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, roles = <producer_registers = 40, consumer_registers = 232>>} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    %none = arith.constant 0xFF800000 : f32
    // CHECK: %[[RK:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
    // CHECK: %[[RV:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
    %n32 = memref.load %lengths[%b] : memref<?xi32>
    %n = arith.index_cast %n32 : i32 to index
    %q = flash_tile.load %query[%c0, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
    %o0 = flash_tile.splat %zero : !s
    // CHECK: consumers(232)
    // CHECK:   %[[LEFT:[a-z0-9_]+]] = arith.subi
    // CHECK:   %[[ROWS:[a-z0-9_]+]] = arith.minsi %[[LEFT]]
    // CHECK:   flash_tile.get %[[RK]][%{{.*}}] : !
    // CHECK:   flash_tile.get %[[RV]][%{{.*}}] rows(%[[ROWS]]) : !
    %o = scf.for %j = %c0 to %n step %c64 iter_args(%acc = %o0) -> (!s) {
      %left = arith.subi %n, %j : index
      %rows = arith.minsi %left, %c64 : index
      %k = flash_tile.load %key[%j, %c0] rows(%rows) {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<64x64xf16>
      %v = flash_tile.load %value[%j, %c0] rows(%rows) {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<64x64xf16>
      %s = flash_tile.mma #flash_tile.wgmma %q, %k transpose_b : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !s
      %twice = flash_tile.map(%s) : (!s) -> !s {
      ^bb0(%row: index, %column: index, %x: f32):
        %y = arith.addf %x, %x : f32
        flash_tile.yield %y : f32
      }
      %cut = arith.cmpi slt, %rows, %c64 : index
      %m = scf.if %cut -> (!s) {
        %masked = flash_tile.map(%twice) : (!s) -> !s {
        ^bb0(%row: index, %column: index, %x: f32):
          %exists = arith.cmpi slt, %column, %rows : index
          %y = arith.select %exists, %x, %none : f32
          flash_tile.yield %y : f32
        }
        scf.yield %masked : !s
      } else {
        scf.yield %twice : !s
      }
      %p = flash_tile.convert %m : !s -> !p
      %next = flash_tile.mma #flash_tile.wgmma %p, %v acc(%acc) : !p, !flash_tile.shared<64x64xf16> -> !s
      scf.yield %next : !s
    }
    flash_tile.store %o, %out[%c0, %c0] : !s, memref<?x64xf32>
    gpu.return
  }
}

// -----

// Scores that are looked at before they are replaced: K is cleared, too. A search that reads where sequences begin is done by
// both roles.

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @search
  gpu.func @search(%query: memref<?x64xf16>, %key: memref<?x64xf16>, %out: memref<?x64xf32>, %starts: memref<?xi32>, %tiles: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, roles = <producer_registers = 40, consumer_registers = 232>>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %c64 = arith.constant 64 : index
    %zero = arith.constant 0.0 : f32
    // CHECK: flash_tile.specialize producer(40)
    // CHECK:   scf.for
    // CHECK:     %[[FOUND:[a-z0-9_]+]] = scf.for
    // CHECK:       memref.load
    // CHECK:     scf.for
    // CHECK:       arith.addi %[[FOUND]]
    // CHECK:       flash_tile.put
    // CHECK: consumers(232)
    // CHECK:   scf.for
    // CHECK:     memref.load
    // CHECK:     flash_tile.get %{{.*}} rows(
    scf.for %t = %c0 to %tiles step %c1 {
      %first = scf.for %i = %c0 to %c8 step %c1 iter_args(%last = %c0) -> (index) {
        %n32 = memref.load %starts[%i] : memref<?xi32>
        %n = arith.index_cast %n32 : i32 to index
        %more = arith.maxsi %n, %last : index
        scf.yield %more : index
      }
      %q = flash_tile.load %query[%t, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
      %o0 = flash_tile.splat %zero : !s
      %o = scf.for %j = %c0 to %tiles step %c64 iter_args(%acc = %o0) -> (!s) {
        %at = arith.addi %first, %j : index
        %left = arith.subi %tiles, %j : index
        %k = flash_tile.load %key[%at, %c0] rows(%left) {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<64x64xf16>
        %s = flash_tile.mma #flash_tile.wgmma %q, %k acc(%acc) transpose_b
            : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !s
        scf.yield %s : !s
      }
      flash_tile.store %o, %out[%t, %c0] : !s, memref<?x64xf32>
    } {flash_tile.tiles}
    gpu.return
  }
}

// -----

// Rows that no query sees are cleared by a watcher, which has the loop and the scalars that the mask asks for; consumers have none of it.

!acc = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @watched
  gpu.func @watched(%query: memref<?x64xf16>, %key: memref<?x64xf16>, %out: memref<?x64xf32>, %n: index, %at: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, roles = <producer_registers = 40, consumer_registers = 232>>} {
    // CHECK: %[[RQ:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<1, 128x64xf16, mbarrier>
    // CHECK: %[[RK:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier, watched>
    // CHECK: flash_tile.specialize producer(40)
    // CHECK: } watcher {
    // CHECK-NEXT: scf.for %[[J:[a-z0-9_]+]] = {{.*}} iter_args(%[[I:[a-z0-9_]+]] = %{{.*}}) -> (index)
    // CHECK:        %[[END:.*]] = arith.addi %[[J]]
    // CHECK:        %[[CUT:.*]] = arith.cmpi slt, %{{.*}}, %[[END]]
    // CHECK:        flash_tile.watch %[[RK]][%[[I]]] when %[[CUT]] queries(%c128) : !flash_tile.ring<2, 64x64xf16, mbarrier, watched> {
    // CHECK:        ^bb0(%[[Q:.*]]: index, %[[ROW:.*]]: index):
    // CHECK:          %[[K:.*]] = arith.addi %[[J]], %[[ROW]]
    // CHECK:          arith.cmpi sle, %[[K]], %[[Q]]
    // CHECK:        scf.yield
    // CHECK: } consumers(232)
    // CHECK-NOT: clear_unseen
    // CHECK: gpu.return
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %zero = arith.constant 0.0 : f32
    %q = flash_tile.load %query[%c0, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
    %o0 = flash_tile.splat %zero : !acc
    %o = scf.for %j = %c0 to %n step %c64 iter_args(%acc = %o0) -> (!acc) {
      %k = flash_tile.load %key[%j, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<64x64xf16>
      %end = arith.addi %j, %c64 : index
      %cut = arith.cmpi slt, %at, %end : index
      flash_tile.clear_unseen %k when %cut queries(%c128) : !flash_tile.shared<64x64xf16> {
      ^bb0(%i: index, %row: index):
        %p = arith.addi %j, %row : index
        %sees = arith.cmpi sle, %p, %i : index
        flash_tile.yield %sees : i1
      }
      %s = flash_tile.mma #flash_tile.wgmma %q, %k acc(%acc) transpose_b
          : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !acc
      scf.yield %s : !acc
    }
    flash_tile.store %o, %out[%c0, %c0] : !acc, memref<?x64xf32>
    gpu.return
  }
}

// -----

// Where many products are started (start_products), a tile's own loads come behind those of its first iteration, for which there
// is room while the tile before has not ended.

!acc = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @ahead
  // CHECK: %[[RQ:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<1, 128x64xf16, mbarrier>
  // CHECK: %[[RK:[a-z0-9_]+]] = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier>
  // CHECK: flash_tile.specialize producer(40)
  // CHECK:   scf.for %[[T:[a-z0-9_]+]] =
  // CHECK-NOT: flash_tile.put
  // CHECK:     scf.for %[[J:[a-z0-9_]+]] = %[[LOWER:[a-z0-9_]+]] to %[[UPPER:[a-z0-9_]+]]
  // CHECK:       flash_tile.put %[[RK]]
  // CHECK:       %[[FIRST:[a-z0-9_]+]] = arith.cmpi eq, %[[J]], %[[LOWER]]
  // CHECK:       scf.if %[[FIRST]] {
  // CHECK-NEXT:    flash_tile.put %[[RQ]][%[[T]]]
  // CHECK:     scf.yield
  // CHECK:     %[[NONE:[a-z0-9_]+]] = arith.cmpi sge, %[[LOWER]], %[[UPPER]]
  // CHECK:     scf.if %[[NONE]] {
  // CHECK-NEXT:  flash_tile.put %[[RQ]][%[[T]]]
  // CHECK: consumers(232)
  gpu.func @ahead(%query: memref<?x64xf16>, %key: memref<?x64xf16>, %out: memref<?x64xf32>, %tiles: index, %n: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, roles = <producer_registers = 40, consumer_registers = 232>>, flash_tile.passes = [#flash_tile.persistent, #flash_tile.start_products]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %zero = arith.constant 0.0 : f32
    scf.for %t = %c0 to %tiles step %c1 {
      %first = arith.muli %t, %c128 : index
      %q = flash_tile.load %query[%first, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
      %o0 = flash_tile.splat %zero : !acc
      %o = scf.for %j = %first to %n step %c64 iter_args(%acc = %o0) -> (!acc) {
        %k = flash_tile.load %key[%j, %c0] {alignment = 16 : i64} : memref<?x64xf16> -> !flash_tile.shared<64x64xf16>
        %s = flash_tile.mma #flash_tile.wgmma %q, %k acc(%acc) transpose_b
            : !flash_tile.shared<128x64xf16>, !flash_tile.shared<64x64xf16> -> !acc
        scf.yield %s : !acc
      }
      flash_tile.store %o, %out[%first, %c0] : !acc, memref<?x64xf32>
    } {flash_tile.tiles}
    gpu.return
  }
}
