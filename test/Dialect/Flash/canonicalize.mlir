// RUN: flash-opt %s --resolve-ranked-shaped-type-result-dims -canonicalize | FileCheck %s

// CHECK-LABEL: @unused_lse
// CHECK: flash.attention {{.*}} -> tensor<1x2x5x16xf32>{{$}}
func.func @unused_lse(%q: tensor<1x2x5x16xf32>) -> tensor<1x2x5x16xf32> {
  %o, %l = flash.attention %q, %q, %q : tensor<1x2x5x16xf32>, tensor<1x2x5x16xf32>, tensor<1x2x5x16xf32> -> tensor<1x2x5x16xf32>, tensor<1x2x5xf32>
  return %o : tensor<1x2x5x16xf32>
}

// Casts that forget sizes are read through, and the result's shape becomes known.
// CHECK-LABEL: @casts
// CHECK: %[[O:.*]] = flash.attention %arg0, %arg0, %arg0 {{.*}} -> tensor<1x2x5x16xf32>
// CHECK: tensor.cast %[[O]] : tensor<1x2x5x16xf32> to tensor<?x2x?x16xf32>
func.func @casts(%q: tensor<1x2x5x16xf32>) -> tensor<?x2x?x16xf32> {
  %c = tensor.cast %q : tensor<1x2x5x16xf32> to tensor<?x2x?x16xf32>
  %o = flash.attention %c, %c, %c : tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32> -> tensor<?x2x?x16xf32>
  return %o : tensor<?x2x?x16xf32>
}

// CHECK-LABEL: @dims
// CHECK-NOT: flash.attention
// CHECK: tensor.dim %arg0
func.func @dims(%q: tensor<1x2x?x16xf32>) -> index {
  %c2 = arith.constant 2 : index
  %o = flash.attention %q, %q, %q : tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32> -> tensor<1x2x?x16xf32>
  %d = tensor.dim %o, %c2 : tensor<1x2x?x16xf32>
  return %d : index
}

// CHECK-LABEL: @single_merge
// CHECK-NEXT: return %arg0, %arg1
func.func @single_merge(%o: tensor<1x2x5x16xf32>, %l: tensor<1x2x5xf32>) -> (tensor<1x2x5x16xf32>, tensor<1x2x5xf32>) {
  %a, %b = flash.merge outputs(%o : tensor<1x2x5x16xf32>) lses(%l : tensor<1x2x5xf32>) -> tensor<1x2x5x16xf32>, tensor<1x2x5xf32>
  return %a, %b : tensor<1x2x5x16xf32>, tensor<1x2x5xf32>
}

// What a mask region says of distances alone is an attribute; what is left stays beside it.
// CHECK-LABEL: @region_causal
// CHECK: flash.attention {{.*}} {mask = #flash.causal} : tensor
func.func @region_causal(%q: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32> {
  %o = flash.attention %q, %q, %q mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %s = arith.cmpi sle, %j, %i : index
    flash.yield %s : i1
  } : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32> -> tensor<1x2x8x4xf32>
  return %o : tensor<1x2x8x4xf32>
}

// CHECK-LABEL: @region_window
// CHECK: flash.attention {{.*}} {mask = #flash.window<left = 6, right = 2>} : tensor
func.func @region_window(%q: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32> {
  %o = flash.attention %q, %q, %q mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c7 = arith.constant 7 : index
    %c2 = arith.constant 2 : index
    %d = arith.subi %i, %j : index
    %x = arith.cmpi slt, %d, %c7 : index
    %e = arith.addi %i, %c2 : index
    %y = arith.cmpi sge, %e, %j : index
    %s = arith.andi %x, %y : i1
    flash.yield %s : i1
  } : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32> -> tensor<1x2x8x4xf32>
  return %o : tensor<1x2x8x4xf32>
}

// CHECK-LABEL: @region_both_sides
// CHECK: flash.attention {{.*}} {mask = #flash.window<left = 3, right = 3>} : tensor
func.func @region_both_sides(%q: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32> {
  %o = flash.attention %q, %q, %q mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c3 = arith.constant 3 : index
    %d = arith.subi %i, %j : index
    %a = math.absi %d : index
    %s = arith.cmpi sle, %a, %c3 : index
    flash.yield %s : i1
  } : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32> -> tensor<1x2x8x4xf32>
  return %o : tensor<1x2x8x4xf32>
}

// CHECK-LABEL: @region_and_documents
// CHECK: flash.attention {{.*}} captures({{.*}}) {mask = #flash.and<#flash.causal, #flash.region>} mask {
// CHECK-NEXT: ^bb0
// CHECK-NEXT: tensor.extract
// CHECK-NEXT: tensor.extract
// CHECK-NEXT: %[[SAME:.*]] = arith.cmpi eq
// CHECK-NEXT: flash.yield %[[SAME]]
func.func @region_and_documents(%q: tensor<1x2x8x4xf32>, %ids: tensor<8xi32>) -> tensor<1x2x8x4xf32> {
  %o = flash.attention %q, %q, %q captures(%ids : tensor<8xi32>) mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %x: tensor<8xi32>):
    %c = arith.cmpi sge, %i, %j : index
    %m = tensor.extract %x[%i] : tensor<8xi32>
    %n = tensor.extract %x[%j] : tensor<8xi32>
    %d = arith.cmpi eq, %m, %n : i32
    %s = arith.andi %c, %d : i1
    flash.yield %s : i1
  } : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32> -> tensor<1x2x8x4xf32>
  return %o : tensor<1x2x8x4xf32>
}

// Strictly before: no attribute says that of the query's own position, and a region stays one.
// CHECK-LABEL: @region_strict
// CHECK: flash.attention %{{.*}}, %{{.*}}, %{{.*}} mask {
func.func @region_strict(%q: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32> {
  %o = flash.attention %q, %q, %q mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %s = arith.cmpi slt, %j, %i : index
    flash.yield %s : i1
  } : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32> -> tensor<1x2x8x4xf32>
  return %o : tensor<1x2x8x4xf32>
}

// The same of a backward; captures that nobody reads any more go with the region.
// CHECK-LABEL: @region_backward
// CHECK: flash.attention_backward %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {mask = #flash.window<left = 6, right = 0>} : tensor
func.func @region_backward(%q: tensor<1x2x8x4xf32>, %l: tensor<1x2x8xf32>, %ids: tensor<8xi32>) -> tensor<1x2x8x4xf32> {
  %dq = flash.attention_backward %q, %q, %q, %q, %l, %q captures(%ids : tensor<8xi32>) mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %x: tensor<8xi32>):
    %c7 = arith.constant 7 : index
    %d = arith.subi %i, %j : index
    %m = arith.cmpi slt, %d, %c7 : index
    %n = arith.cmpi sle, %j, %i : index
    %s = arith.andi %m, %n : i1
    flash.yield %s : i1
  } : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8xf32>, tensor<1x2x8x4xf32> -> query tensor<1x2x8x4xf32>
  return %dq : tensor<1x2x8x4xf32>
}
