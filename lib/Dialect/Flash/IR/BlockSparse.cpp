//===- BlockSparse.cpp - Blocks that a list names ---------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// #flash.block_sparse hands out two lists of key blocks for a block of queries,
// the partial ones, inside which another mask may decide, and the full ones.
// Blocks that stand in no list cost nothing.
//
// Where it is one of several that may show a key, all blocks are met, and each
// is looked up in the lists. What is found is what sums up the block's keys:
//
//   0   no list names it
//   1   it is a partial one
//   2   it is a full one
//
// and what sums up the queries is the number of their block.
//
//===----------------------------------------------------------------------===//

#include "MaskUtils.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include <numeric>

using namespace mlir;
using namespace flash;

Attribute BlockSparseAttr::parse(AsmParser &parser, Type) {
  SMLoc start = parser.getCurrentLocation();
  auto usage = [&](SMLoc at) -> Attribute {
    parser.emitError(at, "blocks have a size in queries and keys: write "
                         "#flash.block_sparse<bq = 128, bk = 128> (and partial "
                         "= #flash.causal for what decides inside)");
    return {};
  };
  std::optional<int64_t> sizes[2];
  MaskAttrInterface partial;
  if (failed(parser.parseOptionalLess()))
    return usage(start);
  do {
    SMLoc at = parser.getCurrentLocation();
    StringRef name;
    if (failed(parser.parseOptionalKeyword(&name, {"bq", "bk", "partial"})) ||
        failed(parser.parseOptionalEqual()))
      return usage(at);
    if (name == "partial") {
      if (partial || parser.parseAttribute(partial))
        return usage(at);
      continue;
    }
    std::optional<int64_t> &size = sizes[name == "bk"];
    int64_t number;
    OptionalParseResult parsed = parser.parseOptionalInteger(number);
    if (size || !parsed.has_value() || failed(*parsed))
      return usage(at);
    size = number;
  } while (succeeded(parser.parseOptionalComma()));
  if (!sizes[0] || !sizes[1])
    return usage(start);
  if (parser.parseGreater())
    return {};
  return BlockSparseAttr::getChecked([&] { return parser.emitError(start); },
                                     parser.getContext(), *sizes[0], *sizes[1],
                                     partial);
}

void BlockSparseAttr::print(AsmPrinter &printer) const {
  printer << "<bq = " << getBq() << ", bk = " << getBk();
  if (getPartial())
    printer << ", partial = " << getPartial();
  printer << ">";
}

LogicalResult
BlockSparseAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                        int64_t bq, int64_t bk, MaskAttrInterface partial) {
  for (auto [name, size] : {std::pair{"bq", bq}, {"bk", bk}})
    if (size < 1)
      return emitError() << "block_sparse has " << name << " = " << size
                         << ", but must have at least 1";
  return success();
}

SmallVector<OperandKind> BlockSparseAttr::getMaskOperandKinds() const {
  SmallVector<OperandDim> counts{{Along::Batch, true},
                                 {Along::Heads, true},
                                 {Along::QueryBlocks, false, getBq()}};
  SmallVector<OperandDim> lists(counts);
  lists.emplace_back();
  SmallVector<OperandKind> kinds{{"number of partial blocks", counts},
                                 {"partial blocks", lists},
                                 {"number of full blocks", counts},
                                 {"full blocks", lists}};
  if (getPartial())
    kinds.append(getPartial().getMaskOperandKinds());
  return kinds;
}

std::pair<int64_t, int64_t> BlockSparseAttr::getBlockSizes() const {
  std::pair<int64_t, int64_t> sizes{getBq(), getBk()};
  if (getPartial()) {
    auto [queries, keys] = getPartial().getBlockSizes();
    sizes = {std::gcd(sizes.first, queries), std::gcd(sizes.second, keys)};
  }
  return sizes;
}

//===----------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------===//

