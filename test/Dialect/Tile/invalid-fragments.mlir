// RUN: flash-opt %s --split-input-file --verify-diagnostics

!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
func.func @map_shapes(%a: !acc) {
  // expected-error @below {{has results of different shapes}}
  %r:2 = flash_tile.map(%a) : (!acc) -> (!acc, !row) {
  ^bb0(%i: index, %j: index, %x: f32):
    flash_tile.yield %x, %x : f32, f32
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<4>>
func.func @map_rows(%a: !acc, %b: !row) {
  // expected-error @below {{has an input of 128 rows and a result of 64}}
  %r = flash_tile.map(%a, %b) : (!acc, !row) -> !acc {
  ^bb0(%i: index, %j: index, %x: f32, %y: f32):
    flash_tile.yield %x : f32
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!wide = !flash_tile.fragment<64x128xf32, #flash_tile.acc<4>>
func.func @map_columns(%a: !acc) {
  // expected-error @below {{has an input of 64 columns and a result of 128}}
  %r = flash_tile.map(%a) : (!acc) -> !wide {
  ^bb0(%i: index, %j: index, %x: f32):
    flash_tile.yield %x : f32
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!partial = !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>
func.func @map_broadcast_partial(%a: !acc, %b: !partial) {
  // expected-error @below {{of rank two takes acc, lhs, row and col fragments, not '!flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>'}}
  %r = flash_tile.map(%a, %b) : (!acc, !partial) -> !acc {
  ^bb0(%i: index, %j: index, %x: f32, %y: f32):
    flash_tile.yield %x : f32
  }
  return
}

// -----
!lhs = !flash_tile.fragment<64x64xbf16, #flash_tile.lhs<4>>
func.func @map_result_layout() {
  // expected-error @below {{of rank two gives acc or stream fragments, not '!flash_tile.fragment<64x64xbf16, #flash_tile.lhs<4>>'}}
  %r = flash_tile.map() : () -> !lhs {
  ^bb0(%i: index, %j: index):
    %x = arith.constant 0.0 : bf16
    flash_tile.yield %x : bf16
  }
  return
}

// -----
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
!partial = !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>
func.func @map_partial(%a: !partial) {
  // expected-error @below {{has a row_partial input, so that its results are row_partial, not '!flash_tile.fragment<64xf32, #flash_tile.row<4>>'}}
  %r = flash_tile.map(%a) : (!partial) -> !row {
  ^bb0(%i: index, %x: f32):
    flash_tile.yield %x : f32
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
func.func @map_rank(%a: !acc) {
  // expected-error @below {{gives row vectors of 64, but has the input '!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>'}}
  %r = flash_tile.map(%a) : (!acc) -> !row {
  ^bb0(%i: index, %x: f32):
    flash_tile.yield %x : f32
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @map_no_result(%a: !acc) {
  // expected-error @below {{needs a result}}
  flash_tile.map(%a) : (!acc) -> () {
  ^bb0(%i: index, %j: index, %x: f32):
    flash_tile.yield
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @map_arguments(%a: !acc) {
  // expected-error @below {{has a body of 2 arguments for 2 positions and 1 inputs}}
  %r = flash_tile.map(%a) : (!acc) -> !acc {
  ^bb0(%i: index, %x: f32):
    flash_tile.yield %x : f32
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @map_argument_type(%a: !acc) {
  // expected-error @below {{has a body whose argument 2 is 'f16', not 'f32'}}
  %r = flash_tile.map(%a) : (!acc) -> !acc {
  ^bb0(%i: index, %j: index, %x: f16):
    %y = arith.extf %x : f16 to f32
    flash_tile.yield %y : f32
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @map_yield_type(%a: !acc) {
  // expected-error @below {{has a body that yields 'index' for '!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>'}}
  %r = flash_tile.map(%a) : (!acc) -> !acc {
  ^bb0(%i: index, %j: index, %x: f32):
    flash_tile.yield %i : index
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @map_yield_count(%a: !acc) {
  // expected-error @below {{has a body that does not yield 1 values}}
  %r = flash_tile.map(%a) : (!acc) -> !acc {
  ^bb0(%i: index, %j: index, %x: f32):
    flash_tile.yield
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @reduce_layout(%a: !acc) {
  // expected-error @below {{reduces acc or lhs to row, row_partial or col_partial, or stream to row or row_partial, not #flash_tile.acc<4> to #flash_tile.acc<4>}}
  %r = flash_tile.reduce max %a : !acc -> !acc
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<4>>
func.func @reduce_rows(%a: !acc) {
  // expected-error @below {{reduces '!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>' to '!flash_tile.fragment<128xf32, #flash_tile.row<4>>'}}
  %r = flash_tile.reduce max %a : !acc -> !row
  return
}

// -----
!acc = !flash_tile.fragment<64x64xi32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xi32, #flash_tile.row<4>>
func.func @reduce_type(%a: !acc) {
  // expected-error @below {{reduces elements of f32, not 'i32'}}
  %r = flash_tile.reduce add %a : !acc -> !row
  return
}

// -----
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
func.func @all_reduce(%a: !row) {
  // expected-error @below {{reduces row_partial to row or col_partial to col, not #flash_tile.row<4> to #flash_tile.row<4>}}
  %r = flash_tile.all_reduce add %a : !row -> !row
  return
}

// -----
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
func.func @any(%a: !row) {
  // expected-error @below {{takes a row vector of i1, not '!flash_tile.fragment<64xf32, #flash_tile.row<4>>'}}
  %r = flash_tile.any %a : !row
  return
}

// -----
!lhs = !flash_tile.fragment<64x64xbf16, #flash_tile.lhs<4>>
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @convert_layout(%a: !lhs) {
  // expected-error @below {{converts acc to acc or lhs, or stream to the same stream, not #flash_tile.lhs<4> to #flash_tile.acc<4>}}
  %r = flash_tile.convert %a : !lhs -> !acc
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!lhs = !flash_tile.fragment<64x32xbf16, #flash_tile.lhs<4>>
func.func @convert_shape(%a: !acc) {
  // expected-error @below {{keeps the shape and warps, but converts}}
  %r = flash_tile.convert %a : !acc -> !lhs
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!wide = !flash_tile.fragment<64x64xf64, #flash_tile.acc<4>>
func.func @convert_type(%a: !acc) {
  // expected-error @below {{rounds f32 to f16 or bf16, not 'f32' to 'f64'}}
  %r = flash_tile.convert %a : !acc -> !wide
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
!half = !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
func.func @softmax_scores(%s: !half, %r: !row) {
  // expected-error @below {{takes scores in an acc fragment of f32, not in '!flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>'}}
  %e, %m, %l, %a = flash_tile.online_softmax %s, %r, %r {scale = 0.5 : f32} : !half, !row, !row
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
!partial = !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>
func.func @softmax_max(%s: !acc, %r: !row, %p: !partial) {
  // expected-error @below {{keeps its maximum in a row fragment of f32, not '!flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>'}}
  %e, %m, %l, %a = flash_tile.online_softmax %s, %p, %r {scale = 0.5 : f32} : !acc, !partial, !row
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!row = !flash_tile.fragment<64xf32, #flash_tile.row<4>>
func.func @softmax_sum(%s: !acc, %r: !row) {
  // expected-error @below {{keeps its sum in a row or row_partial fragment of f32, not '!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>'}}
  %e, %m, %l, %a = flash_tile.online_softmax %s, %r, %s {scale = 0.5 : f32} : !acc, !row, !acc
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @hand_over_state(%s: !acc, %state: memref<?x64xf32>, %turns: memref<?x4xi32>, %i: index) {
  // expected-error @below {{needs a state of slots x 4096 f32, not 'memref<?x64xf32>'}}
  flash_tile.hand_over %s to %state, %turns[%i] part %i : !acc -> memref<?x64xf32>, memref<?x4xi32>
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @take_over_turns(%state: memref<?x4096xf32>, %turns: memref<?xi32>, %i: index) {
  // expected-error @below {{needs turns of slots x 4 i32, not 'memref<?xi32>'}}
  %s = flash_tile.take_over %state, %turns[%i] part %i : memref<?x4096xf32>, memref<?xi32> -> !acc
  return
}

// -----
!half = !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
func.func @hand_over_half(%s: !half, %state: memref<?x2048xf32>, %turns: memref<?x4xi32>, %i: index) {
  // expected-error @below {{passes f32 accumulators and rows of the same warps, not '!flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>'}}
  flash_tile.hand_over %s to %state, %turns[%i] part %i : !half -> memref<?x2048xf32>, memref<?x4xi32>
  return
}
