// RUN: flash-opt %s --flash-test-differentiate | FileCheck %s

// The rule of each function of one float: its result, then its derivative, which reuses the result.

// CHECK-LABEL: @negf(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = arith.negf %[[S]] : f32
// CHECK-NEXT: %[[MINUS:.*]] = arith.constant -1.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[MINUS]] : f32, f32
func.func @negf(%s: f32) -> f32 {
  %r = arith.negf %s : f32
  return %r : f32
}

// CHECK-LABEL: @sqrt(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.sqrt %[[S]] : f32
// CHECK-NEXT: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.divf %[[HALF]], %[[R0]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @sqrt(%s: f32) -> f32 {
  %r = math.sqrt %s : f32
  return %r : f32
}

// CHECK-LABEL: @rsqrt(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.rsqrt %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[R0]], %[[R0]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.mulf %[[R1]], %[[R0]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant -5.000000e-01 : f32
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[R2]], %[[C]] : f32
// CHECK-NEXT: return %[[R0]], %[[R3]] : f32, f32
func.func @rsqrt(%s: f32) -> f32 {
  %r = math.rsqrt %s : f32
  return %r : f32
}

// CHECK-LABEL: @cbrt(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.cbrt %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[R0]], %[[R0]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 0.333333343 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.divf %[[C]], %[[R1]] : f32
// CHECK-NEXT: return %[[R0]], %[[R2]] : f32, f32
func.func @cbrt(%s: f32) -> f32 {
  %r = math.cbrt %s : f32
  return %r : f32
}

// CHECK-LABEL: @exp(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.exp %[[S]] : f32
// CHECK-NEXT: return %[[R0]], %[[R0]] : f32, f32
func.func @exp(%s: f32) -> f32 {
  %r = math.exp %s : f32
  return %r : f32
}

// CHECK-LABEL: @exp2(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.exp2 %[[S]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 0.693147182 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[R0]], %[[C]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @exp2(%s: f32) -> f32 {
  %r = math.exp2 %s : f32
  return %r : f32
}

// CHECK-LABEL: @expm1(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.expm1 %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.addf %[[R0]], %[[ONE]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @expm1(%s: f32) -> f32 {
  %r = math.expm1 %s : f32
  return %r : f32
}

// CHECK-LABEL: @log(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.log %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.divf %[[ONE]], %[[S]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @log(%s: f32) -> f32 {
  %r = math.log %s : f32
  return %r : f32
}

// CHECK-LABEL: @log2(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.log2 %[[S]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 1.44269502 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.divf %[[C]], %[[S]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @log2(%s: f32) -> f32 {
  %r = math.log2 %s : f32
  return %r : f32
}

// CHECK-LABEL: @log10(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.log10 %[[S]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 0.434294492 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.divf %[[C]], %[[S]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @log10(%s: f32) -> f32 {
  %r = math.log10 %s : f32
  return %r : f32
}

// CHECK-LABEL: @log1p(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.log1p %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.addf %[[S]], %[[ONE]] : f32
// CHECK-NEXT: %[[ONE2:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.divf %[[ONE2]], %[[R1]] : f32
// CHECK-NEXT: return %[[R0]], %[[R2]] : f32, f32
func.func @log1p(%s: f32) -> f32 {
  %r = math.log1p %s : f32
  return %r : f32
}

// CHECK-LABEL: @sin(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.sin %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = math.cos %[[S]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @sin(%s: f32) -> f32 {
  %r = math.sin %s : f32
  return %r : f32
}

// CHECK-LABEL: @cos(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.cos %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = math.sin %[[S]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.negf %[[R1]] : f32
// CHECK-NEXT: return %[[R0]], %[[R2]] : f32, f32
func.func @cos(%s: f32) -> f32 {
  %r = math.cos %s : f32
  return %r : f32
}

// CHECK-LABEL: @tan(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.tan %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[R0]], %[[R0]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[R1]], %[[ONE]] : f32
// CHECK-NEXT: return %[[R0]], %[[R2]] : f32, f32
func.func @tan(%s: f32) -> f32 {
  %r = math.tan %s : f32
  return %r : f32
}

// CHECK-LABEL: @asin(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.asin %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.subf %[[ONE]], %[[S]] : f32
// CHECK-NEXT: %[[ONE2:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[ONE2]], %[[S]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[R1]], %[[R2]] : f32
// CHECK-NEXT: %[[R4:.*]] = math.rsqrt %[[R3]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @asin(%s: f32) -> f32 {
  %r = math.asin %s : f32
  return %r : f32
}

// CHECK-LABEL: @acos(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.acos %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.subf %[[ONE]], %[[S]] : f32
// CHECK-NEXT: %[[ONE2:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[ONE2]], %[[S]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[R1]], %[[R2]] : f32
// CHECK-NEXT: %[[R4:.*]] = math.rsqrt %[[R3]] : f32
// CHECK-NEXT: %[[R5:.*]] = arith.negf %[[R4]] : f32
// CHECK-NEXT: return %[[R0]], %[[R5]] : f32, f32
func.func @acos(%s: f32) -> f32 {
  %r = math.acos %s : f32
  return %r : f32
}

// CHECK-LABEL: @atan(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.atan %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[S]], %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[R1]], %[[ONE]] : f32
// CHECK-NEXT: %[[ONE2:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R3:.*]] = arith.divf %[[ONE2]], %[[R2]] : f32
// CHECK-NEXT: return %[[R0]], %[[R3]] : f32, f32
func.func @atan(%s: f32) -> f32 {
  %r = math.atan %s : f32
  return %r : f32
}

