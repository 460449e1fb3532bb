//===- Matchers.h - The parts of an attention in linalg ---------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One matcher for each idea: contraction, softmax, scores (scale and mask),
// positions, operands. Each returns what it found, or fails; once something
// is an attention by its looks, a failure leaves the reason and its place.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_CONVERSION_LINALGTOFLASH_MATCHERS_H
#define FLASH_CONVERSION_LINALGTOFLASH_MATCHERS_H

#include "Scalars.h"

#include "flash/Dialect/Flash/IR/Flash.h"

namespace flash::raise {

/// Why something that looks like attention is not one that can be raised.
struct NearMiss {
  mlir::Location loc;
  std::string reason;
};

/// What the user of the pass allows.
struct Allowances {
  /// 16-bit operands where probabilities are not rounded.
  bool roundProbabilities = false;
  /// The lowest numbers of a type hide, even in rows that see no key.
  bool finiteMinimaHide = false;
};

/// What the matchers share: how to trace, and the first reason of a failure.
struct Match {
  Tracer &tracer;
  Allowances options = {};
  std::optional<NearMiss> nearMiss = std::nullopt;
  /// Dimensions of the second contraction that one factor alone has are not
  /// split: queries that stand in rows and columns, say.
  bool keepQueriesWhole = false;
  /// Masks of finite numbers are score functions: it is not certain that each
  /// query sees a key.
  bool keepFiniteMasks = false;
  /// Whether that is to be tried next.
  bool wantsFiniteMasksKept = false;
  /// What is raised, but in a form that costs more than another would.
  std::vector<NearMiss> advice = {};
  /// Scalars that a mask was taken from, and what is left of each where the
  /// mask shows: a scalar, or nothing of a term.
  std::vector<std::pair<Scalar, std::optional<Scalar>>> unmasked = {};

  llvm::LogicalResult miss(mlir::Location loc, const llvm::Twine &reason) {
    if (!nearMiss)
      nearMiss = NearMiss{loc, reason.str()};
    return llvm::failure();
  }
  void advise(mlir::Location loc, const llvm::Twine &text) {
    std::string reason = text.str();
    if (llvm::none_of(advice, [&](const NearMiss &other) {
          return other.reason == reason;
        }))
      advice.push_back({loc, reason});
  }
  const std::optional<Scalar> *findUnmasked(const Scalar &scalar) const {
    for (const auto &[masked, left] : unmasked)
      if (masked.value == scalar.value && masked.at == scalar.at)
        return &left;
    return nullptr;
  }
};

//===----------------------------------------------------------------------===//
// Contraction
//===----------------------------------------------------------------------===//

/// A linalg op whose body is `accumulator + lhs * rhs`, at given loops.
struct Contraction {
  mlir::linalg::LinalgOp op;
  Scalar lhs, rhs;
  Indices loops;
  /// The element of the result.
  Indices at;
};

/// Whether the op's body is that of a contraction.
bool isContraction(mlir::linalg::LinalgOp op);

/// The contraction at these loops.
std::optional<Contraction>
getContraction(Tracer &tracer, mlir::linalg::LinalgOp op, Indices loops);

/// The contraction that a scalar is an element of. The dimensions that it sums
/// over are new ones of the domain.
std::optional<Contraction> matchContraction(Tracer &tracer,
                                            const Scalar &element);

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// Probabilities as exp(factor * scores) over its sum along the keys.
struct Softmax {
  Scalar scores;
  double factor = 1;
  /// The exponential; set where it is not divided by its sum yet.
  std::optional<Scalar> unnormalized = std::nullopt;
  /// Bits of the narrowest type that the probabilities are rounded to.
  unsigned bits = 64;
  /// Rows with no visible key are 0, not an average or NaN.
  bool emptyRowsAreZero = false;
  /// Where probabilities are not 0: where `condition` equals `shown`, as the
  /// sum has it, too.
  struct Where {
    Scalar condition;
    bool shown, isInSum = false;
  };
  std::vector<Where> where = {};
  /// The index of a sink that stands beside the scores, and its logit: an
  /// element, or a number.
  std::optional<int64_t> sinkColumn = std::nullopt;
  /// The index in a row of exponentials: the key's, or, where the sink stands
  /// before them, one more.
  mlir::AffineExpr row = {};
  std::optional<int64_t> rowSize = std::nullopt;
  std::optional<Scalar> sink = std::nullopt;
  std::optional<double> sinkNumber = std::nullopt;
  /// The sum of the exponentials.
  std::optional<Scalar> sum = std::nullopt;
};

/// The exponentials, or the probabilities, that a scalar is; `key` is the index
/// of the key. Leaves no reason where there is no exponential.
mlir::FailureOr<Softmax> matchSoftmax(Match &match, Scalar probability,
                                      mlir::AffineExpr key);

/// For a contraction of which neither factor is a softmax: notes as a near miss
/// what stands between one and the contraction.
void explainChangedSoftmax(Match &match, const Contraction &contraction);

/// For a contraction that does not begin at zero: the same, if it is one of
/// probabilities.
void explainAccumulation(Match &match, mlir::linalg::LinalgOp op);

/// The same for a contraction that sums over more than one dimension.
void explainSumOverMore(Match &match, mlir::linalg::LinalgOp op);

/// Whether `divisor` is the sum of `exponential` over the keys, perhaps with a
/// sink. Notes both.
llvm::LogicalResult matchSum(Match &match, const Scalar &divisor,
                             const Scalar &exponential, mlir::AffineExpr key,
                             Softmax &softmax);

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

/// A mask: the score is hidden except where all clauses hold.
struct Mask {
  Clauses visible;
  mlir::Location loc;
  /// Whether what hides is -inf, not the lowest number or the like.
  bool infinite;
};

/// One step from the scaled product to what the softmax takes.
struct ScoreFunction {
  enum Kind { Softcap, Bias, Region } kind;
  /// Softcap: the cap. Region: a factor of the whole.
  double factor = 1;
  /// Bias: an element of the tensor that is added. Region: the new score, which
  /// holds the product.
  Scalar scalar = {};
  /// Bias: the sum, which holds the product.
  Scalar whole = {};
  /// Region: elements that are added to the score; there is no `scalar` then.
  std::vector<Scalar> addends = {};
};

struct Scores {
  Contraction product;
  /// Of the product of query and key as the contraction reads them.
  double scale = 1;
  /// In the order in which they apply.
  std::vector<ScoreFunction> functions;
  std::vector<Mask> masks;
};

mlir::FailureOr<Scores> matchScores(Match &match, const Softmax &softmax,
                                    mlir::AffineExpr key);

/// The factor, if a scalar is the product times a constant.
std::optional<double> getScaleOf(Tracer &tracer, Scalar scalar,
                                 const Contraction &product);

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

/// The sum of dimensions that an integer is.
std::optional<mlir::AffineExpr> matchIndex(Tracer &tracer, Scalar scalar);

//===----------------------------------------------------------------------===//
// Operands and dimensions
//===----------------------------------------------------------------------===//

/// A tensor's element, with what was taken off on the way.
struct Operand {
  Scalar element;
  double scale = 1;
  /// What the element is rounded to, where the contraction does it.
  mlir::Type rounded = {};

