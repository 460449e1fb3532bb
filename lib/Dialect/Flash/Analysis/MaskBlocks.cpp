//===- MaskBlocks.cpp - Which blocks a mask lets through ------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An answer is built in a function of its own, which belongs to no module:
//
//   func.func @visible(%batch, %head, %queryOrigin, %keyOrigin, %firstQuery,
//                      %firstKey, %qFirst, %qLast, operands..., captures...) {
//     %end = arith.addi %qLast, %c1        // #flash.causal's
//   }
//
// Where a mask has data to sum up, the answers of two more such functions, for
// the block's queries and for its keys, are arguments of those about the block.
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/MaskBlocks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace flash;

MaskBlocks::Question MaskBlocks::makeQuestion(StringRef name,
                                              unsigned numPositions,
                                              Build build, TypeRange ofQueries,
                                              TypeRange ofKeys) {
  Location loc = op.getLoc();
  OpBuilder builder(op.getContext());
  constexpr unsigned kPlace = 6;
  SmallVector<Type> types(kPlace + numPositions, builder.getIndexType());
  llvm::append_range(types, op.getMaskOperands().getTypes());
  llvm::append_range(types, op.getCaptures().getTypes());
  llvm::append_range(types, ofQueries);
  llvm::append_range(types, ofKeys);
  Question question;
  question.func =
      func::FuncOp::create(loc, name, builder.getFunctionType(types, {}));
  Block *body = question.func->addEntryBlock();
  builder.setInsertionPointToStart(body);
  func::ReturnOp::create(builder, loc);
  builder.setInsertionPointToStart(body);
  ValueRange arguments = body->getArguments();
  ValueRange data = arguments.drop_front(kPlace + numPositions);
  ValueRange summaries = data.take_back(ofQueries.size() + ofKeys.size());
  TilePlace at{arguments[0],
               arguments[1],
               arguments[2],
               arguments[3],
               data.take_front(op.getMaskOperands().size()),
               &op.getMaskBody(),
               data.slice(op.getMaskOperands().size(), op.getCaptures().size()),
               /*laterHidden=*/false,
               /*listedFull=*/Value(),
               summaries.take_front(ofQueries.size()),
               summaries.take_back(ofKeys.size()),
               op.isRagged() ? arguments[4] : Value(),
               op.isRagged() ? arguments[5] : Value()};
  question.answers = build(builder, at, arguments.slice(kPlace, numPositions));
  question.func->walk([&](Operation *) { ++question.size; });
  // What is known of the operands does not change from block to block.
  SmallVector<Value> operands(op.getMaskOperands());
  llvm::append_range(operands, op.getCaptures());
  for (auto [argument, operand] : llvm::zip(data, operands))
    if (const KnownValue *value = known.find(operand))
      interpreter.set(argument, *value);
  return question;
}

MaskBlocks::Asked MaskBlocks::makeAsked(std::optional<size_t> list) {
  Location loc = op.getLoc();
  SmallVector<Type> ofQueries, ofKeys;
  auto question = [&](StringRef name, auto answer) {
    return makeQuestion(
        name, 4,
        [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
          if (!list)
            return answer(b, mask, at, p);
          TilePlace place = at;
          place.querySummary = place.keySummary = {};
          KeyBlocks blocks = mask.buildKeyBlocks(b, loc, place, p[0])[*list];
          if (!blocks.mask)
            return SmallVector<Value>();
          return answer(b, cast<MaskAttrInterface>(blocks.mask),
                        at.with(blocks.operands), p);
        },
        ofQueries, ofKeys);
  };
  auto summaryOf = [&](StringRef name, Along rows, unsigned first) {
    return question(name, [=](OpBuilder &b, MaskAttrInterface m,
                              const TilePlace &at, ValueRange p) {
      if (!m.getSummarySize() || !(sumsUp || m.needsSummary()))
        return SmallVector<Value>();
      Value one = arith::ConstantIndexOp::create(b, loc, 1);
      Value before = arith::SubIOp::create(b, loc, p[first], one);
      Value count = arith::SubIOp::create(b, loc, p[first + 1], before);
      return m.buildSummary(b, loc, at, rows, p[first], count);
    });
  };
  Asked about;
  about.queries = summaryOf("queries", Along::Queries, 0);
  llvm::append_range(ofQueries, ValueRange(about.queries.answers).getTypes());
  about.keys = summaryOf("keys", Along::Keys, 2);
  llvm::append_range(ofKeys, ValueRange(about.keys.answers).getTypes());
  about.hidden = question("hidden", [&](OpBuilder &b, MaskAttrInterface m,
                                        const TilePlace &at, ValueRange p) {
    return SmallVector<Value>{
        m.buildIsHidden(b, loc, at, p[0], p[1], p[2], p[3])};
  });
  about.full = question("full", [&](OpBuilder &b, MaskAttrInterface m,
                                    const TilePlace &at, ValueRange p) {
    return SmallVector<Value>{
        m.buildIsFull(b, loc, at, p[0], p[1], p[2], p[3])};
  });
  return about;
}

