// A mask region has the producer, TMA and wgmma of the attribute on Hopper: plain causal is the attribute; of blocks, windows of a head's width and
// documents the range of keys bounds the loop, and no block is asked whether it is hidden.
// RUN: flash-run %s --entry=causal --target=sm_90a --emit=ptx | FileCheck %s
// RUN: flash-run %s --entry=blocks_of_96 --target=sm_90a --emit=ptx | FileCheck %s
// RUN: flash-run %s --entry=looked_up --target=sm_90a --emit=ptx | FileCheck %s
// RUN: flash-run %s --entry=windows --target=sm_90a --emit=ptx | FileCheck %s
// RUN: flash-run %s --entry=documents --target=sm_90a --emit=ptx | FileCheck %s
// RUN: flash-run %s --entry=causal --target=sm_90a --emit=ptx | sed s/causal/name/g > %t.region
// RUN: flash-run %s --entry=attribute --target=sm_90a --emit=ptx | sed s/attribute/name/g > %t.attribute
// RUN: diff %t.region %t.attribute
// CHECK-DAG: setmaxnreg.dec
// CHECK-DAG: cp.async.bulk.tensor
// CHECK-DAG: wgmma.mma_async
!t = tensor<1x2x?x128xf16>
func.func @causal(%q: !t, %k: !t, %v: !t) -> !t {
  %o = flash.attention %q, %k, %v mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %s = arith.cmpi sle, %j, %i : index
    flash.yield %s : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
func.func @blocks_of_96(%q: !t, %k: !t, %v: !t) -> !t {
  %o = flash.attention %q, %k, %v mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %n = arith.constant 96 : index
    %x = arith.floordivsi %i, %n : index
    %y = arith.floordivsi %j, %n : index
    %s = arith.cmpi sge, %x, %y : index
    flash.yield %s : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
func.func @looked_up(%q: !t, %k: !t, %v: !t, %m: tensor<?x?xi32>) -> !t {
  %o = flash.attention %q, %k, %v captures(%m : tensor<?x?xi32>) mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %x: tensor<?x?xi32>):
    %z = arith.constant 0 : i32
    %y = tensor.extract %x[%i, %j] : tensor<?x?xi32>
    %s = arith.cmpi ne, %y, %z : i32
    flash.yield %s : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
func.func @attribute(%q: !t, %k: !t, %v: !t) -> !t {
  %o = flash.attention %q, %k, %v {mask = #flash.causal} : !t, !t, !t -> !t
  return %o : !t
}
func.func @windows(%q: !t, %k: !t, %v: !t, %w: tensor<2xi32>) -> !t {
  %o = flash.attention %q, %k, %v captures(%w : tensor<2xi32>) mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %ws: tensor<2xi32>):
    %n0 = tensor.extract %ws[%h] : tensor<2xi32>
    %n = arith.index_cast %n0 : i32 to index
    %d = arith.subi %i, %j : index
    %s = arith.cmpi slt, %d, %n : index
    %c = arith.cmpi sge, %i, %j : index
    %r = arith.andi %s, %c : i1
    flash.yield %r : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
func.func @documents(%q: !t, %k: !t, %v: !t, %m: tensor<?xi32>) -> !t {
  %o = flash.attention %q, %k, %v captures(%m : tensor<?xi32>) mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %x: tensor<?xi32>):
    %a = tensor.extract %x[%i] : tensor<?xi32>
    %d = tensor.extract %x[%j] : tensor<?xi32>
    %s = arith.cmpi eq, %a, %d : i32
    %c = arith.cmpi sge, %i, %j : index
    %r = arith.andi %s, %c : i1
    flash.yield %r : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
