// What stands around attentions gets forms that targets know.
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-simplify-around))' | FileCheck %s

!t = tensor<1x2x8x16xf32>

// CHECK-LABEL: @elements
//       CHECK: linalg.generic
//       CHECK:   arith.addf %{{.*}}, %{{.*}} : f32
//       CHECK: linalg.generic
//       CHECK:   arith.bitcast %{{.*}} : f32 to i32
//   CHECK-NOT: tensor.bitcast
func.func @elements(%x: !t, %y: !t) -> tensor<1x2x8x16xi32> {
  %r = arith.addf %x, %y : !t
  %b = tensor.bitcast %r : !t to tensor<1x2x8x16xi32>
  return %b : tensor<1x2x8x16xi32>
}

// CHECK-LABEL: @softmax
//       CHECK:   arith.maxnumf
//       CHECK:   math.exp
//       CHECK:   arith.divf
//   CHECK-NOT: linalg.softmax
func.func @softmax(%x: !t) -> !t {
  %e = tensor.empty() : !t
  %r = linalg.softmax dimension(3) ins(%x : !t) outs(%e : !t) -> !t
  return %r : !t
}

// The first is made elsewhere and copied, the second in its place.
// CHECK-LABEL: @loop
//       CHECK: scf.for {{.*}} iter_args(%[[X:.*]] = %{{.*}}, %[[C:.*]] = %{{.*}})
//       CHECK:   %[[O:.*]] = flash.attention
//       CHECK:   %[[I:.*]] = tensor.insert %{{.*}} into %[[C]]
//       CHECK:   %[[R:.*]] = linalg.copy ins(%[[O]] : {{.*}}) outs(%[[X]] : {{.*}})
//       CHECK:   scf.yield %[[R]], %[[I]]
func.func @loop(%q: !t, %k: !t, %v: !t, %s: f32) -> (!t, !t) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r:2 = scf.for %i = %c0 to %c3 step %c1 iter_args(%x = %q, %c = %k) -> (!t, !t) {
    %o = flash.attention %x, %c, %v : !t, !t, !t -> !t
    %n = tensor.insert %s into %c[%c0, %c0, %i, %c0] : !t
    scf.yield %o, %n : !t, !t
  }
  return %r#0, %r#1 : !t, !t
}

// A sum of slices is made in its place, in both branches.
// CHECK-LABEL: @sum
//   CHECK-NOT:   linalg.copy
func.func @sum(%t: tensor<16x64xf32>, %x: tensor<32x64xf32>, %n: index) -> tensor<32x64xf32> {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %r = scf.for %i = %c0 to %n step %c16 iter_args(%s = %x) -> tensor<32x64xf32> {
    %even = arith.cmpi eq, %i, %c0 : index
    %a = scf.if %even -> tensor<32x64xf32> {
      %b = flash.add_slice %t into %s[%i, 0] [16, 64] [1, 1] : tensor<16x64xf32> into tensor<32x64xf32>
      scf.yield %b : tensor<32x64xf32>
    } else {
      scf.yield %s : tensor<32x64xf32>
    }
    scf.yield %a : tensor<32x64xf32>
  }
  return %r : tensor<32x64xf32>
}
