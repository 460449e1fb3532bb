// RUN: flash-opt %s --split-input-file --flash-vectorize-lanes | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: flash-opt %s --split-input-file --flash-vectorize-lanes="vector-bits=512 registers=32" | FileCheck %s --check-prefixes=CHECK,AVX512

// S^T = K Q^T: 4 keys x 24 queries of 16 registers, 8 x 48 of 32.

// CHECK-LABEL: func @scores(
// CHECK-SAME: %[[K:.+]]: memref<64x128xf32>, %[[Q:.+]]: memref<128x96xf32>, %[[S:.+]]: memref<64x96xf32>)
// AVX2: %[[PANEL:.+]] = arith.constant 24 : index
// AVX2: scf.for %{{.+}} = %{{.+}} to %{{.+}} step %[[PANEL]]
// AVX2: %[[ROWS:.+]] = arith.constant 4 : index
// AVX2: scf.for %{{.+}} = %{{.+}} to %{{.+}} step %[[ROWS]]
// AVX2-COUNT-12: vector.load %[[S]]{{.*}} vector<8xf32>
// AVX2: scf.for {{.*}} iter_args(
// AVX2: memref.load %[[K]]
// AVX2: vector.broadcast
// AVX2: vector.load %[[Q]]{{.*}} vector<8xf32>
// AVX2: math.fma
// AVX2-COUNT-11: math.fma
// AVX2-NOT: math.fma
// AVX2-COUNT-12: vector.store {{.*}} %[[S]]
// AVX512-COUNT-24: vector.load %[[S]]{{.*}} vector<16xf32>
// AVX512-COUNT-24: math.fma
// AVX512-NOT: math.fma
func.func @scores(%k: memref<64x128xf32>, %q: memref<128x96xf32>, %s: memref<64x96xf32>) {
  linalg.matmul ins(%k, %q : memref<64x128xf32>, memref<128x96xf32>) outs(%s : memref<64x96xf32>)
  return
}

// -----

// Sizes off the tile: 59 rows are 14 tiles of 4 and one of 3; 41 lanes a panel of
// 3 vectors, one of 2, and a single lane.

// CHECK-LABEL: func @ragged(
// AVX2-COUNT-12: math.fma {{.*}} : vector<8xf32>
// AVX2-COUNT-9: math.fma {{.*}} : vector<8xf32>
// AVX2-COUNT-8: math.fma {{.*}} : vector<8xf32>
// AVX2-COUNT-6: math.fma {{.*}} : vector<8xf32>
// AVX2-COUNT-4: math.fma {{.*}} : f32
// AVX2-COUNT-3: math.fma {{.*}} : f32
// AVX2-NOT: math.fma
func.func @ragged(%k: memref<59x7xf32>, %q: memref<7x41xf32>, %s: memref<59x41xf32>) {
  linalg.matmul ins(%k, %q : memref<59x7xf32>, memref<7x41xf32>) outs(%s : memref<59x41xf32>)
  return
}

// -----

// One pass that writes P and sums it; what does not depend on the key is read
// before the loop over keys.