/// The number of the block that holds a position.
static Value blockOf(MaskBuilder &b, Value position, Value first, Value origin,
                     int64_t size) {
  Value row =
      arith::SubIOp::create(b.builder, b.loc, position, first ? first : origin);
  return arith::DivUIOp::create(b.builder, b.loc, row, b.constant(size));
}

static Value queryBlockOf(MaskBuilder &b, const TilePlace &at, Value position,
                          int64_t size) {
  return blockOf(b, position, at.firstQuery, at.queryOrigin, size);
}

/// One of the two lists of a block of queries.
static KeyBlocks readList(MaskBuilder &b, const TilePlace &at, Value counts,
                          Value numbers, Value block, int64_t size) {
  auto sizeOf = [&](Value tensor, int64_t dim) -> Value {
    return tensor::DimOp::create(b.builder, b.loc, tensor, dim);
  };
  // How many blocks the longest sequence has is data, as is what is needed.
  Value exists;
  if (at.firstQuery) {
    Value entries = b.min(sizeOf(counts, 2), sizeOf(numbers, 2));
    exists = b.less(block, entries);
    block = b.min(block, b.add(entries, -1));
  }
  SmallVector<Value> place{b.broadcastIndex(counts, 0, at.batch),
                           b.broadcastIndex(counts, 1, at.head), block};
  // A count that says more than the list holds would read past its end.
  Value capacity = sizeOf(numbers, 3);
  KeyBlocks blocks;
  blocks.size = size;
  blocks.count = b.max(b.min(b.read(counts, place), capacity), b.constant(0));
  if (exists)
    blocks.count = arith::SelectOp::create(b.builder, b.loc, exists,
                                           blocks.count, b.constant(0));
  SmallVector<Value> inList{b.broadcastIndex(numbers, 0, at.batch),
                            b.broadcastIndex(numbers, 1, at.head), block};
  blocks.number = [numbers, inList](OpBuilder &builder, Location loc, Value n) {
    SmallVector<Value> indices(inList);
    indices.push_back(n);
    return MaskBuilder(builder, loc).read(numbers, indices);
  };
  return blocks;
}

SmallVector<KeyBlocks> BlockSparseAttr::buildKeyBlocks(OpBuilder &builder,
                                                       Location loc,
                                                       const TilePlace &at,
                                                       Value qFirst) const {
  MaskBuilder b(builder, loc);
  Value block = queryBlockOf(b, at, qFirst, getBq());
  auto list = [&](unsigned counts, unsigned numbers) {
    return readList(b, at, at.operands[counts], at.operands[numbers], block,
                    getBk());
  };
  KeyBlocks partial = list(0, 1);
  partial.mask = getPartial();
  llvm::append_range(partial.operands, at.operands.drop_front(4));
  partial.full = !getPartial();
  KeyBlocks full = list(2, 3);
  full.full = true;
  return {partial, full};
}

//===----------------------------------------------------------------------===//
// Looking up
//===----------------------------------------------------------------------===//

/// The place of the mask that decides inside partial blocks.
static TilePlace insidePlace(const TilePlace &at) {
  TilePlace inside = at.with(at.operands.drop_front(4));
  if (!at.querySummary.empty())
    inside.querySummary = at.querySummary.drop_front();
  if (!at.keySummary.empty())
    inside.keySummary = at.keySummary.drop_front();
  return inside;
}

unsigned BlockSparseAttr::getSummarySize() const {
  return 1 + (getPartial() ? getPartial().getSummarySize() : 0);
}

bool BlockSparseAttr::needsSummary() const { return true; }

/// An i1: whether the list holds a block.
static Value holds(MaskBuilder &b, const KeyBlocks &list, Value block) {
  auto scan = scf::ForOp::create(
      b.builder, b.loc, b.constant(0), list.count, b.constant(1),
      ValueRange{b.boolean(false)},
      [&](OpBuilder &builder, Location loc, Value n, ValueRange found) {
        MaskBuilder inner(builder, loc);
        Value same = inner.compare(arith::CmpIPredicate::eq,
                                   list.number(builder, loc, n), block);
        scf::YieldOp::create(builder, loc, inner.either(found[0], same));
      });
  return scan.getResult(0);
}

