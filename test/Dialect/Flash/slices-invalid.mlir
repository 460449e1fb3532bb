// RUN: flash-opt %s --split-input-file --verify-diagnostics

func.func @shape(%t: tensor<64x64xf32>, %d: tensor<512x128xf32>, %i: index) -> tensor<512x128xf32> {
  // expected-error @below {{adds 'tensor<64x64xf32>' to a slice of type 'tensor<64x128xf32>'}}
  %r = flash.add_slice %t into %d[%i, 0] [64, 128] [1, 1] : tensor<64x64xf32> into tensor<512x128xf32>
  return %r : tensor<512x128xf32>
}

// -----

func.func @integers(%t: tensor<64xi32>, %d: tensor<512xi32>) -> tensor<512xi32> {
  // expected-error @below {{adds floats, not 'i32'}}
  %r = flash.add_slice %t into %d[0] [64] [1] : tensor<64xi32> into tensor<512xi32>
  return %r : tensor<512xi32>
}

// -----

func.func @strides(%t: tensor<64xf32>, %d: tensor<512xf32>) -> tensor<512xf32> {
  // expected-error @below {{has strides that are not 1}}
  %r = flash.add_slice %t into %d[0] [64] [2] : tensor<64xf32> into tensor<512xf32>
  return %r : tensor<512xf32>
}

// -----

func.func @alone(%t: tensor<64xf32>, %d: tensor<512xf32>) {
  // expected-error @below {{belongs in scf.forall.in_parallel}}
  flash.parallel_add_slice %t into %d[0] [64] [1] : tensor<64xf32> into tensor<512xf32>
  return
}
