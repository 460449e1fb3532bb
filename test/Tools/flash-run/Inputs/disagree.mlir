func.func @f(%q: tensor<1x1x4x64xf32>, %k: tensor<1x1x4x32xf32>)
    -> tensor<1x1x4x32xf32> {
  %o = flash.attention %q, %k, %k : tensor<1x1x4x64xf32>, tensor<1x1x4x32xf32>, tensor<1x1x4x32xf32> -> tensor<1x1x4x32xf32>
  return %o : tensor<1x1x4x32xf32>
}
