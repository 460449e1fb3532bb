// Joined and padded keys, numbers out of tensors, a loop of numbers, constants from a resource.
!q = tensor<1x2x8x16xf32>
!k = tensor<1x2x18x16xf32>
func.func @main(%q: !q, %k: !q, %v: !q) -> (!q, tensor<2xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2.0 : f32
  %n = arith.constant 3 : i32
  %x = tensor.extract %q[%c0, %c1, %c3, %c1] : !q
  %cube = math.fpowi %two, %n : f32, i32
  %sum = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %cube) -> f32 {
    %b = arith.addf %a, %two : f32
    scf.yield %b : f32
  }
  %big = arith.cmpf ogt, %x, %zero : f32
  %chosen = scf.if %big -> f32 {
    scf.yield %sum : f32
  } else {
    %h = math.sqrt %sum : f32
    scf.yield %h : f32
  }
  %one = arith.constant 1.0 : f32
  %less = arith.divf %one, %chosen : f32
  %slopes = tensor.from_elements %less, %x : tensor<2xf32>
  %both = tensor.concat dim(2) %k, %q : (!q, !q) -> tensor<1x2x16x16xf32>
  %keys = tensor.pad %both low[0, 0, 1, 0] high[0, 0, 1, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %one : f32
  } : tensor<1x2x16x16xf32> to !k
  %more = tensor.concat dim(2) %v, %k : (!q, !q) -> tensor<1x2x16x16xf32>
  %ends = arith.constant dense_resource<ends> : tensor<1x2x2x16xf32>
  %values = tensor.concat dim(2) %more, %ends : (tensor<1x2x16x16xf32>, tensor<1x2x2x16xf32>) -> !k
  %o = flash.attention %q, %keys, %values score_operands(%slopes : tensor<2xf32>) {mask = #flash.causal, scores = [#flash.alibi]} : !q, !k, !k -> !q
  return %o, %slopes : !q, tensor<2xf32>
}
{-#
  dialect_resources: {
    builtin: {
      ends: "0x04000000000040C0000000C0000080BF000000000000803F0000004000004040000040C0000000C0000080BF000000000000803F0000004000004040000040C0000000C0000080BF000000000000803F0000004000004040000040C0000000C0000080BF000000000000803F0000004000004040000040C0000000C0000080BF000000000000803F0000004000004040000040C0000000C0000080BF000000000000803F0000004000004040000040C0000000C0000080BF000000000000803F0000004000004040000040C0000000C0000080BF000000000000803F0000004000004040000040C0000000C0000080BF000000000000803F0000004000004040000040C0"
    }
  }
#-}
