// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-tile-attention,flash-decompose-attention),canonicalize,cse)' | FileCheck %s

// Blocks of a window that is written as a region, with a width for each head, are found hidden, full or partial by the
// bounds of i - j; the width is read once a block.
// CHECK-LABEL: @window
// CHECK-SAME: %[[WIDTHS:[^:]*]]: tensor<4xi32>
// CHECK: scf.forall (%{{.*}}, %[[H:.*]], %{{.*}}) in
// CHECK: scf.for
// The block is hidden when the least distance is no less than the width ...
// CHECK: %[[BEFORE:.*]] = arith.addi %{{.*}}, %{{.*}} : index
// CHECK: %[[LAST:.*]] = arith.subi %[[BEFORE]]
// CHECK-NEXT: %[[LEAST:.*]] = arith.subi %{{.*}}, %[[LAST]]
// CHECK: %[[READ:.*]] = tensor.extract %[[WIDTHS]][%[[H]]]
// CHECK: %[[WIDTH:.*]] = arith.index_cast %[[READ]]
// CHECK: %[[HIDDEN:.*]] = arith.cmpi sge, %[[LEAST]], %[[WIDTH]]
// CHECK: scf.if %[[HIDDEN]]
// CHECK: linalg.matmul
// ... and needs the predicate when the greatest is, or when keys are missing.
// CHECK: %[[MISSING:.*]] = arith.cmpi slt
// CHECK: %[[GREATEST:.*]] = arith.subi
// CHECK: %[[PARTIAL:.*]] = arith.cmpi sge, %[[GREATEST]], %[[WIDTH]]
// CHECK: %[[EITHER:.*]] = arith.ori %[[MISSING]], %[[PARTIAL]]
// CHECK: scf.if %[[EITHER]]
// CHECK: linalg.generic
// CHECK-NOT: tensor.extract
// CHECK: linalg.yield
func.func @window(%q: tensor<?x4x?x64xf32>, %w: tensor<4xi32>) -> tensor<?x4x?x64xf32> {
  %o = flash.attention %q, %q, %q captures(%w : tensor<4xi32>) {schedule = #flash.schedule<m = 64, n = 32, d = 16>} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %widths: tensor<4xi32>):
    %d = arith.subi %i, %j : index
    %w0 = tensor.extract %widths[%h] : tensor<4xi32>
    %w1 = arith.index_cast %w0 : i32 to index
    %s = arith.cmpi slt, %d, %w1 : index
    flash.yield %s : i1
  } : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x64xf32>
  return %o : tensor<?x4x?x64xf32>
}

// -----

// What a capture holds at other places is not known: every block gets the predicate, which reads it where the query
// exists.
// CHECK-LABEL: @documents
// CHECK-SAME: %[[IDS:[^:]*]]: tensor<?xi32>
// CHECK: scf.for
// CHECK-NOT: scf.if
// CHECK: linalg.matmul
// CHECK: scf.if
// CHECK: linalg.generic
// CHECK: tensor.extract %[[IDS]]
// CHECK: linalg.generic
// CHECK: scf.if
// CHECK-NEXT: tensor.extract %[[IDS]]
func.func @documents(%q: tensor<?x4x?x64xf32>, %ids: tensor<?xi32>) -> tensor<?x4x?x64xf32> {
  %o = flash.attention %q, %q, %q captures(%ids : tensor<?xi32>) {schedule = #flash.schedule<m = 64, n = 32, d = 16>} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %t: tensor<?xi32>):
    // expected-remark @below {{blocks of the mask are not classified, for 'tensor.extract' is not followed here; each gets the predicate}}
    %x = tensor.extract %t[%i] : tensor<?xi32>
    %y = tensor.extract %t[%j] : tensor<?xi32>
    %s = arith.cmpi eq, %x, %y : i32
    flash.yield %s : i1
  } : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x64xf32>
  return %o : tensor<?x4x?x64xf32>
}

// -----

// A product of positions that may wrap around is not followed.
func.func @hash(%q: tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf32> {
  %o = flash.attention %q, %q, %q {schedule = #flash.schedule<m = 64, n = 32, d = 16>} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    // expected-remark @below {{for 'arith.muli' is not followed here}}
    %x = arith.muli %i, %j : index
    %s = arith.cmpi slt, %x, %h : index
    flash.yield %s : i1
  } : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x64xf32>
  return %o : tensor<?x4x?x64xf32>
}
