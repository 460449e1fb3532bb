// The watcher and helpers are made late by their names.
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-delay-role{role=watcher})))' | FileCheck %s --check-prefix=WATCHER
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-delay-role{role=writer})))' | FileCheck %s --check-prefix=WRITER

// WATCHER: producer(40)
// WATCHER-NOT: delay
// WATCHER: watcher {
// WATCHER-NEXT: flash_tile.delay 2000
// WATCHER-NEXT: flash_tile.watch
// WATCHER: consumers(232)
// WATCHER-NOT: delay
// WRITER: producer(40)
// WRITER-NOT: delay
// WRITER: helper "writer" {
// WRITER-NEXT: flash_tile.delay 2000
// WRITER-NEXT: flash_tile.get
gpu.module @kernels {
  gpu.func @kernel(%map: !flash_tile.tensor_map<64x64xf16>, %c: i1) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %ring = flash_tile.ring : !flash_tile.ring<2, 64x64xf16, mbarrier, watched>
    %sums = flash_tile.ring : !flash_tile.ring<1, 64x64xf16, mbarrier>
    flash_tile.specialize producer(40) {
      flash_tile.put %ring[%c0], %map[%c0, %c0] : !flash_tile.ring<2, 64x64xf16, mbarrier, watched>, !flash_tile.tensor_map<64x64xf16>
    } watcher {
      flash_tile.watch %ring[%c0] when %c queries(%c0) : !flash_tile.ring<2, 64x64xf16, mbarrier, watched> {
      ^bb0(%i: index, %j: index):
        flash_tile.yield %c : i1
      }
    } consumers(232) {
      %t = flash_tile.get %ring[%c0] : !flash_tile.ring<2, 64x64xf16, mbarrier, watched>
      flash_tile.release %ring[%c0] : !flash_tile.ring<2, 64x64xf16, mbarrier, watched>
    } helper "writer" {
      %s = flash_tile.get %sums[%c0] : !flash_tile.ring<1, 64x64xf16, mbarrier>
      flash_tile.release %sums[%c0] : !flash_tile.ring<1, 64x64xf16, mbarrier>
    }
    gpu.return
  }
}
