// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none},flash-tile-attention,flash-decompose-attention),flash-gpu-tile-pipeline{target=sm_90a})' | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none schedule=#flash.schedule<overlap=false>},flash-tile-attention,flash-decompose-attention),flash-gpu-tile-pipeline{target=sm_90a})' | FileCheck %s --check-prefix=SERIAL
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a table=none schedule=#flash.schedule<partialSums=false>},flash-tile-attention,flash-decompose-attention),flash-gpu-tile-pipeline{target=sm_90a})' | FileCheck %s --check-prefix=WHOLE

// Narrow heads: three warpgroups of 64 rows compute, a fourth copies.
// CHECK: gpu.func @attention({{.*}}flash_tile.kernel = #flash_tile.kernel<warps = 12
// CHECK: flash_tile.specialize producer(32)
// CHECK: consumers(160)
// The next Q K^T is under way while P V is issued.
// CHECK: scf.for
// CHECK: flash_tile.mma_start #flash_tile.wgmma {{.*}} -> !flash_tile.pending<!flash_tile.fragment<192x112xf32, #flash_tile.acc<12>>>
// CHECK-NEXT: flash_tile.get
// CHECK-NEXT: flash_tile.mma_start #flash_tile.wgmma {{.*}} acc(
// Row sums are joined once, behind the loop.
// CHECK: flash_tile.all_reduce add {{.*}}row_partial<12>

// Each switched off alone.
// SERIAL: consumers(160)
// SERIAL-NOT: mma_start
// SERIAL: flash_tile.all_reduce add {{.*}}row_partial<12>
// SERIAL-NOT: mma_start
// WHOLE: consumers(160)
// WHOLE: flash_tile.mma_start
// WHOLE-NOT: row_partial
func.func @attention(%q: tensor<?x4x?x64xbf16>) -> tensor<?x4x?x64xbf16> {
  %o = flash.attention %q, %q, %q : tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xbf16>
  return %o : tensor<?x4x?x64xbf16>
}
