//===- flash-plugin.cpp - Flash inside somebody else's mlir-opt -*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The two entry points that mlir-opt looks for in a plugin. One file serves
// both:
//
//   mlir-opt --load-dialect-plugin=flash-plugin.so
//            --load-pass-plugin=flash-plugin.so
//            --pass-pipeline='builtin.module(func.func(flash-split-kv{parts=2}))'
//
// The host's MLIR is used, so it has to be the release that Flash was built
// with. Passes are named through --pass-pipeline: the host has made its command
// line before it loads us.
//
//===----------------------------------------------------------------------===//

#include "flash/InitAll.h"

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/Config/llvm-config.h"

extern "C" LLVM_ATTRIBUTE_WEAK mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "Flash", LLVM_VERSION_STRING,
          [](mlir::DialectRegistry *registry) {
            flash::registerAllDialects(*registry);
          }};
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "Flash", LLVM_VERSION_STRING,
          [] { flash::registerOwnPasses(); }};
}