MaskBlocks::MaskBlocks(AttentionOpInterface op, const IndexInterpreter &known,
                       bool sumsUp)
    : op(op), known(known), mask(op.getEffectiveMask()), sumsUp(sumsUp) {
  if (!mask)
    return;
  op.getContext()->loadDialect<func::FuncDialect, scf::SCFDialect>();
  Location loc = op.getLoc();
  visible = makeQuestion(
      "visible", 2, [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
        auto [first, end] = mask.buildVisibleKeys(b, loc, at, p[0], p[1]);
        return SmallVector<Value>{first, end};
      });
  visibleToKeys = makeQuestion(
      "queries", 2, [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
        auto [first, end] = mask.buildVisibleQueries(b, loc, at, p[0], p[1]);
        return SmallVector<Value>{first, end};
      });
  listCounts = makeQuestion(
      "counts", 1, [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
        SmallVector<Value> counts;
        for (const KeyBlocks &list : mask.buildKeyBlocks(b, loc, at, p[0])) {
          counts.push_back(list.count);
          lists.push_back({list.size, {}, list.mask, list.full});
        }
        return counts;
      });
  if (lists.empty())
    asked.push_back(makeAsked(std::nullopt));
  for (size_t list = 0; list < lists.size(); ++list) {
    asked.push_back(makeAsked(list));
    listNumbers.push_back(makeQuestion(
        "number", 2, [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
          return SmallVector<Value>{
              mask.buildKeyBlocks(b, loc, at, p[0])[list].number(b, loc, p[1])};
        }));
  }
}

bool MaskBlocks::dependsOnPlace() {
  return !op.getMaskOperands().empty() || !op.getMaskBody().empty();
}

bool MaskBlocks::dependsOn(Along along, unsigned argument) {
  if (!mask)
    return false;
  if (Region &body = op.getMaskBody();
      !body.empty() && !body.getArgument(argument).use_empty())
    return true;
  SmallVector<OperandKind> kinds = mask.getMaskOperandKinds();
  for (auto [kind, operand] : llvm::zip(kinds, op.getMaskOperands())) {
    auto type = cast<RankedTensorType>(operand.getType());
    for (auto [dim, what] : llvm::enumerate(kind.dimsOf(type.getRank())))
      if (what.along == along && type.getDimSize(dim) != 1)
        return true;
  }
  return false;
}

bool MaskBlocks::mayHold(const Question &question) {
  if (question.answers.empty())
    return true;
  Value answer = question.answers.front();
  return answer && !matchPattern(answer, m_Zero());
}

void MaskBlocks::setPlace(const MaskedRows &rows) {
  place = rows;
  for (Asked &about : asked)
    about.summaries.clear();
}

LogicalResult MaskBlocks::ask(Question &question, ArrayRef<int64_t> positions,
                              ArrayRef<int64_t> summaries) {
  Block &body = question.func->getBody().front();
  SmallVector<int64_t> numbers{place.batch,       place.head,
                               place.queryOrigin, place.keyOrigin,
                               place.firstQuery,  place.firstKey};
  llvm::append_range(numbers, positions);
  auto set = [&](auto arguments, ArrayRef<int64_t> to) {
    for (auto [argument, number] : llvm::zip_equal(arguments, to))
      interpreter.set(argument, number);
  };
  set(body.getArguments().take_front(numbers.size()), numbers);
  set(body.getArguments().take_back(summaries.size()), summaries);
  return interpreter.run(body);
}

