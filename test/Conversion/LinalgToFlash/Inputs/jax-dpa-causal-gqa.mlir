#map = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d2, d1, d3, d5)>
#map1 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d5)>
#map2 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>
#map3 = affine_map<(d0, d1, d2, d3, d4) -> ()>
#map4 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map5 = affine_map<(d0, d1, d2, d3) -> ()>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map7 = affine_map<(d0, d1) -> ()>
#map8 = affine_map<(d0, d1) -> (d0, d1)>
#map9 = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
#map10 = affine_map<(d0, d1, d2, d3) -> (0, 0, d2, d3)>
#map11 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map12 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, 0)>
#map13 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d5, d1, d2)>
#map14 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d3, d0, d1, d4, d5)>
#map15 = affine_map<(d0, d1, d2, d3, d4) -> (d1, d3, d4, d0, d2)>
#map16 = affine_map<(d0, d1, d2, d3, d4) -> (d3, d0, d1, d2, d4)>
#map17 = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d3, d4)>
#map18 = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d3, d0, d4)>
module @jit__lambda attributes {jax.uses_shape_polymorphism = false, mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<2x6x4x8xbf16>, %arg1: tensor<2x6x2x8xbf16>, %arg2: tensor<2x6x2x8xbf16>) -> (tensor<2x6x4x8xbf16> {jax.result_info = "result"}) {
    %cst = arith.constant 0.000000e+00 : bf16
    %cst_0 = arith.constant 0xFF800000 : f32
    %cst_1 = arith.constant 0.000000e+00 : f32
    %cst_2 = arith.constant dense<0xFF800000> : tensor<f32>
    %cst_3 = arith.constant dense<-2.38197633E+38> : tensor<f32>
    %cst_4 = arith.constant dense<true> : tensor<i1>
    %cst_5 = arith.constant dense<0.353553385> : tensor<f32>
    %expanded = tensor.expand_shape %arg0 [[0], [1], [2, 3], [4]] output_shape [2, 6, 2, 2, 8] : tensor<2x6x4x8xbf16> into tensor<2x6x2x2x8xbf16>
    %0 = tensor.empty() : tensor<2x2x6x2x6xf32>
    %1 = linalg.fill ins(%cst_1 : f32) outs(%0 : tensor<2x2x6x2x6xf32>) -> tensor<2x2x6x2x6xf32>
    %2 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%expanded, %arg1 : tensor<2x6x2x2x8xbf16>, tensor<2x6x2x8xbf16>) outs(%1 : tensor<2x2x6x2x6xf32>) {
    ^bb0(%in: bf16, %in_6: bf16, %out: f32):
      %52 = arith.extf %in : bf16 to f32
      %53 = arith.extf %in_6 : bf16 to f32
      %54 = arith.mulf %52, %53 : f32
      %55 = arith.addf %out, %54 : f32
      linalg.yield %55 : f32
    } -> tensor<2x2x6x2x6xf32>
    %3 = tensor.empty() : tensor<2x2x6x2x6xf32>
    %4 = linalg.generic {indexing_maps = [#map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%cst_5 : tensor<f32>) outs(%3 : tensor<2x2x6x2x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x6x2x6xf32>
    %5 = tensor.empty() : tensor<2x2x6x2x6xf32>
    %6 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%2, %4 : tensor<2x2x6x2x6xf32>, tensor<2x2x6x2x6xf32>) outs(%5 : tensor<2x2x6x2x6xf32>) {
    ^bb0(%in: f32, %in_6: f32, %out: f32):
      %52 = arith.mulf %in, %in_6 : f32
      linalg.yield %52 : f32
    } -> tensor<2x2x6x2x6xf32>
    %7 = tensor.empty() : tensor<2x2x6x6xi1>
    %8 = linalg.generic {indexing_maps = [#map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_4 : tensor<i1>) outs(%7 : tensor<2x2x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x2x6x6xi1>
    %9 = tensor.empty() : tensor<6x6xi1>
    %10 = linalg.generic {indexing_maps = [#map7, #map8], iterator_types = ["parallel", "parallel"]} ins(%cst_4 : tensor<i1>) outs(%9 : tensor<6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<6x6xi1>
    %11 = call @tril(%10) : (tensor<6x6xi1>) -> tensor<6x6xi1>
    %12 = tensor.empty() : tensor<1x1x6x6xi1>
    %13 = linalg.generic {indexing_maps = [#map9, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%11 : tensor<6x6xi1>) outs(%12 : tensor<1x1x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<1x1x6x6xi1>
    %14 = tensor.empty() : tensor<2x2x6x6xi1>
    %15 = linalg.generic {indexing_maps = [#map10, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%13 : tensor<1x1x6x6xi1>) outs(%14 : tensor<2x2x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x2x6x6xi1>
    %16 = tensor.empty() : tensor<2x2x6x6xi1>
    %17 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%8, %15 : tensor<2x2x6x6xi1>, tensor<2x2x6x6xi1>) outs(%16 : tensor<2x2x6x6xi1>) {
    ^bb0(%in: i1, %in_6: i1, %out: i1):
      %52 = arith.andi %in, %in_6 : i1
      linalg.yield %52 : i1
    } -> tensor<2x2x6x6xi1>
    %18 = call @_where(%17, %6, %cst_3) : (tensor<2x2x6x6xi1>, tensor<2x2x6x2x6xf32>, tensor<f32>) -> tensor<2x2x2x6x6xf32>
    %19 = tensor.empty() : tensor<2x2x2x6xf32>
    %20 = linalg.fill ins(%cst_0 : f32) outs(%19 : tensor<2x2x2x6xf32>) -> tensor<2x2x2x6xf32>
    %21 = linalg.generic {indexing_maps = [#map4, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%18 : tensor<2x2x2x6x6xf32>) outs(%20 : tensor<2x2x2x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %52 = arith.maximumf %out, %in : f32
      linalg.yield %52 : f32
    } -> tensor<2x2x2x6xf32>
    %22 = tensor.empty() : tensor<2x2x2x6xf32>
    %23 = linalg.generic {indexing_maps = [#map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_2 : tensor<f32>) outs(%22 : tensor<2x2x2x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x2x6xf32>
    %24 = tensor.empty() : tensor<2x2x2x6xf32>
    %25 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%23, %21 : tensor<2x2x2x6xf32>, tensor<2x2x2x6xf32>) outs(%24 : tensor<2x2x2x6xf32>) {
    ^bb0(%in: f32, %in_6: f32, %out: f32):
      %52 = arith.maximumf %in, %in_6 : f32
      linalg.yield %52 : f32
    } -> tensor<2x2x2x6xf32>
    %26 = tensor.empty() : tensor<2x2x2x6x1xf32>
    %27 = linalg.generic {indexing_maps = [#map11, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%25 : tensor<2x2x2x6xf32>) outs(%26 : tensor<2x2x2x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x2x6x1xf32>
    %28 = tensor.empty() : tensor<2x2x2x6x6xf32>
    %29 = linalg.generic {indexing_maps = [#map12, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%27 : tensor<2x2x2x6x1xf32>) outs(%28 : tensor<2x2x2x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x2x6x6xf32>
    %30 = tensor.empty() : tensor<2x2x2x6x6xf32>
    %31 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%18, %29 : tensor<2x2x2x6x6xf32>, tensor<2x2x2x6x6xf32>) outs(%30 : tensor<2x2x2x6x6xf32>) {
    ^bb0(%in: f32, %in_6: f32, %out: f32):
      %52 = arith.subf %in, %in_6 : f32
      linalg.yield %52 : f32
    } -> tensor<2x2x2x6x6xf32>
    %32 = tensor.empty() : tensor<2x2x2x6x6xf32>
    %33 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%31 : tensor<2x2x2x6x6xf32>) outs(%32 : tensor<2x2x2x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %52 = math.exp %in : f32
      linalg.yield %52 : f32
    } -> tensor<2x2x2x6x6xf32>
    %34 = tensor.empty() : tensor<2x2x2x6xf32>
    %35 = linalg.fill ins(%cst_1 : f32) outs(%34 : tensor<2x2x2x6xf32>) -> tensor<2x2x2x6xf32>
    %36 = linalg.generic {indexing_maps = [#map4, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%33 : tensor<2x2x2x6x6xf32>) outs(%35 : tensor<2x2x2x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %52 = arith.addf %out, %in : f32
      linalg.yield %52 : f32
    } -> tensor<2x2x2x6xf32>
    %37 = tensor.empty() : tensor<2x2x2x6x1xf32>
    %38 = linalg.generic {indexing_maps = [#map11, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%36 : tensor<2x2x2x6xf32>) outs(%37 : tensor<2x2x2x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x2x6x1xf32>
    %39 = tensor.empty() : tensor<2x2x2x6x6xf32>
    %40 = linalg.generic {indexing_maps = [#map12, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%38 : tensor<2x2x2x6x1xf32>) outs(%39 : tensor<2x2x2x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x2x6x6xf32>
    %41 = tensor.empty() : tensor<2x2x2x6x6xf32>
    %42 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%33, %40 : tensor<2x2x2x6x6xf32>, tensor<2x2x2x6x6xf32>) outs(%41 : tensor<2x2x2x6x6xf32>) {
    ^bb0(%in: f32, %in_6: f32, %out: f32):
      %52 = arith.divf %in, %in_6 : f32
      linalg.yield %52 : f32
    } -> tensor<2x2x2x6x6xf32>
    %43 = tensor.empty() : tensor<2x2x2x6x6xbf16>
    %44 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%42 : tensor<2x2x2x6x6xf32>) outs(%43 : tensor<2x2x2x6x6xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %52 = arith.truncf %in : f32 to bf16
      linalg.yield %52 : bf16
    } -> tensor<2x2x2x6x6xbf16>
    %45 = tensor.empty() : tensor<2x2x8x2x6xbf16>
    %46 = linalg.fill ins(%cst : bf16) outs(%45 : tensor<2x2x8x2x6xbf16>) -> tensor<2x2x8x2x6xbf16>
    %47 = linalg.generic {indexing_maps = [#map13, #map14, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%arg2, %44 : tensor<2x6x2x8xbf16>, tensor<2x2x2x6x6xbf16>) outs(%46 : tensor<2x2x8x2x6xbf16>) {
    ^bb0(%in: bf16, %in_6: bf16, %out: bf16):
      %52 = arith.mulf %in, %in_6 : bf16
      %53 = arith.addf %out, %52 : bf16
      linalg.yield %53 : bf16
    } -> tensor<2x2x8x2x6xbf16>
    %48 = tensor.empty() : tensor<2x2x6x2x8xbf16>
    %49 = linalg.generic {indexing_maps = [#map15, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%47 : tensor<2x2x8x2x6xbf16>) outs(%48 : tensor<2x2x6x2x8xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<2x2x6x2x8xbf16>
    %50 = tensor.empty() : tensor<2x6x2x2x8xbf16>
    %51 = linalg.generic {indexing_maps = [#map16, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%49 : tensor<2x2x6x2x8xbf16>) outs(%50 : tensor<2x6x2x2x8xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<2x6x2x2x8xbf16>
    %collapsed = tensor.collapse_shape %51 [[0], [1], [2, 3], [4]] : tensor<2x6x2x2x8xbf16> into tensor<2x6x4x8xbf16>
    return %collapsed : tensor<2x6x4x8xbf16>
  }
  func.func private @tril(%arg0: tensor<6x6xi1>) -> tensor<6x6xi1> {
    %cst = arith.constant dense<false> : tensor<i1>
    %cst_0 = arith.constant dense<0> : tensor<i32>
    %0 = tensor.empty() : tensor<6x6xi32>
    %1 = linalg.generic {indexing_maps = [#map8], iterator_types = ["parallel", "parallel"]} outs(%0 : tensor<6x6xi32>) {
    ^bb0(%out: i32):
      %14 = linalg.index 0 : index
      %15 = arith.index_cast %14 : index to i32
      linalg.yield %15 : i32
    } -> tensor<6x6xi32>
    %2 = tensor.empty() : tensor<6x6xi32>
    %3 = linalg.generic {indexing_maps = [#map7, #map8], iterator_types = ["parallel", "parallel"]} ins(%cst_0 : tensor<i32>) outs(%2 : tensor<6x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x6xi32>
    %4 = tensor.empty() : tensor<6x6xi32>
    %5 = linalg.generic {indexing_maps = [#map8, #map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%1, %3 : tensor<6x6xi32>, tensor<6x6xi32>) outs(%4 : tensor<6x6xi32>) {
    ^bb0(%in: i32, %in_1: i32, %out: i32):
      %14 = arith.addi %in, %in_1 : i32
      linalg.yield %14 : i32
    } -> tensor<6x6xi32>
    %6 = tensor.empty() : tensor<6x6xi32>
    %7 = linalg.generic {indexing_maps = [#map8], iterator_types = ["parallel", "parallel"]} outs(%6 : tensor<6x6xi32>) {
    ^bb0(%out: i32):
      %14 = linalg.index 1 : index
      %15 = arith.index_cast %14 : index to i32
      linalg.yield %15 : i32
    } -> tensor<6x6xi32>
    %8 = tensor.empty() : tensor<6x6xi1>
    %9 = linalg.generic {indexing_maps = [#map8, #map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%5, %7 : tensor<6x6xi32>, tensor<6x6xi32>) outs(%8 : tensor<6x6xi1>) {
    ^bb0(%in: i32, %in_1: i32, %out: i1):
      %14 = arith.cmpi sge, %in, %in_1 : i32
      linalg.yield %14 : i1
    } -> tensor<6x6xi1>
    %10 = tensor.empty() : tensor<6x6xi1>
    %11 = linalg.generic {indexing_maps = [#map7, #map8], iterator_types = ["parallel", "parallel"]} ins(%cst : tensor<i1>) outs(%10 : tensor<6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<6x6xi1>
    %12 = tensor.empty() : tensor<6x6xi1>
    %13 = linalg.generic {indexing_maps = [#map8, #map8, #map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%9, %arg0, %11 : tensor<6x6xi1>, tensor<6x6xi1>, tensor<6x6xi1>) outs(%12 : tensor<6x6xi1>) {
    ^bb0(%in: i1, %in_1: i1, %in_2: i1, %out: i1):
      %14 = arith.select %in, %in_1, %in_2 : i1
      linalg.yield %14 : i1
    } -> tensor<6x6xi1>
    return %13 : tensor<6x6xi1>
  }
  func.func private @_where(%arg0: tensor<2x2x6x6xi1>, %arg1: tensor<2x2x6x2x6xf32>, %arg2: tensor<f32>) -> tensor<2x2x2x6x6xf32> {
    %0 = tensor.empty() : tensor<2x2x6x6xf32>
    %1 = linalg.generic {indexing_maps = [#map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg2 : tensor<f32>) outs(%0 : tensor<2x2x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x6x6xf32>
    %2 = tensor.empty() : tensor<2x2x2x6x6xi1>
    %3 = linalg.generic {indexing_maps = [#map17, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<2x2x6x6xi1>) outs(%2 : tensor<2x2x2x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x2x2x6x6xi1>
    %4 = tensor.empty() : tensor<2x2x2x6x6xf32>
    %5 = linalg.generic {indexing_maps = [#map17, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<2x2x6x6xf32>) outs(%4 : tensor<2x2x2x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x2x6x6xf32>
    %6 = tensor.empty() : tensor<2x2x2x6x6xf32>
    %7 = linalg.generic {indexing_maps = [#map18, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<2x2x6x2x6xf32>) outs(%6 : tensor<2x2x2x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x2x6x6xf32>
    %8 = tensor.empty() : tensor<2x2x2x6x6xf32>
    %9 = linalg.generic {indexing_maps = [#map4, #map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%3, %7, %5 : tensor<2x2x2x6x6xi1>, tensor<2x2x2x6x6xf32>, tensor<2x2x2x6x6xf32>) outs(%8 : tensor<2x2x2x6x6xf32>) {
    ^bb0(%in: i1, %in_0: f32, %in_1: f32, %out: f32):
      %10 = arith.select %in, %in_0, %in_1 : f32
      linalg.yield %10 : f32
    } -> tensor<2x2x2x6x6xf32>
    return %9 : tensor<2x2x2x6x6xf32>
  }
}

