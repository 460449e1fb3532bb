// RUN: flash-run %s --entry=scale --target=cpu --check --scalar=arg3=0.125 | FileCheck %s --check-prefix=SCALE
// RUN: flash-run %s --entry=half --target=cpu --check --input=normal --input=normal --input=normal --input=0.25 | FileCheck %s --check-prefix=HALF
// RUN: flash-run %s --entry=scale --target=cpu --check | FileCheck %s --check-prefix=DEFAULT
// RUN: not flash-run %s --entry=scale --target=cpu --scalar=arg3=much 2>&1 | FileCheck %s --check-prefix=MUCH
// RUN: flash-run %s --entry=seeds --target=cpu --check | FileCheck %s --check-prefix=SEEDS
// RUN: flash-run %s --entry=scale --target=sm_90a --emit=plan | FileCheck %s --check-prefix=PLAN
// RUN: flash-run %s --entry=half --target=sm_90a --emit=ptx | FileCheck %s --check-prefix=PTX
// RUN: flash-run %s --entry=seeds --target=sm_80 --emit=plan | FileCheck %s --check-prefix=SEEDPLAN
// RUN: flash-run %s --entry=seeds --target=sm_90a --emit=plan | FileCheck %s --check-prefix=SEEDPLAN

// Floating-point arguments, as a scale at run time, and what is computed from them; seeds of dropout in (device) memory, which a
// captured graph reads anew.

// SCALE: arg3 0.125)
// SCALE: check {{.*}} ok
// HALF: check {{.*}} ok
// DEFAULT: arg3 = 1
// DEFAULT: check {{.*}} ok
// MUCH: error: --scalar=arg3=much: argument 3 is a floating-point number, as 0.125
// SEEDS: check {{.*}} ok
// PLAN: plan @scale({{.*}}, arg3: f32)
// PLAN: launch @scale
// PLAN: f32 number(3)
// PTX: .param .{{[a-z]}}32 half_param_
// SEEDPLAN: launch @seeds
// SEEDPLAN-DAG: pointer #3
// SEEDPLAN-DAG: pointer #4

!t = tensor<1x2x?x64xbf16>

func.func @scale(%q: !t, %k: !t, %v: !t, %scale: f32) -> !t {
  %o = flash.attention %q, %k, %v captures(%scale : f32) {scale = 1.0 : f32} score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %x: f32):
    %r = arith.mulf %s, %x : f32
    flash.yield %r : f32
  } : !t, !t, !t -> !t
  return %o : !t
}

func.func @half(%q: !t, %k: !t, %v: !t, %scale: f32) -> !t {
  %c = arith.constant 0.5 : f32
  %half = arith.mulf %scale, %c : f32
  %o = flash.attention %q, %k, %v captures(%half : f32) {scale = 1.0 : f32} score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %x: f32):
    %r = arith.mulf %s, %x : f32
    flash.yield %r : f32
  } : !t, !t, !t -> !t
  return %o : !t
}

func.func @seeds(%q: !t, %k: !t, %v: !t, %seeds: tensor<2xi64>, %offsets: tensor<i64>) -> !t {
  %c1 = arith.constant 1 : index
  %seed = tensor.extract %seeds[%c1] : tensor<2xi64>
  %offset = tensor.extract %offsets[] : tensor<i64>
  %o = flash.attention %q, %k, %v dropout(%seed, %offset) {dropout_p = 0.1 : f32} : !t, !t, !t -> !t
  return %o : !t
}
