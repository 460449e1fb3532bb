//===- HalfMma.cpp - An instruction that lives outside Flash ----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A warp's product over 16 of the contracted dimension by two instructions that
// contract 8 each. What is legal for it and its PTX are all that the compiler
// needs: operands are loaded, sums kept and tiles walked as for mma.sync.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Tile/IR/Tile.h"
#include "flash/InitAll.h"

#include "mlir/IR/DialectImplementation.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/ADT/TypeSwitch.h"

#include "HalfDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "HalfAttrs.h.inc"

#include "HalfDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "HalfAttrs.cpp.inc"

using namespace mlir;

void half::HalfDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "HalfAttrs.cpp.inc"
      >();
}

// docs: begin methods
using half::MmaAttr;

// Operands are complete when the op is: there is no mma_start.
bool MmaAttr::isAsynchronous() const { return false; }

// Each warp multiplies on its own.
int64_t MmaAttr::getWarpsPerInstruction() const { return 1; }

// What a product contracts, of elements that it takes.
int64_t MmaAttr::getKGranularity(Type elementType) const {
  return elementType.isF16() || elementType.isBF16() ? 16 : 0;
}

// Columns of B: multiples of 8, as many as there are.
int64_t MmaAttr::getNGranularity() const { return 8; }
int64_t MmaAttr::getMaxN() const { return std::numeric_limits<int64_t>::max(); }

// $0 to $3 are sums; $4 to $7 are A and $8, $9 B, of which the first half of
// each belongs to the first 8 of the contracted dimension.
std::string MmaAttr::getWarpProduct(Type elementType) const {
  std::string type = elementType.isBF16() ? "bf16" : "f16";
  std::string mma = "mma.sync.aligned.m16n8k8.row.col.f32." + type + "." +
                    type + ".f32 {$0, $1, $2, $3}, ";
  return mma + "{$4, $5}, {$8}, {$0, $1, $2, $3}; " + mma +
         "{$6, $7}, {$9}, {$0, $1, $2, $3};";
}
// docs: end methods

int main(int argc, char **argv) {
  DialectRegistry registry;
  flash::registerAllDialects(registry);
  registry.insert<half::HalfDialect>();
  flash::registerAllPasses();
  return asMainReturnCode(MlirOptMain(
      argc, argv, "Flash with an instruction of its own\n", registry));
}
