// Each query sees 256 keys: its own position and those before it.
//
//   window-mask-opt attention.mlir --pass-pipeline='builtin.module(func.func(
//     flash-choose-schedule{target=cpu:x86-64-v3},flash-tile-attention,flash-decompose-attention),canonicalize,cse)'

// CHECK-LABEL: func.func @windowed
// CHECK: %[[C255:.*]] = arith.constant 255 : index
// CHECK: scf.forall
// The key loop begins at the first block that some query of the tile sees ...
// CHECK: %[[FIRST:.*]] = arith.subi %{{.*}}, %[[C255]] : index
// CHECK: %[[POSITIVE:.*]] = arith.maxsi %[[FIRST]]
// CHECK: scf.for
// ... and the predicate of an element has both sides of the window.
// CHECK: linalg.index
// CHECK: arith.cmpi sle
// CHECK: arith.cmpi sge
// CHECK: flash.online_softmax
func.func @windowed(%q: tensor<1x4x?x64xf32>, %k: tensor<1x4x?x64xf32>, %v: tensor<1x4x?x64xf32>) -> tensor<1x4x?x64xf32> {
  %o = flash.attention %q, %k, %v {mask = #window.mask<256>}
      : tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32>, tensor<1x4x?x64xf32> -> tensor<1x4x?x64xf32>
  return %o : tensor<1x4x?x64xf32>
}
