//===- TestProgram.h - A launch plan for tests ------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Uses every kind of buffer, step and parameter.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_UNITTESTS_RUNTIME_TESTPROGRAM_H
#define FLASH_UNITTESTS_RUNTIME_TESTPROGRAM_H

#include "flash/Runtime/Plan.h"

namespace flash::rt {

inline Program testProgram() {
  Program p;
  Expr batch = Expr::dim(0, 0), queries = Expr::dim(0, 2);
  Expr kvHeads = Expr::dim(1, 1), keys = Expr::dim(1, 2);
  p.signature.name = "attention";
  p.signature.arguments = {
      ArgumentInfo::tensor("q", DType::BF16,
                           {std::nullopt, Expr(32), std::nullopt, Expr(128)}),
      ArgumentInfo::tensor("k", DType::BF16,
                           {batch, std::nullopt, std::nullopt, Expr(128)}),
      ArgumentInfo::index("shift")};
  p.signature.results = {{"o", DType::BF16, {batch, 32, queries, 128}},
                         {"lse", DType::F32, {batch, 32, queries}}};
  p.buffers = {Buffer::argument(0), Buffer::argument(1), Buffer::result(0),
               Buffer::result(1), Buffer::temporary("partial", queries * 512)};
  p.checks = {{Check::Relation::Divisible, 32, kvHeads,
               "dimension 1 of 'k' ({rhs}) must divide dimension 1 of 'q' "
               "({lhs})"}};
  p.modules = {{"attention", "sm_90a", ".version 8.0"}};
  TensorMapParam map;
  map.buffer = 1;
  map.dtype = DType::BF16;
  map.dims = {128, keys, kvHeads, Expr::dim(1, 0)};
  map.byteStrides = {256, keys * 256, keys * 256 * kvHeads};
  map.box = {64, 128, 1, 1};
  Launch launch;
  launch.kernel = "flash_kernel";
  launch.grid = {Expr::ceilDiv(queries, 128), 32, batch};
  launch.block = {384, 1, 1};
  launch.dynamicSharedBytes = 200000;
  launch.params = {PointerParam{0, 16},         map,
                   PointerParam{2, 0},          Int64Param{keys},
                   Int32Param{Expr::scalar(2)}, Float32Param{0.127517432f},
                   PointerParam{4, 0}};
  p.steps = {Fill{4, 0, queries * 512, 255}, launch};
  return p;
}

} // namespace flash::rt

#endif // FLASH_UNITTESTS_RUNTIME_TESTPROGRAM_H
