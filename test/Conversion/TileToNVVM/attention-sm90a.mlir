// RUN: flash-opt %s --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm))" | FileCheck %s

// An attention written by hand in tiles, for wgmma: a producer that copies with
// TMA, two consumer warpgroups of 64 queries each, 128 keys a step. The product
// with V of one step runs beside the product with K of the next.

!q = !flash_tile.shared<128x128xbf16>
!kv = !flash_tile.shared<128x128xbf16>
!qring = !flash_tile.ring<1, 128x128xbf16, mbarrier>
!ring = !flash_tile.ring<2, 128x128xbf16, mbarrier>
!map = !flash_tile.tensor_map<1x1x128x64xbf16>
!s = !flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>
!p = !flash_tile.fragment<128x128xbf16, #flash_tile.lhs<8>>
!o = !flash_tile.fragment<128x128xf32, #flash_tile.acc<8>>
!o16 = !flash_tile.fragment<128x128xbf16, #flash_tile.acc<8>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<8>>
!sum = !flash_tile.fragment<128xf32, #flash_tile.row_partial<8>>
!g = memref<?x?x?x128xbf16, strided<[?, ?, ?, 1], offset: ?>>

// CHECK-LABEL: gpu.func @attention
// CHECK-SAME: %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr,
// CHECK-SAME: flash_tile.tensor_map_parameters = array<i64: 0, 1, 2>
// CHECK-SAME: nvvm.minctasm = 1 : i32, nvvm.reqntid = array<i32: 384, 1, 1>
// CHECK: mbarrier.init.shared::cta.b64 [$0], 1;
// CHECK: mbarrier.init.shared::cta.b64 [$0], 8;
// CHECK: fence.mbarrier_init.release.cluster;
// CHECK: nvvm.barrier id = %{{[a-z0-9_]+$}}
// CHECK: scf.if
// CHECK: setmaxnreg.inc.sync.aligned.u32 232;
// CHECK: mbarrier.try_wait.parity
// CHECK: wgmma.fence.sync.aligned;{{.*}}wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16{{.*}}wgmma.commit_group
// CHECK: wgmma.wait_group.sync.aligned 0;
// CHECK: scf.for
// CHECK: wgmma.wait_group.sync.aligned 1;
// CHECK: wgmma.wait_group.sync.aligned 0;
// CHECK: mbarrier.arrive.shared::cta.b64
// CHECK: setmaxnreg.dec.sync.aligned.u32 40;
// CHECK: mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], 32768;
// CHECK: cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1, {$2, $3, $4, $5}], [$6];
// CHECK-NOT: unrealized_conversion_cast

