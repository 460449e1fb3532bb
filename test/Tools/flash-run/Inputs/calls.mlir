!t = tensor<1x2x8x16xf32>
func.func private @there(%x: !t) -> !t
func.func @outside(%q: !t, %k: !t, %v: !t) -> !t {
  %x = call @there(%q) : (!t) -> !t
  %o = flash.attention %x, %k, %v : !t, !t, !t -> !t
  return %o : !t
}
func.func @itself(%q: !t, %k: !t, %v: !t) -> !t {
  %o = call @itself(%q, %k, %v) : (!t, !t, !t) -> !t
  return %o : !t
}
