//===- KnownAttributes.cpp - Misspelt attributes are errors ---------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   flash.attention %q, %k, %v {masks = #flash.causal}
//   // error: 'flash.attention' op has no attribute 'masks'; did you mean
//   // 'mask'?
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Utils/KnownAttributes.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

/// What other libraries call some things, and how they are said here: by an
/// attribute, which the operation must know, or in another way.
static constexpr struct {
  StringLiteral name, attribute, instead;
} kOtherNames[] = {
    {"is_causal", "mask", "'mask = #flash.causal'"},
    {"causal", "mask", "'mask = #flash.causal'"},
    {"window", "mask", "'mask = #flash.window<left = 127, right = 0>'"},
    {"window_size", "mask", "'mask = #flash.window<left = 127, right = 0>'"},
    {"softcap", "scores", "'scores = [#flash.softcap<30.0 : f32>]'"},
    {"alibi", "scores", "'scores = [#flash.alibi]'"},
    {"bias", "scores", "'scores = [#flash.bias]'"},
    {"softmax_scale", "scale", "'scale'"},
    {"sm_scale", "scale", "'scale'"},
    {"return_lse", "dropout_p", "a second result, whose type is the LSE's"},
};

/// The known name with the fewest edits, if they are few for its length.
static StringRef findNearest(StringRef name, ArrayRef<StringRef> known) {
  StringRef nearest;
  unsigned fewest = ~0u;
  for (StringRef candidate : known) {
    unsigned edits = name.edit_distance(candidate);
    // A part of a name is near the whole.
    if (candidate.starts_with(name) || name.starts_with(candidate))
      edits = std::min(edits, 1u);
    if (edits < fewest) {
      fewest = edits;
      nearest = candidate;
    }
  }
  size_t length = std::max(name.size(), nearest.size());
  return fewest <= std::max<size_t>(1, length / 2) ? nearest : StringRef();
}

std::string flash::suggestName(StringRef name, ArrayRef<StringRef> known) {
  if (known.empty())
    return "";
  if (StringRef nearest = findNearest(name, known); !nearest.empty())
    return "; did you mean '" + nearest.str() + "'?";
  std::string list = known.size() == 1 ? "; there is " : "; there are ";
  for (auto [number, candidate] : llvm::enumerate(known)) {
    if (number)
      list += number + 1 == known.size() ? " and " : ", ";
    list += "'" + candidate.str() + "'";
  }
  return list;
}

LogicalResult flash::verifyKnownAttributes(Operation *op) {
  for (NamedAttribute attribute : op->getDiscardableAttrs()) {
    StringRef name = attribute.getName();
    if (name.contains('.'))
      continue;
    // Sizes of segments are not written by hand.
    SmallVector<StringRef> known;
    for (StringAttr own : op->getRegisteredInfo()->getAttributeNames())
      if (!own.getValue().ends_with("SegmentSizes"))
        known.push_back(own);
    InFlightDiagnostic error = op->emitOpError()
                               << "has no attribute '" << name << "'";
    for (const auto &other : kOtherNames)
      if (name == other.name && llvm::is_contained(known, other.attribute))
        return error << "; did you mean " << other.instead << "?";
    return error << suggestName(name, known);
  }
  return success();
}
