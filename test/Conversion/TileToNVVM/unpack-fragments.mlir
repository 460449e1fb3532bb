// RUN: flash-opt %s --flash-tile-unpack-fragments --split-input-file --verify-diagnostics | FileCheck %s

// A loop, a branch and a loop with a condition carry the elements; the casts are gone.
// CHECK-LABEL: func.func @carried
// CHECK-NOT: unrealized_conversion_cast
// CHECK: %[[R:.*]]:2 = scf.for {{.*}} iter_args(%[[A:.*]] = %arg0, %[[B:.*]] = %arg1) -> (f32, f32)
// CHECK: %[[S:.*]] = arith.addf %[[A]], %[[B]] : f32
// CHECK: %[[I:.*]]:3 = scf.if %{{.*}} -> (f32, f32, index)
// CHECK: scf.yield %[[S]], %[[A]], %{{.*}} : f32, f32, index
// CHECK: scf.yield %[[A]], %[[B]], %{{.*}} : f32, f32, index
// CHECK: scf.yield %[[I]]#0, %[[I]]#1 : f32, f32
// CHECK: scf.while (%{{.*}} = %[[R]]#0, %{{.*}} = %[[R]]#1) : (f32, f32) -> (f32, f32)
// CHECK-NOT: vector
// CHECK: return
func.func @carried(%x: f32, %y: f32, %n: index, %c: i1) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = builtin.unrealized_conversion_cast %x, %y : f32, f32 to vector<2xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%v = %b) -> (vector<2xf32>) {
    %e:2 = builtin.unrealized_conversion_cast %v : vector<2xf32> to f32, f32
    %s = arith.addf %e#0, %e#1 : f32
    %t = builtin.unrealized_conversion_cast %s, %e#0 : f32, f32 to vector<2xf32>
    %u:2 = scf.if %c -> (vector<2xf32>, index) {
      scf.yield %t, %i : vector<2xf32>, index
    } else {
      scf.yield %v, %n : vector<2xf32>, index
    }
    scf.yield %u#0 : vector<2xf32>
  }
  %w = scf.while (%v = %r) : (vector<2xf32>) -> vector<2xf32> {
    scf.condition(%c) %v : vector<2xf32>
  } do {
  ^bb0(%v: vector<2xf32>):
    scf.yield %v : vector<2xf32>
  }
  %o:2 = builtin.unrealized_conversion_cast %w : vector<2xf32> to f32, f32
  %q = arith.addf %o#0, %o#1 : f32
  return %q : f32
}

// -----

// A vector of LLVM's own stays.
// CHECK-LABEL: func.func @of_llvm
// CHECK: llvm.insertelement {{.*}} : vector<2xf32>
func.func @of_llvm(%x: f32) -> vector<2xf32> {
  %p = llvm.mlir.poison : vector<2xf32>
  %i = arith.constant 0 : i32
  %v = llvm.insertelement %x, %p[%i : i32] : vector<2xf32>
  return %v : vector<2xf32>
}

// -----

func.func @another_user(%x: f32) -> vector<2xf32> {
  // expected-error @+1 {{a fragment has another user than its lane}}
  %v = builtin.unrealized_conversion_cast %x, %x : f32, f32 to vector<2xf32>
  return %v : vector<2xf32>
}
