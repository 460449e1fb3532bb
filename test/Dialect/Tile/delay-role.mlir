// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-delay-role{role=producer})))' | FileCheck %s --check-prefix=PRODUCER
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-delay-role{role=consumer1 nanoseconds=500})))' | FileCheck %s --check-prefix=CONSUMER
// RUN: not flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-delay-role{role=boss})))' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-delay-role{role=consumer1 nanoseconds=500}),convert-flash-tile-to-nvvm))' | FileCheck %s --check-prefix=PTX

// A role that some kernels have, and this one has not.
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-delay-role{role=watcher})))' | FileCheck %s --check-prefixes=KERNEL,NOBODY
// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-delay-role{role=writer})))' | FileCheck %s --check-prefixes=KERNEL,NOBODY
// KERNEL: gpu.func @kernel
// NOBODY-NOT: delay

// PRODUCER: specialize producer(40)
// PRODUCER-NEXT: flash_tile.delay 2000
// PRODUCER-NEXT: scf.for
// PRODUCER-NEXT: flash_tile.delay 2000
// PRODUCER: consumers(232)
// PRODUCER-NOT: delay
// CONSUMER: specialize producer(40)
// CONSUMER-NOT: delay
// CONSUMER: consumers(232)
// CONSUMER-NEXT: flash_tile.delay 500 warpgroup 1
// CONSUMER-NEXT: scf.for
// CONSUMER-NEXT: flash_tile.delay 500 warpgroup 1
// UNKNOWN: error: 'flash_tile.specialize' op has no role 'boss'; there are producer, watcher, consumers, consumer0, ..., and helpers by their names
// PTX: scf.if %
// PTX: nanosleep.u32 500;
gpu.module @kernels {
  gpu.func @kernel(%map: !flash_tile.tensor_map<64x64xf16>, %n: index) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>, flash_tile.shared_bytes = 20480 : i64} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %ring = flash_tile.ring {shared_offset = 0 : i64} : !flash_tile.ring<2, 64x64xf16, mbarrier>
    flash_tile.specialize producer(40) {
      scf.for %i = %c0 to %n step %c64 {
        flash_tile.put %ring[%i], %map[%i, %c0] : !flash_tile.ring<2, 64x64xf16, mbarrier>, !flash_tile.tensor_map<64x64xf16>
      }
    } consumers(232) {
      scf.for %i = %c0 to %n step %c64 {
        %t = flash_tile.get %ring[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
        flash_tile.release %ring[%i] : !flash_tile.ring<2, 64x64xf16, mbarrier>
      }
    }
    gpu.return
  }
}
