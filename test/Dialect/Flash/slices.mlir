// RUN: flash-opt %s --split-input-file --verify-diagnostics | flash-opt | FileCheck %s

// CHECK-LABEL: func.func @add
// CHECK: flash.add_slice %{{.*}} into %{{.*}}[%{{.*}}, 0] [64, 128] [1, 1] : tensor<64x128xf32> into tensor<?x128xf32>
// CHECK: flash.parallel_add_slice %{{.*}} into %{{.*}}[%{{.*}}, 0, 0] [1, %{{.*}}, 128] [1, 1, 1] : tensor<?x128xf32> into tensor<4x?x128xf32>
func.func @add(%t: tensor<64x128xf32>, %d: tensor<?x128xf32>, %out: tensor<4x?x128xf32>, %n: index) -> tensor<4x?x128xf32> {
  %r = scf.forall (%h, %i) in (4, 8) shared_outs(%o = %out) -> (tensor<4x?x128xf32>) {
    %s = flash.add_slice %t into %d[%i, 0] [64, 128] [1, 1] : tensor<64x128xf32> into tensor<?x128xf32>
    scf.forall.in_parallel {
      flash.parallel_add_slice %s into %o[%h, 0, 0] [1, %n, 128] [1, 1, 1] : tensor<?x128xf32> into tensor<4x?x128xf32>
    }
  }
  return %r : tensor<4x?x128xf32>
}
