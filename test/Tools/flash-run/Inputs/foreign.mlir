func.func @f(%q: tensor<1x1x4x64xf32>) -> tensor<1x1x4x64xf32> {
  %i = arith.constant dense<[[0], [1]]> : tensor<2x1xindex>
  %g = tensor.gather %q[%i] gather_dims([2]) : (tensor<1x1x4x64xf32>, tensor<2x1xindex>) -> tensor<2x1x1x1x64xf32>
  %k = tensor.collapse_shape %g [[0, 1, 2, 3], [4]] : tensor<2x1x1x1x64xf32> into tensor<2x64xf32>
  %e = tensor.expand_shape %k [[0, 1, 2], [3]] output_shape [1, 1, 2, 64] : tensor<2x64xf32> into tensor<1x1x2x64xf32>
  %o = flash.attention %q, %e, %e : tensor<1x1x4x64xf32>, tensor<1x1x2x64xf32>, tensor<1x1x2x64xf32> -> tensor<1x1x4x64xf32>
  return %o : tensor<1x1x4x64xf32>
}
