//===- SequenceCases.cpp - Ragged and paged kernels ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sequences packed along the length, lengths of keys, keys in pages; alone, and
// with what changes scores and probabilities.
//
//===----------------------------------------------------------------------===//

#include "Extras.h"

using namespace flash;
using namespace flash::matrix;
using rt::DType;

static const std::vector<Shape> kPacked = {
    {1, 0, 63}, {1, 63, 0}, {1, 113, 113}, {1, 517, 300}, {1, 300, 1023}};
static const std::vector<Shape> kPaged = {
    {1, 5, 0}, {2, 1, 113}, {3, 64, 128}, {1, 1, 1023}, {2, 97, 300}};

namespace {
/// What scores and probabilities go through besides.
struct Company {
  std::string feature, attributes;
  std::vector<Extra> extras;
  std::string operands;
  bool seeds = false;
  std::optional<DType> keyType = std::nullopt, valueType = std::nullopt;
};
} // namespace

static std::vector<Company> listCompany() {
  return {{"softcap-alibi",
           "scores = [#flash.softcap<3.0>, #flash.alibi]",
           {slopes()},
           "score_operands(%a : tensor<?xf32>)"},
          {"bias",
           "scores = [#flash.bias]",
           {bias()},
           "score_operands(%w : tensor<1x?x?x?xf32>)"},
          {"sinks", "", {sinks()}, "sinks(%z : tensor<?xf32>)"},
          {"dropout",
           "dropout_p = 0.25 : f32",
           {},
           "dropout(%seed, %offset)",
           true},
          {"narrow", "", {}, "", false, DType::F8E4M3FN, DType::F8E4M3FN},
          {"narrow-mixed", "", {}, "", false, DType::I8, DType::F8E4M3FN},
          {"narrow-keys", "", {}, "", false, DType::F8E5M2},
          {"narrow-values", "", {}, "", false, std::nullopt, DType::I8}};
}

/// Adds the extras of `company` to a kernel.
static void join(Kernel &kernel, const Company &company) {
  kernel.feature += "-" + company.feature;
  makeNarrow(kernel, company.keyType, company.valueType);
  if (!company.attributes.empty())
    kernel.attributes += ", " + company.attributes;
  for (const Extra &extra : company.extras)
    kernel.extras.push_back(extra);
  kernel.operands += " " + company.operands;
  kernel.seeds = company.seeds;
}

