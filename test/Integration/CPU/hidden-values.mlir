// RUN: flash-run %s --entry=at100 --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=at44 --target=cpu --check | FileCheck %s
// CHECK: check {{.*}} ok
// Gradients, too: those of a key and a value that no query sees are 0.
// RUN: flash-run %s --entry=at100 --differentiate --target=cpu --check | FileCheck %s --check-prefix=GRADIENTS
// GRADIENTS: check     o {{.*}} ok
// GRADIENTS: check     d_query {{.*}} ok
// GRADIENTS: check     d_key {{.*}} ok
// GRADIENTS: check     result3 {{.*}} ok
// Whatever else hides them (tools/flash-matrix/UnseenCases.cpp).
// RUN: flash-matrix --target=cpu --filter=unseen --stride=%if asan %{11%} %else %{5%} | FileCheck %s --check-prefix=KINDS
// KINDS: {{[1-9][0-9]*}} passed, 0 failed

// A cache with room for 300 keys, of which 104 are written; 4 queries at positions 100 to 103, causal. Values that are not written yet
// are NaN, and no query sees them. @at44 is the same with 48 written: there a block of keys ends where the written ones end.
#id = affine_map<(a, b, c, d) -> (a, b, c, d)>
!q = tensor<1x8x4x64xbf16>
!k = tensor<1x2x300x64xbf16>
func.func @at100(%q: !q, %k: !k, %v: !k) -> !q {
  %p = arith.constant 100 : index
  %e = tensor.empty() : !k
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%v : !k) outs(%e : !k) {
  ^bb0(%x: bf16, %y: bf16):
    %n = arith.constant 104 : index
    %bad = arith.constant 0x7FC0 : bf16
    %j = linalg.index 2 : index
    %s = arith.cmpi slt, %j, %n : index
    %z = arith.select %s, %x, %bad : bf16
    linalg.yield %z : bf16
  } -> !k
  %o = flash.attention %q, %k, %w q_offset(%p) {mask = #flash.causal} : !q, !k, !k -> !q
  return %o : !q
}
func.func @at44(%q: !q, %k: !k, %v: !k) -> !q {
  %p = arith.constant 44 : index
  %e = tensor.empty() : !k
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%v : !k) outs(%e : !k) {
  ^bb0(%x: bf16, %y: bf16):
    %n = arith.constant 48 : index
    %bad = arith.constant 0x7FC0 : bf16
    %j = linalg.index 2 : index
    %s = arith.cmpi slt, %j, %n : index
    %z = arith.select %s, %x, %bad : bf16
    linalg.yield %z : bf16
  } -> !k
  %o = flash.attention %q, %k, %w q_offset(%p) {mask = #flash.causal} : !q, !k, !k -> !q
  return %o : !q
}
