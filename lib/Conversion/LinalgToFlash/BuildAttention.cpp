//===- BuildAttention.cpp - The op for a recognised attention ---*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operands rearranged, mask and score functions as attributes and regions:
//
//   %q4 = linalg.transpose, %o = flash.attention %q4, %k4, %v4, %r = reshape %o
//
//===----------------------------------------------------------------------===//

#include "Attention.h"
#include "Rearrange.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace flash;
using namespace flash::raise;

namespace {
/// Q, K, V and O with the dimensions that each is made of.
struct Arrangement {
  SmallVector<SmallVector<unsigned>> query, key, value, output;

  static Arrangement get(const Domain &domain, const Attention &attention) {
    auto atoms = [&](Value tensor, ArrayRef<AffineExpr> at) {
      return *getAtoms(domain, at, cast<RankedTensorType>(tensor.getType()));
    };
    auto ofOperand = [&](const Operand &operand) {
      return atoms(operand.element.value, operand.element.at);
    };
    return {ofOperand(attention.query), ofOperand(attention.key),
            ofOperand(attention.value),
            atoms(attention.output.value, attention.output.at)};
  }
};
} // namespace

static SmallVector<SmallVector<unsigned>> toList(const Roles::Shape &shape) {
  return SmallVector<SmallVector<unsigned>>(shape.begin(), shape.end());
}

static Arrangement getTarget(const Roles &roles, Layout layout) {
  unsigned query = roles.query.value_or(~0u);
  return {toList(roles.getShape(layout, false, query, roles.headDim)),
          toList(roles.getShape(layout, true, *roles.key, roles.headDim)),
          toList(roles.getShape(layout, true, *roles.key, roles.valueDim)),
          toList(roles.getShape(layout, false, query, roles.valueDim))};
}

/// How many of Q, K, V and O have to be transposed.
static int countTransposes(const Arrangement &from, const Arrangement &to) {
  auto differ = [](AtomLists a, AtomLists b) {
    SmallVector<unsigned> flatA, flatB;
    for (const auto &list : a)
      llvm::append_range(flatA, list);
    for (const auto &list : b)
      llvm::append_range(flatB, list);
    return flatA != flatB ? 1 : 0;
  };
  return differ(from.query, to.query) + differ(from.key, to.key) +
         differ(from.value, to.value) + differ(from.output, to.output);
}

std::optional<BiasShape> flash::raise::getBiasShape(const Domain &domain,
                                                    const Roles &roles,
                                                    const Scalar &bias) {
  auto atoms =
      getAtoms(domain, bias.at, cast<RankedTensorType>(bias.value.getType()));
  if (!atoms)
    return std::nullopt;
  SmallVector<unsigned> present;
  for (const SmallVector<unsigned> &list : *atoms)
    llvm::append_range(present, list);
  auto isPresent = [&](unsigned dim) {
    return llvm::is_contained(present, dim);
  };
  SmallVector<SmallVector<unsigned>> to = getTarget(roles, Layout::BHSD).query;
  to[3] = {*roles.key};
  size_t placed = 0;
  for (SmallVector<unsigned> &list : to) {
    if (llvm::none_of(list, isPresent))
      list.clear(); // size 1
    if (!llvm::all_of(list, isPresent))
      return std::nullopt;
    placed += list.size();
  }
  if (placed != present.size())
    return std::nullopt;
  return BiasShape{*atoms, to};
}

/// A position as an index: a constant, and numbers of the function.
static Value writePosition(OpBuilder &builder, Location loc,
                           const Domain &domain, const LinearSum &sum) {
  auto constant = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  Value total;
  for (const LinearSum::Term &term : sum.symbols) {
    const Symbol &symbol = domain.getSymbol(term.dim);
    Value value = symbol.value;
    if (symbol.dim) {
      value = tensor::DimOp::create(builder, loc, value, *symbol.dim);
    } else if (isa<RankedTensorType>(value.getType())) {
      SmallVector<Value> at = llvm::map_to_vector(
          symbol.at, [&](int64_t index) -> Value { return constant(index); });
      value = tensor::ExtractOp::create(builder, loc, value, at);
    }
    if (!value.getType().isIndex())
      value = arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                         value);
    if (term.factor != 1)
      value = arith::MulIOp::create(builder, loc, value, constant(term.factor));
    total = total ? Value(arith::AddIOp::create(builder, loc, total, value))
                  : value;
  }
  if (!total)
    return constant(sum.constant);
  if (sum.constant == 0)
    return total;
  return arith::AddIOp::create(builder, loc, total, constant(sum.constant));
}

/// The tensor in another floating-point type.
static Value convert(OpBuilder &builder, Location loc, Value tensor,
                     Type element) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.getElementType() == element)
    return tensor;
  bool widens = type.getElementTypeBitWidth() < element.getIntOrFloatBitWidth();
  Value init = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, tensor), element);
  SmallVector<AffineMap> maps(2,
                              builder.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> kinds(type.getRank(),
                                         utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, init.getType(), tensor, init, maps, kinds,
             [&](OpBuilder &body, Location at, ValueRange in) {
               Value value = widens ? Value(arith::ExtFOp::create(
                                          body, at, element, in.front()))
                                    : Value(arith::TruncFOp::create(
                                          body, at, element, in.front()));
               linalg::YieldOp::create(body, at, value);
             })
      .getResult(0);
}

