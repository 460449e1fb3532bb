// RUN: flash-opt %s --flash-math-to-calls | FileCheck %s

// CHECK: func.func private @erf(f64) -> f64
// CHECK-LABEL: func @vector(
// CHECK-COUNT-2: call @erf(%{{.*}}) : (f64) -> f64
// CHECK: math.exp %{{.*}} : vector<2xf64>
func.func @vector(%x: vector<2xf64>) -> vector<2xf64> {
  %y = math.erf %x : vector<2xf64>
  %z = math.exp %y : vector<2xf64>
  return %z : vector<2xf64>
}
