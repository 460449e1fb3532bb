// RUN: flash-opt %s --flash-test-differentiate | FileCheck %s

// The rule of each function of two floats or three, by each that may depend on the score.

// CHECK-LABEL: @addf(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.addf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[ONE]] : f32, f32
func.func @addf(%s: f32, %y: f32) -> f32 {
  %r = arith.addf %s, %y : f32
  return %r : f32
}

// CHECK-LABEL: @subf(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.subf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[ONE]] : f32, f32
func.func @subf(%s: f32, %y: f32) -> f32 {
  %r = arith.subf %s, %y : f32
  return %r : f32
}

// CHECK-LABEL: @mulf(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.mulf %[[S]], %[[Y]] : f32
// CHECK-NEXT: return %[[R0]], %[[Y]] : f32, f32
func.func @mulf(%s: f32, %y: f32) -> f32 {
  %r = arith.mulf %s, %y : f32
  return %r : f32
}

// CHECK-LABEL: @divf(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.divf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.divf %[[ONE]], %[[Y]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @divf(%s: f32, %y: f32) -> f32 {
  %r = arith.divf %s, %y : f32
  return %r : f32
}

// CHECK-LABEL: @subf_second(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.subf %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[MINUS:.*]] = arith.constant -1.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[MINUS]] : f32, f32
func.func @subf_second(%s: f32, %y: f32) -> f32 {
  %r = arith.subf %y, %s : f32
  return %r : f32
}

// CHECK-LABEL: @divf_second(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.divf %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.negf %[[R0]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.divf %[[R1]], %[[S]] : f32
// CHECK-NEXT: return %[[R0]], %[[R2]] : f32, f32
func.func @divf_second(%s: f32, %y: f32) -> f32 {
  %r = arith.divf %y, %s : f32
  return %r : f32
}

// What trunc(s / y) is does not change.
// CHECK-LABEL: @remf(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.remf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[ONE]] : f32, f32
func.func @remf(%s: f32, %y: f32) -> f32 {
  %r = arith.remf %s, %y : f32
  return %r : f32
}

// CHECK-LABEL: @remf_second(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.remf %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.divf %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[R2:.*]] = math.trunc %[[R1]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.negf %[[R2]] : f32
// CHECK-NEXT: return %[[R0]], %[[R3]] : f32, f32
func.func @remf_second(%s: f32, %y: f32) -> f32 {
  %r = arith.remf %y, %s : f32
  return %r : f32
}

// Of equals each gets a half.
// CHECK-LABEL: @maximumf(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.maximumf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.cmpf uge, %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.cmpf oeq, %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R3:.*]] = arith.select %[[R2]], %[[HALF]], %[[ONE]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.select %[[R1]], %[[R3]], %[[ZERO]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @maximumf(%s: f32, %y: f32) -> f32 {
  %r = arith.maximumf %s, %y : f32
  return %r : f32
}

// CHECK-LABEL: @minimumf(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.minimumf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.cmpf ule, %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.cmpf oeq, %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R3:.*]] = arith.select %[[R2]], %[[HALF]], %[[ONE]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.select %[[R1]], %[[R3]], %[[ZERO]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @minimumf(%s: f32, %y: f32) -> f32 {
  %r = arith.minimumf %s, %y : f32
  return %r : f32
}

// Both operands depend on the score.
// CHECK-LABEL: @maximumf_both(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.mulf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.maximumf %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.cmpf uge, %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.cmpf oeq, %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.select %[[R3]], %[[HALF]], %[[ONE]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R5:.*]] = arith.select %[[R2]], %[[R4]], %[[ZERO]] : f32
// CHECK-NEXT: %[[R6:.*]] = arith.cmpf uge, %[[R0]], %[[S]] : f32
// CHECK-NEXT: %[[R7:.*]] = arith.cmpf oeq, %[[S]], %[[R0]] : f32
// CHECK-NEXT: %[[HALF2:.*]] = arith.constant 5.000000e-01 : f32
// CHECK-NEXT: %[[ONE2:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R8:.*]] = arith.select %[[R7]], %[[HALF2]], %[[ONE2]] : f32
// CHECK-NEXT: %[[R9:.*]] = arith.mulf %[[Y]], %[[R8]] : f32
// CHECK-NEXT: %[[ZERO2:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R10:.*]] = arith.select %[[R6]], %[[R9]], %[[ZERO2]] : f32
// CHECK-NEXT: %[[R11:.*]] = arith.addf %[[R5]], %[[R10]] : f32
// CHECK-NEXT: return %[[R1]], %[[R11]] : f32, f32
func.func @maximumf_both(%s: f32, %y: f32) -> f32 {
  %a = arith.mulf %s, %y : f32
  %r = arith.maximumf %s, %a : f32
  return %r : f32
}

