// Programs in tiles beside those of key-outer.mlir, none an attention of ours: each becomes a kernel with roles, a kernel
// of sm_80, and code of the CPU that agrees with float64.
//
// RUN: flash-opt %s --flash-gpu-tile-pipeline=target=sm_90a -o %t.90.mlir
// RUN: FileCheck %s < %t.90.mlir
// RUN: flash-opt %t.90.mlir --flash-gpu-lowering-pipeline=target=sm_90a | flash-translate --flash-to-ptx --flash-target=sm_90a -o %t.90.ptx
// RUN: %ptxas -v -arch=sm_90a %t.90.ptx -o %t.90.cubin 2>&1 | FileCheck %s --check-prefix=CLEAN
// RUN: sed 's/instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232/instruction = mma_sync/' %s > %t.80.mlir
// RUN: flash-opt %t.80.mlir --flash-gpu-tile-pipeline=target=sm_80 --flash-gpu-lowering-pipeline=target=sm_80 | flash-translate --flash-to-ptx --flash-target=sm_80 -o %t.80.ptx
// RUN: %ptxas -v -arch=sm_80 %t.80.ptx -o %t.80.cubin 2>&1 | FileCheck %s --check-prefix=CLEAN
//
// As flash-run compiles them.
// RUN: flash-run %s --entry=query_outer --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %s --entry=carried_columns --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %s --entry=ragged_rows --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %s --entry=split_k --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %s --entry=two_layers --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %s --entry=both_transposed --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %s --entry=both_turned --target=sm_90a --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=query_outer --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=carried_columns --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=ragged_rows --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=split_k --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=two_layers --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=both_transposed --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
// RUN: flash-run %t.80.mlir --entry=both_turned --target=sm_80 --compile-only | FileCheck %s --check-prefix=COMPILES
//
// RUN: flash-run %s --entry=query_outer --target=cpu --check | FileCheck %s --check-prefix=THREE
// RUN: flash-run %s --entry=carried_columns --target=cpu --check | FileCheck %s --check-prefix=THREE
// RUN: flash-run %s --entry=ragged_rows --target=cpu --check --dim=arg0.0=200 | FileCheck %s --check-prefix=ONE
// RUN: flash-run %s --entry=split_k --target=cpu --check | FileCheck %s --check-prefix=THREE
// RUN: flash-run %s --entry=two_layers --target=cpu --check | FileCheck %s --check-prefix=TWO
// RUN: flash-run %s --entry=both_transposed --target=cpu --check | FileCheck %s --check-prefix=TWO
// RUN: flash-run %s --entry=both_turned --target=cpu --check | FileCheck %s --check-prefix=TWO

// CLEAN-NOT: C75
// CLEAN-COUNT-7: 0 bytes spill stores, 0 bytes spill loads

// COMPILES: compile {{.*}} ptxas
// THREE-COUNT-3: {{ ok$}}
// TWO-COUNT-2: {{ ok$}}
// ONE: {{ ok$}}

// CHECK-LABEL: gpu.func @query_outer
// CHECK: flash_tile.specialize
// CHECK: flash_tile.store_async add
// CHECK: flash_tile.store_async add
// CHECK-LABEL: gpu.func @carried_columns
// CHECK: flash_tile.specialize
// CHECK: scf.for {{.*}} -> (!flash_tile.fragment<64xf32, #flash_tile.col<8>>, !flash_tile.fragment<64xf32, #flash_tile.col<8>>
// CHECK: flash_tile.all_reduce add
// CHECK-LABEL: gpu.func @ragged_rows
// CHECK: flash_tile.specialize
// Rows end with the tensor: the copy engine reads zeros behind it, and nothing is cleared.
// CHECK: consumers
// CHECK: flash_tile.get {{.*}}] :
// CHECK: flash_tile.get {{.*}}] :
// CHECK: flash_tile.store {{.*}} to_end
// CHECK-LABEL: gpu.func @split_k
// CHECK: flash_tile.specialize
// CHECK: flash_tile.all_reduce add
// CHECK-LABEL: gpu.func @two_layers
// CHECK: flash_tile.specialize
// CHECK-LABEL: gpu.func @both_transposed
// CHECK: flash_tile.specialize
// CHECK: flash_tile.mma{{.*}} transpose_a transpose_b
// CHECK: flash_tile.reduce minimum
// CHECK-LABEL: gpu.func @both_turned
// CHECK: flash_tile.specialize
// CHECK: flash_tile.mma{{.*}} transpose_a transpose_b
// CHECK: flash_tile.reduce maximum

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
#nm = affine_map<(m, n, k) -> (n, m)>
#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#id = affine_map<(a, b) -> (a, b)>
#tr = affine_map<(a, b) -> (b, a)>
#row = affine_map<(a, b) -> (a)>
#col = affine_map<(a, b) -> (b)>
#i1 = affine_map<(a) -> (a)>

