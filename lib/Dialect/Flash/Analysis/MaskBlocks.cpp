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
//   func.func @visible(%batch, %head, %queryOrigin, %keyOrigin,
//                      %qFirst, %qLast, operands..., captures...) {
//     %end = arith.addi %qLast, %c1        // #flash.causal's
//   }
//
//===----------------------------------------------------------------------===//

#include "flash/Dialect/Flash/Analysis/MaskBlocks.h"

using namespace mlir;
using namespace flash;

MaskBlocks::Question
MaskBlocks::makeQuestion(StringRef name, unsigned numPositions, Build build) {
  Location loc = op.getLoc();
  OpBuilder builder(op.getContext());
  SmallVector<Type> types(4 + numPositions, builder.getIndexType());
  llvm::append_range(types, op.getMaskOperands().getTypes());
  llvm::append_range(types, op.getCaptures().getTypes());
  Question question;
  question.func =
      func::FuncOp::create(loc, name, builder.getFunctionType(types, {}));
  Block *body = question.func->addEntryBlock();
  builder.setInsertionPointToStart(body);
  func::ReturnOp::create(builder, loc);
  builder.setInsertionPointToStart(body);
  ValueRange arguments = body->getArguments();
  ValueRange data = arguments.drop_front(4 + numPositions);
  TilePlace at{arguments[0],
               arguments[1],
               arguments[2],
               arguments[3],
               data.take_front(op.getMaskOperands().size()),
               &op.getMaskBody(),
               data.drop_front(op.getMaskOperands().size()),
               /*laterHidden=*/false,
               /*listedFull=*/Value()};
  question.answers = build(builder, at, arguments.slice(4, numPositions));
  // What is known of the operands does not change from block to block.
  SmallVector<Value> operands(op.getMaskOperands());
  llvm::append_range(operands, op.getCaptures());
  for (auto [argument, operand] : llvm::zip(data, operands))
    if (const KnownValue *value = known.find(operand))
      interpreter.set(argument, *value);
  return question;
}

MaskBlocks::MaskBlocks(AttentionOp op, const IndexInterpreter &known)
    : op(op), known(known), mask(op.getEffectiveMask()) {
  if (!mask)
    return;
  op.getContext()->loadDialect<func::FuncDialect>();
  Location loc = op.getLoc();
  visible = makeQuestion(
      "visible", 2, [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
        auto [first, end] = mask.buildVisibleKeys(b, loc, at, p[0], p[1]);
        return SmallVector<Value>{first, end};
      });
  hidden = makeQuestion(
      "hidden", 4, [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
        return SmallVector<Value>{
            mask.buildIsHidden(b, loc, at, p[0], p[1], p[2], p[3])};
      });
  full = makeQuestion(
      "full", 4, [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
        return SmallVector<Value>{
            mask.buildIsFull(b, loc, at, p[0], p[1], p[2], p[3])};
      });
  listCounts = makeQuestion(
      "counts", 1, [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
        SmallVector<Value> counts;
        for (const KeyBlocks &list : mask.buildKeyBlocks(b, loc, at, p[0])) {
          counts.push_back(list.count);
          listSizes.push_back(list.size);
        }
        return counts;
      });
  if (listSizes.empty())
    return;
  for (size_t list = 0; list < listSizes.size(); ++list)
    listNumbers.push_back(makeQuestion(
        "number", 2, [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
          return SmallVector<Value>{
              mask.buildKeyBlocks(b, loc, at, p[0])[list].number(b, loc, p[1])};
        }));
  auto askInside = [&](StringRef name, auto build) {
    return makeQuestion(
        name, 4, [&](OpBuilder &b, const TilePlace &at, ValueRange p) {
          SmallVector<Value> answers;
          for (const KeyBlocks &list : mask.buildKeyBlocks(b, loc, at, p[0]))
            answers.push_back(list.mask
                                  ? build(b, cast<MaskAttrInterface>(list.mask),
                                          at.with(list.operands), p)
                                  : Value());
          return answers;
        });
  };
  listHidden =
      askInside("hiddenInside", [&](OpBuilder &b, MaskAttrInterface m,
                                    const TilePlace &at, ValueRange p) {
        return m.buildIsHidden(b, loc, at, p[0], p[1], p[2], p[3]);
      });
  listFull = askInside("fullInside", [&](OpBuilder &b, MaskAttrInterface m,
                                         const TilePlace &at, ValueRange p) {
    return m.buildIsFull(b, loc, at, p[0], p[1], p[2], p[3]);
  });
}

bool MaskBlocks::dependsOnPlace() {
  return !op.getMaskOperands().empty() || !op.getMaskBody().empty();
}

void MaskBlocks::setPlace(int64_t batch, int64_t head, int64_t queryOrigin,
                          int64_t keyOrigin) {
  place = {batch, head, queryOrigin, keyOrigin};
}

LogicalResult MaskBlocks::ask(Question &question, ArrayRef<int64_t> positions) {
  Block &body = question.func->getBody().front();
  SmallVector<int64_t> numbers(place.begin(), place.end());
  llvm::append_range(numbers, positions);
  for (auto [argument, number] :
       llvm::zip(body.getArguments().take_front(numbers.size()), numbers))
    interpreter.set(argument, number);
  return interpreter.run(body);
}

FailureOr<bool> MaskBlocks::askFlag(Question &question, size_t answer,
                                    ArrayRef<int64_t> positions) {
  if (failed(ask(question, positions)))
    return failure();
  return interpreter.number(question.answers[answer]).value_or(0) != 0;
}

FailureOr<KeyRange> MaskBlocks::visibleKeys(int64_t qFirst, int64_t qLast) {
  KeyRange range;
  if (!mask)
    return range;
  if (failed(ask(visible, {qFirst, qLast})))
    return failure();
  if (Value first = visible.answers[0])
    range.first = interpreter.number(first);
  if (Value end = visible.answers[1])
    range.end = interpreter.number(end);
  return range;
}

FailureOr<bool> MaskBlocks::isHidden(int64_t qFirst, int64_t qLast,
                                     int64_t kFirst, int64_t kLast,
                                     std::optional<size_t> list) {
  Question &question = list ? listHidden : hidden;
  if (!mask || !question.answers[list.value_or(0)])
    return false;
  return askFlag(question, list.value_or(0), {qFirst, qLast, kFirst, kLast});
}

FailureOr<bool> MaskBlocks::isFull(int64_t qFirst, int64_t qLast,
                                   int64_t kFirst, int64_t kLast,
                                   std::optional<size_t> list) {
  if (!mask || (list && !listFull.answers[*list]))
    return true;
  return askFlag(list ? listFull : full, list.value_or(0),
                 {qFirst, qLast, kFirst, kLast});
}

FailureOr<SmallVector<KeyList>> MaskBlocks::keyLists(int64_t qFirst) {
  if (failed(ask(listCounts, {qFirst})))
    return failure();
  SmallVector<KeyList> lists;
  for (auto [size, count] : llvm::zip(listSizes, listCounts.answers))
    lists.push_back(
        {size, SmallVector<int64_t>(interpreter.number(count).value_or(0), 0)});
  for (auto [index, list] : llvm::enumerate(lists))
    for (auto [n, number] : llvm::enumerate(list.numbers)) {
      Question &question = listNumbers[index];
      if (failed(ask(question, {qFirst, int64_t(n)})))
        return failure();
      number = interpreter.number(question.answers[0]).value_or(-1);
    }
  return lists;
}
