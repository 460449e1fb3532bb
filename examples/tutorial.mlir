// A score function and a mask of one's own, as docs/Tutorial.md writes them.
//
//   flash-run examples/tutorial.mlir --entry=fading --check
//   flash-run examples/tutorial.mlir --entry=streaming --check --dim=sq=1000 --dim=sk=1000

!q = tensor<?x8x?x64xf32>
!k = tensor<?x2x?x64xf32>

// docs: begin fading
func.func @fading(%q: !q, %k: !k, %v: !k, %rates: tensor<8xf32>) -> !q {
  %o = flash.attention %q, %k, %v captures(%rates : tensor<8xf32>) {mask = #flash.causal} score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %r: tensor<8xf32>):
    %c64 = arith.constant 64 : index
    %c0 = arith.constant 0 : index
    %distance = arith.subi %i, %j : index
    %over = arith.subi %distance, %c64 : index
    %beyond = arith.maxsi %over, %c0 : index
    %int = arith.index_cast %beyond : index to i32
    %far = arith.sitofp %int : i32 to f32
    %rate = tensor.extract %r[%h] : tensor<8xf32>
    %slope = math.absf %rate : f32
    %penalty = arith.mulf %slope, %far : f32
    %new = arith.subf %s, %penalty : f32
    flash.yield %new : f32
  } : !q, !k, !k -> !q
  return %o : !q
}
// docs: end fading

// docs: begin streaming
func.func @streaming(%q: !q, %k: !k, %v: !k) -> !q {
  %o = flash.attention %q, %k, %v {mask = #flash.and<#flash.causal, #flash.region>} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c4 = arith.constant 4 : index
    %c256 = arith.constant 256 : index
    %first = arith.cmpi slt, %j, %c4 : index
    %distance = arith.subi %i, %j : index
    %near = arith.cmpi slt, %distance, %c256 : index
    %seen = arith.ori %first, %near : i1
    flash.yield %seen : i1
  } : !q, !k, !k -> !q
  return %o : !q
}
// docs: end streaming