/// What sums up the rows of a block that exist: its queries, then its keys.
LogicalResult MaskBlocks::sumUp(Asked &about, ArrayRef<int64_t> positions,
                                SmallVectorImpl<int64_t> &summaries) {
  SmallVector<int64_t> existing(positions);
  existing[1] = std::min(existing[1], place.queryEnd - 1);
  existing[3] = std::min(existing[3], place.keyEnd - 1);
  for (bool ofKeys : {false, true}) {
    Question &question = ofKeys ? about.keys : about.queries;
    if (question.answers.empty())
      continue;
    unsigned first = ofKeys ? 2 : 0;
    // Those of keys follow those of queries in the arguments.
    ArrayRef<int64_t> ofQueries(summaries);
    ValueRange arguments = question.func->getArguments();
    bool dependent =
        llvm::any_of(arguments.take_back(ofQueries.size()),
                     [](Value argument) { return !argument.use_empty(); });
    auto [it, isNew] = about.summaries.try_emplace(
        {ofKeys, existing[first], existing[first + 1],
         dependent ? std::vector<int64_t>(summaries.begin(), summaries.end())
                   : std::vector<int64_t>()});
    if (isNew) {
      if (failed(ask(question, existing, ofQueries)))
        return failure();
      for (Value answer : question.answers)
        it->second.push_back(interpreter.number(answer).value_or(0));
    }
    llvm::append_range(summaries, it->second);
  }
  return success();
}

FailureOr<bool> MaskBlocks::askFlag(Asked &about, Question &question,
                                    ArrayRef<int64_t> positions) {
  SmallVector<int64_t> summaries;
  if (failed(sumUp(about, positions, summaries)) ||
      failed(ask(question, positions, summaries)))
    return failure();
  return interpreter.number(question.answers.front()).value_or(0) != 0;
}

FailureOr<KeyRange> MaskBlocks::askRange(Question &question, int64_t first,
                                         int64_t last) {
  KeyRange range;
  if (!mask)
    return range;
  if (failed(ask(question, {first, last})))
    return failure();
  if (Value begin = question.answers[0])
    range.first = interpreter.number(begin);
  if (Value end = question.answers[1])
    range.end = interpreter.number(end);
  return range;
}

FailureOr<KeyRange> MaskBlocks::visibleKeys(int64_t qFirst, int64_t qLast) {
  return askRange(visible, qFirst, qLast);
}

FailureOr<KeyRange> MaskBlocks::visibleQueries(int64_t kFirst, int64_t kLast) {
  return askRange(visibleToKeys, kFirst, kLast);
}

FailureOr<bool> MaskBlocks::isHidden(int64_t qFirst, int64_t qLast,
                                     int64_t kFirst, int64_t kLast,
                                     std::optional<size_t> list) {
  if (!mask)
    return false;
  Asked &about = asked[list.value_or(0)];
  if (about.hidden.answers.empty() || !about.hidden.answers.front())
    return false;
  return askFlag(about, about.hidden, {qFirst, qLast, kFirst, kLast});
}

FailureOr<bool> MaskBlocks::isFull(int64_t qFirst, int64_t qLast,
                                   int64_t kFirst, int64_t kLast,
                                   std::optional<size_t> list) {
  if (!mask)
    return true;
  Asked &about = asked[list.value_or(0)];
  if (about.full.answers.empty())
    return true;
  return askFlag(about, about.full, {qFirst, qLast, kFirst, kLast});
}

FailureOr<SmallVector<KeyList>> MaskBlocks::keyLists(int64_t qFirst) {
  if (failed(ask(listCounts, {qFirst})))
    return failure();
  SmallVector<KeyList> ofBlock(lists);
  for (auto [list, count] : llvm::zip(ofBlock, listCounts.answers))
    list.numbers.resize(
        std::max<int64_t>(interpreter.number(count).value_or(0), 0));
  for (auto [index, list] : llvm::enumerate(ofBlock))
    for (auto [n, number] : llvm::enumerate(list.numbers)) {
      Question &question = listNumbers[index];
      if (failed(ask(question, {qFirst, int64_t(n)})))
        return failure();
      number = interpreter.number(question.answers[0]).value_or(-1);
    }
  return ofBlock;
}
