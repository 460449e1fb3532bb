//===- Signature.cpp - What a function is called with ---------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Joins the dimensions that flash.attention and flash.merge equate, and names
// each class after its role in the first attention that uses it.
//
//===----------------------------------------------------------------------===//

#include "flash/Compiler/Signature.h"

#include "TraceArgument.h"
#include "flash/Dialect/Flash/Analysis/CaptureReads.h"
#include "flash/Dialect/Flash/IR/Flash.h"
#include "flash/Target/ElementType.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace flash;
using compiler::traceArgument;
using compiler::traceDim;
using rt::Result;
using rt::Status;

namespace {

/// Collects equal dimensions, and what they and the arguments are called.
class Namer {
public:
  using Dim = std::pair<int, int>;

  explicit Namer(func::FuncOp func)
      : argumentNames(func.getNumArguments()),
        argumentRoles(func.getNumArguments()) {
    for (auto [index, type] : llvm::enumerate(func.getArgumentTypes()))
      if (auto tensor = dyn_cast<RankedTensorType>(type))
        for (int dim = 0; dim < tensor.getRank(); ++dim)
          classes.insert({int(index), dim});
    func.walk([&](Operation *op) {
      if (auto attention = dyn_cast<AttentionOpInterface>(op))
        visit(attention);
      else if (auto merge = dyn_cast<MergeOp>(op))
        visit(merge);
    });
  }

  llvm::EquivalenceClasses<Dim> classes;
  /// A role's name with its number, of some dimension of the class.
  std::map<Dim, std::string> roles;
  /// Dimensions that are classes of their own, but default to a role's size.
  std::map<Dim, SizeSymbol::Like> likes;
  std::vector<std::string> argumentNames;
  std::vector<std::string> argumentRoles;

private:
  /// Names of the sizes of one op, and the first dimension of each.
  struct Op {
    std::map<std::string, Dim> first;
  };

  void note(Op &op, Value value, int dim, const char *role) {
    std::optional<Dim> key = traceDim(value, dim);
    if (!key)
      return;
    auto [it, isNew] = op.first.try_emplace(role, *key);
    if (!isNew)
      classes.unionSets(it->second, *key);
    roles.try_emplace(*key, role);
  }
  void noteLike(Value value, int dim, SizeSymbol::Like like) {
    if (std::optional<Dim> key = traceDim(value, dim))
      likes.try_emplace(*key, std::move(like));
  }
  void nameArgument(Value value, const char *name) {
    BlockArgument argument = value ? traceArgument(value) : BlockArgument();
    if (argument && argumentNames[argument.getArgNumber()].empty())
      argumentNames[argument.getArgNumber()] = name;
    giveRole(value, name);
  }
  void giveRole(Value value, StringRef role) {
    BlockArgument argument = value ? traceArgument(value) : BlockArgument();
    if (argument && argumentRoles[argument.getArgNumber()].empty())
      argumentRoles[argument.getArgNumber()] = role;
  }

  /// Operands of masks and score functions. A dimension that may be 1 has a
  /// size of its own.
  void noteOperands(Op &op, AttentionOpInterface attention,
                    ArrayRef<OperandKind> kinds, ValueRange operands) {
    for (auto [kind, operand] : llvm::zip_equal(kinds, operands)) {
      giveRole(operand, kind.name);
      int64_t rank = cast<RankedTensorType>(operand.getType()).getRank();
      for (auto [dim, what] : llvm::enumerate(kind.dimsOf(rank)))
        noteDim(op, attention, operand, int(dim), what);
    }
  }
  void noteDim(Op &op, AttentionOpInterface attention, Value operand, int dim,
               const OperandDim &what) {
    const char *role = nullptr;
    switch (what.along) {
    case Along::Batch:
      if (attention.isRagged())
        return noteLike(operand, dim, {"bounds", 1, 1});
      role = "batch";
      break;
    case Along::RowBatch:
      role = "batch";
      break;
    case Along::Heads:
      role = "heads";
      break;
    case Along::Queries:
      role = "sq";
      break;
    case Along::QueryBlocks:
      return noteLike(operand, dim, {"sq", what.each});
    case Along::Keys:
      role = attention.isPaged() ? nullptr : "sk";
      break;
    case Along::Anything:
      break;
    }
    if (!role)
      return;
    if (what.broadcasts)
      return noteLike(operand, dim, {role, 1});
    note(op, operand, dim, role);
  }
  /// A dimension of a capture that a region reads at its position.
  void noteCaptures(AttentionOpInterface op) {
    for (Value capture : op.getCaptures())
      if (capture.getType().isIndex())
        giveRole(capture, "capture");
    if (op.isRagged())
      return; // positions in a sequence
    // Rows at the end of the keys, if nobody says where.
    const char *positions[] = {"batch", "heads", op.getQOffset() ? "sq" : "sk",
                               "sk"};
    for (Region *region : {&op.getMaskBody(), &op.getScoreBody()}) {
      if (region->empty())
        continue;
      auto captures = region->getArguments().take_back(op.getCaptures().size());
      unsigned first = region->getNumArguments() - captures.size() - 4;
      region->walk([&](tensor::ExtractOp read) {
        auto capture = dyn_cast<BlockArgument>(read.getTensor());
        for (auto [dim, index] : llvm::enumerate(read.getIndices())) {
          auto position = dyn_cast<BlockArgument>(index);
          if (capture && position && position.getArgNumber() < first + 4)
            noteLike(op.getCaptures()[capture.getArgNumber() - first - 4],
                     int(dim), {positions[position.getArgNumber() - first]});
        }
      });
    }
  }

