func.func @f(%q: tensor<1x1x4x64xf32>) -> tensor<1x1x4x64xf32> {
  %e = math.exp %q : tensor<1x1x4x64xf32>
  %o = flash.attention %e, %q, %q : tensor<1x1x4x64xf32>, tensor<1x1x4x64xf32>, tensor<1x1x4x64xf32> -> tensor<1x1x4x64xf32>
  return %o : tensor<1x1x4x64xf32>
}
