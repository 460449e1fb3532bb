// RUN: flash-opt %s --flash-test-differentiate | FileCheck %s

// A score that is left as it is: 1, without an operation.
// CHECK-LABEL: @itself(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: return %[[S]], %[[ONE]] : f32, f32
func.func @itself(%s: f32) -> f32 {
  return %s : f32
}

// CHECK-LABEL: @nothing(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: return %[[Y]], %[[ZERO]] : f32, f32
func.func @nothing(%s: f32, %y: f32) -> f32 {
  return %y : f32
}

// The scale inside is taken back outside: what is left is 1 - tanh^2, of the tanh that is there.
// CHECK-LABEL: @softcap(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 3.000000e+01 : f32
// CHECK-NEXT: %[[R0:.*]] = arith.divf %[[S]], %[[C]] : f32
// CHECK-NEXT: %[[R1:.*]] = math.tanh %[[R0]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.mulf %[[R1]], %[[R1]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R3:.*]] = arith.subf %[[ONE]], %[[R2]] : f32
// CHECK-NEXT: %[[R4:.*]] = arith.mulf %[[C]], %[[R1]] : f32
// CHECK-NEXT: return %[[R4]], %[[R3]] : f32, f32
func.func @softcap(%s: f32) -> f32 {
  %cap = arith.constant 30.0 : f32
  %a = arith.divf %s, %cap : f32
  %b = math.tanh %a : f32
  %r = arith.mulf %cap, %b : f32
  return %r : f32
}

// One division: 2 s / (s * s + 1).
// CHECK-LABEL: @quotient(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.mulf %[[S]], %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.addf %[[R0]], %[[ONE]] : f32
// CHECK-NEXT: %[[R2:.*]] = math.log %[[R1]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 2.000000e+00 : f32
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[S]], %[[C]] : f32
// CHECK-NEXT: %[[R4:.*]] = arith.divf %[[R3]], %[[R1]] : f32
// CHECK-NEXT: return %[[R2]], %[[R4]] : f32, f32
func.func @quotient(%s: f32) -> f32 {
  %a = arith.mulf %s, %s : f32
  %one = arith.constant 1.0 : f32
  %b = arith.addf %a, %one : f32
  %r = math.log %b : f32
  return %r : f32
}

// CHECK-LABEL: @casts(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.truncf %[[S]] : f32 to f16
// CHECK-NEXT: %[[R1:.*]] = math.exp %[[R0]] : f16
// CHECK-NEXT: %[[R2:.*]] = arith.extf %[[R1]] : f16 to f32
// CHECK-NEXT: %[[R3:.*]] = arith.extf %[[R1]] : f16 to f32
// CHECK-NEXT: return %[[R2]], %[[R3]] : f32, f32
func.func @casts(%s: f32) -> f32 {
  %a = arith.truncf %s : f32 to f16
  %b = math.exp %a : f16
  %r = arith.extf %b : f16 to f32
  return %r : f32
}

// CHECK-LABEL: @integers(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.fptosi %[[S]] : f32 to i32
// CHECK-NEXT: %[[R1:.*]] = arith.sitofp %[[R0]] : i32 to f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[R1]], %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: return %[[R2]], %[[ONE]] : f32, f32
func.func @integers(%s: f32) -> f32 {
  %a = arith.fptosi %s : f32 to i32
  %b = arith.sitofp %a : i32 to f32
  %r = arith.addf %b, %s : f32
  return %r : f32
}

// Questions have no derivative; what they choose has.
// CHECK-LABEL: @where(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 0xFF800000 : f32
// CHECK-NEXT: %[[R0:.*]] = arith.cmpf olt, %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.select %[[R0]], %[[S]], %[[C]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.select %[[R0]], %[[ONE]], %[[ZERO]] : f32
// CHECK-NEXT: return %[[R1]], %[[R2]] : f32, f32
func.func @where(%s: f32, %y: f32) -> f32 {
  %inf = arith.constant 0xFF800000 : f32
  %c = arith.cmpf olt, %s, %y : f32
  %r = arith.select %c, %s, %inf : f32
  return %r : f32
}

