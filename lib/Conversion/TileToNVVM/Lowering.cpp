//===- Lowering.cpp - From tiles to the registers of one lane ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The type converter, the emitter, and how a lane's part of a fragment is kept:
//
//   fragment<128x64xf32, acc<8>>  ->  32 f32
//   fragment<128x64xbf16, lhs<8>> ->  16 i32, pairs of columns
//   shared<128x64xbf16>           ->  i32
//
// While ops are converted, the elements of a fragment travel as one value, a
// cast to a vector of them (`bundle`); flash-tile-unpack-fragments leaves the
// elements.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace flash::tile;

bool flash::tile::isPacked(FragmentType type) {
  return isa<AccLayoutAttr, LhsLayoutAttr, StreamLayoutAttr>(
             type.getLayout()) &&
         isa<FloatType>(type.getElementType()) &&
         type.getElementType().getIntOrFloatBitWidth() == 16;
}

static Type convertFragment(FragmentType type) {
  int64_t elements = type.getElementsPerLane();
  if (isPacked(type))
    return VectorType::get(elements / 2,
                           IntegerType::get(type.getContext(), 32));
  if (type.getElementType().isIndex())
    return {};
  return VectorType::get(elements, type.getElementType());
}

TileTypeConverter::TileTypeConverter(MLIRContext *context) {
  addConversion([](Type type) { return type; });
  addConversion([](FragmentType type) { return convertFragment(type); });
  addConversion(
      [](PendingType type) { return convertFragment(type.getAccumulator()); });
  addConversion([](SharedType type) -> Type {
    return IntegerType::get(type.getContext(), 32);
  });
  addConversion([](RingType type) -> Type {
    return IntegerType::get(type.getContext(), 32);
  });
  addConversion([](QueueType type) -> Type {
    return IntegerType::get(type.getContext(), 32);
  });
  addConversion([](TensorMapType type) -> Type {
    return LLVM::LLVMPointerType::get(type.getContext());
  });
}

//===----------------------------------------------------------------------===//
// Emitter
//===----------------------------------------------------------------------===//

Value Emitter::i32(int64_t value) {
  return arith::ConstantOp::create(*this, getI32IntegerAttr(value));
}
Value Emitter::i64(int64_t value) {
  return arith::ConstantOp::create(*this, getI64IntegerAttr(value));
}
Value Emitter::like(Value a, int64_t value) {
  return arith::ConstantOp::create(*this, getIntegerAttr(a.getType(), value));
}
Value Emitter::add(Value a, Value b) {
  return createOrFold<arith::AddIOp>(a, b);
}
Value Emitter::sub(Value a, Value b) {
  return createOrFold<arith::SubIOp>(a, b);
}
Value Emitter::mul(Value a, Value b) {
  return createOrFold<arith::MulIOp>(a, b);
}
Value Emitter::bitAnd(Value a, int64_t b) {
  return createOrFold<arith::AndIOp>(a, like(a, b));
}
Value Emitter::bitOr(Value a, Value b) {
  return createOrFold<arith::OrIOp>(a, b);
}
Value Emitter::bitXor(Value a, Value b) {
  return createOrFold<arith::XOrIOp>(a, b);
}
Value Emitter::shl(Value a, int64_t b) {
  return createOrFold<arith::ShLIOp>(a, like(a, b));
}
Value Emitter::shr(Value a, int64_t b) {
  return createOrFold<arith::ShRUIOp>(a, like(a, b));
}
Value Emitter::div(Value a, int64_t b) {
  return createOrFold<arith::DivUIOp>(a, like(a, b));
}
Value Emitter::rem(Value a, int64_t b) {
  return createOrFold<arith::RemUIOp>(a, like(a, b));
}
Value Emitter::less(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, a, b);
}
Value Emitter::min(Value a, Value b) {
  return createOrFold<arith::MinSIOp>(a, b);
}
Value Emitter::max(Value a, Value b) {
  return createOrFold<arith::MaxSIOp>(a, b);
}
Value Emitter::select(Value condition, Value a, Value b) {
  return createOrFold<arith::SelectOp>(condition, a, b);
}
Value Emitter::toI32(Value index) {
  return createOrFold<arith::IndexCastOp>(getI32Type(), index);
}
Value Emitter::toI64(Value value) {
  if (value.getType().isIndex())
    return createOrFold<arith::IndexCastOp>(getI64Type(), value);
  return createOrFold<arith::ExtUIOp>(getI64Type(), value);
}
Value Emitter::toIndex(Value i32) {
  return createOrFold<arith::IndexCastOp>(getIndexType(), i32);
}