/// Checks at run time what the match has taken for granted.
static void assertSizes(OpBuilder &builder, Location loc, Tracer &tracer) {
  Sizes &sizes = tracer.getSizes();
  for (const auto &[a, b] : tracer.getAssumptions()) {
    Value equal = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        sizes.materialize(builder, loc, a),
                                        sizes.materialize(builder, loc, b));
    cf::AssertOp::create(builder, loc, equal,
                         "sizes that flash-raise took to be the same differ: a "
                         "dynamic dimension is not broadcast to another size");
  }
  for (const auto &[a, b] : tracer.getAssumptions())
    sizes.unite(a, b);
}

/// Holds the program to what is taken of its mask.
static void assertVisible(OpBuilder &builder, Location loc,
                          const Domain &domain, const Attention &attention) {
  for (const LinearSum &sum : attention.seesIf) {
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value holds =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                              writePosition(builder, loc, domain, sum), zero);
    cf::AssertOp::create(
        builder, loc, holds,
        "a query sees no key, and the number that hides is finite: flash-raise "
        "took each to see one (finite-minima-hide: such a query is 0)");
  }
}

/// The sinks as a tensor of heads; null where there are none.
static Value makeSinks(OpBuilder &builder, Location loc, const Domain &domain,
                       const Attention &attention, const AtomSizes &sizes) {
  const Roles &roles = attention.roles;
  SmallVector<unsigned> heads(roles.keyHeads);
  llvm::append_range(heads, roles.groups);
  if (attention.sinkNumber) {
    int64_t count = 1;
    for (unsigned dim : heads)
      count *= domain.getSize(dim);
    auto type = RankedTensorType::get({count}, builder.getF32Type());
    return arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(type, float(*attention.sinkNumber)));
  }
  if (!attention.sink)
    return {};
  const Scalar &element = attention.sink->element;
  auto from = *getAtoms(domain, element.at,
                        cast<RankedTensorType>(element.value.getType()));
  SmallVector<SmallVector<unsigned>> to{heads};
  return convert(builder, loc,
                 rearrange(builder, loc, element.value, from, to, sizes),
                 builder.getF32Type());
}

/// The result for LSE in the form that the program has it.
static void replaceLogSumExp(RewriterBase &rewriter, Location loc,
                             const Domain &domain, const Attention &attention,
                             AttentionOp op, AtomSizes &sizes) {
  Value old = attention.lse->value;
  auto type = cast<RankedTensorType>(old.getType());
  auto to = *getAtoms(domain, attention.lse->at, type);
  SmallVector<SmallVector<unsigned>> from = toList(attention.roles.getShape(
      Layout::BHSD, false, attention.roles.query.value_or(~0u), std::nullopt));
  from.pop_back();
  Value lse = rearrange(rewriter, loc, op.getLse(), from, to, sizes);
  lse = convert(rewriter, loc, lse, type.getElementType());
  if (lse.getType() != type)
    lse = tensor::CastOp::create(rewriter, loc, type, lse);
  rewriter.replaceAllUsesWith(old, lse);
  // What read it before may stand before the attention.
  sortTopologically(op->getBlock());
}

