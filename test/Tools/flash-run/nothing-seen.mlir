// Captures of integers have numbers by default with which a mask hides not all; where it does, a check says that it compared nothing.
// RUN: flash-run %s --entry=widths --target=cpu --check | FileCheck %s
// RUN: flash-run %s --entry=none --target=cpu --check | FileCheck %s --check-prefix=NONE
// RUN: not flash-run %s --entry=widths --emit=ptx 2>&1 | FileCheck %s --check-prefix=EMIT
// CHECK: check {{.*}} ok{{$}}
// NONE: check {{.*}} ok, but all of it is 0: if no query sees a key, --input and --scalar give the mask other data
// EMIT: the target cpu has no ptx (--target=sm_90a has)
!t = tensor<1x2x16x16xf32>
func.func @widths(%q: !t, %k: !t, %v: !t, %w: tensor<2xi32>) -> !t {
  %o = flash.attention %q, %k, %v captures(%w : tensor<2xi32>) mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %ws: tensor<2xi32>):
    %n = tensor.extract %ws[%h] : tensor<2xi32>
    %m = arith.index_cast %n : i32 to index
    %s = arith.cmpi slt, %j, %m : index
    flash.yield %s : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
func.func @none(%q: !t, %k: !t, %v: !t) -> !t {
  %o = flash.attention %q, %k, %v mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %s = arith.constant false
    flash.yield %s : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