// CHECK-LABEL: @isnan(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.isnan %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = math.exp %[[S]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.select %[[R0]], %[[R1]], %[[R2]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.select %[[R0]], %[[R1]], %[[ONE]] : f32
// CHECK-NEXT: return %[[R3]], %[[R4]] : f32, f32
func.func @isnan(%s: f32, %y: f32) -> f32 {
  %c = math.isnan %s : f32
  %a = math.exp %s : f32
  %b = arith.addf %s, %y : f32
  %r = arith.select %c, %a, %b : f32
  return %r : f32
}

// CHECK-LABEL: @same(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.cmpf olt, %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.subf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.select %[[R0]], %[[R1]], %[[R2]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: return %[[R3]], %[[ONE]] : f32, f32
func.func @same(%s: f32, %y: f32) -> f32 {
  %c = arith.cmpf olt, %s, %y : f32
  %a = arith.subf %s, %y : f32
  %b = arith.addf %s, %y : f32
  %r = arith.select %c, %a, %b : f32
  return %r : f32
}

// A branch yields the derivatives of what depends on the score.
// CHECK-LABEL: @branch(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[C:[^:]*]]: i1
// CHECK-NEXT: %[[R0:.*]]:3 = scf.if %[[C]] -> (f32, i32, f32) {
// CHECK-NEXT: %[[C2:.*]] = arith.constant 3 : i32
// CHECK-NEXT: %[[R1:.*]] = math.exp %[[S]] : f32
// CHECK-NEXT: scf.yield %[[R1]], %[[C2]], %[[R1]] : f32, i32, f32
// CHECK-NEXT: } else {
// CHECK-NEXT: %[[C3:.*]] = arith.constant 4 : i32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: scf.yield %[[S]], %[[C3]], %[[ONE]] : f32, i32, f32
// CHECK-NEXT: }
// CHECK-NEXT: return %[[R0]]#0, %[[R0]]#2 : f32, f32
func.func @branch(%s: f32, %c: i1) -> f32 {
  %r:2 = scf.if %c -> (f32, i32) {
    %n = arith.constant 3 : i32
    %e = math.exp %s : f32
    scf.yield %e, %n : f32, i32
  } else {
    %n = arith.constant 4 : i32
    scf.yield %s, %n : f32, i32
  }
  return %r#0 : f32
}

// A loop carries them; of what does not depend on the score there is none.
// CHECK-LABEL: @loop(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[T:[^:]*]]: tensor<?xf32>
// CHECK-NEXT: %[[C:.*]] = arith.constant 0 : index
// CHECK-NEXT: %[[C2:.*]] = arith.constant 1 : index
// CHECK-NEXT: %[[R0:.*]] = tensor.dim %[[T]], %[[C]] : tensor<?xf32>
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]]:3 = scf.for %[[I:.*]] = %[[C]] to %[[R0]] step %[[C2]] iter_args(%[[A:.*]] = %[[S]], %[[K:.*]] = %[[ZERO]], %[[D:.*]] = %[[ONE]]) -> (f32, f32, f32) {
// CHECK-NEXT: %[[R2:.*]] = tensor.extract %[[T]][%[[I]]] : tensor<?xf32>
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[A]], %[[R2]] : f32
// CHECK-NEXT: %[[R4:.*]] = arith.mulf %[[R2]], %[[D]] : f32
// CHECK-NEXT: %[[R5:.*]] = arith.addf %[[K]], %[[R2]] : f32
// CHECK-NEXT: scf.yield %[[R3]], %[[R5]], %[[R4]] : f32, f32, f32
// CHECK-NEXT: }
// CHECK-NEXT: %[[R6:.*]] = arith.addf %[[R1]]#0, %[[R1]]#1 : f32
// CHECK-NEXT: return %[[R6]], %[[R1]]#2 : f32, f32
func.func @loop(%s: f32, %t: tensor<?xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %t, %c0 : tensor<?xf32>
  %z = arith.constant 0.0 : f32
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %s, %k = %z) -> (f32, f32) {
    %x = tensor.extract %t[%i] : tensor<?xf32>
    %b = arith.mulf %a, %x : f32
    %m = arith.addf %k, %x : f32
    scf.yield %b, %m : f32, f32
  }
  %q = arith.addf %r#0, %r#1 : f32
  return %q : f32
}
