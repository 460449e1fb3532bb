#map = affine_map<(d0, d1, d2, d3) -> ()>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map2 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d4)>
#map3 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d3, d4)>
#map4 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map7 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d4, d3)>
module @jit_late attributes {jax.uses_shape_polymorphism = false, mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<2x4x6x8xf32>, %arg1: tensor<2x4x6x8xf32>, %arg2: tensor<2x4x6x8xf32>) -> (tensor<2x4x6x8xf32> {jax.result_info = "result"}) {
    %cst = arith.constant 0xFF800000 : f32
    %cst_0 = arith.constant 0.000000e+00 : f32
    %cst_1 = arith.constant dense<3.000000e-01> : tensor<f32>
    %0 = tensor.empty() : tensor<2x4x6x8xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_1 : tensor<f32>) outs(%0 : tensor<2x4x6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x8xf32>
    %2 = tensor.empty() : tensor<2x4x6x8xf32>
    %3 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0, %1 : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>) outs(%2 : tensor<2x4x6x8xf32>) {
    ^bb0(%in: f32, %in_2: f32, %out: f32):
      %30 = arith.mulf %in, %in_2 : f32
      linalg.yield %30 : f32
    } -> tensor<2x4x6x8xf32>
    %4 = tensor.empty() : tensor<2x4x6x6xf32>
    %5 = linalg.fill ins(%cst_0 : f32) outs(%4 : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
    %6 = linalg.generic {indexing_maps = [#map2, #map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%3, %arg1 : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>) outs(%5 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_2: f32, %out: f32):
      %30 = arith.mulf %in, %in_2 : f32
      %31 = arith.addf %out, %30 : f32
      linalg.yield %31 : f32
    } -> tensor<2x4x6x6xf32>
    %7 = tensor.empty() : tensor<2x4x6xf32>
    %8 = linalg.fill ins(%cst : f32) outs(%7 : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
    %9 = linalg.generic {indexing_maps = [#map1, #map5], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%6 : tensor<2x4x6x6xf32>) outs(%8 : tensor<2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = arith.maximumf %out, %in : f32
      linalg.yield %30 : f32
    } -> tensor<2x4x6xf32>
    %10 = tensor.empty() : tensor<2x4x6x1xf32>
    %11 = linalg.generic {indexing_maps = [#map5, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%9 : tensor<2x4x6xf32>) outs(%10 : tensor<2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x1xf32>
    %12 = tensor.empty() : tensor<2x4x6x6xf32>
    %13 = linalg.generic {indexing_maps = [#map6, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%11 : tensor<2x4x6x1xf32>) outs(%12 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %14 = tensor.empty() : tensor<2x4x6x6xf32>
    %15 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%6, %13 : tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) outs(%14 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_2: f32, %out: f32):
      %30 = arith.subf %in, %in_2 : f32
      linalg.yield %30 : f32
    } -> tensor<2x4x6x6xf32>
    %16 = tensor.empty() : tensor<2x4x6x6xf32>
    %17 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%15 : tensor<2x4x6x6xf32>) outs(%16 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = math.exp %in : f32
      linalg.yield %30 : f32
    } -> tensor<2x4x6x6xf32>
    %18 = tensor.empty() : tensor<2x4x6x8xf32>
    %19 = linalg.fill ins(%cst_0 : f32) outs(%18 : tensor<2x4x6x8xf32>) -> tensor<2x4x6x8xf32>
    %20 = linalg.generic {indexing_maps = [#map2, #map7, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%17, %arg2 : tensor<2x4x6x6xf32>, tensor<2x4x6x8xf32>) outs(%19 : tensor<2x4x6x8xf32>) {
    ^bb0(%in: f32, %in_2: f32, %out: f32):
      %30 = arith.mulf %in, %in_2 : f32
      %31 = arith.addf %out, %30 : f32
      linalg.yield %31 : f32
    } -> tensor<2x4x6x8xf32>
    %21 = tensor.empty() : tensor<2x4x6xf32>
    %22 = linalg.fill ins(%cst_0 : f32) outs(%21 : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
    %23 = linalg.generic {indexing_maps = [#map1, #map5], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%17 : tensor<2x4x6x6xf32>) outs(%22 : tensor<2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = arith.addf %out, %in : f32
      linalg.yield %30 : f32
    } -> tensor<2x4x6xf32>
    %24 = tensor.empty() : tensor<2x4x6x1xf32>
    %25 = linalg.generic {indexing_maps = [#map5, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%23 : tensor<2x4x6xf32>) outs(%24 : tensor<2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x1xf32>
    %26 = tensor.empty() : tensor<2x4x6x8xf32>
    %27 = linalg.generic {indexing_maps = [#map6, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%25 : tensor<2x4x6x1xf32>) outs(%26 : tensor<2x4x6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x8xf32>
    %28 = tensor.empty() : tensor<2x4x6x8xf32>
    %29 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%20, %27 : tensor<2x4x6x8xf32>, tensor<2x4x6x8xf32>) outs(%28 : tensor<2x4x6x8xf32>) {
    ^bb0(%in: f32, %in_2: f32, %out: f32):
      %30 = arith.divf %in, %in_2 : f32
      linalg.yield %30 : f32
    } -> tensor<2x4x6x8xf32>
    return %29 : tensor<2x4x6x8xf32>
  }
}

