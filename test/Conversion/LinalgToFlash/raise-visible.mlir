// RUN: flash-opt %s --flash-raise --canonicalize -split-input-file 2>/dev/null | FileCheck %s
// RUN: flash-opt %s --flash-raise=finite-minima-hide --canonicalize -split-input-file 2>/dev/null | FileCheck %s --check-prefix=HIDE

// A finite number hides if each query sees a key: what is known, what is asserted, and what is neither.

// A chunk of queries after a position of run time: that each of them sees a key is asserted.

#id = affine_map<(b, i, j) -> (b, i, j)>
// CHECK-LABEL: func @start(
// CHECK-SAME: %[[START:[^,]+]]: index
// CHECK: %[[HOLDS:.+]] = arith.cmpi sge, %[[START]], %{{.+}} : index
// CHECK: cf.assert %[[HOLDS]], "a query sees no key, and the number that hides is finite
// CHECK: flash.attention {{.+}} q_offset(%[[START]]) {mask = #flash.causal,
// HIDE-LABEL: func @start(
// HIDE-NOT: cf.assert
// HIDE: flash.attention {{.+}} q_offset({{.+}}) {mask = #flash.causal,
func.func @start(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>, %start: index) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF7FFFFF : f32
  %e = tensor.empty() : tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %row = arith.addi %start, %i : index
    %c = arith.cmpi sge, %row, %j : index
    %0 = arith.select %c, %x, %lowest : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%w : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// Of a window both ends are.

#id = affine_map<(b, i, j) -> (b, i, j)>
// CHECK-LABEL: func @start_of_window(
// CHECK-COUNT-2: cf.assert
// CHECK: flash.attention {{.+}} q_offset({{.+}}) {mask = #flash.window<left = 2, right = 0>,
// HIDE-LABEL: func @start_of_window(
// HIDE: flash.attention {{.+}} q_offset({{.+}}) {mask = #flash.window<left = 2, right = 0>,
func.func @start_of_window(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>, %start: index) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF7FFFFF : f32
  %c3_ = arith.constant 3 : index
  %e = tensor.empty() : tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %row = arith.addi %start, %i : index
    %distance = arith.subi %row, %j : index
    %a = arith.cmpi sge, %row, %j : index
    %b = arith.cmpi slt, %distance, %c3_ : index
    %c = arith.andi %a, %b : i1
    %0 = arith.select %c, %x, %lowest : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%w : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// As many keys as queries, however many: each query sees itself, and nothing is asserted.

#id = affine_map<(b, i, j) -> (b, i, j)>
// CHECK-LABEL: func @dynamic_window(
// CHECK-NOT: cf.assert
// CHECK: flash.attention %{{[^ ]+}}, %{{[^ ]+}}, %{{[^ ]+}} {mask = #flash.window<left = 2, right = 0>,
// HIDE-LABEL: func @dynamic_window(
// HIDE: flash.attention {{.+}} {mask = #flash.window<left = 2, right = 0>,
func.func @dynamic_window(%q: tensor<2x?x8xf32>, %kt: tensor<2x8x?xf32>, %v: tensor<2x?x8xf32>) -> tensor<2x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF7FFFFF : f32
  %c3 = arith.constant 3 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : tensor<2x?x8xf32>
  %e = tensor.empty(%n, %n) : tensor<2x?x?xf32>
  %eo = tensor.empty(%n) : tensor<2x?x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x?x8xf32>, tensor<2x8x?xf32>) outs(%z : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x?x?xf32>) outs(%e : tensor<2x?x?xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %distance = arith.subi %i, %j : index
    %a = arith.cmpi sge, %i, %j : index
    %b = arith.cmpi slt, %distance, %c3 : index
    %c = arith.andi %a, %b : i1
    %0 = arith.select %c, %x, %lowest : f32
    linalg.yield %0 : f32
  } -> tensor<2x?x?xf32>
  %p = linalg.softmax dimension(2) ins(%w : tensor<2x?x?xf32>) outs(%e : tensor<2x?x?xf32>) -> tensor<2x?x?xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x?x?xf32>, tensor<2x?x8xf32>) outs(%zo : tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  return %o : tensor<2x?x8xf32>
}

// -----

// A document at its own place is the same: each query sees itself.

