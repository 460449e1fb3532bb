// Heads of a group share the loop over the queries that see a block of keys. Where none of them sees it, the range ends
// before it begins, and the loop has no iterations.
//
// RUN: flash-run %s --target=cpu --differentiate --check --schedule='#flash.schedule<m = 16, n = 16, d = 1>' | FileCheck %s
// RUN: flash-run %s --target=cpu --differentiate --count-io --schedule='#flash.schedule<m = 16, n = 16, d = 1>' | FileCheck %s --check-prefix=IO

// CHECK-COUNT-4: {{ ok$}}
// IO: the io report says the same

func.func @attention(%q: tensor<1x4x96x64xf32>, %k: tensor<1x2x512x64xf32>, %v: tensor<1x2x512x64xf32>) -> tensor<1x4x96x64xf32> {
  %o = flash.attention %q, %k, %v {mask = #flash.region} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c = arith.constant 448 : index
    %x = arith.cmpi sle, %j, %i : index
    %y = arith.cmpi slt, %i, %c : index
    %r = arith.andi %x, %y : i1
    flash.yield %r : i1
  } : tensor<1x4x96x64xf32>, tensor<1x2x512x64xf32>, tensor<1x2x512x64xf32> -> tensor<1x4x96x64xf32>
  return %o : tensor<1x4x96x64xf32>
}