Value Emitter::extract(Value vector, int64_t position) {
  return LLVM::ExtractElementOp::create(*this, vector, i32(position));
}

Value Emitter::makeVector(ArrayRef<Value> elements) {
  Value vector = LLVM::PoisonOp::create(
      *this, VectorType::get(elements.size(), elements[0].getType()));
  for (auto [position, element] : llvm::enumerate(elements))
    vector =
        LLVM::InsertElementOp::create(*this, vector, element, i32(position));
  return vector;
}

Value Emitter::bundle(ArrayRef<Value> elements) {
  auto type = VectorType::get(elements.size(), elements[0].getType());
  return UnrealizedConversionCastOp::create(*this, type, elements).getResult(0);
}

SmallVector<Value> Emitter::elements(Value bundle) {
  auto type = cast<VectorType>(bundle.getType());
  if (auto made = bundle.getDefiningOp<UnrealizedConversionCastOp>())
    if (made.getInputs().size() == static_cast<size_t>(type.getNumElements()))
      return llvm::to_vector(made.getInputs());
  SmallVector<Type> types(type.getNumElements(), type.getElementType());
  return llvm::to_vector_of<Value>(
      UnrealizedConversionCastOp::create(*this, types, bundle).getResults());
}

static LLVM::InlineAsmOp createAsm(Emitter &e, TypeRange results,
                                   StringRef text, StringRef constraints,
                                   ValueRange operands, bool sideEffects) {
  return LLVM::InlineAsmOp::create(
      e, results, operands, e.getStringAttr(text), e.getStringAttr(constraints),
      sideEffects ? e.getUnitAttr() : UnitAttr(), /*is_align_stack=*/UnitAttr(),
      LLVM::TailCallKindAttr::get(e.getContext(),
                                  LLVM::tailcallkind::TailCallKind::None),
      /*asm_dialect=*/LLVM::AsmDialectAttr(), /*operand_attrs=*/ArrayAttr());
}

void Emitter::ptx(StringRef text, StringRef constraints, ValueRange operands) {
  std::string all = constraints.str();
  if (!all.empty())
    all += ",";
  createAsm(*this, {}, text, all + "~{memory}", operands,
            /*sideEffects=*/true);
}

SmallVector<Value> Emitter::ptx(TypeRange results, StringRef text,
                                StringRef constraints, ValueRange operands,
                                bool sideEffects) {
  if (results.size() == 1)
    return {createAsm(*this, results, text, constraints, operands, sideEffects)
                .getRes()};
  return llvm::to_vector_of<Value>(InlinePtxOp::create(*this, results, text,
                                                       constraints, operands,
                                                       sideEffects)
                                       .getResults());
}

Value Emitter::pin(Value number) {
  bool narrow = number.getType().isInteger(32);
  return ptx(TypeRange(number.getType()),
             narrow ? "mov.b32 $0, $1;" : "mov.b64 $0, $1;",
             narrow ? "=r,r" : "=l,l", number)[0];
}

Value Emitter::intrinsic(Type result, StringRef name, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(*this, result, getStringAttr(name),
                                       operands)
      .getResult(0);
}

void Emitter::barrier(const KernelValues &kernel) {
  Value id = i32(kernel.specialized ? consumerBarrier : 0);
  NVVM::BarrierOp::create(*this, TypeRange(), id, i32(32 * kernel.warps),
                          NVVM::BarrierReductionAttr(), Value());
}

Value Emitter::shuffleXor(Value value, int64_t distance) {
  return NVVM::ShflOp::create(*this, value.getType(), i32(-1), value,
                              i32(distance), i32(31), NVVM::ShflKind::bfly,
                              /*return_value_and_is_valid=*/UnitAttr());
}

//===----------------------------------------------------------------------===//
// Fragments and rings
//===----------------------------------------------------------------------===//

WarpPlace WarpPlace::get(Emitter &e, const KernelValues &kernel,
                         FragmentType type) {
  // A fragment of fewer warps is one warpgroup's in its turn.
  if (type.getColumnGroups() == 1)
    return {type.getRowWarps() < kernel.warps
                ? e.rem(kernel.warp, type.getRowWarps())
                : kernel.warp,
            Value()};
  return {e.rem(kernel.warp, type.getRowWarps()),
          e.div(kernel.warp, type.getRowWarps())};
}

