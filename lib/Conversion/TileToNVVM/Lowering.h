//===- Lowering.h - From tiles to the registers of one lane -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the lowerings of all op groups share: the type converter, the numbers of
// the executing thread, and an emitter for 32-bit arithmetic and inline PTX.
// Private to this library.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_TILETONVVM_LOWERING_H
#define FLASH_LIB_CONVERSION_TILETONVVM_LOWERING_H

#include "flash/Dialect/Tile/IR/Tile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/DialectConversion.h"

namespace flash::tile {

/// The named barrier of the computing warps in a kernel with a producer:
/// barrier 0 is for the whole block.
constexpr int64_t consumerBarrier = 1;
/// Each warpgroup of at most seven has one for its turn, and one for itself.
constexpr int64_t firstTurnBarrier = consumerBarrier + 1;
constexpr int64_t firstOwnBarrier = firstTurnBarrier + 7;
/// What tells counters and turns from whatever else memory may hold: as f32,
/// and as a pair of bf16 or f16, a NaN that no arithmetic makes.
constexpr int64_t kCounterMark = 0x7fa5c0de;
constexpr llvm::StringLiteral sharedMemorySymbol = "flash_shared";
/// What the lowering of loops passes on to their branches.
constexpr llvm::StringLiteral kLoopAnnotation = "llvm.loop_annotation";

/// Fragments become bundles of what a lane holds, tiles and rings 32-bit
/// shared addresses, tensor maps pointers.
class TileTypeConverter : public mlir::TypeConverter {
public:
  explicit TileTypeConverter(mlir::MLIRContext *context);
};

/// Whether a lane keeps the elements as packed pairs in i32.
bool isPacked(FragmentType type);

/// Values that every op of a kernel needs, made once at its top.
struct KernelValues {
  mlir::Value thread; ///< index of the thread among the computing ones
  mlir::Value lane;
  mlir::Value warp;   ///< uniform in a warp; W and more are producers
  mlir::Value shared; ///< address of the block's dynamic shared memory
  mlir::Value rank;   ///< of the block in its cluster; null without clusters
  int64_t warps = 0;
  int64_t cluster = 1;         ///< blocks of a cluster
  bool specialized = false;    ///< has a producer
  bool watched = false;        ///< has a watcher
  bool usesAsyncProxy = false; ///< wgmma reads shared memory
  bool readsStrips = false;    ///< fetches accumulators from memory
};
using KernelMap = llvm::DenseMap<mlir::Operation *, KernelValues>;

/// A builder at one place, for index arithmetic in i32 and for PTX.
class Emitter : public mlir::ImplicitLocOpBuilder {
public:
  Emitter(mlir::Location loc, mlir::OpBuilder &builder)
      : ImplicitLocOpBuilder(loc, builder) {}

  mlir::Value i32(int64_t value);
  mlir::Value i64(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b) { return add(a, like(a, b)); }
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b) { return mul(a, like(a, b)); }
  mlir::Value bitAnd(mlir::Value a, int64_t b);
  mlir::Value bitOr(mlir::Value a, mlir::Value b);
  mlir::Value bitXor(mlir::Value a, mlir::Value b);
  mlir::Value shl(mlir::Value a, int64_t b);
  mlir::Value shr(mlir::Value a, int64_t b);
  mlir::Value div(mlir::Value a, int64_t b);      ///< unsigned
  mlir::Value rem(mlir::Value a, int64_t b);      ///< unsigned
  mlir::Value less(mlir::Value a, mlir::Value b); ///< signed
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value toI32(mlir::Value index);
  mlir::Value toI64(mlir::Value value); ///< from index or (unsigned) i32
  mlir::Value toIndex(mlir::Value i32);

  /// What a lane holds of a fragment: one value for its elements while ops are
  /// converted, and the elements again.
  mlir::Value bundle(llvm::ArrayRef<mlir::Value> elements);
  llvm::SmallVector<mlir::Value> elements(mlir::Value bundle);
  /// Element `position` of a vector of LLVM's, and such a vector of elements.
  mlir::Value extract(mlir::Value vector, int64_t position);
  mlir::Value makeVector(llvm::ArrayRef<mlir::Value> elements);

