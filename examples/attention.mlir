// Causal attention with grouped queries: 32 query heads share 8 key heads.
// Batch and both lengths are run-time values; one kernel serves them all.
//
//   flash-run examples/attention.mlir --check
//   flash-run examples/attention.mlir --dim=batch=2 --dim=sq=1 --dim=sk=4096 --check --repeat=20
//   flash-run examples/attention.mlir --print-ir-after-level=L0,L1,L2 --compile-only

func.func @attention(%q: tensor<?x32x?x128xbf16>, %k: tensor<?x8x?x128xbf16>, %v: tensor<?x8x?x128xbf16>)
    -> (tensor<?x32x?x128xbf16>, tensor<?x32x?xf32>) {
  // O, and the logarithm of the sum of each row's exponentials.
  %o, %lse = flash.attention %q, %k, %v {mask = #flash.causal}
      : tensor<?x32x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>
      -> tensor<?x32x?x128xbf16>, tensor<?x32x?xf32>
  return %o, %lse : tensor<?x32x?x128xbf16>, tensor<?x32x?xf32>
}
