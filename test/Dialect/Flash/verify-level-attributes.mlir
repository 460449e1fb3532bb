// An attribute of ours on another dialect's operation, without the dialect in its name, says nothing: an error.
//
// RUN: flash-opt %s --split-input-file --verify-diagnostics --flash-verify-level=level=L2

func.func @foreign() attributes {foo.bar = #flash.causal, other = 1 : i64} {
  return
}

// -----
// expected-error @below {{has an attribute 'mask', which says nothing here}}
func.func @mask() attributes {mask = #flash.causal} {
  return
}

// -----
func.func @schedule() {
  // expected-error @below {{has an attribute 'schedule', which says nothing here; did you mean 'flash.schedule'?}}
  scf.forall (%i) in (4) {
  } {schedule = #flash.schedule<m = 64>}
  return
}

// -----
func.func @kernel() {
  // expected-error @below {{has an attribute 'kernel', which says nothing here; did you mean 'flash_tile.kernel'?}}
  scf.forall (%i) in (4) {
  } {kernel = #flash_tile.kernel<warps = 4>}
  return
}