  void visitData(Op &names, AttentionOpInterface op) {
    noteCaptures(op);
    for (Value bounds : {op.getCuSeqlensQ(), op.getCuSeqlensK()})
      if (bounds)
        note(names, bounds, 0, "bounds");
    const OperandDim perBatch{Along::Batch};
    for (Value data : {op.getKvLengths(), op.getPageTable()})
      if (data)
        noteDim(names, op, data, 0, perBatch);
    if (op.getPageTable())
      note(names, op.getPageTable(), 1, "pages_each");
    if (op.getSinks())
      note(names, op.getSinks(), 0, "heads");
    for (Value factors : {op.getKeyScale(), op.getValueScale()})
      if (factors)
        note(names, factors, 0, "kv_heads");
    if (MaskAttrInterface mask = op.getEffectiveMask())
      noteOperands(names, op, mask.getMaskOperandKinds(), op.getMaskOperands());
    SmallVector<OperandKind> kinds;
    for (ScoreAttrInterface score : op.getEffectiveScores())
      kinds.append(score.getScoreOperandKinds());
    noteOperands(names, op, kinds, op.getScoreOperands());
  }

  void visit(AttentionOpInterface op) {
    Op names;
    int heads = op.getHeadsDim(), length = op.getLengthDim();
    note(names, op.getQuery(), 0, "batch");
    const char *blocks = op.isPaged() ? "pages" : "batch",
               *keys = op.isPaged() ? "page_size" : "sk";
    note(names, op.getQuery(), heads, "heads");
    note(names, op.getQuery(), length, "sq");
    note(names, op.getQuery(), 3, "dqk");
    for (Value value : {op.getKey(), op.getValue()}) {
      note(names, value, 0, blocks);
      note(names, value, heads, "kv_heads");
      note(names, value, length, keys);
      note(names, value, 3, value == op.getKey() ? "dqk" : "dv");
    }
    nameArgument(op.getQuery(), "query");
    nameArgument(op.getKey(), "key");
    nameArgument(op.getValue(), "value");
    nameArgument(op.getQOffset(), "q_offset");
    nameArgument(op.getKvOffset(), "kv_offset");
    nameArgument(op.getSeed(), "seed");
    nameArgument(op.getDropoutOffset(), "offset");
    nameArgument(op.getCuSeqlensQ(), "cu_seqlens_q");
    nameArgument(op.getCuSeqlensK(), "cu_seqlens_k");
    nameArgument(op.getKvLengths(), "kv_lengths");
    nameArgument(op.getPageTable(), "page_table");
    visitData(names, op);
    if (auto backward = dyn_cast<AttentionBackwardOp>(op.getOperation()))
      visitForward(names, backward);
  }
  /// What a backward has of the forward, and the gradients that it is given.
  void visitForward(Op &names, AttentionBackwardOp op) {
    int heads = op.getHeadsDim(), length = op.getLengthDim();
    for (auto [value, name] :
         {std::pair<Value, const char *>{op.getOutput(), "output"},
          {op.getDOutput(), "d_output"}}) {
      note(names, value, 0, "batch");
      note(names, value, heads, "heads");
      note(names, value, length, "sq");
      note(names, value, 3, "dv");
      nameArgument(value, name);
    }
    for (auto [value, name] :
         {std::pair<Value, const char *>{op.getLse(), "lse"},
          {op.getDLse(), "d_lse"}}) {
      if (!value)
        continue;
      note(names, value, 0, "batch");
      note(names, value, 1, "heads");
      note(names, value, 2, "sq");
      nameArgument(value, name);
    }
  }

