// RUN: flash-opt %s -convert-flash-to-tile --split-input-file --verify-diagnostics

func.func @foreign(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{on a GPU, a function may hold attention and what belongs to it, but not 'math.sin'}}
  %b = math.sin %a : tensor<4x4xf32>
  return %b : tensor<4x4xf32>
}

// -----

func.func @argument(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{'func.return' op returns a tensor that no kernel computes}}
  return %a : tensor<4x4xf32>
}

// -----

// expected-error @+1 {{on a GPU, arguments are ranked tensors, index, i64 and f32 values, but argument 0 is 'f16'}}
func.func @scalar(%a: f16) {
  return
}

// -----

#md = affine_map<(m, n, d) -> (m, d)>
#nd = affine_map<(m, n, d) -> (n, d)>
#mn = affine_map<(m, n, d) -> (m, n)>

func.func @f32(%a: tensor<64x32xf32>, %b: tensor<64x32xf32>) -> tensor<64x64xf32> {
  %e = tensor.empty() : tensor<64x64xf32>
  %r = scf.forall (%i) in (1) shared_outs(%o = %e) -> (tensor<64x64xf32>) {
    %zero = arith.constant 0.0 : f32
    // expected-error @+1 {{matrix products of 'f32' are not supported on a GPU yet; f16 and bf16 are}}
    %x = tensor.extract_slice %a[%i, 0] [64, 32] [1, 1] : tensor<64x32xf32> to tensor<64x32xf32>
    %y = tensor.extract_slice %b[%i, 0] [64, 32] [1, 1] : tensor<64x32xf32> to tensor<64x32xf32>
    %z = tensor.empty() : tensor<64x64xf32>
    %f = linalg.fill ins(%zero : f32) outs(%z : tensor<64x64xf32>) -> tensor<64x64xf32>
    %p = linalg.matmul indexing_maps = [#md, #nd, #mn] ins(%x, %y : tensor<64x32xf32>, tensor<64x32xf32>)
        outs(%f : tensor<64x64xf32>) -> tensor<64x64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %p into %o[%i, 0] [64, 64] [1, 1] : tensor<64x64xf32> into tensor<64x64xf32>
    }
  }
  return %r : tensor<64x64xf32>
}

// -----

func.func @op_in_loop() -> tensor<64xf32> {
  %e = tensor.empty() : tensor<64xf32>
  %r = scf.forall (%i) in (1) shared_outs(%o = %e) -> (tensor<64xf32>) {
    %zero = arith.constant 0.0 : f32
    %z = tensor.empty() : tensor<64xf32>
    %f = linalg.fill ins(%zero : f32) outs(%z : tensor<64xf32>) -> tensor<64xf32>
    // expected-error @+1 {{'math.sin' op is not supported in a GPU kernel}}
    %s = math.sin %f : tensor<64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[%i] [64] [1] : tensor<64xf32> into tensor<64xf32>
    }
  }
  return %r : tensor<64xf32>
}

// -----

// Values of 8 bits, with keys of 16.
// expected-error @below {{tensors of 'f8E5M2' are not supported on a GPU yet}}
func.func @values(%q: tensor<1x4x64x64xf16>, %v: tensor<1x4x64x64xf8E5M2>, %s: tensor<4xf32>) -> tensor<1x4x64x64xf16> {
  %o = flash.attention %q, %q, %v value_scale(%s : tensor<4xf32>)
      : tensor<1x4x64x64xf16>, tensor<1x4x64x64xf16>, tensor<1x4x64x64xf8E5M2> -> tensor<1x4x64x64xf16>
  return %o : tensor<1x4x64x64xf16>
}

// -----

// expected-error @below {{tensors of 'i16' are not supported on a GPU yet; f16, bf16, f32, i1, i8, i32 and i64 are (and --target=cpu has more)}}
func.func @segments(%ids: tensor<?x?xi16>) {
  return
}

// -----

func.func @around(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @below {{not 'linalg.exp', which is not supported there yet; do it to the caller's tensors before or after the call, or, if it is done to scores, in a `score` region}}
  %b = linalg.exp ins(%a : tensor<4x4xf32>) outs(%a : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %b : tensor<4x4xf32>
}

// -----

func.func @constant_query(%o: tensor<64xf32>) -> tensor<64xf32> {
  %c = arith.constant dense<1.0> : tensor<64xf32>
  %e = tensor.empty() : tensor<64xf32>
  // expected-error @below {{has a constant as query, key or value, which a GPU reads from tensors of the caller: make it an argument of the function}}
  %r = scf.forall (%i) in (1) shared_outs(%out = %e) -> tensor<64xf32> {
    %s = tensor.extract_slice %c[%i] [64] [1] : tensor<64xf32> to tensor<64xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %out[%i] [64] [1] : tensor<64xf32> into tensor<64xf32>
    }
  }
  return %r : tensor<64xf32>
}

// -----
func.func @schedule(%x: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %e = tensor.empty() : tensor<64x64xf32>
  // expected-error @below {{has 'flash.schedule': run flash-split-schedule before}}
  %r = scf.forall (%i) in (1) shared_outs(%o = %e) -> (tensor<64x64xf32>) {
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %x into %o[0, 0] [64, 64] [1, 1] : tensor<64x64xf32> into tensor<64x64xf32>
    }
  } {flash.schedule = #flash.schedule<warps = 4>}
  return %r : tensor<64x64xf32>
}