/// Creates the op with its mask, score functions and regions.
static AttentionOp createOp(RewriterBase &rewriter, Location loc,
                            const Domain &domain, const Attention &attention,
                            Type outputType, std::array<Value, 3> operands,
                            Layout layout, AtomSizes &sizes) {
  MLIRContext *context = rewriter.getContext();
  const Roles &roles = attention.roles;
  RegionWriter &regions = *attention.regions;
  SmallVector<Attribute> scores;
  SmallVector<Value> scoreOperands;
  for (const ScoreFunction &function : attention.functions) {
    switch (function.kind) {
    case ScoreFunction::Softcap:
      scores.push_back(
          SoftcapAttr::get(context, rewriter.getF32FloatAttr(function.factor)));
      break;
    case ScoreFunction::Region:
      scores.push_back(RegionAttr::get(context));
      break;
    case ScoreFunction::Bias: {
      scores.push_back(BiasAttr::get(context));
      BiasShape shape = *getBiasShape(domain, roles, function.scalar);
      scoreOperands.push_back(rearrange(rewriter, loc, function.scalar.value,
                                        shape.from, shape.to, sizes));
      break;
    }
    }
  }
  SmallVector<MaskAttrInterface> masks;
  LinearSum firstQuery;
  if (!attention.window.isAll()) {
    auto [mask, offset] = attention.window.getMask(context);
    masks.push_back(mask);
    firstQuery = offset;
  }
  if (regions.hasMask())
    masks.push_back(cast<MaskAttrInterface>(RegionAttr::get(context)));
  MaskAttrInterface mask;
  if (masks.size() == 1)
    mask = masks.front();
  else if (!masks.empty())
    mask = AndAttr::get(context, masks);

  // Bottom-right alignment puts the first query at Sk - Sq.
  Value qOffset;
  int64_t queries = roles.query ? domain.getSize(*roles.query) : 1,
          keys = domain.getSize(*roles.key);
  bool isStatic =
      !ShapedType::isDynamic(queries) && !ShapedType::isDynamic(keys);
  bool aligned = attention.isSquare
                     ? firstQuery == LinearSum()
                     : isStatic && firstQuery == LinearSum(keys - queries);
  bool readsPositions = mask || regions.hasScore();
  if (readsPositions && !aligned)
    qOffset = writePosition(rewriter, loc, domain, firstQuery);
  Type lseType;
  if (attention.lse) {
    auto type = cast<RankedTensorType>(operands[0].getType());
    ArrayRef<int64_t> shape = type.getShape();
    bool isBSHD = layout == Layout::BSHD;
    lseType = RankedTensorType::get(
        {shape[0], shape[isBSHD ? 2 : 1], shape[isBSHD ? 1 : 2]},
        attention.element.isF64() ? attention.element
                                  : Type(rewriter.getF32Type()));
  }
  Value sinks = makeSinks(rewriter, loc, domain, attention, sizes);
  auto op = AttentionOp::create(
      rewriter, loc, outputType, lseType, operands[0], operands[1], operands[2],
      qOffset, /*kv_offset=*/Value(), /*cu_seqlens_q=*/Value(),
      /*cu_seqlens_k=*/Value(), /*kv_lengths=*/Value(), /*page_table=*/Value(),
      /*key_scale=*/Value(), /*value_scale=*/Value(),
      /*mask_operands=*/ValueRange(), scoreOperands, sinks,
      /*seed=*/Value(), /*dropout_offset=*/Value(), regions.getCaptures(),
      layout, mask,
      scores.empty() ? ArrayAttr() : rewriter.getArrayAttr(scores),
      /*dropout_p=*/FloatAttr(), rewriter.getF32FloatAttr(attention.scale),
      ScheduleAttr(), /*key_slice=*/SliceAttr());
  regions.moveTo(op);
  return op;
}

void flash::raise::buildAttention(RewriterBase &rewriter, Tracer &tracer,
                                  const Attention &attention, Location loc) {
  const Domain &domain = tracer.getDomain();
  rewriter.setInsertionPoint(attention.output.value.getDefiningOp());
  assertSizes(rewriter, loc, tracer);
  assertVisible(rewriter, loc, domain, attention);
  Arrangement from = Arrangement::get(domain, attention);
  Layout layout =
      countTransposes(from, getTarget(attention.roles, Layout::BSHD)) <
              countTransposes(from, getTarget(attention.roles, Layout::BHSD))
          ? Layout::BSHD
          : Layout::BHSD;
  Arrangement to = getTarget(attention.roles, layout);

  AtomSizes sizes;
  auto staticSize = [&](unsigned dim) { return domain.getSize(dim); };
  auto learn = [&](const Operand &operand, AtomLists atoms) {
    addAtomSizes(rewriter, loc, operand.element.value, atoms, staticSize,
                 sizes);
  };
  learn(attention.query, from.query);
  learn(attention.key, from.key);
  learn(attention.value, from.value);
  auto arrange = [&](const Operand &operand, AtomLists from, AtomLists to) {
    Value arranged =
        rearrange(rewriter, loc, operand.element.value, from, to, sizes);
    return convert(rewriter, loc,
                   convert(rewriter, loc, arranged, operand.getType()),
                   attention.element);
  };
  for (const ScoreFunction &function : attention.functions)
    if (function.kind == ScoreFunction::Bias)
      addAtomSizes(
          rewriter, loc, function.scalar.value,
          *getAtoms(domain, function.scalar.at,
                    cast<RankedTensorType>(function.scalar.value.getType())),
          staticSize, sizes);
  Value query = arrange(attention.query, from.query, to.query);
  Value key = arrange(attention.key, from.key, to.key);
  Value value = arrange(attention.value, from.value, to.value);

  auto queryType = cast<RankedTensorType>(query.getType()),
       valueType = cast<RankedTensorType>(value.getType());
  auto target = cast<RankedTensorType>(attention.output.value.getType());
  SmallVector<int64_t> shape(queryType.getShape());
  shape[3] = valueType.getDimSize(3);
  Type element = target.getElementType();
  if (element != attention.element && !element.isF32())
    element = attention.element;
  auto outputType = RankedTensorType::get(shape, element);
  AttentionOp op = createOp(rewriter, loc, domain, attention, outputType,
                            {query, key, value}, layout, sizes);
  Value result =
      rearrange(rewriter, loc, op.getOutput(), to.output, from.output, sizes);
  result = convert(rewriter, loc, result, target.getElementType());
  if (result.getType() != target)
    result = tensor::CastOp::create(rewriter, loc, target, result);
  rewriter.replaceAllUsesWith(attention.output.value, result);
  if (attention.lse)
    replaceLogSumExp(rewriter, loc, domain, attention, op, sizes);
}