// CHECK-LABEL: @sinh(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.sinh %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = math.cosh %[[S]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @sinh(%s: f32) -> f32 {
  %r = math.sinh %s : f32
  return %r : f32
}

// CHECK-LABEL: @cosh(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.cosh %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = math.sinh %[[S]] : f32
// CHECK-NEXT: return %[[R0]], %[[R1]] : f32, f32
func.func @cosh(%s: f32) -> f32 {
  %r = math.cosh %s : f32
  return %r : f32
}

// CHECK-LABEL: @tanh(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.tanh %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[R0]], %[[R0]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.subf %[[ONE]], %[[R1]] : f32
// CHECK-NEXT: return %[[R0]], %[[R2]] : f32, f32
func.func @tanh(%s: f32) -> f32 {
  %r = math.tanh %s : f32
  return %r : f32
}

// CHECK-LABEL: @asinh(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.asinh %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[S]], %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[R1]], %[[ONE]] : f32
// CHECK-NEXT: %[[R3:.*]] = math.rsqrt %[[R2]] : f32
// CHECK-NEXT: return %[[R0]], %[[R3]] : f32, f32
func.func @asinh(%s: f32) -> f32 {
  %r = math.asinh %s : f32
  return %r : f32
}

// CHECK-LABEL: @acosh(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.acosh %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.subf %[[S]], %[[ONE]] : f32
// CHECK-NEXT: %[[ONE2:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[S]], %[[ONE2]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[R1]], %[[R2]] : f32
// CHECK-NEXT: %[[R4:.*]] = math.rsqrt %[[R3]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @acosh(%s: f32) -> f32 {
  %r = math.acosh %s : f32
  return %r : f32
}

// CHECK-LABEL: @atanh(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.atanh %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = arith.subf %[[ONE]], %[[S]] : f32
// CHECK-NEXT: %[[ONE2:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.addf %[[ONE2]], %[[S]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.mulf %[[R1]], %[[R2]] : f32
// CHECK-NEXT: %[[ONE3:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.divf %[[ONE3]], %[[R3]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @atanh(%s: f32) -> f32 {
  %r = math.atanh %s : f32
  return %r : f32
}

// CHECK-LABEL: @erf(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.erf %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[S]], %[[S]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.negf %[[R1]] : f32
// CHECK-NEXT: %[[R3:.*]] = math.exp %[[R2]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 1.12837923 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.mulf %[[R3]], %[[C]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @erf(%s: f32) -> f32 {
  %r = math.erf %s : f32
  return %r : f32
}

// CHECK-LABEL: @erfc(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.erfc %[[S]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[S]], %[[S]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.negf %[[R1]] : f32
// CHECK-NEXT: %[[R3:.*]] = math.exp %[[R2]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant -1.12837923 : f32
// CHECK-NEXT: %[[R4:.*]] = arith.mulf %[[R3]], %[[C]] : f32
// CHECK-NEXT: return %[[R0]], %[[R4]] : f32, f32
func.func @erfc(%s: f32) -> f32 {
  %r = math.erfc %s : f32
  return %r : f32
}

// CHECK-LABEL: @sincos(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[SIN:.*]], %[[COS:.*]] = math.sincos %[[S]] : f32
// CHECK-NEXT: %[[R0:.*]] = arith.mulf %[[SIN]], %[[COS]] : f32
// CHECK-NEXT: %[[R1:.*]] = arith.mulf %[[COS]], %[[COS]] : f32
// CHECK-NEXT: %[[R2:.*]] = arith.mulf %[[SIN]], %[[SIN]] : f32
// CHECK-NEXT: %[[R3:.*]] = arith.subf %[[R1]], %[[R2]] : f32
// CHECK-NEXT: return %[[R0]], %[[R3]] : f32, f32
func.func @sincos(%s: f32) -> f32 {
  %a, %b = math.sincos %s : f32
  %r = arith.mulf %a, %b : f32
  return %r : f32
}

// The sign: 0 at 0.
// CHECK-LABEL: @absf(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.absf %[[S]] : f32
// CHECK-NEXT: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[R1:.*]] = math.copysign %[[ONE]], %[[S]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R2:.*]] = arith.cmpf une, %[[S]], %[[ZERO]] : f32
// CHECK-NEXT: %[[ZERO2:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[R3:.*]] = arith.select %[[R2]], %[[R1]], %[[ZERO2]] : f32
// CHECK-NEXT: return %[[R0]], %[[R3]] : f32, f32
func.func @absf(%s: f32) -> f32 {
  %r = math.absf %s : f32
  return %r : f32
}

// Small changes change nothing.
// CHECK-LABEL: @floor(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.floor %[[S]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[ZERO]] : f32, f32
func.func @floor(%s: f32) -> f32 {
  %r = math.floor %s : f32
  return %r : f32
}

// CHECK-LABEL: @ceil(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.ceil %[[S]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[ZERO]] : f32, f32
func.func @ceil(%s: f32) -> f32 {
  %r = math.ceil %s : f32
  return %r : f32
}

// CHECK-LABEL: @trunc(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.trunc %[[S]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[ZERO]] : f32, f32
func.func @trunc(%s: f32) -> f32 {
  %r = math.trunc %s : f32
  return %r : f32
}

// CHECK-LABEL: @round(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.round %[[S]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[ZERO]] : f32, f32
func.func @round(%s: f32) -> f32 {
  %r = math.round %s : f32
  return %r : f32
}

// CHECK-LABEL: @roundeven(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NEXT: %[[R0:.*]] = math.roundeven %[[S]] : f32
// CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: return %[[R0]], %[[ZERO]] : f32, f32
func.func @roundeven(%s: f32) -> f32 {
  %r = math.roundeven %s : f32
  return %r : f32
}
