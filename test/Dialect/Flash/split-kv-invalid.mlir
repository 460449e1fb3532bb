// RUN: flash-opt %s -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-split-kv{parts=2}))'
// RUN: not flash-opt %s --pass-pipeline='builtin.module(func.func(flash-split-kv{parts=17}))' 2>&1 | FileCheck %s --check-prefix=PARTS

// PARTS: error: flash-split-kv: parts must be 1 to 16, for each is an attention of its own, but is 17

func.func @slice(%q: tensor<1x4x7x8xf16>) -> tensor<1x4x7x8xf16> {
  // expected-error @below {{attends to a slice of its keys already, which is not split further}}
  %o = flash.attention %q, %q, %q {key_slice = #flash.slice<part = 1, of = 3>} : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}