// Gradients of keys and values added to memory: two reducing stores a step, statistics along rows, in f16.
func.func @query_outer(%q: tensor<2x128x64xf16>, %k: tensor<2x128x64xf16>, %v: tensor<2x128x64xf16>, %do: tensor<2x128x64xf16>, %lse: tensor<2x128xf32>, %delta: tensor<2x128xf32>) -> (tensor<2x128x64xf32>, tensor<2x128x64xf32>, tensor<2x128x64xf32>) {
  %c0 = arith.constant 0 : index
  %step = arith.constant 64 : index
  %n = arith.constant 128 : index
  %z = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x128x64xf32>
  %zk = linalg.fill ins(%z : f32) outs(%e0 : tensor<2x128x64xf32>) -> tensor<2x128x64xf32>
  %r:3 = scf.forall (%h, %i) = (0, 0) to (2, 128) step (1, 128) shared_outs(%oq = %e0, %ok = %zk, %ov = %zk) -> (tensor<2x128x64xf32>, tensor<2x128x64xf32>, tensor<2x128x64xf32>) {
    %t = tensor.empty() : tensor<128x64xf32>
    %s0 = tensor.empty() : tensor<128x64xf32>
    %p0 = tensor.empty() : tensor<128x64xf16>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x64xf32>) -> tensor<128x64xf32>
    %zs = linalg.fill ins(%z : f32) outs(%s0 : tensor<128x64xf32>) -> tensor<128x64xf32>
    %d0 = tensor.empty() : tensor<64x64xf32>
    %zd = linalg.fill ins(%z : f32) outs(%d0 : tensor<64x64xf32>) -> tensor<64x64xf32>
    %w0 = tensor.empty() : tensor<128x64xf32>
    %none = linalg.fill ins(%z : f32) outs(%w0 : tensor<128x64xf32>) -> tensor<128x64xf32>
    %tq = tensor.extract_slice %q[%h, %i, 0] [1, 128, 64] [1, 1, 1] : tensor<2x128x64xf16> to tensor<128x64xf16>
    %td = tensor.extract_slice %do[%h, %i, 0] [1, 128, 64] [1, 1, 1] : tensor<2x128x64xf16> to tensor<128x64xf16>
    %l = tensor.extract_slice %lse[%h, %i] [1, 128] [1, 1] : tensor<2x128xf32> to tensor<128xf32>
    %de = tensor.extract_slice %delta[%h, %i] [1, 128] [1, 1] : tensor<2x128xf32> to tensor<128xf32>
    %acc:3 = scf.for %j = %c0 to %n step %step iter_args(%dq = %zt, %dk = %none, %dv = %none) -> (tensor<128x64xf32>, tensor<128x64xf32>, tensor<128x64xf32>) {
      %tk = tensor.extract_slice %k[%h, %j, 0] [1, 64, 64] [1, 1, 1] : tensor<2x128x64xf16> to tensor<64x64xf16>
      %tv = tensor.extract_slice %v[%h, %j, 0] [1, 64, 64] [1, 1, 1] : tensor<2x128x64xf16> to tensor<64x64xf16>
      %s = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%tq, %tk : tensor<128x64xf16>, tensor<64x64xf16>) outs(%zs : tensor<128x64xf32>) -> tensor<128x64xf32>
      %dp = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%td, %tv : tensor<128x64xf16>, tensor<64x64xf16>) outs(%zs : tensor<128x64xf32>) -> tensor<128x64xf32>
      %p:2 = linalg.generic {indexing_maps = [#id, #id, #row, #row, #id, #id], iterator_types = ["parallel", "parallel"]}
          ins(%s, %dp, %l, %de : tensor<128x64xf32>, tensor<128x64xf32>, tensor<128xf32>, tensor<128xf32>) outs(%p0, %p0 : tensor<128x64xf16>, tensor<128x64xf16>) {
      ^bb0(%x: f32, %y: f32, %ll: f32, %dd: f32, %o0: f16, %o1: f16):
        %sc8 = arith.constant 0.05 : f32
        %xs = arith.mulf %x, %sc8 : f32
        %a = arith.subf %xs, %ll : f32
        %b = math.exp2 %a : f32
        %c = arith.subf %y, %dd : f32
        %d = arith.mulf %b, %c : f32
        %bb = arith.truncf %b : f32 to f16
        %db = arith.truncf %d : f32 to f16
        linalg.yield %bb, %db : f16, f16
      } -> (tensor<128x64xf16>, tensor<128x64xf16>)
      %dq2 = linalg.matmul ins(%p#1, %tk : tensor<128x64xf16>, tensor<64x64xf16>) outs(%dq : tensor<128x64xf32>) -> tensor<128x64xf32>
      %dvt = linalg.matmul indexing_maps = [#km, #kn, #mn] ins(%p#0, %td : tensor<128x64xf16>, tensor<128x64xf16>) outs(%zd : tensor<64x64xf32>) -> tensor<64x64xf32>
      %dkt = linalg.matmul indexing_maps = [#km, #kn, #mn] ins(%p#1, %tq : tensor<128x64xf16>, tensor<128x64xf16>) outs(%zd : tensor<64x64xf32>) -> tensor<64x64xf32>
      %dv2 = flash.add_slice %dvt into %dv[%j, 0] [64, 64] [1, 1] : tensor<64x64xf32> into tensor<128x64xf32>
      %dk2 = flash.add_slice %dkt into %dk[%j, 0] [64, 64] [1, 1] : tensor<64x64xf32> into tensor<128x64xf32>
      scf.yield %dq2, %dk2, %dv2 : tensor<128x64xf32>, tensor<128x64xf32>, tensor<128x64xf32>
    }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %acc#0 into %oq[%h, %i, 0] [1, 128, 64] [1, 1, 1] : tensor<128x64xf32> into tensor<2x128x64xf32>
      flash.parallel_add_slice %acc#1 into %ok[%h, 0, 0] [1, 128, 64] [1, 1, 1] : tensor<128x64xf32> into tensor<2x128x64xf32>
      flash.parallel_add_slice %acc#2 into %ov[%h, 0, 0] [1, 128, 64] [1, 1, 1] : tensor<128x64xf32> into tensor<2x128x64xf32>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 64, d = 16, warps = 8, stages = 2, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r#0, %r#1, %r#2 : tensor<2x128x64xf32>, tensor<2x128x64xf32>, tensor<2x128x64xf32>
}

// Sums and maxima of columns that a loop carries.
func.func @carried_columns(%a: tensor<128x64xbf16>, %b: tensor<256x64xbf16>) -> (tensor<64xf32>, tensor<64xf32>, tensor<128x64xbf16>) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c256 = arith.constant 256 : index
  %z = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<64xf32>
  %e1 = tensor.empty() : tensor<128x64xbf16>
  %r:3 = scf.forall (%s) in (1) shared_outs(%o = %e0, %p = %e0, %q = %e1) -> (tensor<64xf32>, tensor<64xf32>, tensor<128x64xbf16>) {
    %i = affine.apply affine_map<(i) -> (i * 128)>(%s)
    %t = tensor.empty() : tensor<128x64xf32>
    %t16 = tensor.empty() : tensor<128x64xbf16>
    %u = tensor.empty() : tensor<64xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x64xf32>) -> tensor<128x64xf32>
    %zu = linalg.fill ins(%z : f32) outs(%u : tensor<64xf32>) -> tensor<64xf32>
    %lu = linalg.fill ins(%low : f32) outs(%u : tensor<64xf32>) -> tensor<64xf32>
    %ta = tensor.extract_slice %a[%i, 0] [128, 64] [1, 1] : tensor<128x64xbf16> to tensor<128x64xbf16>
    %acc:3 = scf.for %k = %c0 to %c256 step %c64 iter_args(%sum = %zu, %max = %lu, %c = %zt) -> (tensor<64xf32>, tensor<64xf32>, tensor<128x64xf32>) {
      %tb = tensor.extract_slice %b[%k, 0] [64, 64] [1, 1] : tensor<256x64xbf16> to tensor<64x64xbf16>
      %s1 = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%ta, %tb : tensor<128x64xbf16>, tensor<64x64xbf16>) outs(%zt : tensor<128x64xf32>) -> tensor<128x64xf32>
      %sq = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%s1 : tensor<128x64xf32>) outs(%t16 : tensor<128x64xbf16>) {
      ^bb0(%x: f32, %y: bf16):
        %w = math.absf %x : f32
        %w1 = math.sqrt %w : f32
        %w2 = arith.truncf %w1 : f32 to bf16
        linalg.yield %w2 : bf16
      } -> tensor<128x64xbf16>
      %sum2 = linalg.reduce ins(%s1 : tensor<128x64xf32>) outs(%sum : tensor<64xf32>) dimensions = [0]
        (%x: f32, %y: f32) {
          %w = arith.addf %x, %y : f32
          linalg.yield %w : f32
        }
      %max2 = linalg.reduce ins(%s1 : tensor<128x64xf32>) outs(%max : tensor<64xf32>) dimensions = [0]
        (%x: f32, %y: f32) {
          %w = arith.maximumf %x, %y : f32
          linalg.yield %w : f32
        }
      %c2 = linalg.matmul ins(%sq, %tb : tensor<128x64xbf16>, tensor<64x64xbf16>) outs(%c : tensor<128x64xf32>) -> tensor<128x64xf32>
      scf.yield %sum2, %max2, %c2 : tensor<64xf32>, tensor<64xf32>, tensor<128x64xf32>
    }
    %f = linalg.generic {indexing_maps = [#id, #col, #id], iterator_types = ["parallel", "parallel"]} ins(%acc#2, %acc#1 : tensor<128x64xf32>, tensor<64xf32>) outs(%t16 : tensor<128x64xbf16>) {
    ^bb0(%x: f32, %m: f32, %y: bf16):
      %w = arith.subf %x, %m : f32
      %w2 = arith.truncf %w : f32 to bf16
      linalg.yield %w2 : bf16
    } -> tensor<128x64xbf16>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %acc#0 into %o[%i] [64] [1] : tensor<64xf32> into tensor<64xf32>
      tensor.parallel_insert_slice %acc#1 into %p[%i] [64] [1] : tensor<64xf32> into tensor<64xf32>
      tensor.parallel_insert_slice %f into %q[%i, 0] [128, 64] [1, 1] : tensor<128x64xbf16> into tensor<128x64xbf16>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 64, d = 16, warps = 8, stages = 2, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r#0, %r#1, %r#2 : tensor<64xf32>, tensor<64xf32>, tensor<128x64xbf16>
}

// Rows that the loop cuts off at the end of the tensor, by affine.min.
func.func @ragged_rows(%a: tensor<?x128xbf16>, %b: tensor<128x256xbf16>) -> tensor<?x256xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %z = arith.constant 0.0 : f32
  %ze = arith.constant 0.0 : bf16
  %M = tensor.dim %a, %c0 : tensor<?x128xbf16>
  %K = tensor.dim %a, %c1 : tensor<?x128xbf16>
  %N = arith.constant 256 : index
  %e0 = tensor.empty(%M) : tensor<?x256xf32>
  %r = scf.forall (%i, %j) = (0, 0) to (%M, %N) step (128, 128) shared_outs(%o = %e0) -> tensor<?x256xf32> {
    %mi = affine.min affine_map<(i)[s] -> (128, s - i)>(%i)[%M]
    %ni = affine.min affine_map<(i)[s] -> (128, s - i)>(%j)[%N]
    %ph = affine.apply affine_map<(i) -> (128 - i)>(%mi)
    %t = tensor.empty() : tensor<128x128xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x128xf32>) -> tensor<128x128xf32>
    %acc = scf.for %k = %c0 to %K step %c64 iter_args(%c = %zt) -> tensor<128x128xf32> {
      %ta = tensor.extract_slice %a[%i, %k] [%mi, 64] [1, 1] : tensor<?x128xbf16> to tensor<?x64xbf16>
      %pa = tensor.pad %ta low[0, 0] high[%ph, 0] {
      ^bb0(%x: index, %y: index):
        tensor.yield %ze : bf16
      } : tensor<?x64xbf16> to tensor<128x64xbf16>
      %tb = tensor.extract_slice %b[%k, %j] [64, 128] [1, 1] : tensor<128x256xbf16> to tensor<64x128xbf16>
      %c2 = linalg.matmul ins(%pa, %tb : tensor<128x64xbf16>, tensor<64x128xbf16>) outs(%c : tensor<128x128xf32>) -> tensor<128x128xf32>
      scf.yield %c2 : tensor<128x128xf32>
    }
    %s = tensor.extract_slice %acc[0, 0] [%mi, 128] [1, 1] : tensor<128x128xf32> to tensor<?x128xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[%i, %j] [%mi, 128] [1, 1] : tensor<?x128xf32> into tensor<?x256xf32>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 64, d = 16, warps = 8, stages = 3, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r : tensor<?x256xf32>
}

