// A pass that was asked for and leaves a kernel as it is says why; one that was not asked for says nothing and does nothing.
//
// RUN: flash-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(flash-tile-split-tiles,flash-tile-persistent,gpu.module(gpu.func(flash-tile-partial-sums,flash-tile-keep-operands)),flash-tile-specialize,flash-tile-store-tma,flash-tile-share-tiles,gpu.module(gpu.func(flash-tile-prefetch,flash-tile-overlap,flash-tile-split-maps,flash-tile-start-products,flash-tile-prefetch-tiles,flash-tile-peel-masks,flash-tile-overlap-tiles,flash-tile-ping-pong,flash-tile-lazy-softmax)))' | FileCheck %s

// Nothing to do for anybody.
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @empty
  // expected-remark @below {{flash-tile-split-tiles leaves 'empty' as it is: it has no one block id along x}}
  // expected-remark @below {{flash-tile-persistent leaves 'empty' as it is: it has no one block id along x}}
  // expected-remark @below {{flash-tile-partial-sums leaves 'empty' as it is: it has no softmax}}
  // expected-remark @below {{flash-tile-keep-operands leaves 'empty' as it is: no loop of it multiplies a tile of shared memory, by an instruction that reads registers, again and again}}
  // expected-remark @below {{flash-tile-specialize leaves 'empty' as it is: there is no loop with loads}}
  // expected-remark @below {{flash-tile-store-tma leaves 'empty' as it is: it has no roles}}
  // expected-remark @below {{flash-tile-share-tiles leaves 'empty' as it is: the blocks of a cluster have no tiles in common}}
  // expected-remark @below {{flash-tile-prefetch leaves 'empty' as it is: there is no loop with loads}}
  // expected-remark @below {{flash-tile-overlap leaves 'empty' as it is: it has no loop with two asynchronous products}}
  // expected-remark @below {{flash-tile-start-products leaves 'empty' as it is: it has no loop with more than two asynchronous products}}
  // expected-remark @below {{flash-tile-prefetch-tiles leaves 'empty' as it is: it has no producer that goes from tile to tile}}
  // expected-remark @below {{flash-tile-peel-masks leaves 'empty' as it is: no loop of it with products in flight has a mask}}
  // expected-remark @below {{flash-tile-overlap-tiles leaves 'empty' as it is: it has no roles whose blocks have several tiles}}
  // expected-remark @below {{flash-tile-ping-pong leaves 'empty' as it is: no loop of its consumers starts two products in an iteration}}
  // expected-remark @below {{flash-tile-lazy-softmax leaves 'empty' as it is: it has no softmax that follows a first one}}
  gpu.func @empty() kernel attributes {
      flash_tile.kernel = #flash_tile.kernel<warps = 8, stages = 2, cluster = 2, roles = <producer_registers = 40, consumer_registers = 232>>,
      flash_tile.passes = [#flash_tile.split_tiles, #flash_tile.persistent, #flash_tile.partial_sums, #flash_tile.keep_operands,
          #flash_tile.store_tma, #flash_tile.overlap, #flash_tile.start_products, #flash_tile.prefetch_tiles, #flash_tile.peel_masks,
          #flash_tile.overlap_tiles, #flash_tile.ping_pong, #flash_tile.lazy_softmax]} {
    gpu.return
  }
}

// -----

!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xf16, #flash_tile.lhs<8>>
!k = !flash_tile.shared<64x64xf16>
!rk = !flash_tile.ring<2, 64x64xf16, cp_async>

// Products whose rings the computing warps fill themselves; without the attribute there is no remark.
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @filled
  // CHECK-NOT: mma_start
  // expected-remark @below {{flash-tile-overlap leaves 'filled' as it is: its rings are filled by the warps that compute}}
  gpu.func @filled(%q: memref<?x64xf16>, %out: memref<?x64xf32>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.passes = [#flash_tile.overlap]} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %tile = flash_tile.load %q[%c0, %c0] : memref<?x64xf16> -> !flash_tile.shared<128x64xf16>
    %rk = flash_tile.ring : !rk
    %o0 = flash_tile.splat %zero : !s
    %r:2 = scf.for %j = %c0 to %n step %c1 iter_args(%acc = %o0, %i = %c0) -> (!s, index) {
      %k = flash_tile.get %rk[%i] in_flight 1 : !rk
      %s = flash_tile.mma #flash_tile.wgmma %tile, %k transpose_b : !flash_tile.shared<128x64xf16>, !k -> !s
      %p = flash_tile.convert %s : !s -> !p
      %v = flash_tile.get %rk[%i] in_flight 1 : !rk
      %half = flash_tile.map(%acc) : (!s) -> !s {
      ^bb0(%row: index, %column: index, %x: f32):
        %y = arith.addf %x, %x : f32
        flash_tile.yield %y : f32
      }
      %o = flash_tile.mma #flash_tile.wgmma %p, %v acc(%half) : !p, !k -> !s
      %next = arith.addi %i, %c1 : index
      scf.yield %o, %next : !s, index
    }
    flash_tile.store %r#0, %out[%c0, %c0] : !s, memref<?x64xf32>
    gpu.return
  }
  // CHECK-LABEL: gpu.func @unasked
  // CHECK-NOT: mma_start
  gpu.func @unasked(%q: memref<?x64xf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    gpu.return
  }
}
