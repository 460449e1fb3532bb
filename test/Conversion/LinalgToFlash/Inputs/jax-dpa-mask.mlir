#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d3, d4)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d2, d1, d3, d5)>
#map3 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d5)>
#map4 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>
#map5 = affine_map<(d0, d1, d2, d3, d4) -> ()>
#map6 = affine_map<(d0, d1, d2, d3) -> ()>
#map7 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map8 = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d3, d4)>
#map9 = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d0, d3, d4)>
#map10 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, 0, d3, d4)>
#map11 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map12 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, 0)>
#map13 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d5, d1, d2)>
#map14 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d3, d0, d1, d4, d5)>
#map15 = affine_map<(d0, d1, d2, d3, d4) -> (d1, d3, d4, d0, d2)>
#map16 = affine_map<(d0, d1, d2, d3, d4) -> (d3, d0, d1, d2, d4)>
#map17 = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d3, d0, d4)>
module @jit__lambda attributes {jax.uses_shape_polymorphism = false, mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<2x6x4x8xf32>, %arg1: tensor<2x6x4x8xf32>, %arg2: tensor<2x6x4x8xf32>, %arg3: tensor<2x1x6x6xi1>) -> (tensor<2x6x4x8xf32> {jax.result_info = "result"}) {
    %cst = arith.constant 0xFF800000 : f32
    %cst_0 = arith.constant 0.000000e+00 : f32
    %cst_1 = arith.constant dense<0xFF800000> : tensor<f32>
    %cst_2 = arith.constant dense<-2.38197633E+38> : tensor<f32>
    %cst_3 = arith.constant dense<true> : tensor<i1>
    %cst_4 = arith.constant dense<0.353553385> : tensor<f32>
    %expanded = tensor.expand_shape %arg0 [[0], [1], [2], [3, 4]] output_shape [2, 6, 4, 1, 8] : tensor<2x6x4x8xf32> into tensor<2x6x4x1x8xf32>
    %0 = tensor.empty() : tensor<2x1x1x6x6xi1>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg3 : tensor<2x1x6x6xi1>) outs(%0 : tensor<2x1x1x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x1x1x6x6xi1>
    %2 = tensor.empty() : tensor<2x4x6x1x6xf32>
    %3 = linalg.fill ins(%cst_0 : f32) outs(%2 : tensor<2x4x6x1x6xf32>) -> tensor<2x4x6x1x6xf32>
    %4 = linalg.generic {indexing_maps = [#map2, #map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%expanded, %arg1 : tensor<2x6x4x1x8xf32>, tensor<2x6x4x8xf32>) outs(%3 : tensor<2x4x6x1x6xf32>) {
    ^bb0(%in: f32, %in_5: f32, %out: f32):
      %51 = arith.mulf %in, %in_5 : f32
      %52 = arith.addf %out, %51 : f32
      linalg.yield %52 : f32
    } -> tensor<2x4x6x1x6xf32>
    %5 = tensor.empty() : tensor<2x4x6x1x6xf32>
    %6 = linalg.generic {indexing_maps = [#map5, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%cst_4 : tensor<f32>) outs(%5 : tensor<2x4x6x1x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x1x6xf32>
    %7 = tensor.empty() : tensor<2x4x6x1x6xf32>
    %8 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%4, %6 : tensor<2x4x6x1x6xf32>, tensor<2x4x6x1x6xf32>) outs(%7 : tensor<2x4x6x1x6xf32>) {
    ^bb0(%in: f32, %in_5: f32, %out: f32):
      %51 = arith.mulf %in, %in_5 : f32
      linalg.yield %51 : f32
    } -> tensor<2x4x6x1x6xf32>
    %9 = tensor.empty() : tensor<2x4x6x6xi1>
    %10 = linalg.generic {indexing_maps = [#map6, #map7], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_3 : tensor<i1>) outs(%9 : tensor<2x4x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x4x6x6xi1>
    %11 = tensor.empty() : tensor<1x2x4x6x6xi1>
    %12 = linalg.generic {indexing_maps = [#map8, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%10 : tensor<2x4x6x6xi1>) outs(%11 : tensor<1x2x4x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<1x2x4x6x6xi1>
    %13 = tensor.empty() : tensor<1x2x1x6x6xi1>
    %14 = linalg.generic {indexing_maps = [#map9, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<2x1x1x6x6xi1>) outs(%13 : tensor<1x2x1x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<1x2x1x6x6xi1>
    %15 = tensor.empty() : tensor<1x2x4x6x6xi1>
    %16 = linalg.generic {indexing_maps = [#map10, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%14 : tensor<1x2x1x6x6xi1>) outs(%15 : tensor<1x2x4x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<1x2x4x6x6xi1>
    %17 = tensor.empty() : tensor<1x2x4x6x6xi1>
    %18 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%12, %16 : tensor<1x2x4x6x6xi1>, tensor<1x2x4x6x6xi1>) outs(%17 : tensor<1x2x4x6x6xi1>) {
    ^bb0(%in: i1, %in_5: i1, %out: i1):
      %51 = arith.andi %in, %in_5 : i1
      linalg.yield %51 : i1
    } -> tensor<1x2x4x6x6xi1>
    %19 = call @_where(%18, %8, %cst_2) : (tensor<1x2x4x6x6xi1>, tensor<2x4x6x1x6xf32>, tensor<f32>) -> tensor<1x2x4x6x6xf32>
    %20 = tensor.empty() : tensor<1x2x4x6xf32>
    %21 = linalg.fill ins(%cst : f32) outs(%20 : tensor<1x2x4x6xf32>) -> tensor<1x2x4x6xf32>
    %22 = linalg.generic {indexing_maps = [#map1, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%19 : tensor<1x2x4x6x6xf32>) outs(%21 : tensor<1x2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %51 = arith.maximumf %out, %in : f32
      linalg.yield %51 : f32
    } -> tensor<1x2x4x6xf32>
    %23 = tensor.empty() : tensor<1x2x4x6xf32>
    %24 = linalg.generic {indexing_maps = [#map6, #map7], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_1 : tensor<f32>) outs(%23 : tensor<1x2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6xf32>
    %25 = tensor.empty() : tensor<1x2x4x6xf32>
    %26 = linalg.generic {indexing_maps = [#map7, #map7, #map7], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%24, %22 : tensor<1x2x4x6xf32>, tensor<1x2x4x6xf32>) outs(%25 : tensor<1x2x4x6xf32>) {
    ^bb0(%in: f32, %in_5: f32, %out: f32):
      %51 = arith.maximumf %in, %in_5 : f32
      linalg.yield %51 : f32
    } -> tensor<1x2x4x6xf32>
    %27 = tensor.empty() : tensor<1x2x4x6x1xf32>
    %28 = linalg.generic {indexing_maps = [#map11, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%26 : tensor<1x2x4x6xf32>) outs(%27 : tensor<1x2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x1xf32>
    %29 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %30 = linalg.generic {indexing_maps = [#map12, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%28 : tensor<1x2x4x6x1xf32>) outs(%29 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x6xf32>
    %31 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %32 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%19, %30 : tensor<1x2x4x6x6xf32>, tensor<1x2x4x6x6xf32>) outs(%31 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_5: f32, %out: f32):
      %51 = arith.subf %in, %in_5 : f32
      linalg.yield %51 : f32
    } -> tensor<1x2x4x6x6xf32>
    %33 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %34 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%32 : tensor<1x2x4x6x6xf32>) outs(%33 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %51 = math.exp %in : f32
      linalg.yield %51 : f32
    } -> tensor<1x2x4x6x6xf32>
    %35 = tensor.empty() : tensor<1x2x4x6xf32>
    %36 = linalg.fill ins(%cst_0 : f32) outs(%35 : tensor<1x2x4x6xf32>) -> tensor<1x2x4x6xf32>
    %37 = linalg.generic {indexing_maps = [#map1, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%34 : tensor<1x2x4x6x6xf32>) outs(%36 : tensor<1x2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %51 = arith.addf %out, %in : f32
      linalg.yield %51 : f32
    } -> tensor<1x2x4x6xf32>
    %38 = tensor.empty() : tensor<1x2x4x6x1xf32>
    %39 = linalg.generic {indexing_maps = [#map11, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%37 : tensor<1x2x4x6xf32>) outs(%38 : tensor<1x2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x1xf32>
    %40 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %41 = linalg.generic {indexing_maps = [#map12, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%39 : tensor<1x2x4x6x1xf32>) outs(%40 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x6xf32>
    %42 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %43 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%34, %41 : tensor<1x2x4x6x6xf32>, tensor<1x2x4x6x6xf32>) outs(%42 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_5: f32, %out: f32):
      %51 = arith.divf %in, %in_5 : f32
      linalg.yield %51 : f32
    } -> tensor<1x2x4x6x6xf32>
    %44 = tensor.empty() : tensor<2x4x8x1x6xf32>
    %45 = linalg.fill ins(%cst_0 : f32) outs(%44 : tensor<2x4x8x1x6xf32>) -> tensor<2x4x8x1x6xf32>
    %46 = linalg.generic {indexing_maps = [#map13, #map14, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%arg2, %43 : tensor<2x6x4x8xf32>, tensor<1x2x4x6x6xf32>) outs(%45 : tensor<2x4x8x1x6xf32>) {
    ^bb0(%in: f32, %in_5: f32, %out: f32):
      %51 = arith.mulf %in, %in_5 : f32
      %52 = arith.addf %out, %51 : f32
      linalg.yield %52 : f32
    } -> tensor<2x4x8x1x6xf32>
    %47 = tensor.empty() : tensor<1x2x6x4x8xf32>
    %48 = linalg.generic {indexing_maps = [#map15, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%46 : tensor<2x4x8x1x6xf32>) outs(%47 : tensor<1x2x6x4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x6x4x8xf32>
    %49 = tensor.empty() : tensor<2x6x4x1x8xf32>
    %50 = linalg.generic {indexing_maps = [#map16, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%48 : tensor<1x2x6x4x8xf32>) outs(%49 : tensor<2x6x4x1x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x6x4x1x8xf32>
    %collapsed = tensor.collapse_shape %50 [[0], [1], [2], [3, 4]] : tensor<2x6x4x1x8xf32> into tensor<2x6x4x8xf32>
    return %collapsed : tensor<2x6x4x8xf32>
  }
  func.func private @_where(%arg0: tensor<1x2x4x6x6xi1>, %arg1: tensor<2x4x6x1x6xf32>, %arg2: tensor<f32>) -> tensor<1x2x4x6x6xf32> {
    %0 = tensor.empty() : tensor<2x4x6x6xf32>
    %1 = linalg.generic {indexing_maps = [#map6, #map7], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg2 : tensor<f32>) outs(%0 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %2 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %3 = linalg.generic {indexing_maps = [#map8, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<2x4x6x6xf32>) outs(%2 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x6xf32>
    %4 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %5 = linalg.generic {indexing_maps = [#map17, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<2x4x6x1x6xf32>) outs(%4 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x6xf32>
    %6 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %7 = linalg.generic {indexing_maps = [#map1, #map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg0, %5, %3 : tensor<1x2x4x6x6xi1>, tensor<1x2x4x6x6xf32>, tensor<1x2x4x6x6xf32>) outs(%6 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: i1, %in_0: f32, %in_1: f32, %out: f32):
      %8 = arith.select %in, %in_0, %in_1 : f32
      linalg.yield %8 : f32
    } -> tensor<1x2x4x6x6xf32>
    return %7 : tensor<1x2x4x6x6xf32>
  }
}

