//===- AttentionOp.cpp - Another dialect's attention ------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   serving.decode %q, %keys, %values, %lengths
//   ->  cf.assert %same, "length differs: key has {lhs}, value has {rhs}" ...
//
// The dialect `serving` is not ours and has not heard of Flash. An external
// model says which of its op's operands are queries, keys, values and lengths;
// what asks AttentionOpInterface then serves it: here the checks of a call, and
// what a target takes.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/InitAll.h"

#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

#include "ServingDialect.h.inc"
#define GET_OP_CLASSES
#include "ServingOps.h.inc"

#include "ServingDialect.cpp.inc"
#define GET_OP_CLASSES
#include "ServingOps.cpp.inc"

using namespace mlir;

void serving::ServingDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "ServingOps.cpp.inc"
      >();
}

// docs: begin model
using serving::DecodeOp;
using Tensor = TypedValue<RankedTensorType>;

namespace {
struct DecodeIsAttention
    : flash::AttentionOpInterface::ExternalModel<DecodeIsAttention, DecodeOp> {
  Tensor getQuery(Operation *op) const {
    return cast<DecodeOp>(op).getQueries();
  }
  Tensor getKey(Operation *op) const {
    return cast<DecodeOp>(op).getCachedKeys();
  }
  Tensor getValue(Operation *op) const {
    return cast<DecodeOp>(op).getCachedValues();
  }
  // What is not said is as the interface has it: no ragged sequences, no pages,
  // no score functions, ...
  Tensor getKvLengths(Operation *op) const {
    return cast<DecodeOp>(op).getLengths();
  }
  flash::Layout getLayout(Operation *) const { return flash::Layout::BSHD; }
  flash::MaskAttrInterface getMaskAttr(Operation *op) const {
    return cast<flash::MaskAttrInterface>(
        static_cast<Attribute>(flash::CausalAttr::get(op->getContext())));
  }
};
} // namespace

static void attachInterface(MLIRContext *context, serving::ServingDialect *) {
  DecodeOp::attachInterface<DecodeIsAttention>(*context);
  context->loadDialect<flash::FlashDialect>(); // of the mask
}
// docs: end model

int main(int argc, char **argv) {
  DialectRegistry registry;
  flash::registerAllDialects(registry);
  flash::registerAllPasses();
  registry.insert<serving::ServingDialect>();
  registry.addExtension(attachInterface);
  return asMainReturnCode(MlirOptMain(
      argc, argv, "Flash with another dialect's attention\n", registry));
}