std::vector<Kernel> matrix::makeSequenceKernels(DType type) {
  std::vector<Kernel> kernels;
  // Layouts take turns, and begin with another one for each type.
  int turn = static_cast<int>(type);
  auto sequences = [&](std::string feature, std::string attributes,
                       std::vector<Extra> extras, std::string operands,
                       int64_t pageSize) -> Kernel & {
    kernels.emplace_back();
    Kernel &kernel = kernels.back();
    kernel.type = type;
    kernel.bshd = ++turn & 1;
    kernel.feature = std::move(feature);
    kernel.extras = std::move(extras);
    kernel.attributes = std::move(attributes);
    kernel.operands = std::move(operands);
    kernel.pageSize = pageSize;
    if (!pageSize)
      kernel.spoil = kernel.extras.size() == 1 ? spoilBehindLengths
                                               : spoilOutsideSequences;
    return kernel;
  };
  // Tiles of every schedule, whole ones and cut ones.
  for (int64_t dim : {64, 128, 256}) {
    auto wide = [&](Kernel &kernel, std::vector<Shape> shapes) {
      kernel.dqk = kernel.dv = dim;
      kernel.lse = dim != 128;
      kernel.shapes = std::move(shapes);
    };
    std::string mask = dim == 64    ? ""
                       : dim == 128 ? "mask = #flash.causal"
                                    : "mask = #flash.window<left = 200, "
                                      "right = 0>",
                name = "-hd" + std::to_string(dim);
    wide(sequences("ragged" + name, mask,
                   {starts("cq", true), starts("ck", false)},
                   "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : "
                   "tensor<?xi32>)",
                   0),
         {{1, 1000, 1000}, {1, 517, 300}, {1, 2050, 1023}});
    for (bool masked : {false, true})
      if (!masked || !mask.empty())
        wide(sequences((masked ? "kv-lengths-masked" : "kv-lengths") + name,
                       masked ? mask : "", {keyLengths()},
                       "kv_lengths(%n : tensor<?xi32>)", 0),
             {{4, 200, 700}, {3, 1, 1023}, {2, 640, 512}});
  }
  for (bool causal : {false, true})
    sequences(causal ? "ragged-causal" : "ragged",
              causal ? "mask = #flash.causal" : "",
              {starts("cq", true), starts("ck", false)},
              "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : "
              "tensor<?xi32>)",
              0)
        .shapes = kPacked;
  sequences("ragged-segments", "mask = #flash.segments",
            {starts("cq", true), starts("ck", false), segments("sq", true),
             segments("sk", false)},
            "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : "
            "tensor<?xi32>) mask_operands(%sq, %sk : tensor<?x?xi32>, "
            "tensor<?x?xi32>)",
            0)
      .shapes = kPacked;
  // Numbers that lie between pages that cannot be read: what pads a tile must
  // not ask for those of rows that are not there.
  sequences("ragged-short-bias", "scores = [#flash.bias]",
            {starts("cq", true), starts("ck", false), bias()},
            "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : "
            "tensor<?xi32>) score_operands(%w : tensor<1x?x?x?xf32>)",
            0)
      .shapes = {{1, 3, 1100}, {1, 116, 3}, {1, 57, 57}};
  {
    Kernel &lengths =
        sequences("kv-lengths-full-bias", "scores = [#flash.bias]",
                  {keyLengths(), bias()},
                  "kv_lengths(%n : tensor<?xi32>) score_operands(%w : "
                  "tensor<1x?x?x?xf32>)",
                  0);
    lengths.spoil = spoilBehindLengths;
    lengths.shapes = {{3, 16, 116}, {4, 116, 200}};
  }
  sequences("kv-lengths", "mask = #flash.causal", {keyLengths()},
            "kv_lengths(%n : tensor<?xi32>)", 0);
  sequences("kv-lengths-split", "mask = #flash.causal", {keyLengths()},
            "kv_lengths(%n : tensor<?xi32>)", 0)
      .splitKV = 3;
  Kernel &parts = sequences(
      "ragged-split", "mask = #flash.and<#flash.causal, #flash.segments>",
      {starts("cq", true), starts("ck", false), segments("sq", true),
       segments("sk", false)},
      "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : "
      "tensor<?xi32>) mask_operands(%sq, %sk : tensor<?x?xi32>, "
      "tensor<?x?xi32>)",
      0);
  parts.shapes = kPacked;
  parts.splitKV = 2;
  auto paged = [&](std::string feature, std::string attributes,
                   int64_t pageSize) -> Kernel & {
    Kernel &kernel = sequences(
        "paged-" + std::to_string(pageSize) + std::move(feature),
        std::move(attributes), {keyLengths(), pageTable()},
        "kv_lengths(%n : tensor<?xi32>) page_table(%t : tensor<?x?xi32>)",
        pageSize);
    kernel.shapes = kPaged;
    return kernel;
  };
  for (auto [pageSize, splits] : {std::pair<int64_t, int64_t>{1, 0},
                                  {7, 0},
                                  {16, 0},
                                  {64, 0},
                                  {7, 3},
                                  {64, 2}})
    paged("", pageSize == 7 ? "" : "mask = #flash.causal", pageSize).splitKV =
        splits;
  // Tiles of every schedule, pages of a size that is known at run time.
  for (auto [dim, pageSize] : {std::pair<int64_t, int64_t>{64, 128},
                               {128, 16},
                               {128, 256},
                               {256, 80},
                               {59, 16}}) {
    Kernel &kernel =
        paged("-wide", "mask = #flash.window<left = 200, right = 0>", pageSize);
    kernel.dqk = kernel.dv = dim;
    kernel.heads = 6;
    kernel.lse = dim != 128;
    kernel.dynamicPages = pageSize == 80 || dim == 59;
  }
  for (const Company &company : listCompany()) {
    // 8 bits have factors of f32.
    if ((company.keyType || company.valueType) && type == DType::F64)
      continue;
    join(paged("", "mask = #flash.causal", 16), company);
    Kernel &ragged = sequences("ragged", "mask = #flash.causal",
                               {starts("cq", true), starts("ck", false)},
                               "cu_seqlens_q(%cq : tensor<?xi32>) "
                               "cu_seqlens_k(%ck : tensor<?xi32>)",
                               0);
    ragged.shapes = kPacked;
    join(ragged, company);
  }
  return kernels;
}
