// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-softmax-to-linalg),canonicalize)' | FileCheck %s

// Values are looked at where the mask cuts the block; only where one is not finite is a copy made and multiplied, in plain loops.
// CHECK-LABEL: @step
// CHECK-SAME: %[[V:[a-z0-9]+]]: tensor<64x48xbf16>, %[[P:[a-z0-9]+]]: tensor<64x96xbf16>, {{.*}} %[[CUT:[a-z0-9]+]]: i1
// CHECK-DAG: %[[INF:.*]] = arith.constant 32640 : i16
// CHECK-DAG: %[[SIGN:.*]] = arith.constant 32767 : i16
// CHECK: %[[BAD:.*]] = scf.if %[[CUT]] -> (i1) {
// CHECK:   linalg.generic {{.*}} ins(%[[V]] : tensor<64x48xbf16>) outs(%{{.*}} : tensor<48xi16>)
// CHECK:     arith.bitcast {{.*}} : bf16 to i16
// CHECK:     arith.andi %{{.*}}, %[[SIGN]] : i16
// CHECK:     arith.maxui
// CHECK:   arith.cmpi uge, %{{.*}}, %[[INF]] : i16
// CHECK: } else {
// CHECK: scf.if %[[BAD]] -> (tensor<48x96xf32>) {
// CHECK:   %[[SEEN:.*]] = linalg.generic {{.*}}["parallel", "reduction"]{{.*}} attrs = {flash.rare}
// CHECK:     arith.cmpi sle
// CHECK:     arith.ori
// CHECK:   %[[CLEAN:.*]] = linalg.generic {{.*}} ins(%[[V]], %[[SEEN]] : tensor<64x48xbf16>, tensor<64xi32>) {{.*}} attrs = {flash.rare}
// The rescaling stays beside the product that adds to it.
// CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<48x96xf32>) {
// CHECK:     arith.mulf
// CHECK:   linalg.generic {{.*}} ins(%[[CLEAN]], %[[P]] {{.*}} attrs = {flash.rare}
// CHECK: } else {
// CHECK:   linalg.generic {{.*}} outs(%{{.*}} : tensor<48x96xf32>) {
// CHECK:   linalg.matmul {{.*}} ins(%[[V]], %[[P]]
func.func @step(%v: tensor<64x48xbf16>, %p: tensor<64x96xbf16>, %acc: tensor<48x96xf32>, %alpha: tensor<96xf32>, %cut: i1, %n: index) -> tensor<48x96xf32> {
  %a = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%alpha : tensor<96xf32>) outs(%acc : tensor<48x96xf32>) {
  ^bb0(%in: f32, %out: f32):
    %x = arith.mulf %out, %in : f32
    linalg.yield %x : f32
  } -> tensor<48x96xf32>
  %w = flash.hide_unseen %v when %cut queries(%n) : tensor<64x48xbf16> {
  ^bb0(%i: index, %j: index):
    %sees = arith.cmpi sle, %j, %i : index
    flash.yield %sees : i1
  }
  %o = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%w, %p : tensor<64x48xbf16>, tensor<64x96xbf16>) outs(%a : tensor<48x96xf32>) -> tensor<48x96xf32>
  return %o : tensor<48x96xf32>
}

// -----

func.func @no_product(%v: tensor<64x48xbf16>, %cut: i1, %n: index) -> tensor<64x48xbf16> {
  // expected-error @below {{needs a product as its only user on the CPU}}
  %w = flash.hide_unseen %v when %cut queries(%n) : tensor<64x48xbf16> {
  ^bb0(%i: index, %j: index):
    flash.yield %cut : i1
  }
  return %w : tensor<64x48xbf16>
}
