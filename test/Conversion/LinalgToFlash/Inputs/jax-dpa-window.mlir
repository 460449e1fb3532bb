#map = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d2, d1, d3, d5)>
#map1 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d4, d1, d5)>
#map2 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3, d4)>
#map3 = affine_map<(d0, d1, d2, d3, d4) -> ()>
#map4 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map5 = affine_map<(d0, d1, d2, d3) -> ()>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map7 = affine_map<(d0, d1) -> (d0)>
#map8 = affine_map<(d0, d1) -> (d0, d1)>
#map9 = affine_map<(d0, d1) -> (d1)>
#map10 = affine_map<(d0, d1) -> ()>
#map11 = affine_map<(d0, d1) -> (d0, 0)>
#map12 = affine_map<(d0, d1) -> (0, d1)>
#map13 = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
#map14 = affine_map<(d0, d1, d2, d3) -> (0, 0, d2, d3)>
#map15 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map16 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, 0)>
#map17 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d5, d1, d2)>
#map18 = affine_map<(d0, d1, d2, d3, d4, d5) -> (d3, d0, d1, d4, d5)>
#map19 = affine_map<(d0, d1, d2, d3, d4) -> (d1, d3, d4, d0, d2)>
#map20 = affine_map<(d0, d1, d2, d3, d4) -> (d3, d0, d1, d2, d4)>
#map21 = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d3, d4)>
#map22 = affine_map<(d0, d1, d2, d3, d4) -> (d1, d2, d3, d0, d4)>
module @jit__lambda attributes {jax.uses_shape_polymorphism = false, mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<2x6x4x8xf32>, %arg1: tensor<2x6x4x8xf32>, %arg2: tensor<2x6x4x8xf32>) -> (tensor<2x6x4x8xf32> {jax.result_info = "result"}) {
    %cst = arith.constant 0xFF800000 : f32
    %cst_0 = arith.constant 0.000000e+00 : f32
    %cst_1 = arith.constant dense<0xFF800000> : tensor<f32>
    %cst_2 = arith.constant dense<-2.38197633E+38> : tensor<f32>
    %cst_3 = arith.constant dense<1> : tensor<i32>
    %cst_4 = arith.constant dense<2> : tensor<i32>
    %cst_5 = arith.constant dense<true> : tensor<i1>
    %cst_6 = arith.constant dense<0.353553385> : tensor<f32>
    %cst_7 = arith.constant dense<[0, 1, 2, 3, 4, 5]> : tensor<6xi32>
    %expanded = tensor.expand_shape %arg0 [[0], [1], [2], [3, 4]] output_shape [2, 6, 4, 1, 8] : tensor<2x6x4x8xf32> into tensor<2x6x4x1x8xf32>
    %0 = tensor.empty() : tensor<2x4x6x1x6xf32>
    %1 = linalg.fill ins(%cst_0 : f32) outs(%0 : tensor<2x4x6x1x6xf32>) -> tensor<2x4x6x1x6xf32>
    %2 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%expanded, %arg1 : tensor<2x6x4x1x8xf32>, tensor<2x6x4x8xf32>) outs(%1 : tensor<2x4x6x1x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %77 = arith.mulf %in, %in_8 : f32
      %78 = arith.addf %out, %77 : f32
      linalg.yield %78 : f32
    } -> tensor<2x4x6x1x6xf32>
    %3 = tensor.empty() : tensor<2x4x6x1x6xf32>
    %4 = linalg.generic {indexing_maps = [#map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%cst_6 : tensor<f32>) outs(%3 : tensor<2x4x6x1x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x1x6xf32>
    %5 = tensor.empty() : tensor<2x4x6x1x6xf32>
    %6 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%2, %4 : tensor<2x4x6x1x6xf32>, tensor<2x4x6x1x6xf32>) outs(%5 : tensor<2x4x6x1x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %77 = arith.mulf %in, %in_8 : f32
      linalg.yield %77 : f32
    } -> tensor<2x4x6x1x6xf32>
    %7 = tensor.empty() : tensor<2x4x6x6xi1>
    %8 = linalg.generic {indexing_maps = [#map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_5 : tensor<i1>) outs(%7 : tensor<2x4x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x4x6x6xi1>
    %9 = tensor.empty() : tensor<6x1xi32>
    %10 = linalg.generic {indexing_maps = [#map7, #map8], iterator_types = ["parallel", "parallel"]} ins(%cst_7 : tensor<6xi32>) outs(%9 : tensor<6x1xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x1xi32>
    %11 = tensor.empty() : tensor<1x6xi32>
    %12 = linalg.generic {indexing_maps = [#map9, #map8], iterator_types = ["parallel", "parallel"]} ins(%cst_7 : tensor<6xi32>) outs(%11 : tensor<1x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<1x6xi32>
    %13 = tensor.empty() : tensor<1x6xi32>
    %14 = linalg.generic {indexing_maps = [#map10, #map8], iterator_types = ["parallel", "parallel"]} ins(%cst_4 : tensor<i32>) outs(%13 : tensor<1x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<1x6xi32>
    %15 = tensor.empty() : tensor<1x6xi32>
    %16 = linalg.generic {indexing_maps = [#map8, #map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%12, %14 : tensor<1x6xi32>, tensor<1x6xi32>) outs(%15 : tensor<1x6xi32>) {
    ^bb0(%in: i32, %in_8: i32, %out: i32):
      %77 = arith.addi %in, %in_8 : i32
      linalg.yield %77 : i32
    } -> tensor<1x6xi32>
    %17 = tensor.empty() : tensor<6x6xi32>
    %18 = linalg.generic {indexing_maps = [#map11, #map8], iterator_types = ["parallel", "parallel"]} ins(%10 : tensor<6x1xi32>) outs(%17 : tensor<6x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x6xi32>
    %19 = tensor.empty() : tensor<6x6xi32>
    %20 = linalg.generic {indexing_maps = [#map12, #map8], iterator_types = ["parallel", "parallel"]} ins(%16 : tensor<1x6xi32>) outs(%19 : tensor<6x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x6xi32>
    %21 = tensor.empty() : tensor<6x6xi1>
    %22 = linalg.generic {indexing_maps = [#map8, #map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%18, %20 : tensor<6x6xi32>, tensor<6x6xi32>) outs(%21 : tensor<6x6xi1>) {
    ^bb0(%in: i32, %in_8: i32, %out: i1):
      %77 = arith.cmpi sle, %in, %in_8 : i32
      linalg.yield %77 : i1
    } -> tensor<6x6xi1>
    %23 = tensor.empty() : tensor<6x1xi32>
    %24 = linalg.generic {indexing_maps = [#map7, #map8], iterator_types = ["parallel", "parallel"]} ins(%cst_7 : tensor<6xi32>) outs(%23 : tensor<6x1xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x1xi32>
    %25 = tensor.empty() : tensor<1x6xi32>
    %26 = linalg.generic {indexing_maps = [#map9, #map8], iterator_types = ["parallel", "parallel"]} ins(%cst_7 : tensor<6xi32>) outs(%25 : tensor<1x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<1x6xi32>
    %27 = tensor.empty() : tensor<1x6xi32>
    %28 = linalg.generic {indexing_maps = [#map10, #map8], iterator_types = ["parallel", "parallel"]} ins(%cst_3 : tensor<i32>) outs(%27 : tensor<1x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<1x6xi32>
    %29 = tensor.empty() : tensor<1x6xi32>
    %30 = linalg.generic {indexing_maps = [#map8, #map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%26, %28 : tensor<1x6xi32>, tensor<1x6xi32>) outs(%29 : tensor<1x6xi32>) {
    ^bb0(%in: i32, %in_8: i32, %out: i32):
      %77 = arith.subi %in, %in_8 : i32
      linalg.yield %77 : i32
    } -> tensor<1x6xi32>
    %31 = tensor.empty() : tensor<6x6xi32>
    %32 = linalg.generic {indexing_maps = [#map11, #map8], iterator_types = ["parallel", "parallel"]} ins(%24 : tensor<6x1xi32>) outs(%31 : tensor<6x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x6xi32>
    %33 = tensor.empty() : tensor<6x6xi32>
    %34 = linalg.generic {indexing_maps = [#map12, #map8], iterator_types = ["parallel", "parallel"]} ins(%30 : tensor<1x6xi32>) outs(%33 : tensor<6x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x6xi32>
    %35 = tensor.empty() : tensor<6x6xi1>
    %36 = linalg.generic {indexing_maps = [#map8, #map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%32, %34 : tensor<6x6xi32>, tensor<6x6xi32>) outs(%35 : tensor<6x6xi1>) {
    ^bb0(%in: i32, %in_8: i32, %out: i1):
      %77 = arith.cmpi sge, %in, %in_8 : i32
      linalg.yield %77 : i1
    } -> tensor<6x6xi1>
    %37 = tensor.empty() : tensor<6x6xi1>
    %38 = linalg.generic {indexing_maps = [#map8, #map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%36, %22 : tensor<6x6xi1>, tensor<6x6xi1>) outs(%37 : tensor<6x6xi1>) {
    ^bb0(%in: i1, %in_8: i1, %out: i1):
      %77 = arith.andi %in, %in_8 : i1
      linalg.yield %77 : i1
    } -> tensor<6x6xi1>
    %39 = tensor.empty() : tensor<1x1x6x6xi1>
    %40 = linalg.generic {indexing_maps = [#map13, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%38 : tensor<6x6xi1>) outs(%39 : tensor<1x1x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<1x1x6x6xi1>
    %41 = tensor.empty() : tensor<2x4x6x6xi1>
    %42 = linalg.generic {indexing_maps = [#map14, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%40 : tensor<1x1x6x6xi1>) outs(%41 : tensor<2x4x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x4x6x6xi1>
    %43 = tensor.empty() : tensor<2x4x6x6xi1>
    %44 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%8, %42 : tensor<2x4x6x6xi1>, tensor<2x4x6x6xi1>) outs(%43 : tensor<2x4x6x6xi1>) {
    ^bb0(%in: i1, %in_8: i1, %out: i1):
      %77 = arith.andi %in, %in_8 : i1
      linalg.yield %77 : i1
    } -> tensor<2x4x6x6xi1>
    %45 = call @_where(%44, %6, %cst_2) : (tensor<2x4x6x6xi1>, tensor<2x4x6x1x6xf32>, tensor<f32>) -> tensor<1x2x4x6x6xf32>
    %46 = tensor.empty() : tensor<1x2x4x6xf32>
    %47 = linalg.fill ins(%cst : f32) outs(%46 : tensor<1x2x4x6xf32>) -> tensor<1x2x4x6xf32>
    %48 = linalg.generic {indexing_maps = [#map4, #map15], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%45 : tensor<1x2x4x6x6xf32>) outs(%47 : tensor<1x2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %77 = arith.maximumf %out, %in : f32
      linalg.yield %77 : f32
    } -> tensor<1x2x4x6xf32>
    %49 = tensor.empty() : tensor<1x2x4x6xf32>
    %50 = linalg.generic {indexing_maps = [#map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_1 : tensor<f32>) outs(%49 : tensor<1x2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6xf32>
    %51 = tensor.empty() : tensor<1x2x4x6xf32>
    %52 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%50, %48 : tensor<1x2x4x6xf32>, tensor<1x2x4x6xf32>) outs(%51 : tensor<1x2x4x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %77 = arith.maximumf %in, %in_8 : f32
      linalg.yield %77 : f32
    } -> tensor<1x2x4x6xf32>
    %53 = tensor.empty() : tensor<1x2x4x6x1xf32>
    %54 = linalg.generic {indexing_maps = [#map15, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%52 : tensor<1x2x4x6xf32>) outs(%53 : tensor<1x2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x1xf32>
    %55 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %56 = linalg.generic {indexing_maps = [#map16, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%54 : tensor<1x2x4x6x1xf32>) outs(%55 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x6xf32>
    %57 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %58 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%45, %56 : tensor<1x2x4x6x6xf32>, tensor<1x2x4x6x6xf32>) outs(%57 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %77 = arith.subf %in, %in_8 : f32
      linalg.yield %77 : f32
    } -> tensor<1x2x4x6x6xf32>
    %59 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %60 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%58 : tensor<1x2x4x6x6xf32>) outs(%59 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %77 = math.exp %in : f32
      linalg.yield %77 : f32
    } -> tensor<1x2x4x6x6xf32>
    %61 = tensor.empty() : tensor<1x2x4x6xf32>
    %62 = linalg.fill ins(%cst_0 : f32) outs(%61 : tensor<1x2x4x6xf32>) -> tensor<1x2x4x6xf32>
    %63 = linalg.generic {indexing_maps = [#map4, #map15], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%60 : tensor<1x2x4x6x6xf32>) outs(%62 : tensor<1x2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %77 = arith.addf %out, %in : f32
      linalg.yield %77 : f32
    } -> tensor<1x2x4x6xf32>
    %64 = tensor.empty() : tensor<1x2x4x6x1xf32>
    %65 = linalg.generic {indexing_maps = [#map15, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%63 : tensor<1x2x4x6xf32>) outs(%64 : tensor<1x2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x1xf32>
    %66 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %67 = linalg.generic {indexing_maps = [#map16, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%65 : tensor<1x2x4x6x1xf32>) outs(%66 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x6xf32>
    %68 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %69 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%60, %67 : tensor<1x2x4x6x6xf32>, tensor<1x2x4x6x6xf32>) outs(%68 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %77 = arith.divf %in, %in_8 : f32
      linalg.yield %77 : f32
    } -> tensor<1x2x4x6x6xf32>
    %70 = tensor.empty() : tensor<2x4x8x1x6xf32>
    %71 = linalg.fill ins(%cst_0 : f32) outs(%70 : tensor<2x4x8x1x6xf32>) -> tensor<2x4x8x1x6xf32>
    %72 = linalg.generic {indexing_maps = [#map17, #map18, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%arg2, %69 : tensor<2x6x4x8xf32>, tensor<1x2x4x6x6xf32>) outs(%71 : tensor<2x4x8x1x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %77 = arith.mulf %in, %in_8 : f32
      %78 = arith.addf %out, %77 : f32
      linalg.yield %78 : f32
    } -> tensor<2x4x8x1x6xf32>
    %73 = tensor.empty() : tensor<1x2x6x4x8xf32>
    %74 = linalg.generic {indexing_maps = [#map19, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%72 : tensor<2x4x8x1x6xf32>) outs(%73 : tensor<1x2x6x4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x6x4x8xf32>
    %75 = tensor.empty() : tensor<2x6x4x1x8xf32>
    %76 = linalg.generic {indexing_maps = [#map20, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%74 : tensor<1x2x6x4x8xf32>) outs(%75 : tensor<2x6x4x1x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x6x4x1x8xf32>
    %collapsed = tensor.collapse_shape %76 [[0], [1], [2], [3, 4]] : tensor<2x6x4x1x8xf32> into tensor<2x6x4x8xf32>
    return %collapsed : tensor<2x6x4x8xf32>
  }
  func.func private @_where(%arg0: tensor<2x4x6x6xi1>, %arg1: tensor<2x4x6x1x6xf32>, %arg2: tensor<f32>) -> tensor<1x2x4x6x6xf32> {
    %0 = tensor.empty() : tensor<2x4x6x6xf32>
    %1 = linalg.generic {indexing_maps = [#map5, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg2 : tensor<f32>) outs(%0 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %2 = tensor.empty() : tensor<1x2x4x6x6xi1>
    %3 = linalg.generic {indexing_maps = [#map21, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<2x4x6x6xi1>) outs(%2 : tensor<1x2x4x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<1x2x4x6x6xi1>
    %4 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %5 = linalg.generic {indexing_maps = [#map21, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<2x4x6x6xf32>) outs(%4 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x6xf32>
    %6 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %7 = linalg.generic {indexing_maps = [#map22, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<2x4x6x1x6xf32>) outs(%6 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x2x4x6x6xf32>
    %8 = tensor.empty() : tensor<1x2x4x6x6xf32>
    %9 = linalg.generic {indexing_maps = [#map4, #map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%3, %7, %5 : tensor<1x2x4x6x6xi1>, tensor<1x2x4x6x6xf32>, tensor<1x2x4x6x6xf32>) outs(%8 : tensor<1x2x4x6x6xf32>) {
    ^bb0(%in: i1, %in_0: f32, %in_1: f32, %out: f32):
      %10 = arith.select %in, %in_0, %in_1 : f32
      linalg.yield %10 : f32
    } -> tensor<1x2x4x6x6xf32>
    return %9 : tensor<1x2x4x6x6xf32>
  }
}

