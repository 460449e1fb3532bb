// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-insert-checks))' | FileCheck %s

// What the types leave open is asserted, with messages that name the dimension.
// CHECK-LABEL: @dynamic
// CHECK: cf.assert %{{.*}}, "batch of the query
// CHECK: cf.assert %{{.*}}, "length of the key
// CHECK: flash.attention
func.func @dynamic(%q: tensor<?x4x?x64xf16>, %k: tensor<?x2x?x64xf16>, %v: tensor<?x2x?x64xf16>) -> tensor<?x4x?x64xf16> {
  %o = flash.attention %q, %k, %v : tensor<?x4x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xf16> -> tensor<?x4x?x64xf16>
  return %o : tensor<?x4x?x64xf16>
}

// -----

// CHECK-LABEL: @static
// CHECK-NOT: cf.assert
func.func @static(%q: tensor<1x4x9x64xf16>) -> tensor<1x4x9x64xf16> {
  %o = flash.attention %q, %q, %q : tensor<1x4x9x64xf16>, tensor<1x4x9x64xf16>, tensor<1x4x9x64xf16> -> tensor<1x4x9x64xf16>
  return %o : tensor<1x4x9x64xf16>
}
