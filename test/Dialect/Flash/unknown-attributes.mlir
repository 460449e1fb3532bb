// A misspelt or misplaced attribute is an error that names the nearest one. Those of other dialects stay legal.
//
// RUN: flash-opt %s --split-input-file --verify-diagnostics | FileCheck %s

!t = tensor<1x2x64x64xf16>

// CHECK-LABEL: @foreign
// CHECK: foo.bar
func.func @foreign(%q: !t {flash.name = "q"}, %k: !t, %v: !t) -> !t {
  %o = flash.attention %q, %k, %v {foo.bar = 1 : i64} : !t, !t, !t -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @misspelt(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{'flash.attention' op has no attribute 'masks'; did you mean 'mask'?}}
  %o = flash.attention %q, %k, %v {masks = #flash.causal} : !t, !t, !t -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @swapped(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{has no attribute 'sclae'; did you mean 'scale'?}}
  %o = flash.attention %q, %k, %v {sclae = 0.125 : f32} : !t, !t, !t -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @part(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{has no attribute 'dropout'; did you mean 'dropout_p'?}}
  %o = flash.attention %q, %k, %v {dropout = 0.1 : f32} : !t, !t, !t -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @other_library(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{has no attribute 'is_causal'; did you mean 'mask = #flash.causal'?}}
  %o = flash.attention %q, %k, %v {is_causal = true} : !t, !t, !t -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @softcap(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{has no attribute 'softcap'; did you mean 'scores = [#flash.softcap<30.0 : f32>]'?}}
  %o = flash.attention %q, %k, %v {softcap = 30.0 : f32} : !t, !t, !t -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @window(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{has no attribute 'window'; did you mean 'mask = #flash.window<left = 127, right = 0>'?}}
  %o = flash.attention %q, %k, %v {window = 4 : i64} : !t, !t, !t -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @lse(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{has no attribute 'return_lse'; did you mean a second result, whose type is the LSE's?}}
  %o = flash.attention %q, %k, %v {return_lse} : !t, !t, !t -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @far(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{has no attribute 'zzzz'; there are 'deterministic', 'dropout_p', 'key_slice', 'layout', 'mask', 'scale', 'schedule' and 'scores'}}
  %o = flash.attention %q, %k, %v {zzzz} : !t, !t, !t -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf32>
!l = tensor<1x2x64xf32>
func.func @merge(%a: !t, %l: !l) -> !t {
  // expected-error @below {{'flash.merge' op has no attribute 'mask'; there are 'layout' and 'schedule'}}
  %o = flash.merge outputs(%a : !t) lses(%l : !l) {mask = #flash.causal} -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @prefixed(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{'flash.schedule' belongs on an scf.forall; this operation has 'schedule'}}
  %o = flash.attention %q, %k, %v {flash.schedule = #flash.schedule<m = 64>} : !t, !t, !t -> !t
  return %o : !t
}

// -----
// expected-error @below {{unknown attribute 'flash.scheduel' of the flash dialect; did you mean 'flash.schedule'?}}
func.func private @function() attributes {flash.scheduel = #flash.schedule<m = 64>}

// -----
// expected-error @below {{'flash.name' belongs on an argument of a function}}
func.func private @name() attributes {flash.name = "q"}

// -----
// expected-error @below {{argument 0 has an unknown attribute 'flash.nmae' of the flash dialect; did you mean 'flash.name'?}}
func.func private @argument(tensor<4xf32> {flash.nmae = "q"})

// -----
// expected-error @below {{'flash.name' of argument 1 must be a string}}
func.func private @type(tensor<4xf32>, tensor<4xf32> {flash.name = 1})

// -----
// expected-error @below {{result 0 has an attribute 'flash.name' of the flash dialect, which has none for results}}
func.func private @result() -> (tensor<4xf32> {flash.name = "o"})

// -----
func.func @loop() {
  // expected-error @below {{'flash.schedule' must be a #flash.schedule<...>}}
  scf.forall (%i) in (4) {
  } {flash.schedule = #flash.causal}
  return
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @shorter(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{'flash.shorter_schedules' has schedules with their bounds, as in #flash.bounded<up_to = 1024, schedule = <...>>, but not 1 : i64}}
  %o = flash.attention %q, %k, %v {flash.shorter_schedules = [1]} : !t, !t, !t -> !t
  return %o : !t
}

// -----
!t = tensor<1x2x64x64xf16>
func.func @order(%q: !t, %k: !t, %v: !t) -> !t {
  // expected-error @below {{'flash.shorter_schedules' has 64 after 128: bounds are in ascending order}}
  %o = flash.attention %q, %k, %v {flash.shorter_schedules = [#flash.bounded<up_to = 128, schedule = <m = 1, n = 1, d = 1>>,
      #flash.bounded<up_to = 64, schedule = <m = 1, n = 1, d = 1>>]} : !t, !t, !t -> !t
  return %o : !t
}

// -----
// expected-error @below {{a schedule for some lengths says m, n and d}}
func.func private @incomplete() attributes {foo.bar = #flash.bounded<up_to = 128, schedule = <m = 1>>}

// -----
// expected-error @below {{a tiling has n of at least 1, not 0}}
func.func private @tiling() attributes {foo.bar = #flash.tiling<m = 1, n = 0, d = 1>}

// -----
// expected-error @below {{'flash.rare' has no value}}
func.func private @rare() attributes {flash.rare = 1}

// -----
func.func @counters() {
  // expected-error @below {{'flash.io_counters' belongs on a global}}
  %c = arith.constant {flash.io_counters = []} 1 : index
  return
}