  void visit(MergeOp op) {
    Op names;
    int heads = op.getLayout() == Layout::BHSD ? 1 : 2;
    for (Value output : op.getOutputs()) {
      note(names, output, 0, "batch");
      note(names, output, heads, "heads");
      note(names, output, 3 - heads, "sq");
      note(names, output, 3, "dv");
    }
    for (Value lse : op.getLses()) {
      note(names, lse, 0, "batch");
      note(names, lse, 1, "heads");
      note(names, lse, 2, "sq");
    }
  }
};

} // namespace

static Status unsupported(Twine what, Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << what << " has type " << type
                                 << "; a function is called with ranked "
                                    "tensors of floats, i1, i8, i32 or "
                                    "i64, and index";
  return Status::error(text);
}

/// The name of a gradient: of what it is for.
static std::string nameGradient(OpResult result, AttentionBackwardOp op) {
  for (auto [gradient, name] :
       {std::pair<Value, const char *>{op.getDQuery(), "d_query"},
        {op.getDKey(), "d_key"},
        {op.getDValue(), "d_value"},
        {op.getDSinks(), "d_sinks"}})
    if (result == gradient)
      return name;
  size_t which =
      llvm::find(op.getDOperands(), result) - op.getDOperands().begin();
  auto number = size_t((*op.getOperandsWithGradient())[which]);
  // The score function that has the operand.
  size_t first = 0;
  for (ScoreAttrInterface function : op.getEffectiveScores()) {
    first += function.getNumScoreOperands();
    if (number < first)
      return isa<AlibiAttr>(function)  ? "d_slopes"
             : isa<BiasAttr>(function) ? "d_bias"
                                       : "d_score_operand";
  }
  return "d_capture" + std::to_string(number - op.getScoreOperands().size());
}

/// The result's name, and whether it is a log-sum-exp.
static std::pair<std::string, bool> nameResult(Value value) {
  while (auto cast = value.getDefiningOp<tensor::CastOp>())
    value = cast.getSource();
  auto result = dyn_cast<OpResult>(value);
  if (result)
    if (auto backward = dyn_cast<AttentionBackwardOp>(result.getOwner()))
      return {nameGradient(result, backward), false};
  if (!result || !isa<AttentionOp, MergeOp>(result.getOwner()))
    return {"", false};
  bool isLse = result.getResultNumber() == 1;
  return {isLse ? "lse" : "o", isLse};
}

Result<FunctionSignature> FunctionSignature::get(func::FuncOp func) {
  FunctionSignature signature;
  signature.name = func.getName().str();
  Namer namer(func);
  llvm::SmallBitVector asked = findAskedArguments(func);

  std::map<Namer::Dim, int> symbolOf; // by the class's leader
  llvm::StringSet<> taken;
  for (auto [index, type] : llvm::enumerate(func.getArgumentTypes())) {
    SignatureArgument argument;
    argument.isSeed = type.isInteger(64);
    argument.isIndex = type.isIndex() || argument.isSeed;
    if (Result<rt::DType> number = convertElementType(type);
        isa<FloatType>(type) && number.ok()) {
      argument.isReal = true;
      argument.dtype = *number;
    }
    argument.name = namer.argumentNames[index].empty()
                        ? "arg" + std::to_string(index)
                        : namer.argumentNames[index];
    argument.role = namer.argumentRoles[index];
    argument.isAsked = asked.test(index);
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor && !argument.isIndex && !argument.isReal)
      return unsupported("argument " + Twine(index), type);
    if (tensor) {
      Result<rt::DType> dtype = convertElementType(tensor.getElementType());
      if (dtype.failed())
        return unsupported("argument " + Twine(index), type);
      argument.dtype = *dtype;
      for (int dim = 0; dim < tensor.getRank(); ++dim) {
        Namer::Dim key{int(index), dim};
        auto leader = namer.classes.getLeaderValue(key);
        auto [it, isNew] =
            symbolOf.try_emplace(leader, signature.symbols.size());
        if (isNew)
          signature.symbols.emplace_back();
        SizeSymbol &symbol = signature.symbols[it->second];
        symbol.uses.push_back(key);
        if (!tensor.isDynamicDim(dim) && !symbol.fixed)
          symbol.fixed = tensor.getDimSize(dim);
        if (auto role = namer.roles.find(key);
            role != namer.roles.end() && symbol.role.empty())
          symbol.role = role->second;
        if (auto like = namer.likes.find(key); like != namer.likes.end())
          symbol.like = like->second;
        argument.symbols.push_back(it->second);
      }
    }
    signature.arguments.push_back(std::move(argument));
  }
  for (SizeSymbol &symbol : signature.symbols) {
    symbol.name = symbol.role;
    for (int number = 2;
         !symbol.role.empty() && !taken.insert(symbol.name).second; ++number)
      symbol.name = symbol.role + std::to_string(number);
    if (symbol.role.empty())
      symbol.name = "arg" + std::to_string(symbol.uses[0].first) + "." +
                    std::to_string(symbol.uses[0].second);
  }

  auto ret = dyn_cast<func::ReturnOp>(func.getBody().front().getTerminator());
  for (auto [index, type] : llvm::enumerate(func.getResultTypes())) {
    SignatureResult result;
    auto tensor = dyn_cast<RankedTensorType>(type);
    Result<rt::DType> dtype =
        convertElementType(tensor ? tensor.getElementType() : type);
    if (!tensor || dtype.failed())
      return unsupported("result " + Twine(index), type);
    std::tie(result.name, result.isLse) =
        ret ? nameResult(ret.getOperand(index))
            : std::pair{std::string(), false};
    for (const SignatureResult &other : signature.results)
      if (other.name == result.name)
        result.name.clear();
    if (result.name.empty())
      result.name = "result" + std::to_string(index);
    result.dtype = *dtype;
    result.rank = tensor.getRank();
    for (int64_t size : tensor.getShape())
      result.sizes.push_back(ShapedType::isDynamic(size) ? -1 : size);
    signature.results.push_back(std::move(result));
  }

  bool found = false;
  func.walk([&](AttentionOpInterface op) {
    Type element = op.getQuery().getType().getElementType();
    if (Result<rt::DType> type = convertElementType(element);
        type.ok() && !found)
      signature.inputType = *type;
    found = true;
  });
  return signature;
}

