// RUN: flash-opt %s --flash-test-differentiate=reverse | FileCheck %s

// The result, the cotangent of the score, and of each element that is read the cotangent and the indices.

// CHECK-LABEL: @product(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[T:[^:]*]]: tensor<8xf32>, %[[H:[^:]*]]: index, %[[G:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = tensor.extract %[[T]][%[[H]]] : tensor<8xf32>
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.mulf %[[R0]], %[[G]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[S]], %[[G]] : f32
// CHECK-NEXT: return %[[R1]], %[[R2]], %[[R3]], %[[H]] : f32, f32, f32, index
func.func @product(%s: f32, %t: tensor<8xf32>, %h: index) -> f32 {
  %x = tensor.extract %t[%h] : tensor<8xf32>
  %r = arith.mulf %s, %x : f32
  return %r : f32
}

// A captured cap has a gradient.
// CHECK-LABEL: @softcap(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[T:[^:]*]]: tensor<8xf32>, %[[H:[^:]*]]: index, %[[G:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = tensor.extract %[[T]][%[[H]]] : tensor<8xf32>
// CHECK-NEXT: %[[R1:.*]] = arith.divf %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[R2:.*]] = math.tanh %[[R1]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[R0]], %[[R2]] : f32
// CHECK-NEXT: %[[R4:.*]] = arith.mulf %[[R2]], %[[G]] : f32
// CHECK-NEXT: %[[R5:.*]] = arith.mulf %[[R0]], %[[G]] : f32
// CHECK-NEXT: %[[R6:.*]] = arith.mulf %[[R2]], %[[R2]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R7:.*]] = arith.subf %[[ONE]], %[[R6]] : f32
// CHECK-NEXT: %[[R8:.*]] = arith.mulf %[[R7]], %[[R5]] : f32
// CHECK-NEXT: %[[R9:.*]] = arith.mulf %[[R1]], %[[R8]] : f32
// CHECK-NEXT: %[[R10:.*]] = arith.divf %[[R9]], %[[R0]] : f32
// CHECK-NEXT: %[[R11:.*]] = arith.subf %[[R4]], %[[R10]] : f32
// CHECK-NEXT: %[[R12:.*]] = arith.divf %[[R8]], %[[R0]] : f32
// CHECK-NEXT: return %[[R3]], %[[R12]], %[[R11]], %[[H]] : f32, f32, f32, index
func.func @softcap(%s: f32, %t: tensor<8xf32>, %h: index) -> f32 {
  %cap = tensor.extract %t[%h] : tensor<8xf32>
  %a = arith.divf %s, %cap : f32
  %b = math.tanh %a : f32
  %r = arith.mulf %cap, %b : f32
  return %r : f32
}

// Of the capture's type.
// CHECK-LABEL: @bias(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[T:[^:]*]]: tensor<8x?xf16>, %[[H:[^:]*]]: index, %[[I:[^:]*]]: index, %[[G:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = tensor.extract %[[T]][%[[H]], %[[I]]] : tensor<8x?xf16>
// CHECK-NEXT: %[[R1:.*]] = arith.extf %[[R0]] : f16 to f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[S]], %[[R1]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.truncf %[[G]] : f32 to f16
// CHECK-NEXT: return %[[R2]], %[[G]], %[[R3]], %[[H]], %[[I]] : f32, f32, f16, index, index
func.func @bias(%s: f32, %t: tensor<8x?xf16>, %h: index, %i: index) -> f32 {
  %x = tensor.extract %t[%h, %i] : tensor<8x?xf16>
  %y = arith.extf %x : f16 to f32
  %r = arith.addf %s, %y : f32
  return %r : f32
}

// Each read has its own; what is read and not used has none.
// CHECK-LABEL: @twice(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[T:[^:]*]]: tensor<8xf32>, %[[H:[^:]*]]: index, %[[I:[^:]*]]: index, %[[G:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = tensor.extract %[[T]][%[[H]]] : tensor<8xf32>
// CHECK-NEXT: %[[R1:.*]] = tensor.extract %[[T]][%[[I]]] : tensor<8xf32>
// CHECK-NEXT: %[[R2:.*]] = tensor.extract %[[T]][%[[I]]] : tensor<8xf32>
// CHECK-NEXT: %[[R3:.*]] = arith.maximumf %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[R4:.*]] = arith.subf %[[R3]], %[[R1]] : f32
// CHECK-NEXT: %[[R5:.*]] = arith.cmpf uge, %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[R6:.*]] = arith.cmpf oeq, %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R7:.*]] = arith.select %[[R6]], %[[HALF]], %[[ONE]] : f32
// CHECK-NEXT: %[[R8:.*]] = arith.mulf %[[G]], %[[R7]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R9:.*]] = arith.select %[[R5]], %[[R8]], %[[ZERO]] : f32
// CHECK-NEXT: %[[R10:.*]] = arith.cmpf uge, %[[R0]], %[[S]] : f32
// CHECK-NEXT: %[[R11:.*]] = arith.cmpf oeq, %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[HALF2:.*]] = arith.constant 5.000000e-01 : f32
// CHECK-NEXT: %[[ONE2:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R12:.*]] = arith.select %[[R11]], %[[HALF2]], %[[ONE2]] : f32
// CHECK-NEXT: %[[R13:.*]] = arith.mulf %[[G]], %[[R12]] : f32
// CHECK-NEXT: %[[ZERO2:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R14:.*]] = arith.select %[[R10]], %[[R13]], %[[ZERO2]] : f32
// CHECK-NEXT: %[[R15:.*]] = arith.negf %[[G]] : f32
// CHECK-NEXT: return %[[R4]], %[[R9]], %[[R14]], %[[H]], %[[R15]], %[[I]] : f32, f32, f32, index, f32, index
func.func @twice(%s: f32, %t: tensor<8xf32>, %h: index, %i: index) -> f32 {
  %x = tensor.extract %t[%h] : tensor<8xf32>
  %y = tensor.extract %t[%i] : tensor<8xf32>
  %n = tensor.extract %t[%i] : tensor<8xf32>
  %a = arith.maximumf %s, %x : f32
  %r = arith.subf %a, %y : f32
  return %r : f32
}

