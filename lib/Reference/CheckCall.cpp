//===- CheckCall.cpp - The results of a call, judged ----------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Further unfused computations run one by one, and only for a result that is
// above its limit.
//
//===----------------------------------------------------------------------===//

#include "flash/Reference/CheckCall.h"

#include <algorithm>

using namespace flash;
using namespace flash::reference;
using rt::Result;

Result<std::vector<RuntimeValue>>
CheckedCall::run(Arithmetic arithmetic, uint64_t variant,
                 const std::string &what) const {
  return reference::run(
      func, args, arithmetic,
      [&](double part) {
        if (progress)
          progress(what, part);
      },
      variant);
}

Errors CheckedCall::measured(size_t index,
                             const std::vector<RuntimeValue> &results) const {
  return measure(*std::get<Tensor>(results[index]).array, *exact(index).array,
                 exact(index).magnitudes.get());
}

Result<CheckedCall> CheckedCall::create(mlir::func::FuncOp func,
                                        std::vector<RuntimeValue> args,
                                        Progress progress) {
  CheckedCall call;
  call.func = func;
  call.args = std::move(args);
  call.progress = std::move(progress);
  auto truth = call.run(Arithmetic::Float64, 0, "computing the f64 reference");
  if (truth.failed())
    return truth.status();
  auto plain =
      call.run(Arithmetic::Unfused, 0, "computing the unfused attention");
  if (plain.failed())
    return plain.status();
  call.truth = std::move(*truth);
  call.plain = std::move(*plain);
  return call;
}

Result<Verdict> CheckedCall::judge(size_t index, const rt::Array &array,
                                   ResultKind kind, rt::DType inputType,
                                   bool nanAsReference) {
  GradientScale scale{exact(index).magnitudes.get(),
                      std::max<int64_t>(exact(index).queryRows, 1)};
  Errors largest = measured(index, plain);
  auto judgeNow = [&] {
    return reference::judge(array, *exact(index).array, largest, kind,
                            inputType, nanAsReference, scale);
  };
  Verdict verdict = judgeNow();
  for (uint64_t n = 0; n < kVariants && verdict.beyondLimit; ++n) {
    if (n == variants.size()) {
      auto results =
          run(Arithmetic::Unfused, n + 1,
              "above the limit: computing it with other roundings, " +
                  std::to_string(n + 1) + " of " + std::to_string(kVariants));
      if (results.failed())
        return results.status();
      variants.emplace_back();
      for (size_t i = 0; i < plain.size(); ++i)
        variants.back().push_back(measured(i, *results));
    }
    raiseTo(largest, variants[n][index]);
    verdict = judgeNow();
  }
  return verdict;
}
