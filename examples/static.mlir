// Causal attention with every size known, so that its levels are short enough to read.
// docs/Architecture.md and README.md show what the compiler makes of it.
func.func @attention(%q: tensor<8x32x1024x128xbf16>, %k: tensor<8x8x1024x128xbf16>, %v: tensor<8x8x1024x128xbf16>) -> tensor<8x32x1024x128xbf16> {
  %o = flash.attention %q, %k, %v {mask = #flash.causal}
      : tensor<8x32x1024x128xbf16>, tensor<8x8x1024x128xbf16>, tensor<8x8x1024x128xbf16> -> tensor<8x32x1024x128xbf16>
  return %o : tensor<8x32x1024x128xbf16>
}
