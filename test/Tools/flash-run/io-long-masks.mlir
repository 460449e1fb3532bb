// Reports at lengths of a million whose masks are asked of blocks: regions, data, heads that differ. Where each block is another, some stand for
// others, and the report says so.
// RUN: flash-run %s --entry=documents --target=sm_90a --io-report --dim=sq=1048576 --dim=sk=1048576 | FileCheck %s --check-prefix=DOCUMENTS
// RUN: flash-run %s --entry=dilated --target=sm_90a --io-report --dim=sq=1048576 --dim=sk=1048576 | FileCheck %s --check-prefix=DILATED
// RUN: flash-run %s --entry=heads --target=sm_90a --io-report --dim=sq=1048576 --dim=sk=1048576 | FileCheck %s --check-prefix=HEADS
// RUN: flash-run %s --entry=segments --target=cpu:x86-64-v3 --io-report --dim=sq=1048576 --dim=sk=1048576 | FileCheck %s --check-prefix=SEGMENTS
// A backward has as many blocks, in both directions.
// RUN: timeout 60 flash-run %s --differentiate --entry=documents --target=cpu:x86-64-v3 --io-report --dim=sq=1048576 --dim=sk=1048576 | FileCheck %s --check-prefix=BACKWARD
// BACKWARD: outer = both
// BACKWARD: density 0.004{{[89]}})
// BACKWARD-NEXT: some blocks of keys stand
// BACKWARD: density 0.004{{[89]}})
// BACKWARD-NEXT: some blocks of queries stand
// DOCUMENTS: density 0.0050
// DILATED: density 0.500{{.}}); 0 full
// DILATED-NEXT: near, for so long a sequence
// HEADS: density 0.0062
// SEGMENTS: density 0.1250
!q = tensor<1x128x?x128xbf16>
!k = tensor<1x1x?x128xbf16>
func.func @documents(%q: !q, %k: !k, %v: !k) -> !q {
  %o = flash.attention %q, %k, %v mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %n = arith.constant 5000 : index
    %x = arith.floordivsi %i, %n : index
    %y = arith.floordivsi %j, %n : index
    %s = arith.cmpi eq, %x, %y : index
    flash.yield %s : i1
  } : !q, !k, !k -> !q
  return %o : !q
}
func.func @dilated(%q: !q, %k: !k, %v: !k) -> !q {
  %o = flash.attention %q, %k, %v mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %n = arith.constant 4 : index
    %z = arith.constant 0 : index
    %d = arith.subi %i, %j : index
    %x = arith.remsi %d, %n : index
    %s = arith.cmpi eq, %x, %z : index
    %c = arith.cmpi sle, %j, %i : index
    %r = arith.andi %s, %c : i1
    flash.yield %r : i1
  } : !q, !k, !k -> !q
  return %o : !q
}
func.func @heads(%q: !q, %k: !k, %v: !k) -> !q {
  %o = flash.attention %q, %k, %v mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %n = arith.constant 100 : index
    %w = arith.muli %h, %n : index
    %d = arith.subi %i, %j : index
    %s = arith.cmpi sle, %d, %w : index
    %c = arith.cmpi sle, %j, %i : index
    %r = arith.andi %s, %c : i1
    flash.yield %r : i1
  } : !q, !k, !k -> !q
  return %o : !q
}
func.func @segments(%q: !q, %k: !k, %v: !k, %sq: tensor<1x?xi32>, %sk: tensor<1x?xi32>) -> !q {
  %o = flash.attention %q, %k, %v mask_operands(%sq, %sk : tensor<1x?xi32>, tensor<1x?xi32>) {mask = #flash.and<#flash.segments, #flash.causal>} : !q, !k, !k -> !q
  return %o : !q
}
