// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none schedule=#flash.schedule<m=128,warps=8,dynamic=false,headTurns=0>},flash-tile-attention,flash-decompose-attention),convert-flash-to-tile,canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,EACH
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none schedule=#flash.schedule<m=128,warps=8,dynamic=false,headTurns=24>},flash-tile-attention,flash-decompose-attention),convert-flash-to-tile,canonicalize,cse)' | FileCheck %s --check-prefixes=CHECK,TURNS
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none schedule=#flash.schedule<m=128,warps=8,dynamic=false,turnTiles=20>},flash-tile-attention,flash-decompose-attention),convert-flash-to-tile,canonicalize,cse)' | FileCheck %s --check-prefix=GROUPS

// 8 tiles of each of 2 x 6 heads. One head after the other (blocks of a head are neighbours), or, where there are no more
// heads than `headTurns`, all heads take turns. Either way the last tile of a head, which is the longest, comes first.

// With `turnTiles` as many heads take turns as have together so many tiles: three of 8, then the next three.

// GROUPS: %[[BLOCK:.*]] = arith.index_castui %{{.*}} : index to i32
// GROUPS: %[[GROUP:.*]] = arith.divui %[[BLOCK]], %c24_i32
// GROUPS: %[[REST:.*]] = arith.remui %[[BLOCK]], %c24_i32
// GROUPS: %[[FIRST:.*]] = arith.muli %{{.*}}, %c3 : index
// GROUPS: %[[LEFT:.*]] = arith.subi %c12, %[[FIRST]]
// GROUPS: %[[MEMBERS:.*]] = arith.minui %[[LEFT]], %c3
// GROUPS: %[[COUNT:.*]] = arith.index_castui %[[MEMBERS]]
// GROUPS: %[[TURN:.*]] = arith.divui %[[REST]], %[[COUNT]]
// GROUPS: %[[TILE:.*]] = arith.index_castui %[[TURN]]
// GROUPS: %[[MEMBER:.*]] = arith.remui %[[REST]], %[[COUNT]]
// GROUPS: arith.addi %[[FIRST]], %{{.*}}
// GROUPS: arith.subi %c7, %[[TILE]]

// CHECK-LABEL: gpu.func @attention
// CHECK: %[[ID:.*]] = gpu.block_id x
// CHECK: %[[BLOCK:.*]] = arith.index_castui %[[ID]] : index to i32
// EACH: %[[HEAD:.*]] = arith.divui %[[BLOCK]], %c8_i32
// EACH: %[[REST:.*]] = arith.remui %[[BLOCK]], %c8_i32
// EACH: %[[TILE:.*]] = arith.index_castui %[[REST]]
// TURNS: %[[TURN:.*]] = arith.divui %[[BLOCK]], %c12_i32
// TURNS: %[[TILE:.*]] = arith.index_castui %[[TURN]]
// TURNS: %[[HEAD:.*]] = arith.remui %[[BLOCK]], %c12_i32
// CHECK: arith.divui %[[HEAD]], %c6_i32
// CHECK: arith.remui %[[HEAD]], %c6_i32
// CHECK: %[[FROM_END:.*]] = arith.subi %c7, %[[TILE]]
// CHECK: %[[ROW:.*]] = arith.muli %[[FROM_END]], %c128
// CHECK: flash_tile.load %{{.*}}[%{{.*}}, %{{.*}}, %[[ROW]], %c0]
func.func @attention(%q: tensor<2x6x1000x64xbf16>) -> tensor<2x6x1000x64xbf16> {
  %o = flash.attention %q, %q, %q {mask = #flash.causal} : tensor<2x6x1000x64xbf16>, tensor<2x6x1000x64xbf16>, tensor<2x6x1000x64xbf16> -> tensor<2x6x1000x64xbf16>
  return %o : tensor<2x6x1000x64xbf16>
}
