// RUN: flash-opt %s --flash-widen-float16 | FileCheck %s

// Each operation is computed in f32 and rounded once.
// CHECK-LABEL: func @arithmetic(
// CHECK-SAME: %[[X:.*]]: vector<9xbf16>, %[[Y:.*]]: vector<9xbf16>
func.func @arithmetic(%x: vector<9xbf16>, %y: vector<9xbf16>) -> (vector<9xbf16>, vector<9xi1>) {
  // CHECK: %[[A:.*]] = arith.extf %[[X]] : vector<9xbf16> to vector<9xf32>
  // CHECK: %[[B:.*]] = arith.extf %[[Y]] : vector<9xbf16> to vector<9xf32>
  // CHECK: %[[SUM:.*]] = arith.addf %[[A]], %[[B]] fastmath<contract> : vector<9xf32>
  // CHECK: %[[S:.*]] = arith.truncf %[[SUM]] : vector<9xf32> to vector<9xbf16>
  %s = arith.addf %x, %y fastmath<contract> : vector<9xbf16>
  // CHECK: %[[S32:.*]] = arith.extf %[[S]]
  // CHECK: %[[E32:.*]] = math.exp %[[S32]] : vector<9xf32>
  // CHECK: %[[E:.*]] = arith.truncf %[[E32]]
  %e = math.exp %s : vector<9xbf16>
  // CHECK: math.fma {{.*}} : vector<9xf32>
  %f = math.fma %e, %x, %y : vector<9xbf16>
  // CHECK: arith.cmpf olt, {{.*}} : vector<9xf32>
  %c = arith.cmpf olt, %f, %y : vector<9xbf16>
  return %f, %c : vector<9xbf16>, vector<9xi1>
}

// f16 alike, and scalars.
// CHECK-LABEL: func @scalar(
func.func @scalar(%x: f16) -> f16 {
  // CHECK: arith.extf {{.*}} : f16 to f32
  // CHECK: arith.mulf {{.*}} : f32
  // CHECK-NEXT: arith.truncf {{.*}} : f32 to f16
  %y = arith.mulf %x, %x : f16
  return %y : f16
}

// What moves bits, and conversions from and to f32, stay.
// CHECK-LABEL: func @moved(
func.func @moved(%c: i1, %x: bf16, %y: f32) -> (bf16, f32, i16) {
  // CHECK-NEXT: arith.constant 1.000000e+00 : bf16
  // CHECK-NEXT: arith.select {{.*}} : bf16
  // CHECK-NEXT: arith.extf {{.*}} : bf16 to f32
  // CHECK-NEXT: arith.truncf {{.*}} : f32 to bf16
  // CHECK-NEXT: arith.bitcast {{.*}} : bf16 to i16
  // CHECK-NEXT: return
  %one = arith.constant 1.0 : bf16
  %s = arith.select %c, %x, %one : bf16
  %e = arith.extf %s : bf16 to f32
  %t = arith.truncf %y : f32 to bf16
  %b = arith.bitcast %t : bf16 to i16
  return %s, %e, %b : bf16, f32, i16
}

// Integers of 32 bits and more go by way of f64, with one rounding that counts.
// CHECK-LABEL: func @integers(
func.func @integers(%i: i32, %j: i8, %x: bf16) -> (bf16, bf16, i32) {
  // CHECK: arith.sitofp {{.*}} : i32 to f64
  // CHECK-NEXT: arith.truncf {{.*}} : f64 to f32
  // CHECK: arith.truncf {{.*}} : f32 to bf16
  %a = arith.sitofp %i : i32 to bf16
  // CHECK: arith.uitofp {{.*}} : i8 to f32
  // CHECK-NEXT: arith.truncf {{.*}} : f32 to bf16
  %b = arith.uitofp %j : i8 to bf16
  // CHECK: arith.fptosi {{.*}} : f32 to i32
  %c = arith.fptosi %x : bf16 to i32
  return %a, %b, %c : bf16, bf16, i32
}

// f64 becomes an f32 whose last bit tells that something was lost.
// CHECK-LABEL: func @doubles(
// CHECK-SAME: %[[X:.*]]: f64
func.func @doubles(%x: f64, %y: f16) -> (f16, f64) {
  // CHECK: %[[NEAREST:.*]] = arith.truncf %[[X]] : f64 to f32
  // CHECK: %[[BACK:.*]] = arith.extf %[[NEAREST]] : f32 to f64
  // CHECK: %[[BITS:.*]] = arith.bitcast %[[NEAREST]] : f32 to i32
  // CHECK: arith.cmpf one, %[[BACK]], %[[X]] : f64
  // CHECK: %[[ODD:.*]] = arith.select {{.*}}, %[[BITS]] : i32
  // CHECK: %[[F32:.*]] = arith.bitcast %[[ODD]] : i32 to f32
  // CHECK: arith.truncf %[[F32]] : f32 to f16
  %t = arith.truncf %x : f64 to f16
  // CHECK: %[[WIDE:.*]] = arith.extf {{.*}} : f16 to f32
  // CHECK: arith.extf %[[WIDE]] : f32 to f64
  %e = arith.extf %y : f16 to f64
  return %t, %e : f16, f64
}
