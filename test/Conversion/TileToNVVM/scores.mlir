// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline="builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))" | FileCheck %s

// Functions of bodies, without a library.
gpu.module @kernels {
  // CHECK-LABEL: gpu.func @functions
  gpu.func @functions(%x: f32, %h: bf16, %m: memref<6xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    // 1 - 2 / (1 + exp(2 x))
    // CHECK-DAG: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
    // CHECK-DAG: %[[TWO:.*]] = arith.constant -2.000000e+00 : f32
    // CHECK-DAG: %[[FACTOR:.*]] = arith.constant 2.885390{{.*}} : f32
    // CHECK: %[[X:.*]] = arith.mulf %{{.*}}, %[[FACTOR]]
    // CHECK: %[[E:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%[[X]])
    // CHECK: %[[S:.*]] = arith.addf %[[E]], %[[ONE]]
    // CHECK: %[[R:.*]] = llvm.call_intrinsic "llvm.nvvm.rcp.approx.ftz.f"(%[[S]])
    // CHECK: math.fma %[[R]], %[[TWO]], %[[ONE]]
    %a = math.tanh %x : f32
    memref.store %a, %m[%c0] : memref<6xf32>
    // CHECK: llvm.call_intrinsic "llvm.roundeven.f32"
    // CHECK: llvm.call_intrinsic "llvm.nvvm.sin.approx.ftz.f"
    %b = math.sin %x : f32
    memref.store %b, %m[%c0] : memref<6xf32>
    // CHECK-NOT: math.erf
    %c = math.erf %x : f32
    memref.store %c, %m[%c0] : memref<6xf32>
    // CHECK: llvm.call_intrinsic "llvm.nvvm.sqrt.approx.ftz.f"
    %d = math.sqrt %x : f32
    memref.store %d, %m[%c0] : memref<6xf32>
    // CHECK: llvm.call_intrinsic "llvm.floor.f32"
    %g = math.floor %x : f32
    memref.store %g, %m[%c0] : memref<6xf32>
    // CHECK: llvm.call_intrinsic "llvm.ceil.f32"
    %i = math.ceil %x : f32
    memref.store %i, %m[%c0] : memref<6xf32>
    // CHECK: arith.extf
    // CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
    // CHECK: arith.truncf
    %e = math.exp %h : bf16
    %f = arith.extf %e : bf16 to f32
    memref.store %f, %m[%c0] : memref<6xf32>
    gpu.return
  }
}

// -----

!acc = !flash_tile.fragment<64x8xf32, #flash_tile.acc<4>>
gpu.module @kernels {
  // A distance is one conversion for all elements of a lane, which add what they are apart; scale, slope and exponent
  // are joined: what a product of elements would round twice is an fma.
  // CHECK-LABEL: gpu.func @alibi
  // CHECK-COUNT-1: arith.sitofp
  // CHECK-NOT: arith.sitofp
  // CHECK: llvm.call_intrinsic "llvm.fabs.f32"
  // CHECK: math.fma
  // CHECK: arith.addf %{{.*}}, %{{.*}} : f32
  // CHECK: math.fma
  // CHECK-NOT: arith.subf
  gpu.func @alibi(%x: f32, %slope: f32, %q0: index, %k0: index, %m: memref<64x8xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %s = flash_tile.splat %x : !acc
    %scaled = flash_tile.map(%s) : (!acc) -> !acc {
    ^bb0(%i: index, %j: index, %v: f32):
      %half = arith.constant 0.5 : f32
      %w = arith.mulf %v, %half : f32
      flash_tile.yield %w : f32
    }
    %t = flash_tile.map(%scaled) : (!acc) -> !acc {
    ^bb0(%i: index, %j: index, %v: f32):
      %zero = arith.constant 0 : index
      %q = arith.addi %q0, %i : index
      %k = arith.addi %k0, %j : index
      %d = arith.subi %q, %k : index
      %o = arith.subi %zero, %d : index
      %a = arith.maxsi %d, %o : index
      %n = arith.index_cast %a : index to i64
      %f = arith.sitofp %n : i64 to f32
      %p = arith.mulf %slope, %f : f32
      %w = arith.subf %v, %p : f32
      flash_tile.yield %w : f32
    }
    flash_tile.store %t, %m[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x8xf32>
    gpu.return
  }
}

// -----

!acc = !flash_tile.fragment<64x8xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
gpu.module @kernels {
  // Before the diagonal a distance has its sign. What the row shares, the slope times the distance of its first element
  // and the reference, is summed apart (and once, after CSE): the element adds its column and its product.
  // CHECK-LABEL: gpu.func @exponent
  // CHECK: %[[D:[a-z0-9_]+]] = arith.sitofp
  // CHECK-NOT: arith.addf
  // CHECK-NOT: arith.subf
  // CHECK: %[[SD:[a-z0-9_]+]] = arith.mulf %{{[a-z0-9_]+}}, %[[D]] : f32
  // CHECK: %[[NEG:[a-z0-9_]+]] = arith.negf %[[SD]]
  // CHECK: %[[SHARED:[a-z0-9_]+]] = math.fma %[[NEG]], %{{[a-z0-9_]+}}, %[[SHIFT:[a-z0-9_]+]]
  // CHECK: %[[COLUMN:[a-z0-9_]+]] = math.fma %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}}, %[[SHARED]]
  // CHECK: math.fma %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}}, %[[COLUMN]]
  // CHECK-NOT: arith.subf
  gpu.func @exponent(%x: f32, %slope: f32, %shift: f32, %q0: index, %k0: index, %m: memref<64x8xf32>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    %s = flash_tile.splat %x : !acc
    %r = flash_tile.splat %shift : !row
    %t = flash_tile.map(%s) : (!acc) -> !acc {
    ^bb0(%i: index, %j: index, %v: f32):
      %half = arith.constant 0.5 : f32
      %w = arith.mulf %v, %half : f32
      %q = arith.addi %q0, %i : index
      %k = arith.addi %k0, %j : index
      %d = arith.subi %q, %k : index
      %n = arith.index_cast %d : index to i64
      %f = arith.sitofp %n : i64 to f32
      %p = arith.mulf %slope, %f : f32
      %y = arith.subf %w, %p : f32
      flash_tile.yield %y : f32
    }
    %e = flash_tile.map(%t, %r) : (!acc, !row) -> !acc {
    ^bb0(%i: index, %j: index, %v: f32, %reference: f32):
      %c = arith.constant 1.5 : f32
      %y = math.fma %v, %c, %reference : f32
      flash_tile.yield %y : f32
    }
    flash_tile.store %e, %m[%c0, %c0] {alignment = 8 : i64} : !acc, memref<64x8xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @unknown(%x: f64, %m: memref<6xf64>) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %c0 = arith.constant 0 : index
    // expected-error @below {{'math.cbrt' op of f64 is not supported on a GPU, whose functions are of f32: write arith.truncf before it and arith.extf after it}}
    %a = math.cbrt %x : f64
    memref.store %a, %m[%c0] : memref<6xf64>
    gpu.return
  }
}
