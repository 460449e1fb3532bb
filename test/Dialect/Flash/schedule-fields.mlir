// RUN: flash-opt %s | flash-opt | FileCheck %s
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a}))' | FileCheck %s --check-prefix=CHOSEN
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a schedule=#flash.schedule<tma=false,lazy=false>}))' | FileCheck %s --check-prefix=OPTION
// RUN: not flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a schedule=#flash.schedule<lazzy=false>}))' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a schedule=#flash.schedule<backward=true>}))' 2>&1 | FileCheck %s --check-prefix=RENAMED
// RUN: not flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a schedule=#flash.schedule<lazy=true,lazy=false>}))' 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not flash-opt %s --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a schedule=#flash.schedule<instruction=fma>}))' 2>&1 | FileCheck %s --check-prefix=INSTRUCTION

// UNKNOWN: unknown field of a schedule: lazzy; did you mean 'lazy'?
// TWICE: duplicate field of a schedule: lazy
// RENAMED: unknown field of a schedule: backward; the order of keys is 'reverseKeys'
// INSTRUCTION: expected none, mma_sync or wgmma, not 'fma'

// What is not written is chosen.
// CHECK-LABEL: @nothing
// CHOSEN-LABEL: @nothing
// OPTION-LABEL: @nothing
func.func @nothing(%q: tensor<1x4x?x128xbf16>) -> tensor<1x4x?x128xbf16> {
  // CHECK: flash.attention {{.*}} {schedule = #flash.schedule<>}
  // CHOSEN: lazy = true, persistent = true,
  // CHOSEN-NOT: overlap =
  // CHOSEN-NOT: partialSums =
  // OPTION: specialize = true, producerRegisters
  // OPTION-NOT: lazy =
  // OPTION: persistent = true
  %o = flash.attention %q, %q, %q {schedule = #flash.schedule<>} : tensor<1x4x?x128xbf16>, tensor<1x4x?x128xbf16>, tensor<1x4x?x128xbf16> -> tensor<1x4x?x128xbf16>
  return %o : tensor<1x4x?x128xbf16>
}

// A field with its default is a wish: it switches off what would be chosen. Without m, n or an instruction there is no
// schedule.
// CHECK-LABEL: @off
// CHOSEN-LABEL: @off
func.func @off(%q: tensor<1x4x?x128xbf16>) -> tensor<1x4x?x128xbf16> {
  // CHECK: flash.attention {{.*}} {schedule = #flash.schedule<lazy = false, persistent = false, headTurns = 0, storeTma = false, peelMasks = false, overlap = false, partialSums = false>}
  // CHOSEN: flash.attention {{.*}} {schedule = #flash.schedule<m = {{[0-9]+}}, n = {{[0-9]+}},
  // CHOSEN-SAME: instruction = wgmma
  // CHOSEN-NOT: {{lazy|persistent|headTurns|storeTma|peelMasks}} =
  // CHOSEN-SAME: overlap = false, partialSums = false>
  %o = flash.attention %q, %q, %q {schedule = #flash.schedule<m = 0, n = 0, instruction = none, lazy = false, persistent = false, headTurns = 0, storeTma = false, peelMasks = false, overlap = false, partialSums = false>} : tensor<1x4x?x128xbf16>, tensor<1x4x?x128xbf16>, tensor<1x4x?x128xbf16> -> tensor<1x4x?x128xbf16>
  return %o : tensor<1x4x?x128xbf16>
}

// Heads share tiles where that fills them; not if that is off.
// CHOSEN-LABEL: @packed
func.func @packed(%q: tensor<2x1x8x128xbf16>, %k: tensor<2x999x2x128xbf16>) -> tensor<2x1x8x128xbf16> {
  // CHOSEN: packHeads = 4
  %o = flash.attention %q, %k, %k {layout = #flash.layout<bshd>} : tensor<2x1x8x128xbf16>, tensor<2x999x2x128xbf16>, tensor<2x999x2x128xbf16> -> tensor<2x1x8x128xbf16>
  // CHOSEN: flash.attention
  // CHOSEN-NOT: packHeads
  // CHOSEN: return
  %p = flash.attention %o, %k, %k {layout = #flash.layout<bshd>, schedule = #flash.schedule<packHeads = 0>} : tensor<2x1x8x128xbf16>, tensor<2x999x2x128xbf16>, tensor<2x999x2x128xbf16> -> tensor<2x1x8x128xbf16>
  return %p : tensor<2x1x8x128xbf16>
}