// Parts of a contraction, each added to memory, as are the sums of rows and columns.
func.func @split_k(%a: tensor<128x256xbf16>, %b: tensor<256x128xbf16>) -> (tensor<128x128xf32>, tensor<128xf32>, tensor<128xf32>) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  %z = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<128x128xf32>
  %e1 = tensor.empty() : tensor<128xf32>
  %z0 = linalg.fill ins(%z : f32) outs(%e0 : tensor<128x128xf32>) -> tensor<128x128xf32>
  %z1 = linalg.fill ins(%z : f32) outs(%e1 : tensor<128xf32>) -> tensor<128xf32>
  %r:3 = scf.forall (%s) in (2) shared_outs(%o = %z0, %p = %z1, %q = %z1) -> (tensor<128x128xf32>, tensor<128xf32>, tensor<128xf32>) {
    %first = affine.apply affine_map<(i) -> (i * 128)>(%s)
    %t = tensor.empty() : tensor<128x128xf32>
    %u = tensor.empty() : tensor<128xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x128xf32>) -> tensor<128x128xf32>
    %zu = linalg.fill ins(%z : f32) outs(%u : tensor<128xf32>) -> tensor<128xf32>
    %acc = scf.for %k = %c0 to %c128 step %c64 iter_args(%c = %zt) -> tensor<128x128xf32> {
      %at = arith.addi %first, %k : index
      %ta = tensor.extract_slice %a[0, %at] [128, 64] [1, 1] : tensor<128x256xbf16> to tensor<128x64xbf16>
      %tb = tensor.extract_slice %b[%at, 0] [64, 128] [1, 1] : tensor<256x128xbf16> to tensor<64x128xbf16>
      %c2 = linalg.matmul ins(%ta, %tb : tensor<128x64xbf16>, tensor<64x128xbf16>) outs(%c : tensor<128x128xf32>) -> tensor<128x128xf32>
      scf.yield %c2 : tensor<128x128xf32>
    }
    %rows = linalg.reduce ins(%acc : tensor<128x128xf32>) outs(%zu : tensor<128xf32>) dimensions = [1]
      (%x: f32, %y: f32) {
        %w = arith.addf %x, %y : f32
        linalg.yield %w : f32
      }
    %cols = linalg.reduce ins(%acc : tensor<128x128xf32>) outs(%zu : tensor<128xf32>) dimensions = [0]
      (%x: f32, %y: f32) {
        %w = arith.addf %x, %y : f32
        linalg.yield %w : f32
      }
    scf.forall.in_parallel {
      flash.parallel_add_slice %acc into %o[0, 0] [128, 128] [1, 1] : tensor<128x128xf32> into tensor<128x128xf32>
      flash.parallel_add_slice %rows into %p[0] [128] [1] : tensor<128xf32> into tensor<128xf32>
      flash.parallel_add_slice %cols into %q[0] [128] [1] : tensor<128xf32> into tensor<128xf32>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 64, d = 16, warps = 8, stages = 2, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r#0, %r#1, %r#2 : tensor<128x128xf32>, tensor<128xf32>, tensor<128xf32>
}

