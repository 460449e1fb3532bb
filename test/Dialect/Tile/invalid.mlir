// RUN: flash-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{a fragment of 64 rows cannot be dealt 16 by 16 to 8 warps}}
func.func private @rows(!flash_tile.fragment<64x64xf32, #flash_tile.acc<8>>)

// -----
// expected-error @below {{the layout is for rank 2, but the fragment has rank 1}}
func.func private @rank(!flash_tile.fragment<64xf32, #flash_tile.acc<4>>)

// -----
// expected-error @below {{an accumulator has a multiple of 8 columns, not 60}}
func.func private @columns(!flash_tile.fragment<64x60xf32, #flash_tile.acc<4>>)

// -----
// expected-error @below {{an A operand has a multiple of 16 columns, not 24}}
func.func private @lhs_columns(!flash_tile.fragment<64x24xbf16, #flash_tile.lhs<4>>)

// -----
// expected-error @below {{an A operand has elements f16 or bf16, not 'f32'}}
func.func private @lhs_type(!flash_tile.fragment<64x32xf32, #flash_tile.lhs<4>>)

// -----
// expected-error @below {{a layout needs 1 to 32 warps, not 0}}
func.func private @warps(!flash_tile.fragment<64x32xf32, #flash_tile.acc<0>>)

// -----
// expected-error @below {{a fragment has elements of a scalar type, not 'vector<2xf32>'}}
func.func private @element(!flash_tile.fragment<64x32xvector<2xf32>, #flash_tile.acc<4>>)

// -----
// expected-error @below {{a tile has sizes of 1 to 1048576, not 0}}
func.func private @empty(!flash_tile.fragment<64x0xf32, #flash_tile.acc<4>>)

// -----
// expected-error @below {{a tile has sizes of 1 to 1048576, not 9223372036854775807}}
func.func private @huge(!flash_tile.shared<64x9223372036854775807xbf16>)

// -----
// expected-error @below {{a shared tile has a multiple of 8 rows (the period of the swizzle) or one row, not 20}}
func.func private @shared_rows(!flash_tile.shared<20x64xbf16>)

// -----
// expected-error @below {{a row of a shared tile is a multiple of 16 bytes, but 59 columns of 'bf16' are not}}
func.func private @shared_columns(!flash_tile.shared<16x59xbf16>)

// -----
// expected-error @below {{a shared tile has elements of 8, 16 or 32 bits, not 'f64'}}
func.func private @shared_type(!flash_tile.shared<16x64xf64>)

// -----
// expected-error @below {{expected a tile of rank 2}}
func.func private @shared_rank(!flash_tile.shared<16xbf16>)

// -----
// expected-error @below {{a ring has 1 to 32 stages, not 0}}
func.func private @stages(!flash_tile.ring<0, 16x64xbf16, cp_async>)

// -----
// expected-error @below {{barriers lie after the stages, at a multiple of 8 bytes, which 2048 is not}}
func.func private @barriers(!flash_tile.ring<2, 16x64xbf16, mbarrier, barriers 2048>)

// -----
// expected-error @below {{a ring is shared by 1 to 8 blocks, not 16}}
func.func private @many(!flash_tile.ring<2, 128x64xbf16, mbarrier, cluster 16>)

// -----
// expected-error @below {{a ring of kind cp_async is not shared by blocks}}
func.func private @alone(!flash_tile.ring<2, 16x64xbf16, cp_async, cluster 2>)

// -----
// expected-error @below {{each of 2 blocks copies whole groups of 8 rows, which 24 rows are not}}
func.func private @rows(!flash_tile.ring<2, 24x64xbf16, mbarrier, cluster 2>)

// -----
gpu.module @clusters {
  // expected-error @below {{a cluster has 2 to 8 blocks, not 9}}
  gpu.func @many() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8, cluster = 9>} { gpu.return }
}

// -----
// expected-error @below {{expected cp_async or mbarrier}}
func.func private @kind(!flash_tile.ring<2, 16x64xbf16, tma>)

// -----
// expected-error @below {{only an accumulator can be pending}}
func.func private @pending(!flash_tile.pending<!flash_tile.fragment<64x32xbf16, #flash_tile.lhs<4>>>)

// -----
// expected-error @below {{the last size of a box is a panel of 128 bytes, but 128 elements of 'bf16' are not}}
func.func private @panel(!flash_tile.tensor_map<1x128x128xbf16>)

// -----
// expected-error @below {{a box has sizes of 1 to 256, not 512}}
func.func private @box(!flash_tile.tensor_map<512x64xbf16>)

// -----
// expected-error @below {{a tensor map has 2 to 5 dimensions, not 1}}
func.func private @box_rank(!flash_tile.tensor_map<64xbf16>)

// -----
// expected-error @below {{'flash_tile.kernel' belongs on a gpu.func or an scf.forall}}
func.func private @warps_attribute() attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>}

// -----
// expected-error @below {{unknown attribute 'flash_tile.kernels' of the flash_tile dialect; did you mean 'flash_tile.kernel'?}}
func.func private @unknown_attribute() attributes {flash_tile.kernels = 4 : i64}

// -----
gpu.module @m {
  // expected-error @below {{a kernel has 1 to 32 warps, not 33}}
  gpu.func @k() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 33>} {
    gpu.return
  }
}

// -----
gpu.module @m {
  // expected-error @below {{'flash_tile.shared_bytes' must be an i64}}
  gpu.func @k() kernel attributes {flash_tile.shared_bytes = 33 : i32} {
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @k(%x: f32) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    // expected-error @below {{has a fragment of 8 warps in a kernel of 4}}
    %f = flash_tile.splat %x : !flash_tile.fragment<128x64xf32, #flash_tile.acc<8>>
    gpu.return
  }
}

// -----
func.func @offsets(%m: memref<?x?x64xbf16>, %i: index) {
  // expected-error @below {{has 2 offsets for a memref of rank 3}}
  %t = flash_tile.load %m[%i, %i] : memref<?x?x64xbf16> -> !flash_tile.shared<16x64xbf16>
  return
}

// -----
func.func @small_memref(%m: memref<64xbf16>, %i: index) {
  // expected-error @below {{moves a tile of rank 2 to or from a memref of rank 1}}
  %t = flash_tile.load %m[%i] : memref<64xbf16> -> !flash_tile.shared<16x64xbf16>
  return
}

// -----
func.func @types(%m: memref<?x64xf16>, %i: index) {
  // expected-error @below {{moves elements of 'bf16' to or from a memref of 'f16'}}
  %t = flash_tile.load %m[%i, %i] : memref<?x64xf16> -> !flash_tile.shared<16x64xbf16>
  return
}

// -----
func.func @row_dim(%m: memref<?x64xbf16>, %i: index) {
  // expected-error @below {{row_dim 1 is not a row dimension of a memref of rank 2}}
  %t = flash_tile.load %m[%i, %i] {row_dim = 1 : i64} : memref<?x64xbf16> -> !flash_tile.shared<16x64xbf16>
  return
}

// -----
func.func @packed_dim(%m: memref<?x?x64xbf16>, %i: index) {
  // expected-error @below {{packs rows along dimension 1, which is not a second row dimension of a place of rank 3}}
  %t = flash_tile.load %m[%i, %i, %i] {packed = #flash_tile.packed_rows<dim = 1, size = 4>} : memref<?x?x64xbf16> -> !flash_tile.shared<16x64xbf16>
  return
}

// -----
func.func @packed_size(%m: memref<?x?x64xbf16>, %i: index) {
  // expected-error @below {{packs 3 of 16 rows along dimension 0}}
  %t = flash_tile.load %m[%i, %i, %i] {packed = #flash_tile.packed_rows<dim = 0, size = 3, outer = true>} : memref<?x?x64xbf16> -> !flash_tile.shared<16x64xbf16>
  return
}

// -----
func.func @packed_row_dim(%v: !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, %m: !flash_tile.tensor_map<4x4x64xf16>, %i: index) {
  // expected-error @below {{has one of row_dim and packed, which belong together}}
  flash_tile.store_async %v, %m[%i, %i, %i] {packed = #flash_tile.packed_rows<dim = 1, size = 4>} : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<4x4x64xf16>
  return
}

// -----
func.func @alignment(%m: memref<?x64xbf16>, %i: index) {
  // expected-error @below {{alignment 12 is not a power of two}}
  %t = flash_tile.load %m[%i, %i] {alignment = 12 : i64} : memref<?x64xbf16> -> !flash_tile.shared<16x64xbf16>
  return
}

// -----
func.func @contiguous(%m: memref<?x64xbf16, strided<[?, ?]>>, %i: index) {
  // expected-error @below {{needs contiguous columns, but the last stride of the memref is dynamic}}
  %t = flash_tile.load %m[%i, %i] : memref<?x64xbf16, strided<[?, ?]>> -> !flash_tile.shared<16x64xbf16>
  return
}

// -----
func.func @store_layout(%f: !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>, %m: memref<?xf32>, %i: index) {
  // expected-error @below {{stores an acc, lhs, stream, row or col fragment, not one with the layout #flash_tile.row_partial<4>}}
  flash_tile.store %f, %m[%i] : !flash_tile.fragment<64xf32, #flash_tile.row_partial<4>>, memref<?xf32>
  return
}

// -----
func.func @store_add(%f: !flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>>, %m: memref<?x64xbf16>, %i: index) {
  // expected-error @below {{adds elements of f32, not 'bf16'}}
  flash_tile.store add %f, %m[%i, %i] : !flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>>, memref<?x64xbf16>
  return
}

// -----
func.func @store_col_rows(%f: !flash_tile.fragment<64xf32, #flash_tile.col<4>>, %m: memref<?xf32>, %i: index) {
  // expected-error @below {{stores a vector over columns, which has no rows to bound or to pack}}
  flash_tile.store %f, %m[%i] rows(%i) : !flash_tile.fragment<64xf32, #flash_tile.col<4>>, memref<?xf32>
  return
}

// -----
func.func @store_shared_type(%f: !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>) {
  // expected-error @below {{stores an acc or lhs fragment of 16-bit floats, not '!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>'}}
  %t = flash_tile.store_shared %f : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>> -> !flash_tile.shared<64x64xf32>
  return
}

// -----
func.func @store_shared_shape(%f: !flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>>) {
  // expected-error @below {{stores '!flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>>' to '!flash_tile.shared<64x32xbf16>'}}
  %t = flash_tile.store_shared %f : !flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>> -> !flash_tile.shared<64x32xbf16>
  return
}

// -----
func.func @transposed_fragment(%a: !flash_tile.fragment<64x64xbf16, #flash_tile.lhs<4>>, %b: !flash_tile.shared<64x64xbf16>) {
  // expected-error @below {{transposes a tile in shared memory, not a fragment}}
  %c = flash_tile.mma #flash_tile.wgmma %a, %b transpose_a
      : !flash_tile.fragment<64x64xbf16, #flash_tile.lhs<4>>, !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  return
}

// -----
// expected-error @below {{8 warps cannot be dealt to 3 groups of columns}}
func.func private @groups(!flash_tile.fragment<64x64xf32, #flash_tile.acc<8, column_groups = 3>>)

// -----
// expected-error @below {{an accumulator has a multiple of 8 columns in each of 2 groups, not 24}}
func.func private @group_columns(!flash_tile.fragment<64x24xf32, #flash_tile.acc<8, column_groups = 2>>)

// -----
// expected-error @below {{an A operand has all of its columns in each warp, and no groups of them}}
func.func private @left_groups(!flash_tile.fragment<64x64xbf16, #flash_tile.lhs<8, column_groups = 2>>)

// -----
func.func @store_columns(%f: !flash_tile.fragment<64xf32, #flash_tile.row<4>>, %m: memref<?xf32>, %i: index) {
  // expected-error @below {{stores a row vector, which has no columns to bound}}
  flash_tile.store %f, %m[%i] cols(%i) : !flash_tile.fragment<64xf32, #flash_tile.row<4>>, memref<?xf32>
  return
}

// -----
func.func @store_bits(%f: !flash_tile.fragment<64xi1, #flash_tile.row<4>>, %m: memref<?xi1>, %i: index) {
  // expected-error @below {{moves elements of whole bytes, not of 'i1'}}
  flash_tile.store %f, %m[%i] : !flash_tile.fragment<64xi1, #flash_tile.row<4>>, memref<?xi1>
  return
}

// -----
func.func @put_source(%m: memref<?x64xbf16>, %i: index) {
  %r = flash_tile.ring : !flash_tile.ring<2, 16x64xbf16, mbarrier>
  // expected-error @below {{fills a ring of kind mbarrier from a tensor map, not from 'memref<?x64xbf16>'}}
  flash_tile.put %r[%i], %m[%i, %i] : !flash_tile.ring<2, 16x64xbf16, mbarrier>, memref<?x64xbf16>
  return
}

// -----
func.func @put_rows(%m: !flash_tile.tensor_map<16x64xbf16>, %i: index) {
  %r = flash_tile.ring : !flash_tile.ring<2, 16x64xbf16, mbarrier>
  // expected-error @below {{from a tensor map has no rows, cols, pages or condition}}
  flash_tile.put %r[%i], %m[%i, %i] rows(%i) : !flash_tile.ring<2, 16x64xbf16, mbarrier>, !flash_tile.tensor_map<16x64xbf16>
  return
}

// -----
func.func @put_place(%m: !flash_tile.tensor_map<16x64xbf16>, %i: index) {
  %r = flash_tile.ring : !flash_tile.ring<2, 16x64xbf16, mbarrier>
  // expected-error @below {{to a ring of kind mbarrier belongs in the producer of a flash_tile.specialize}}
  flash_tile.put %r[%i], %m[%i, %i] : !flash_tile.ring<2, 16x64xbf16, mbarrier>, !flash_tile.tensor_map<16x64xbf16>
  return
}

// -----
func.func @put_kind(%m: !flash_tile.tensor_map<16x64xbf16>, %i: index) {
  %r = flash_tile.ring : !flash_tile.ring<2, 16x64xbf16, cp_async>
  // expected-error @below {{fills a ring of kind cp_async from a memref, not from '!flash_tile.tensor_map<16x64xbf16>'}}
  flash_tile.put %r[%i], %m[%i, %i] : !flash_tile.ring<2, 16x64xbf16, cp_async>, !flash_tile.tensor_map<16x64xbf16>
  return
}

// -----
gpu.module @m {
  gpu.func @put_box(%m: !flash_tile.tensor_map<1x16x64xbf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %r = flash_tile.ring : !flash_tile.ring<2, 32x64xbf16, mbarrier>
    flash_tile.specialize producer(40) {
      // expected-error @below {{needs a box of 32 in dimension 1, but the tensor map has 16}}
      flash_tile.put %r[%i], %m[%i, %i, %i] : !flash_tile.ring<2, 32x64xbf16, mbarrier>, !flash_tile.tensor_map<1x16x64xbf16>
    } consumers(232) {
    }
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @put_producer(%m: memref<?x64xbf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %r = flash_tile.ring : !flash_tile.ring<2, 32x64xbf16, cp_async>
    flash_tile.specialize producer(40) {
      // expected-error @below {{to a ring of kind cp_async is done by all computing warps, not by a producer}}
      flash_tile.put %r[%i], %m[%i, %i] : !flash_tile.ring<2, 32x64xbf16, cp_async>, memref<?x64xbf16>
    } consumers(232) {
    }
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @get_producer(%i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %r = flash_tile.ring : !flash_tile.ring<2, 32x64xbf16, mbarrier>
    flash_tile.specialize producer(40) {
      // expected-error @below {{is not for a producer}}
      %t = flash_tile.get %r[%i] : !flash_tile.ring<2, 32x64xbf16, mbarrier>
    } consumers(232) {
    }
    gpu.return
  }
}

// -----
func.func @get_when(%i: index, %p: i1) {
  %r = flash_tile.ring : !flash_tile.ring<2, 16x64xbf16, cp_async>
  // expected-error @below {{of a ring of kind cp_async waits in any case: 'when' is for rings of kind mbarrier}}
  %t = flash_tile.get %r[%i] when %p : !flash_tile.ring<2, 16x64xbf16, cp_async>
  return
}

// -----
gpu.module @kernels {
  gpu.func @prefetch_consumer(%m: !flash_tile.tensor_map<64x64xbf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    flash_tile.specialize producer(40) {
    } consumers(232) {
      // expected-error @below {{is for a producer}}
      flash_tile.prefetch %m[%i, %i] : !flash_tile.tensor_map<64x64xbf16> as !flash_tile.shared<64x64xbf16>
    }
    gpu.return
  }
}

// -----
gpu.module @kernels {
  gpu.func @prefetch_rank(%m: !flash_tile.tensor_map<64x64xbf16>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    flash_tile.specialize producer(40) {
      // expected-error @below {{has 1 offsets for a map of rank 2}}
      flash_tile.prefetch %m[%i] : !flash_tile.tensor_map<64x64xbf16> as !flash_tile.shared<64x64xbf16>
    } consumers(232) {
    }
    gpu.return
  }
}

// -----
func.func @get_rows(%i: index) {
  %r = flash_tile.ring : !flash_tile.ring<2, 16x64xbf16, cp_async>
  // expected-error @below {{of a ring of kind cp_async has no 'rows': its put fills the others with zeros}}
  %t = flash_tile.get %r[%i] rows(%i) : !flash_tile.ring<2, 16x64xbf16, cp_async>
  return
}

// -----
func.func @get_rows_when(%i: index, %p: i1) {
  %r = flash_tile.ring : !flash_tile.ring<2, 16x64xbf16, mbarrier>
  // expected-error @below {{has both 'when' and 'rows'}}
  %t = flash_tile.get %r[%i] when %p rows(%i) : !flash_tile.ring<2, 16x64xbf16, mbarrier>
  return
}

// -----
func.func @get_in_flight(%i: index) {
  %r = flash_tile.ring : !flash_tile.ring<2, 16x64xbf16, mbarrier>
  // expected-error @below {{of a ring of kind mbarrier has no in_flight}}
  %t = flash_tile.get %r[%i] in_flight 1 : !flash_tile.ring<2, 16x64xbf16, mbarrier>
  return
}

// -----
func.func @load_fragment(%t: !flash_tile.shared<64x64xbf16>) {
  // expected-error @below {{loads '!flash_tile.fragment<64x96xbf16, #flash_tile.lhs<4>>' from '!flash_tile.shared<64x64xbf16>'}}
  %f = flash_tile.load_fragment %t : !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<64x96xbf16, #flash_tile.lhs<4>>
  return
}

// -----
func.func @load_fragment_layout(%t: !flash_tile.shared<64x64xbf16>) {
  // expected-error @below {{gives an A operand (lhs), or a fragment with whole rows in each warp, not one with the layout #flash_tile.acc<8, column_groups = 2>}}
  %f = flash_tile.load_fragment %t : !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<64x64xbf16, #flash_tile.acc<8, column_groups = 2>>
  return
}

// -----
func.func @mma_result(%a: !flash_tile.shared<64x64xbf16>, %b: !flash_tile.shared<64x64xbf16>) {
  // expected-error @below {{accumulates in an acc fragment of f32, not in '!flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>>'}}
  %c = flash_tile.mma #flash_tile.mma_sync %a, %b : !flash_tile.shared<64x64xbf16>, !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>>
  return
}

// -----
func.func @mma_a_layout(%a: !flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>>, %b: !flash_tile.shared<64x64xbf16>) {
  // expected-error @below {{takes a in the layout lhs, not #flash_tile.acc<4>}}
  %c = flash_tile.mma #flash_tile.mma_sync %a, %b : !flash_tile.fragment<64x64xbf16, #flash_tile.acc<4>>, !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  return
}

// -----
func.func @mma_warps(%a: !flash_tile.fragment<64x64xbf16, #flash_tile.lhs<2>>, %b: !flash_tile.shared<64x64xbf16>) {
  // expected-error @below {{has a on 2 warps and its result on 4}}
  %c = flash_tile.mma #flash_tile.mma_sync %a, %b : !flash_tile.fragment<64x64xbf16, #flash_tile.lhs<2>>, !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  return
}

// -----
func.func @mma_types(%a: !flash_tile.shared<64x64xf16>, %b: !flash_tile.shared<64x64xbf16>) {
  // expected-error @below {{multiplies 'f16' by 'bf16'}}
  %c = flash_tile.mma #flash_tile.mma_sync %a, %b : !flash_tile.shared<64x64xf16>, !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  return
}

// -----
func.func @mma_k(%a: !flash_tile.shared<64x64xbf16>, %b: !flash_tile.shared<32x64xbf16>) {
  // expected-error @below {{contracts 64 columns of a with 32 of b}}
  %c = flash_tile.mma #flash_tile.mma_sync %a, %b : !flash_tile.shared<64x64xbf16>, !flash_tile.shared<32x64xbf16> -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  return
}

// -----
func.func @mma_shape(%a: !flash_tile.shared<64x64xbf16>, %b: !flash_tile.shared<32x64xbf16>) {
  // expected-error @below {{gives 64x32, not 64x64}}
  %c = flash_tile.mma #flash_tile.mma_sync %a, %b transpose_b : !flash_tile.shared<64x64xbf16>, !flash_tile.shared<32x64xbf16> -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  return
}

// -----
func.func @mma_unsupported(%a: !flash_tile.shared<64x64xf32>, %b: !flash_tile.shared<64x64xf32>) {
  // expected-error @below {{#flash_tile.mma_sync has no form for elements of 'f32'}}
  %c = flash_tile.mma #flash_tile.mma_sync %a, %b : !flash_tile.shared<64x64xf32>, !flash_tile.shared<64x64xf32> -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  return
}

// -----
func.func @mma_k_granularity(%a: !flash_tile.shared<64x40xbf16>, %b: !flash_tile.shared<64x40xbf16>) {
  // expected-error @below {{#flash_tile.mma_sync contracts a multiple of 16 columns, not 40}}
  %c = flash_tile.mma #flash_tile.mma_sync %a, %b transpose_b : !flash_tile.shared<64x40xbf16>, !flash_tile.shared<64x40xbf16> -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  return
}

// -----
func.func @mma_n(%a: !flash_tile.shared<64x64xbf16>, %b: !flash_tile.shared<264x64xbf16>) {
  // expected-error @below {{#flash_tile.wgmma has a multiple of 8 columns of b, at most 256, not 264}}
  %c = flash_tile.mma #flash_tile.wgmma %a, %b transpose_b : !flash_tile.shared<64x64xbf16>, !flash_tile.shared<264x64xbf16> -> !flash_tile.fragment<64x264xf32, #flash_tile.acc<4>>
  return
}

// -----
func.func @mma_warpgroup(%a: !flash_tile.shared<96x64xbf16>, %b: !flash_tile.shared<64x64xbf16>) {
  // expected-error @below {{#flash_tile.wgmma is executed by 4 warps together, which do not divide 6}}
  %c = flash_tile.mma #flash_tile.wgmma %a, %b : !flash_tile.shared<96x64xbf16>, !flash_tile.shared<64x64xbf16> -> !flash_tile.fragment<96x64xf32, #flash_tile.acc<6>>
  return
}

// -----
func.func @mma_start(%a: !flash_tile.shared<64x64xbf16>) {
  // expected-error @below {{needs an asynchronous instruction, not #flash_tile.mma_sync}}
  %c = flash_tile.mma_start #flash_tile.mma_sync %a, %a : !flash_tile.shared<64x64xbf16>, !flash_tile.shared<64x64xbf16> -> !flash_tile.pending<!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>>
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @mma_wait_count(%p: !flash_tile.pending<!acc>) {
  // expected-error @below {{has 1 operands and 2 results}}
  %r:2 = flash_tile.mma_wait %p : !flash_tile.pending<!acc> -> !acc, !acc
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @mma_wait_pending(%p: !flash_tile.pending<!acc>) {
  // expected-error @below {{leaves 1 results pending with in_flight 0}}
  %r = flash_tile.mma_wait %p : !flash_tile.pending<!acc> -> !flash_tile.pending<!acc>
  return
}

// -----
!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
func.func @mma_wait_type(%p: !flash_tile.pending<!acc>) {
  // expected-error @below {{on as '!flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>'}}
  %r = flash_tile.mma_wait %p : !flash_tile.pending<!acc> -> !flash_tile.fragment<64x32xf32, #flash_tile.acc<4>>
  return
}

// -----
gpu.module @m {
  gpu.func @registers() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    // expected-error @below {{gives a role 20 registers, not a multiple of 8 from 24 to 256}}
    flash_tile.specialize producer(20) {
    } consumers(232) {
    }
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @register_sum() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    // expected-error @below {{gives its 3 warpgroups 512 registers in all, but the kernel is launched with 504}}
    flash_tile.specialize producer(32) {
    } consumers(240) {
    }
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @whole_warpgroups() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 6>} {
    // expected-error @below {{has consumers of whole warpgroups, but the kernel has 6 warps}}
    flash_tile.specialize producer(40) {
    } consumers(232) {
    }
    gpu.return
  }
}

// -----
func.func @specialize_place() {
  // expected-error @below {{stands at the top level of a gpu.func with 'flash_tile.kernel'}}
  flash_tile.specialize producer(40) {
  } consumers(232) {
  }
  return
}

// -----
func.func @tensor_map_rank(%m: memref<?x64xbf16>) {
  // expected-error @below {{describes a memref of rank 2 by a box of rank 3}}
  %t = flash_tile.tensor_map %m : memref<?x64xbf16> -> !flash_tile.tensor_map<1x16x64xbf16>
  return
}

// -----
func.func @tensor_map_type(%m: memref<?x64xf16>) {
  // expected-error @below {{describes a memref of 'f16' by a map of 'bf16'}}
  %t = flash_tile.tensor_map %m : memref<?x64xf16> -> !flash_tile.tensor_map<16x64xbf16>
  return
}

// -----
func.func @grid(%n: index) {
  // expected-error @below {{has a grid of 1 to 3 dimensions, not 4}}
  flash_tile.launch @m::@k grid(%n, %n, %n, %n)
  return
}

// -----
func.func @no_kernel(%n: index) {
  // expected-error @below {{launches @m::@k, which does not exist}}
  flash_tile.launch @m::@k grid(%n)
  return
}

// -----
gpu.module @m {
  gpu.func @k(%x: f32) kernel {
    gpu.return
  }
}
func.func @arguments(%n: index) {
  // expected-error @below {{passes arguments of other types than @m::@k takes}}
  flash_tile.launch @m::@k grid(%n) args(%n : index)
  return
}

// -----
func.func @store_async_type(%v: !flash_tile.fragment<64x64xi32, #flash_tile.acc<4>>, %m: !flash_tile.tensor_map<16x64xbf16>, %i: index) {
  // expected-error @below {{stores an acc fragment of 16-bit elements or f32, not '!flash_tile.fragment<64x64xi32, #flash_tile.acc<4>>'}}
  flash_tile.store_async %v, %m[%i, %i] : !flash_tile.fragment<64x64xi32, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xbf16>
  return
}

// -----
func.func @store_async_element(%v: !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, %m: !flash_tile.tensor_map<16x64xbf16>, %i: index) {
  // expected-error @below {{stores 'f16' by a map of 'bf16'}}
  flash_tile.store_async %v, %m[%i, %i] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xbf16>
  return
}

// -----
func.func @store_async_offsets(%v: !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, %m: !flash_tile.tensor_map<16x64xf16>, %i: index) {
  // expected-error @below {{has 3 offsets for a box of rank 2}}
  flash_tile.store_async %v, %m[%i, %i, %i] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
  return
}

// -----
func.func @store_async_box(%v: !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, %m: !flash_tile.tensor_map<64x64xf16>, %i: index) {
  // expected-error @below {{needs a box of 16 rows and 64 columns}}
  flash_tile.store_async %v, %m[%i, %i] : !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<64x64xf16>
  return
}

// -----
func.func @store_async_columns(%v: !flash_tile.fragment<64x128xf16, #flash_tile.acc<4>>, %m: !flash_tile.tensor_map<16x64xf16>, %i: index) {
  // expected-error @below {{stores 48 of 128 columns at a time, which are not whole panels of 64}}
  flash_tile.store_async %v, %m[%i, %i] columns 48 : !flash_tile.fragment<64x128xf16, #flash_tile.acc<4>>, !flash_tile.tensor_map<16x64xf16>
  return
}

// -----
func.func @turn() {
  // expected-error @below {{stands in the consumers of a specialised kernel}}
  flash_tile.take_turn
  return
}

// -----
func.func @tiles(%n: index) {
  // expected-error @below {{'flash_tile.tiles' belongs on an scf.for}}
  %x = arith.addi %n, %n {flash_tile.tiles} : index
  return
}

// -----
func.func @masked(%n: index) {
  // expected-error @below {{'flash_tile.masked' belongs on an scf.for}}
  %x = arith.addi %n, %n {flash_tile.masked} : index
  return
}

// -----
func.func @load_to_end(%m: memref<?x64xbf16>, %i: index) {
  // expected-error @below {{has all rows of its tile, of which none is after the memref's end: leave out 'to_end', or write rows(...)}}
  %t = flash_tile.load %m[%i, %i] to_end : memref<?x64xbf16> -> !flash_tile.shared<64x64xbf16>
  return
}

// -----
func.func @store_to_end(%f: !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>, %m: memref<?x64xf32>, %i: index) {
  // expected-error @below {{has all rows of its tile, of which none is after the memref's end: leave out 'to_end', or write rows(...)}}
  flash_tile.store %f, %m[%i, %i] to_end : !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>, memref<?x64xf32>
  return
}

// -----
func.func @parts_of_panels(%a: !flash_tile.shared<128x64xbf16>, %b: !flash_tile.shared<128x96xbf16>) {
  // expected-error @below {{deals 96 columns to 2 groups, whose parts neither are panels of 64 columns nor divide one: pad them to 128, or give the kernel 4 warps}}
  %r = flash_tile.mma #flash_tile.wgmma %a, %b transpose_a
      : !flash_tile.shared<128x64xbf16>, !flash_tile.shared<128x96xbf16> -> !flash_tile.fragment<64x96xf32, #flash_tile.acc<8, column_groups = 2>>
  return
}

// -----

func.func @pages_packed(%m: memref<?x?x4x64xbf16>, %t: memref<?x?xi32>, %i: index) {
  // expected-error @below {{has rows in pages, which cannot be packed}}
  %l = flash_tile.load %m[%i, %i, %i, %i] pages(%t[%i] : memref<?x?xi32>) {row_dim = 1 : i64, packed = #flash_tile.packed_rows<dim = 2, size = 4>} : memref<?x?x4x64xbf16> -> !flash_tile.shared<16x64xbf16>
  return
}

// -----

func.func @pages_rows(%m: memref<?x64xbf16>, %t: memref<?x?xi32>, %i: index) {
  // expected-error @below {{has rows in pages, and so pages, not rows, along dimension 0}}
  %l = flash_tile.load %m[%i, %i] pages(%t[%i] : memref<?x?xi32>) : memref<?x64xbf16> -> !flash_tile.shared<16x64xbf16>
  return
}

// -----

func.func @clear_arguments(%t: !flash_tile.shared<64x64xbf16>, %c: i1, %n: index) {
  // expected-error @below {{has a body that does not take two arguments of type index, a query's row and a row of the tile}}
  flash_tile.clear_unseen %t when %c queries(%n) : !flash_tile.shared<64x64xbf16> {
  ^bb0(%i: index):
    flash_tile.yield %c : i1
  }
  return
}

// -----

func.func @clear_yield(%t: !flash_tile.shared<64x64xbf16>, %c: i1, %n: index) {
  // expected-error @below {{has a body that does not yield an i1}}
  flash_tile.clear_unseen %t when %c queries(%n) : !flash_tile.shared<64x64xbf16> {
  ^bb0(%i: index, %j: index):
    flash_tile.yield %i : index
  }
  return
}

// -----

gpu.module @clear_role {
  gpu.func @clear_role(%t: !flash_tile.shared<64x64xbf16>, %c: i1, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    flash_tile.specialize producer(40) {
    } consumers(232) {
      // expected-error @below {{is for kernels without roles: in the watcher, use flash_tile.watch}}
      flash_tile.clear_unseen %t when %c queries(%n) : !flash_tile.shared<64x64xbf16> {
      ^bb0(%i: index, %j: index):
        flash_tile.yield %c : i1
      }
    }
    gpu.return
  }
}

// -----

gpu.module @watch_ring {
  gpu.func @watch_ring(%c: i1, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %ring = flash_tile.ring : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    flash_tile.specialize producer(40) {
    } watcher {
      // expected-error @below {{is for a ring that is watched, as in !flash_tile.ring<2, 64x64xf16, mbarrier, watched>, not '!flash_tile.ring<2, 64x64xbf16, mbarrier>'}}
      flash_tile.watch %ring[%n] when %c queries(%n) : !flash_tile.ring<2, 64x64xbf16, mbarrier> {
      ^bb0(%i: index, %j: index):
        flash_tile.yield %c : i1
      }
    } consumers(232) {
    }
    gpu.return
  }
}

// -----

gpu.module @watch_role {
  gpu.func @watch_role(%c: i1, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %ring = flash_tile.ring : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched>
    flash_tile.specialize producer(40) {
    } consumers(232) {
      // expected-error @below {{belongs in the watcher of a flash_tile.specialize}}
      flash_tile.watch %ring[%n] when %c queries(%n) : !flash_tile.ring<2, 64x64xbf16, mbarrier, watched> {
      ^bb0(%i: index, %j: index):
        flash_tile.yield %c : i1
      }
    }
    gpu.return
  }
}

// -----

gpu.module @watcher_get {
  gpu.func @watcher_get(%n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 4>} {
    %ring = flash_tile.ring : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    flash_tile.specialize producer(40) {
    } watcher {
      // expected-error @below {{is not for a watcher, which waits by flash_tile.watch}}
      %t = flash_tile.get %ring[%n] : !flash_tile.ring<2, 64x64xbf16, mbarrier>
    } consumers(232) {
    }
    gpu.return
  }
}

// -----

// expected-error @below {{a ring of kind cp_async is not watched: who fills it clears it (flash_tile.clear_unseen)}}
func.func private @watched_cp_async(!flash_tile.ring<2, 64x64xbf16, cp_async, watched>)

// -----
gpu.module @m {
  gpu.func @helpers() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    // expected-error @below {{has 4 helpers and 4 names of helpers; there are at most 3, each with a name}}
    flash_tile.specialize producer(40) {
    } consumers(232) {
    } helper "a" {
    } helper "b" {
    } helper "c" {
    } helper "d" {
    }
    gpu.return
  }
}

// -----
func.func @turn_place(%i: index) {
  // expected-error @below {{stands in the consumers of a specialised kernel}}
  flash_tile.in_turn %i {
  }
  return
}

// -----
gpu.module @m {
  gpu.func @turn_in_turn(%i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    flash_tile.specialize producer(40) {
    } consumers(232) {
      // expected-error @below {{has a turn within its body}}
      flash_tile.in_turn %i {
        flash_tile.in_turn %i {
        }
      }
    }
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @warps_in_turn(%i: index, %x: f32) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    flash_tile.specialize producer(40) {
    } consumers(232) {
      flash_tile.in_turn %i {
        // expected-error @below {{has a fragment of 8 warps in a kernel of 4 at a time}}
        %s = flash_tile.splat %x : !flash_tile.fragment<128x16xf32, #flash_tile.acc<8>>
      }
    }
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @store_tile_place(%map: !flash_tile.tensor_map<64x32xf32>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %r = flash_tile.ring : !flash_tile.ring<1, 64x64xf32, mbarrier>
    flash_tile.specialize producer(40) {
    } consumers(232) {
      %t = flash_tile.get %r[%i] : !flash_tile.ring<1, 64x64xf32, mbarrier>
      // expected-error @below {{stands in a role of one thread of a flash_tile.specialize; computing warps have flash_tile.store_async}}
      flash_tile.store_tile add %t, %map[%i, %i] : !flash_tile.shared<64x64xf32>, !flash_tile.tensor_map<64x32xf32>
    }
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @store_tile_box(%map: !flash_tile.tensor_map<16x32xf32>, %i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %r = flash_tile.ring : !flash_tile.ring<1, 64x64xf32, mbarrier>
    flash_tile.specialize producer(40) {
    } consumers(232) {
    } helper "writer" {
      %t = flash_tile.get %r[%i] : !flash_tile.ring<1, 64x64xf32, mbarrier>
      // expected-error @below {{needs a box of 64 rows of 32 columns}}
      flash_tile.store_tile add %t, %map[%i, %i] : !flash_tile.shared<64x64xf32>, !flash_tile.tensor_map<16x32xf32>
    }
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @companion_stages() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %q = flash_tile.ring : !flash_tile.ring<2, 64x128xbf16, mbarrier>
    // expected-error @below {{both are of kind mbarrier, of one block, and have as many stages}}
    %l = flash_tile.ring with(%q : !flash_tile.ring<2, 64x128xbf16, mbarrier>) : !flash_tile.ring<3, 16x64xbf16, mbarrier>
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @companion_of_companion() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %q = flash_tile.ring : !flash_tile.ring<2, 64x128xbf16, mbarrier>
    %l = flash_tile.ring with(%q : !flash_tile.ring<2, 64x128xbf16, mbarrier>) : !flash_tile.ring<2, 16x64xbf16, mbarrier>
    // expected-error @below {{has the barriers of a ring that has none of its own}}
    %m = flash_tile.ring with(%l : !flash_tile.ring<2, 16x64xbf16, mbarrier>) : !flash_tile.ring<2, 16x64xbf16, mbarrier>
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @companion_release(%i: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %q = flash_tile.ring : !flash_tile.ring<2, 64x128xbf16, mbarrier>
    // expected-error @below {{is filled by flash_tile.put and released with the other ring}}
    %l = flash_tile.ring with(%q : !flash_tile.ring<2, 64x128xbf16, mbarrier>) : !flash_tile.ring<2, 16x64xbf16, mbarrier>
    flash_tile.specialize producer(40) {
    } consumers(232) {
      flash_tile.release %l[%i] : !flash_tile.ring<2, 16x64xbf16, mbarrier>
    }
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @helpers_and_watcher() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    // expected-error @below {{has 3 helpers and 3 names of helpers; beside a watcher there are at most 2, each with a name}}
    flash_tile.specialize producer(40) {
    } watcher {
    } consumers(232) {
    } helper "a" {
    } helper "b" {
    } helper "c" {
    }
    gpu.return
  }
}

// -----
gpu.module @m {
  gpu.func @companion_watched() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %q = flash_tile.ring : !flash_tile.ring<2, 64x128xbf16, mbarrier>
    // expected-error @below {{is watched: that is the part of the ring that has the barriers}}
    %l = flash_tile.ring with(%q : !flash_tile.ring<2, 64x128xbf16, mbarrier>) : !flash_tile.ring<2, 16x64xbf16, mbarrier, watched>
    gpu.return
  }
}

// -----
!acc = !flash_tile.pending<!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>>
func.func @whole_head(%a: !flash_tile.shared<64x32xbf16>, %b: !flash_tile.shared<64x32xbf16>, %h: !flash_tile.fragment<64x32xbf16, #flash_tile.lhs<4>>) {
  // expected-error @below {{cannot read the first columns of '!flash_tile.shared<64x32xbf16>' from '!flash_tile.fragment<64x32xbf16, #flash_tile.lhs<4>>'}}
  %p = flash_tile.mma_start #flash_tile.wgmma %a, %b head(%h : !flash_tile.fragment<64x32xbf16, #flash_tile.lhs<4>>) transpose_b : !flash_tile.shared<64x32xbf16>, !flash_tile.shared<64x32xbf16> -> !acc
  return
}

// -----
!acc = !flash_tile.pending<!flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>>
func.func @head_of_fragment(%a: !flash_tile.fragment<64x32xbf16, #flash_tile.lhs<4>>, %b: !flash_tile.shared<64x32xbf16>, %h: !flash_tile.fragment<64x16xbf16, #flash_tile.lhs<4>>) {
  // expected-error @below {{has the first columns of a in registers where a is a tile in shared memory, not transposed}}
  %p = flash_tile.mma_start #flash_tile.wgmma %a, %b head(%h : !flash_tile.fragment<64x16xbf16, #flash_tile.lhs<4>>) transpose_b : !flash_tile.fragment<64x32xbf16, #flash_tile.lhs<4>>, !flash_tile.shared<64x32xbf16> -> !acc
  return
}

// -----
func.func @half_of_mma_sync(%a: !flash_tile.fragment<64x8xbf16, #flash_tile.lhs<4>>, %b: !flash_tile.shared<8x64xbf16>) {
  // expected-error @below {{#flash_tile.mma_sync contracts a multiple of 16 columns, not 8}}
  %p = flash_tile.mma #flash_tile.mma_sync %a, %b : !flash_tile.fragment<64x8xbf16, #flash_tile.lhs<4>>, !flash_tile.shared<8x64xbf16> -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
  return
}

// -----
func.func @clear_share(%m: memref<?x3xf32>) {
  // expected-error @below {{clears a contiguous memref whose rows have a multiple of 16 bytes, not 'memref<?x3xf32>'}}
  flash_tile.clear_share %m : memref<?x3xf32>
  return
}
