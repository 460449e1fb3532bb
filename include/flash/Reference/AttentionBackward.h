//===- AttentionBackward.h - Gradients of attention -------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The gradients of Q, K and V, from those of O and of the LSE (dO and dLSE), on
// host arrays. With S' = f(S), S = scale Q K^T, P = softmax(S') and what
// dropout keeps of P, M P:
//
//   dV = (M P)^T dO       dP = M (dO V^T)       delta = rowsum(dO O)
//   dS = P (dP - delta + dLSE) f'(S)     dQ = scale dS K     dK = scale dS^T Q
//
// A sink's probability has no value to meet: its gradient is the sum over rows
// of exp(sink - LSE) (dLSE - delta). An element that scores read gets the sum
// over all of them of P (dP - delta + dLSE) times the slope in it.
//
// The slope f' of regions is found by dual numbers, which run beside the score:
// nothing is shared with the compiler, whose rules build IR.
//
//   Float64   in f64 from the inputs on; O and LSE are computed, not taken
//   Unfused   what a framework without fusion does: the forward's Unfused, of
//             which it keeps the LSE in f32 and O in its type; dP and dS in
//             f32; P and dS rounded to the input type before they meet dO, K
//             and Q; sums in f32, also over the heads of a group
//
// A row that sees no key has gradients 0, and so has a key that no row sees.
// There are none of 8-bit keys and values.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_REFERENCE_ATTENTIONBACKWARD_H
#define FLASH_REFERENCE_ATTENTIONBACKWARD_H

#include "flash/Reference/Attention.h"

namespace flash::reference {

/// Of the shapes of Q, K and V; f64, or in Unfused the types that those have.
struct Gradients {
  rt::Array query, key, value;
  /// Of each head's sink, where options have some, and of the elements of each
  /// tensor of `readSizes`.
  std::vector<double> sinks;
  std::vector<std::vector<double>> read;
};

struct AttentionGradients {
  Gradients gradients;
  /// What the terms of each element amount to where they do not cancel: the
  /// root of the sum of their squares. Errors are measured beside it (Check.h),
  /// for a gradient may be zero but for roundings: that of a query that sees
  /// one key. Not for Unfused arithmetic.
  std::optional<Gradients> magnitudes;
};

/// `outputGradient` is of the shape of O, `lseGradient` (optional) of that of
/// the LSE. `options.outputType` is the type in which O was kept: Unfused
/// rounds to it. Where options have score functions, `scoreWithSlope` is set.
rt::Result<AttentionGradients>
attentionBackward(Arithmetic arithmetic, const rt::Array &query,
                  const rt::Array &key, const rt::Array &value,
                  const rt::Array &outputGradient, const rt::Array *lseGradient,
                  const Options &options);

/// Of each sequence by itself. Rows that belong to no sequence have gradients
/// 0; a page that several read has the sum.
rt::Result<AttentionGradients>
attentionBackward(Arithmetic arithmetic, const rt::Array &query,
                  const rt::Array &key, const rt::Array &value,
                  const rt::Array &outputGradient, const rt::Array *lseGradient,
                  const Options &options, const Sequences &sequences);

} // namespace flash::reference

#endif // FLASH_REFERENCE_ATTENTIONBACKWARD_H
