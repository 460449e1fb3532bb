//===- KernelBuilder.h - The body of a loop over tiles, as a kernel -------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rebuilds the body of an scf.forall op by op. Values of the body become one
// of: a scalar (cloned), a fragment or shared tile (an SSA value of the tile
// dialect), a slice of device memory that nobody has read yet, or nothing at
// all (tensor.empty). Where a tile lies follows from its use: what a
// contraction reads from device memory goes through shared memory, what an
// element-wise step reads goes straight to registers.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CONVERSION_FLASHTOTILE_KERNELBUILDER_H
#define FLASH_LIB_CONVERSION_FLASHTOTILE_KERNELBUILDER_H

#include "TileLayouts.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Dialect/Tile/IR/Tile.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace flash {

/// A padded tile of device memory.
struct DeviceTile {
  mlir::Value memref;
  llvm::SmallVector<mlir::Value> offsets;
  /// The memref's dimensions that the tile's dimensions run along.
  llvm::SmallVector<int64_t> dims;
  /// Static shape of the tile.
  llvm::SmallVector<int64_t> shape;
  /// How much of each dimension exists; null where all of it does.
  llvm::SmallVector<mlir::Value> sizes;
  /// What the rest holds; null is zero.
  mlir::TypedAttr padding;
  /// Where the tile's first dimension runs along a second one of the memref.
  tile::PackedRowsAttr packed;
  /// Of rows in pages: the table, and whose row of it; else null.
  mlir::Value pages, sequence;
};

/// A dimension of a memref that rows of a tile run along: how many of them
/// there are, and how many exist (null: all).
struct RowDim {
  int64_t dim, size;
  mlir::Value exists;
};

/// Rows that run along two dimensions, as a transfer says it: along `rows`, of
/// which some may not exist, and packed.
struct FoldedRows {
  RowDim rows;
  tile::PackedRowsAttr packed;

  /// Nothing where rows may be missing along both.
  static std::optional<FoldedRows> get(mlir::MLIRContext *context, RowDim outer,
                                       RowDim inner);
};

/// A tensor that nobody holds: zeros to which a loop adds slices, and which is
/// added to a result in the end. Each slice is added to the result instead.
struct SumTarget {
  ParallelAddSliceOp end;
  /// The result's dimensions that the tensor's dimensions run along.
  llvm::SmallVector<int64_t> dims;
};

/// Finds the tensors of a loop's body that are such sums.
llvm::DenseMap<mlir::Value, SumTarget> findSums(mlir::scf::InParallelOp end);

/// A product of two matrices: `a` has the result's rows, `b` its columns.
struct Product {
  mlir::OpOperand *a, *b;
  /// Whether `a` is K x M and `b` N x K.
  bool transposeA, transposeB;
  int64_t rows;

  /// Nothing where the op is something else.
  static std::optional<Product> get(mlir::linalg::LinalgOp op);
};

/// Rewrites what a body copied from a step may not hold in a kernel; `position`
/// has the element's row and column.
void legalizeBody(mlir::Region &body, mlir::ValueRange position);

/// Tensors that bodies of elements read without a place in memory: constants
/// move in front of the loop, and an element of those that are made of numbers
/// is chosen from these.
void simplifyReads(mlir::scf::ForallOp op);

/// Gives the steps of a loop over tiles one form: linalg.generic whose loops
/// are rows and columns, beside fills, contractions and transposed views.
void normalizeSteps(mlir::Operation *root);

/// `row_dim` of a transfer, null where it is the default.
mlir::IntegerAttr getRowDimAttr(mlir::OpBuilder &builder, mlir::Value memref,
                                int64_t rank, int64_t dim);

/// Warps for a loop without a schedule: those that share the rows of its tiles.
int64_t defaultWarps(mlir::scf::ForallOp op);

class KernelBuilder {
public:
  KernelBuilder(mlir::OpBuilder &builder, int64_t warps,
                tile::InstructionAttrInterface instruction, bool stageVectors)
      : builder(builder), warps(warps), instruction(instruction),
        stageVectors(stageVectors),
        layouts(warps, instruction.getWarpsPerInstruction()) {}

  /// Says what a value from outside of the loop is in the kernel.
  void map(mlir::Value from, mlir::Value to) { scalars.map(from, to); }

  /// Says where the rows of a parameter begin: at multiples of so many bytes.
  void align(mlir::Value parameter, int64_t bytes) {
    alignments[parameter] = bytes;
  }