LaneBase LaneBase::get(Emitter &e, const KernelValues &kernel,
                       FragmentType type) {
  WarpPlace warp = WarpPlace::get(e, kernel, type);
  LaneBase base{e.add(e.shl(warp.row, 4), e.shr(kernel.lane, 2)),
                e.shl(e.bitAnd(kernel.lane, 3),
                      llvm::Log2_64(type.getLayout().getRun()))};
  int64_t columns =
      type.getRank() == 2 ? type.getColumns() : type.getShape()[0];
  if (warp.group)
    base.column =
        e.add(base.column, e.mul(warp.group, columns / type.getColumnGroups()));
  return base;
}

Value flash::tile::getWarpAddress(Emitter &e, const WarpPlace &warp,
                                  FragmentType type, SharedType tile,
                                  Value address) {
  // 16 rows of 128 bytes.
  Value rows = e.add(address, e.shl(warp.row, 11));
  if (!warp.group)
    return rows;
  int64_t panels = type.getColumnsOfWarp() / tile.getPanelColumns();
  return e.add(rows, e.mul(warp.group, panels * tile.getPanelBytes()));
}

Value flash::tile::getGroupAddress(Emitter &e, const WarpPlace &warp,
                                   FragmentType result, SharedType b,
                                   bool transposeB, Value address) {
  if (!warp.group)
    return address;
  int64_t columns = result.getColumnsOfWarp(), panel = b.getPanelColumns();
  if (transposeB)
    return e.add(address, e.mul(warp.group, columns * 128));
  if (columns % panel == 0)
    return e.add(address,
                 e.mul(warp.group, columns / panel * b.getPanelBytes()));
  // Several groups share a panel: the swizzle is of addresses, so that a
  // product may begin within one.
  Value bytes = e.mul(warp.group, columns * 128 / panel);
  return e.add(e.add(address, e.bitAnd(bytes, 127)),
               e.mul(e.shr(bytes, 7), b.getPanelBytes()));
}

SmallVector<Value> flash::tile::unpack(Emitter &e, Value lowered,
                                       FragmentType type) {
  if (!isPacked(type))
    return e.elements(lowered);
  SmallVector<Value> elements;
  auto pair = VectorType::get(2, type.getElementType());
  for (Value element : e.elements(lowered)) {
    Value both = LLVM::BitcastOp::create(e, pair, element);
    elements.push_back(e.extract(both, 0));
    elements.push_back(e.extract(both, 1));
  }
  return elements;
}

SmallVector<Value> flash::tile::unpackWide(Emitter &e, Value lowered,
                                           FragmentType type) {
  SmallVector<Value> elements;
  if (isPacked(type) && type.getElementType().isBF16()) {
    for (Value pair : e.elements(lowered)) {
      for (Value half : {e.shl(pair, 16), e.bitAnd(pair, 0xFFFF0000)})
        elements.push_back(arith::BitcastOp::create(e, e.getF32Type(), half));
    }
    return elements;
  }
  for (Value element : unpack(e, lowered, type))
    elements.push_back(
        element.getType().isF32()
            ? element
            : arith::ExtFOp::create(e, e.getF32Type(), element).getResult());
  return elements;
}

Value flash::tile::pack(Emitter &e, ArrayRef<Value> elements,
                        FragmentType type) {
  if (!isPacked(type))
    return e.bundle(elements);
  SmallVector<Value> pairs;
  for (size_t i = 0; i < elements.size(); i += 2)
    pairs.push_back(LLVM::BitcastOp::create(
        e, e.getI32Type(), e.makeVector({elements[i], elements[i + 1]})));
  return e.bundle(pairs);
}

void flash::tile::onlyWhere(Emitter &e, Value condition,
                            llvm::function_ref<void()> body) {
  auto once = scf::IfOp::create(e, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToStart(once.thenBlock());
  body();
}

Value flash::tile::getCachePolicy(Emitter &e, CacheHint hint) {
  return e.i64(hint == CacheHint::EvictFirst ? 0x12F0000000000000
                                             : 0x14F0000000000000);
}

StageAddress flash::tile::getStage(Emitter &e, Value ring, RingType type,
                                   Value iteration) {
  StageAddress address;
  int64_t stages = type.getStages();
  Value it = e.toI32(iteration);
  Value stage = e.rem(it, stages);
  address.tile = e.add(ring, e.mul(stage, type.getTile().getSizeInBytes()));
  if (type.getKind() == RingKind::MBarrier) {
    address.full = e.add(e.add(ring, type.getBarrierOffset()), e.shl(stage, 3));
    address.empty = e.add(address.full, 8 * stages);
    address.landed =
        type.getWatched() ? e.add(address.full, 16 * stages) : address.full;
    address.phase = e.bitAnd(e.div(it, stages), 1);
  }
  return address;
}
