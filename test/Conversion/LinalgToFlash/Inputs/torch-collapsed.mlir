#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
module {
  func.func @main(%arg0: tensor<2x6x32xf32>, %arg1: tensor<2x9x32xf32>, %arg2: tensor<2x9x32xf32>) -> tensor<2x6x32xf32> {
    %cst = arith.constant 0.000000e+00 : f32
    %c0_i64 = arith.constant 0 : i64
    %cst_0 = arith.constant 0xFF800000 : f32
    %cst_1 = arith.constant 0.35355339059327379 : f64
    %expanded = tensor.expand_shape %arg0 [[0], [1], [2, 3]] output_shape [2, 6, 4, 8] : tensor<2x6x32xf32> into tensor<2x6x4x8xf32>
    %0 = tensor.empty() : tensor<2x4x6x8xf32>
    %transposed = linalg.transpose ins(%expanded : tensor<2x6x4x8xf32>) outs(%0 : tensor<2x4x6x8xf32>) permutation = [0, 2, 1, 3] 
    %collapsed = tensor.collapse_shape %transposed [[0, 1], [2], [3]] : tensor<2x4x6x8xf32> into tensor<8x6x8xf32>
    %1 = tensor.empty() : tensor<8x6x8xf32>
    %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed : tensor<8x6x8xf32>) outs(%1 : tensor<8x6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %22 = arith.truncf %cst_1 : f64 to f32
      %23 = arith.mulf %in, %22 : f32
      linalg.yield %23 : f32
    } -> tensor<8x6x8xf32>
    %expanded_2 = tensor.expand_shape %arg1 [[0], [1], [2, 3]] output_shape [2, 9, 4, 8] : tensor<2x9x32xf32> into tensor<2x9x4x8xf32>
    %3 = tensor.empty() : tensor<2x4x9x8xf32>
    %transposed_3 = linalg.transpose ins(%expanded_2 : tensor<2x9x4x8xf32>) outs(%3 : tensor<2x4x9x8xf32>) permutation = [0, 2, 1, 3] 
    %collapsed_4 = tensor.collapse_shape %transposed_3 [[0, 1], [2], [3]] : tensor<2x4x9x8xf32> into tensor<8x9x8xf32>
    %4 = tensor.empty() : tensor<8x8x9xf32>
    %transposed_5 = linalg.transpose ins(%collapsed_4 : tensor<8x9x8xf32>) outs(%4 : tensor<8x8x9xf32>) permutation = [0, 2, 1] 
    %5 = tensor.empty() : tensor<8x6x9xf32>
    %6 = linalg.fill ins(%cst : f32) outs(%5 : tensor<8x6x9xf32>) -> tensor<8x6x9xf32>
    %7 = linalg.batch_matmul ins(%2, %transposed_5 : tensor<8x6x8xf32>, tensor<8x8x9xf32>) outs(%6 : tensor<8x6x9xf32>) -> tensor<8x6x9xf32>
    %8 = tensor.empty() : tensor<8x6xi64>
    %9 = linalg.fill ins(%c0_i64 : i64) outs(%8 : tensor<8x6xi64>) -> tensor<8x6xi64>
    %10 = tensor.empty() : tensor<8x6xf32>
    %11 = linalg.fill ins(%cst_0 : f32) outs(%10 : tensor<8x6xf32>) -> tensor<8x6xf32>
    %12:2 = linalg.generic {indexing_maps = [#map, #map1, #map1], iterator_types = ["parallel", "parallel", "reduction"]} ins(%7 : tensor<8x6x9xf32>) outs(%11, %9 : tensor<8x6xf32>, tensor<8x6xi64>) {
    ^bb0(%in: f32, %out: f32, %out_13: i64):
      %22 = linalg.index 2 : index
      %23 = arith.index_cast %22 : index to i64
      %24 = arith.maximumf %in, %out : f32
      %25 = arith.cmpf ogt, %in, %out : f32
      %26 = arith.select %25, %23, %out_13 : i64
      linalg.yield %24, %26 : f32, i64
    } -> (tensor<8x6xf32>, tensor<8x6xi64>)
    %expanded_6 = tensor.expand_shape %12#0 [[0], [1, 2]] output_shape [8, 6, 1] : tensor<8x6xf32> into tensor<8x6x1xf32>
    %13 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%7, %expanded_6 : tensor<8x6x9xf32>, tensor<8x6x1xf32>) outs(%5 : tensor<8x6x9xf32>) {
    ^bb0(%in: f32, %in_13: f32, %out: f32):
      %22 = arith.subf %in, %in_13 : f32
      linalg.yield %22 : f32
    } -> tensor<8x6x9xf32>
    %14 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%13 : tensor<8x6x9xf32>) outs(%5 : tensor<8x6x9xf32>) {
    ^bb0(%in: f32, %out: f32):
      %22 = math.exp %in : f32
      linalg.yield %22 : f32
    } -> tensor<8x6x9xf32>
    %15 = tensor.empty() : tensor<8x6x1xf32>
    %16 = linalg.fill ins(%cst : f32) outs(%15 : tensor<8x6x1xf32>) -> tensor<8x6x1xf32>
    %17 = linalg.generic {indexing_maps = [#map, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%14 : tensor<8x6x9xf32>) outs(%16 : tensor<8x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %22 = arith.addf %in, %out : f32
      linalg.yield %22 : f32
    } -> tensor<8x6x1xf32>
    %18 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%14, %17 : tensor<8x6x9xf32>, tensor<8x6x1xf32>) outs(%5 : tensor<8x6x9xf32>) {
    ^bb0(%in: f32, %in_13: f32, %out: f32):
      %22 = arith.divf %in, %in_13 : f32
      linalg.yield %22 : f32
    } -> tensor<8x6x9xf32>
    %expanded_7 = tensor.expand_shape %arg2 [[0], [1], [2, 3]] output_shape [2, 9, 4, 8] : tensor<2x9x32xf32> into tensor<2x9x4x8xf32>
    %transposed_8 = linalg.transpose ins(%expanded_7 : tensor<2x9x4x8xf32>) outs(%3 : tensor<2x4x9x8xf32>) permutation = [0, 2, 1, 3] 
    %collapsed_9 = tensor.collapse_shape %transposed_8 [[0, 1], [2], [3]] : tensor<2x4x9x8xf32> into tensor<8x9x8xf32>
    %19 = linalg.fill ins(%cst : f32) outs(%1 : tensor<8x6x8xf32>) -> tensor<8x6x8xf32>
    %20 = linalg.batch_matmul ins(%18, %collapsed_9 : tensor<8x6x9xf32>, tensor<8x9x8xf32>) outs(%19 : tensor<8x6x8xf32>) -> tensor<8x6x8xf32>
    %expanded_10 = tensor.expand_shape %20 [[0, 1], [2], [3]] output_shape [2, 4, 6, 8] : tensor<8x6x8xf32> into tensor<2x4x6x8xf32>
    %21 = tensor.empty() : tensor<2x6x4x8xf32>
    %transposed_11 = linalg.transpose ins(%expanded_10 : tensor<2x4x6x8xf32>) outs(%21 : tensor<2x6x4x8xf32>) permutation = [0, 2, 1, 3] 
    %collapsed_12 = tensor.collapse_shape %transposed_11 [[0], [1], [2, 3]] : tensor<2x6x4x8xf32> into tensor<2x6x32xf32>
    return %collapsed_12 : tensor<2x6x32xf32>
  }
}