// The first of equals gets all, and a number where the other is a NaN.
// CHECK-LABEL: @maxnumf(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.maxnumf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.cmpf oge, %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.cmpf uno, %[[Y]], %[[Y]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.ori %[[R1]], %[[R2]] : i1
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.select %[[R3]], %[[ONE]], %[[ZERO]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @maxnumf(%s: f32, %y: f32) -> f32 {
  %r = arith.maxnumf %s, %y : f32
  return %r : f32
}

// CHECK-LABEL: @maxnumf_second(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.maxnumf %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.cmpf oge, %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.cmpf uno, %[[S]], %[[S]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.ori %[[R1]], %[[R2]] : i1
// CHECK-NEXT: %[[C:.*]] = arith.constant true
// CHECK-NEXT: %[[R4:.*]] = arith.xori %[[R3]], %[[C]] : i1
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R5:.*]] = arith.select %[[R4]], %[[ONE]], %[[ZERO]] : f32
// CHECK-NEXT: return %[[R0]], %[[R5]] : f32, f32
func.func @maxnumf_second(%s: f32, %y: f32) -> f32 {
  %r = arith.maxnumf %y, %s : f32
  return %r : f32
}

// A constant is no NaN.
// CHECK-LABEL: @minnumf_constant(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 3.000000e+00 : f32
// CHECK-NEXT: %[[R0:.*]] = arith.minnumf %[[S]], %[[C]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.cmpf ole, %[[S]], %[[C]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.select %[[R1]], %[[ONE]], %[[ZERO]] : f32
// CHECK-NEXT: return %[[R0]], %[[R2]] : f32, f32
func.func @minnumf_constant(%s: f32) -> f32 {
  %c = arith.constant 3.0 : f32
  %r = arith.minnumf %s, %c : f32
  return %r : f32
}

// 1 or -1, and 0 at 0; the sign's owner changes nothing.
// CHECK-LABEL: @copysign(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.copysign %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.cmpf oeq, %[[R0]], %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[MINUS:.*]] = arith.constant -1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.select %[[R1]], %[[ONE]], %[[MINUS]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R3:.*]] = arith.cmpf une, %[[S]], %[[ZERO]] : f32
// CHECK-NEXT: %[[ZERO2:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.select %[[R3]], %[[R2]], %[[ZERO2]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @copysign(%s: f32, %y: f32) -> f32 {
  %r = math.copysign %s, %y : f32
  return %r : f32
}

// CHECK-LABEL: @copysign_second(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.copysign %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[ZERO]] : f32, f32
func.func @copysign_second(%s: f32, %y: f32) -> f32 {
  %r = math.copysign %y, %s : f32
  return %r : f32
}

// CHECK-LABEL: @atan2(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.atan2 %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[S]], %[[S]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.mulf %[[Y]], %[[Y]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.addf %[[R1]], %[[R2]] : f32
// CHECK-NEXT: %[[R4:.*]] = arith.divf %[[Y]], %[[R3]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @atan2(%s: f32, %y: f32) -> f32 {
  %r = math.atan2 %s, %y : f32
  return %r : f32
}

