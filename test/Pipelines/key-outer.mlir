// One module of programs in tiles that are no attention of ours: gradients of keys and values with a loop over keys
// outside (their statistics lie along the scores' columns), the same with the queries' gradient added to memory by all
// blocks, a product with a bias and sums of its rows, and one whose operands are transposed and computed.
//
// RUN: flash-opt %s --flash-gpu-tile-pipeline=target=sm_90a -o %t.90.mlir
// RUN: FileCheck %s --check-prefix=ROLES < %t.90.mlir
// RUN: flash-opt %t.90.mlir --flash-gpu-lowering-pipeline=target=sm_90a | flash-translate --flash-to-ptx --flash-target=sm_90a -o %t.90.ptx
// RUN: %ptxas -v -arch=sm_90a %t.90.ptx -o %t.90.cubin 2>&1 | FileCheck %s --check-prefix=CLEAN
// RUN: FileCheck %s --check-prefix=PTX < %t.90.ptx
//
// The same with the instructions of sm_80: other attributes alone.
// RUN: sed 's/instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232/instruction = mma_sync/' %s > %t.80.mlir
// RUN: flash-opt %t.80.mlir --flash-gpu-tile-pipeline=target=sm_80 --flash-gpu-lowering-pipeline=target=sm_80 | flash-translate --flash-to-ptx --flash-target=sm_80 -o %t.80.ptx
// RUN: %ptxas -v -arch=sm_80 %t.80.ptx -o %t.80.cubin 2>&1 | FileCheck %s --check-prefix=CLEAN
//
// As flash-run compiles them.
// RUN: flash-run %s --entry=dkdv --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %s --entry=dqdkdv --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %s --entry=gemm --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %s --entry=transposed --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=dkdv --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=dqdkdv --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=gemm --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=transposed --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
//
// On the CPU, against float64.
// RUN: flash-run %s --entry=dqdkdv --target=cpu --check | FileCheck %s --check-prefix=THREE
// RUN: flash-run %s --entry=gemm --target=cpu --check | FileCheck %s --check-prefix=TWO
// RUN: flash-run %s --entry=transposed --target=cpu --check | FileCheck %s --check-prefix=THREE

// CLEAN-NOT: C75
// CLEAN-COUNT-4: 0 bytes spill stores, 0 bytes spill loads

// COMPILES: compile {{.*}} ptxas
// THREE-COUNT-3: {{ ok$}}
// TWO-COUNT-2: {{ ok$}}

// Scores start an iteration ahead, from a ring of a stage more. Statistics of columns come through rings. Two of five products are in flight beside other work; what is left of
// the scores' gradients is filled into a ring, and its product runs one step later, the last one after the loop, by one warpgroup in turn; a helper has it stored.
// ROLES-LABEL: gpu.func @dqdkdv
// ROLES: flash_tile.specialize
// ROLES: flash_tile.put
// ROLES: consumers
// ROLES: flash_tile.mma_start
// ROLES: scf.for
// ROLES: flash_tile.mma_wait
// ROLES: flash_tile.mma_start
// ROLES: flash_tile.read {{.*}} -> !flash_tile.fragment<64xf32, #flash_tile.col<8>>
// ROLES: math.exp2
// ROLES: flash_tile.mma_start
// ROLES: flash_tile.mma_wait {{.*}} in_flight 1
// ROLES: flash_tile.fill %[[RING:.*]][%[[N:.*]]], %{{.*}} : !flash_tile.ring<2, 128x64xbf16, mbarrier>
// ROLES: flash_tile.mma_start
// ROLES: %[[LATE:.*]] = arith.subi
// ROLES: flash_tile.in_turn %[[N]] when
// ROLES: %[[DS:.*]] = flash_tile.get %[[RING]][%[[LATE]]]
// ROLES: flash_tile.mma #flash_tile.wgmma %[[DS]], %{{.*}} transpose_a {{.*}} -> !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
// ROLES: flash_tile.release %[[RING]][%[[LATE]]]
// ROLES: flash_tile.fill %[[SUMS:.*]][%[[LATE]]]
// ROLES: %[[MORE:.*]] = arith.cmpi slt
// ROLES: %[[NEXT:.*]] = flash_tile.get %{{.*}} when %[[MORE]] : !flash_tile.ring<3, 64x64xbf16, mbarrier>
// ROLES: flash_tile.mma_start #flash_tile.wgmma %{{.*}}, %[[NEXT]] transpose_b
// ROLES: scf.yield
// ROLES: flash_tile.mma_wait
// ROLES: flash_tile.in_turn
// ROLES: helper "writer"
// ROLES: flash_tile.get %[[SUMS]]
// ROLES: flash_tile.store_tile add
// ROLES-LABEL: gpu.func @gemm
// ROLES: flash_tile.specialize
// ROLES: flash_tile.map{{.*}}#flash_tile.col<8>
// ROLES: flash_tile.reduce add
// ROLES-LABEL: gpu.func @transposed
// ROLES: flash_tile.specialize
// ROLES: flash_tile.store_shared
// ROLES: flash_tile.mma #flash_tile.wgmma %{{.*}}, %{{.*}} acc(%{{.*}}) transpose_a
// ROLES: flash_tile.reduce maximum
// ROLES: flash_tile.all_reduce add

