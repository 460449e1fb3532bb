#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d3, d4)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map4 = affine_map<(d0) -> (d0)>
#map5 = affine_map<(d0, d1) -> (0, d1)>
#map6 = affine_map<(d0, d1) -> (d0, 0)>
#map7 = affine_map<(d0, d1) -> (d0, d1)>
#map8 = affine_map<(d0, d1) -> ()>
#map9 = affine_map<(d0, d1, d2, d3) -> (0, 0, d2, d3)>
#map10 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map11 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
module {
  func.func @main(%arg0: tensor<2x4x6x8xbf16>, %arg1: tensor<2x2x6x8xbf16>, %arg2: tensor<2x2x6x8xbf16>) -> tensor<2x6x4x8xbf16> {
    %c1_i64 = arith.constant 1 : i64
    %c0_i64 = arith.constant 0 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 0xFF800000 : f32
    %cst_1 = arith.constant dense<0.000000e+00> : tensor<bf16>
    %cst_2 = arith.constant dense<0xFF80> : tensor<6x6xbf16>
    %cst_3 = arith.constant 0.35355339059327379 : f64
    %0 = tensor.empty() : tensor<2x2x2x6x8xbf16>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<2x2x6x8xbf16>) outs(%0 : tensor<2x2x2x6x8xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<2x2x2x6x8xbf16>
    %collapsed = tensor.collapse_shape %1 [[0], [1, 2], [3], [4]] : tensor<2x2x2x6x8xbf16> into tensor<2x4x6x8xbf16>
    %2 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg2 : tensor<2x2x6x8xbf16>) outs(%0 : tensor<2x2x2x6x8xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<2x2x2x6x8xbf16>
    %3 = tensor.empty() : tensor<2x4x8x6xbf16>
    %transposed = linalg.transpose ins(%collapsed : tensor<2x4x6x8xbf16>) outs(%3 : tensor<2x4x8x6xbf16>) permutation = [0, 1, 3, 2] 
    %collapsed_4 = tensor.collapse_shape %arg0 [[0, 1], [2], [3]] : tensor<2x4x6x8xbf16> into tensor<8x6x8xbf16>
    %collapsed_5 = tensor.collapse_shape %transposed [[0, 1], [2], [3]] : tensor<2x4x8x6xbf16> into tensor<8x8x6xbf16>
    %4 = tensor.empty() : tensor<8x6x6xf32>
    %5 = linalg.fill ins(%cst : f32) outs(%4 : tensor<8x6x6xf32>) -> tensor<8x6x6xf32>
    %6 = linalg.batch_matmul ins(%collapsed_4, %collapsed_5 : tensor<8x6x8xbf16>, tensor<8x8x6xbf16>) outs(%5 : tensor<8x6x6xf32>) -> tensor<8x6x6xf32>
    %7 = tensor.empty() : tensor<8x6x6xbf16>
    %8 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%6 : tensor<8x6x6xf32>) outs(%7 : tensor<8x6x6xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %40 = arith.truncf %in : f32 to bf16
      linalg.yield %40 : bf16
    } -> tensor<8x6x6xbf16>
    %expanded = tensor.expand_shape %8 [[0, 1], [2], [3]] output_shape [2, 4, 6, 6] : tensor<8x6x6xbf16> into tensor<2x4x6x6xbf16>
    %9 = tensor.empty() : tensor<2x4x6x6xbf16>
    %10 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded : tensor<2x4x6x6xbf16>) outs(%9 : tensor<2x4x6x6xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %40 = arith.truncf %cst_3 : f64 to bf16
      %41 = arith.mulf %in, %40 : bf16
      linalg.yield %41 : bf16
    } -> tensor<2x4x6x6xbf16>
    %11 = tensor.empty() : tensor<6xi64>
    %12 = linalg.generic {indexing_maps = [#map4], iterator_types = ["parallel"]} outs(%11 : tensor<6xi64>) {
    ^bb0(%out: i64):
      %40 = linalg.index 0 : index
      %41 = arith.index_cast %40 : index to i64
      linalg.yield %41 : i64
    } -> tensor<6xi64>
    %expanded_6 = tensor.expand_shape %12 [[0, 1]] output_shape [1, 6] : tensor<6xi64> into tensor<1x6xi64>
    %expanded_7 = tensor.expand_shape %12 [[0, 1]] output_shape [6, 1] : tensor<6xi64> into tensor<6x1xi64>
    %13 = tensor.empty() : tensor<6x6xi64>
    %14 = linalg.generic {indexing_maps = [#map5, #map6, #map7], iterator_types = ["parallel", "parallel"]} ins(%expanded_6, %expanded_7 : tensor<1x6xi64>, tensor<6x1xi64>) outs(%13 : tensor<6x6xi64>) {
    ^bb0(%in: i64, %in_14: i64, %out: i64):
      %40 = arith.subi %in, %in_14 : i64
      linalg.yield %40 : i64
    } -> tensor<6x6xi64>
    %15 = tensor.empty() : tensor<6x6xi1>
    %16 = linalg.generic {indexing_maps = [#map7, #map7], iterator_types = ["parallel", "parallel"]} ins(%14 : tensor<6x6xi64>) outs(%15 : tensor<6x6xi1>) {
    ^bb0(%in: i64, %out: i1):
      %40 = arith.cmpi sge, %in, %c1_i64 : i64
      linalg.yield %40 : i1
    } -> tensor<6x6xi1>
    %17 = tensor.empty() : tensor<6x6xbf16>
    %18 = linalg.generic {indexing_maps = [#map7, #map7, #map8, #map7], iterator_types = ["parallel", "parallel"]} ins(%16, %cst_2, %cst_1 : tensor<6x6xi1>, tensor<6x6xbf16>, tensor<bf16>) outs(%17 : tensor<6x6xbf16>) {
    ^bb0(%in: i1, %in_14: bf16, %in_15: bf16, %out: bf16):
      %40 = arith.select %in, %in_14, %in_15 : bf16
      linalg.yield %40 : bf16
    } -> tensor<6x6xbf16>
    %expanded_8 = tensor.expand_shape %18 [[0, 1, 2], [3]] output_shape [1, 1, 6, 6] : tensor<6x6xbf16> into tensor<1x1x6x6xbf16>
    %19 = linalg.generic {indexing_maps = [#map3, #map9, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10, %expanded_8 : tensor<2x4x6x6xbf16>, tensor<1x1x6x6xbf16>) outs(%9 : tensor<2x4x6x6xbf16>) {
    ^bb0(%in: bf16, %in_14: bf16, %out: bf16):
      %40 = arith.addf %in, %in_14 : bf16
      linalg.yield %40 : bf16
    } -> tensor<2x4x6x6xbf16>
    %20 = tensor.empty() : tensor<2x4x6x6xf32>
    %21 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%19 : tensor<2x4x6x6xbf16>) outs(%20 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: bf16, %out: f32):
      %40 = arith.extf %in : bf16 to f32
      linalg.yield %40 : f32
    } -> tensor<2x4x6x6xf32>
    %22 = tensor.empty() : tensor<2x4x6xi64>
    %23 = linalg.fill ins(%c0_i64 : i64) outs(%22 : tensor<2x4x6xi64>) -> tensor<2x4x6xi64>
    %24 = tensor.empty() : tensor<2x4x6xf32>
    %25 = linalg.fill ins(%cst_0 : f32) outs(%24 : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
    %26:2 = linalg.generic {indexing_maps = [#map3, #map10, #map10], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%21 : tensor<2x4x6x6xf32>) outs(%25, %23 : tensor<2x4x6xf32>, tensor<2x4x6xi64>) {
    ^bb0(%in: f32, %out: f32, %out_14: i64):
      %40 = linalg.index 3 : index
      %41 = arith.index_cast %40 : index to i64
      %42 = arith.maximumf %in, %out : f32
      %43 = arith.cmpf ogt, %in, %out : f32
      %44 = arith.select %43, %41, %out_14 : i64
      linalg.yield %42, %44 : f32, i64
    } -> (tensor<2x4x6xf32>, tensor<2x4x6xi64>)
    %expanded_9 = tensor.expand_shape %26#0 [[0], [1], [2, 3]] output_shape [2, 4, 6, 1] : tensor<2x4x6xf32> into tensor<2x4x6x1xf32>
    %27 = linalg.generic {indexing_maps = [#map3, #map11, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%21, %expanded_9 : tensor<2x4x6x6xf32>, tensor<2x4x6x1xf32>) outs(%20 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_14: f32, %out: f32):
      %40 = arith.subf %in, %in_14 : f32
      linalg.yield %40 : f32
    } -> tensor<2x4x6x6xf32>
    %28 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%27 : tensor<2x4x6x6xf32>) outs(%20 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %40 = math.exp %in : f32
      linalg.yield %40 : f32
    } -> tensor<2x4x6x6xf32>
    %29 = tensor.empty() : tensor<2x4x6x1xf32>
    %30 = linalg.fill ins(%cst : f32) outs(%29 : tensor<2x4x6x1xf32>) -> tensor<2x4x6x1xf32>
    %31 = linalg.generic {indexing_maps = [#map3, #map11], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%28 : tensor<2x4x6x6xf32>) outs(%30 : tensor<2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %40 = arith.addf %in, %out : f32
      linalg.yield %40 : f32
    } -> tensor<2x4x6x1xf32>
    %32 = linalg.generic {indexing_maps = [#map3, #map11, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%28, %31 : tensor<2x4x6x6xf32>, tensor<2x4x6x1xf32>) outs(%20 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_14: f32, %out: f32):
      %40 = arith.divf %in, %in_14 : f32
      linalg.yield %40 : f32
    } -> tensor<2x4x6x6xf32>
    %33 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%32 : tensor<2x4x6x6xf32>) outs(%9 : tensor<2x4x6x6xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %40 = arith.truncf %in : f32 to bf16
      linalg.yield %40 : bf16
    } -> tensor<2x4x6x6xbf16>
    %collapsed_10 = tensor.collapse_shape %33 [[0, 1], [2], [3]] : tensor<2x4x6x6xbf16> into tensor<8x6x6xbf16>
    %collapsed_11 = tensor.collapse_shape %2 [[0, 1, 2], [3], [4]] : tensor<2x2x2x6x8xbf16> into tensor<8x6x8xbf16>
    %34 = tensor.empty() : tensor<8x6x8xf32>
    %35 = linalg.fill ins(%cst : f32) outs(%34 : tensor<8x6x8xf32>) -> tensor<8x6x8xf32>
    %36 = linalg.batch_matmul ins(%collapsed_10, %collapsed_11 : tensor<8x6x6xbf16>, tensor<8x6x8xbf16>) outs(%35 : tensor<8x6x8xf32>) -> tensor<8x6x8xf32>
    %37 = tensor.empty() : tensor<8x6x8xbf16>
    %38 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%36 : tensor<8x6x8xf32>) outs(%37 : tensor<8x6x8xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %40 = arith.truncf %in : f32 to bf16
      linalg.yield %40 : bf16
    } -> tensor<8x6x8xbf16>
    %expanded_12 = tensor.expand_shape %38 [[0, 1], [2], [3]] output_shape [2, 4, 6, 8] : tensor<8x6x8xbf16> into tensor<2x4x6x8xbf16>
    %39 = tensor.empty() : tensor<2x6x4x8xbf16>
    %transposed_13 = linalg.transpose ins(%expanded_12 : tensor<2x4x6x8xbf16>) outs(%39 : tensor<2x6x4x8xbf16>) permutation = [0, 2, 1, 3] 
    return %transposed_13 : tensor<2x6x4x8xbf16>
  }
}