SmallVector<Value> BlockSparseAttr::buildSummary(OpBuilder &builder,
                                                 Location loc,
                                                 const TilePlace &at,
                                                 Along rows, Value first,
                                                 Value count) const {
  MaskBuilder b(builder, loc);
  SmallVector<Value> all;
  if (rows == Along::Queries) {
    all.push_back(queryBlockOf(b, at, first, getBq()));
  } else {
    Value block = blockOf(b, first, at.firstKey, at.keyOrigin, getBk());
    auto isIn = [&](unsigned counts, unsigned numbers) {
      return holds(b,
                   readList(b, at, at.operands[counts], at.operands[numbers],
                            at.querySummary.front(), getBk()),
                   block);
    };
    auto choose = [&](Value condition, int64_t yes, Value no) -> Value {
      return arith::SelectOp::create(builder, loc, condition, b.constant(yes),
                                     no);
    };
    all.push_back(choose(isIn(2, 3), 2, choose(isIn(0, 1), 1, b.constant(0))));
  }
  if (getPartial())
    all.append(getPartial().buildSummary(builder, loc, insidePlace(at), rows,
                                         first, count));
  return all;
}

/// An i1: whether the look-up of a block found this.
static Value found(MaskBuilder &b, const TilePlace &at, int64_t what) {
  return b.compare(arith::CmpIPredicate::eq, at.keySummary.front(),
                   b.constant(what));
}

//===----------------------------------------------------------------------===//
// Answers
//===----------------------------------------------------------------------===//

// In a loop over one list `partial`, or nothing, is asked in this mask's place;
// in a loop over both, the mask is asked, and told which of them it is.

std::pair<Value, Value> BlockSparseAttr::buildVisibleKeys(OpBuilder &, Location,
                                                          const TilePlace &,
                                                          Value, Value) const {
  return {Value(), Value()};
}

bool BlockSparseAttr::hasHoles() const { return true; }

Value BlockSparseAttr::buildIsHidden(OpBuilder &builder, Location loc,
                                     const TilePlace &at, Value qFirst,
                                     Value qLast, Value kFirst,
                                     Value kLast) const {
  if (at.keySummary.empty())
    return Value();
  MaskBuilder b(builder, loc);
  Value hidden = found(b, at, 0);
  if (!getPartial())
    return hidden;
  Value inside = getPartial().buildIsHidden(builder, loc, insidePlace(at),
                                            qFirst, qLast, kFirst, kLast);
  return inside ? b.either(hidden, b.both(found(b, at, 1), inside)) : hidden;
}

/// Whether the block is a full one, or a partial one inside which all is well.
static Value fullOr(OpBuilder &builder, Location loc, const TilePlace &at,
                    MaskAttrInterface partial,
                    function_ref<Value(const TilePlace &)> inside) {
  MaskBuilder b(builder, loc);
  if (at.keySummary.empty())
    return at.listedFull && partial
               ? b.either(at.listedFull, inside(insidePlace(at)))
               : b.boolean(true);
  if (!partial)
    return b.no(found(b, at, 0));
  return b.either(found(b, at, 2),
                  b.both(found(b, at, 1), inside(insidePlace(at))));
}

Value BlockSparseAttr::buildIsFull(OpBuilder &builder, Location loc,
                                   const TilePlace &at, Value qFirst,
                                   Value qLast, Value kFirst,
                                   Value kLast) const {
  return fullOr(builder, loc, at, getPartial(), [&](const TilePlace &inside) {
    return getPartial().buildIsFull(builder, loc, inside, qFirst, qLast, kFirst,
                                    kLast);
  });
}

Value BlockSparseAttr::buildIsVisible(OpBuilder &builder, Location loc,
                                      const TilePlace &at, Value q,
                                      Value k) const {
  return fullOr(builder, loc, at, getPartial(), [&](const TilePlace &inside) {
    return getPartial().buildIsVisible(builder, loc, inside, q, k);
  });
}
