// Element-wise ops around an attention are kernels of their own on GPUs, a chain of them one: what is computed with is the same as on a CPU, whose
// results are those of float64. Rotary embeddings, projections' biases, residuals, changes of layout and of type.
// RUN: for e in rotary bias_k residual transpose cast_f32 lse hd40 scalar_arg; do for t in sm_80 sm_90a; do flash-run %s --entry=$e --target=$t --emit=ptx > %t.ptx && \
// RUN:   %ptxas -arch=$t %t.ptx -o /dev/null || exit 1; done; done
// RUN: for e in rotary bias_k residual transpose cast_f32 lse hd40 scalar_arg; do flash-run %s --entry=$e --target=cpu --check || exit 1; done | FileCheck %s --check-prefix=CPU
// CPU-COUNT-9: check {{.*}} ok
// RUN: flash-run %s --entry=residual --target=sm_90a --emit=plan | FileCheck %s --check-prefix=PLAN
// PLAN-COUNT-3: launch @residual
// PLAN-NOT: launch
// RUN: flash-opt %s --pass-pipeline='builtin.module(func.func(flash-simplify-around,flash-tile-elementwise))' -o %t.mlir
// RUN: for e in rotary bias_k residual transpose cast_f32 lse hd40 scalar_arg; do flash-run %s --entry=$e --target=cpu --output=%t.a.npy && flash-run %t.mlir --entry=$e --target=cpu --output=%t.b.npy && \
// RUN:   cmp %t.a.npy %t.b.npy || exit 1; done
!rotary_t = tensor<2x8x200x64xf16>
!rotary_d = tensor<2x8x?x64xbf16>
#rotary_id = affine_map<(a,b,c,d) -> (a,b,c,d)>
func.func @rotary(%q: !rotary_t, %k: !rotary_t, %v: !rotary_t, %cos: tensor<200x64xf32>, %sin: tensor<200x64xf32>) -> !rotary_t {
  %e = tensor.empty() : !rotary_t
  %x = linalg.generic {indexing_maps = [#rotary_id, affine_map<(a,b,c,d)->(c,d)>, affine_map<(a,b,c,d)->(c,d)>, #rotary_id], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%q, %cos, %sin : !rotary_t, tensor<200x64xf32>, tensor<200x64xf32>) outs(%e : !rotary_t) {
  ^bb0(%a: f16, %b: f32, %hh: f32, %c: f16):
    %i0 = linalg.index 0 : index
    %i1 = linalg.index 1 : index
    %i2 = linalg.index 2 : index
    %i3 = linalg.index 3 : index
    %c32 = arith.constant 32 : index
    %low = arith.cmpi slt, %i3, %c32 : index
    %up = arith.addi %i3, %c32 : index
    %down = arith.subi %i3, %c32 : index
    %j = arith.select %low, %up, %down : index
    %other = tensor.extract %q[%i0, %i1, %i2, %j] : !rotary_t
    %n = arith.negf %other : f16
    %r = arith.select %low, %n, %other : f16
    %aw = arith.extf %a : f16 to f32
    %rw = arith.extf %r : f16 to f32
    %p1 = arith.mulf %aw, %b : f32
    %p2 = arith.mulf %rw, %hh : f32
    %s = arith.addf %p1, %p2 : f32
    %s2 = arith.truncf %s : f32 to f16
    linalg.yield %s2 : f16
  } -> !rotary_t
  %o = flash.attention %x, %k, %v : !rotary_t, !rotary_t, !rotary_t -> !rotary_t
  return %o : !rotary_t
}
!bias_k_t = tensor<2x8x200x64xf16>
!bias_k_d = tensor<2x8x?x64xbf16>
#bias_k_id = affine_map<(a,b,c,d) -> (a,b,c,d)>
func.func @bias_k(%q: !bias_k_t, %k: !bias_k_t, %v: !bias_k_t, %w: tensor<64xf16>, %h: tensor<8x64xf16>) -> !bias_k_t {
  %e = tensor.empty() : !bias_k_t
  %x = linalg.generic {indexing_maps = [#bias_k_id, affine_map<(a,b,c,d)->(d)>, affine_map<(a,b,c,d)->(b,d)>, #bias_k_id], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%k, %w, %h : !bias_k_t, tensor<64xf16>, tensor<8x64xf16>) outs(%e : !bias_k_t) {
  ^bb0(%a: f16, %b: f16, %hh: f16, %c: f16):
    %s = arith.addf %a, %b : f16
    %s2 = arith.mulf %s, %hh : f16
    linalg.yield %s2 : f16
  } -> !bias_k_t
  %o = flash.attention %q, %x, %v : !bias_k_t, !bias_k_t, !bias_k_t -> !bias_k_t
  return %o : !bias_k_t
}
!residual_t = tensor<2x8x200x64xf16>
!residual_d = tensor<2x8x?x64xbf16>
#residual_id = affine_map<(a,b,c,d) -> (a,b,c,d)>
func.func @residual(%q: !residual_d, %k: !residual_d, %v: !residual_d) -> !residual_d {
  %o = flash.attention %q, %k, %v {mask = #flash.causal} : !residual_d, !residual_d, !residual_d -> !residual_d
  %x = arith.addf %o, %q : !residual_d
  %y = math.tanh %x : !residual_d
  return %y : !residual_d
}
!transpose_s = tensor<2x200x8x64xf16>
!transpose_t = tensor<2x8x200x64xf16>
func.func @transpose(%q0: !transpose_s, %k: !transpose_t, %v: !transpose_t) -> !transpose_s {
  %e = tensor.empty() : !transpose_t
  %q = linalg.transpose ins(%q0 : !transpose_s) outs(%e : !transpose_t) permutation = [0, 2, 1, 3]
  %o = flash.attention %q, %k, %v : !transpose_t, !transpose_t, !transpose_t -> !transpose_t
  %e2 = tensor.empty() : !transpose_s
  %r = linalg.transpose ins(%o : !transpose_t) outs(%e2 : !transpose_s) permutation = [0, 2, 1, 3]
  return %r : !transpose_s
}
!cast_f32_t = tensor<2x8x200x64xf16>
!cast_f32_f = tensor<2x8x200x64xf32>
func.func @cast_f32(%q0: !cast_f32_f, %k0: !cast_f32_f, %v0: !cast_f32_f) -> !cast_f32_f {
  %q = arith.truncf %q0 : !cast_f32_f to !cast_f32_t
  %k = arith.truncf %k0 : !cast_f32_f to !cast_f32_t
  %v = arith.truncf %v0 : !cast_f32_f to !cast_f32_t
  %o = flash.attention %q, %k, %v : !cast_f32_t, !cast_f32_t, !cast_f32_t -> !cast_f32_t
  %r = arith.extf %o : !cast_f32_t to !cast_f32_f
  return %r : !cast_f32_f
}
!lse_t = tensor<2x8x200x64xf16>
!lse_l = tensor<2x8x200xf32>
func.func @lse(%q: !lse_t, %k: !lse_t, %v: !lse_t) -> (!lse_t, !lse_l) {
  %o, %lse = flash.attention %q, %k, %v : !lse_t, !lse_t, !lse_t -> !lse_t, !lse_l
  %e = math.exp %lse : !lse_l
  return %o, %e : !lse_t, !lse_l
}
!hd40_t = tensor<2x8x77x40xbf16>
func.func @hd40(%q: !hd40_t, %k: !hd40_t, %v: !hd40_t) -> !hd40_t {
  %x = arith.mulf %q, %q : !hd40_t
  %o = flash.attention %x, %k, %v : !hd40_t, !hd40_t, !hd40_t -> !hd40_t
  return %o : !hd40_t
}
!scalar_arg_t = tensor<2x8x200x64xf16>
func.func @scalar_arg(%q: !scalar_arg_t, %k: !scalar_arg_t, %v: !scalar_arg_t, %s: f32) -> !scalar_arg_t {
  %e = tensor.empty() : !scalar_arg_t
  %x = linalg.generic {indexing_maps = [affine_map<(a,b,c,d) -> (a,b,c,d)>, affine_map<(a,b,c,d)->()>, affine_map<(a,b,c,d) -> (a,b,c,d)>], iterator_types = ["parallel","parallel","parallel","parallel"]} ins(%q, %s : !scalar_arg_t, f32) outs(%e : !scalar_arg_t) {
  ^bb0(%a: f16, %b: f32, %c: f16):
    %w = arith.truncf %b : f32 to f16
    %x = arith.mulf %a, %w : f16
    linalg.yield %x : f16
  } -> !scalar_arg_t
  %o = flash.attention %x, %k, %v : !scalar_arg_t, !scalar_arg_t, !scalar_arg_t -> !scalar_arg_t
  return %o : !scalar_arg_t
}
