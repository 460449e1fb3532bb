#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0) -> ()>
#map2 = affine_map<(d0, d1) -> (d1)>
#map3 = affine_map<(d0, d1) -> (d0, d1)>
#map4 = affine_map<(d0, d1) -> (d0)>
#map5 = affine_map<(d0, d1) -> (0, d1)>
#map6 = affine_map<(d0, d1) -> (d0, 0)>
#map7 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d1, d4)>
#map8 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d1, d4)>
#map9 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map10 = affine_map<(d0, d1, d2, d3) -> ()>
#map11 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map12 = affine_map<(d0, d1, d2) -> (d0)>
#map13 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map14 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map15 = affine_map<(d0, d1, d2) -> (d0, 0, 0)>
#map16 = affine_map<(d0, d1, d2) -> (0, d1, d2)>
#map17 = affine_map<(d0, d1, d2, d3) -> (d1, d2, d3)>
#map18 = affine_map<(d0, d1, d2, d3) -> (0, d1, d2, d3)>
#map19 = affine_map<(d0, d1) -> ()>
#map20 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map21 = affine_map<(d0, d1, d2) -> ()>
#map22 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map23 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d4, d1, d2)>
#map24 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d3, d4)>
#map25 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>
#map26 = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
module @jit_alibi attributes {jax.uses_shape_polymorphism = false, mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<2x6x4x8xf32>, %arg1: tensor<2x6x4x8xf32>, %arg2: tensor<2x6x4x8xf32>) -> (tensor<2x6x4x8xf32> {jax.result_info = "result"}) {
    %cst = arith.constant 0xFF800000 : f32
    %cst_0 = arith.constant 0.000000e+00 : f32
    %cst_1 = arith.constant dense<0xFF800000> : tensor<f32>
    %cst_2 = arith.constant dense<0> : tensor<i32>
    %cst_3 = arith.constant dense<3.000000e-01> : tensor<f32>
    %cst_4 = arith.constant dense<2.000000e+00> : tensor<f32>
    %cst_5 = arith.constant dense<4.000000e+00> : tensor<f32>
    %cst_6 = arith.constant dense<-8.000000e+00> : tensor<f32>
    %cst_7 = arith.constant dense<1> : tensor<i32>
    %0 = tensor.empty() : tensor<4xi32>
    %1 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%0 : tensor<4xi32>) {
    ^bb0(%out: i32):
      %93 = linalg.index 0 : index
      %94 = arith.index_cast %93 : index to i32
      linalg.yield %94 : i32
    } -> tensor<4xi32>
    %2 = tensor.empty() : tensor<4xi32>
    %3 = linalg.generic {indexing_maps = [#map1, #map], iterator_types = ["parallel"]} ins(%cst_7 : tensor<i32>) outs(%2 : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<4xi32>
    %4 = tensor.empty() : tensor<4xi32>
    %5 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel"]} ins(%1, %3 : tensor<4xi32>, tensor<4xi32>) outs(%4 : tensor<4xi32>) {
    ^bb0(%in: i32, %in_8: i32, %out: i32):
      %93 = arith.addi %in, %in_8 : i32
      linalg.yield %93 : i32
    } -> tensor<4xi32>
    %6 = tensor.empty() : tensor<4xf32>
    %7 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%5 : tensor<4xi32>) outs(%6 : tensor<4xf32>) {
    ^bb0(%in: i32, %out: f32):
      %93 = arith.sitofp %in : i32 to f32
      linalg.yield %93 : f32
    } -> tensor<4xf32>
    %8 = tensor.empty() : tensor<4xf32>
    %9 = linalg.generic {indexing_maps = [#map1, #map], iterator_types = ["parallel"]} ins(%cst_6 : tensor<f32>) outs(%8 : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4xf32>
    %10 = tensor.empty() : tensor<4xf32>
    %11 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel"]} ins(%9, %7 : tensor<4xf32>, tensor<4xf32>) outs(%10 : tensor<4xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = arith.mulf %in, %in_8 : f32
      linalg.yield %93 : f32
    } -> tensor<4xf32>
    %12 = tensor.empty() : tensor<4xf32>
    %13 = linalg.generic {indexing_maps = [#map1, #map], iterator_types = ["parallel"]} ins(%cst_5 : tensor<f32>) outs(%12 : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4xf32>
    %14 = tensor.empty() : tensor<4xf32>
    %15 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel"]} ins(%11, %13 : tensor<4xf32>, tensor<4xf32>) outs(%14 : tensor<4xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = arith.divf %in, %in_8 : f32
      linalg.yield %93 : f32
    } -> tensor<4xf32>
    %16 = tensor.empty() : tensor<4xf32>
    %17 = linalg.generic {indexing_maps = [#map1, #map], iterator_types = ["parallel"]} ins(%cst_4 : tensor<f32>) outs(%16 : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4xf32>
    %18 = tensor.empty() : tensor<4xf32>
    %19 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel"]} ins(%17, %15 : tensor<4xf32>, tensor<4xf32>) outs(%18 : tensor<4xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = math.powf %in, %in_8 : f32
      linalg.yield %93 : f32
    } -> tensor<4xf32>
    %20 = tensor.empty() : tensor<6xi32>
    %21 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%20 : tensor<6xi32>) {
    ^bb0(%out: i32):
      %93 = linalg.index 0 : index
      %94 = arith.index_cast %93 : index to i32
      linalg.yield %94 : i32
    } -> tensor<6xi32>
    %22 = tensor.empty() : tensor<1x6xi32>
    %23 = linalg.generic {indexing_maps = [#map2, #map3], iterator_types = ["parallel", "parallel"]} ins(%21 : tensor<6xi32>) outs(%22 : tensor<1x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<1x6xi32>
    %24 = tensor.empty() : tensor<6xi32>
    %25 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%24 : tensor<6xi32>) {
    ^bb0(%out: i32):
      %93 = linalg.index 0 : index
      %94 = arith.index_cast %93 : index to i32
      linalg.yield %94 : i32
    } -> tensor<6xi32>
    %26 = tensor.empty() : tensor<6x1xi32>
    %27 = linalg.generic {indexing_maps = [#map4, #map3], iterator_types = ["parallel", "parallel"]} ins(%25 : tensor<6xi32>) outs(%26 : tensor<6x1xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x1xi32>
    %28 = tensor.empty() : tensor<6x6xi32>
    %29 = linalg.generic {indexing_maps = [#map5, #map3], iterator_types = ["parallel", "parallel"]} ins(%23 : tensor<1x6xi32>) outs(%28 : tensor<6x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x6xi32>
    %30 = tensor.empty() : tensor<6x6xi32>
    %31 = linalg.generic {indexing_maps = [#map6, #map3], iterator_types = ["parallel", "parallel"]} ins(%27 : tensor<6x1xi32>) outs(%30 : tensor<6x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x6xi32>
    %32 = tensor.empty() : tensor<6x6xi32>
    %33 = linalg.generic {indexing_maps = [#map3, #map3, #map3], iterator_types = ["parallel", "parallel"]} ins(%29, %31 : tensor<6x6xi32>, tensor<6x6xi32>) outs(%32 : tensor<6x6xi32>) {
    ^bb0(%in: i32, %in_8: i32, %out: i32):
      %93 = arith.subi %in, %in_8 : i32
      linalg.yield %93 : i32
    } -> tensor<6x6xi32>
    %34 = tensor.empty() : tensor<2x4x6x6xf32>
    %35 = linalg.fill ins(%cst_0 : f32) outs(%34 : tensor<2x4x6x6xf32>) -> tensor<2x4x6x6xf32>
    %36 = linalg.generic {indexing_maps = [#map7, #map8, #map9], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%arg0, %arg1 : tensor<2x6x4x8xf32>, tensor<2x6x4x8xf32>) outs(%35 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = arith.mulf %in, %in_8 : f32
      %94 = arith.addf %out, %93 : f32
      linalg.yield %94 : f32
    } -> tensor<2x4x6x6xf32>
    %37 = tensor.empty() : tensor<2x4x6x6xf32>
    %38 = linalg.generic {indexing_maps = [#map10, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_3 : tensor<f32>) outs(%37 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %39 = tensor.empty() : tensor<2x4x6x6xf32>
    %40 = linalg.generic {indexing_maps = [#map11, #map11, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%36, %38 : tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) outs(%39 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = arith.mulf %in, %in_8 : f32
      linalg.yield %93 : f32
    } -> tensor<2x4x6x6xf32>
    %41 = tensor.empty() : tensor<4x1x1xf32>
    %42 = linalg.generic {indexing_maps = [#map12, #map13], iterator_types = ["parallel", "parallel", "parallel"]} ins(%19 : tensor<4xf32>) outs(%41 : tensor<4x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x1x1xf32>
    %43 = tensor.empty() : tensor<6x6xf32>
    %44 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel"]} ins(%33 : tensor<6x6xi32>) outs(%43 : tensor<6x6xf32>) {
    ^bb0(%in: i32, %out: f32):
      %93 = arith.sitofp %in : i32 to f32
      linalg.yield %93 : f32
    } -> tensor<6x6xf32>
    %45 = tensor.empty() : tensor<1x6x6xf32>
    %46 = linalg.generic {indexing_maps = [#map14, #map13], iterator_types = ["parallel", "parallel", "parallel"]} ins(%44 : tensor<6x6xf32>) outs(%45 : tensor<1x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x6x6xf32>
    %47 = tensor.empty() : tensor<4x6x6xf32>
    %48 = linalg.generic {indexing_maps = [#map15, #map13], iterator_types = ["parallel", "parallel", "parallel"]} ins(%42 : tensor<4x1x1xf32>) outs(%47 : tensor<4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x6x6xf32>
    %49 = tensor.empty() : tensor<4x6x6xf32>
    %50 = linalg.generic {indexing_maps = [#map16, #map13], iterator_types = ["parallel", "parallel", "parallel"]} ins(%46 : tensor<1x6x6xf32>) outs(%49 : tensor<4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x6x6xf32>
    %51 = tensor.empty() : tensor<4x6x6xf32>
    %52 = linalg.generic {indexing_maps = [#map13, #map13, #map13], iterator_types = ["parallel", "parallel", "parallel"]} ins(%48, %50 : tensor<4x6x6xf32>, tensor<4x6x6xf32>) outs(%51 : tensor<4x6x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = arith.mulf %in, %in_8 : f32
      linalg.yield %93 : f32
    } -> tensor<4x6x6xf32>
    %53 = tensor.empty() : tensor<1x4x6x6xf32>
    %54 = linalg.generic {indexing_maps = [#map17, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%52 : tensor<4x6x6xf32>) outs(%53 : tensor<1x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x4x6x6xf32>
    %55 = tensor.empty() : tensor<2x4x6x6xf32>
    %56 = linalg.generic {indexing_maps = [#map18, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%54 : tensor<1x4x6x6xf32>) outs(%55 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %57 = tensor.empty() : tensor<2x4x6x6xf32>
    %58 = linalg.generic {indexing_maps = [#map11, #map11, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%40, %56 : tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) outs(%57 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = arith.addf %in, %in_8 : f32
      linalg.yield %93 : f32
    } -> tensor<2x4x6x6xf32>
    %59 = tensor.empty() : tensor<6x6xi32>
    %60 = linalg.generic {indexing_maps = [#map19, #map3], iterator_types = ["parallel", "parallel"]} ins(%cst_2 : tensor<i32>) outs(%59 : tensor<6x6xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<6x6xi32>
    %61 = tensor.empty() : tensor<6x6xi1>
    %62 = linalg.generic {indexing_maps = [#map3, #map3, #map3], iterator_types = ["parallel", "parallel"]} ins(%33, %60 : tensor<6x6xi32>, tensor<6x6xi32>) outs(%61 : tensor<6x6xi1>) {
    ^bb0(%in: i32, %in_8: i32, %out: i1):
      %93 = arith.cmpi sle, %in, %in_8 : i32
      linalg.yield %93 : i1
    } -> tensor<6x6xi1>
    %63 = call @_where(%62, %58, %cst_1) : (tensor<6x6xi1>, tensor<2x4x6x6xf32>, tensor<f32>) -> tensor<2x4x6x6xf32>
    %64 = tensor.empty() : tensor<2x4x6xf32>
    %65 = linalg.fill ins(%cst : f32) outs(%64 : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
    %66 = linalg.generic {indexing_maps = [#map11, #map20], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%63 : tensor<2x4x6x6xf32>) outs(%65 : tensor<2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %93 = arith.maximumf %out, %in : f32
      linalg.yield %93 : f32
    } -> tensor<2x4x6xf32>
    %67 = tensor.empty() : tensor<2x4x6xf32>
    %68 = linalg.generic {indexing_maps = [#map21, #map13], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_1 : tensor<f32>) outs(%67 : tensor<2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6xf32>
    %69 = tensor.empty() : tensor<2x4x6xf32>
    %70 = linalg.generic {indexing_maps = [#map13, #map13, #map13], iterator_types = ["parallel", "parallel", "parallel"]} ins(%68, %66 : tensor<2x4x6xf32>, tensor<2x4x6xf32>) outs(%69 : tensor<2x4x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = arith.maximumf %in, %in_8 : f32
      linalg.yield %93 : f32
    } -> tensor<2x4x6xf32>
    %71 = tensor.empty() : tensor<2x4x6x1xf32>
    %72 = linalg.generic {indexing_maps = [#map20, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%70 : tensor<2x4x6xf32>) outs(%71 : tensor<2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x1xf32>
    %73 = tensor.empty() : tensor<2x4x6x6xf32>
    %74 = linalg.generic {indexing_maps = [#map22, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%72 : tensor<2x4x6x1xf32>) outs(%73 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %75 = tensor.empty() : tensor<2x4x6x6xf32>
    %76 = linalg.generic {indexing_maps = [#map11, #map11, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%63, %74 : tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) outs(%75 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = arith.subf %in, %in_8 : f32
      linalg.yield %93 : f32
    } -> tensor<2x4x6x6xf32>
    %77 = tensor.empty() : tensor<2x4x6x6xf32>
    %78 = linalg.generic {indexing_maps = [#map11, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%76 : tensor<2x4x6x6xf32>) outs(%77 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %93 = math.exp %in : f32
      linalg.yield %93 : f32
    } -> tensor<2x4x6x6xf32>
    %79 = tensor.empty() : tensor<2x4x6xf32>
    %80 = linalg.fill ins(%cst_0 : f32) outs(%79 : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
    %81 = linalg.generic {indexing_maps = [#map11, #map20], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%78 : tensor<2x4x6x6xf32>) outs(%80 : tensor<2x4x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      %93 = arith.addf %out, %in : f32
      linalg.yield %93 : f32
    } -> tensor<2x4x6xf32>
    %82 = tensor.empty() : tensor<2x4x6x1xf32>
    %83 = linalg.generic {indexing_maps = [#map20, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%81 : tensor<2x4x6xf32>) outs(%82 : tensor<2x4x6x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x1xf32>
    %84 = tensor.empty() : tensor<2x4x6x6xf32>
    %85 = linalg.generic {indexing_maps = [#map22, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%83 : tensor<2x4x6x1xf32>) outs(%84 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %86 = tensor.empty() : tensor<2x4x6x6xf32>
    %87 = linalg.generic {indexing_maps = [#map11, #map11, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%78, %85 : tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) outs(%86 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = arith.divf %in, %in_8 : f32
      linalg.yield %93 : f32
    } -> tensor<2x4x6x6xf32>
    %88 = tensor.empty() : tensor<2x4x8x6xf32>
    %89 = linalg.fill ins(%cst_0 : f32) outs(%88 : tensor<2x4x8x6xf32>) -> tensor<2x4x8x6xf32>
    %90 = linalg.generic {indexing_maps = [#map23, #map24, #map9], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%arg2, %87 : tensor<2x6x4x8xf32>, tensor<2x4x6x6xf32>) outs(%89 : tensor<2x4x8x6xf32>) {
    ^bb0(%in: f32, %in_8: f32, %out: f32):
      %93 = arith.mulf %in, %in_8 : f32
      %94 = arith.addf %out, %93 : f32
      linalg.yield %94 : f32
    } -> tensor<2x4x8x6xf32>
    %91 = tensor.empty() : tensor<2x6x4x8xf32>
    %92 = linalg.generic {indexing_maps = [#map25, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%90 : tensor<2x4x8x6xf32>) outs(%91 : tensor<2x6x4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x6x4x8xf32>
    return %92 : tensor<2x6x4x8xf32>
  }
  func.func private @_where(%arg0: tensor<6x6xi1>, %arg1: tensor<2x4x6x6xf32>, %arg2: tensor<f32>) -> tensor<2x4x6x6xf32> {
    %0 = tensor.empty() : tensor<2x4x6x6xi1>
    %1 = linalg.generic {indexing_maps = [#map26, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<6x6xi1>) outs(%0 : tensor<2x4x6x6xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x4x6x6xi1>
    %2 = tensor.empty() : tensor<2x4x6x6xf32>
    %3 = linalg.generic {indexing_maps = [#map10, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg2 : tensor<f32>) outs(%2 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x6x6xf32>
    %4 = tensor.empty() : tensor<2x4x6x6xf32>
    %5 = linalg.generic {indexing_maps = [#map11, #map11, #map11, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1, %arg1, %3 : tensor<2x4x6x6xi1>, tensor<2x4x6x6xf32>, tensor<2x4x6x6xf32>) outs(%4 : tensor<2x4x6x6xf32>) {
    ^bb0(%in: i1, %in_0: f32, %in_1: f32, %out: f32):
      %6 = arith.select %in, %in_0, %in_1 : f32
      linalg.yield %6 : f32
    } -> tensor<2x4x6x6xf32>
    return %5 : tensor<2x4x6x6xf32>
  }
}

