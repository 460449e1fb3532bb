// RUN: flash-opt %s --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))" | FileCheck %s

!acc = !flash_tile.fragment<64x8xf32, #flash_tile.acc<4>>
!acc16 = !flash_tile.fragment<64x8xbf16, #flash_tile.acc<4>>
!wide = !flash_tile.fragment<64x16xf32, #flash_tile.acc<4>>
!lhs = !flash_tile.fragment<64x16xf16, #flash_tile.lhs<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
!partial = !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>
!flag = !flash_tile.fragment<64xi1, #flash_tile.row<4>>

gpu.module @kernels {
  // A thread's numbers, once, at the top; the warp from lane 0.
  // CHECK-LABEL: gpu.func @splat
  // CHECK: %[[TID:.*]] = nvvm.read.ptx.sreg.tid.x
  // CHECK: nvvm.shfl.sync idx
  gpu.func @splat(%x: f32, %m: memref<64x8xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    // CHECK: llvm.insertelement %arg0, %{{.*}} : vector<2xf32>
    // CHECK: llvm.store {{.*}} : vector<2xf32>
    %s = flash_tile.splat %x : !acc
    flash_tile.store %s, %m[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x8xf32>
    gpu.return
  }

  // Two of the eight columns of two rows: a chain for each row, then the quad.
  // CHECK-LABEL: gpu.func @reduce
  gpu.func @reduce(%x: f32, %b: memref<64x8xf32>, %m: memref<64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %z = flash_tile.splat %x : !acc
    %s = flash_tile.map(%z) : (!acc) -> !acc {
    ^bb0(%i: index, %j: index, %e: f32):
      %l = memref.load %b[%i, %j] : memref<64x8xf32>
      flash_tile.yield %l : f32
    }
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : i32
    // CHECK-DAG: %[[C2:.*]] = arith.constant 2 : i32
    // CHECK: %[[V:.*]] = arith.maxnumf
    // CHECK: %[[W:.*]] = nvvm.shfl.sync bfly %{{.*}}, %[[V]], %[[C1]], %{{.*}} : f32 -> f32
    // CHECK: %[[X:.*]] = arith.maxnumf %[[V]], %[[W]]
    // CHECK: %[[Y:.*]] = nvvm.shfl.sync bfly %{{.*}}, %[[X]], %[[C2]], %{{.*}} : f32 -> f32
    // CHECK: arith.maxnumf %[[X]], %[[Y]]
    // CHECK-COUNT-2: nvvm.shfl.sync bfly
    %r = flash_tile.reduce max %s : !acc -> !row
    // CHECK-NOT: nvvm.shfl
    // CHECK: arith.addf
    %p = flash_tile.reduce add %s : !acc -> !partial
    // CHECK: nvvm.shfl.sync bfly
    // CHECK: arith.addf
    %t = flash_tile.all_reduce add %p : !partial -> !row
    // CHECK: llvm.store
    flash_tile.store %r, %m[%c0] : !row, memref<64xf32>
    flash_tile.store %t, %m[%c0] : !row, memref<64xf32>
    gpu.return
  }

  // Pairs of columns are rounded together; the A operand keeps their order.
  // CHECK-LABEL: gpu.func @convert
  gpu.func @convert(%x: f32, %t: memref<64x8xbf16>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %s = flash_tile.splat %x : !acc
    // CHECK: llvm.fptrunc %{{.*}} : vector<2xf32> to vector<2xbf16>
    // CHECK: llvm.store {{.*}} : vector<2xbf16>
    %c = flash_tile.convert %s : !acc -> !acc16
    flash_tile.store %c, %t[%c0, %c0] {alignment = 16 : i64} : !acc16, memref<64x8xbf16>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @any
  gpu.func @any(%x: f32, %m: memref<i1>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %s = flash_tile.splat %x : !row
    %zero = arith.constant 0.0 : f32
    %f = flash_tile.map(%s) : (!row) -> !flag {
    ^bb0(%i: index, %e: f32):
      %b = arith.cmpf ogt, %e, %zero : f32
      flash_tile.yield %b : i1
    }
    // CHECK: %[[OR:.*]] = arith.ori
    // CHECK: nvvm.vote.sync any %{{.*}}, %[[OR]] -> i1
    %any = flash_tile.any %f : !flag
    memref.store %any, %m[] : memref<i1>
    gpu.return
  }

  // The body once for each of the four elements: rows g and g + 8, columns 2c
  // and 2c + 1. exp2 is the hardware's.
  // CHECK-LABEL: gpu.func @map
  gpu.func @map(%x: f32, %m: memref<64x8xf32>, %bias: memref<64x8xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %s = flash_tile.splat %x : !acc
    %r = flash_tile.splat %x : !row
    // CHECK-DAG: %[[G:.*]] = arith.shrui %{{.*}}, %c2_i32
    // CHECK-DAG: %[[C:.*]] = arith.andi %{{.*}}, %c3_i32
    // CHECK-COUNT-4: memref.load
    // CHECK-NOT: memref.load
    // CHECK: llvm.store
    %t = flash_tile.map(%s, %r) : (!acc, !row) -> !acc {
    ^bb0(%i: index, %j: index, %e: f32, %f: f32):
      %b = memref.load %bias[%i, %j] : memref<64x8xf32>
      %u = arith.addf %e, %b : f32
      %v = arith.subf %u, %f : f32
      %w = math.exp2 %v : f32
      flash_tile.yield %w : f32
    }
    flash_tile.store %t, %m[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x8xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @math
  gpu.func @math(%x: f32, %m: memref<6xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    // CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
    %a = math.exp2 %x : f32
    memref.store %a, %m[%c0] : memref<6xf32>
    // CHECK: %[[E:.*]] = arith.mulf %{{.*}}, %cst{{.*}} : f32
    // CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%[[E]])
    %b = math.exp %x : f32
    memref.store %b, %m[%c0] : memref<6xf32>
    // CHECK: %[[L:.*]] = llvm.call_intrinsic "llvm.nvvm.lg2.approx.ftz.f"
    // CHECK: arith.mulf %[[L]], %cst{{.*}} : f32
    %c = math.log %x : f32
    memref.store %c, %m[%c0] : memref<6xf32>
    // CHECK: llvm.call_intrinsic "llvm.nvvm.rsqrt.approx.ftz.f"
    %d = math.rsqrt %x : f32
    memref.store %d, %m[%c0] : memref<6xf32>
    gpu.return
  }

  // Fragments in control flow.
  // CHECK-LABEL: gpu.func @loop
  gpu.func @loop(%x: f32, %n: index, %b: i1, %m: memref<64xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %s = flash_tile.splat %x : !row
    // CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (vector<2xf32>)
    %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %s) -> (!row) {
      // CHECK: scf.if %{{.*}} -> (vector<2xf32>)
      %t = scf.if %b -> (!row) {
        %u = flash_tile.map(%a) : (!row) -> !row {
        ^bb0(%k: index, %e: f32):
          %v = arith.mulf %e, %x : f32
          flash_tile.yield %v : f32
        }
        scf.yield %u : !row
      } else {
        scf.yield %a : !row
      }
      scf.yield %t : !row
    }
    flash_tile.store %r, %m[%c0] : !row, memref<64xf32>
    gpu.return
  }

  // A column is compared in 32 bits with a length, or a row, that is clamped once.
  // CHECK-LABEL: gpu.func @mask
  // CHECK-SAME: f32, %[[N:[a-z0-9]+]]: index,
  // CHECK: %[[LOW:.*]] = arith.maxsi %[[N]], %{{.*}} : index
  // CHECK: %[[CLAMPED:.*]] = arith.minsi %[[LOW]], %{{.*}} : index
  // CHECK: %[[M:.*]] = arith.index_cast %[[CLAMPED]] : index to i32
  // CHECK: arith.cmpi slt, %{{.*}}, %[[M]] : i32
  // CHECK: %[[ROW:.*]] = arith.addi %[[Q:.*]], %{{.*}} : index
  // CHECK: %[[DIFFERENCE:.*]] = arith.subi %[[ROW]], %[[K:.*]] : index
  // CHECK: arith.maxsi %[[DIFFERENCE]]
  // CHECK: arith.cmpi sle, %{{.*}} : i32
  // CHECK-NOT: arith.cmpi {{.*}} : index
  // CHECK: gpu.return
  gpu.func @mask(%x: f32, %n: index, %m: memref<64x8xf32>, %q: index, %k: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %s = flash_tile.splat %x : !acc
    %zero = arith.constant 0.0 : f32
    %t = flash_tile.map(%s) : (!acc) -> !acc {
    ^bb0(%i: index, %j: index, %e: f32):
      %in = arith.cmpi slt, %j, %n : index
      %row = arith.addi %q, %i : index
      %key = arith.addi %k, %j : index
      %causal = arith.cmpi sle, %key, %row : index
      %visible = arith.andi %in, %causal : i1
      %w = arith.select %visible, %e, %zero : f32
      flash_tile.yield %w : f32
    }
    flash_tile.store %t, %m[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x8xf32>
    gpu.return
  }
}
