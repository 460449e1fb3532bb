// RUN: flash-opt %s --flash-expand-exp2 | FileCheck %s

// CHECK-LABEL: func @vector(
// CHECK-NOT: math.exp2
// CHECK: arith.cmpf ogt
// CHECK: arith.cmpf olt
// CHECK: arith.shli {{.*}} : vector<8xi32>
// CHECK-COUNT-5: math.fma
// CHECK: arith.mulf
func.func @vector(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.exp2 %x : vector<8xf32>
  return %y : vector<8xf32>
}

// CHECK-LABEL: func @scalar(
// CHECK-NOT: math.exp2
// CHECK: arith.shli {{.*}} : i32
func.func @scalar(%x: f32) -> f32 {
  %y = math.exp2 %x : f32
  return %y : f32
}

// CHECK-LABEL: func @double(
// CHECK-NOT: math.exp2
// CHECK-DAG: arith.constant dense<-1.023000e+03> : vector<4xf64>
// CHECK-DAG: arith.constant dense<52> : vector<4xi64>
// CHECK: arith.shli {{.*}} : vector<4xi64>
// CHECK-COUNT-11: math.fma
// CHECK-NOT: math.fma
func.func @double(%x: vector<4xf64>) -> vector<4xf64> {
  %y = math.exp2 %x : vector<4xf64>
  return %y : vector<4xf64>
}

// CHECK-LABEL: func @half(
// CHECK: math.exp2
func.func @half(%x: f16) -> f16 {
  %y = math.exp2 %x : f16
  return %y : f16
}
