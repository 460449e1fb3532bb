// RUN: flash-opt %s --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm,flash-tile-unpack-fragments))" | FileCheck %s

// CHECK-LABEL: gpu.func @attention
// CHECK-SAME: nvvm.minctasm = 1 : i32, nvvm.reqntid = array<i32: 256, 1, 1>
// CHECK-NOT: flash_tile.{{[a-z_]+}} %
// CHECK-NOT: unrealized_conversion_cast

// An attention written by hand in tiles, for mma.sync: 128 queries a block on 8
// warps, 64 keys a step, rings of two stages filled ahead.

!q = !flash_tile.shared<128x128xbf16>
!kv = !flash_tile.shared<64x128xbf16>
!ring = !flash_tile.ring<2, 64x128xbf16, cp_async>
!s = !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x64xbf16, #flash_tile.lhs<8>>
!a = !flash_tile.fragment<128x128xbf16, #flash_tile.lhs<8>>
!o = !flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>
!o16 = !flash_tile.fragment<128x128xbf16, #flash_tile.acc<8>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<8>>
!sum = !flash_tile.fragment<128xf32, #flash_tile.row_partial<8>>
!g = memref<?x?x?x128xbf16, strided<[?, ?, ?, 1], offset: ?>>

gpu.module @kernels {
  gpu.func @attention(%q: !g, %k: !g, %v: !g, %out: !g, %lse: memref<?x?x?xf32>, %c: f32) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.shared_bytes = 98304 : i64} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %ninf = arith.constant 0xFF800000 : f32
    %b = gpu.block_id z
    %h = gpu.block_id y
    %x = gpu.block_id x
    %row0 = arith.muli %x, %c128 : index
    %sq = memref.dim %q, %c2 : !g
    %sk = memref.dim %k, %c2 : !g
    %rows = arith.subi %sq, %row0 : index

    %qs = flash_tile.load %q[%b, %h, %row0, %c0] rows(%rows) {alignment = 16 : i64, shared_offset = 0 : i64} : !g -> !q
    %kr = flash_tile.ring {shared_offset = 32768 : i64} : !ring
    %vr = flash_tile.ring {shared_offset = 65536 : i64} : !ring
    flash_tile.put %kr[%c0], %k[%b, %h, %c0, %c0] rows(%sk) {alignment = 16 : i64} : !ring, !g
    flash_tile.put %vr[%c0], %v[%b, %h, %c0, %c0] rows(%sk) {alignment = 16 : i64} : !ring, !g
    %m0 = flash_tile.splat %ninf : !row
    %l0 = flash_tile.splat %zero : !sum
    %o0 = flash_tile.splat %zero : !o
    %r:4 = scf.for %k0 = %c0 to %sk step %c64 iter_args(%m = %m0, %l = %l0, %o = %o0, %it = %c0) -> (!row, !sum, !o, index) {
      %next = arith.addi %k0, %c64 : index
      %itn = arith.addi %it, %c1 : index
      %more = arith.cmpi slt, %next, %sk : index
      %left = arith.subi %sk, %k0 : index
      %leftn = arith.subi %sk, %next : index
      %ks = flash_tile.get %kr[%it] in_flight 1 : !ring
      flash_tile.put %kr[%itn], %k[%b, %h, %next, %c0] rows(%leftn) if(%more) {alignment = 16 : i64} : !ring, !g
      %s0 = flash_tile.mma #flash_tile.mma_sync %qs, %ks transpose_b : !q, !kv -> !s
      %partial = arith.cmpi slt, %left, %c64 : index
      %s = scf.if %partial -> (!s) {
        %masked = flash_tile.map(%s0) : (!s) -> !s {
        ^bb0(%i: index, %j: index, %se: f32):
          %in = arith.cmpi slt, %j, %left : index
          %e = arith.select %in, %se, %ninf : f32
          flash_tile.yield %e : f32
        }
        scf.yield %masked : !s
      } else {
        scf.yield %s0 : !s
      }
      %mb = flash_tile.reduce max %s : !s -> !row
      %m1, %shift, %alpha = flash_tile.map(%m, %mb) : (!row, !row) -> (!row, !row, !row) {
      ^bb0(%i: index, %old: f32, %new: f32):
        %max = arith.maxnumf %old, %new : f32
        %empty = arith.cmpf oeq, %max, %ninf : f32
        %safe = arith.select %empty, %zero, %max : f32
        %sc = arith.mulf %safe, %c : f32
        %oc = arith.mulf %old, %c : f32
        %d = arith.subf %oc, %sc : f32
        %al = math.exp2 %d : f32
        flash_tile.yield %max, %sc, %al : f32, f32, f32
      }
      %p = flash_tile.map(%s, %shift) : (!s, !row) -> !s {
      ^bb0(%i: index, %j: index, %se: f32, %sh: f32):
        %t = arith.mulf %se, %c fastmath<contract> : f32
        %d = arith.subf %t, %sh fastmath<contract> : f32
        %e = math.exp2 %d : f32
        flash_tile.yield %e : f32
      }
      %lb = flash_tile.reduce add %p : !s -> !sum
      %l1 = flash_tile.map(%l, %alpha, %lb) : (!sum, !row, !sum) -> !sum {
      ^bb0(%i: index, %old: f32, %al: f32, %new: f32):
        %t = arith.mulf %old, %al fastmath<contract> : f32
        %u = arith.addf %t, %new fastmath<contract> : f32
        flash_tile.yield %u : f32
      }
      %o1 = flash_tile.map(%o, %alpha) : (!o, !row) -> !o {
      ^bb0(%i: index, %j: index, %oe: f32, %al: f32):
        %t = arith.mulf %oe, %al : f32
        flash_tile.yield %t : f32
      }
      %pa = flash_tile.convert %p : !s -> !p
      %vs = flash_tile.get %vr[%it] in_flight 1 : !ring
      flash_tile.put %vr[%itn], %v[%b, %h, %next, %c0] rows(%leftn) if(%more) {alignment = 16 : i64} : !ring, !g
      %o2 = flash_tile.mma #flash_tile.mma_sync %pa, %vs acc(%o1) : !p, !kv -> !o
      scf.yield %m1, %l1, %o2, %itn : !row, !sum, !o, index
    }
    %l = flash_tile.all_reduce add %r#1 : !sum -> !row
    %inv, %lsev = flash_tile.map(%r#0, %l) : (!row, !row) -> (!row, !row) {
    ^bb0(%i: index, %me: f32, %le: f32):
      %none = arith.cmpf oeq, %le, %zero : f32
      %d = arith.divf %one, %le : f32
      %inv = arith.select %none, %zero, %d : f32
      %ln = math.log %le : f32
      %ln2 = arith.constant 0.693147181 : f32
      %mc = arith.mulf %me, %c : f32
      %mn = arith.mulf %mc, %ln2 : f32
      %sum = arith.addf %mn, %ln : f32
      %res = arith.select %none, %ninf, %sum : f32
      flash_tile.yield %inv, %res : f32, f32
    }
    %of = flash_tile.map(%r#2, %inv) : (!o, !row) -> !o {
    ^bb0(%i: index, %j: index, %oe: f32, %ie: f32):
      %t = arith.mulf %oe, %ie : f32
      flash_tile.yield %t : f32
    }
    %o16 = flash_tile.convert %of : !o -> !o16
    flash_tile.store %o16, %out[%b, %h, %row0, %c0] rows(%rows) {alignment = 16 : i64} : !o16, !g
    flash_tile.store %lsev, %lse[%b, %h, %row0] rows(%rows) : !row, memref<?x?x?xf32>
    gpu.return
  }
}
