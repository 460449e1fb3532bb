// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-insert-checks))' | FileCheck %s

// What the types leave open is asserted, with messages that name the dimension.
// CHECK-LABEL: @dynamic
// CHECK: cf.assert %{{.*}}, "batch differs: query
// CHECK: cf.assert %{{.*}}, "length differs: key
// CHECK: flash.attention
func.func @dynamic(%q: tensor<?x4x?x64xf16>, %k: tensor<?x2x?x64xf16>, %v: tensor<?x2x?x64xf16>) -> tensor<?x4x?x64xf16> {
  %o = flash.attention %q, %k, %v : tensor<?x4x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xf16> -> tensor<?x4x?x64xf16>
  return %o : tensor<?x4x?x64xf16>
}

// -----

// CHECK-LABEL: @static
// CHECK-NOT: cf.assert
func.func @static(%q: tensor<1x4x9x64xf16>) -> tensor<1x4x9x64xf16> {
  %o = flash.attention %q, %q, %q : tensor<1x4x9x64xf16>, tensor<1x4x9x64xf16>, tensor<1x4x9x64xf16> -> tensor<1x4x9x64xf16>
  return %o : tensor<1x4x9x64xf16>
}

// -----

// What belongs to heads, batches, queries and keys.
// CHECK-LABEL: @operands
// CHECK-DAG: cf.assert %{{.*}}, "number of heads differs: query has {lhs}, sinks has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "number of heads differs: key has {lhs}, key_scale has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "number of heads differs: key has {lhs}, value_scale has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "batch differs: operand 'kv_lengths' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "batch differs: operand 'segments of queries' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "number of queries differs: operand 'segments of queries' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "number of keys differs: operand 'segments of keys' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "batch differs: operand 'prefix lengths' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "number of heads differs: operand 'slopes' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}"
func.func @operands(%q: tensor<?x?x?x64xf16>, %k: tensor<?x?x?x64xi8>, %n: tensor<?xi32>, %f: tensor<?xf32>,
                    %s: tensor<?x?xi32>, %z: tensor<?xf32>) -> tensor<?x?x?x64xf16> {
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<?xi32>) key_scale(%f : tensor<?xf32>) value_scale(%f : tensor<?xf32>)
      mask_operands(%s, %s, %n : tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>) score_operands(%z : tensor<?xf32>) sinks(%z : tensor<?xf32>)
      {mask = #flash.and<#flash.segments, #flash.prefix>, scores = [#flash.alibi]}
      : tensor<?x?x?x64xf16>, tensor<?x?x?x64xi8>, tensor<?x?x?x64xi8> -> tensor<?x?x?x64xf16>
  return %o : tensor<?x?x?x64xf16>
}

// -----

// CHECK-LABEL: @ragged
// CHECK: cf.assert %{{.*}}, "number of sequences differs: cu_seqlens_q has {lhs}, cu_seqlens_k has {rhs}"
func.func @ragged(%q: tensor<1x4x?x64xf16>, %k: tensor<1x4x?x64xf16>, %cq: tensor<?xi32>, %ck: tensor<?xi32>) -> tensor<1x4x?x64xf16> {
  %o = flash.attention %q, %k, %k cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : tensor<?xi32>)
      : tensor<1x4x?x64xf16>, tensor<1x4x?x64xf16>, tensor<1x4x?x64xf16> -> tensor<1x4x?x64xf16>
  return %o : tensor<1x4x?x64xf16>
}

// -----

// Sequences, not the batch of 1, are what lengths and pages are of.
// CHECK-LABEL: @ragged_pages
// CHECK: cf.assert %{{.*}}, "cu_seqlens_q has {rhs} entries, but needs at least 2"
// CHECK: %[[BOUNDS:.*]] = tensor.dim %arg2, %{{.*}}
// CHECK: %[[SEQUENCES:.*]] = arith.subi %[[BOUNDS]], %{{.*}}
// CHECK: %[[LENGTHS:.*]] = tensor.dim %arg3, %{{.*}}
// CHECK: %[[FIT:.*]] = arith.cmpi eq, %[[LENGTHS]], %[[SEQUENCES]]
// CHECK: cf.assert %[[FIT]], "batch differs: operand 'kv_lengths' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}"
// CHECK: cf.assert %{{.*}}, "batch differs: operand 'page_table' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}"
func.func @ragged_pages(%q: tensor<1x4x?x64xf16>, %k: tensor<?x4x16x64xf16>, %cq: tensor<?xi32>, %n: tensor<?xi32>, %t: tensor<?x?xi32>) -> tensor<1x4x?x64xf16> {
  %o = flash.attention %q, %k, %k cu_seqlens_q(%cq : tensor<?xi32>) kv_lengths(%n : tensor<?xi32>) page_table(%t : tensor<?x?xi32>)
      : tensor<1x4x?x64xf16>, tensor<?x4x16x64xf16>, tensor<?x4x16x64xf16> -> tensor<1x4x?x64xf16>
  return %o : tensor<1x4x?x64xf16>
}

