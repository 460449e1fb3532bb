// RUN: flash-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{a run is 2, 4, 8 or 16 columns, not 3}}
func.func private @run(!flash_tile.fragment<64x96xf32, #flash_tile.stream<4, run = 3>>)

// -----
// expected-error @below {{3 warps cannot be dealt to 2 groups of columns}}
func.func private @warps(!flash_tile.fragment<96x96xf32, #flash_tile.stream<3, run = 4, column_groups = 2>>)

// -----
// expected-error @below {{a fragment of four runs a row has a multiple of 32 columns, not 80}}
func.func private @columns(!flash_tile.fragment<64x80xbf16, #flash_tile.stream<4, run = 8>>)

// -----
// expected-error @below {{a fragment of 48 rows cannot be dealt 16 by 16 to 4 warps}}
func.func private @rows(!flash_tile.fragment<48x64xbf16, #flash_tile.stream<4, run = 8>>)

// -----
func.func @fetch_layout(%m: memref<?x64xf32>, %i: index) {
  // expected-error @below {{reads f32, bf16 or f16 to a stream fragment, not '!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>'}}
  %r = flash_tile.fetch %m[%i, %i] : memref<?x64xf32> -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  return
}

// -----
func.func @fetch_element(%m: memref<?x64xi32>, %i: index) {
  // expected-error @below {{reads f32, bf16 or f16 to a stream fragment, not '!flash_tile.fragment<64x64xi32, #flash_tile.stream<4, run = 4>>'}}
  %r = flash_tile.fetch %m[%i, %i] : memref<?x64xi32> -> !flash_tile.fragment<64x64xi32, #flash_tile.stream<4, run = 4>>
  return
}

// -----
func.func @fetch_padding(%m: memref<?x64xbf16>, %i: index) {
  // expected-error @below {{reads 'bf16' with the padding 0.000000e+00 : f32, which is not a number of that type}}
  %r = flash_tile.fetch %m[%i, %i] {padding = 0.0 : f32} : memref<?x64xbf16> -> !flash_tile.fragment<64x64xbf16, #flash_tile.stream<4, run = 4>>
  return
}

// -----
func.func @fetch_type(%m: memref<?x64xf16>, %i: index) {
  // expected-error @below {{moves elements of 'bf16' to or from a memref of 'f16'}}
  %r = flash_tile.fetch %m[%i, %i] : memref<?x64xf16> -> !flash_tile.fragment<64x64xbf16, #flash_tile.stream<4, run = 4>>
  return
}

// -----
func.func @fetch_contiguous(%m: memref<?x64xbf16, strided<[?, ?]>>, %i: index) {
  // expected-error @below {{needs contiguous columns, but the last stride of the memref is dynamic}}
  %r = flash_tile.fetch %m[%i, %i] : memref<?x64xbf16, strided<[?, ?]>> -> !flash_tile.fragment<64x64xbf16, #flash_tile.stream<4, run = 4>>
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!stream = !flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>
func.func @map_accumulator(%a: !acc) {
  // expected-error @below {{of stream fragments takes and gives those of #flash_tile.stream<4, run = 4> and takes row vectors, not '!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>'}}
  %r = flash_tile.map(%a) : (!acc) -> !stream {
  ^bb0(%i: index, %j: index, %x: f32):
    flash_tile.yield %x : f32
  }
  return
}

// -----
!stream = !flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>
!long = !flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 8>>
func.func @map_runs(%a: !long) {
  // expected-error @below {{of stream fragments takes and gives those of #flash_tile.stream<4, run = 4> and takes row vectors, not '!flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 8>>'}}
  %r = flash_tile.map(%a) : (!long) -> !stream {
  ^bb0(%i: index, %j: index, %x: f32):
    flash_tile.yield %x : f32
  }
  return
}

// -----
!stream = !flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>
!row = !flash_tile.fragment<128xf32, #flash_tile.row<4>>
func.func @map_rows(%a: !row) {
  // expected-error @below {{has an input '!flash_tile.fragment<128xf32, #flash_tile.row<4>>' and a result '!flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>'}}
  %r = flash_tile.map(%a) : (!row) -> !stream {
  ^bb0(%i: index, %j: index, %x: f32):
    flash_tile.yield %x : f32
  }
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!stream = !flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>
func.func @map_takes_stream(%a: !stream) {
  // expected-error @below {{of rank two takes acc, lhs, row and col fragments, not '!flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>'}}
  %r = flash_tile.map(%a) : (!stream) -> !acc {
  ^bb0(%i: index, %j: index, %x: f32):
    flash_tile.yield %x : f32
  }
  return
}

// -----
!stream = !flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>
func.func @reduce_columns(%a: !stream) {
  // expected-error @below {{reduces acc or lhs to row, row_partial or col_partial, or stream to row or row_partial, not #flash_tile.stream<4, run = 4> to #flash_tile.col_partial<4>}}
  %r = flash_tile.reduce add %a : !stream -> !flash_tile.fragment<64xf32, #flash_tile.col_partial<4>>
  return
}

// -----
!stream = !flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>
func.func @convert_operand(%a: !stream) {
  // expected-error @below {{converts acc to acc or lhs, or stream to the same stream, not #flash_tile.stream<4, run = 4> to #flash_tile.lhs<4>}}
  %r = flash_tile.convert %a : !stream -> !flash_tile.fragment<64x64xbf16, #flash_tile.lhs<4>>
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @strips_of_rows(%m: memref<256x128xf32>, %x: !acc, %i: index) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{has strips of whole rows, of all 128 columns of the memref}}
  flash_tile.store %x, %m[%i, %c0] strips : !acc, memref<256x128xf32>
  return
}

// -----
!stream = !flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>
func.func @strips_of_runs(%m: memref<256x64xf32>, %i: index) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{has strips of an acc fragment of f32 and a multiple of 8 columns, not of '!flash_tile.fragment<64x64xf32, #flash_tile.stream<4, run = 4>>'}}
  %x = flash_tile.fetch %m[%i, %c0] strips : memref<256x64xf32> -> !stream
  return
}
