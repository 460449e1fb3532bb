//===- MaskMeaning.cpp - What masks mean ------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   #flash.and<#flash.causal, #flash.segments>
//   ->  key <= query && segmentOfQuery[b][i] == segmentOfKey[b][j]
//
//===----------------------------------------------------------------------===//

#include "MaskMeaning.h"

#include "flash/Dialect/Flash/IR/Flash.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <map>

using namespace mlir;
using namespace flash;
using namespace flash::reference;
using rt::Result;
using rt::Status;

/// An element of an integer tensor; dimensions of size 1 serve all indices.
static int64_t read(const Tensor &tensor, ArrayRef<int64_t> indices) {
  int64_t flat = 0;
  for (auto [size, index] : llvm::zip(tensor.shape, indices))
    flat = flat * size + (size == 1 ? 0 : index);
  return tensor.array->dtype() == rt::DType::I32
             ? tensor.array->dataAs<int32_t>()[flat]
             : tensor.array->dataAs<int64_t>()[flat];
}

/// Says what is wrong with the lists of a `#flash.block_sparse`.
static Status checkLists(ArrayRef<Tensor> operands, int64_t blocks) {
  static const char *const kCounts[] = {"number of partial blocks",
                                        "number of full blocks"},
                    *const kLists[] = {"partial blocks", "full blocks"};
  const std::vector<int64_t> &shape = operands[0].shape;
  auto most = [&](int64_t dim) {
    int64_t size = 0;
    for (const Tensor &operand : operands.take_front(4))
      size = std::max(size, operand.shape[dim]);
    return size;
  };
  for (int64_t b = 0; b < most(0); ++b)
    for (int64_t h = 0; h < most(1); ++h)
      for (int64_t row = 0; row < shape[2]; ++row) {
        std::map<int64_t, const char *> seen;
        for (int kind : {0, 1}) {
          const Tensor &count = operands[2 * kind], &list = operands[2 * kind + 1];
          if (row >= count.shape[2] || row >= list.shape[2])
            continue;
          auto at = [&](const Tensor &tensor) {
            auto index = [&](int64_t dim, int64_t i) {
              return std::to_string(tensor.shape[dim] == 1 ? 0 : i);
            };
            return "[" + index(0, b) + ", " + index(1, h) + ", " +
                   std::to_string(row);
          };
          int64_t end = ::read(count, {b, h, row}), room = list.shape[3];
          if (end < 0 || end > room)
            return Status::error("operand '" + std::string(kCounts[kind]) +
                                 "': entry " + at(count) + "] is " +
                                 std::to_string(end) + ", but the list has room "
                                 "for " + std::to_string(room));
          for (int64_t n = 0; n < end; ++n) {
            int64_t block = ::read(list, {b, h, row, n});
            std::string entry = "operand '" + std::string(kLists[kind]) +
                                "': entry " + at(list) + ", " +
                                std::to_string(n) + "] is block " +
                                std::to_string(block);
            if (block < 0 || block >= blocks)
              return Status::error(entry + ", but there are " +
                                   std::to_string(blocks) +
                                   " blocks of keys, numbered from 0");
            auto [other, isNew] = seen.try_emplace(block, kLists[kind]);
            if (!isNew)
              return Status::error(entry + ", which stands in '" +
                                   other->second +
                                   "' before; a block stands in one list, once");
          }
        }
      }
  return Status::success();
}

namespace {
/// Takes a mask apart, operands in the order in which masks take them.
class MaskReader {
public:
  MaskReader(ArrayRef<Tensor> operands, std::shared_ptr<const ScalarBody> body,
             int64_t keys)
      : operands(operands), body(std::move(body)), keys(keys) {}

  Result<Visible> read(Attribute mask);

private:
  Tensor next() {
    Tensor tensor = operands.front();
    operands = operands.drop_front();
    return tensor;
  }
  Result<Visible> readAll(ArrayRef<MaskAttrInterface> masks, bool all);
  Result<Visible> readBlockSparse(BlockSparseAttr mask);

  ArrayRef<Tensor> operands;
  std::shared_ptr<const ScalarBody> body;
  int64_t keys;
};
} // namespace

