// Kernels for several lengths are compiled side by side, each in a module of its own; whoever asks for the text gets one of all, which has
// a header and declares shared memory once, and which the assembler takes.
// RUN: flash-run %s --target=sm_90a --emit=ptx > %t.ptx
// RUN: FileCheck %s --input-file=%t.ptx
// CHECK: .version
// CHECK: .target sm_90a
// CHECK: .extern .shared .align 1024 .b8 flash_shared[];
// CHECK-NOT: .version
// CHECK-NOT: .extern
// CHECK: .visible .entry attention(
// CHECK-NOT: .version
// CHECK-NOT: .extern
// CHECK: .visible .entry attention_0(
// CHECK-NOT: .version
// CHECK-NOT: .extern
// CHECK: .visible .entry attention_1(
// CHECK-NOT: .version
// CHECK-NOT: .extern
// RUN: flash-run %s --target=sm_90a --emit=plan | FileCheck %s --check-prefix=PLAN
// PLAN: launch @attention of module #0
// PLAN: launch @attention_0 of module #1
// PLAN: launch @attention_1 of module #2
// RUN: flash-run %s --target=sm_90a --emit=llvm | FileCheck %s --check-prefix=LLVM
// LLVM: define {{.*}} @attention(
// LLVM: define {{.*}} @attention_0(
// LLVM: define {{.*}} @attention_1(
func.func @attention(%q: tensor<?x16x?x128xbf16>, %k: tensor<?x16x?x128xbf16>, %v: tensor<?x16x?x128xbf16>) -> tensor<?x16x?x128xbf16> {
  %o = flash.attention %q, %k, %v : tensor<?x16x?x128xbf16>, tensor<?x16x?x128xbf16>, tensor<?x16x?x128xbf16> -> tensor<?x16x?x128xbf16>
  return %o : tensor<?x16x?x128xbf16>
}
