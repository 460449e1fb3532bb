// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-tile-attention,flash-decompose-attention),canonicalize,cse)' | FileCheck %s

// A window that is written as a region, with a width for each head, bounds the loop as the attribute does; the width is read once a tile of
// queries. Blocks are full or partial by the bounds of i - j.
// CHECK-LABEL: @window
// CHECK-SAME: %[[WIDTHS:[^:]*]]: tensor<4xi32>
// CHECK: scf.forall (%{{.*}}, %[[H:.*]], %{{.*}}) in
// CHECK: %[[READ:.*]] = tensor.extract %[[WIDTHS]][%[[H]]]
// CHECK: %[[WIDTH:.*]] = arith.index_cast %[[READ]]
// CHECK: %[[FIRST:.*]] = arith.subi
// CHECK: arith.maxsi %[[FIRST]]
// CHECK: scf.for
// CHECK-NOT: scf.if
// CHECK: linalg.matmul
// A block needs the predicate when the greatest distance is no less than the width, or when keys are missing.
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
  %o = flash.attention %q, %q, %q captures(%ids : tensor<?xi32>) {schedule = #flash.schedule<m = 64, n = 32, d = 16, warps = 4, instruction = mma_sync>} mask {
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

// -----

// Two ranges with a hole between them: each block is asked whether it is hidden.
// CHECK-LABEL: @hole
// CHECK: scf.for
// CHECK: %[[HIDDEN:.*]] = arith.{{.*}} : i1
// CHECK: scf.if %[[HIDDEN]]
// CHECK: } else {
// CHECK: linalg.matmul
func.func @hole(%q: tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf32> {
  %o = flash.attention %q, %q, %q {schedule = #flash.schedule<m = 64, n = 32, d = 16>} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c100 = arith.constant 100 : index
    %d = arith.subi %i, %j : index
    %near = arith.cmpi slt, %d, %c100 : index
    %sink = arith.cmpi slt, %j, %c100 : index
    %s = arith.ori %near, %sink : i1
    flash.yield %s : i1
  } : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x64xf32>
  return %o : tensor<?x4x?x64xf32>
}

// -----

// Quotients: of documents of 96 positions, the loop goes from the first query's document to the last one's.
// CHECK-LABEL: @documents_of_96
// CHECK: %[[LAST:.*]] = arith.floordivsi %{{.*}}, %c96
// CHECK: arith.muli %{{.*}}, %c96
// CHECK: scf.for
// CHECK-NOT: scf.if
// CHECK: linalg.matmul
func.func @documents_of_96(%q: tensor<?x4x?x64xf32>) -> tensor<?x4x?x64xf32> {
  %o = flash.attention %q, %q, %q {schedule = #flash.schedule<m = 64, n = 32, d = 16>} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %n = arith.constant 96 : index
    %x = arith.floordivsi %i, %n : index
    %y = arith.floordivsi %j, %n : index
    %s = arith.cmpi eq, %x, %y : index
    flash.yield %s : i1
  } : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x64xf32>
  return %o : tensor<?x4x?x64xf32>
}