  mlir::Type getType() const {
    return rounded ? rounded : element.getElementType();
  }
};

/// What is taken off an operand besides data movement: changes of precision,
/// constant factors.
struct Peeling {
  bool casts, factors;
  /// Dimensions that the operand keeps, though it may be broadcast along them.
  llvm::SmallVector<unsigned, 2> dims = {};
};
Operand peelOperand(Tracer &tracer, Scalar factor, Peeling peeling);

/// What each dimension of the domain is to the attention.
struct Roles {
  llvm::SmallVector<unsigned> batch, keyHeads, groups;
  std::optional<unsigned> query, key, headDim, valueDim;

  /// The dimensions of Q, K, V and O in a layout: four lists.
  using Shape = std::array<llvm::SmallVector<unsigned>, 4>;
  Shape getShape(Layout layout, bool keyHeadsOnly, unsigned length,
                 std::optional<unsigned> last) const;
};

/// What masks say of the queries: the dimension that is compared with the
/// key's, and whether there is one query, at a position of run time.
struct QueryHint {
  std::optional<unsigned> dim = std::nullopt;
  bool isSingle = false;
};

/// From how Q, K, V and O are indexed.
mlir::FailureOr<Roles> matchRoles(Match &match, const Operand &query,
                                  const Operand &key, const Operand &value,
                                  const Indices &output, mlir::Location loc,
                                  const QueryHint &queryHint, unsigned keyDim);

/// The dimensions that a tensor's dimensions are made of, from the outermost to
/// the innermost; nothing if it is not read whole and in order.
std::optional<llvm::SmallVector<llvm::SmallVector<unsigned>>>
getAtoms(const Domain &domain, llvm::ArrayRef<mlir::AffineExpr> at,
         mlir::RankedTensorType type);

} // namespace flash::raise

#endif // FLASH_CONVERSION_LINALGTOFLASH_MATCHERS_H
