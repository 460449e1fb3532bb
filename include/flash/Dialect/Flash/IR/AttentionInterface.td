//===- AttentionInterface.td - What attentions share -------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The forward and the backward of attention have the same operands for queries,
// keys, positions, lengths, masks and scores. Whoever asks for one of these asks
// the interface, and so serves both, and ops of other dialects that implement it
// (examples/attention-op has one).
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_ATTENTIONINTERFACE
#define FLASH_DIALECT_FLASH_IR_ATTENTIONINTERFACE

include "mlir/IR/OpBase.td"

class Flash_TensorMethod<string description, string name>
    : InterfaceMethod<description, "::mlir::TypedValue<::mlir::RankedTensorType>", name>;
/// An operand that an attention may be without: null, the default.
class Flash_OptionalTensorMethod<string description, string name>
    : InterfaceMethod<description, "::mlir::TypedValue<::mlir::RankedTensorType>", name, (ins),
                      /*methodBody=*/"", /*defaultImplementation=*/"return {};">;
class Flash_OptionalIndexMethod<string description, string name>
    : InterfaceMethod<description, "::mlir::TypedValue<::mlir::IndexType>", name, (ins),
                      /*methodBody=*/"", /*defaultImplementation=*/"return {};">;
class Flash_OptionalIntegerMethod<string description, string name>
    : InterfaceMethod<description, "::mlir::TypedValue<::mlir::IntegerType>", name, (ins),
                      /*methodBody=*/"", /*defaultImplementation=*/"return {};">;
/// Operands of which there may be none, the default.
class Flash_RangeMethod<string description, string name>
    : InterfaceMethod<description, "::mlir::OperandRange", name, (ins),
                      /*methodBody=*/"", /*defaultImplementation=*/"return $_op->getOperands().take_front(0);">;
/// A region that an attention may be without: empty, the default.
class Flash_RegionMethod<string description, string name>
    : InterfaceMethod<description, "::mlir::Region &", name, (ins),
                      /*methodBody=*/"", /*defaultImplementation=*/"return ::flash::detail::getNoRegion();">;

def AttentionOpInterface : OpInterface<"AttentionOpInterface"> {
  let cppNamespace = "::flash";
  let description = [{
    Softmax(score(scale * Q K^T), masked) V, or a gradient of it: the operands
    and attributes mean what `flash.attention` says of them. An op has to name its
    query, key and value (rank 4, in `layout`); of all else it has none by default,
    and says so where it has. An op that its dialect cannot change takes the
    interface by an external model.
  }];
  let methods = [
    Flash_TensorMethod<"Queries: batch x heads x Sq x dqk.", "getQuery">,
    Flash_TensorMethod<"Keys: batch x key heads x Sk x dqk.", "getKey">,
    Flash_TensorMethod<"Values: batch x key heads x Sk x dv.", "getValue">,
    Flash_OptionalIndexMethod<"Position of the first query.", "getQOffset">,
    Flash_OptionalIndexMethod<"Position of the first key.", "getKvOffset">,
    Flash_OptionalTensorMethod<"Where each ragged sequence's queries begin.", "getCuSeqlensQ">,
    Flash_OptionalTensorMethod<"Where each ragged sequence's keys begin.", "getCuSeqlensK">,
    Flash_OptionalTensorMethod<"How many keys each batch has.", "getKvLengths">,
    Flash_OptionalTensorMethod<"Pages of each batch.", "getPageTable">,
    Flash_OptionalTensorMethod<"Factors of 8-bit keys.", "getKeyScale">,
    Flash_OptionalTensorMethod<"Factors of 8-bit values.", "getValueScale">,
    Flash_RangeMethod<"Run-time data of the mask.", "getMaskOperands">,
    Flash_RangeMethod<"Run-time data of the score functions.", "getScoreOperands">,
    Flash_OptionalTensorMethod<"A logit for each query head.", "getSinks">,
    Flash_OptionalIntegerMethod<"Seed of dropout.", "getSeed">,
    Flash_OptionalIntegerMethod<"Offset of dropout.", "getDropoutOffset">,
    Flash_RangeMethod<"What the regions read.", "getCaptures">,
    InterfaceMethod<"Order of the dimensions.", "::flash::Layout", "getLayout", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return ::flash::Layout::BHSD;">,
    InterfaceMethod<"The mask; null if there is none.", "::flash::MaskAttrInterface", "getMaskAttr", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
    InterfaceMethod<"Score functions in their order; null if there are none.", "::mlir::ArrayAttr", "getScoresAttr", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
    InterfaceMethod<"The chance that a probability is dropped.", "::std::optional<::llvm::APFloat>", "getDropoutP", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return ::std::nullopt;">,
    InterfaceMethod<"The factor of Q K^T; without one, 1 / sqrt(dqk).", "::std::optional<::llvm::APFloat>", "getScale", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return ::std::nullopt;">,
    InterfaceMethod<"Which of several slices of the keys this is; null for all.", "::flash::SliceAttr", "getKeySliceAttr", (ins),
      /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
    Flash_RegionMethod<"The region of #flash.region in `scores`.", "getScoreBody">,
    Flash_RegionMethod<"The region of #flash.region in `mask`.", "getMaskBody">,
  ];
  let extraSharedClassDeclaration = [{
    /// Which dimension of Q, K, V and O is which, by the layout.
    static constexpr int64_t kBatchDim = 0, kHeadDimDim = 3;
    int64_t getHeadsDim() { return $_op.getLayout() == ::flash::Layout::BHSD ? 1 : 2; }
    int64_t getLengthDim() { return $_op.getLayout() == ::flash::Layout::BHSD ? 2 : 1; }
    int64_t getQKHeadDim() { return $_op.getQuery().getType().getDimSize(kHeadDimDim); }
    int64_t getVHeadDim() { return $_op.getValue().getType().getDimSize(kHeadDimDim); }
    /// The scale, by default 1/sqrt(dqk); a number of the accumulator's type.
    double getScaleOrDefault() { return ::flash::detail::getScaleOrDefault($_op); }
    /// f64 for f64 inputs, else f32.
    ::mlir::Type getAccumulatorType() { return ::flash::detail::getAccumulatorType($_op); }
    /// The mask, #flash.region if there is only a region; null if none.
    ::flash::MaskAttrInterface getEffectiveMask() { return ::flash::detail::getEffectiveMask($_op); }
    /// Queries and keys of the blocks that its lists number; 0 without lists.
    std::pair<int64_t, int64_t> getMaskBlockSizes() { return ::flash::detail::getMaskBlockSizes($_op); }
    /// The score functions, #flash.region if there is only a region.
    ::llvm::SmallVector<::flash::ScoreAttrInterface> getEffectiveScores() {
      return ::flash::detail::getEffectiveScores($_op);
    }
    bool isRagged() { return bool($_op.getCuSeqlensQ()); }
    bool isPaged() { return bool($_op.getPageTable()); }
    /// Whether anything looks at positions: then a slice needs its offsets.
    bool usesPositions() { return ::flash::detail::usesPositions($_op); }
    ::flash::AttentionDims getDims() { return ::flash::detail::getDims($_op); }
  }];
}

#endif // FLASH_DIALECT_FLASH_IR_ATTENTIONINTERFACE
