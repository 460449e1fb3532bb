//===- TargetInfo.cpp - Descriptions of the targets by name -----*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A target is data: adding a GPU of a known family is a row of this table.
// Shared memory a block, registers and cache sizes: CUDA C++ Programming Guide,
// table of technical specifications per compute capability; SMs and L2 of the
// usual board.
//
//===----------------------------------------------------------------------===//

#include "flash/Target/TargetInfo.h"
#include "flash/Target/CPUInfo.h"

#include "mlir/AsmParser/AsmParser.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace flash;

namespace {
struct TargetRow {
  StringLiteral kind;
  int64_t cores, fastMemory, registers, l2;
};
} // namespace

// docs: begin targets
static constexpr TargetRow kTargets[] = {
    {"sm_80", 108, 163 << 10, 65536, 40 << 20},
    {"sm_86", 84, 99 << 10, 65536, 6 << 20},
    {"sm_89", 128, 99 << 10, 65536, 72 << 20},
    {"sm_90a", 132, 227 << 10, 65536, 50 << 20},
    {"sm_100", 148, 227 << 10, 65536, 126 << 20},
    {"sm_120", 170, 99 << 10, 65536, 96 << 20},
};
// docs: end targets

SmallVector<StringRef> flash::getGPUNames() {
  return llvm::map_to_vector(
      kTargets, [](const TargetRow &row) { return StringRef(row.kind); });
}

static FailureOr<TargetAttr>
parseTargetAttr(MLIRContext *context, StringRef text,
                function_ref<InFlightDiagnostic()> emitError) {
  auto target = dyn_cast_or_null<TargetAttr>(parseAttribute(text, context));
  if (!target)
    return emitError() << "'" << text << "' is not a #flash.target attribute";
  // The code generator has to know the name, too.
  if (StringRef name = target.getCPUName();
      !name.empty() && failed(getNamedCPUTarget(context, name, emitError)))
    return failure();
  return target;
}

FailureOr<TargetAttr>
flash::parseTarget(MLIRContext *context, StringRef text,
                   function_ref<InFlightDiagnostic()> emitError) {
  if (text == "cpu") {
    if (failed(checkHostCPU(emitError)))
      return failure();
    return getHostCPUTarget(context);
  }
  if (StringRef name = text; name.consume_front("cpu:"))
    return getNamedCPUTarget(context, name, emitError);
  if (text.starts_with("#"))
    return parseTargetAttr(context, text, emitError);
  for (const TargetRow &row : kTargets)
    if (row.kind == text)
      return TargetAttr::get(context, StringAttr::get(context, row.kind),
                             row.cores, row.fastMemory, row.registers, row.l2,
                             /*vectorBits=*/0);
  // sm_90 has no kernels of its own, sm_90a has.
  std::string meant;
  for (StringRef name : getGPUNames())
    if (name.starts_with(text) && text.starts_with("sm_"))
      meant = "; did you mean '" + name.str() + "'?";
  if (!meant.empty())
    return emitError() << "no target '" << text << "'" << meant;
  return emitError() << "no target '" << text << "'; there are cpu, "
                     << llvm::join(getGPUNames(), ", ")
                     << ", cpu:NAME (cpu:x86-64-v3, cpu:znver4, ...), or a "
                        "#flash.target attribute";
}