// -----

// A bias may be 1 for all where only a call knows; what types say is not asked.
// CHECK-LABEL: @bias
// CHECK: cf.assert %{{.*}}, "length differs: key
// CHECK: %[[QUERIES:.*]] = tensor.dim %arg0, %{{.*}}
// CHECK: %[[ROWS:.*]] = tensor.dim %arg1, %{{.*}}
// CHECK-DAG: %[[SAME:.*]] = arith.cmpi eq, %[[ROWS]], %[[QUERIES]]
// CHECK-DAG: %[[ONE:.*]] = arith.cmpi eq, %[[ROWS]], %{{.*}}
// CHECK: %[[FIT:.*]] = arith.ori %[[SAME]], %[[ONE]]
// CHECK: cf.assert %[[FIT]], "number of queries differs: operand 'bias' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}; 1 serves all"
// CHECK: cf.assert %{{.*}}, "number of keys differs: operand 'bias' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}; 1 serves all"
// CHECK-NOT: cf.assert
func.func @bias(%q: tensor<2x4x?x64xf16>, %b: tensor<1x4x?x?xf32>) -> tensor<2x4x?x64xf16> {
  %o = flash.attention %q, %q, %q score_operands(%b : tensor<1x4x?x?xf32>) {scores = [#flash.bias]}
      : tensor<2x4x?x64xf16>, tensor<2x4x?x64xf16>, tensor<2x4x?x64xf16> -> tensor<2x4x?x64xf16>
  return %o : tensor<2x4x?x64xf16>
}

// -----

// Lists have a row for each block of queries; keys in pages are as many as the table has room for.
// CHECK-LABEL: @lists
// CHECK: %[[QUERIES:.*]] = tensor.dim %arg0, %{{.*}}
// CHECK: arith.ceildivsi %[[QUERIES]], %c64{{.*}}
// CHECK: cf.assert %{{.*}}, "number of blocks of queries differs: operand 'number of partial blocks' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}"
// CHECK: cf.assert %{{.*}}, "number of blocks of queries differs: operand 'full blocks' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}"
// CHECK: arith.muli
// CHECK: cf.assert %{{.*}}, "number of keys differs: operand 'bias' has {lhs} (dimension {{[0-9]}}), the attention has {rhs}; 1 serves all"
func.func @lists(%q: tensor<2x4x?x64xf16>, %k: tensor<?x4x16x64xf16>, %n: tensor<2xi32>, %t: tensor<2x?xi32>, %c: tensor<1x1x?xi32>,
                 %l: tensor<1x1x?x?xi32>, %b: tensor<1x1x1x?xf32>) -> tensor<2x4x?x64xf16> {
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<2xi32>) page_table(%t : tensor<2x?xi32>)
      mask_operands(%c, %l, %c, %l : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>)
      score_operands(%b : tensor<1x1x1x?xf32>) {mask = #flash.block_sparse<bq = 64, bk = 32>, scores = [#flash.bias]}
      : tensor<2x4x?x64xf16>, tensor<?x4x16x64xf16>, tensor<?x4x16x64xf16> -> tensor<2x4x?x64xf16>
  return %o : tensor<2x4x?x64xf16>
}

// -----

// A backward: what the forward's results and the gradients for them have to agree with.
// CHECK-LABEL: @backward
// CHECK-DAG: cf.assert %{{.*}}, "batch differs: query
// CHECK-DAG: cf.assert %{{.*}}, "length differs: key
// CHECK-DAG: cf.assert %{{.*}}, "length differs: query has {lhs}, output has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "length differs: query has {lhs}, d_output has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "length differs: query has {lhs}, lse has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "length differs: query has {lhs}, d_lse has {rhs}"
// CHECK-DAG: cf.assert %{{.*}}, "number of heads differs: operand 'slopes' has {lhs} (dimension 0), the attention has {rhs}"
// CHECK: flash.attention_backward
func.func @backward(%q: tensor<?x4x?x64xf16>, %k: tensor<?x2x?x64xf16>, %v: tensor<?x2x?x64xf16>, %o: tensor<?x4x?x64xf16>,
                    %l: tensor<?x4x?xf32>, %do: tensor<?x4x?x64xf16>, %dl: tensor<?x4x?xf32>, %a: tensor<?xf32>) -> tensor<?x4x?x64xf16> {
  %dq = flash.attention_backward %q, %k, %v, %o, %l, %do d_lse(%dl : tensor<?x4x?xf32>) score_operands(%a : tensor<?xf32>) {scores = [#flash.alibi]}
      : tensor<?x4x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?xf32>, tensor<?x4x?x64xf16> -> query tensor<?x4x?x64xf16>
  return %dq : tensor<?x4x?x64xf16>
}
