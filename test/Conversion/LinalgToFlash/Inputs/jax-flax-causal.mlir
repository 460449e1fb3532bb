#map = affine_map<() -> ()>
#map1 = affine_map<(d0, d1, d2, d3) -> ()>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map3 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d1, d4)>
#map4 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d1, d4)>
#map5 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map6 = affine_map<(d0) -> (d0)>
#map7 = affine_map<(d0, d1) -> (d1)>
#map8 = affine_map<(d0, d1) -> (d0, d1)>
#map9 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map10 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map11 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map12 = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#map13 = affine_map<(d0, d1, d2) -> (d0, 0, d2)>
#map14 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#map15 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map16 = affine_map<(d0, d1, d2) -> ()>
#map17 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map18 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d4, d1, d2)>
#map19 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d3, d4)>
#map20 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>
#map21 = affine_map<(d0, d1, d2, d3) -> (d0, 0, d2, d3)>
module @jit_flax_causal attributes {jax.uses_shape_polymorphism = false, mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<2x6x4x8xf32>, %arg1: tensor<2x6x4x8xf32>, %arg2: tensor<2x6x4x8xf32>) -> (tensor<2x6x4x8xf32> {jax.result_info = "result"}) {
    %cst = arith.constant 2.82842708 : f32
    %cst_0 = arith.constant 0xFF800000 : f32
    %cst_1 = arith.constant 0.000000e+00 : f32
    %cst_2 = arith.constant dense<0xFF800000> : tensor<f32>
    %cst_3 = arith.constant dense<-3.40282347E+38> : tensor<f32>
    %0 = tensor.empty() : tensor<f32>
    %1 = linalg.generic {indexing_maps = [#map], iterator_types = []} outs(%0 : tensor<f32>) {
    ^bb0(%out: f32):
      linalg.yield %cst : f32
    } -> tensor<f32>
    %2 = tensor.empty() : tensor<2x6x4x8xf32>
    %3 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<f32>) outs(%2 : tensor<2x6x4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x6x4x8xf32>
    %4 = tensor.empty() : tensor<2x6x4x8xf32>
    %5 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0, %3 : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%4 : tensor<2x6x4x8xf32>) {
    ^bb0(%in: f32, %in_4: f32, %out: f32):
      %55 = arith.divf %in, %in_4 : f32
      linalg.yield %55 : f32
    } -> tensor<2x6x4x8xf32>
    %6 = tensor.empty() : tensor<2x4x6x6xf32>
    %7 = linalg.fill ins(%cst_1 : f32) outs(%6 : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
    %8 = linalg.generic {indexing_maps = [#map3, #map4, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%5, %arg1 : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%7 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_4: f32, %out: f32):
      %55 = arith.mulf %in, %in_4 : f32
      %56 = arith.addf %out, %55 : f32
      linalg.yield %56 : f32
    } -> tensor<2x4x6x6xf32>
    %9 = tensor.empty() : tensor<6xi32>
    %10 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel"]} outs(%9 : tensor<6xi32>) {
    ^bb0(%out: i32):
      %55 = linalg.index 0 : index
      %56 = arith.index_cast %55 : index to i32
      linalg.yield %56 : i32
    } -> tensor<6xi32>
    %11 = tensor.empty() : tensor<2x6xi32>
    %12 = linalg.generic {indexing_maps = [#map7, #map8], iterator_types = ["parallel", "parallel"]} ins(%10 : tensor<6xi32>) outs(%11 : tensor<2x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<2x6xi32>
    %13 = tensor.empty() : tensor<2x6x1xi32>
    %14 = linalg.generic {indexing_maps = [#map9, #map10], iterator_types = ["parallel", "parallel", "parallel"]} ins(%12 : tensor<2x6xi32>) outs(%13 : tensor<2x6x1xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<2x6x1xi32>
    %15 = tensor.empty() : tensor<2x1x6xi32>
    %16 = linalg.generic {indexing_maps = [#map11, #map10], iterator_types = ["parallel", "parallel", "parallel"]} ins(%12 : tensor<2x6xi32>) outs(%15 : tensor<2x1x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<2x1x6xi32>
    %17 = tensor.empty() : tensor<2x6x6xi32>
    %18 = linalg.generic {indexing_maps = [#map12, #map10], iterator_types = ["parallel", "parallel", "parallel"]} ins(%14 : tensor<2x6x1xi32>) outs(%17 : tensor<2x6x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<2x6x6xi32>
    %19 = tensor.empty() : tensor<2x6x6xi32>
    %20 = linalg.generic {indexing_maps = [#map13, #map10], iterator_types = ["parallel", "parallel", "parallel"]} ins(%16 : tensor<2x1x6xi32>) outs(%19 : tensor<2x6x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<2x6x6xi32>
    %21 = tensor.empty() : tensor<2x6x6xi1>
    %22 = linalg.generic {indexing_maps = [#map10, #map10, #map10], iterator_types = ["parallel", "parallel", "parallel"]} ins(%18, %20 : tensor<2x6x6xi32>, tensor<2x6x6xi32>) outs(%21 : tensor<2x6x6xi1>) {
    ^bb0(%in: i32, %in_4: i32, %out: i1):
      %55 = arith.cmpi sge, %in, %in_4 : i32
      linalg.yield %55 : i1
    } -> tensor<2x6x6xi1>
    %23 = tensor.empty() : tensor<2x1x6x6xi1>
    %24 = linalg.generic {indexing_maps = [#map14, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%22 : tensor<2x6x6xi1>) outs(%23 : tensor<2x1x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x1x6x6xi1>
    %25 = call @_where(%24, %8, %cst_3) : (tensor<2x1x6x6xi1>, tensor<2x4x6x6xf32>, tensor<f32>) -> tensor<2x4x6x6xf32>
    %26 = tensor.empty() : tensor<2x4x6xf32>
    %27 = linalg.fill ins(%cst_0 : f32) outs(%26 : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
    %28 = linalg.generic {indexing_maps = [#map2, #map15], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%25 : tensor<2x4x6x6xf32>) outs(%27 : tensor<2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %55 = arith.maximumf %out, %in : f32
      linalg.yield %55 : f32
    } -> tensor<2x4x6xf32>
    %29 = tensor.empty() : tensor<2x4x6xf32>
    %30 = linalg.generic {indexing_maps = [#map16, #map10], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_2 : tensor<f32>) outs(%29 : tensor<2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6xf32>
    %31 = tensor.empty() : tensor<2x4x6xf32>
    %32 = linalg.generic {indexing_maps = [#map10, #map10, #map10], iterator_types = ["parallel", "parallel", "parallel"]} ins(%30, %28 : tensor<2x4x6xf32>, tensor<2x4x6xf32>) outs(%31 : tensor<2x4x6xf32>) {
    ^bb0(%in: f32, %in_4: f32, %out: f32):
      %55 = arith.maximumf %in, %in_4 : f32
      linalg.yield %55 : f32
    } -> tensor<2x4x6xf32>
    %33 = tensor.empty() : tensor<2x4x6x1xf32>
    %34 = linalg.generic {indexing_maps = [#map15, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%32 : tensor<2x4x6xf32>) outs(%33 : tensor<2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x1xf32>
    %35 = tensor.empty() : tensor<2x4x6x6xf32>
    %36 = linalg.generic {indexing_maps = [#map17, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%34 : tensor<2x4x6x1xf32>) outs(%35 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %37 = tensor.empty() : tensor<2x4x6x6xf32>
    %38 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%25, %36 : tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) outs(%37 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_4: f32, %out: f32):
      %55 = arith.subf %in, %in_4 : f32
      linalg.yield %55 : f32
    } -> tensor<2x4x6x6xf32>
    %39 = tensor.empty() : tensor<2x4x6x6xf32>
    %40 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%38 : tensor<2x4x6x6xf32>) outs(%39 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %55 = math.exp %in : f32
      linalg.yield %55 : f32
    } -> tensor<2x4x6x6xf32>
    %41 = tensor.empty() : tensor<2x4x6xf32>
    %42 = linalg.fill ins(%cst_1 : f32) outs(%41 : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
    %43 = linalg.generic {indexing_maps = [#map2, #map15], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%40 : tensor<2x4x6x6xf32>) outs(%42 : tensor<2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %55 = arith.addf %out, %in : f32
      linalg.yield %55 : f32
    } -> tensor<2x4x6xf32>
    %44 = tensor.empty() : tensor<2x4x6x1xf32>
    %45 = linalg.generic {indexing_maps = [#map15, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%43 : tensor<2x4x6xf32>) outs(%44 : tensor<2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x1xf32>
    %46 = tensor.empty() : tensor<2x4x6x6xf32>
    %47 = linalg.generic {indexing_maps = [#map17, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%45 : tensor<2x4x6x1xf32>) outs(%46 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %48 = tensor.empty() : tensor<2x4x6x6xf32>
    %49 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%40, %47 : tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) outs(%48 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_4: f32, %out: f32):
      %55 = arith.divf %in, %in_4 : f32
      linalg.yield %55 : f32
    } -> tensor<2x4x6x6xf32>
    %50 = tensor.empty() : tensor<2x4x8x6xf32>
    %51 = linalg.fill ins(%cst_1 : f32) outs(%50 : tensor<2x4x8x6xf32>) -> tensor<2x4x8x6xf32>
    %52 = linalg.generic {indexing_maps = [#map18, #map19, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%arg2, %49 : tensor<2x6x4x8xf32>, tensor<2x4x6x6xf32>) outs(%51 : tensor<2x4x8x6xf32>) {
    ^bb0(%in: f32, %in_4: f32, %out: f32):
      %55 = arith.mulf %in, %in_4 : f32
      %56 = arith.addf %out, %55 : f32
      linalg.yield %56 : f32
    } -> tensor<2x4x8x6xf32>
    %53 = tensor.empty() : tensor<2x6x4x8xf32>
    %54 = linalg.generic {indexing_maps = [#map20, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%52 : tensor<2x4x8x6xf32>) outs(%53 : tensor<2x6x4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x6x4x8xf32>
    return %54 : tensor<2x6x4x8xf32>
  }
  func.func private @_where(%arg0: tensor<2x1x6x6xi1>, %arg1: tensor<2x4x6x6xf32>, %arg2: tensor<f32>) -> tensor<2x4x6x6xf32> {
    %0 = tensor.empty() : tensor<2x4x6x6xi1>
    %1 = linalg.generic {indexing_maps = [#map21, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<2x1x6x6xi1>) outs(%0 : tensor<2x4x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x4x6x6xi1>
    %2 = tensor.empty() : tensor<2x4x6x6xf32>
    %3 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg2 : tensor<f32>) outs(%2 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %4 = tensor.empty() : tensor<2x4x6x6xf32>
    %5 = linalg.generic {indexing_maps = [#map2, #map2, #map2, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1, %arg1, %3 : tensor<2x4x6x6xi1>, tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) outs(%4 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: i1, %in_0: f32, %in_1: f32, %out: f32):
      %6 = arith.select %in, %in_0, %in_1 : f32
      linalg.yield %6 : f32
    } -> tensor<2x4x6x6xf32>
    return %5 : tensor<2x4x6x6xf32>
  }
}

