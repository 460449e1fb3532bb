//===- OutlineParallel.cpp - Parallel loops become calls of the runtime ---===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Moves the body of each scf.forall into a function over a range of iterations,
// and its buffers out of the loop:
//
//   scf.forall (%i, %j) in (%n, %m) { memref.alloc ... }
//   ->
//   func.func private @f_body0(%ctx: !llvm.ptr, %begin: i64, %end: i64) {
//     memref.alloca ...              // once, not once an iteration
//     scf.for %t = %begin to %end    // %i = %t / %m, %j = %t % %m
//   }
//   call @flash_rt_parallel_for(%n * %m, @f_body0, %ctx)
//
// The runtime's thread pool decides which thread runs which range. Scratch
// memory is per call, so it does not depend on the length of the sequence.
// After bufferization and before control flow is lowered.
//
//===----------------------------------------------------------------------===//

#include "flash/Conversion/FlashToCPU/Passes.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

#define DEBUG_TYPE "flash-outline-parallel"

namespace flash {
#define GEN_PASS_DEF_OUTLINEPARALLELPASS
#include "flash/Conversion/FlashToCPU/Passes.h.inc"
} // namespace flash

using namespace mlir;

/// The runtime's entry: lib/Runtime/ParallelFor.cpp.
static constexpr StringLiteral kParallelFor = "flash_rt_parallel_for";

static func::FuncOp getOrInsertParallelFor(ModuleOp module) {
  if (auto func = module.lookupSymbol<func::FuncOp>(kParallelFor))
    return func;
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  auto ptr = LLVM::LLVMPointerType::get(b.getContext());
  auto func =
      func::FuncOp::create(b, module.getLoc(), kParallelFor,
                           b.getFunctionType({b.getI64Type(), ptr, ptr}, {}));
  func.setPrivate();
  return func;
}

/// Moves buffers of static size that the loop's iterations allocate to the
/// start of the function; an iteration writes before it reads, as it did with a
/// fresh buffer. They lie on the stack, unless they would fill a good part of a
/// thread's.
static LogicalResult hoistBuffers(func::FuncOp body) {
  constexpr int64_t kMaxStackBytes = 1 << 20;
  SmallVector<memref::AllocOp> allocs;
  int64_t bytes = 0;
  body.walk([&](memref::AllocOp alloc) { allocs.push_back(alloc); });
  for (memref::AllocOp alloc : allocs) {
    MemRefType type = alloc.getType();
    if (!type.hasStaticShape() || !type.getElementType().isIntOrFloat())
      return alloc.emitError(
          "scratch memory inside a parallel loop has to have "
          "a static size");
    bytes += type.getNumElements() *
             llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  }
  Block &block = body.getBody().front();
  OpBuilder b = OpBuilder::atBlockBegin(&block);
  IntegerAttr alignment = b.getI64IntegerAttr(64);
  for (memref::AllocOp alloc : allocs) {
    for (Operation *user : llvm::make_early_inc_range(alloc->getUsers()))
      if (isa<memref::DeallocOp>(user))
        user->erase();
    Location loc = alloc.getLoc();
    Value buffer;
    if (bytes <= kMaxStackBytes) {
      buffer = memref::AllocaOp::create(b, loc, alloc.getType(), alignment);
    } else {
      buffer = memref::AllocOp::create(b, loc, alloc.getType(), alignment);
      OpBuilder end(block.getTerminator());
      memref::DeallocOp::create(end, loc, buffer);
    }
    alloc.replaceAllUsesWith(buffer);
    alloc.erase();
  }
  return success();
}

/// Whether a buffer, or a view of it, is what its block yields.
static bool isYielded(Value buffer, Block *block) {
  return llvm::any_of(buffer.getUsers(), [&](Operation *user) {
    if (user->hasTrait<OpTrait::IsTerminator>())
      return user->getBlock() == block;
    return isa<ViewLikeOpInterface>(user) &&
           llvm::any_of(user->getResults(),
                        [&](Value view) { return isYielded(view, block); });
  });
}

/// Frees what a function still allocates itself (results of a loop that the
/// next one reads) before it returns, and an iteration or a branch before it
/// ends; no buffer leaves it, results are outputs.
static void freeBuffers(func::FuncOp func) {
  if (func.isExternal() || !func.getBody().hasOneBlock())
    return;
  SmallVector<memref::AllocOp> allocs;
  func.walk([&](memref::AllocOp alloc) {
    if (!llvm::any_of(alloc->getUsers(), llvm::IsaPred<memref::DeallocOp>) &&
        !isYielded(alloc, alloc->getBlock()))
      allocs.push_back(alloc);
  });
  for (memref::AllocOp alloc : allocs) {
    OpBuilder b(alloc->getBlock()->getTerminator());
    memref::DeallocOp::create(b, alloc.getLoc(), alloc);
  }
}

