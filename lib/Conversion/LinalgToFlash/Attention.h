//===- Attention.h - A recognised attention ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
#ifndef FLASH_CONVERSION_LINALGTOFLASH_ATTENTION_H
#define FLASH_CONVERSION_LINALGTOFLASH_ATTENTION_H

#include "Output.h"
#include "Positions.h"
#include "Regions.h"

namespace flash::raise {

/// Everything about an attention that was recognised.
struct Attention {
  Operand query, key, value;
  /// Of Q, K and V: the widest of the three.
  mlir::Type element;
  Roles roles;
  Output output;
  /// The logarithm of the sum of the exponentials, where the program has it.
  std::optional<Output> lse;
  /// A logit of each head, or one for all, beside the scores.
  std::optional<Operand> sink;
  std::optional<double> sinkNumber;
  double scale;
  Window window;
  /// What has to be at least 0 so that each query sees a key: asserted.
  llvm::SmallVector<LinearSum> seesIf;
  /// As many queries as keys, where neither is static.
  bool isSquare = false;
  std::vector<ScoreFunction> functions;
  std::unique_ptr<RegionWriter> regions;
};

/// Q, K and V of the contraction of `scores`, and of `product`, whose factor is
/// `value`: as 16-bit tensors if the probabilities are rounded alike.
llvm::LogicalResult matchOperands(Match &match, const Softmax &softmax,
                                  const Contraction &product,
                                  const Contraction &scores, Scalar value,
                                  unsigned keyDim, Attention &attention);

/// Matches an attention whose second contraction is `op`.
mlir::FailureOr<Attention> matchAttention(Match &match,
                                          mlir::linalg::LinalgOp op);

/// Whether a dimension of queries was taken apart, and a part of it for heads.
bool hasSplitQueries(const Domain &domain, const Attention &attention);

/// How a bias is rearranged to batch x heads x queries x keys: the dimensions
/// that its own are made of, before and after. Nothing if it cannot be.
struct BiasShape {
  llvm::SmallVector<llvm::SmallVector<unsigned>> from, to;
};
std::optional<BiasShape> getBiasShape(const Domain &domain, const Roles &roles,
                                      const Scalar &bias);

/// Puts flash.attention in the place of the output, in the layout that needs
/// fewer transposes.
void buildAttention(mlir::RewriterBase &rewriter, Tracer &tracer,
                    const Attention &attention, mlir::Location loc);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_ATTENTION_H