// Two products with a function between them, and its row sums.
func.func @two_layers(%a: tensor<256x64xf16>, %w1: tensor<64x256xf16>, %w2: tensor<256x64xf16>, %g1: tensor<256xf32>) -> (tensor<256x64xf16>, tensor<256xf32>) {
  %c0 = arith.constant 0 : index
  %ch = arith.constant 64 : index
  %H = arith.constant 256 : index
  %z = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<256x64xf16>
  %e1 = tensor.empty() : tensor<256xf32>
  %r:2 = scf.forall (%i) = (0) to (256) step (128) shared_outs(%o = %e0, %os = %e1) -> (tensor<256x64xf16>, tensor<256xf32>) {
    %t = tensor.empty() : tensor<128x64xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x64xf32>) -> tensor<128x64xf32>
    %t1 = tensor.empty() : tensor<128x64xf32>
    %zm = linalg.fill ins(%z : f32) outs(%t1 : tensor<128x64xf32>) -> tensor<128x64xf32>
    %t16 = tensor.empty() : tensor<128x64xf16>
    %u = tensor.empty() : tensor<128xf32>
    %zu = linalg.fill ins(%z : f32) outs(%u : tensor<128xf32>) -> tensor<128xf32>
    %ta = tensor.extract_slice %a[%i, 0] [128, 64] [1, 1] : tensor<256x64xf16> to tensor<128x64xf16>
    %acc:2 = scf.for %k = %c0 to %H step %ch iter_args(%c = %zt, %ss = %zu) -> (tensor<128x64xf32>, tensor<128xf32>) {
      %tb1 = tensor.extract_slice %w1[0, %k] [64, 64] [1, 1] : tensor<64x256xf16> to tensor<64x64xf16>
      %tb2 = tensor.extract_slice %w2[%k, 0] [64, 64] [1, 1] : tensor<256x64xf16> to tensor<64x64xf16>
      %tg = tensor.extract_slice %g1[%k] [64] [1] : tensor<256xf32> to tensor<64xf32>
      %s = linalg.matmul ins(%ta, %tb1 : tensor<128x64xf16>, tensor<64x64xf16>) outs(%zm : tensor<128x64xf32>) -> tensor<128x64xf32>
      %p:2 = linalg.generic {indexing_maps = [#id, #col, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%s, %tg : tensor<128x64xf32>, tensor<64xf32>) outs(%t16, %t1 : tensor<128x64xf16>, tensor<128x64xf32>) {
      ^bb0(%x0: f32, %gg: f32, %q0: f16, %q1: f32):
        %x = arith.addf %x0, %gg : f32
        %nx = arith.negf %x : f32
        %ex = math.exp %nx : f32
        %one = arith.constant 1.0 : f32
        %dn = arith.addf %ex, %one : f32
        %g = arith.divf %x, %dn : f32
        %y = arith.truncf %g : f32 to f16
        linalg.yield %y, %g : f16, f32
      } -> (tensor<128x64xf16>, tensor<128x64xf32>)
      %s2 = linalg.reduce ins(%p#1 : tensor<128x64xf32>) outs(%ss : tensor<128xf32>) dimensions = [1]
        (%x: f32, %y: f32) {
          %w = arith.addf %x, %y : f32
          linalg.yield %w : f32
        }
      %c2 = linalg.matmul ins(%p#0, %tb2 : tensor<128x64xf16>, tensor<64x64xf16>) outs(%c : tensor<128x64xf32>) -> tensor<128x64xf32>
      scf.yield %c2, %s2 : tensor<128x64xf32>, tensor<128xf32>
    }
    %t3 = tensor.empty() : tensor<128x64xf16>
    %f = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%acc#0, %acc#1 : tensor<128x64xf32>, tensor<128xf32>) outs(%t3 : tensor<128x64xf16>) {
    ^bb0(%x: f32, %y: f32, %q0: f16):
      %cst = arith.constant 0.001 : f32
      %w0 = arith.mulf %y, %cst : f32
      %w = arith.addf %x, %w0 : f32
      %w1b = arith.truncf %w : f32 to f16
      linalg.yield %w1b : f16
    } -> tensor<128x64xf16>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %f into %o[%i, 0] [128, 64] [1, 1] : tensor<128x64xf16> into tensor<256x64xf16>
      tensor.parallel_insert_slice %acc#1 into %os[%i] [128] [1] : tensor<128xf32> into tensor<256xf32>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 64, d = 16, warps = 8, stages = 2, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r#0, %r#1 : tensor<256x64xf16>, tensor<256xf32>
}

// Both operands transposed; a bias along rows; the least of each column.
func.func @both_transposed(%a: tensor<128x256xbf16>, %bb: tensor<256x128xbf16>, %bias: tensor<256xf32>) -> (tensor<256x256xbf16>, tensor<2x256xf32>) {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %ck = arith.constant 64 : index
  %K = arith.constant 128 : index
  %e0 = tensor.empty() : tensor<256x256xbf16>
  %e1 = tensor.empty() : tensor<2x256xf32>
  %r:2 = scf.forall (%i, %j) in (2, 2) shared_outs(%o0 = %e0, %o1 = %e1) -> (tensor<256x256xbf16>, tensor<2x256xf32>) {
    %i0 = affine.apply affine_map<(i) -> (i * 128)>(%i)
    %j0 = affine.apply affine_map<(i) -> (i * 128)>(%j)
    %t = tensor.empty() : tensor<128x128xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x128xf32>) -> tensor<128x128xf32>
    %tbias = tensor.extract_slice %bias[%i0] [128] [1] : tensor<256xf32> to tensor<128xf32>
    %acc = scf.for %kk = %c0 to %K step %ck iter_args(%c = %zt) -> tensor<128x128xf32> {
      %ta = tensor.extract_slice %a[%kk, %i0] [64, 128] [1, 1] : tensor<128x256xbf16> to tensor<64x128xbf16>
      %tb = tensor.extract_slice %bb[%j0, %kk] [128, 64] [1, 1] : tensor<256x128xbf16> to tensor<128x64xbf16>
      %c2 = linalg.matmul indexing_maps = [#km, #nk, #mn] ins(%ta, %tb : tensor<64x128xbf16>, tensor<128x64xbf16>) outs(%c : tensor<128x128xf32>) -> tensor<128x128xf32>
      scf.yield %c2 : tensor<128x128xf32>
    }
    %sum = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
        ins(%acc, %tbias : tensor<128x128xf32>, tensor<128xf32>) outs(%t : tensor<128x128xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %s = arith.addf %x, %y : f32
      linalg.yield %s : f32
    } -> tensor<128x128xf32>
    %ri = arith.constant 0x7F800000 : f32
    %u = tensor.empty() : tensor<128xf32>
    %zu = linalg.fill ins(%ri : f32) outs(%u : tensor<128xf32>) -> tensor<128xf32>
    %rows = linalg.reduce ins(%sum : tensor<128x128xf32>) outs(%zu : tensor<128xf32>) dimensions = [0]
      (%x: f32, %y: f32) {
        %s = arith.minimumf %x, %y : f32
        linalg.yield %s : f32
      }
    %t16 = tensor.empty() : tensor<128x128xbf16>
    %rounded = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%sum : tensor<128x128xf32>) outs(%t16 : tensor<128x128xbf16>) {
    ^bb0(%x: f32, %o: bf16):
      %s = arith.truncf %x : f32 to bf16
      linalg.yield %s : bf16
    } -> tensor<128x128xbf16>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %rounded into %o0[%i0, %j0] [128, 128] [1, 1] : tensor<128x128xbf16> into tensor<256x256xbf16>
      tensor.parallel_insert_slice %rows into %o1[%i, %j0] [1, 128] [1, 1] : tensor<128xf32> into tensor<2x256xf32>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 128, d = 16, warps = 8, stages = 3, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r#0, %r#1 : tensor<256x256xbf16>, tensor<2x256xf32>
}

// The same by transpositions of what was loaded; the largest of each row.
func.func @both_turned(%a: tensor<128x256xf16>, %bb: tensor<256x128xf16>) -> (tensor<256x256xf32>, tensor<256x2xf32>) {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %ck = arith.constant 64 : index
  %K = arith.constant 128 : index
  %e0 = tensor.empty() : tensor<256x256xf32>
  %e1 = tensor.empty() : tensor<256x2xf32>
  %r:2 = scf.forall (%i, %j) in (2, 2) shared_outs(%o0 = %e0, %o1 = %e1) -> (tensor<256x256xf32>, tensor<256x2xf32>) {
    %i0 = affine.apply affine_map<(i) -> (i * 128)>(%i)
    %j0 = affine.apply affine_map<(i) -> (i * 128)>(%j)
    %t = tensor.empty() : tensor<128x128xf32>
    %zt = linalg.fill ins(%z : f32) outs(%t : tensor<128x128xf32>) -> tensor<128x128xf32>
    %acc = scf.for %kk = %c0 to %K step %ck iter_args(%c = %zt) -> tensor<128x128xf32> {
      %ta = tensor.extract_slice %a[%kk, %i0] [64, 128] [1, 1] : tensor<128x256xf16> to tensor<64x128xf16>
      %tb = tensor.extract_slice %bb[%j0, %kk] [128, 64] [1, 1] : tensor<256x128xf16> to tensor<128x64xf16>
      %ea = tensor.empty() : tensor<128x64xf16>
      %turned_a = linalg.transpose ins(%ta : tensor<64x128xf16>) outs(%ea : tensor<128x64xf16>) permutation = [1, 0]
      %eb = tensor.empty() : tensor<64x128xf16>
      %turned_b = linalg.transpose ins(%tb : tensor<128x64xf16>) outs(%eb : tensor<64x128xf16>) permutation = [1, 0]
      %c2 = linalg.matmul ins(%turned_a, %turned_b : tensor<128x64xf16>, tensor<64x128xf16>) outs(%c : tensor<128x128xf32>) -> tensor<128x128xf32>
      scf.yield %c2 : tensor<128x128xf32>
    }
    %ri = arith.constant 0xFF800000 : f32
    %u = tensor.empty() : tensor<128xf32>
    %zu = linalg.fill ins(%ri : f32) outs(%u : tensor<128xf32>) -> tensor<128xf32>
    %rows = linalg.reduce ins(%acc : tensor<128x128xf32>) outs(%zu : tensor<128xf32>) dimensions = [1]
      (%x: f32, %y: f32) {
        %s = arith.maximumf %x, %y : f32
        linalg.yield %s : f32
      }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %acc into %o0[%i0, %j0] [128, 128] [1, 1] : tensor<128x128xf32> into tensor<256x256xf32>
      tensor.parallel_insert_slice %rows into %o1[%i0, %j] [128, 1] [1, 1] : tensor<128xf32> into tensor<256x2xf32>
    }
  } {flash.schedule = #flash.schedule<m = 128, n = 128, d = 16, warps = 8, stages = 3, instruction = wgmma, specialize = true, tma = true, storeTma = true, producerRegisters = 40, consumerRegisters = 232>}
  return %r#0, %r#1 : tensor<256x256xf32>, tensor<256x2xf32>
}
