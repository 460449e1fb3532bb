// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_80},flash-tile-attention,flash-decompose-attention),flash-gpu-tile-pipeline{target=sm_80})' | FileCheck %s --check-prefix=KERNEL
// RUN: flash-run %s --entry=integer --target=cpu --check --dim=sq=33 --dim=sk=65 --scalar=seed=-9000000000000000001 --scalar=offset=5 | FileCheck %s --check-prefix=CPU
// RUN: flash-run %s --entry=index --target=cpu --check --dim=sq=33 --dim=sk=65 --scalar=arg3=7 | FileCheck %s --check-prefix=INDEX
// RUN: flash-run %s --entry=integer --target=sm_80 --emit=plan | FileCheck %s --check-prefix=PLAN
// RUN: not flash-run %s --entry=index --target=cpu --scalar=arg3=-9000000000000000001 2>&1 | FileCheck %s --check-prefix=FAR

// Seeds of dropout are arguments of a call: 64-bit integers, or indices that become some. A launch passes indices, of which
// the kernel makes integers.
// KERNEL-LABEL: func.func @index
// KERNEL-NOT: arith.index_cast
// KERNEL: flash_tile.launch
// KERNEL: gpu.func @index
// KERNEL: arith.index_cast %{{.*}} : index to i64

// CPU: seed -9000000000000000001, offset 5
// CPU: check {{.*}} ok
// INDEX: check {{.*}} ok
// PLAN: launch @integer
// PLAN: i64 index(4)
// PLAN-NEXT: i64 index(3)
// FAR: error: arg3 = -9000000000000000001 is beyond what a position can be

func.func @index(%q: tensor<1x4x?x64xbf16>, %k: tensor<1x4x?x64xbf16>, %v: tensor<1x4x?x64xbf16>, %s: index) -> tensor<1x4x?x64xbf16> {
  %seed = arith.index_cast %s : index to i64
  %o = flash.attention %q, %k, %v dropout(%seed, %seed) {dropout_p = 0.1 : f32} : tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16> -> tensor<1x4x?x64xbf16>
  return %o : tensor<1x4x?x64xbf16>
}

func.func @integer(%q: tensor<1x4x?x64xbf16>, %k: tensor<1x4x?x64xbf16>, %v: tensor<1x4x?x64xbf16>, %seed: i64, %offset: i64) -> tensor<1x4x?x64xbf16> {
  %o = flash.attention %q, %k, %v dropout(%seed, %offset) {dropout_p = 0.1 : f32} : tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16>, tensor<1x4x?x64xbf16> -> tensor<1x4x?x64xbf16>
  return %o : tensor<1x4x?x64xbf16>
}
