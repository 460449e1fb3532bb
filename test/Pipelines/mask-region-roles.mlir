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
// However it is written.
// RUN: flash-run %s --entry=not_behind --target=sm_90a --emit=ptx | sed s/not_behind/name/g > %t.not
// RUN: diff %t.not %t.attribute
// RUN: flash-run %s --entry=in_64_bits --target=sm_90a --emit=ptx | sed s/in_64_bits/name/g > %t.bits
// RUN: diff %t.bits %t.attribute
// Ranges of keys without a gap: a prefix beside causal, as a region and as attributes; documents of equal lengths; positions in 32 bits.
// RUN: flash-run %s --entry=prefix --target=sm_90a --emit=ptx | FileCheck %s
// RUN: flash-run %s --entry=prefix_attribute --target=sm_90a --emit=ptx | FileCheck %s
// RUN: flash-run %s --entry=chunks --target=sm_90a --emit=ptx | FileCheck %s
// RUN: flash-run %s --entry=in_32_bits --target=sm_90a --emit=ptx | FileCheck %s
// Right they are, too, and no block of keys is read that nobody sees.
// RUN: flash-run %s --entry=not_behind --target=cpu --check --dim=sq=301 --dim=sk=700 | FileCheck %s --check-prefix=OK
// RUN: flash-run %s --entry=in_64_bits --target=cpu --check --dim=sq=301 --dim=sk=700 | FileCheck %s --check-prefix=OK
// RUN: flash-run %s --entry=in_32_bits --target=cpu --check --dim=sq=301 --dim=sk=700 | FileCheck %s --check-prefix=OK
// RUN: flash-run %s --entry=prefix --target=cpu --check --dim=sq=301 --dim=sk=700 | FileCheck %s --check-prefix=OK
// RUN: flash-run %s --entry=prefix_attribute --target=cpu --count-io --check --dim=sq=301 --dim=sk=700 | FileCheck %s --check-prefix=OK
// RUN: flash-run %s --entry=chunks --target=cpu --check --dim=sq=301 --dim=sk=700 | FileCheck %s --check-prefix=OK
// OK: check {{.*}} ok
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
func.func @not_behind(%q: !t, %k: !t, %v: !t) -> !t {
  %o = flash.attention %q, %k, %v mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %t = arith.constant true
    %s = arith.cmpi sgt, %j, %i : index
    %n = arith.xori %s, %t : i1
    flash.yield %n : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
func.func @in_64_bits(%q: !t, %k: !t, %v: !t) -> !t {
  %o = flash.attention %q, %k, %v mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %z = arith.constant 0 : i64
    %x = arith.index_cast %i : index to i64
    %y = arith.index_cast %j : index to i64
    %d = arith.subi %x, %y : i64
    %s = arith.cmpi sge, %d, %z : i64
    flash.yield %s : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
func.func @in_32_bits(%q: !t, %k: !t, %v: !t) -> !t {
  %o = flash.attention %q, %k, %v mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %x = arith.index_cast %i : index to i32
    %y = arith.index_cast %j : index to i32
    %s = arith.cmpi sge, %x, %y : i32
    flash.yield %s : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
func.func @prefix(%q: !t, %k: !t, %v: !t, %n: tensor<1xi32>) -> !t {
  %o = flash.attention %q, %k, %v captures(%n : tensor<1xi32>) mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %x: tensor<1xi32>):
    %p = tensor.extract %x[%b] : tensor<1xi32>
    %l = arith.index_cast %p : i32 to index
    %a = arith.cmpi slt, %j, %l : index
    %c = arith.cmpi sle, %j, %i : index
    %s = arith.ori %a, %c : i1
    flash.yield %s : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
func.func @prefix_attribute(%q: !t, %k: !t, %v: !t, %n: tensor<1xi32>) -> !t {
  %o = flash.attention %q, %k, %v mask_operands(%n : tensor<1xi32>) {mask = #flash.or<#flash.causal, #flash.prefix>} : !t, !t, !t -> !t
  return %o : !t
}
func.func @chunks(%q: !t, %k: !t, %v: !t) -> !t {
  %o = flash.attention %q, %k, %v mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %n = arith.constant 256 : index
    %x = arith.divui %i, %n : index
    %y = arith.divui %j, %n : index
    %s = arith.cmpi eq, %x, %y : index
    flash.yield %s : i1
  } : !t, !t, !t -> !t
  return %o : !t
}
