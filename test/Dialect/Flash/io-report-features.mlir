// RUN: flash-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3 schedule="#flash.schedule<m = 16, n = 16>"}),flash-io-report)' | FileCheck %s

// A window of 17 keys over 4 blocks of queries: 1, 2, 2 and 2 blocks of keys.
// CHECK: mask       #flash.window<left = 16, right = 0>
// CHECK: blocks     7 of 16 loaded (density 0.4375); 0 full, 7 with a predicate
// A bias moves an element for each score that is computed: 7 blocks of 256; unfused, of all.
// CHECK: bias          read                     -              16,384               7,168              16,384               7,168
func.func @window(%q: tensor<1x1x64x16xf32>, %k: tensor<1x1x64x16xf32>, %bias: tensor<1x1x64x64xf32>) -> tensor<1x1x64x16xf32> {
  %o = flash.attention %q, %k, %k score_operands(%bias : tensor<1x1x64x64xf32>)
      {mask = #flash.window<left = 16, right = 0>, scores = [#flash.bias]}
      : tensor<1x1x64x16xf32>, tensor<1x1x64x16xf32>, tensor<1x1x64x16xf32> -> tensor<1x1x64x16xf32>
  return %o : tensor<1x1x64x16xf32>
}

// -----

// A region reads a capture at the place of each score, another one once a head: only the first moves with the scores.
// CHECK-LABEL: captured
// CHECK: captures      read                     -              16,384               7,168              16,384               7,168
// CHECK-NOT: captures      read
func.func @captured(%q: tensor<1x1x64x16xf32>, %k: tensor<1x1x64x16xf32>, %bias: tensor<64x64xf32>, %slopes: tensor<1xf32>) -> tensor<1x1x64x16xf32> {
  %o = flash.attention %q, %k, %k captures(%bias, %slopes : tensor<64x64xf32>, tensor<1xf32>)
      {mask = #flash.window<left = 16, right = 0>, scores = [#flash.region]} score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %table: tensor<64x64xf32>, %a: tensor<1xf32>):
    %slope = tensor.extract %a[%h] : tensor<1xf32>
    %more = tensor.extract %table[%i, %j] : tensor<64x64xf32>
    %t = arith.mulf %more, %slope : f32
    %r = arith.addf %s, %t : f32
    flash.yield %r : f32
  } : tensor<1x1x64x16xf32>, tensor<1x1x64x16xf32>, tensor<1x1x64x16xf32> -> tensor<1x1x64x16xf32>
  return %o : tensor<1x1x64x16xf32>
}

// -----

// A region that reckons with floats, by the head alone: distances less than 64 / 2^(h + 1), which is 32 and 16.
// CHECK-LABEL: decays
// CHECK: blocks     16 of 32 loaded (density 0.5000); 3 full, 13 with a predicate
func.func @decays(%q: tensor<1x2x64x16xf32>, %k: tensor<1x2x64x16xf32>) -> tensor<1x2x64x16xf32> {
  %o = flash.attention %q, %k, %k {mask = #flash.and<#flash.causal, #flash.region>} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %number = arith.index_cast %h : index to i32
    %head = arith.sitofp %number : i32 to f16
    %one = arith.constant 1.0 : f16
    %next = arith.addf %head, %one : f16
    %power = arith.negf %next : f16
    %decay = math.exp2 %power : f16
    %all = arith.constant 64.0 : f16
    %part = arith.mulf %all, %decay : f16
    %reach = arith.fptosi %part : f16 to i32
    %limit = arith.index_cast %reach : i32 to index
    %distance = arith.subi %i, %j : index
    %seen = arith.cmpi slt, %distance, %limit : index
    flash.yield %seen : i1
  } : tensor<1x2x64x16xf32>, tensor<1x2x64x16xf32>, tensor<1x2x64x16xf32> -> tensor<1x2x64x16xf32>
  return %o : tensor<1x2x64x16xf32>
}

// -----

// Keys of 8 bits and values of 16: 64 rows of 16 bytes, and of 2 * 24, of which 4 blocks of queries load all.
// CHECK-LABEL: narrow
// CHECK: 64 keys, head dims 16 and 24, bf16, keys i8, values bf16
// CHECK: key           read                 1,024               1,024               1,024               4,096               4,096
// CHECK: value         read                 3,072               3,072               3,072              12,288              12,288
// CHECK: probabilities read                     -               8,192                   -               8,192                   -
func.func @narrow(%q: tensor<1x1x64x16xbf16>, %k: tensor<1x1x64x16xi8>, %v: tensor<1x1x64x24xbf16>, %x: tensor<1xf32>) -> tensor<1x1x64x24xbf16> {
  %o = flash.attention %q, %k, %v key_scale(%x : tensor<1xf32>)
      : tensor<1x1x64x16xbf16>, tensor<1x1x64x16xi8>, tensor<1x1x64x24xbf16> -> tensor<1x1x64x24xbf16>
  return %o : tensor<1x1x64x24xbf16>
}

// -----

// What is data is known to flash-run alone.
func.func @data(%q: tensor<2x1x64x16xf32>, %k: tensor<2x1x64x16xf32>, %p: tensor<2xi32>) -> tensor<2x1x64x16xf32> {
  // expected-error @below {{reads an element that is not known here; flash-run --io-report knows a call's data}}
  %o = flash.attention %q, %k, %k mask_operands(%p : tensor<2xi32>) {mask = #flash.prefix}
      : tensor<2x1x64x16xf32>, tensor<2x1x64x16xf32>, tensor<2x1x64x16xf32> -> tensor<2x1x64x16xf32>
  return %o : tensor<2x1x64x16xf32>
}

// -----

func.func @floats(%q: tensor<1x1x64x16xf32>, %k: tensor<1x1x64x16xf32>, %t: tensor<1xf32>) -> tensor<1x1x64x16xf32> {
  %o = flash.attention %q, %k, %k captures(%t : tensor<1xf32>) {mask = #flash.region} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %floats: tensor<1xf32>):
    // expected-error @below {{reads an element that is not known here; flash-run --io-report knows a call's data}}
    %x = tensor.extract %floats[%h] : tensor<1xf32>
    %zero = arith.constant 0.0 : f32
    %seen = arith.cmpf olt, %x, %zero : f32
    flash.yield %seen : i1
  } : tensor<1x1x64x16xf32>, tensor<1x1x64x16xf32>, tensor<1x1x64x16xf32> -> tensor<1x1x64x16xf32>
  return %o : tensor<1x1x64x16xf32>
}

// -----

func.func @lengths(%q: tensor<2x1x64x16xf32>, %k: tensor<2x1x64x16xf32>, %n: tensor<2xi32>) -> tensor<2x1x64x16xf32> {
  // expected-error @below {{its lengths or pages are data that is not known here; flash-run --io-report knows a call's}}
  %o = flash.attention %q, %k, %k kv_lengths(%n : tensor<2xi32>)
      : tensor<2x1x64x16xf32>, tensor<2x1x64x16xf32>, tensor<2x1x64x16xf32> -> tensor<2x1x64x16xf32>
  return %o : tensor<2x1x64x16xf32>
}

// -----

// Of segments, a step that one thread works on asks the ids. The error is at what reads them, once.
func.func @segments(%q: tensor<2x1x64x16xf32>, %k: tensor<2x1x64x16xf32>, %s: tensor<2x64xi32>) -> tensor<2x1x64x16xf32> {
  // expected-error @below {{reads an element that is not known here; flash-run --io-report knows a call's data}}
  %o = flash.attention %q, %k, %k mask_operands(%s, %s : tensor<2x64xi32>, tensor<2x64xi32>) {mask = #flash.segments}
      : tensor<2x1x64x16xf32>, tensor<2x1x64x16xf32>, tensor<2x1x64x16xf32> -> tensor<2x1x64x16xf32>
  return %o : tensor<2x1x64x16xf32>
}

// -----

// Where warps share a step nobody does: every block is loaded, whatever the ids.
// CHECK: mask       #flash.segments
// CHECK: blocks     32 of 32 loaded (density 1.0000); 0 full, 32 with a predicate
func.func @segments_of_warps(%q: tensor<2x1x64x16xf32>, %k: tensor<2x1x64x16xf32>, %s: tensor<2x64xi32>) -> tensor<2x1x64x16xf32> {
  %o = flash.attention %q, %k, %k mask_operands(%s, %s : tensor<2x64xi32>, tensor<2x64xi32>)
      {mask = #flash.segments, schedule = #flash.schedule<warps = 4>}
      : tensor<2x1x64x16xf32>, tensor<2x1x64x16xf32>, tensor<2x1x64x16xf32> -> tensor<2x1x64x16xf32>
  return %o : tensor<2x1x64x16xf32>
}
