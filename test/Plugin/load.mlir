// Debian's own mlir-opt, with our plugin in it, reads the dialect and runs a pass of ours.
// REQUIRES: plugin
// RUN: %mlir-opt-with-flash --pass-pipeline='builtin.module(flash-verify-level{level=L0})' %s | FileCheck %s
// RUN: not %mlir-opt-with-flash --pass-pipeline='builtin.module(flash-verify-level{level=L1})' %s 2>&1 | FileCheck %s --check-prefix=L1
// RUN: not mlir-opt %s 2>&1 | FileCheck %s --check-prefix=STOCK

// CHECK-LABEL: func.func @attention
// CHECK: flash.attention %{{.*}}, %{{.*}}, %{{.*}} {mask = #flash.causal}
// L1: error: {{.*}}flash.attention
// STOCK: error: {{.*}}flash
func.func @attention(%q: tensor<1x4x?x64xf32>, %k: tensor<1x2x?x64xf32>, %v: tensor<1x2x?x64xf32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %k, %v {mask = #flash.causal}
      : tensor<1x4x?x64xf32>, tensor<1x2x?x64xf32>, tensor<1x2x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}