// CHECK-LABEL: @atan2_second(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.atan2 %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[Y]], %[[Y]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.mulf %[[S]], %[[S]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.addf %[[R1]], %[[R2]] : f32
// CHECK-NEXT: %[[R4:.*]] = arith.negf %[[Y]] : f32
// CHECK-NEXT: %[[R5:.*]] = arith.divf %[[R4]], %[[R3]] : f32
// CHECK-NEXT: return %[[R0]], %[[R5]] : f32, f32
func.func @atan2_second(%s: f32, %y: f32) -> f32 {
  %r = math.atan2 %y, %s : f32
  return %r : f32
}

// 0 for an exponent of 0.
// CHECK-LABEL: @powf(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.powf %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.subf %[[Y]], %[[ONE]] : f32
// CHECK-NEXT: %[[R2:.*]] = math.powf %[[S]], %[[R1]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[Y]], %[[R2]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.cmpf une, %[[Y]], %[[ZERO]] : f32
// CHECK-NEXT: %[[ZERO2:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R5:.*]] = arith.select %[[R4]], %[[R3]], %[[ZERO2]] : f32
// CHECK-NEXT: return %[[R0]], %[[R5]] : f32, f32
func.func @powf(%s: f32, %y: f32) -> f32 {
  %r = math.powf %s, %y : f32
  return %r : f32
}

// 0 for a base of 0 and an exponent that is not negative.
// CHECK-LABEL: @powf_second(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.powf %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.cmpf une, %[[Y]], %[[ZERO]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.cmpf olt, %[[S]], %[[ZERO]] : f32
// CHECK-NEXT: %[[R3:.*]] = math.log %[[Y]] : f32
// CHECK-NEXT: %[[R4:.*]] = arith.mulf %[[R0]], %[[R3]] : f32
// CHECK-NEXT: %[[R5:.*]] = arith.ori %[[R1]], %[[R2]] : i1
// CHECK-NEXT: %[[ZERO2:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R6:.*]] = arith.select %[[R5]], %[[R4]], %[[ZERO2]] : f32
// CHECK-NEXT: return %[[R0]], %[[R6]] : f32, f32
func.func @powf_second(%s: f32, %y: f32) -> f32 {
  %r = math.powf %y, %s : f32
  return %r : f32
}

// CHECK-LABEL: @powf_constant(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 2.500000e+00 : f32
// CHECK-NEXT: %[[R0:.*]] = math.powf %[[S]], %[[C]] : f32
// CHECK-NEXT: %[[C2:.*]] = arith.constant 1.500000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = math.powf %[[S]], %[[C2]] : f32
// CHECK-NEXT: %[[C3:.*]] = arith.constant 2.500000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.mulf %[[R1]], %[[C3]] : f32
// CHECK-NEXT: return %[[R0]], %[[R2]] : f32, f32
func.func @powf_constant(%s: f32) -> f32 {
  %c = arith.constant 2.5 : f32
  %r = math.powf %s, %c : f32
  return %r : f32
}

// A square needs no power.
// CHECK-LABEL: @powf_square(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 2.000000e+00 : f32
// CHECK-NEXT: %[[R0:.*]] = math.powf %[[S]], %[[C]] : f32
// CHECK-NEXT: %[[C2:.*]] = arith.constant 2.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[S]], %[[C2]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @powf_square(%s: f32) -> f32 {
  %c = arith.constant 2.0 : f32
  %r = math.powf %s, %c : f32
  return %r : f32
}

// CHECK-LABEL: @powf_of_constant(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 1.000000e+01 : f32
// CHECK-NEXT: %[[R0:.*]] = math.powf %[[C]], %[[S]] : f32
// CHECK-NEXT: %[[C2:.*]] = arith.constant 2.30258512 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[R0]], %[[C2]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @powf_of_constant(%s: f32) -> f32 {
  %c = arith.constant 10.0 : f32
  %r = math.powf %c, %s : f32
  return %r : f32
}

