// Which loop of a backward is outside, and who adds to which gradient.
//
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-schedule-recompute{target=sm_90a}))' | FileCheck %s --check-prefixes=CHECK,GPU
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-schedule-recompute{target=sm_90a deterministic=true}))' | FileCheck %s --check-prefixes=CHECK,ORDER
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-schedule-recompute{target=cpu:x86-64-v3}))' | FileCheck %s --check-prefixes=CHECK,CPU
// RUN: not flash-opt %S/Inputs/recompute-untaken.mlir --split-input-file --pass-pipeline='builtin.module(func.func(flash-schedule-recompute))' 2>&1 | FileCheck %s --check-prefix=UNTAKEN
// RUN: not flash-opt %S/Inputs/recompute-untaken-by-gpu.mlir --split-input-file --pass-pipeline='builtin.module(func.func(flash-schedule-recompute{target=sm_90a}))' 2>&1 | FileCheck %s --check-prefix=UNTAKENBYGPU
//
// UNTAKENBYGPU: does not take gradients for score_operands and captures on a {{GPU}} yet: compile it for a {{CPU}}, or leave its arguments out by wrt = [...]
// UNTAKENBYGPU: does not take a gradient for sinks on a {{GPU}} yet
// UNTAKENBYGPU: does not take key_slice on a {{GPU}} yet
// UNTAKENBYGPU: does not take page_table on a {{GPU}} yet
// UNTAKENBYGPU: is deterministic, but has sum = added, by which blocks of keys add in any order: write #flash.recompute<outer = both>
//
// UNTAKEN: does not take keys or values of 8 bits yet; the forward does
// UNTAKEN: has outer = queries, which gives the gradient of the query alone: write #flash.recompute<outer = keys> or <outer = both>
// UNTAKEN: has statistics = product, which is for blocks of keys outside on a {{GPU}}: leave it out, or write statistics = operands
// UNTAKEN: has sum = added, by which blocks of keys add to memory at the same time: on a CPU write #flash.recompute<outer = keys, sum = owned>, or <outer = both>

!t = tensor<?x?x?x64xbf16>
!w = tensor<?x?x?x256xbf16>
!s = tensor<1x1x128x64xbf16>
!l = tensor<?x?x?xf32>

// CHECK-LABEL: @all
// GPU: recompute = #flash.recompute<outer = keys, sum = added, statistics = product>
// ORDER: recompute = #flash.recompute<outer = both, sum = added>
// CPU: recompute = #flash.recompute<outer = keys, sum = owned>
func.func @all(%t: !t, %l: !l) -> (!t, !t, !t) {
  %r:3 = flash.attention_backward %t, %t, %t, %t, %l, %t : !t, !t, !t, !t, !l, !t -> query !t key !t value !t
  return %r#0, %r#1, %r#2 : !t, !t, !t
}
// CHECK-LABEL: @query
// CHECK: recompute = #flash.recompute<outer = queries, sum = owned>
func.func @query(%t: !t, %l: !l) -> !t {
  %r = flash.attention_backward %t, %t, %t, %t, %l, %t : !t, !t, !t, !t, !l, !t -> query !t
  return %r : !t
}
// CHECK-LABEL: @wide
// GPU: recompute = #flash.recompute<outer = each, sum = added>
// CPU: recompute = #flash.recompute<outer = keys, sum = owned>
func.func @wide(%t: !w, %l: !l) -> (!w, !w, !w) {
  %r:3 = flash.attention_backward %t, %t, %t, %t, %l, %t : !w, !w, !w, !w, !l, !w -> query !w key !w value !w
  return %r#0, %r#1, %r#2 : !w, !w, !w
}
// What is given is kept.
// CHECK-LABEL: @given
// CHECK: recompute = #flash.recompute<outer = both, sum = owned>
func.func @given(%t: !t, %l: !l) -> (!t, !t, !t) {
  %r:3 = flash.attention_backward %t, %t, %t, %t, %l, %t {recompute = #flash.recompute<outer = both, sum = owned>}
      : !t, !t, !t, !t, !l, !t -> query !t key !t value !t
  return %r#0, %r#1, %r#2 : !t, !t, !t
}
// A factor of which LSE / scale may be no number leaves statistics to be operands.
// CHECK-LABEL: @small
// GPU: recompute = #flash.recompute<outer = keys, sum = added>
func.func @small(%t: !t, %l: !l) -> (!t, !t, !t) {
  %r:3 = flash.attention_backward %t, %t, %t, %t, %l, %t {scale = 1.0e-30 : f32} : !t, !t, !t, !t, !l, !t -> query !t key !t value !t
  return %r#0, %r#1, %r#2 : !t, !t, !t
}
// What is deterministic asks for a fixed order; on a CPU each has one.
// CHECK-LABEL: @deterministic
// GPU: recompute = #flash.recompute<outer = both, sum = added>
// CPU: recompute = #flash.recompute<outer = keys, sum = owned>
func.func @deterministic(%t: !t, %l: !l) -> (!t, !t, !t) {
  %r:3 = flash.attention_backward %t, %t, %t, %t, %l, %t {deterministic} : !t, !t, !t, !t, !l, !t -> query !t key !t value !t
  return %r#0, %r#1, %r#2 : !t, !t, !t
}
// Dropout drops of dP, and not of delta, which cannot be part of its product.
// CHECK-LABEL: @dropout
// GPU: recompute = #flash.recompute<outer = keys, sum = added>
func.func @dropout(%t: !t, %l: !l, %s: i64) -> (!t, !t, !t) {
  %r:3 = flash.attention_backward %t, %t, %t, %t, %l, %t dropout(%s, %s) {dropout_p = 0.1 : f32} : !t, !t, !t, !t, !l, !t -> query !t key !t value !t
  return %r#0, %r#1, %r#2 : !t, !t, !t
}