Result<Visible> MaskReader::read(Attribute mask) {
  if (isa<CausalAttr>(mask))
    return Visible([](const Element &e) { return e.key <= e.query; });
  if (auto window = dyn_cast<WindowAttr>(mask)) {
    int64_t left = window.getLeft(), right = window.getRight();
    return Visible([=](const Element &e) {
      return (left < 0 || e.query - e.key <= left) &&
             (right < 0 || e.key - e.query <= right);
    });
  }
  if (isa<PrefixAttr>(mask))
    return Visible([lengths = next()](const Element &e) {
      return e.key < ::read(lengths, {e.batch});
    });
  if (isa<SegmentsAttr>(mask)) {
    Tensor queries = next(), keys = next();
    return Visible([=](const Element &e) {
      return ::read(queries, {e.batch, e.queryRow}) ==
             ::read(keys, {e.batch, e.keyRow});
    });
  }
  if (auto sparse = dyn_cast<BlockSparseAttr>(mask))
    return readBlockSparse(sparse);
  if (auto parts = dyn_cast<AndAttr>(mask))
    return readAll(parts.getMasks(), /*all=*/true);
  if (auto parts = dyn_cast<OrAttr>(mask))
    return readAll(parts.getMasks(), /*all=*/false);
  if (isa<RegionAttr>(mask) && body)
    return Visible(
        [body = body](const Element &e) { return body->isVisible(e); });
  std::string text;
  llvm::raw_string_ostream(text) << mask;
  return Status::error("the reference does not know the mask " + text);
}

Result<Visible> MaskReader::readAll(ArrayRef<MaskAttrInterface> masks,
                                    bool all) {
  std::vector<Visible> parts;
  for (MaskAttrInterface mask : masks) {
    Result<Visible> part = read(mask);
    if (part.failed())
      return part;
    parts.push_back(*part);
  }
  return Visible([=](const Element &e) {
    auto sees = [&](const Visible &part) { return part(e); };
    return all ? llvm::all_of(parts, sees) : llvm::any_of(parts, sees);
  });
}

Result<Visible> MaskReader::readBlockSparse(BlockSparseAttr mask) {
  if (operands.front().array) {
    int64_t blocks = (keys + mask.getBk() - 1) / mask.getBk();
    if (Status status = checkLists(operands, blocks); status.failed())
      return status;
  }
  Tensor partialCount = next(), partial = next(), fullCount = next(),
         full = next();
  Visible inside;
  if (mask.getPartial()) {
    Result<Visible> decides = read(mask.getPartial());
    if (decides.failed())
      return decides;
    inside = *decides;
  }
  int64_t bq = mask.getBq(), bk = mask.getBk();
  return Visible([=](const Element &e) {
    int64_t row = e.ownQueryRow / bq, block = e.ownKeyRow / bk;
    auto listed = [&](const Tensor &count, const Tensor &list) {
      // A ragged sequence may be longer than the lists say anything of.
      if (row >= count.shape[2] || row >= list.shape[2])
        return false;
      for (int64_t n = 0, end = ::read(count, {e.batch, e.head, row}); n < end;
           ++n)
        if (::read(list, {e.batch, e.head, row, n}) == block)
          return true;
      return false;
    };
    return listed(fullCount, full) ||
           (listed(partialCount, partial) && (!inside || inside(e)));
  });
}

bool reference::isKnownWithoutData(Attribute mask) {
  bool known = true;
  if (mask)
    mask.walk([&](Attribute part) {
      known &=
          !isa<PrefixAttr, SegmentsAttr, BlockSparseAttr, RegionAttr>(part);
    });
  return known;
}

Status reference::setMask(Options &options, Attribute mask,
                          ArrayRef<Tensor> operands,
                          std::shared_ptr<const ScalarBody> body,
                          int64_t keys) {
  if (!mask)
    return Status::success();
  Result<Visible> visible = MaskReader(operands, std::move(body), keys).read(mask);
  if (visible.failed())
    return visible.status();
  options.visible = *visible;
  options.positionsOnly = isKnownWithoutData(mask);
  // Closed forms, for counting.
  int64_t left = -1, right = -1;
  if (isa<CausalAttr>(mask))
    right = 0;
  else if (auto window = dyn_cast<WindowAttr>(mask))
    std::tie(left, right) = std::pair(window.getLeft(), window.getRight());
  else
    return Status::success();
  options.countVisible = [=](int64_t query, int64_t first, int64_t end) {
    int64_t low = left < 0 ? first : std::clamp(query - left, first, end),
            high = right < 0 ? end : std::clamp(query + right + 1, first, end);
    return std::max<int64_t>(high - low, 0);
  };
  return Status::success();
}