#id = affine_map<(b, i, j) -> (b, i, j)>
#bi = affine_map<(b, i, j) -> (b, i)>
#bj = affine_map<(b, i, j) -> (b, j)>
// CHECK-LABEL: func @documents(
// CHECK: flash.attention {{.+}} captures({{.+}}) {mask = #flash.and<#flash.causal, #flash.region>,
// HIDE-LABEL: func @documents(
// HIDE: flash.attention {{.+}} captures({{.+}}) {mask = #flash.and<#flash.causal, #flash.region>,
func.func @documents(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x4xf32>, %v: tensor<2x4x8xf32>, %ids: tensor<2x4xi32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF7FFFFF : f32
  %e = tensor.empty() : tensor<2x4x4xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x4xf32>) outs(%z : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %w = linalg.generic {indexing_maps = [#id, #bi, #bj, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s, %ids, %ids : tensor<2x4x4xf32>, tensor<2x4xi32>, tensor<2x4xi32>) outs(%e : tensor<2x4x4xf32>) {
  ^bb0(%x: f32, %d: i32, %d0: i32, %out: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %a = arith.cmpi sge, %i, %j : index
    %b = arith.cmpi eq, %d, %d0 : i32
    %c = arith.andi %a, %b : i1
    %0 = arith.select %c, %x, %lowest : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x4xf32>
  %p = linalg.softmax dimension(2) ins(%w : tensor<2x4x4xf32>) outs(%e : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x4xf32>, tensor<2x4x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// So are chunks of positions.

#id = affine_map<(b, i, j) -> (b, i, j)>
// CHECK-LABEL: func @chunks(
// CHECK: flash.attention {{.+}} {mask = #flash.region,
// HIDE-LABEL: func @chunks(
// HIDE: flash.attention {{.+}} {mask = #flash.region,
func.func @chunks(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x4xf32>, %v: tensor<2x4x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF7FFFFF : f32
  %c2 = arith.constant 2 : index
  %e = tensor.empty() : tensor<2x4x4xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x4xf32>) outs(%z : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x4x4xf32>) outs(%e : tensor<2x4x4xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %a = arith.divui %i, %c2 : index
    %b = arith.divui %j, %c2 : index
    %c = arith.cmpi eq, %a, %b : index
    %0 = arith.select %c, %x, %lowest : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x4xf32>
  %p = linalg.softmax dimension(2) ins(%w : tensor<2x4x4xf32>) outs(%e : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x4xf32>, tensor<2x4x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// Of other keys than the queries it is not known: a score function.

#id = affine_map<(b, i, j) -> (b, i, j)>
#bi = affine_map<(b, i, j) -> (b, i)>
#bj = affine_map<(b, i, j) -> (b, j)>
// CHECK-LABEL: func @other_documents(
// CHECK: flash.attention {{.+}} captures({{.+}}) {scale = {{.+}}, scores = [#flash.region]} score {
// HIDE-LABEL: func @other_documents(
// HIDE: flash.attention {{.+}} captures({{.+}}) {mask = #flash.region,
func.func @other_documents(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x4xf32>, %v: tensor<2x4x8xf32>, %ids: tensor<2x4xi32>, %of: tensor<2x4xi32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF7FFFFF : f32
  %e = tensor.empty() : tensor<2x4x4xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x4xf32>) outs(%z : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %w = linalg.generic {indexing_maps = [#id, #bi, #bj, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s, %ids, %of : tensor<2x4x4xf32>, tensor<2x4xi32>, tensor<2x4xi32>) outs(%e : tensor<2x4x4xf32>) {
  ^bb0(%x: f32, %d: i32, %d0: i32, %out: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi eq, %d, %d0 : i32
    %0 = arith.select %c, %x, %lowest : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x4xf32>
  %p = linalg.softmax dimension(2) ins(%w : tensor<2x4x4xf32>) outs(%e : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x4xf32>, tensor<2x4x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// Each query sees the keys before it alone, the first none: a score function.

#id = affine_map<(b, i, j) -> (b, i, j)>
// CHECK-LABEL: func @before_itself(
// CHECK: flash.attention {{.+}} {scale = {{.+}}, scores = [#flash.region]} score {
// HIDE-LABEL: func @before_itself(
// HIDE: flash.attention {{.+}} q_offset({{.+}}) {mask = #flash.causal,
func.func @before_itself(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x4xf32>, %v: tensor<2x4x8xf32>) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF7FFFFF : f32
  %e = tensor.empty() : tensor<2x4x4xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x4xf32>) outs(%z : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<2x4x4xf32>) outs(%e : tensor<2x4x4xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %c = arith.cmpi sgt, %i, %j : index
    %0 = arith.select %c, %x, %lowest : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x4xf32>
  %p = linalg.softmax dimension(2) ins(%w : tensor<2x4x4xf32>) outs(%e : tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x4xf32>, tensor<2x4x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// -----

// A start that is clamped is at least 0, and nothing is asserted.

#id = affine_map<(b, i, j) -> (b, i, j)>
// CHECK-LABEL: func @clamped_start(
// CHECK: %[[START:.+]] = arith.maxsi
// CHECK-NOT: cf.assert
// CHECK: flash.attention {{.+}} q_offset(%[[START]]) {mask = #flash.causal,
// HIDE-LABEL: func @clamped_start(
// HIDE: flash.attention {{.+}} q_offset({{.+}}) {mask = #flash.causal,
func.func @clamped_start(%q: tensor<2x4x8xf32>, %kt: tensor<2x8x6xf32>, %v: tensor<2x6x8xf32>, %at: index) -> tensor<2x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF7FFFFF : f32
  %c0 = arith.constant 0 : index
  %start = arith.maxsi %at, %c0 : index
  %e = tensor.empty() : tensor<2x4x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32>) outs(%z : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) {
  ^bb0(%x: f32, %out: f32):
    %i = linalg.index 1 : index
    %j = linalg.index 2 : index
    %row = arith.addi %start, %i : index
    %c = arith.cmpi sge, %row, %j : index
    %0 = arith.select %c, %x, %lowest : f32
    linalg.yield %0 : f32
  } -> tensor<2x4x6xf32>
  %p = linalg.softmax dimension(2) ins(%w : tensor<2x4x6xf32>) outs(%e : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %eo = tensor.empty() : tensor<2x4x8xf32>
  %zo = linalg.fill ins(%zero : f32) outs(%eo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32>) outs(%zo : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}
