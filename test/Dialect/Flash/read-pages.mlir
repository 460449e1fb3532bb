// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-expand-pages),canonicalize)' | FileCheck %s

// On the CPU, a copy of each row that exists: its page, kept within those that there are, and its place there.
// CHECK-LABEL: @expand
// CHECK-SAME: %[[K:[a-z0-9]+]]: tensor<?x16x2x60xf32>, %[[TABLE:[a-z0-9]+]]: tensor<?x?xi32>, %[[N:[a-z0-9]+]]: index, %[[H:[a-z0-9]+]]: index, %[[J:[a-z0-9]+]]: index, %[[ROWS:[a-z0-9]+]]: index
// CHECK: %[[ZEROS:.*]] = linalg.fill
// CHECK: %[[PAGES:.*]] = tensor.dim %[[K]], %c0
// CHECK: scf.for %[[R:.*]] = %c0 to %[[ROWS]] step %c1 iter_args(%[[TILE:.*]] = %[[ZEROS]])
// CHECK: %[[KEY:.*]] = arith.addi %[[J]], %[[R]]
// CHECK: %[[AT:.*]] = arith.divui %[[KEY]], %c16
// CHECK: tensor.extract %[[TABLE]][%[[N]], %[[AT]]]
// CHECK: arith.minsi
// CHECK: %[[PAGE:.*]] = arith.maxsi
// CHECK: %[[ROW:.*]] = arith.subi %[[KEY]], %{{.*}}
// CHECK: %[[READ:.*]] = tensor.extract_slice %[[K]][%[[PAGE]], %[[ROW]], %[[H]], 0] [1, 1, 1, 60]
// CHECK: tensor.insert_slice %[[READ]] into %[[TILE]][%[[R]], 0] [1, 60]
func.func @expand(%k: tensor<?x16x2x60xf32>, %t: tensor<?x?xi32>, %n: index, %h: index, %j: index, %rows: index) -> tensor<48x64xf32> {
  %tile = flash.read_pages %k[%h] page_table(%t[%n]) first(%j) rows(%rows) {layout = #flash.layout<bshd>} : tensor<?x16x2x60xf32>, tensor<?x?xi32> -> tensor<48x64xf32>
  return %tile : tensor<48x64xf32>
}

// -----

// CHECK-LABEL: @all_rows
// CHECK: scf.for %{{.*}} = %c0 to %c48
func.func @all_rows(%k: tensor<?x2x?x64xbf16>, %t: tensor<?x?xi32>, %n: index) -> tensor<48x64xbf16> {
  %tile = flash.read_pages %k[%n] page_table(%t[%n]) first(%n) : tensor<?x2x?x64xbf16>, tensor<?x?xi32> -> tensor<48x64xbf16>
  return %tile : tensor<48x64xbf16>
}
