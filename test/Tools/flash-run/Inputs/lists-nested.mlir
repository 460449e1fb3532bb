// Lists inside of other masks: @or, as the second of an and, as what decides inside of partial blocks; a block in both lists.
!t = tensor<1x2x384x64xf32>
!c = tensor<1x1x3xi32>
!l = tensor<1x1x3x3xi32>
func.func @or(%q: !t, %k: !t, %v: !t) -> !t {
  %pc = arith.constant dense<0> : !c
  %p = arith.constant dense<0> : !l
  %fc = arith.constant dense<[[[1, 1, 2]]]> : !c
  %f = arith.constant dense<[[[[0, 0, 0], [1, 0, 0], [2, 77, 0]]]]> : !l
  %o = flash.attention %q, %k, %v mask_operands(%pc, %p, %fc, %f : !c, !l, !c, !l) {mask = #flash.or<#flash.causal, #flash.block_sparse<bq = 128, bk = 128>>} : !t, !t, !t -> !t
  return %o : !t
}
func.func @second(%q: !t, %k: !t, %v: !t) -> !t {
  %pc = arith.constant dense<0> : !c
  %p = arith.constant dense<0> : !l
  %fc = arith.constant dense<[[[1, 1, 2]]]> : !c
  %g = arith.constant dense<[[[[0, 0, 0], [1, 0, 0], [2, 0, 0]]]]> : !l
  %f = arith.constant dense<[[[[0, 0, 0], [1, 0, 0], [2, -7, 0]]]]> : !l
  %o = flash.attention %q, %k, %v mask_operands(%pc, %p, %fc, %g, %pc, %p, %fc, %f : !c, !l, !c, !l, !c, !l, !c, !l) {mask = #flash.and<#flash.block_sparse<bq = 128, bk = 128>, #flash.block_sparse<bq = 128, bk = 128>>} : !t, !t, !t -> !t
  return %o : !t
}
func.func @partial(%q: !t, %k: !t, %v: !t) -> !t {
  %pc = arith.constant dense<1> : !c
  %p = arith.constant dense<0> : !l
  %fc = arith.constant dense<0> : !c
  %fd = arith.constant dense<[[[1, 1, 9]]]> : !c
  %f = arith.constant dense<[[[[0, 0, 0], [1, 0, 0], [2, 2, 0]]]]> : !l
  %o = flash.attention %q, %k, %v mask_operands(%pc, %p, %fc, %p, %fc, %p, %fd, %f : !c, !l, !c, !l, !c, !l, !c, !l) {mask = #flash.block_sparse<bq = 128, bk = 128, partial = #flash.block_sparse<bq = 128, bk = 128>>} : !t, !t, !t -> !t
  return %o : !t
}
func.func @both(%q: !t, %k: !t, %v: !t) -> !t {
  %pc = arith.constant dense<1> : !c
  %p = arith.constant dense<1> : !l
  %fc = arith.constant dense<[[[1, 1, 2]]]> : !c
  %f = arith.constant dense<[[[[0, 0, 0], [1, 0, 0], [2, 1, 0]]]]> : !l
  %o = flash.attention %q, %k, %v mask_operands(%pc, %p, %fc, %f : !c, !l, !c, !l) {mask = #flash.block_sparse<bq = 128, bk = 128>} : !t, !t, !t -> !t
  return %o : !t
}
