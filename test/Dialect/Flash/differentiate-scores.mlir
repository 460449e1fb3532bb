// RUN: flash-opt %s --flash-test-differentiate --canonicalize --cse | FileCheck %s

!q = tensor<2x8x?x64xf16>

// The derivative of 30 tanh(s / 30) is 1 - tanh^2: two operations, and a number for any score.
// CHECK-LABEL: @softcap_score(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-NOT: unbounded
// CHECK-DAG: %[[CAP:.*]] = arith.constant 3.000000e+01
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1.000000e+00
// CHECK: %[[X:.*]] = arith.mulf %[[S]]
// CHECK-NEXT: %[[T:.*]] = math.tanh %[[X]]
// CHECK-NEXT: %[[SQUARE:.*]] = arith.mulf %[[T]], %[[T]]
// CHECK-NEXT: %[[D:.*]] = arith.subf %[[ONE]], %[[SQUARE]]
// CHECK-NEXT: %[[R:.*]] = arith.mulf %[[T]], %[[CAP]]
// CHECK-NEXT: return %[[R]], %[[D]] : f32, f32
func.func @softcap(%q: !q) -> !q {
  %o = flash.attention %q, %q, %q {scores = [#flash.softcap<30.0>]} : !q, !q, !q -> !q
  return %o : !q
}

// Of what is added to a score the derivative is 1, and there is no operation.
// CHECK-LABEL: @alibi_score(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK: %[[ONE:.*]] = arith.constant 1.000000e+00
// CHECK: arith.maxsi
// CHECK: %[[PENALTY:.*]] = arith.mulf
// CHECK-NEXT: %[[R:.*]] = arith.subf %[[S]], %[[PENALTY]]
// CHECK-NEXT: return %[[R]], %[[ONE]] : f32, f32
func.func @alibi(%q: !q, %slopes: tensor<8xf32>) -> !q {
  %o = flash.attention %q, %q, %q score_operands(%slopes : tensor<8xf32>) {scores = [#flash.alibi]} : !q, !q, !q -> !q
  return %o : !q
}

// CHECK-LABEL: @bias_score(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK: %[[ONE:.*]] = arith.constant 1.000000e+00
// CHECK: %[[READ:.*]] = tensor.extract
// CHECK-NEXT: %[[BIAS:.*]] = arith.extf %[[READ]]
// CHECK-NEXT: %[[R:.*]] = arith.addf %[[S]], %[[BIAS]]
// CHECK-NEXT: return %[[R]], %[[ONE]] : f32, f32
func.func @bias(%q: !q, %bias: tensor<1x8x?x?xf16>) -> !q {
  %o = flash.attention %q, %q, %q score_operands(%bias : tensor<1x8x?x?xf16>) {scores = [#flash.bias]} : !q, !q, !q -> !q
  return %o : !q
}

// Each of what the one before made: ALiBi has no part in the product of the softcap's and the region's.
// CHECK-LABEL: @several_score(
// CHECK: %[[T:.*]] = math.tanh
// CHECK-NEXT: %[[SQUARE:.*]] = arith.mulf %[[T]], %[[T]]
// CHECK-NEXT: %[[D:.*]] = arith.subf %{{.*}}, %[[SQUARE]]
// CHECK-NEXT: %[[CAPPED:.*]] = arith.mulf %[[T]]
// CHECK-NEXT: %[[X:.*]] = tensor.extract
// CHECK-NEXT: %[[R:.*]] = arith.mulf %[[CAPPED]], %[[X]]
// CHECK-NEXT: %[[ALL:.*]] = arith.mulf %[[X]], %[[D]]
// CHECK-NEXT: return %[[R]], %[[ALL]] : f32, f32
func.func @several(%q: !q, %slopes: tensor<8xf32>, %c: tensor<8xf32>) -> !q {
  %o = flash.attention %q, %q, %q score_operands(%slopes : tensor<8xf32>) captures(%c : tensor<8xf32>)
      {scores = [#flash.alibi, #flash.softcap<30.0>, #flash.region]} score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %t: tensor<8xf32>):
    %x = tensor.extract %t[%h] : tensor<8xf32>
    %r = arith.mulf %s, %x : f32
    flash.yield %r : f32
  } : !q, !q, !q -> !q
  return %o : !q
}

// A region that hides keys as a mask would: what it hides has derivative 0.
// CHECK-LABEL: @where_score(
// CHECK-SAME: %[[S:[^:]*]]: f32
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1.000000e+00
// CHECK-DAG: %[[HIDDEN:.*]] = arith.constant 0xFF800000
// CHECK: %[[C:.*]] = arith.cmpi sle
// CHECK-NEXT: %[[R:.*]] = arith.select %[[C]], %[[S]], %[[HIDDEN]]
// CHECK-NEXT: %[[D:.*]] = arith.select %[[C]], %[[ONE]], %[[ZERO]]
// CHECK-NEXT: return %[[R]], %[[D]] : f32, f32
func.func @where(%q: !q) -> !q {
  %o = flash.attention %q, %q, %q score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %hidden = arith.constant 0xFF800000 : f32
    %c = arith.cmpi sle, %j, %i : index
    %r = arith.select %c, %s, %hidden : f32
    flash.yield %r : f32
  } : !q, !q, !q -> !q
  return %o : !q
}

// CHECK-LABEL: @double_score(
// CHECK: %[[T:.*]] = math.tanh %{{.*}} : f64
// CHECK-NEXT: %[[SQUARE:.*]] = arith.mulf %[[T]], %[[T]] : f64
// CHECK-NEXT: %[[D:.*]] = arith.subf %{{.*}}, %[[SQUARE]] : f64
// CHECK-NEXT: %[[R:.*]] = arith.mulf %[[T]]
// CHECK-NEXT: return %[[R]], %[[D]] : f64, f64
func.func @double(%q: tensor<1x2x8x16xf64>) -> tensor<1x2x8x16xf64> {
  %o = flash.attention %q, %q, %q {scores = [#flash.softcap<30.0>]}
      : tensor<1x2x8x16xf64>, tensor<1x2x8x16xf64>, tensor<1x2x8x16xf64> -> tensor<1x2x8x16xf64>
  return %o : tensor<1x2x8x16xf64>
}

// What is multiplied by is a number only where the key is not behind the query: of others the derivative is not to be used.
// CHECK-LABEL: @distance_score(
// CHECK-SAME: attributes {unbounded}
func.func @distance(%q: !q) -> !q {
  %o = flash.attention %q, %q, %q {mask = #flash.causal} score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %d = arith.subi %i, %j : index
    %n = arith.index_cast %d : index to i32
    %x = arith.sitofp %n : i32 to f32
    %root = math.sqrt %x : f32
    %r = arith.mulf %s, %root : f32
    flash.yield %r : f32
  } : !q, !q, !q -> !q
  return %o : !q
}

// Captures are numbers, and so is what is chosen among them.
// CHECK-LABEL: @captured_score(
// CHECK-NOT: unbounded
// CHECK: return
func.func @captured(%q: !q, %c: tensor<8xf32>) -> !q {
  %o = flash.attention %q, %q, %q captures(%c : tensor<8xf32>) score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %t: tensor<8xf32>):
    %x = tensor.extract %t[%h] : tensor<8xf32>
    %m = arith.mulf %s, %x : f32
    %r = arith.maximumf %m, %s : f32
    flash.yield %r : f32
  } : !q, !q, !q -> !q
  return %o : !q
}