  /// Rebuilds the ops of a loop's body at the insertion point, and its
  /// scf.forall.in_parallel. Errors are reported at the op.
  llvm::LogicalResult convertBody(mlir::Block &body);

private:
  llvm::LogicalResult convertBlock(mlir::Block &block);
  llvm::LogicalResult convert(mlir::Operation *op);
  llvm::LogicalResult convertFor(mlir::scf::ForOp op);
  llvm::LogicalResult convertIf(mlir::scf::IfOp op);
  llvm::LogicalResult convertSlice(mlir::tensor::ExtractSliceOp op);
  llvm::LogicalResult convertPad(mlir::tensor::PadOp op);
  llvm::LogicalResult convertPages(ReadPagesOp op);
  llvm::LogicalResult convertCollapse(mlir::tensor::CollapseShapeOp op);
  llvm::LogicalResult convertRowView(mlir::Operation *op, mlir::Value tile);
  llvm::LogicalResult convertContraction(mlir::linalg::LinalgOp op);
  llvm::LogicalResult convertGeneric(mlir::linalg::GenericOp op);
  llvm::LogicalResult convertReduction(mlir::linalg::GenericOp op);
  llvm::LogicalResult convertFill(mlir::linalg::FillOp op);
  llvm::LogicalResult convertSoftmax(OnlineSoftmaxOp op);
  llvm::LogicalResult convertHide(HideUnseenOp op);
  llvm::LogicalResult convertInsert(mlir::tensor::ParallelInsertSliceOp op);
  llvm::LogicalResult convertAdd(AddSliceOp op);
  llvm::LogicalResult convertParallelAdd(ParallelAddSliceOp op);
  /// Stores a computed tile to memory, or adds it there.
  llvm::LogicalResult storeTile(mlir::Operation *op, mlir::Value source,
                                mlir::Value memref,
                                llvm::SmallVector<mlir::Value> offsets,
                                llvm::SmallVector<int64_t> dims, bool add);
  llvm::LogicalResult convertYield(mlir::Operation *op);

  /// The type of a tile tensor in registers; of a vector, where it lies.
  llvm::FailureOr<tile::FragmentType>
  fragmentType(mlir::Value tensor, std::optional<VectorPlace> place = {});
  /// A tile in registers; reports where there is none.
  llvm::FailureOr<mlir::Value> fragment(mlir::Operation *user,
                                        mlir::Value tensor,
                                        std::optional<VectorPlace> place = {});
  /// A tile in shared memory: loaded there, or computed and stored there.
  llvm::FailureOr<mlir::Value> sharedTile(mlir::Operation *user,
                                          mlir::Value tensor);
  /// Whether a product takes the operand from registers, if it is computed.
  bool isLeftFragment(mlir::OpOperand &use) const;
  /// Whether the tile was loaded into shared memory.
  bool isLoaded(mlir::Value tensor) const {
    mlir::Value value = tiles.lookup(tensor);
    return value && llvm::isa<tile::SharedType>(value.getType());
  }
  /// Loads a tile of device memory where its readers want it: into shared
  /// memory for contractions, a vector or a streamed matrix into registers.
  llvm::LogicalResult load(mlir::Operation *op, mlir::Value tensor);
  llvm::LogicalResult loadMultiplied(mlir::Operation *op, mlir::Value tensor);
  bool canStage(const DeviceTile &source, tile::FragmentType type);
  /// Whether a tile of device memory is fetched as a whole by those who look at
  /// its elements.
  bool isFetched(mlir::Value tensor);
  llvm::FailureOr<mlir::Value> loadFragment(mlir::Operation *user,
                                            mlir::Value tensor,
                                            tile::FragmentType type);
  /// A map that computes values of a step's body, in fragments of `types`.
  llvm::FailureOr<llvm::SmallVector<mlir::Value>>
  mapBody(mlir::linalg::GenericOp op, llvm::ArrayRef<tile::FragmentType> types,
          mlir::ValueRange yielded);
  /// What a reduction joins, as a matrix.
  llvm::FailureOr<mlir::Value> reducedMatrix(mlir::linalg::GenericOp op,
                                             mlir::Value value);
  /// One element of a tile of device memory, or the padding.
  mlir::Value readElement(mlir::OpBuilder &nested, mlir::Location loc,
                          const DeviceTile &tile, mlir::ValueRange position);
  mlir::Value constant(mlir::Location loc, int64_t value);
  mlir::Value scalar(mlir::Location loc, mlir::OpFoldResult value);
  /// How a vector that a loop or a branch passes on lies; nothing of others.
  std::optional<VectorPlace> placeOf(mlir::Value value) const;
  /// Whether the rows of a tile end with the memref.
  mlir::UnitAttr toEnd(const DeviceTile &tile, int64_t rows);
  int64_t alignment(const DeviceTile &tile);

  mlir::OpBuilder &builder;
  int64_t warps;
  tile::InstructionAttrInterface instruction;
  /// Whether values that no query sees are cleared.
  /// Whether vectors along columns that a loop reads go through shared memory.
  bool stageVectors;
  TileLayouts layouts;
  mlir::IRMapping scalars;
  /// Of parameters, in bytes.
  llvm::DenseMap<mlir::Value, int64_t> alignments;
  llvm::DenseMap<mlir::Value, mlir::Value> tiles;
  llvm::DenseMap<mlir::Value, SumTarget> sums;
  /// Computed tiles that products read from shared memory.
  llvm::DenseMap<mlir::Value, mlir::Value> sharedCopies;
  /// Vectors and streamed matrices of device memory in registers, for each
  /// layout.
  llvm::DenseMap<std::pair<mlir::Value, mlir::Attribute>, mlir::Value> vectors;
  llvm::DenseMap<mlir::Value, DeviceTile> deviceTiles;
};

} // namespace flash

#endif // FLASH_LIB_CONVERSION_FLASHTOTILE_KERNELBUILDER_H
