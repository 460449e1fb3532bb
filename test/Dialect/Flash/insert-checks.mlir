// RUN: flash-opt %s -split-input-file --pass-pipeline='builtin.module(func.func(flash-insert-checks))' | FileCheck %s

// What the types leave open is asserted, with messages that name the dimension.
// CHECK-LABEL: @dynamic
// CHECK: cf.assert %{{.*}}, "batch of the query
// CHECK: cf.assert %{{.*}}, "length of the key
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
// CHECK-DAG: cf.assert %{{.*}}, "number of heads of the query ({lhs}) and of the sinks ({rhs}) differ"
// CHECK-DAG: cf.assert %{{.*}}, "number of heads of the key ({lhs}) and of the key_scale ({rhs}) differ"
// CHECK-DAG: cf.assert %{{.*}}, "number of heads of the key ({lhs}) and of the value_scale ({rhs}) differ"
// CHECK-DAG: cf.assert %{{.*}}, "batch of the query ({lhs}) and of the kv_lengths ({rhs}) differ"
// CHECK-DAG: cf.assert %{{.*}}, "length of the query ({lhs}) and of the segments ({rhs}) differ"
// CHECK-DAG: cf.assert %{{.*}}, "length of the key ({lhs}) and of the segments ({rhs}) differ"
// CHECK-DAG: cf.assert %{{.*}}, "batch of the query ({lhs}) and of the prefixes ({rhs}) differ"
// CHECK-DAG: cf.assert %{{.*}}, "number of heads of the query ({lhs}) and of the slopes ({rhs}) differ"
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
// CHECK: cf.assert %{{.*}}, "number of sequences of the cu_seqlens_q ({lhs}) and of the cu_seqlens_k ({rhs}) differ"
func.func @ragged(%q: tensor<1x4x?x64xf16>, %k: tensor<1x4x?x64xf16>, %cq: tensor<?xi32>, %ck: tensor<?xi32>) -> tensor<1x4x?x64xf16> {
  %o = flash.attention %q, %k, %k cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : tensor<?xi32>)
      : tensor<1x4x?x64xf16>, tensor<1x4x?x64xf16>, tensor<1x4x?x64xf16> -> tensor<1x4x?x64xf16>
  return %o : tensor<1x4x?x64xf16>
}
