// RUN: flash-opt %s -convert-flash-to-tile | FileCheck %s

// One head's attention at L2, ragged in both lengths, head dim 59 padded to 64.

#rows = affine_map<(d0, d1) -> (d0)>
#id2 = affine_map<(d0, d1) -> (d0, d1)>
#id1 = affine_map<(d0) -> (d0)>
#md = affine_map<(m, n, d) -> (m, d)>
#nd = affine_map<(m, n, d) -> (n, d)>
#mn = affine_map<(m, n, d) -> (m, n)>

func.func @attention(%q: tensor<?x4x?x59xf16>, %k: tensor<?x2x?x59xf16>, %v: tensor<?x2x?x59xf16>)
    -> (tensor<?x4x?x59xf16>, tensor<?x4x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %zero16 = arith.constant 0.0 : f16
  %zero = arith.constant 0.0 : f32
  %ninf = arith.constant 0xFF800000 : f32
  %nb = tensor.dim %q, %c0 : tensor<?x4x?x59xf16>
  %sq = tensor.dim %q, %c2 : tensor<?x4x?x59xf16>
  %sk = tensor.dim %k, %c2 : tensor<?x2x?x59xf16>
  %sq63 = arith.addi %sq, %c63 : index
  %nq = arith.divui %sq63, %c64 : index
  %eo = tensor.empty(%nb, %sq) : tensor<?x4x?x59xf16>
  %el = tensor.empty(%nb, %sq) : tensor<?x4x?xf32>
  %r:2 = scf.forall (%b, %h, %i) in (%nb, 4, %nq) shared_outs(%oo = %eo, %lo = %el)
      -> (tensor<?x4x?x59xf16>, tensor<?x4x?xf32>) {
    %q0 = arith.muli %i, %c64 : index
    %left = arith.subi %sq, %q0 : index
    %qrows = arith.minsi %left, %c64 : index
    %hk = arith.divui %h, %c2 : index
    %qs = tensor.extract_slice %q[%b, %h, %q0, 0] [1, 1, %qrows, 59] [1, 1, 1, 1] : tensor<?x4x?x59xf16> to tensor<?x59xf16>
    %qpad = arith.subi %c64, %qrows : index
    %qp = tensor.pad %qs low[0, 0] high[%qpad, 5] {
    ^bb0(%x: index, %y: index):
      tensor.yield %zero16 : f16
    } : tensor<?x59xf16> to tensor<64x64xf16>
    %es = tensor.empty() : tensor<64x32xf32>
    %zs = linalg.fill ins(%zero : f32) outs(%es : tensor<64x32xf32>) -> tensor<64x32xf32>
    %ep = tensor.empty() : tensor<64x32xf16>
    %er = tensor.empty() : tensor<64xf32>
    %ea = tensor.empty() : tensor<64x64xf32>
    %acc0 = linalg.fill ins(%zero : f32) outs(%ea : tensor<64x64xf32>) -> tensor<64x64xf32>
    %sum0 = linalg.fill ins(%zero : f32) outs(%er : tensor<64xf32>) -> tensor<64xf32>
    %max0 = linalg.fill ins(%ninf : f32) outs(%er : tensor<64xf32>) -> tensor<64xf32>
    %c32 = arith.constant 32 : index
    %loop:3 = scf.for %j = %c0 to %sk step %c32 iter_args(%acc = %acc0, %max = %max0, %sum = %sum0)
        -> (tensor<64x64xf32>, tensor<64xf32>, tensor<64xf32>) {
      %kleft = arith.subi %sk, %j : index
      %krows = arith.minsi %kleft, %c32 : index
      %kpad = arith.subi %c32, %krows : index
      %ks = tensor.extract_slice %k[%b, %hk, %j, 0] [1, 1, %krows, 59] [1, 1, 1, 1] : tensor<?x2x?x59xf16> to tensor<?x59xf16>
      %kp = tensor.pad %ks low[0, 0] high[%kpad, 5] {
      ^bb0(%x: index, %y: index):
        tensor.yield %zero16 : f16
      } : tensor<?x59xf16> to tensor<32x64xf16>
      %vs = tensor.extract_slice %v[%b, %hk, %j, 0] [1, 1, %krows, 59] [1, 1, 1, 1] : tensor<?x2x?x59xf16> to tensor<?x59xf16>
      %vp = tensor.pad %vs low[0, 0] high[%kpad, 5] {
      ^bb0(%x: index, %y: index):
        tensor.yield %zero16 : f16
      } : tensor<?x59xf16> to tensor<32x64xf16>
      %s = linalg.matmul indexing_maps = [#md, #nd, #mn] ins(%qp, %kp : tensor<64x64xf16>, tensor<32x64xf16>)
          outs(%zs : tensor<64x32xf32>) -> tensor<64x32xf32>
      %partial = arith.cmpi slt, %krows, %c32 : index
      %sm = scf.if %partial -> tensor<64x32xf32> {
        %masked = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
            ins(%s : tensor<64x32xf32>) outs(%es : tensor<64x32xf32>) {
        ^bb0(%x: f32, %out: f32):
          %col = linalg.index 1 : index
          %in = arith.cmpi slt, %col, %krows : index
          %y = arith.select %in, %x, %ninf : f32
          linalg.yield %y : f32
        } -> tensor<64x32xf32>
        scf.yield %masked : tensor<64x32xf32>
      } else {
        scf.yield %s : tensor<64x32xf32>
      }
      %p, %max1, %sum1, %alpha = flash.online_softmax ins(%sm : tensor<64x32xf32>)
          outs(%ep, %max, %sum, %er : tensor<64x32xf16>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {scale = 0.125 : f32, dim = 1 : i64}
      %scaled = linalg.generic {indexing_maps = [#id2, #rows, #id2], iterator_types = ["parallel", "parallel"]}
          ins(%acc, %alpha : tensor<64x64xf32>, tensor<64xf32>) outs(%ea : tensor<64x64xf32>) {
      ^bb0(%x: f32, %a: f32, %out: f32):
        %y = arith.mulf %x, %a : f32
        linalg.yield %y : f32
      } -> tensor<64x64xf32>
      %acc1 = linalg.matmul ins(%p, %vp : tensor<64x32xf16>, tensor<32x64xf16>) outs(%scaled : tensor<64x64xf32>) -> tensor<64x64xf32>
      scf.yield %acc1, %max1, %sum1 : tensor<64x64xf32>, tensor<64xf32>, tensor<64xf32>
    }
    %eo16 = tensor.empty() : tensor<64x64xf16>
    %o = linalg.generic {indexing_maps = [#id2, #rows, #id2], iterator_types = ["parallel", "parallel"]}
        ins(%loop#0, %loop#2 : tensor<64x64xf32>, tensor<64xf32>) outs(%eo16 : tensor<64x64xf16>) {
    ^bb0(%x: f32, %l: f32, %out: f16):
      %y = arith.divf %x, %l : f32
      %t = arith.truncf %y : f32 to f16
      linalg.yield %t : f16
    } -> tensor<64x64xf16>
    %lse = linalg.generic {indexing_maps = [#id1, #id1, #id1], iterator_types = ["parallel"]}
        ins(%loop#1, %loop#2 : tensor<64xf32>, tensor<64xf32>) outs(%er : tensor<64xf32>) {
    ^bb0(%x: f32, %l: f32, %out: f32):
      %y = math.log %l : f32
      %z = arith.addf %x, %y : f32
      linalg.yield %z : f32
    } -> tensor<64xf32>
    %opart = tensor.extract_slice %o[0, 0] [%qrows, 59] [1, 1] : tensor<64x64xf16> to tensor<?x59xf16>
    %lpart = tensor.extract_slice %lse[0] [%qrows] [1] : tensor<64xf32> to tensor<?xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %opart into %oo[%b, %h, %q0, 0] [1, 1, %qrows, 59] [1, 1, 1, 1] : tensor<?x59xf16> into tensor<?x4x?x59xf16>
      tensor.parallel_insert_slice %lpart into %lo[%b, %h, %q0] [1, 1, %qrows] [1, 1, 1] : tensor<?xf32> into tensor<?x4x?xf32>
    }
  } {flash_tile.kernel = #flash_tile.kernel<warps = 4, instruction = #flash_tile.mma_sync>}
  return %r#0, %r#1 : tensor<?x4x?x59xf16>, tensor<?x4x?xf32>
}

// CHECK-LABEL: func.func @attention(
// CHECK-SAME: %[[Q:.*]]: memref<?x4x?x59xf16>, %[[K:.*]]: memref<?x2x?x59xf16>, %{{.*}}: memref<?x2x?x59xf16>
// CHECK-SAME: -> (memref<?x4x?x59xf16>, memref<?x4x?xf32>)
// CHECK: %[[O:.*]] = memref.alloc({{.*}}) : memref<?x4x?x59xf16>
// CHECK: %[[L:.*]] = memref.alloc({{.*}}) : memref<?x4x?xf32>
// CHECK: flash_tile.launch @kernels::@attention grid({{.*}})
// CHECK: return %[[O]], %[[L]]

// CHECK: gpu.module @kernels
// CHECK: gpu.func @attention(
// CHECK-SAME: memref<?x4x?x59xf16, strided<[?, ?, ?, 1], offset: ?>>
// CHECK-SAME: flash_tile.kernel = #flash_tile.kernel<warps = 4
// CHECK: %[[X:.*]] = gpu.block_id x
// CHECK: %[[X32:.*]] = arith.index_castui %[[X]] : index to i32
// CHECK: arith.remui %[[X32]], %{{.*}} : i32
// CHECK: %[[QT:.*]] = flash_tile.load {{.*}} rows(%{{.*}}) to_end cols(%{{.*}}) {alignment = 2 : i64} : {{.*}} -> !flash_tile.shared<64x64xf16>
// CHECK: scf.for
// CHECK: %[[KT:.*]] = flash_tile.load
// CHECK: %[[VT:.*]] = flash_tile.load
// CHECK: %[[S:.*]] = flash_tile.mma #flash_tile.mma_sync %[[QT]], %[[KT]] transpose_b
// CHECK: scf.if
// CHECK:   flash_tile.map(%[[S]])
// CHECK: %[[E:.*]], %{{.*}}, %{{.*}}, %[[ALPHA:.*]] = flash_tile.online_softmax
// CHECK: %[[P:.*]] = flash_tile.convert %[[E]] {{.*}} -> !flash_tile.fragment<64x32xf16, #flash_tile.lhs<4>>
// CHECK: %[[SC:.*]] = flash_tile.map(%{{.*}}, %[[ALPHA]])
// CHECK: flash_tile.mma #flash_tile.mma_sync %[[P]], %[[VT]] acc(%[[SC]])
// CHECK: flash_tile.map
// CHECK: flash_tile.convert
// CHECK-SAME: !flash_tile.fragment<64x64xf16, #flash_tile.acc<4>>
// CHECK: math.log2
// CHECK: flash_tile.store {{.*}} rows(%{{.*}}) to_end cols(%{{.*}})
// CHECK: flash_tile.store {{.*}} rows(%{{.*}})
// CHECK-NEXT: gpu.return