/// Parses `argK` or `argK.D`.
static bool parseArgument(StringRef text, int &argument, int &dim) {
  dim = -1;
  if (!text.consume_front("arg"))
    return false;
  auto [first, second] = text.split('.');
  return !first.getAsInteger(10, argument) &&
         (!text.contains('.') || !second.getAsInteger(10, dim));
}

int FunctionSignature::findSymbol(StringRef name) const {
  for (auto [index, symbol] : llvm::enumerate(symbols))
    if (symbol.name == name)
      return index;
  int argument, dim;
  if (parseArgument(name, argument, dim) && argument >= 0 && dim >= 0 &&
      argument < int(arguments.size()) &&
      dim < int(arguments[argument].symbols.size()))
    return arguments[argument].symbols[dim];
  return -1;
}

int FunctionSignature::findArgument(StringRef name) const {
  for (auto [index, argument] : llvm::enumerate(arguments))
    if (argument.name == name)
      return index;
  int argument, dim;
  if (parseArgument(name, argument, dim) && dim < 0 && argument >= 0 &&
      argument < int(arguments.size()))
    return argument;
  return -1;
}

Result<func::FuncOp> flash::findEntry(ModuleOp module, StringRef name) {
  SmallVector<func::FuncOp> candidates;
  for (auto func : module.getOps<func::FuncOp>())
    if (!func.isExternal() && func.isPublic())
      candidates.push_back(func);
  std::string names =
      llvm::join(llvm::map_range(candidates,
                                 [](func::FuncOp func) {
                                   return "@" + func.getName().str();
                                 }),
                 ", ");
  if (candidates.empty())
    return Status::error("there is no public function with a body");
  if (name.empty()) {
    if (candidates.size() == 1)
      return candidates.front();
    // The one that none of the others is called by.
    llvm::SmallPtrSet<Operation *, 4> called;
    module.walk([&](func::CallOp call) {
      if (auto callee = module.lookupSymbol<func::FuncOp>(call.getCallee());
          callee && callee != call->getParentOfType<func::FuncOp>())
        called.insert(callee);
    });
    if (llvm::count_if(candidates, [&](func::FuncOp func) {
          return !called.contains(func);
        }) == 1)
      return *llvm::find_if(candidates, [&](func::FuncOp func) {
        return !called.contains(func);
      });
    return Status::error("there are " + std::to_string(candidates.size()) +
                         " functions (" + names + "): choose one with --entry");
  }
  name.consume_front("@");
  for (func::FuncOp func : candidates)
    if (func.getName() == name)
      return func;
  return Status::error("there is no public function @" + name.str() +
                       " with a body; there is " + names);
}
