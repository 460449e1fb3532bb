// RUN: flash-opt %s --flash-count-io -split-input-file -verify-diagnostics

// expected-error @below {{flash-count-io: there is no tiled operation; run flash-tile-attention before}}
module {
  func.func @nothing(%x: tensor<4xf32>) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
}

// -----

// expected-error @below {{flash-count-io: there is a 'flash_io_counters' already; a program is counted once}}
module {
  memref.global @flash_io_counters : memref<1xi64> = dense<0>
}

// -----

module {
  func.func @first(%x: tensor<4xf32>) -> tensor<4xf32> {
    %e = tensor.empty() : tensor<4xf32>
    %r = scf.forall (%i) in (4) shared_outs(%o = %e) -> tensor<4xf32> {
      %s = tensor.extract_slice %x[%i] [1] [1] : tensor<4xf32> to tensor<1xf32>
      scf.forall.in_parallel {
        tensor.parallel_insert_slice %s into %o[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
      }
    } {flash.tiling = #flash.tiling<m = 1, n = 1, d = 1>}
    return %r : tensor<4xf32>
  }
  // expected-error @below {{flash-count-io: a second function with tiled operations; one is counted at a time}}
  func.func @second(%x: tensor<4xf32>) -> tensor<4xf32> {
    %e = tensor.empty() : tensor<4xf32>
    %r = scf.forall (%i) in (4) shared_outs(%o = %e) -> tensor<4xf32> {
      %s = tensor.extract_slice %x[%i] [1] [1] : tensor<4xf32> to tensor<1xf32>
      scf.forall.in_parallel {
        tensor.parallel_insert_slice %s into %o[%i] [1] [1] : tensor<1xf32> into tensor<4xf32>
      }
    } {flash.tiling = #flash.tiling<m = 1, n = 1, d = 1>}
    return %r : tensor<4xf32>
  }
}
