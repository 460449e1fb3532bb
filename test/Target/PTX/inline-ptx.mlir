// RUN: flash-opt %s | flash-opt | FileCheck %s
// RUN: flash-translate %s --flash-to-llvmir --flash-target=sm_90a | FileCheck %s --check-prefix=LLVM
// RUN: flash-translate %s --flash-to-ptx --flash-target=sm_90a | FileCheck %s --check-prefix=PTX
// What has no side effects and no user goes; the same twice is one.
// RUN: flash-opt %s --canonicalize --cse | FileCheck %s --check-prefix=PURE

// CHECK: flash_tile.inline_ptx "mov.b64 {$0, $1}, $2;", "=r,=r,l" %{{.*}} : (i64) -> (i32, i32)
// CHECK: flash_tile.inline_ptx "ld.global.v2.b32 {$0, $1}, [$2];", "=r,=r,l,~{memory}" %{{.*}} {has_side_effects} : (i64) -> (i32, i32)
// LLVM: %[[S:.*]] = tail call { i32, i32 } asm "mov.b64 {$0, $1}, $2;", "=r,=r,l"(i64 %{{.*}})
// LLVM: extractvalue { i32, i32 } %[[S]]
// LLVM: call { i32, i32 } asm sideeffect "ld.global.v2.b32 {$0, $1}, [$2];", "=r,=r,l,~{memory}"
// PTX: mov.b64 {%r{{[0-9]+}}, %r{{[0-9]+}}}, %rd{{[0-9]+}};
// PTX: ld.global.v2.b32 {%r{{[0-9]+}}, %r{{[0-9]+}}}, [%rd{{[0-9]+}}];
// PURE-COUNT-1: mov.b64
// PURE-NOT: mov.b64
// PURE: ld.global.v2.b32
gpu.module @kernels {
  llvm.func @kernel(%a: !llvm.ptr, %x: i64) attributes {nvvm.kernel} {
    %0:2 = flash_tile.inline_ptx "mov.b64 {$0, $1}, $2;", "=r,=r,l" %x : (i64) -> (i32, i32)
    %1:2 = flash_tile.inline_ptx "mov.b64 {$0, $1}, $2;", "=r,=r,l" %x : (i64) -> (i32, i32)
    %2:2 = flash_tile.inline_ptx "ld.global.v2.b32 {$0, $1}, [$2];", "=r,=r,l,~{memory}" %x {has_side_effects} : (i64) -> (i32, i32)
    %s = llvm.add %0#0, %1#1 : i32
    llvm.store %s, %a : i32, !llvm.ptr
    llvm.return
  }
}
