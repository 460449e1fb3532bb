// NaN and infinity in values and keys that no query sees reach no result, whatever hides them.
// RUN: flash-run %s --entry=causal --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=infinite --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=window --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=both_sides --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=prefix --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=segments --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=region --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=captured --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=either --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=lists --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=half --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=double --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=lengths --target=cpu --check | FileCheck %s
// What a query does see reaches its result, and results are compared as they are.
// RUN: flash-run %s --entry=seen --target=cpu --check | FileCheck %s
// CHECK: check {{.*}} ok
// CHECK-NOT: FAILED

!q = tensor<1x4x5x40xf32>
!k = tensor<1x2x150x40xf32>
#id = affine_map<(a, b, c, d) -> (a, b, c, d)>

// The keys from `from` on and those before `before` are `bad`.
func.func private @spoil(%x: !k, %before: index, %from: index, %bad: f32) -> !k {
  %e = tensor.empty() : !k
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x : !k) outs(%e : !k) {
  ^bb0(%in: f32, %out: f32):
    %j = linalg.index 2 : index
    %low = arith.cmpi sge, %j, %before : index
    %high = arith.cmpi slt, %j, %from : index
    %good = arith.andi %low, %high : i1
    %z = arith.select %good, %in, %bad : f32
    linalg.yield %z : f32
  } -> !k
  return %w : !k
}
