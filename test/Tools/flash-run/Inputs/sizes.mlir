// Sizes that a call alone knows, through what stands around attention: joined and padded keys, a loop over heads, arithmetic
// of i64.
!t = tensor<1x2x?x16xf32>
!h = tensor<1x1x?x16xf32>
func.func @main(%q: !t, %past: !t, %new: !t, %heads: index) -> (!t, !t) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %one = arith.constant 1 : i64
  %zero = arith.constant 0.0 : f32
  %both = tensor.concat dim(2) %past, %new : (!t, !t) -> !t
  %keys = tensor.pad %both low[0, 0, 1, 0] high[0, 0, 0, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : !t to !t
  %size = tensor.dim %both, %c2 : !t
  %size64 = arith.index_cast %size : index to i64
  %more64 = arith.addi %size64, %one : i64
  %more = arith.index_cast %more64 : i64 to index
  %empty = tensor.empty(%more) : !t
  %ones = linalg.fill ins(%zero : f32) outs(%empty : !t) -> !t
  %values = tensor.insert_slice %both into %ones[0, 0, 1, 0] [1, 2, %size, 16] [1, 1, 1, 1] : !t into !t
  %length = tensor.dim %q, %c2 : !t
  %start = tensor.empty(%length) : !t
  %o = scf.for %head = %c0 to %heads step %c1 iter_args(%all = %start) -> !t {
    %query = tensor.extract_slice %q[0, %head, 0, 0] [1, 1, %length, 16] [1, 1, 1, 1] : !t to !h
    %key = tensor.extract_slice %keys[0, %head, 0, 0] [1, 1, %more, 16] [1, 1, 1, 1] : !t to !h
    %value = tensor.extract_slice %values[0, %head, 0, 0] [1, 1, %more, 16] [1, 1, 1, 1] : !t to !h
    %one_head = flash.attention %query, %key, %value : !h, !h, !h -> !h
    %next = tensor.insert_slice %one_head into %all[0, %head, 0, 0] [1, 1, %length, 16] [1, 1, 1, 1] : !h into !t
    scf.yield %next : !t
  }
  return %o, %keys : !t, !t
}