// PTX: cp.reduce.async.bulk.tensor.3d.global.shared::cta.add.bulk_group

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#nm = affine_map<(m, n, k) -> (n, m)>
#id = affine_map<(a, b) -> (a, b)>
#row = affine_map<(a, b) -> (a)>
#col = affine_map<(a, b) -> (b)>

func.func @dkdv(%q: tensor<2x128x64xbf16>, %k: tensor<2x128x64xbf16>, %v: tensor<2x128x64xbf16>, %do: tensor<2x128x64xbf16>, %lse: tensor<2x128xf32>, %delta: tensor<2x128xf32>) -> (tensor<2x128x64xf32>, tensor<2x128x64xf32>) {
  %c0 = arith.constant 0 : index
  %step = arith.constant 64 : index
  %n = arith.constant 128 : index
  %z = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x128x64xf32>
  %r:2 = scf.forall (%h, %j) = (0, 0) to (2, 128) step (1, 128) shared_outs(%ok = %e0, %ov = %e0) -> (tensor<2x128x64xf32>, tensor<2x128x64xf32>) {
    %t = tensor.empty() : tensor<128x64xf32>
    %s0 = tensor.empty() : tensor<128x64xf32>
    %p0 = tensor.empty() : tensor<128x64xbf16>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x64xf32>) -> tensor<128x64xf32>
    %zs = linalg.fill ins(%z : f32) outs(%s0 : tensor<128x64xf32>) -> tensor<128x64xf32>
    %tk = tensor.extract_slice %k[%h, %j, 0] [1, 128, 64] [1, 1, 1] : tensor<2x128x64xbf16> to tensor<128x64xbf16>
    %tv = tensor.extract_slice %v[%h, %j, 0] [1, 128, 64] [1, 1, 1] : tensor<2x128x64xbf16> to tensor<128x64xbf16>
    %acc:2 = scf.for %i = %c0 to %n step %step iter_args(%dk = %zt, %dv = %zt) -> (tensor<128x64xf32>, tensor<128x64xf32>) {
      %tq = tensor.extract_slice %q[%h, %i, 0] [1, 64, 64] [1, 1, 1] : tensor<2x128x64xbf16> to tensor<64x64xbf16>
      %td = tensor.extract_slice %do[%h, %i, 0] [1, 64, 64] [1, 1, 1] : tensor<2x128x64xbf16> to tensor<64x64xbf16>
      %l = tensor.extract_slice %lse[%h, %i] [1, 64] [1, 1] : tensor<2x128xf32> to tensor<64xf32>
      %de = tensor.extract_slice %delta[%h, %i] [1, 64] [1, 1] : tensor<2x128xf32> to tensor<64xf32>
      %s = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%tk, %tq : tensor<128x64xbf16>, tensor<64x64xbf16>) outs(%zs : tensor<128x64xf32>) -> tensor<128x64xf32>
      %dp = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%tv, %td : tensor<128x64xbf16>, tensor<64x64xbf16>) outs(%zs : tensor<128x64xf32>) -> tensor<128x64xf32>
      %p:2 = linalg.generic {indexing_maps = [#id, #id, #col, #col, #id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%s, %dp, %l, %de : tensor<128x64xf32>, tensor<128x64xf32>, tensor<64xf32>, tensor<64xf32>) outs(%p0, %p0 : tensor<128x64xbf16>, tensor<128x64xbf16>) {
      ^bb0(%x: f32, %y: f32, %ll: f32, %dd: f32, %o0: bf16, %o1: bf16):
        %a = arith.subf %x, %ll : f32
        %b = math.exp2 %a : f32
        %c = arith.subf %y, %dd : f32
        %d = arith.mulf %b, %c : f32
        %bb = arith.truncf %b : f32 to bf16
        %db = arith.truncf %d : f32 to bf16
        linalg.yield %bb, %db : bf16, bf16
      } -> (tensor<128x64xbf16>, tensor<128x64xbf16>)
      %dv2 = linalg.matmul ins(%p#0, %td : tensor<128x64xbf16>, tensor<64x64xbf16>) outs(%dv : tensor<128x64xf32>) -> tensor<128x64xf32>
      %dk2 = linalg.matmul ins(%p#1, %tq : tensor<128x64xbf16>, tensor<64x64xbf16>) outs(%dk : tensor<128x64xf32>) -> tensor<128x64xf32>
      scf.yield %dk2, %dv2 : tensor<128x64xf32>, tensor<128x64xf32>
    }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %acc#0 into %ok[%h, %j, 0] [1, 128, 64] [1, 1, 1] : tensor<128x64xf32> into tensor<2x128x64xf32>
      tensor.parallel_insert_slice %acc#1 into %ov[%h, %j, 0] [1, 128, 64] [1, 1, 1] : tensor<128x64xf32> into tensor<2x128x64xf32>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 64, d = 16, warps = 8, stages = 2, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r#0, %r#1 : tensor<2x128x64xf32>, tensor<2x128x64xf32>
}
func.func @dqdkdv(%q: tensor<2x128x64xbf16>, %k: tensor<2x128x64xbf16>, %v: tensor<2x128x64xbf16>, %do: tensor<2x128x64xbf16>, %lse: tensor<2x128xf32>, %delta: tensor<2x128xf32>) -> (tensor<2x128x64xf32>, tensor<2x128x64xf32>, tensor<2x128x64xf32>) {
  %c0 = arith.constant 0 : index
  %step = arith.constant 64 : index
  %n = arith.constant 128 : index
  %z = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x128x64xf32>
  %zq = linalg.fill ins(%z : f32) outs(%e0 : tensor<2x128x64xf32>) -> tensor<2x128x64xf32>
  %r:3 = scf.forall (%h, %j) = (0, 0) to (2, 128) step (1, 128) shared_outs(%ok = %e0, %ov = %e0, %oq = %zq) -> (tensor<2x128x64xf32>, tensor<2x128x64xf32>, tensor<2x128x64xf32>) {
    %t = tensor.empty() : tensor<128x64xf32>
    %s0 = tensor.empty() : tensor<128x64xf32>
    %p0 = tensor.empty() : tensor<128x64xbf16>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x64xf32>) -> tensor<128x64xf32>
    %zs = linalg.fill ins(%z : f32) outs(%s0 : tensor<128x64xf32>) -> tensor<128x64xf32>
    %d0 = tensor.empty() : tensor<64x64xf32>
    %zd = linalg.fill ins(%z : f32) outs(%d0 : tensor<64x64xf32>) -> tensor<64x64xf32>
    %w0 = tensor.empty() : tensor<128x64xf32>
    %none = linalg.fill ins(%z : f32) outs(%w0 : tensor<128x64xf32>) -> tensor<128x64xf32>
    %tk = tensor.extract_slice %k[%h, %j, 0] [1, 128, 64] [1, 1, 1] : tensor<2x128x64xbf16> to tensor<128x64xbf16>
    %tv = tensor.extract_slice %v[%h, %j, 0] [1, 128, 64] [1, 1, 1] : tensor<2x128x64xbf16> to tensor<128x64xbf16>
    %acc:3 = scf.for %i = %c0 to %n step %step iter_args(%dk = %zt, %dv = %zt, %dq = %none) -> (tensor<128x64xf32>, tensor<128x64xf32>, tensor<128x64xf32>) {
      %tq = tensor.extract_slice %q[%h, %i, 0] [1, 64, 64] [1, 1, 1] : tensor<2x128x64xbf16> to tensor<64x64xbf16>
      %td = tensor.extract_slice %do[%h, %i, 0] [1, 64, 64] [1, 1, 1] : tensor<2x128x64xbf16> to tensor<64x64xbf16>
      %l = tensor.extract_slice %lse[%h, %i] [1, 64] [1, 1] : tensor<2x128xf32> to tensor<64xf32>
      %de = tensor.extract_slice %delta[%h, %i] [1, 64] [1, 1] : tensor<2x128xf32> to tensor<64xf32>
      %s = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%tk, %tq : tensor<128x64xbf16>, tensor<64x64xbf16>) outs(%zs : tensor<128x64xf32>) -> tensor<128x64xf32>
      %dp = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%tv, %td : tensor<128x64xbf16>, tensor<64x64xbf16>) outs(%zs : tensor<128x64xf32>) -> tensor<128x64xf32>
      %p:2 = linalg.generic {indexing_maps = [#id, #id, #col, #col, #id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%s, %dp, %l, %de : tensor<128x64xf32>, tensor<128x64xf32>, tensor<64xf32>, tensor<64xf32>) outs(%p0, %p0 : tensor<128x64xbf16>, tensor<128x64xbf16>) {
      ^bb0(%x: f32, %y: f32, %ll: f32, %dd: f32, %o0: bf16, %o1: bf16):
        %a = arith.subf %x, %ll : f32
        %b = math.exp2 %a : f32
        %c = arith.subf %y, %dd : f32
        %d = arith.mulf %b, %c : f32
        %bb = arith.truncf %b : f32 to bf16
        %db = arith.truncf %d : f32 to bf16
        linalg.yield %bb, %db : bf16, bf16
      } -> (tensor<128x64xbf16>, tensor<128x64xbf16>)
      %dv2 = linalg.matmul ins(%p#0, %td : tensor<128x64xbf16>, tensor<64x64xbf16>) outs(%dv : tensor<128x64xf32>) -> tensor<128x64xf32>
      %dk2 = linalg.matmul ins(%p#1, %tq : tensor<128x64xbf16>, tensor<64x64xbf16>) outs(%dk : tensor<128x64xf32>) -> tensor<128x64xf32>
      %dqt = linalg.matmul indexing_maps = [#km, #kn, #mn] ins(%p#1, %tk : tensor<128x64xbf16>, tensor<128x64xbf16>) outs(%zd : tensor<64x64xf32>) -> tensor<64x64xf32>
      %dq2 = flash.add_slice %dqt into %dq[%i, 0] [64, 64] [1, 1] : tensor<64x64xf32> into tensor<128x64xf32>
      scf.yield %dk2, %dv2, %dq2 : tensor<128x64xf32>, tensor<128x64xf32>, tensor<128x64xf32>
    }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %acc#0 into %ok[%h, %j, 0] [1, 128, 64] [1, 1, 1] : tensor<128x64xf32> into tensor<2x128x64xf32>
      tensor.parallel_insert_slice %acc#1 into %ov[%h, %j, 0] [1, 128, 64] [1, 1, 1] : tensor<128x64xf32> into tensor<2x128x64xf32>
      flash.parallel_add_slice %acc#2 into %oq[%h, 0, 0] [1, 128, 64] [1, 1, 1] : tensor<128x64xf32> into tensor<2x128x64xf32>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 64, d = 16, warps = 8, stages = 2, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r#0, %r#1, %r#2 : tensor<2x128x64xf32>, tensor<2x128x64xf32>, tensor<2x128x64xf32>
}
// C = A B + bias, and the sums of C's rows.
func.func @gemm(%a: tensor<256x128xbf16>, %b: tensor<128x256xbf16>, %bias: tensor<256xf32>) -> (tensor<256x256xf32>, tensor<256x2xf32>) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %k = arith.constant 128 : index
  %z = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<256x256xf32>
  %e1 = tensor.empty() : tensor<256x2xf32>
  %r:2 = scf.forall (%i, %j) in (2, 2) shared_outs(%oc = %e0, %os = %e1) -> (tensor<256x256xf32>, tensor<256x2xf32>) {
    %i0 = affine.apply affine_map<(i) -> (i * 128)>(%i)
    %j0 = affine.apply affine_map<(i) -> (i * 128)>(%j)
    %t = tensor.empty() : tensor<128x128xf32>
    %u = tensor.empty() : tensor<128xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x128xf32>) -> tensor<128x128xf32>
    %zu = linalg.fill ins(%z : f32) outs(%u : tensor<128xf32>) -> tensor<128xf32>
    %tbias = tensor.extract_slice %bias[%j0] [128] [1] : tensor<256xf32> to tensor<128xf32>
    %acc = scf.for %kk = %c0 to %k step %c64 iter_args(%c = %zt) -> tensor<128x128xf32> {
      %ta = tensor.extract_slice %a[%i0, %kk] [128, 64] [1, 1] : tensor<256x128xbf16> to tensor<128x64xbf16>
      %tb = tensor.extract_slice %b[%kk, %j0] [64, 128] [1, 1] : tensor<128x256xbf16> to tensor<64x128xbf16>
      %c2 = linalg.matmul ins(%ta, %tb : tensor<128x64xbf16>, tensor<64x128xbf16>) outs(%c : tensor<128x128xf32>) -> tensor<128x128xf32>
      scf.yield %c2 : tensor<128x128xf32>
    }
    %sum = linalg.generic {indexing_maps = [#id, #col, #id], iterator_types = ["parallel", "parallel"]}
        ins(%acc, %tbias : tensor<128x128xf32>, tensor<128xf32>) outs(%t : tensor<128x128xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %s = arith.addf %x, %y : f32
      linalg.yield %s : f32
    } -> tensor<128x128xf32>
    %rows = linalg.reduce ins(%sum : tensor<128x128xf32>) outs(%zu : tensor<128xf32>) dimensions = [1]
      (%x: f32, %y: f32) {
        %s = arith.addf %x, %y : f32
        linalg.yield %s : f32
      }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %sum into %oc[%i0, %j0] [128, 128] [1, 1] : tensor<128x128xf32> into tensor<256x256xf32>
      tensor.parallel_insert_slice %rows into %os[%i0, %j] [128, 1] [1, 1] : tensor<128xf32> into tensor<256x2xf32>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 64, d = 16, warps = 8, stages = 4, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r#0, %r#1 : tensor<256x256xf32>, tensor<256x2xf32>
}
// A^T relu(A) over tiles of both: the left operand lies transposed in memory, the right one is computed, and
// the maxima of the rows and the sums of the columns of each tile leave, too.
func.func @transposed(%a: tensor<128x256xbf16>) -> (tensor<256x256xf32>, tensor<4x256xf32>, tensor<2x256xf32>) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %k = arith.constant 128 : index
  %z = arith.constant 0.0 : f32
  %z16 = arith.constant 0.0 : bf16
  %low = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<256x256xf32>
  %e1 = tensor.empty() : tensor<4x256xf32>
  %e2 = tensor.empty() : tensor<2x256xf32>
  %r:3 = scf.forall (%i, %j) in (2, 4) shared_outs(%oc = %e0, %om = %e1, %os = %e2)
      -> (tensor<256x256xf32>, tensor<4x256xf32>, tensor<2x256xf32>) {
    %i0 = affine.apply affine_map<(i) -> (i * 128)>(%i)
    %j0 = affine.apply affine_map<(i) -> (i * 64)>(%j)
    %t = tensor.empty() : tensor<128x64xf32>
    %t16 = tensor.empty() : tensor<64x64xbf16>
    %u = tensor.empty() : tensor<128xf32>
    %v = tensor.empty() : tensor<64xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x64xf32>) -> tensor<128x64xf32>
    %lu = linalg.fill ins(%low : f32) outs(%u : tensor<128xf32>) -> tensor<128xf32>
    %zv = linalg.fill ins(%z : f32) outs(%v : tensor<64xf32>) -> tensor<64xf32>
    %acc = scf.for %kk = %c0 to %k step %c64 iter_args(%c = %zt) -> tensor<128x64xf32> {
      %ta = tensor.extract_slice %a[%kk, %i0] [64, 128] [1, 1] : tensor<128x256xbf16> to tensor<64x128xbf16>
      %tb = tensor.extract_slice %a[%kk, %j0] [64, 64] [1, 1] : tensor<128x256xbf16> to tensor<64x64xbf16>
      %relu = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%tb : tensor<64x64xbf16>) outs(%t16 : tensor<64x64xbf16>) {
      ^bb0(%x: bf16, %o: bf16):
        %m = arith.maximumf %x, %z16 : bf16
        linalg.yield %m : bf16
      } -> tensor<64x64xbf16>
      %c2 = linalg.matmul indexing_maps = [#km, #kn, #mn] ins(%ta, %relu : tensor<64x128xbf16>, tensor<64x64xbf16>)
          outs(%c : tensor<128x64xf32>) -> tensor<128x64xf32>
      scf.yield %c2 : tensor<128x64xf32>
    }
    %max = linalg.reduce ins(%acc : tensor<128x64xf32>) outs(%lu : tensor<128xf32>) dimensions = [1]
      (%x: f32, %y: f32) {
        %s = arith.maximumf %x, %y : f32
        linalg.yield %s : f32
      }
    %sums = linalg.reduce ins(%acc : tensor<128x64xf32>) outs(%zv : tensor<64xf32>) dimensions = [0]
      (%x: f32, %y: f32) {
        %s = arith.addf %x, %y : f32
        linalg.yield %s : f32
      }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %acc into %oc[%i0, %j0] [128, 64] [1, 1] : tensor<128x64xf32> into tensor<256x256xf32>
      tensor.parallel_insert_slice %max into %om[%j, %i0] [1, 128] [1, 1] : tensor<128xf32> into tensor<4x256xf32>
      tensor.parallel_insert_slice %sums into %os[%i, %j0] [1, 64] [1, 1] : tensor<64xf32> into tensor<2x256xf32>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 64, d = 16, warps = 8, stages = 2, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r#0, %r#1, %r#2 : tensor<256x256xf32>, tensor<4x256xf32>, tensor<2x256xf32>
}
