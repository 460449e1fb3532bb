//===- RingUtils.h - Loads that become rings --------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What software prefetch and warp specialisation share: which loads of a kernel
// can be done ahead, and recomputing a load's addresses somewhere else.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_DIALECT_TILE_TRANSFORMS_RINGUTILS_H
#define FLASH_LIB_DIALECT_TILE_TRANSFORMS_RINGUTILS_H

#include "flash/Dialect/Tile/Transforms/Passes.h"
#include "mlir/IR/IRMapping.h"

namespace flash::tile {

/// The loads of a kernel, in program order: those before its loop, and those in
/// the loop's body. In a persistent kernel both stand in a loop over tiles.
struct KernelLoads {
  mlir::scf::ForOp tiles; ///< null, or the loop around everything
  mlir::scf::ForOp loop;
  llvm::SmallVector<LoadOp> before, inside;
};

/// Finds the kernel's loop with loads. Fails, with the reason, when there is
/// not exactly one at the top level (or in the loop over tiles there), when a
/// load stands elsewhere, or when an address in the loop is not plain
/// arithmetic on its induction variable; with `reads`, for who computes it in
/// the same iteration, divisions and scalars of device memory may take part.
llvm::FailureOr<KernelLoads> findLoads(mlir::gpu::GPUFuncOp kernel,
                                       std::string &reason, bool reads = false);

/// Whether `value` is arithmetic on the first argument of `scope`, a loop's
/// induction variable, and on values from outside; with `reads`, scalars of
/// device memory may take part.
bool isArithmetic(mlir::Block *scope, mlir::Value value, bool reads = false);

/// Whether each role of a kernel may compute the op: arithmetic, and reads of
/// scalars. Kernels write none of the tensors whose elements they read so.
bool isScalar(mlir::Operation &op);

/// Clones the scalars in the body of a loop over tiles, up to `loop`.
void cloneScalars(mlir::OpBuilder &builder, mlir::scf::ForOp tiles,
                  mlir::scf::ForOp loop, mlir::IRMapping &mapping);

/// Whether an op reads scalars of device memory, or has a branch or a loop that
/// does nothing else, as a search for the sequence of a tile.
bool isRead(mlir::Operation *op);

/// The ops of `scope`, in order, that read the scalars on which `values`
/// depend.
llvm::SmallVector<mlir::Operation *> findReads(mlir::Block *scope,
                                               mlir::ValueRange values);

/// Clones the arithmetic in `scope` that `values` depend on, at the insertion
/// point, and maps it in `mapping` (which maps `scope`'s arguments, and what is
/// to stay as it is).
void cloneArithmetic(mlir::OpBuilder &builder, mlir::Block *scope,
                     mlir::ValueRange values, mlir::IRMapping &mapping);

/// The op of `block` that `user` is, or is in.
mlir::Operation *ancestorIn(mlir::Block *block, mlir::Operation *user);

/// First and last op of `block` that uses `value`.
mlir::Operation *firstUser(mlir::Value value, mlir::Block *block);
mlir::Operation *lastUser(mlir::Value value, mlir::Block *block);

/// Adds an iteration counter, which starts at `first`, to the loop's iteration
/// arguments; the loop is replaced. Returns the new loop, whose last iteration
/// argument is the counter.
mlir::scf::ForOp addCounter(mlir::scf::ForOp loop, mlir::Value first);

/// Makes a loop over tiles carry the counter of a loop in it, as its last
/// iteration argument; the loop is replaced.
mlir::scf::ForOp carryCounter(mlir::scf::ForOp tiles, mlir::Value zero);

/// The loop over a persistent kernel's tiles that a loop stands in, or null.
mlir::scf::ForOp tilesAround(mlir::scf::ForOp loop);

/// The iteration argument that counts iterations from 0 on, and on from tile to
/// tile; null without one.
mlir::BlockArgument findCounter(mlir::scf::ForOp loop);

/// Moves what stands after `loop` in its block and gives back a stage that
/// nobody reads after the loop to the loop's end.
void releaseAtEnd(mlir::scf::ForOp loop);

/// Moves the puts of a ring, in loops that fill others before it, to the next
/// iteration: the order of consumers who use the ring so much later.
void delayPuts(mlir::Value ring);

/// Whether nothing depends on what lies in the rows of `load`'s tile after
/// those that exist: they reach columns of scores, which are replaced.
bool isPaddingUnseen(LoadOp load);

/// Whether `count` is that of all `size` rows in each iteration of the loop
/// that another one follows: min(size, end - induction variable), in steps of
/// as many, up to `end` at most.
bool isWholeBeforeLast(mlir::scf::ForOp loop, mlir::Value count, int64_t size);

/// The loop over the tiles of a persistent kernel, or null.
mlir::scf::ForOp getTileLoop(mlir::gpu::GPUFuncOp kernel);

} // namespace flash::tile

#endif // FLASH_LIB_DIALECT_TILE_TRANSFORMS_RINGUTILS_H
