// RUN: flash-opt %s --split-input-file --verify-diagnostics --flash-outline-parallel | FileCheck %s

// CHECK: func.func private @flash_rt_parallel_for(i64, !llvm.ptr, !llvm.ptr)
// CHECK-LABEL: func.func private @f_body0(
// CHECK-SAME: %[[CTX:.+]]: !llvm.ptr, %[[BEGIN:.+]]: i64, %[[END:.+]]: i64)
// CHECK: %[[SCRATCH:.+]] = memref.alloca() {alignment = 64 : i64} : memref<8xf32>
// CHECK: llvm.load %[[CTX]]
// CHECK-DAG: %[[B:.+]] = arith.index_cast %[[BEGIN]]
// CHECK-DAG: %[[E:.+]] = arith.index_cast %[[END]]
// CHECK: scf.for %[[T:.+]] = %[[B]] to %[[E]]
// CHECK: arith.remsi %[[T]]
// CHECK: arith.divsi %[[T]]
// CHECK: memref.store %{{.+}}, %[[SCRATCH]]
// CHECK-LABEL: func.func @f(
// CHECK: %[[SLOT:.+]] = llvm.alloca
// CHECK: llvm.store %{{.+}}, %[[SLOT]]
// CHECK: %[[BODY:.+]] = constant @f_body0
// CHECK: %[[P:.+]] = builtin.unrealized_conversion_cast %[[BODY]]
// CHECK: call @flash_rt_parallel_for(%{{.+}}, %[[P]], %[[SLOT]])
// CHECK-NOT: scf.forall
func.func @f(%a: memref<?x?xf32>, %n: index, %m: index) {
  scf.forall (%i, %j) = (0, 0) to (%n, %m) step (1, 8) {
    %s = memref.alloc() : memref<8xf32>
    %x = memref.load %a[%i, %j] : memref<?x?xf32>
    %c0 = arith.constant 0 : index
    memref.store %x, %s[%c0] : memref<8xf32>
    %y = memref.load %s[%c0] : memref<8xf32>
    memref.store %y, %a[%i, %j] : memref<?x?xf32>
  }
  return
}

// -----

// Too much for a thread's stack: on the heap, once a call.

// CHECK-LABEL: func.func private @g_body0(
// CHECK: %[[S:.+]] = memref.alloc() {alignment = 64 : i64} : memref<1000000xf32>
// CHECK: scf.for
// CHECK: memref.dealloc %[[S]]
// CHECK-NEXT: return
// CHECK-LABEL: func.func @g(
// What stays in the caller is freed at its end.
// CHECK: %[[T:.+]] = memref.alloc(%{{.+}}) : memref<?xf32>
// CHECK: call @flash_rt_parallel_for
// CHECK: memref.dealloc %[[T]]
func.func @g(%n: index, %x: f32) {
  %t = memref.alloc(%n) : memref<?xf32>
  scf.forall (%i) in (%n) {
    %s = memref.alloc() : memref<1000000xf32>
    memref.store %x, %s[%i] : memref<1000000xf32>
    memref.store %x, %t[%i] : memref<?xf32>
  }
  return
}

// -----

func.func @h(%n: index, %x: f32) {
  scf.forall (%i) in (%n) {
    // expected-error @+1 {{scratch memory inside a parallel loop has to have a static size}}
    %s = memref.alloc(%n) : memref<?xf32>
    memref.store %x, %s[%i] : memref<?xf32>
  }
  return
}

// -----

func.func @tensors(%n: index, %t: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{has tensor results; bufferize it first}}
  %r = scf.forall (%i) in (%n) shared_outs(%o = %t) -> tensor<?xf32> {
  }
  return %r : tensor<?xf32>
}
