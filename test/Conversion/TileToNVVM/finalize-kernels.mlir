// RUN: flash-opt %s --flash-tile-finalize-kernels | FileCheck %s

// CHECK: llvm.func @k(%{{.*}}: i64, %{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant})
// CHECK-SAME: attributes {gpu.kernel, nvvm.kernel}
llvm.func @k(%n: i64, %m: !llvm.ptr) attributes {flash_tile.tensor_map_parameters = array<i64: 1>, gpu.kernel, nvvm.kernel} {
  llvm.return
}

// CHECK: llvm.func @other(%{{.*}}: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel}
llvm.func @other(%m: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
  llvm.return
}

// What the lowering of a loop left on its branch back says that of the loop.
// CHECK: llvm.func @loop
// CHECK: llvm.br ^bb1 {loop_annotation = #{{.*}}}
llvm.func @loop() attributes {gpu.kernel, nvvm.kernel} {
  llvm.br ^bb1
^bb1:
  llvm.br ^bb1 {llvm.loop_annotation = #llvm.loop_annotation<unroll = <disable = true>>}
}
