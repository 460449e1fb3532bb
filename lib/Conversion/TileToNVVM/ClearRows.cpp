//===- ClearRows.cpp - Rows of a tile that do not exist -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   get %ring[%i] rows(%n)
//   ->  scf.if n < 128 {                        // the same for all threads
//         for each panel: st.shared.v4 zeros     // from row n on
//         fence.proxy.async                      // wgmma reads by that proxy
//         bar.sync of the warpgroup
//       }
//
// Every warpgroup reads the whole tile, and none but the producer is sure to
// come by between the copy's end and the first product. So each one writes all
// of the zeros, over zeros of another one that may be ahead, and waits for
// itself only. A row has 128 bytes in each panel, permuted among themselves:
// those of rows that follow one another lie together. The stage is filled
// again when all warps have released it, after these writes.
//
//===----------------------------------------------------------------------===//

#include "Lowering.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace flash::tile;

/// Each thread of a warpgroup stores 16 bytes of each panel, in steps of all.
static std::string clearText(int64_t panels, int64_t panelBytes) {
  std::string text = "{\n.reg .pred more;\n.reg .b32 at, zero;\n"
                     "mov.b32 zero, 0;\nmov.b32 at, $0;\nCLEAR:\n"
                     "setp.lt.u32 more, at, $1;\n@!more bra CLEARED;\n";
  for (int64_t panel = 0; panel < panels; ++panel)
    text += "st.shared.v4.b32 [at + " + std::to_string(panel * panelBytes) +
            "], {zero, zero, zero, zero};\n";
  return text + "add.u32 at, at, 2048;\nbra CLEAR;\nCLEARED:\n}";
}

void flash::tile::clearRows(Emitter &e, const KernelValues &kernel,
                            SharedType type, Value tile, Value rows) {
  Value count = e.toI32(rows);
  auto cut = scf::IfOp::create(e, e.less(count, e.i32(type.getRows())),
                               /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToStart(cut.thenBlock());
  Value first = e.shl(e.max(count, e.i32(0)), 7);
  Value mine = e.shl(e.bitAnd(kernel.thread, 127), 4);
  e.ptx(clearText(type.getPanels(), type.getPanelBytes()), "r,r",
        {e.add(e.add(tile, first), mine), e.add(tile, type.getPanelBytes())});
  e.ptx("fence.proxy.async.shared::cta;", "", {});
  e.ptx("bar.sync $0, 128;", "r",
        e.add(e.shr(kernel.warp, 2), firstOwnBarrier));
}
