// RUN: flash-opt %s | flash-opt | FileCheck %s

// CHECK-LABEL: @attention
func.func @attention(%q: tensor<?x32x?x128xbf16>, %k: tensor<?x8x?x128xbf16>, %v: tensor<?x8x?x96xbf16>, %i: index)
    -> (tensor<?x32x?x96xbf16>, tensor<?x32x?xf32>) {
  // CHECK: flash.attention %{{.*}}, %{{.*}}, %{{.*}} q_offset(%{{.*}}) kv_offset(%{{.*}}) {mask = #flash.causal, scale = 5.000000e-01 : f32}
  // CHECK-SAME: -> tensor<?x32x?x96xbf16>, tensor<?x32x?xf32>
  %o, %lse = flash.attention %q, %k, %v q_offset(%i) kv_offset(%i) {mask = #flash.causal, scale = 0.5 : f32}
      : tensor<?x32x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x96xbf16>
      -> tensor<?x32x?x96xbf16>, tensor<?x32x?xf32>
  return %o, %lse : tensor<?x32x?x96xbf16>, tensor<?x32x?xf32>
}

// CHECK-LABEL: @bshd
func.func @bshd(%q: tensor<2x?x4x59xf32>, %k: tensor<2x7x2x59xf32>, %v: tensor<2x7x2x111xf32>) -> tensor<2x?x4x111xf32> {
  // CHECK: flash.attention {{.*}} {layout = #flash.layout<bshd>, schedule = #flash.schedule<m = 64, n = 32, instruction = mma_sync>}
  %o = flash.attention %q, %k, %v {layout = #flash.layout<bshd>, schedule = #flash.schedule<m = 64, n = 32, instruction = mma_sync>}
      : tensor<2x?x4x59xf32>, tensor<2x7x2x59xf32>, tensor<2x7x2x111xf32> -> tensor<2x?x4x111xf32>
  return %o : tensor<2x?x4x111xf32>
}

// CHECK-LABEL: @merge
func.func @merge(%o0: tensor<1x4x?x64xf32>, %l0: tensor<1x4x?xf32>) -> (tensor<1x4x?x64xbf16>, tensor<1x4x?xf32>) {
  // CHECK: flash.merge outputs(%{{.*}}, %{{.*}} : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>) lses(
  %o, %l = flash.merge outputs(%o0, %o0 : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>)
      lses(%l0, %l0 : tensor<1x4x?xf32>, tensor<1x4x?xf32>) -> tensor<1x4x?x64xbf16>, tensor<1x4x?xf32>
  return %o, %l : tensor<1x4x?x64xbf16>, tensor<1x4x?xf32>
}

// CHECK-LABEL: @tiles
func.func @tiles(%q: tensor<128x64xbf16>, %k: tensor<32x64xbf16>, %acc: tensor<128x64xf32>, %r: tensor<128xf32>,
                 %s: tensor<128x32xf32>, %p: tensor<128x32xbf16>, %i: index, %f: i1) {
  // CHECK: flash.online_attention ins(
  %a:3 = flash.online_attention ins(%q, %k, %k : tensor<128x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>)
      outs(%acc, %r, %r : tensor<128x64xf32>, tensor<128xf32>, tensor<128xf32>) positions(%i, %i) keys(%i)
      queries(%i) {scale = 0.125 : f32, mask = #flash.causal}
  // CHECK: flash.online_attention {{.*}} origins(%{{.*}}, %{{.*}}) listed_full(%{{.*}}) {
  %l:3 = flash.online_attention ins(%q, %k, %k : tensor<128x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>)
      outs(%acc, %r, %r : tensor<128x64xf32>, tensor<128xf32>, tensor<128xf32>) positions(%i, %i) keys(%i)
      queries(%i) place(%i, %i) origins(%i, %i) listed_full(%f) {scale = 0.125 : f32, mask = #flash.causal}
  // CHECK: %{{.*}} = flash.hide_unseen %{{.*}} when %{{.*}} queries(%{{.*}}) : tensor<32x64xbf16> {
  // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index):
  // CHECK-NEXT: flash.yield %{{.*}} : i1
  %w = flash.hide_unseen %k when %f queries(%i) : tensor<32x64xbf16> {
  ^bb0(%row: index, %column: index):
    flash.yield %f : i1
  }
  // CHECK: flash.online_softmax ins(
  %b:4 = flash.online_softmax ins(%s : tensor<128x32xf32>)
      outs(%p, %r, %r, %r : tensor<128x32xbf16>, tensor<128xf32>, tensor<128xf32>, tensor<128xf32>) {scale = 0.125 : f32, dim = 1}
  return
}

// CHECK: #flash.target<kind = "sm_90a", cores = 132, fastMemory = 232448>
func.func private @target() attributes {t = #flash.target<kind = "sm_90a", cores = 132, fastMemory = 232448>}