// CHECK-LABEL: @fpowi(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[N:[^:]*]]: i32
// CHECK-NEXT: %[[R0:.*]] = math.fpowi %[[S]], %[[N]] : f32, i32
// CHECK-NEXT: %[[C:.*]] = arith.constant 1 : i32
// CHECK-NEXT: %[[R1:.*]] = arith.subi %[[N]], %[[C]] : i32
// CHECK-NEXT: %[[R2:.*]] = math.fpowi %[[S]], %[[R1]] : f32, i32
// CHECK-NEXT: %[[R3:.*]] = arith.sitofp %[[N]] : i32 to f32
// CHECK-NEXT: %[[R4:.*]] = arith.mulf %[[R3]], %[[R2]] : f32
// CHECK-NEXT: %[[C2:.*]] = arith.constant 0 : i32
// CHECK-NEXT: %[[R5:.*]] = arith.cmpi ne, %[[N]], %[[C2]] : i32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R6:.*]] = arith.select %[[R5]], %[[R4]], %[[ZERO]] : f32
// CHECK-NEXT: return %[[R0]], %[[R6]] : f32, f32
func.func @fpowi(%s: f32, %n: i32) -> f32 {
  %r = math.fpowi %s, %n : f32, i32
  return %r : f32
}

// CHECK-LABEL: @fpowi_constant(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 3 : i32
// CHECK-NEXT: %[[R0:.*]] = math.fpowi %[[S]], %[[C]] : f32, i32
// CHECK-NEXT: %[[C2:.*]] = arith.constant 2 : i32
// CHECK-NEXT: %[[R1:.*]] = math.fpowi %[[S]], %[[C2]] : f32, i32
// CHECK-NEXT: %[[C3:.*]] = arith.constant 3.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.mulf %[[R1]], %[[C3]] : f32
// CHECK-NEXT: return %[[R0]], %[[R2]] : f32, f32
func.func @fpowi_constant(%s: f32) -> f32 {
  %c = arith.constant 3 : i32
  %r = math.fpowi %s, %c : f32, i32
  return %r : f32
}

// CHECK-LABEL: @fma(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32, %[[Z:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.fma %[[S]], %[[Y]], %[[Z]] : f32
// CHECK-NEXT: return %[[R0]], %[[Y]] : f32, f32
func.func @fma(%s: f32, %y: f32, %z: f32) -> f32 {
  %r = math.fma %s, %y, %z : f32
  return %r : f32
}

// CHECK-LABEL: @fma_all(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.fma %[[S]], %[[S]], %[[S]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 2.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[S]], %[[C]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[R1]], %[[ONE]] : f32
// CHECK-NEXT: return %[[R0]], %[[R2]] : f32, f32
func.func @fma_all(%s: f32) -> f32 {
  %r = math.fma %s, %s, %s : f32
  return %r : f32
}

// Inside the bounds and on them.
// CHECK-LABEL: @clampf(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32, %[[Z:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.clampf %[[S]] to [%[[Y]], %[[Z]]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.cmpf oge, %[[S]], %[[Y]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.cmpf ole, %[[S]], %[[Z]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.andi %[[R1]], %[[R2]] : i1
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.select %[[R3]], %[[ONE]], %[[ZERO]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @clampf(%s: f32, %y: f32, %z: f32) -> f32 {
  %r = math.clampf %s to [%y, %z] : f32
  return %r : f32
}

// CHECK-LABEL: @clampf_low(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32, %[[Z:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.clampf %[[Y]] to [%[[S]], %[[Z]]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.cmpf olt, %[[S]], %[[Z]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.cmpf olt, %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.andi %[[R1]], %[[R2]] : i1
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.select %[[R3]], %[[ONE]], %[[ZERO]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @clampf_low(%s: f32, %y: f32, %z: f32) -> f32 {
  %r = math.clampf %y to [%s, %z] : f32
  return %r : f32
}

// CHECK-LABEL: @clampf_high(
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[Y:[^:]*]]: f32, %[[Z:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.clampf %[[Y]] to [%[[Z]], %[[S]]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.cmpf ogt, %[[Y]], %[[S]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.cmpf olt, %[[S]], %[[Z]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.ori %[[R1]], %[[R2]] : i1
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.select %[[R3]], %[[ONE]], %[[ZERO]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @clampf_high(%s: f32, %y: f32, %z: f32) -> f32 {
  %r = math.clampf %y to [%z, %s] : f32
  return %r : f32
}
