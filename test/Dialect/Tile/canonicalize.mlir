// RUN: flash-opt %s --canonicalize | FileCheck %s

!acc = !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>

// What is zero before the first block stays zero, whatever it is scaled with.
// CHECK-LABEL: func.func @splats
// CHECK: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: %[[SPLAT:.*]] = flash_tile.splat %[[ZERO]] : !flash_tile.fragment<64x32xf32
// CHECK-NEXT: return %[[SPLAT]]
func.func @splats() -> !acc {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2.0 : f32
  %acc = flash_tile.splat %zero : !acc
  %alpha = flash_tile.splat %two : !row
  %r = flash_tile.map(%alpha, %acc) : (!row, !acc) -> !acc {
  ^bb0(%i: index, %j: index, %a: f32, %x: f32):
    %y = arith.mulf %a, %x : f32
    flash_tile.yield %y : f32
  }
  return %r : !acc
}

// One input of many values, a position, memory: these stay maps.
// CHECK-LABEL: func.func @others
// CHECK-COUNT-3: flash_tile.map
func.func @others(%m: memref<64xf32>, %x: !row, %f: f32) -> (!row, !row, !row) {
  %s = flash_tile.splat %f : !row
  %a = flash_tile.map(%s, %x) : (!row, !row) -> !row {
  ^bb0(%i: index, %p: f32, %q: f32):
    %y = arith.addf %p, %q : f32
    flash_tile.yield %y : f32
  }
  %b = flash_tile.map(%s) : (!row) -> !row {
  ^bb0(%i: index, %p: f32):
    %n = arith.index_cast %i : index to i32
    %g = arith.sitofp %n : i32 to f32
    %y = arith.addf %p, %g : f32
    flash_tile.yield %y : f32
  }
  %c = flash_tile.map(%s) : (!row) -> !row {
  ^bb0(%i: index, %p: f32):
    %zero = arith.constant 0 : index
    %g = memref.load %m[%zero] : memref<64xf32>
    %y = arith.addf %p, %g : f32
    flash_tile.yield %y : f32
  }
  return %a, %b, %c : !row, !row, !row
}

// A mask that cuts no block hides nothing.
// CHECK-LABEL: @clear_never
// CHECK-NOT: flash_tile.clear_unseen
// CHECK: return
func.func @clear_never(%t: !flash_tile.shared<64x64xbf16>, %seen: i1, %n: index) {
  %never = arith.constant false
  flash_tile.clear_unseen %t when %never queries(%n) : !flash_tile.shared<64x64xbf16> {
  ^bb0(%i: index, %j: index):
    flash_tile.yield %seen : i1
  }
  return
}

// What a map hands on as it is needs no map; the other result does.
// CHECK-LABEL: func.func @handed_on
// CHECK-SAME: %[[X:[a-z0-9]*]]: !flash_tile.fragment
// CHECK: %[[M:.*]]:2 = flash_tile.map(%[[X]])
// CHECK: return %[[M]]#0, %[[X]], %[[X]]
func.func @handed_on(%x: !acc) -> (!acc, !acc, !acc) {
  %m:2 = flash_tile.map(%x) : (!acc) -> (!acc, !acc) {
  ^bb0(%i: index, %j: index, %a: f32):
    %b = arith.addf %a, %a : f32
    flash_tile.yield %b, %a : f32, f32
  }
  %c = flash_tile.map(%x) : (!acc) -> !acc {
  ^bb0(%i: index, %j: index, %a: f32):
    flash_tile.yield %a : f32
  }
  return %m#0, %m#1, %c : !acc, !acc, !acc
}
