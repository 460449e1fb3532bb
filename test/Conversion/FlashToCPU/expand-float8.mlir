// RUN: flash-opt %s --flash-expand-float8 | FileCheck %s

// The upper half of an f16.
// CHECK-LABEL: func @e5m2(
// CHECK: arith.extui {{.*}} : vector<8xi8> to vector<8xi16>
// CHECK-NEXT: arith.shli
// CHECK-NEXT: arith.bitcast {{.*}} : vector<8xi16> to vector<8xf16>
// CHECK-NEXT: arith.extf {{.*}} : vector<8xf16> to vector<8xf32>
// CHECK-NEXT: return
func.func @e5m2(%x: vector<8xf8E5M2>) -> vector<8xf32> {
  %y = arith.extf %x : vector<8xf8E5M2> to vector<8xf32>
  return %y : vector<8xf32>
}

// CHECK-LABEL: func @e4m3(
// CHECK: arith.extf {{.*}} : f16 to f32
// CHECK: arith.mulf {{.*}} : f32
// CHECK: arith.select {{.*}} : f32
// CHECK: arith.extf {{.*}} : f32 to f64
func.func @e4m3(%x: f8E4M3FN) -> f64 {
  %y = arith.extf %x : f8E4M3FN to f64
  return %y : f64
}

// CHECK-LABEL: func @others(
// CHECK-NEXT: arith.extf {{.*}} : bf16 to f32
func.func @others(%x: bf16) -> f32 {
  %y = arith.extf %x : bf16 to f32
  return %y : f32
}
