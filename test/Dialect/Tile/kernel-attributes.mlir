// What a kernel is and which passes are to work on it: printed, parsed and verified.
//
// RUN: flash-opt %s --split-input-file --verify-diagnostics | flash-opt --split-input-file | FileCheck %s

gpu.module @kernels {
  // CHECK-LABEL: gpu.func @kernel
  // CHECK-SAME: flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, outer_stages = 2, cluster = 2, roles = <producer_registers = 40, consumer_registers = 232>>
  // CHECK-SAME: flash_tile.passes = [#flash_tile.order<turns = 32>, #flash_tile.split_tiles<parts = 4>, #flash_tile.persistent<unlike = true>, #flash_tile.partial_sums, #flash_tile.keep_operands, #flash_tile.store_tma<columns = 64>, #flash_tile.overlap<delay_puts = true>, #flash_tile.start_products, #flash_tile.prefetch_tiles<blocks = 8>, #flash_tile.peel_masks<first = true, one_more = true>, #flash_tile.overlap_tiles, #flash_tile.ping_pong, #flash_tile.lazy_softmax<early_check = true, cut_exact = true>]
  gpu.func @kernel() kernel attributes {
      flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.wgmma, stages = 2, outer_stages = 2, cluster = 2,
          roles = #flash_tile.roles<producer_registers = 40, consumer_registers = 232>>,
      flash_tile.passes = [#flash_tile.order<turns = 32>, #flash_tile.split_tiles<parts = 4>, #flash_tile.persistent<unlike = true>,
          #flash_tile.partial_sums, #flash_tile.keep_operands, #flash_tile.store_tma<columns = 64>, #flash_tile.overlap<delay_puts = true>,
          #flash_tile.start_products, #flash_tile.prefetch_tiles<blocks = 8>, #flash_tile.peel_masks<first = true, one_more = true>,
          #flash_tile.overlap_tiles, #flash_tile.ping_pong, #flash_tile.lazy_softmax<early_check = true, cut_exact = true>]} {
    gpu.return
  }
}

// A loop that is to become a kernel may leave the number of warps open; passes without parameters are short.
// CHECK-LABEL: @loop
// CHECK: flash_tile.kernel = #flash_tile.kernel<stages = 2>, flash_tile.passes = [#flash_tile.overlap]
func.func @loop() {
  scf.forall (%i) in (4) {
  } {flash_tile.kernel = #flash_tile.kernel<stages = 2>, flash_tile.passes = [#flash_tile.overlap<delay_puts = false>]}
  return
}

// -----
gpu.module @kernels {
  // expected-error @below {{'flash_tile.kernel' of a kernel says how many warps it has, as in #flash_tile.kernel<warps = 8>}}
  gpu.func @warps() kernel attributes {flash_tile.kernel = #flash_tile.kernel<stages = 2>} {
    gpu.return
  }
}

// -----
gpu.module @kernels {
  // expected-error @below {{unknown attribute 'flash_tile.warps' of the flash_tile dialect; write 'flash_tile.kernel = #flash_tile.kernel<warps = ...>'}}
  gpu.func @old() kernel attributes {flash_tile.warps = 8 : i64} {
    gpu.return
  }
}

// -----
gpu.module @kernels {
  // expected-error @below {{a kernel has no attribute 'passes'; did you mean 'flash_tile.passes'?}}
  gpu.func @bare() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, passes = [#flash_tile.overlap]} {
    gpu.return
  }
}

// -----
gpu.module @kernels {
  // expected-error @below {{unknown attribute 'flash_tile.pases' of the flash_tile dialect; did you mean 'flash_tile.passes'?}}
  gpu.func @misspelt() kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.pases = [#flash_tile.overlap]} {
    gpu.return
  }
}

// -----
gpu.module @kernels {
  // expected-error @below {{'flash_tile.kernel' must be a #flash_tile.kernel<...>}}
  gpu.func @kind() kernel attributes {flash_tile.kernel = 8 : i64} {
    gpu.return
  }
}

// -----
gpu.module @kernels {
  // expected-error @below {{'flash_tile.passes' must be a list, as in [#flash_tile.overlap]}}
  gpu.func @list() kernel attributes {flash_tile.passes = #flash_tile.overlap} {
    gpu.return
  }
}

// -----
gpu.module @kernels {
  // expected-error @below {{'flash_tile.passes' has attributes of passes, as in [#flash_tile.overlap], but not "overlap"}}
  gpu.func @string() kernel attributes {flash_tile.passes = ["overlap"]} {
    gpu.return
  }
}

// -----
gpu.module @kernels {
  // expected-error @below {{'flash_tile.passes' says two things to flash-tile-overlap}}
  gpu.func @twice() kernel attributes {flash_tile.passes = [#flash_tile.overlap, #flash_tile.overlap<delay_puts = true>]} {
    gpu.return
  }
}

// -----
func.func @place() {
  %c0 = arith.constant 0 : index
  // expected-error @below {{'flash_tile.passes' belongs on a gpu.func or an scf.forall}}
  scf.for %i = %c0 to %c0 step %c0 {
  } {flash_tile.passes = [#flash_tile.overlap]}
  return
}

// -----
// expected-error @below {{the instruction of a kernel is #flash_tile.mma_sync or #flash_tile.wgmma, not 8 : i64}}
func.func private @instruction() attributes {foo.bar = #flash_tile.kernel<warps = 8, instruction = 8>}

// -----
// expected-error @below {{#flash_tile.wgmma is executed by 4 warps together, but the kernel has 6}}
func.func private @wgmma() attributes {foo.bar = #flash_tile.kernel<warps = 6, instruction = #flash_tile.wgmma>}

// -----
// expected-error @below {{consumers are whole warpgroups of 4 warps, but the kernel has 6}}
func.func private @consumers() attributes {foo.bar = #flash_tile.kernel<warps = 6, roles = <producer_registers = 40, consumer_registers = 232>>}

// -----
// expected-error @below {{a ring has 1 to 32 stages, not 33}}
func.func private @stages() attributes {foo.bar = #flash_tile.kernel<warps = 8, stages = 33>}

// -----
// expected-error @below {{a role has a multiple of 8 registers from 24 to 256, not 20}}
func.func private @registers() attributes {foo.bar = #flash_tile.roles<producer_registers = 20, consumer_registers = 232>}
