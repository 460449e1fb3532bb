// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-tile-attention))'

func.func @no_schedule(%q: tensor<1x4x7x8xf16>) -> tensor<1x4x7x8xf16> {
  // expected-error @below {{has no complete schedule (m, n and d): run flash-choose-schedule before}}
  %o = flash.attention %q, %q, %q : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}
