// RUN: flash-opt %s --flash-expand-math | FileCheck %s

// x P(x^2) / Q(x^2), of |x| <= 8.5.
// CHECK-LABEL: func @tanh(
// CHECK-NOT: math.tanh
// CHECK: arith.cmpf ogt
// CHECK: arith.cmpf olt
// CHECK-COUNT-8: math.fma {{.*}} : vector<8xf32>
// CHECK: arith.divf
func.func @tanh(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.tanh %x : vector<8xf32>
  return %y : vector<8xf32>
}

// CHECK-LABEL: func @scalar(
// CHECK-NOT: math.tanh
// CHECK: arith.divf {{.*}} : f32
func.func @scalar(%x: f32) -> f32 {
  %y = math.tanh %x : f32
  return %y : f32
}

// CHECK-LABEL: func @others(
// CHECK-NOT: math.{{(exp|log|log2|log1p|erf|sin|cos)}} %
// CHECK: return
func.func @others(%x: vector<8xf32>) -> vector<8xf32> {
  %0 = math.exp %x : vector<8xf32>
  %1 = math.log %0 : vector<8xf32>
  %2 = math.log2 %1 : vector<8xf32>
  %3 = math.log1p %2 : vector<8xf32>
  %4 = math.erf %3 : vector<8xf32>
  %5 = math.sin %4 : vector<8xf32>
  %6 = math.cos %5 : vector<8xf32>
  return %6 : vector<8xf32>
}

// No polynomial, or not f32: left to the conversion to LLVM.
// CHECK-LABEL: func @left(
// CHECK: math.rsqrt
// CHECK: math.tanh {{.*}} : f64
func.func @left(%x: vector<8xf32>, %y: f64) -> (vector<8xf32>, f64) {
  %0 = math.rsqrt %x : vector<8xf32>
  %1 = math.tanh %y : f64
  return %0, %1 : vector<8xf32>, f64
}
