// RUN: flash-opt %s --flash-bf16-to-bits | FileCheck %s
// RUN: flash-opt %s --flash-bf16-to-bits | FileCheck %s --check-prefix=NONE

// Types in signatures, globals, structures and attributes; constants keep their bits. None is left.
// NONE-NOT: bf16

// CHECK: llvm.mlir.global private constant @table(dense<[16256, -16384]> : tensor<2xi16>) {{.*}} : !llvm.array<2 x i16>
llvm.mlir.global private constant @table(dense<[1.0, -2.0]> : tensor<2xbf16>) : !llvm.array<2 x bf16>

// CHECK-LABEL: llvm.func @moves(
// CHECK-SAME: %[[P:.*]]: !llvm.ptr, %[[X:.*]]: i16) -> i16
llvm.func @moves(%p: !llvm.ptr, %x: bf16) -> bf16 {
  // CHECK: llvm.mlir.constant(dense<16256> : vector<9xi16>) : vector<9xi16>
  %ones = llvm.mlir.constant(dense<1.0> : vector<9xbf16>) : vector<9xbf16>
  // CHECK: llvm.mlir.constant(16384 : i16) : i16
  %two = llvm.mlir.constant(2.0 : bf16) : bf16
  %c = llvm.mlir.constant(3 : i64) : i64
  // CHECK: llvm.getelementptr {{.*}} -> !llvm.ptr, i16
  %q = llvm.getelementptr %p[%c] : (!llvm.ptr, i64) -> !llvm.ptr, bf16
  // CHECK: %[[V:.*]] = llvm.load {{.*}} : !llvm.ptr -> vector<9xi16>
  %v = llvm.load %q {alignment = 2 : i64} : !llvm.ptr -> vector<9xbf16>
  // The cast of a bf16 to its bits is gone.
  // CHECK-NEXT: llvm.zext %[[V]] : vector<9xi16> to vector<9xi32>
  %bits = llvm.bitcast %v : vector<9xbf16> to vector<9xi16>
  %wide = llvm.zext %bits : vector<9xi16> to vector<9xi32>
  llvm.store %wide, %p : vector<9xi32>, !llvm.ptr
  llvm.store %ones, %q {alignment = 2 : i64} : vector<9xbf16>, !llvm.ptr
  // CHECK: llvm.mlir.undef : !llvm.struct<(i16, i64)>
  %s = llvm.mlir.undef : !llvm.struct<(bf16, i64)>
  // CHECK: llvm.insertvalue {{.*}}[0] : !llvm.struct<(i16, i64)>
  %t = llvm.insertvalue %x, %s[0] : !llvm.struct<(bf16, i64)>
  %u = llvm.extractvalue %t[0] : !llvm.struct<(bf16, i64)>
  // CHECK: llvm.br ^bb1(%{{.*}} : i16)
  llvm.br ^bb1(%u : bf16)
// CHECK: ^bb1(%{{.*}}: i16):
^bb1(%w: bf16):
  llvm.return %w : bf16
}
