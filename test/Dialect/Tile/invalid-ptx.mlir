// RUN: flash-opt %s --split-input-file --verify-diagnostics

func.func @results(%x: i64) {
  // expected-error @+1 {{has constraints of 1 results, but 2 results: write one '=...' for each, first}}
  %0:2 = flash_tile.inline_ptx "mov.b64 {$0, $1}, $2;", "=r,l" %x : (i64) -> (i32, i32)
  return
}

// -----

func.func @operands(%x: i64) {
  // expected-error @+1 {{has constraints of 2 operands, but 1 operands: write one for each, after those of the results}}
  %0:2 = flash_tile.inline_ptx "mov.b64 {$0, $1}, $2;", "=r,=r,l,l,~{memory}" %x : (i64) -> (i32, i32)
  return
}

// -----

func.func @one(%x: i64) {
  // expected-error @+1 {{is for several results: write llvm.inline_asm for one or none}}
  %0 = flash_tile.inline_ptx "cvt.u32.u64 $0, $1;", "=r,l" %x : (i64) -> i32
  return
}
