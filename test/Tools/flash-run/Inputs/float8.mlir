func.func @main(%q: tensor<1x1x4x8xf32>, %k: tensor<1x1x4x8xf8E5M2>, %v: tensor<1x1x4x8xf32>, %s: tensor<1xf32>) -> tensor<1x1x4x8xf32> {
  %o = flash.attention %q, %k, %v key_scale(%s : tensor<1xf32>) : tensor<1x1x4x8xf32>, tensor<1x1x4x8xf8E5M2>, tensor<1x1x4x8xf32> -> tensor<1x1x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}
