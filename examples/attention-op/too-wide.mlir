// What a target does not take is said of another dialect's attention, too.
//
//   attention-op-opt too-wide.mlir --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a}))' --verify-diagnostics

func.func @wide(%q: tensor<1x1x4x512xf16>, %k: tensor<1x?x4x512xf16>, %v: tensor<1x?x4x512xf16>, %n: tensor<1xi32>)
    -> tensor<1x1x4x512xf16> {
  // expected-error@+1 {{has a head dim of 512, but on a GPU it is at most 256; --target=cpu takes more}}
  %o = serving.decode %q, %k, %v, %n
      : (tensor<1x1x4x512xf16>, tensor<1x?x4x512xf16>, tensor<1x?x4x512xf16>, tensor<1xi32>) -> tensor<1x1x4x512xf16>
  return %o : tensor<1x1x4x512xf16>
}