  /// Inline PTX with side effects that touches memory.
  void ptx(llvm::StringRef text, llvm::StringRef constraints,
           mlir::ValueRange operands);
  /// Inline PTX with results.
  llvm::SmallVector<mlir::Value> ptx(mlir::TypeRange results,
                                     llvm::StringRef text,
                                     llvm::StringRef constraints,
                                     mlir::ValueRange operands,
                                     bool sideEffects = true);
  /// The same number (i32 or i64), of which nobody knows that it could be used
  /// before: what depends on it is computed here, and not hoisted.
  mlir::Value pin(mlir::Value number);
  /// A pure LLVM intrinsic with one result.
  mlir::Value intrinsic(mlir::Type result, llvm::StringRef name,
                        mlir::ValueRange operands);

  /// Barrier of the computing warps.
  void barrier(const KernelValues &kernel);
  /// `value` of lane `lane ^ distance`.
  mlir::Value shuffleXor(mlir::Value value, int64_t distance);

private:
  mlir::Value like(mlir::Value a, int64_t value);
};

/// The executing warp's number along the rows of a fragment, and its group of
/// columns (null where there is one).
struct WarpPlace {
  mlir::Value row, group;

  static WarpPlace get(Emitter &e, const KernelValues &kernel,
                       FragmentType type);
};

/// The first row and column that the executing lane holds of a fragment:
/// `LayoutAttrInterface::getLanePlaces` counts from them.
struct LaneBase {
  mlir::Value row, column;

  static LaneBase get(Emitter &e, const KernelValues &kernel,
                      FragmentType type);
};

/// Elements of a fragment as its element type, unpacked, in the order of the
/// layout; and back.
llvm::SmallVector<mlir::Value> unpack(Emitter &e, mlir::Value lowered,
                                      FragmentType type);
/// The elements in f32. A bf16 is the upper half of an f32: two integer
/// operations widen a pair, where a conversion would be a slow instruction.
llvm::SmallVector<mlir::Value> unpackWide(Emitter &e, mlir::Value lowered,
                                          FragmentType type);
mlir::Value pack(Emitter &e, llvm::ArrayRef<mlir::Value> elements,
                 FragmentType type);

/// Runs `body` in the lanes for which the condition holds.
void onlyWhere(Emitter &e, mlir::Value condition,
               llvm::function_ref<void()> body);

/// Address of the ring's stage for an iteration, and of its barriers. Copies
/// say that they have landed; where nobody watches, this is that it is full.
struct StageAddress {
  mlir::Value tile, full, empty, landed;
  mlir::Value phase; ///< parity of the stage's use, i32
};
StageAddress getStage(Emitter &e, mlir::Value ring, RingType type,
                      mlir::Value iteration);

/// The policy of the L2 cache that a hint stands for, as `createpolicy` makes
/// it.
mlir::Value getCachePolicy(Emitter &e, CacheHint hint);

/// Waits until the phase of a barrier with the given parity has completed; not
/// at all where `when` is false.
void waitBarrier(Emitter &e, mlir::Value barrier, mlir::Value parity,
                 mlir::Value when = {});

/// Makes the rows of a tile in shared memory from `rows` on zero, for this
/// warpgroup and for the copy engine's proxy.
void clearRows(Emitter &e, const KernelValues &kernel, SharedType type,
               mlir::Value tile, mlir::Value rows);

/// Some of the columns that each warp holds of a fragment.
struct ColumnPart {
  int64_t first, count;
};

/// Writes the executing warp's rows of a fragment, in the columns of `part`, to
/// a tile in shared memory that begins with these columns; with `hasMatrices`
/// by stmatrix (sm_90), which asynchronous products and copies have beside
/// them.
void writeToShared(Emitter &e, const KernelValues &kernel, mlir::Value value,
                   FragmentType type, ColumnPart part, SharedType tile,
                   mlir::Value address, bool hasMatrices);

/// Where the executing warp has its strips of 16 rows in memory that has rows
/// as accumulators hold them (`strips` of flash_tile.store), in bytes from the
/// first row: those of each repetition of a fragment, as i32.
llvm::SmallVector<mlir::Value>
getStripOffsets(Emitter &e, const KernelValues &kernel, FragmentType type);

/// Writes a fragment of f32 to a tile of shared memory, in strips.
void writeStripsToShared(Emitter &e, const KernelValues &kernel,
                         mlir::Value value, FragmentType type,
                         mlir::Value address);

/// Where the executing warp's rows and columns begin in a tile in shared
/// memory. Its columns are those of whole panels.
mlir::Value getWarpAddress(Emitter &e, const WarpPlace &warp, FragmentType type,
                           SharedType tile, mlir::Value address);

/// Where the columns that a warp reads of a product's second operand begin.
mlir::Value getGroupAddress(Emitter &e, const WarpPlace &warp,
                            FragmentType result, SharedType b, bool transposeB,
                            mlir::Value address);

