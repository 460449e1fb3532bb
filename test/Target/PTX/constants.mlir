// Masks and captures of i1 and i8, and constant tensors as operands, on GPUs: constants lie beside the kernels, and nothing is passed for them.
// RUN: for e in bools bytes slopes constant_mask; do for t in sm_80 sm_90a; do flash-run %s --entry=$e --target=$t --emit=ptx > %t.ptx && \
// RUN:   %ptxas -arch=$t %t.ptx -o /dev/null || exit 1; done; done
// RUN: flash-run %s --entry=bools --target=sm_90a --emit=ptx | FileCheck %s --check-prefix=BOOLS
// RUN: flash-run %s --entry=slopes --target=sm_90a --emit=ptx | FileCheck %s --check-prefix=SLOPES
// RUN: flash-run %s --entry=slopes --target=sm_90a --emit=plan | FileCheck %s --check-prefix=PLAN
// RUN: flash-run %s --entry=constant_mask --target=cpu --check | FileCheck %s --check-prefix=CPU
// RUN: flash-run %s --entry=bytes --target=cpu --check | FileCheck %s --check-prefix=CPU
// BOOLS: ld.global{{.*}}b8
// SLOPES: .global .align 16 .b8 constant[8] = {0, 0, 0, 63, 0, 0, 128, 62};
// PLAN: plan @slopes(query: f16[1, 2, ?, 64], key: f16[1, 2, ?, 64], value: f16[1, 2, ?, 64]) ->
// CPU: check {{.*}} ok
// A boolean mask, as PyTorch's and JAX's attention take it.
!bt = tensor<2x8x64x64xbf16>
func.func @bools(%q: !bt, %k: !bt, %v: !bt, %m: tensor<2x1x64x64xi1>) -> !bt {
  %o = flash.attention %q, %k, %v captures(%m : tensor<2x1x64x64xi1>) mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %x: tensor<2x1x64x64xi1>):
    %c0 = arith.constant 0 : index
    %s = tensor.extract %x[%b, %c0, %i, %j] : tensor<2x1x64x64xi1>
    flash.yield %s : i1
  } : !bt, !bt, !bt -> !bt
  return %o : !bt
}
// A boolean mask, as PyTorch's and JAX's attention take it.
!ct = tensor<2x8x64x64xbf16>
func.func @bytes(%q: !ct, %k: !ct, %v: !ct, %m: tensor<2x1x64x64xi8>) -> !ct {
  %o = flash.attention %q, %k, %v captures(%m : tensor<2x1x64x64xi8>) mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %x: tensor<2x1x64x64xi8>):
    %c0 = arith.constant 0 : index
    %s = tensor.extract %x[%b, %c0, %i, %j] : tensor<2x1x64x64xi8>
    %z = arith.constant 0 : i8
    %u = arith.cmpi ne, %s, %z : i8
    flash.yield %u : i1
  } : !ct, !ct, !ct -> !ct
  return %o : !ct
}
// ALiBi slopes that the compiler's user knows.
!t = tensor<1x2x?x64xf16>
func.func @slopes(%q: !t, %k: !t, %v: !t) -> !t {
  %x = arith.constant dense<[0.5, 0.25]> : tensor<2xf32>
  %o = flash.attention %q, %k, %v score_operands(%x : tensor<2xf32>) {scores = [#flash.alibi], mask = #flash.causal} : !t, !t, !t -> !t
  return %o : !t
}
!it = tensor<1x2x8x64xf16>
func.func @constant_mask(%q: !it, %k: !it, %v: !it) -> !it {
  %m = arith.constant dense<[[false,true,true,true,true,false,true,true],[true,false,true,true,true,true,false,true],[true,true,false,true,true,true,true,false],[true,true,true,false,true,true,true,true],[true,true,true,true,false,true,true,true],[false,true,true,true,true,false,true,true],[true,false,true,true,true,true,false,true],[true,true,false,true,true,true,true,false]]> : tensor<8x8xi1>
  %o = flash.attention %q, %k, %v captures(%m : tensor<8x8xi1>) mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %x: tensor<8x8xi1>):
    %s = tensor.extract %x[%i, %j] : tensor<8x8xi1>
    flash.yield %s : i1
  } : !it, !it, !it -> !it
  return %o : !it
}
