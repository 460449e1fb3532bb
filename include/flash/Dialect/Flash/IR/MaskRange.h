//===- MaskRange.h - Which keys a mask region shows -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_MASKRANGE_H
#define FLASH_DIALECT_FLASH_IR_MASKRANGE_H

#include "flash/Dialect/Flash/IR/Flash.h"

namespace flash {

/// Whether blocks between visible ones can be found hidden by `mask`, whose
/// region, if it has one, is `body`: not where the range of keys that the
/// region shows to a query says all that it says of keys, and not where nothing
/// is known of its blocks.
bool mayHaveHoles(MaskAttrInterface mask, mlir::Region &body);

/// Says what a mask region says of the distance between query and key by
/// attributes, #flash.causal or #flash.window, for which there are schedules
/// and shorter predicates; what is left stays a region beside them. Fails where
/// there is nothing of the kind, and for ops of other dialects.
llvm::LogicalResult liftMaskRegion(mlir::RewriterBase &rewriter,
                                   AttentionOpInterface op);

} // namespace flash

#endif // FLASH_DIALECT_FLASH_IR_MASKRANGE_H
