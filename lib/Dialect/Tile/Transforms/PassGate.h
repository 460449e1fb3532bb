//===- PassGate.h - Which kernels a pass works on ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pass works on the kernels whose attribute asks for it, and on no others.
// Where it leaves one of these as it is, it says why:
//
//   PassGate<OverlapAttr> gate(kernel, "it has no loop with products");
//   if (!gate)
//     return;
//   for (scf::ForOp loop : loops)
//     if (StringRef reason = match(loop); reason.empty())
//       gate.worked(), rewrite(loop);
//     else
//       gate.leave(reason);
//
//   // remark: flash-tile-overlap leaves 'k' as it is: <reason>
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_TILE_TRANSFORMS_PASSGATE_H
#define FLASH_LIB_DIALECT_TILE_TRANSFORMS_PASSGATE_H

#include "flash/Dialect/Tile/IR/Tile.h"
#include "flash/Support/DebugLog.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <string>

namespace flash::tile {

/// What a pass that was asked for has to say of a kernel. It says it when it
/// goes out of scope.
class PassReport {
public:
  /// `otherwise` is the reason where nothing in the kernel gave one.
  PassReport(mlir::gpu::GPUFuncOp kernel, llvm::StringRef pass, bool asked,
             llvm::StringRef otherwise)
      : kernel(kernel), pass(pass), asked(asked), otherwise(otherwise) {}
  PassReport(const PassReport &) = delete;
  PassReport &operator=(const PassReport &) = delete;
  ~PassReport() {
    if (!asked) {
      LDBG(pass) << "is not wanted in '" << kernel.getName() << "'";
      return;
    }
    if (done)
      LDBG(pass) << "has worked on '" << kernel.getName() << "'";
    if (done && reason.empty())
      return;
    const std::string &why = reason.empty() ? otherwise : reason;
    LDBG(pass) << "leaves " << (done ? "a part of '" : "'") << kernel.getName()
               << "': " << why;
    // At the place alone: the kernel's text is long.
    mlir::emitRemark(kernel.getLoc())
        << pass << " leaves " << (done ? "a part of '" : "'")
        << kernel.getName() << "' as it is: " << why;
  }

  /// Whether the pass is to work on the kernel.
  explicit operator bool() const { return asked; }

  /// Why a part of the kernel stays; of several reasons the first counts.
  void leave(llvm::StringRef why) {
    if (reason.empty())
      reason = why.str();
  }
  /// The kernel has changed.
  void worked() { done = true; }

private:
  mlir::gpu::GPUFuncOp kernel;
  llvm::StringRef pass;
  bool asked, done = false;
  std::string reason, otherwise;
};

/// The same for a pass with an attribute of its own.
template <typename Attr> class PassGate : public PassReport {
public:
  PassGate(mlir::gpu::GPUFuncOp kernel, llvm::StringRef otherwise)
      : PassGate(kernel, getPassAttr<Attr>(kernel), otherwise) {}

  const Attr *operator->() const { return &attr; }
  Attr operator*() const { return attr; }

private:
  PassGate(mlir::gpu::GPUFuncOp kernel, Attr attr, llvm::StringRef otherwise)
      : PassReport(kernel, Attr::getPass(), bool(attr), otherwise), attr(attr) {
  }

  Attr attr;
};

} // namespace flash::tile

#endif // FLASH_LIB_DIALECT_TILE_TRANSFORMS_PASSGATE_H
