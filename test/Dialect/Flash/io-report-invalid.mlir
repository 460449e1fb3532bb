// RUN: not flash-opt %s --flash-io-report 2>&1 | FileCheck %s
// CHECK: io-report-invalid.mlir:[[@LINE+14]]:{{.*}} error: has no complete schedule (m, n and d): run flash-choose-schedule before

// RUN: not flash-opt %s --flash-io-report=target=sm_7 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: error: flash-io-report: no target 'sm_7'; there are cpu
// RUN: not flash-opt %s --flash-io-report=format=xml 2>&1 | FileCheck %s --check-prefix=FORMAT
// FORMAT: error: flash-io-report: the format is text or json, not 'xml'
// RUN: not flash-opt %s --flash-io-report=dims=length=4 2>&1 | FileCheck %s --check-prefix=DIMS
// DIMS: error: flash-io-report: 'length=4' is not NAME=N with a NAME of batch, heads, kv_heads, sq, sk or argK
// RUN: not flash-opt %s --flash-io-report=dims=sq=-4 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// NEGATIVE: error: flash-io-report: 'sq=-4' is not NAME=N
// RUN: not flash-opt %s --flash-io-report=file=%t.no/such/folder 2>&1 | FileCheck %s --check-prefix=FILE
// FILE: error: flash-io-report: writing '{{.*}}': {{.+}}

func.func @attention(%q: tensor<1x4x?x64xf32>, %k: tensor<1x2x?x64xf32>, %v: tensor<1x2x?x64xf32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %k, %v
      : tensor<1x4x?x64xf32>, tensor<1x2x?x64xf32>, tensor<1x2x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}