gpu.module @kernels {
  gpu.func @attention(%qm: !map, %km: !map, %vm: !map, %out: !g, %lse: memref<?x?x?xf32>, %c: f32, %blocks: index) kernel
      attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.shared_bytes = 165920 : i64} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c128 = arith.constant 128 : index
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %ninf = arith.constant 0xFF800000 : f32
    %b = gpu.block_id z
    %h = gpu.block_id y
    %x = gpu.block_id x
    %row0 = arith.muli %x, %c128 : index
    %sq = memref.dim %out, %c2 : !g
    %rows = arith.subi %sq, %row0 : index
    %qr = flash_tile.ring {shared_offset = 0 : i64} : !qring
    %kr = flash_tile.ring {shared_offset = 33792 : i64} : !ring
    %vr = flash_tile.ring {shared_offset = 100352 : i64} : !ring
    flash_tile.specialize producer(40) {
      flash_tile.put %qr[%c0], %qm[%b, %h, %row0, %c0] : !qring, !map
      flash_tile.put %kr[%c0], %km[%b, %h, %c0, %c0] : !ring, !map
      scf.for %i = %c1 to %blocks step %c1 {
        %before = arith.subi %i, %c1 : index
        %key = arith.muli %i, %c128 : index
        %value = arith.muli %before, %c128 : index
        flash_tile.put %kr[%i], %km[%b, %h, %key, %c0] : !ring, !map
        flash_tile.put %vr[%before], %vm[%b, %h, %value, %c0] : !ring, !map
      }
      %last = arith.subi %blocks, %c1 : index
      %value = arith.muli %last, %c128 : index
      flash_tile.put %vr[%last], %vm[%b, %h, %value, %c0] : !ring, !map
    } consumers(232) {
      %m0 = flash_tile.splat %ninf : !row
      %l0 = flash_tile.splat %zero : !sum
      %o0 = flash_tile.splat %zero : !o
      %qs = flash_tile.get %qr[%c0] : !qring
      %k0 = flash_tile.get %kr[%c0] : !ring
      %s0 = flash_tile.mma #flash_tile.wgmma %qs, %k0 transpose_b : !q, !kv -> !s
      flash_tile.release %kr[%c0] : !ring
      %mb1 = flash_tile.reduce max %s0 : !s -> !row
      %m1, %shift1, %alpha1 = flash_tile.map(%m0, %mb1) : (!row, !row) -> (!row, !row, !row) {
      ^bb0(%i0: index, %old: f32, %new: f32):
        %max = arith.maxnumf %old, %new : f32
        %empty = arith.cmpf oeq, %max, %ninf : f32
        %safe = arith.select %empty, %zero, %max : f32
        %sc = arith.mulf %safe, %c : f32
        %oc = arith.mulf %old, %c : f32
        %d = arith.subf %oc, %sc : f32
        %al = math.exp2 %d : f32
        flash_tile.yield %max, %sc, %al : f32, f32, f32
      }
      %e1 = flash_tile.map(%s0, %shift1) : (!s, !row) -> !s {
      ^bb0(%i0: index, %j0: index, %se: f32, %sh: f32):
        %t = arith.mulf %se, %c fastmath<contract> : f32
        %d = arith.subf %t, %sh fastmath<contract> : f32
        %e = math.exp2 %d : f32
        flash_tile.yield %e : f32
      }
      %lb1 = flash_tile.reduce add %e1 : !s -> !sum
      %l1 = flash_tile.map(%l0, %alpha1, %lb1) : (!sum, !row, !sum) -> !sum {
      ^bb0(%i0: index, %old: f32, %al: f32, %new: f32):
        %t = arith.mulf %old, %al fastmath<contract> : f32
        %u = arith.addf %t, %new fastmath<contract> : f32
        flash_tile.yield %u : f32
      }
      %p1 = flash_tile.convert %e1 : !s -> !p
      %r:4 = scf.for %i = %c1 to %blocks step %c1 iter_args(%m = %m1, %l = %l1, %o = %o0, %p = %p1) -> (!row, !sum, !o, !p) {
        %before = arith.subi %i, %c1 : index
        %ks = flash_tile.get %kr[%i] : !ring
        %sp = flash_tile.mma_start #flash_tile.wgmma %qs, %ks transpose_b : !q, !kv -> !flash_tile.pending<!s>
        %vs = flash_tile.get %vr[%before] : !ring
        %op = flash_tile.mma_start #flash_tile.wgmma %p, %vs acc(%o) : !p, !kv -> !flash_tile.pending<!o>
        %s, %oq = flash_tile.mma_wait %sp, %op in_flight 1 : !flash_tile.pending<!s>, !flash_tile.pending<!o> -> !s, !flash_tile.pending<!o>
        %mb2 = flash_tile.reduce max %s : !s -> !row
        %m2, %shift2, %alpha2 = flash_tile.map(%m, %mb2) : (!row, !row) -> (!row, !row, !row) {
        ^bb0(%i0: index, %old: f32, %new: f32):
          %max = arith.maxnumf %old, %new : f32
          %empty = arith.cmpf oeq, %max, %ninf : f32
          %safe = arith.select %empty, %zero, %max : f32
          %sc = arith.mulf %safe, %c : f32
          %oc = arith.mulf %old, %c : f32
          %d = arith.subf %oc, %sc : f32
          %al = math.exp2 %d : f32
          flash_tile.yield %max, %sc, %al : f32, f32, f32
        }
        %e2 = flash_tile.map(%s, %shift2) : (!s, !row) -> !s {
        ^bb0(%i0: index, %j0: index, %se: f32, %sh: f32):
          %t = arith.mulf %se, %c fastmath<contract> : f32
          %d = arith.subf %t, %sh fastmath<contract> : f32
          %e = math.exp2 %d : f32
          flash_tile.yield %e : f32
        }
        %lb2 = flash_tile.reduce add %e2 : !s -> !sum
        %l2 = flash_tile.map(%l, %alpha2, %lb2) : (!sum, !row, !sum) -> !sum {
        ^bb0(%i0: index, %old: f32, %al: f32, %new: f32):
          %t = arith.mulf %old, %al fastmath<contract> : f32
          %u = arith.addf %t, %new fastmath<contract> : f32
          flash_tile.yield %u : f32
        }
        %o1 = flash_tile.mma_wait %oq : !flash_tile.pending<!o> -> !o
        flash_tile.release %vr[%before] : !ring
        flash_tile.release %kr[%i] : !ring
        %p2 = flash_tile.convert %e2 : !s -> !p
        %o2 = flash_tile.map(%o1, %alpha2) : (!o, !row) -> !o {
        ^bb0(%i0: index, %j0: index, %oe: f32, %al: f32):
          %t = arith.mulf %oe, %al : f32
          flash_tile.yield %t : f32
        }
        scf.yield %m2, %l2, %o2, %p2 : !row, !sum, !o, !p
      }
      %last = arith.subi %blocks, %c1 : index
      %vl = flash_tile.get %vr[%last] : !ring
      %ol = flash_tile.mma #flash_tile.wgmma %r#3, %vl acc(%r#2) : !p, !kv -> !o
      flash_tile.release %vr[%last] : !ring
      %l = flash_tile.all_reduce add %r#1 : !sum -> !row
      %inv, %lsev = flash_tile.map(%r#0, %l) : (!row, !row) -> (!row, !row) {
      ^bb0(%i: index, %me: f32, %le: f32):
        %none = arith.cmpf oeq, %le, %zero : f32
        %d = arith.divf %one, %le : f32
        %iv = arith.select %none, %zero, %d : f32
        %ln = math.log %le : f32
        %ln2 = arith.constant 0.693147181 : f32
        %mc = arith.mulf %me, %c : f32
        %mn = arith.mulf %mc, %ln2 : f32
        %sum = arith.addf %mn, %ln : f32
        %res = arith.select %none, %ninf, %sum : f32
        flash_tile.yield %iv, %res : f32, f32
      }
      %of = flash_tile.map(%ol, %inv) : (!o, !row) -> !o {
      ^bb0(%i: index, %j: index, %oe: f32, %ie: f32):
        %t = arith.mulf %oe, %ie : f32
        flash_tile.yield %t : f32
      }
      %o16 = flash_tile.convert %of : !o -> !o16
      flash_tile.store %o16, %out[%b, %h, %row0, %c0] rows(%rows) {alignment = 16 : i64} : !o16, !g
      flash_tile.store %lsev, %lse[%b, %h, %row0] rows(%rows) : !row, memref<?x?x?xf32>
    }
    gpu.return
  }
}
