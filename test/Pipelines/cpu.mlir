// RUN: flash-opt %s --flash-cpu-pipeline="target=cpu:x86-64-v3" | FileCheck %s
// RUN: flash-opt %s --flash-cpu-pipeline="target=cpu:x86-64-v4" | FileCheck %s --check-prefix=WIDE
// RUN: flash-opt %s --flash-cpu-pipeline="target=cpu:x86-64-v3 vector-bits=512 registers=32" | FileCheck %s --check-prefix=WIDE
// RUN: flash-opt %s --flash-choose-schedule=target=cpu:x86-64-v3 --flash-tile-attention --flash-decompose-attention --flash-cpu-lowering-pipeline=target=cpu:x86-64-v3 | FileCheck %s
// RUN: not flash-opt %s --flash-cpu-pipeline="target=cpu:pentium" 2>&1 | FileCheck %s --check-prefix=NAMES
// NAMES: error: flash-choose-schedule: no CPU 'pentium'; there are x86-64, x86-64-v2, x86-64-v3,

// From attention to a body over query blocks and a call of the runtime. No heap
// is allocated, nothing is copied by a call, and exp2 is arithmetic.

// CHECK-LABEL: llvm.func @flash_rt_parallel_for(i64, !llvm.ptr, !llvm.ptr)
// CHECK-NOT: llvm.call
// CHECK-LABEL: llvm.func @f_body0(%{{.+}}: !llvm.ptr, %{{.+}}: i64, %{{.+}}: i64)
// CHECK: llvm.intr.fma{{.*}} : (vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK-NOT: llvm.call
// CHECK-NOT: llvm.intr.exp2
// CHECK-LABEL: llvm.func @f(
// CHECK: llvm.call @flash_rt_parallel_for
// CHECK-NOT: llvm.call
// CHECK-LABEL: llvm.func @_mlir_ciface_f(
// WIDE: llvm.intr.fma{{.*}} : (vector<16xf32>, vector<16xf32>, vector<16xf32>)
func.func @f(%q: tensor<?x?x?x64xf16>, %k: tensor<?x?x?x64xf16>, %v: tensor<?x?x?x64xf16>) -> tensor<?x?x?x64xf16> {
  %o = flash.attention %q, %k, %v {mask = #flash.causal}
      : tensor<?x?x?x64xf16>, tensor<?x?x?x64xf16>, tensor<?x?x?x64xf16> -> tensor<?x?x?x64xf16>
  return %o : tensor<?x?x?x64xf16>
}
