func.func @f(%q: tensor<1x1x4x8xf32>) -> tensor<1x1x4x8xf32> {
  %o = flash.attention %q, %q : tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}
