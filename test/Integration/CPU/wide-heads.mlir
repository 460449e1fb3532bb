// Head dims over 256 are for the CPU; a GPU says what it takes.
// RUN: flash-run %s --entry=main --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=mla --target=cpu --check | FileCheck %s
// CHECK: check {{.*}} ok
// RUN: not flash-run %s --entry=main --target=sm_90a --emit=ptx 2>&1 | FileCheck %s --check-prefix=GPU
// RUN: not flash-run %s --entry=mla --target=sm_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=WIDEST
// GPU: 'flash.attention' op has a head dim of 512, but on a GPU it is at most 256; --target=cpu takes more
// WIDEST: 'flash.attention' op has a head dim of 576, but on a GPU it is at most 256

// Head dim 512 for keys and values, one key head for all, one query.
func.func @main(%q: tensor<1x8x1x512xbf16>, %k: tensor<1x1x65x512xbf16>, %v: tensor<1x1x65x512xbf16>) -> tensor<1x8x1x512xbf16> {
  %o = flash.attention %q, %k, %v : tensor<1x8x1x512xbf16>, tensor<1x1x65x512xbf16>, tensor<1x1x65x512xbf16> -> tensor<1x8x1x512xbf16>
  return %o : tensor<1x8x1x512xbf16>
}
// Multi-head latent attention: keys are wider than values.
func.func @mla(%q: tensor<1x8x3x576xf32>, %k: tensor<1x1x65x576xf32>, %v: tensor<1x1x65x512xf32>) -> tensor<1x8x3x512xf32> {
  %o = flash.attention %q, %k, %v {mask = #flash.causal} : tensor<1x8x3x576xf32>, tensor<1x1x65x576xf32>, tensor<1x1x65x512xf32> -> tensor<1x8x3x512xf32>
  return %o : tensor<1x8x3x512xf32>
}