#tile = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func @exponentials(
// CHECK-SAME: %[[M:.+]]: memref<96xf32>, %[[P:.+]]: memref<64x96xf32>, %[[SUM:.+]]: memref<96xf32>)
// AVX2-COUNT-3: vector.load %[[SUM]]
// AVX2-COUNT-3: vector.load %[[M]]
// AVX2: scf.for
// AVX2-NOT: vector.load %[[M]]
// AVX2: vector.load %[[P]]
// AVX2: math.exp2 {{.*}} vector<8xf32>
// AVX2: vector.store {{.*}} %[[P]]
// AVX2: scf.yield
// AVX2-COUNT-3: vector.store {{.*}} %[[SUM]]
func.func @exponentials(%m: memref<96xf32>, %p: memref<64x96xf32>, %sum: memref<96xf32>) {
  linalg.generic {indexing_maps = [#row, #tile, #row], iterator_types = ["reduction", "parallel"]}
      ins(%m : memref<96xf32>) outs(%p, %sum : memref<64x96xf32>, memref<96xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %d = arith.subf %b, %a : f32
    %e = math.exp2 %d : f32
    %f = arith.addf %c, %e : f32
    linalg.yield %e, %f : f32, f32
  }
  return
}

// -----

// The position of an element: a step along the lanes, the same in all lanes along
// the rest.

#tile = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func @mask(
// CHECK: arith.constant dense<[0, 1, 2, 3, 4, 5, 6, 7{{.*}}]> : vector<{{(8|16)}}xindex>
// CHECK: arith.cmpi sle, {{.*}} : vector<{{(8|16)}}xindex>
// CHECK: arith.select {{.*}} : vector<{{(8|16)}}xi1>, vector<{{(8|16)}}xf32>
func.func @mask(%s: memref<64x96xf32>, %q0: index, %k0: index) {
  %ninf = arith.constant 0xFF800000 : f32
  linalg.generic {indexing_maps = [#tile], iterator_types = ["parallel", "parallel"]} outs(%s : memref<64x96xf32>) {
  ^bb0(%x: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %k = arith.addi %k0, %i : index
    %q = arith.addi %q0, %j : index
    %c = arith.cmpi sle, %k, %q : index
    %r = arith.select %c, %x, %ninf : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// A copy of a part: vectors along the static dimension.

// CHECK-LABEL: func @copy(
// CHECK-NOT: memref.copy
// CHECK: vector.load
// CHECK: vector.store
func.func @copy(%a: memref<?x128xf32, strided<[128, 1], offset: ?>>, %b: memref<?x128xf32, strided<[128, 1]>>) {
  memref.copy %a, %b : memref<?x128xf32, strided<[128, 1], offset: ?>> to memref<?x128xf32, strided<[128, 1]>>
  return
}

// -----

// Lanes of a length known at run time: vectors, then single lanes.

// CHECK-LABEL: func @dynamic(
// CHECK: arith.remui
// CHECK: vector.load {{.*}} vector<{{(8|16)}}xf32>
// CHECK: memref.load
func.func @dynamic(%a: memref<?xf32>, %b: memref<?xf32>) {
  linalg.exp ins(%a : memref<?xf32>) outs(%b : memref<?xf32>)
  return
}

// -----

// Written across: each lane to a row of its own.

// CHECK-LABEL: func @transpose(
// AVX2-COUNT-8: memref.load
// AVX2: vector.from_elements
// AVX2: vector.store
func.func @transpose(%a: memref<96x128xf32>, %b: memref<128x96xf32>) {
  linalg.transpose ins(%a : memref<96x128xf32>) outs(%b : memref<128x96xf32>) permutation = [1, 0]
  return
}

// -----

// Not a projected permutation: left alone.

#shift = affine_map<(d0) -> (d0 + 1)>
#id = affine_map<(d0) -> (d0)>
// CHECK-LABEL: func @shifted(
// CHECK: linalg.generic
func.func @shifted(%a: memref<9xf32>, %b: memref<8xf32>) {
  linalg.generic {indexing_maps = [#shift, #id], iterator_types = ["parallel"]} ins(%a : memref<9xf32>) outs(%b : memref<8xf32>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

// What a contraction adds to is made when it loads its accumulators: zeros are
// not written first, and a rescaling is not a pass of its own.

#tile = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func @fold_init(
// AVX2: %[[S:.+]] = memref.alloca() : memref<64x96xf32>
// AVX2-NOT: vector.store
// AVX2-NOT: vector.load %[[S]]
// AVX2: scf.for {{.*}} iter_args(
// AVX2-COUNT-12: vector.store {{.*}} %[[S]]
// AVX2: arith.mulf {{.*}} : vector<8xf32>
// AVX2: scf.for {{.*}} iter_args(
// AVX2-COUNT-12: vector.store
// AVX2-NOT: vector.store
func.func @fold_init(%k: memref<64x128xf32>, %q: memref<128x96xf32>, %v: memref<128x64xf32>, %out: memref<128x96xf32>) {
  %zero = arith.constant 0.0 : f32
  %s = memref.alloca() : memref<64x96xf32>
  %alpha = memref.alloca() : memref<96xf32>
  %acc = memref.alloca() : memref<128x96xf32>
  linalg.fill ins(%zero : f32) outs(%s : memref<64x96xf32>)
  linalg.matmul ins(%k, %q : memref<64x128xf32>, memref<128x96xf32>) outs(%s : memref<64x96xf32>)
  linalg.generic {indexing_maps = [#row, #tile], iterator_types = ["parallel", "parallel"]} ins(%alpha : memref<96xf32>) outs(%acc : memref<128x96xf32>) {
  ^bb0(%x: f32, %y: f32):
    %z = arith.mulf %y, %x : f32
    linalg.yield %z : f32
  }
  linalg.matmul ins(%v, %s : memref<128x64xf32>, memref<64x96xf32>) outs(%acc : memref<128x96xf32>)
  return
}

// -----

// The buffer is not the function's own: what else refers to it is unknown.

// CHECK-LABEL: func @not_fresh(
// AVX2: vector.store
// AVX2: scf.for {{.*}} iter_args(
// AVX2-COUNT-12: vector.store
func.func @not_fresh(%k: memref<64x128xf32>, %q: memref<128x96xf32>, %s: memref<64x96xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%s : memref<64x96xf32>)
  linalg.matmul ins(%k, %q : memref<64x128xf32>, memref<128x96xf32>) outs(%s : memref<64x96xf32>)
  return
}

// -----

// V is read a column at a time: at each key the line that the next columns need
// is asked for, after the last one that of the next block. K is read a row at a
// time: the next rows are asked for before each tile. Scratch is in a cache.

#vt = affine_map<(d0, d1, d2) -> (d2, d0)>
#p = affine_map<(d0, d1, d2) -> (d2, d1)>
#o = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func @prefetch(
// CHECK-SAME: %[[V:[^:]+]]: memref<48x128xf32>, %{{[^:]+}}: memref<48x48xf32>, %{{[^:]+}}: memref<128x48xf32>, %[[K:[^:]+]]: memref<48x128xf32>
// CHECK: arith.cmpi sge
// CHECK: scf.for {{.*}} iter_args(
// CHECK-NEXT: arith.addi
// CHECK-NEXT: memref.prefetch %[[V]]{{.*}}, read, locality<3>, data
// CHECK: scf.yield
// CHECK: scf.for
// AVX2-COUNT-4: memref.prefetch %[[K]]
// AVX2-NOT: memref.prefetch
// CHECK: scf.for {{.*}} iter_args(
func.func @prefetch(%v: memref<48x128xf32>, %p: memref<48x48xf32>, %o: memref<128x48xf32>, %k: memref<48x128xf32>) {
  linalg.matmul indexing_maps = [#vt, #p, #o] ins(%v, %p : memref<48x128xf32>, memref<48x48xf32>) outs(%o : memref<128x48xf32>)
  linalg.matmul ins(%k, %o : memref<48x128xf32>, memref<128x48xf32>) outs(%p : memref<48x48xf32>)
  %scratch = memref.alloca() : memref<48x128xf32>
  linalg.matmul ins(%scratch, %o : memref<48x128xf32>, memref<128x48xf32>) outs(%p : memref<48x48xf32>)
  return
}

// -----

// Reads in the body: one load where the index is the same in all lanes, else a gather.
// CHECK-LABEL: @reads
// CHECK-SAME: %[[IDS:[^:]*]]: memref<2x?xi32>
// CHECK: scf.for %[[J:.*]] =
// CHECK: scf.for
// CHECK-DAG: %[[KEY:.*]] = memref.load %[[IDS]][%{{.*}}, %[[J]]] : memref<2x?xi32>
// CHECK-DAG: %[[QUERY:.*]] = vector.gather %[[IDS]]
// CHECK: %[[WIDE:.*]] = vector.broadcast %[[KEY]] : i32
// CHECK: arith.cmpi eq, %[[QUERY]], %[[WIDE]]
func.func @reads(%ids: memref<2x?xi32>, %s: memref<4x16xf32>, %b: index, %last: index) {
  %hidden = arith.constant 0xFF800000 : f32
  linalg.generic {indexing_maps = [affine_map<(j, i) -> (j, i)>], iterator_types = ["parallel", "parallel"]} outs(%s : memref<4x16xf32>) {
  ^bb0(%x: f32):
    %j = linalg.index 0 : index
    %i = linalg.index 1 : index
    %row = arith.minsi %i, %last : index
    %k = memref.load %ids[%b, %j] : memref<2x?xi32>
    %q = memref.load %ids[%b, %row] : memref<2x?xi32>
    %same = arith.cmpi eq, %q, %k : i32
    %r = arith.select %same, %x, %hidden : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// A buffer of booleans has a byte for each, a vector in memory a bit: lane by lane.

#id = affine_map<(i) -> (i)>
// CHECK-LABEL: func @booleans(
// CHECK-NOT: vector.load {{.+}}xi1>
// CHECK-NOT: vector.store
// CHECK: memref.load %{{.+}} : memref<?xi1>
// AVX2: vector.from_elements {{.+}} : vector<8xi1>
// AVX512: vector.from_elements {{.+}} : vector<16xi1>
// CHECK: memref.store %{{.+}} : memref<?xi1>
// CHECK-NOT: vector.load {{.+}}xi1>
// CHECK-NOT: vector.store
// CHECK: return
func.func @booleans(%a: memref<?xi1>, %x: memref<?xf32>, %out: memref<?xi1>) {
  linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%a, %x : memref<?xi1>, memref<?xf32>) outs(%out : memref<?xi1>) {
  ^bb0(%seen: i1, %y: f32, %o: i1):
    %zero = arith.constant 0.0 : f32
    %0 = arith.cmpf ogt, %y, %zero : f32
    %1 = arith.andi %seen, %0 : i1
    linalg.yield %1 : i1
  }
  return
}

// -----

// A read whose rows are the lanes' and whose last index grows along another loop: for a square of both each row is loaded
// as a vector, the next tile's part of it is asked for, and the vectors are turned. The 4 keys that are left over are
// read lane by lane.
// CHECK-LABEL: @across
// CHECK-SAME: %[[BIAS:.*]]: memref<64x?xf32>, %{{.*}}: memref<20x16xf32>, %[[K0:.*]]: index
// AVX2: scf.for
// AVX2: scf.for %[[J:.*]] = %c0{{.*}} to %c16{{.*}} step %c8
// AVX2: %[[KEY:.*]] = arith.addi %[[K0]], %[[J]]
// AVX2: %[[FIRST:.*]] = vector.extract %[[LANES:.*]][0]
// AVX2: vector.load %[[BIAS]][%[[FIRST]], %[[KEY]]] : memref<64x?xf32>, vector<8xf32>
// AVX2: %[[NEXT:.*]] = arith.addi %[[KEY]], %c20
// AVX2: memref.prefetch %[[BIAS]][%[[FIRST]], %[[NEXT]]], read
// AVX2: vector.extract %[[LANES]][1]
// AVX2: vector.shuffle %{{.*}}, %{{.*}} [0, 1, 2, 3, 8, 9, 10, 11]
// AVX2: vector.shuffle %{{.*}}, %{{.*}} [4, 5, 6, 7, 12, 13, 14, 15]
// AVX2: vector.shuffle %{{.*}}, %{{.*}} [0, 1, 8, 9, 4, 5, 12, 13]
// AVX2: vector.shuffle %{{.*}}, %{{.*}} [0, 8, 2, 10, 4, 12, 6, 14]
// AVX2-NOT: memref.load %[[BIAS]]
// AVX2: scf.for %{{.*}} = %c16{{.*}} to %c20{{.*}} step %c4
// AVX2: memref.load %[[BIAS]]
// AVX2: vector.from_elements
// AVX512: scf.for %{{.*}} = %c0{{.*}} to %c16{{.*}} step %c16
// AVX512: vector.load %[[BIAS]]{{.*}} vector<16xf32>
// AVX512: vector.shuffle %{{.*}}, %{{.*}} [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]
func.func @across(%bias: memref<64x?xf32>, %s: memref<20x16xf32>, %k0: index) {
  linalg.generic {indexing_maps = [affine_map<(j, i) -> (j, i)>], iterator_types = ["parallel", "parallel"]}
      outs(%s : memref<20x16xf32>) {
  ^bb0(%score: f32):
    %j = linalg.index 0 : index
    %i = linalg.index 1 : index
    %k = arith.addi %k0, %j : index
    %b = memref.load %bias[%i, %k] : memref<64x?xf32>
    %r = arith.addf %score, %b : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// Where a key may be the last one instead, neighbours need not be: lane by lane.
// CHECK-LABEL: @clamped
// CHECK-NOT: vector.shuffle
// CHECK: memref.load
// CHECK: return
func.func @clamped(%bias: memref<64x?xf32>, %s: memref<16x16xf32>, %last: index) {
  linalg.generic {indexing_maps = [affine_map<(j, i) -> (j, i)>], iterator_types = ["parallel", "parallel"]}
      outs(%s : memref<16x16xf32>) {
  ^bb0(%score: f32):
    %j = linalg.index 0 : index
    %i = linalg.index 1 : index
    %k = arith.minsi %j, %last : index
    %b = memref.load %bias[%i, %k] : memref<64x?xf32>
    %r = arith.addf %score, %b : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// Where only a call knows whether one key's serves all, each square asks.
// CHECK-LABEL: @across_or_one
// CHECK-SAME: %{{.*}}: memref<64x?xf32>, %{{.*}}: memref<16x16xf32>, %[[ONE:.*]]: i1
// AVX2: scf.if %[[ONE]] -> (vector<8xf32>, vector<8xf32>,
// AVX2: memref.load
// AVX2: vector.from_elements
// AVX2-NOT: vector.shuffle
// AVX2: scf.yield %[[SAME:.*]], %[[SAME]], %[[SAME]],
// AVX2: } else {
// AVX2: vector.load
// AVX2: vector.shuffle
// AVX2: scf.yield
func.func @across_or_one(%bias: memref<64x?xf32>, %s: memref<16x16xf32>, %one: i1) {
  %c0 = arith.constant 0 : index
  linalg.generic {indexing_maps = [affine_map<(j, i) -> (j, i)>], iterator_types = ["parallel", "parallel"]}
      outs(%s : memref<16x16xf32>) {
  ^bb0(%score: f32):
    %j = linalg.index 0 : index
    %i = linalg.index 1 : index
    %k = arith.select %one, %c0, %j : index
    %b = memref.load %bias[%i, %k] : memref<64x?xf32>
    %r = arith.addf %score, %b : f32
    linalg.yield %r : f32
  }
  return
}