LogicalResult flash::outlineParallelLoop(scf::ForallOp forall) {
  if (forall.getNumResults() != 0)
    return forall.emitOpError("has tensor results; bufferize it first");
  auto parent = forall->getParentOfType<func::FuncOp>();
  auto module = forall->getParentOfType<ModuleOp>();
  if (!parent || !module)
    return forall.emitOpError("is not in a function of a module");

  MLIRContext *context = forall.getContext();
  Location loc = forall.getLoc();
  OpBuilder b(forall);
  auto ptr = LLVM::LLVMPointerType::get(context);
  LowerToLLVMOptions options(context);
  LLVMTypeConverter converter(context, options);

  // Iterations in each dimension, and all of them.
  auto asValue = [&](OpFoldResult v) {
    return getValueOrCreateConstantIndexOp(b, loc, v);
  };
  SmallVector<Value> lowers, steps, counts;
  Value total = arith::ConstantIndexOp::create(b, loc, 1);
  for (auto [lower, upper, step] :
       llvm::zip(forall.getMixedLowerBound(), forall.getMixedUpperBound(),
                 forall.getMixedStep())) {
    lowers.push_back(asValue(lower));
    steps.push_back(asValue(step));
    Value count = arith::SubIOp::create(b, loc, asValue(upper), lowers.back());
    count = arith::CeilDivSIOp::create(b, loc, count, steps.back());
    counts.push_back(count);
    total = arith::MulIOp::create(b, loc, total, count);
  }

  // What the body reads from around it: constants are repeated, the rest
  // travels in a structure on the caller's stack.
  llvm::SetVector<Value> captures;
  getUsedValuesDefinedAbove(forall.getRegion(), captures);
  captures.insert(lowers.begin(), lowers.end());
  captures.insert(steps.begin(), steps.end());
  captures.insert(counts.begin(), counts.end());
  SmallVector<Value> constants, fields;
  for (Value value : captures) {
    Operation *def = value.getDefiningOp();
    if (def && def->hasTrait<OpTrait::ConstantLike>())
      constants.push_back(value);
    else
      fields.push_back(value);
  }
  SmallVector<Type> fieldTypes;
  for (Value value : fields) {
    Type type = converter.convertType(value.getType());
    if (!type)
      return forall.emitOpError("captures a value of type ")
             << value.getType() << ", which has no LLVM equivalent";
    fieldTypes.push_back(type);
  }
  auto contextType = LLVM::LLVMStructType::getLiteral(context, fieldTypes);

  // The function.
  std::string name;
  unsigned number = 0;
  do
    name = (parent.getSymName() + "_body" + Twine(number++)).str();
  while (module.lookupSymbol(name));
  Type i64 = b.getI64Type();
  OpBuilder outside(parent);
  auto body = func::FuncOp::create(outside, loc, name,
                                   b.getFunctionType({ptr, i64, i64}, {}));
  body.setPrivate();
  OpBuilder in = OpBuilder::atBlockBegin(body.addEntryBlock());
  IRMapping mapping;
  for (Value value : constants)
    in.clone(*value.getDefiningOp(), mapping);
  auto castTo = [&](OpBuilder &at, Value value, Type type) -> Value {
    if (value.getType() == type)
      return value;
    return UnrealizedConversionCastOp::create(at, loc, type, value)
        .getResult(0);
  };
  Value loaded =
      LLVM::LoadOp::create(in, loc, contextType, body.getArgument(0));
  for (auto [i, value] : llvm::enumerate(fields)) {
    Value field = LLVM::ExtractValueOp::create(in, loc, loaded, i);
    mapping.map(value, castTo(in, field, value.getType()));
  }
  auto index = [&](Value v) -> Value {
    return arith::IndexCastOp::create(in, loc, in.getIndexType(), v);
  };
  Value begin = index(body.getArgument(1)), end = index(body.getArgument(2));
  Value one = arith::ConstantIndexOp::create(in, loc, 1);
  auto loop = scf::ForOp::create(in, loc, begin, end, one);
  func::ReturnOp::create(in, loc);
  in.setInsertionPoint(loop.getBody()->getTerminator());
  Value rest = loop.getInductionVar();
  SmallVector<Value> ivs(counts.size());
  for (int64_t dim = counts.size() - 1; dim >= 0; --dim) {
    Value here = rest;
    if (dim > 0) {
      Value count = mapping.lookup(counts[dim]);
      here = arith::RemSIOp::create(in, loc, rest, count);
      rest = arith::DivSIOp::create(in, loc, rest, count);
    }
    here = arith::MulIOp::create(in, loc, here, mapping.lookup(steps[dim]));
    here = arith::AddIOp::create(in, loc, here, mapping.lookup(lowers[dim]));
    mapping.map(forall.getInductionVar(dim), here);
  }
  for (Operation &op : forall.getBody()->without_terminator())
    in.clone(op, mapping);
  if (failed(hoistBuffers(body)))
    return failure();

  // The call. The structure is allocated at the start of the caller.
  OpBuilder entry = OpBuilder::atBlockBegin(&parent.getBody().front());
  Value oneSlot =
      LLVM::ConstantOp::create(entry, loc, i64, entry.getI64IntegerAttr(1));
  Value slot = LLVM::AllocaOp::create(entry, loc, ptr, contextType, oneSlot);
  Value packed = LLVM::PoisonOp::create(b, loc, contextType);
  for (auto [i, value] : llvm::enumerate(fields))
    packed = LLVM::InsertValueOp::create(b, loc, packed,
                                         castTo(b, value, fieldTypes[i]), i);
  LLVM::StoreOp::create(b, loc, packed, slot);
  Value address = func::ConstantOp::create(b, loc, body.getFunctionType(),
                                           body.getSymName());
  Value n = arith::IndexCastOp::create(b, loc, i64, total);
  func::CallOp::create(b, loc, getOrInsertParallelFor(module),
                       ValueRange{n, castTo(b, address, ptr), slot});
  forall.erase();
  return success();
}

namespace {

struct OutlineParallelPass
    : flash::impl::OutlineParallelPassBase<OutlineParallelPass> {
  void runOnOperation() override {
    SmallVector<scf::ForallOp> loops;
    getOperation().walk<WalkOrder::PreOrder>([&](scf::ForallOp op) {
      loops.push_back(op);
      return WalkResult::skip();
    });
    for (scf::ForallOp loop : loops) {
      if (failed(flash::outlineParallelLoop(loop)))
        return signalPassFailure();
      ++numOutlined;
    }
    for (auto func : getOperation().getOps<func::FuncOp>())
      freeBuffers(func);
  }
};

} // namespace
