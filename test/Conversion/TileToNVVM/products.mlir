// RUN: flash-opt %s --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))" | FileCheck %s

!s = !flash_tile.shared<64x64xbf16>
!h = !flash_tile.shared<64x64xf16>
!narrow = !flash_tile.shared<24x32xbf16>
!wide = !flash_tile.shared<64x128xbf16>
!lhs = !flash_tile.fragment<64x64xbf16, #flash_tile.lhs<4>>
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!acc128 = !flash_tile.fragment<64x128xf32, #flash_tile.acc<4>>
!two = !flash_tile.fragment<128x64xf32, #flash_tile.acc<4>>

gpu.module @kernels {
  // Four steps of 16: for each, A by one ldmatrix, B by four; eight products.
  // CHECK-LABEL: gpu.func @keys
  // CHECK-COUNT-2: ldmatrix.sync.aligned.m8n8.x4.shared.b16 {$0, $1, $2, $3}, [$4];
  // CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$0, $1, $2, $3};", "=f,=f,=f,=f,r,r,r,r,r,r,0,1,2,3"
  // CHECK-NOT: .trans
  // CHECK: llvm.store
  gpu.func @keys(%m: memref<64x64xbf16>, %o: memref<64x64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<64x64xbf16> -> !s
    %r = flash_tile.mma #flash_tile.mma_sync %t, %t transpose_b : !s, !s -> !acc
    flash_tile.store %r, %o[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x64xf32>
    gpu.return
  }

  // Rows of B are the contracted dimension: transposed by the load.
  // CHECK-LABEL: gpu.func @values
  // CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16
  // CHECK: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
  // CHECK: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
  gpu.func @values(%m: memref<64x64xf16>, %o: memref<64x64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<64x64xf16> -> !h
    %r = flash_tile.mma #flash_tile.mma_sync %t, %t : !h, !h -> !acc
    flash_tile.store %r, %o[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x64xf32>
    gpu.return
  }

  // 24 columns: two blocks of 8 at once, then one.
  // CHECK-LABEL: gpu.func @narrow
  // CHECK-COUNT-2: ldmatrix.sync.aligned.m8n8.x4.shared.b16
  // CHECK-COUNT-2: inline_ptx "mma.sync
  // CHECK: ldmatrix.sync.aligned.m8n8.x2.shared.b16
  // CHECK-COUNT-1: inline_ptx "mma.sync
  // CHECK-NOT: inline_ptx "mma.sync
  // CHECK: llvm.store
  gpu.func @narrow(%m: memref<64x32xbf16>, %o: memref<64x24xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %a = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<64x32xbf16> -> !flash_tile.shared<64x16xbf16>
    %b = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 8192 : i64} : memref<64x32xbf16> -> !flash_tile.shared<24x16xbf16>
    %r = flash_tile.mma #flash_tile.mma_sync %a, %b transpose_b : !flash_tile.shared<64x16xbf16>, !flash_tile.shared<24x16xbf16> -> !flash_tile.fragment<64x24xf32, #flash_tile.acc<4>>
    flash_tile.store %r, %o[%c0, %c0] {alignment = 8 : i64} : !flash_tile.fragment<64x24xf32, #flash_tile.acc<4>>, memref<64x24xf32>
    gpu.return
  }

  // K-major: the leading offset is not used (1), steps of 2 units of 16 bytes.
  // CHECK-LABEL: gpu.func @wgmma_keys
  // CHECK-DAG: %[[LBO:.*]] = arith.constant 65536 : i32
  // CHECK-DAG: %[[MASK:.*]] = arith.constant 262143 : i32
  // CHECK: fence.proxy.async.shared::cta;
  // CHECK: arith.andi %{{.*}}, %[[MASK]]
  // CHECK: arith.ori %{{.*}}, %[[LBO]]
  // CHECK: wgmma.fence.sync.aligned;
  // CHECK-SAME: add.u32 lo, $33, 0;\0Amov.b64 db, {lo, 0x40000040};
  // CHECK-SAME: add.u32 lo, $32, 0;\0Amov.b64 da, {lo, 0x40000040};
  // CHECK-SAME: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {$0, {{.*}}, $31}, da, db, no, 1, 1, 0, 0;
  // CHECK-SAME: add.u32 lo, $33, 2;
  // CHECK-SAME: da, db, yes, 1, 1, 0, 0;
  // CHECK-SAME: add.u32 lo, $33, 4;
  // CHECK-SAME: add.u32 lo, $33, 6;
  // CHECK-SAME: wgmma.commit_group.sync.aligned;
  // CHECK-SAME: "=&f,=&f
  // CHECK: wgmma.wait_group.sync.aligned 0;", "=f,=f
  gpu.func @wgmma_keys(%m: memref<64x64xbf16>, %o: memref<64x64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<64x64xbf16> -> !s
    %r = flash_tile.mma #flash_tile.wgmma %t, %t transpose_b : !s, !s -> !acc
    flash_tile.store %r, %o[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x64xf32>
    gpu.return
  }

  // A in registers, B N-major and two panels wide: the leading offset is the
  // panels' distance, 64 rows * 128 bytes / 16 = 512; steps of 128 units. The
  // accumulator is tied.
  // CHECK-LABEL: gpu.func @wgmma_values
  // CHECK-DAG: %[[LBO:.*]] = arith.constant 33554432 : i32
  // CHECK: arith.ori %{{.*}}, %[[LBO]]
  // CHECK: add.u32 lo, $80, 0;
  // CHECK-SAME: m64n128k16.f32.bf16.bf16 {$0, {{.*}}, $63}, {$64, $65, $66, $67}, db, yes, 1, 1, 1;
  // CHECK-SAME: add.u32 lo, $80, 128;
  // CHECK-SAME: {$68, $69, $70, $71}, db, yes, 1, 1, 1;
  // CHECK-SAME: "=f,=f
  gpu.func @wgmma_values(%m: memref<64x128xbf16>, %x: f32, %o: memref<64x128xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %s = flash_tile.splat %x : !acc
    %a = flash_tile.convert %s : !acc -> !lhs
    %z = flash_tile.splat %x : !acc128
    %t = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<64x128xbf16> -> !wide
    %r = flash_tile.mma #flash_tile.wgmma %a, %t acc(%z) : !lhs, !wide -> !acc128
    flash_tile.store %r, %o[%c0, %c0] {alignment = 8 : i64} : !acc128, memref<64x128xf32>
    gpu.return
  }

  // 128 rows on one warpgroup: twice 64, the second A 64 rows on (512 units).
  // CHECK-LABEL: gpu.func @wgmma_repeated
  // CHECK: m64n64k16.f32.bf16.bf16 {$0, {{.*}}, $31}, da, db, no
  // CHECK-SAME: add.u32 lo, $64, 512;
  // CHECK-SAME: m64n64k16.f32.bf16.bf16 {$32, {{.*}}, $63}, da, db, no
  gpu.func @wgmma_repeated(%m: memref<128x64xbf16>, %o: memref<128x64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %a = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<128x64xbf16> -> !flash_tile.shared<128x64xbf16>
    %b = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 16384 : i64} : memref<128x64xbf16> -> !s
    %r = flash_tile.mma #flash_tile.wgmma %a, %b transpose_b : !flash_tile.shared<128x64xbf16>, !s -> !two
    flash_tile.store %r, %o[%c0, %c0] {alignment = 8 : i64} : !two, memref<128x64xf32>
    gpu.return
  }

  // A wait passes on what is still in flight, tied.
  // CHECK-LABEL: gpu.func @wait
  // CHECK: wgmma.commit_group
  // CHECK-NOT: wait_group
  // CHECK: wgmma.commit_group
  // CHECK: wgmma.wait_group.sync.aligned 1;
  // CHECK: wgmma.wait_group.sync.aligned 0;
  gpu.func @wait(%m: memref<64x64xbf16>, %o: memref<64x64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %t = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<64x64xbf16> -> !s
    %p = flash_tile.mma_start #flash_tile.wgmma %t, %t transpose_b : !s, !s -> !flash_tile.pending<!acc>
    %q = flash_tile.mma_start #flash_tile.wgmma %t, %t : !s, !s -> !flash_tile.pending<!acc>
    %r, %q1 = flash_tile.mma_wait %p, %q in_flight 1 : !flash_tile.pending<!acc>, !flash_tile.pending<!acc> -> !acc, !flash_tile.pending<!acc>
    flash_tile.store %r, %o[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x64xf32>
    %u = flash_tile.mma_wait %q1 : !flash_tile.pending<!acc> -> !acc
    flash_tile.store %u, %o[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x64xf32>
    gpu.return
  }

  // The first 16 columns of A come from registers, the others from shared memory.
  // CHECK-LABEL: gpu.func @wgmma_head
  // CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16
  // CHECK: wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, {$5, $6, $7, $8}, db, no, 1, 1, 0;
  // CHECK-SAME: add.u32 lo, $4, 2;\0Amov.b64 da, {lo, 0x40000040};\0Awgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, da, db, yes, 1, 1, 0, 0;
  gpu.func @wgmma_head(%m: memref<64x32xbf16>, %o: memref<64x8xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %a = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<64x32xbf16> -> !flash_tile.shared<64x32xbf16>
    %b = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 8192 : i64} : memref<64x32xbf16> -> !flash_tile.shared<8x32xbf16>
    %head = flash_tile.load_fragment %a : !flash_tile.shared<64x32xbf16> -> !flash_tile.fragment<64x16xbf16, #flash_tile.lhs<4>>
    %p = flash_tile.mma_start #flash_tile.wgmma %a, %b head(%head : !flash_tile.fragment<64x16xbf16, #flash_tile.lhs<4>>) transpose_b : !flash_tile.shared<64x32xbf16>, !flash_tile.shared<8x32xbf16> -> !flash_tile.pending<!flash_tile.fragment<64x8xf32, #flash_tile.acc<4>>>
    %r = flash_tile.mma_wait %p : !flash_tile.pending<!flash_tile.fragment<64x8xf32, #flash_tile.acc<4>>> -> !flash_tile.fragment<64x8xf32, #flash_tile.acc<4>>
    flash_tile.store %r, %o[%c0, %c0] {alignment = 8 : i64} : !flash_tile.fragment<64x8xf32, #flash_tile.acc<4>>, memref<64x8xf32>
    gpu.return
  }

  // Half a step: zeros in the place of A's other columns, for which the 8 rows of B are read again (no distance between groups of rows).
  // CHECK-LABEL: gpu.func @wgmma_half
  // CHECK: mov.b64 db, {lo, 0x40000000};\0Awgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, {$4, $5, $6, $7}, db, no, 1, 1, 1;
  // CHECK-SAME: %[[A:.*]], %[[A]], %c0_i32, %c0_i32,
  gpu.func @wgmma_half(%m: memref<8x8xbf16>, %o: memref<64x8xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %one = arith.constant 1.0 : bf16
    %a = flash_tile.splat %one : !flash_tile.fragment<64x8xbf16, #flash_tile.lhs<4>>
    %b = flash_tile.load %m[%c0, %c0] {alignment = 16 : i64, shared_offset = 0 : i64} : memref<8x8xbf16> -> !flash_tile.shared<8x8xbf16>
    %r = flash_tile.mma #flash_tile.wgmma %a, %b : !flash_tile.fragment<64x8xbf16, #flash_tile.lhs<4>>, !flash_tile.shared<8x8xbf16> -> !flash_tile.fragment<64x8xf32, #flash_tile.acc<4>>
    flash_tile.store %r, %o[%c0, %c0] {alignment = 8 : i64} : !flash_tile.fragment<64x8xf32, #flash_tile.acc<4>>, memref<64x8xf32>
    gpu.return
  }
}
