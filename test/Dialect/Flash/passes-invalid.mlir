// RUN: flash-opt %s -split-input-file -verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-tile-attention))'

func.func @no_schedule(%q: tensor<1x4x7x8xf16>) -> tensor<1x4x7x8xf16> {
  // expected-error @below {{has no complete schedule (m, n and d): run flash-choose-schedule before}}
  %o = flash.attention %q, %q, %q : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}

// -----

func.func @not_yet(%q: tensor<1x4x7x8xf16>, %s: tensor<4xf32>) -> tensor<1x4x7x8xf16> {
  // expected-error @below {{with sinks is not supported yet}}
  %o = flash.attention %q, %q, %q sinks(%s : tensor<4xf32>) {schedule = #flash.schedule<m = 4, n = 4, d = 4>}
      : tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16>, tensor<1x4x7x8xf16> -> tensor<1x4x7x8xf16>
  return %o : tensor<1x4x7x8xf16>
}