// CHECK-LABEL: @select(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[T:[^:]*]]: tensor<8xf32>, %[[H:[^:]*]]: index, %[[C:[^:]*]]: i1, %[[G:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = tensor.extract %[[T]][%[[H]]] : tensor<8xf32>
// CHECK-NEXT: %[[R1:.*]] = arith.select %[[C]], %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[R2:.*]] = math.exp %[[R1]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[R2]], %[[G]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.select %[[C]], %[[R3]], %[[ZERO]] : f32
// CHECK-NEXT: %[[ZERO2:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R5:.*]] = arith.select %[[C]], %[[ZERO2]], %[[R3]] : f32
// CHECK-NEXT: return %[[R2]], %[[R4]], %[[R5]], %[[H]] : f32, f32, f32, index
func.func @select(%s: f32, %t: tensor<8xf32>, %h: index, %c: i1) -> f32 {
  %x = tensor.extract %t[%h] : tensor<8xf32>
  %a = arith.select %c, %s, %x : f32
  %r = math.exp %a : f32
  return %r : f32
}

// The branch is taken again: what is read in it has indices 0 and cotangent 0 where it is not taken.
// CHECK-LABEL: @branch(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[T:[^:]*]]: tensor<8xf32>, %[[H:[^:]*]]: index, %[[C:[^:]*]]: i1, %[[G:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.exp %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = scf.if %[[C]] -> (f32) {
// CHECK-NEXT: %[[R2:.*]] = tensor.extract %[[T]][%[[H]]] : tensor<8xf32>
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[R0]], %[[R2]] : f32
// CHECK-NEXT: scf.yield %[[R3]] : f32
// CHECK-NEXT: } else {
// CHECK-NEXT: %[[R3:.*]] = arith.negf %[[S]] : f32
// CHECK-NEXT: scf.yield %[[R3]] : f32
// CHECK-NEXT: }
// CHECK-NEXT: %[[R4:.*]]:4 = scf.if %[[C]] -> (f32, f32, index, f32) {
// CHECK-NEXT: %[[R2:.*]] = tensor.extract %[[T]][%[[H]]] : tensor<8xf32>
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[R0]], %[[R2]] : f32
// CHECK-NEXT: %[[R5:.*]] = arith.mulf %[[R2]], %[[G]] : f32
// CHECK-NEXT: %[[R6:.*]] = arith.mulf %[[R0]], %[[G]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: scf.yield %[[R5]], %[[ZERO]], %[[H]], %[[R6]] : f32, f32, index, f32
// CHECK-NEXT: } else {
// CHECK-NEXT: %[[R3:.*]] = arith.negf %[[S]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R5:.*]] = arith.negf %[[G]] : f32
// CHECK-NEXT: %[[C2:.*]] = arith.constant 0 : index
// CHECK-NEXT: %[[ZERO2:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: scf.yield %[[ZERO]], %[[R5]], %[[C2]], %[[ZERO2]] : f32, f32, index, f32
// CHECK-NEXT: }
// CHECK-NEXT: %[[R7:.*]] = arith.mulf %[[R0]], %[[R4]]#0 : f32
// CHECK-NEXT: %[[R8:.*]] = arith.addf %[[R4]]#1, %[[R7]] : f32
// CHECK-NEXT: return %[[R1]], %[[R8]], %[[R4]]#3, %[[R4]]#2 : f32, f32, f32, index
func.func @branch(%s: f32, %t: tensor<8xf32>, %h: index, %c: i1) -> f32 {
  %e = math.exp %s : f32
  %r = scf.if %c -> f32 {
    %x = tensor.extract %t[%h] : tensor<8xf32>
    %b = arith.mulf %e, %x : f32
    scf.yield %b : f32
  } else {
    %b = arith.negf %s : f32
    scf.yield %b : f32
  }
  return %r : f32
}
