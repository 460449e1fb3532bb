//===- flash-lsp-server.cpp - Flash's IR in editors -----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MLIR's language server with what flash-opt reads: an editor that starts it
// for .mlir files shows errors where they are, definitions, uses and types. How
// to set up an editor is in docs/Tools.md.
//
//===----------------------------------------------------------------------===//

#include "flash/InitAll.h"

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  flash::registerAllDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