/// Pattern with access to the values of the kernel around an op.
template <typename OpT>
class TilePattern : public mlir::OpConversionPattern<OpT> {
public:
  TilePattern(const mlir::TypeConverter &converter, mlir::MLIRContext *context,
              const KernelMap &kernels)
      : mlir::OpConversionPattern<OpT>(converter, context), kernels(kernels) {}

protected:
  /// Null outside of a kernel with a number of warps.
  const KernelValues *getKernel(mlir::Operation *op) const {
    auto it = kernels.find(op->getParentOfType<mlir::gpu::GPUFuncOp>());
    return it == kernels.end() ? nullptr : &it->second;
  }
  const KernelMap &kernels;
};

/// Address of what an op owns in shared memory; an error at the op where it has
/// no place yet.
template <typename OpT>
llvm::FailureOr<mlir::Value>
getSharedAddress(Emitter &e, const KernelValues &kernel, OpT op) {
  if (!op.getSharedOffset())
    return op.emitOpError()
           << "has no shared_offset; run flash-tile-allocate-shared";
  return e.add(kernel.shared, *op.getSharedOffset());
}

/// Erases the bundles whose elements alone are read.
void eraseUnreadBundles(mlir::gpu::GPUFuncOp function);

/// Makes positions and heads of a thread's rows, where heads share a tile,
/// differ by constants.
void simplifyRowQuotients(mlir::gpu::GPUFuncOp function,
                          const KernelValues &kernel);

/// Says that a loop, which is rare or short, is not unrolled.
void keepLoop(mlir::scf::ForOp loop);

/// Keeps what roles compute from scalars in memory in one piece.
void pinScalars(mlir::gpu::GPUFuncOp kernel);

/// Compares positions in a converted kernel in 32 bits.
void narrowComparisons(mlir::gpu::GPUFuncOp function,
                       const KernelValues &kernel);

/// Makes instructions of the functions in a module's kernels; reports what
/// there is no way to compute.
llvm::LogicalResult lowerMathFunctions(mlir::gpu::GPUModuleOp module);

/// Makes f32 of positions and distances in a converted kernel, with integers
/// for a row and not for each element.
void convertDistances(mlir::gpu::GPUFuncOp function,
                      const KernelValues &kernel);

/// Joins products and sums of f32 in a converted kernel.
void contractProducts(mlir::gpu::GPUFuncOp function);

void populateFragmentPatterns(const TileTypeConverter &converter,
                              mlir::RewritePatternSet &patterns,
                              const KernelMap &kernels);
void populateMapPatterns(const TileTypeConverter &converter,
                         mlir::RewritePatternSet &patterns,
                         const KernelMap &kernels);
void populateTransferPatterns(const TileTypeConverter &converter,
                              mlir::RewritePatternSet &patterns,
                              const KernelMap &kernels);
void populateFetchPatterns(const TileTypeConverter &converter,
                           mlir::RewritePatternSet &patterns,
                           const KernelMap &kernels);
void populateStorePatterns(const TileTypeConverter &converter,
                           mlir::RewritePatternSet &patterns,
                           const KernelMap &kernels);
void populateStoreSharedPatterns(const TileTypeConverter &converter,
                                 mlir::RewritePatternSet &patterns,
                                 const KernelMap &kernels);
void populateRingPatterns(const TileTypeConverter &converter,
                          mlir::RewritePatternSet &patterns,
                          const KernelMap &kernels);
void populateClearPatterns(const TileTypeConverter &converter,
                           mlir::RewritePatternSet &patterns,
                           const KernelMap &kernels);
void populateClearSharePatterns(const TileTypeConverter &converter,
                                mlir::RewritePatternSet &patterns,
                                const KernelMap &kernels);
void populateQueuePatterns(const TileTypeConverter &converter,
                           mlir::RewritePatternSet &patterns,
                           const KernelMap &kernels);
void populateHandOverPatterns(const TileTypeConverter &converter,
                              mlir::RewritePatternSet &patterns,
                              const KernelMap &kernels);
void populateMmaSyncPatterns(const TileTypeConverter &converter,
                             mlir::RewritePatternSet &patterns,
                             const KernelMap &kernels);
void populateWgmmaPatterns(const TileTypeConverter &converter,
                           mlir::RewritePatternSet &patterns,
                           const KernelMap &kernels);
void populateSpecializePatterns(const TileTypeConverter &converter,
                                mlir::RewritePatternSet &patterns,
                                const KernelMap &kernels);

} // namespace flash::tile

#endif // FLASH_LIB_CONVERSION_TILETONVVM_LOWERING_H
