//===- FlashBase.td - The flash dialect and its attributes --*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_IR_FLASHBASE
#define FLASH_DIALECT_FLASH_IR_FLASHBASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Flash_Dialect : Dialect {
  let name = "flash";
  let cppNamespace = "::flash";
  let summary = "Attention as a first-class operation, and its tiled forms";
  let description = [{
    Level 0 says what is computed (`flash.attention`, `flash.merge`); level 1
    which block is in fast memory when (`flash.online_attention` inside loops);
    level 2 the arithmetic of a step (`flash.online_softmax` beside linalg).

    Attributes of other operations:

    | attribute | on | meaning |
    |---|---|---|
    | `flash.schedule` | `scf.forall` at L2 | a schedule in short, which `flash-split-schedule` gives to its readers |
    | `flash.tiling` | `scf.forall` | how the attention or merge that it was is tiled; L1 and L2 have been made by it |
    | `flash.shorter_schedules` | `flash.attention` | schedules for calls that are short: `[#flash.bounded<up_to = 1408, schedule = <...>>, ...]` |
    | `flash.name` | an argument of a function | its name in a launch plan |
    | `flash.io_counters` | a global | what `flash-count-io` counts in it |
    | `flash.rare` | a linalg op on a CPU | it is seldom executed, and so not vectorised |

    Others are errors.
  }];
  // Ours says which attribute may have been meant.
  let useDefaultAttributePrinterParser = 0;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    ::mlir::Attribute parseAttribute(::mlir::DialectAsmParser &parser, ::mlir::Type type) const override;
    void printAttribute(::mlir::Attribute attribute, ::mlir::DialectAsmPrinter &printer) const override;

    /// The dialect's version in bytecode (BytecodeVersion.h): one more whenever
    /// what was written before is read otherwise.
    static constexpr uint64_t kBytecodeVersion = 1;
    /// The names of the attributes above: nowhere else are they spelt out.
    static constexpr ::llvm::StringLiteral getScheduleAttrName() { return "flash.schedule"; }
    static constexpr ::llvm::StringLiteral getTilingAttrName() { return "flash.tiling"; }
    static constexpr ::llvm::StringLiteral getShorterSchedulesAttrName() { return "flash.shorter_schedules"; }
    static constexpr ::llvm::StringLiteral getNameAttrName() { return "flash.name"; }
    static constexpr ::llvm::StringLiteral getIOCountersAttrName() { return "flash.io_counters"; }
    static constexpr ::llvm::StringLiteral getRareAttrName() { return "flash.rare"; }
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

class Flash_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Flash_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Flash_Layout : I32EnumAttr<"Layout", "order of the dimensions of Q, K, V and O: #flash.layout<bhsd> or #flash.layout<bshd>", [
    I32EnumAttrCase<"BHSD", 0, "bhsd">, I32EnumAttrCase<"BSHD", 1, "bshd">]> {
  let cppNamespace = "::flash";
  let genSpecializedAttr = 0;
}

def Flash_LayoutAttr : EnumAttr<Flash_Dialect, Flash_Layout, "layout"> {
  let assemblyFormat = "`<` $value `>`";
}

def Flash_Instruction : I32EnumAttr<"Instruction", "matrix instruction of a GPU", [
    I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"MmaSync", 1, "mma_sync">,
    I32EnumAttrCase<"Wgmma", 2, "wgmma">]> {
  let cppNamespace = "::flash";
  let genSpecializedAttr = 0;
}

def Flash_TilingAttr : Flash_Attr<"Tiling", "tiling"> {
  let summary = "What L0 and L1 read of a schedule: tiles, their order, what shares one";
  let description = [{
    ```mlir
    #flash.tiling<m = 128, n = 64, d = 16, packHeads = 4>
    ```
  }];
  let parameters = (ins
    "int64_t":$m, "int64_t":$n, "int64_t":$d,
    DefaultValuedParameter<"bool", "false", "queries along the minor dimension: S^T = K Q^T">:$transposed,
    DefaultValuedParameter<"bool", "false", "peel the ragged last key block, so that whole blocks are read in place">:$peel,
    DefaultValuedParameter<"bool", "false", "keys are walked from the last visible block to the first">:$reverseKeys,
    DefaultValuedParameter<"int64_t", "0", "query heads of a key head that share a tile (0, 1: one)">:$packHeads,
    DefaultValuedParameter<"bool", "false", "one thread has a tile: what it finds out about a block costs that once, and its data are summed up for blocks">:$summaries,
    DefaultValuedParameter<"bool", "false", "full and partial blocks of lists are walked in one loop, as roles want it">:$joinLists
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Query heads of a tile.
    int64_t getTileHeads() const { return getPackHeads() > 1 ? getPackHeads() : 1; }
    /// Query positions of a tile.
    int64_t getTilePositions() const {
      return getM() > 1 ? std::max<int64_t>(getM() / getTileHeads(), 1) : getM();
    }
  }];
}

def Flash_ScheduleAttr : Flash_Attr<"Schedule", "schedule"> {
  let summary = "how an attention is tiled and run, in short, as in #flash.schedule<m = 64, n = 64>";
  let description = [{
    Chosen by `flash-choose-schedule` from the target's description and a table of
    measurements. Put it on an op, or give it to the pass, to override. Its readers
    have attributes of their own, into which it is split when an op is tiled, or by
    `flash-split-schedule` on loops that are written by hand: `#flash.tiling`,
    `#flash_tile.kernel` and what single passes read (`flash_tile.passes`).

    ```mlir
    #flash.schedule<m = 128, n = 128, stages = 2, warps = 8, instruction = wgmma, specialize = true>
    ```

    What is not written is chosen. A field with its default is as much a wish as any
    other: `lazy = false` or `headTurns = 0` switches off what would be chosen (but
    for m, n, d, warps, stages and instruction, which no schedule can do without).
  }];
  let parameters = (ins
    DefaultValuedParameter<"int64_t", "0", "query rows of a tile (0: chosen from the target)">:$m,
    DefaultValuedParameter<"int64_t", "0", "keys of a block (0: chosen from the target)">:$n,
    DefaultValuedParameter<"int64_t", "0", "head dims are padded to a multiple of this (0: chosen)">:$d,
    DefaultValuedParameter<"bool", "false", "queries along the minor dimension: S^T = K Q^T (CPU)">:$transposed,
    DefaultValuedParameter<"bool", "false", "peel the ragged last key block, so that whole blocks are read in place (CPU)">:$peel,
    DefaultValuedParameter<"int64_t", "0", "warps that compute (GPU)">:$warps,
    DefaultValuedParameter<"int64_t", "0", "stages of the rings of K and V (GPU)">:$stages,
    DefaultValuedParameter<"::flash::Instruction", "::flash::Instruction::None", "matrix instruction: mma_sync or wgmma (GPU)">:$instruction,
    DefaultValuedParameter<"bool", "false", "producer and consumer warps (Hopper)">:$specialize,
    DefaultValuedParameter<"bool", "false", "tensor memory accelerator (Hopper)">:$tma,
    DefaultValuedParameter<"int64_t", "0", "registers a thread of the producer">:$producerRegisters,
    DefaultValuedParameter<"int64_t", "0", "registers a thread of the consumers">:$consumerRegisters,
    DefaultValuedParameter<"bool", "false", "the first block's maximum stays the reference while row sums are in range (GPU)">:$lazy,
    DefaultValuedParameter<"bool", "false", "as many blocks as the target has cores, each with several tiles (specialised kernels)">:$persistent,
    DefaultValuedParameter<"int64_t", "0", "stages of the ring of Q (persistent kernels; 0: one)">:$queryStages,
    DefaultValuedParameter<"int64_t", "0", "up to so many heads take turns, longest tiles first; more go one after the other (GPU)">:$headTurns,
    DefaultValuedParameter<"bool", "false", "results go through shared memory and the tensor memory accelerator">:$storeTma,
    DefaultValuedParameter<"int64_t", "0", "columns of results that lie in shared memory at a time (0: all)">:$storeColumns,
    DefaultValuedParameter<"bool", "false", "consumer warpgroups take turns to issue their products">:$pingPong,
    DefaultValuedParameter<"bool", "false", "the next tile's first product runs beside the end of a tile (persistent kernels)">:$overlapTiles,
    DefaultValuedParameter<"int64_t", "0", "blocks of keys of the next tile that are brought into L2 (persistent kernels)">:$prefetchBlocks,
    DefaultValuedParameter<"bool", "false", "whether a lazy step is out of range is found out before the wait for the product in flight">:$earlyCheck,
    DefaultValuedParameter<"bool", "false", "blocks take the next tile when they are done with one (persistent kernels)">:$dynamic,
    DefaultValuedParameter<"bool", "false", "a loop over whole blocks, then one over blocks that masks and lengths cut (GPU)">:$peelMasks,
    DefaultValuedParameter<"int64_t", "0", "blocks of a cluster, on neighbouring query tiles, which share the tiles of K and V (specialised kernels; 0, 1: none)">:$cluster,
    DefaultValuedParameter<"bool", "false", "keys are walked from the last visible block to the first">:$reverseKeys,
    DefaultValuedParameter<"bool", "false", "the producer fetches K of an iteration before V of the one before, as overlapped products use them">:$keysFirst,
    DefaultValuedParameter<"int64_t", "0", "up to so many blocks share a tile of the last round, each with a part of its keys (GPU; 0, 1: one)">:$splitTiles,
    DefaultValuedParameter<"int64_t", "0", "query heads of a key head that share a tile, which then has m / packHeads positions of each (0, 1: one)">:$packHeads,
    DefaultValuedParameter<"bool", "true", "the first product of an iteration is issued before the second of the one before (GPU)">:$overlap,
    DefaultValuedParameter<"bool", "true", "threads keep sums of their own columns, joined once after the loop (GPU)">:$partialSums,
    DefaultValuedParameter<"int64_t", "0", "as many heads take turns, longest tiles first, as have together so many tiles, if they are no more than each has; then the next ones (GPU; 0: headTurns decides)">:$turnTiles,
    DefaultValuedParameter<"uint64_t", "0", "fields that are written with their default, a bit each: they are not chosen">:$fixed
  );
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// Whether it says how large tiles are: m, n and d.
    bool isComplete() const { return getM() > 0 && getN() > 0 && getD() > 0; }
    /// What L0 and L1 read of it.
    ::flash::TilingAttr getTiling() const;
  }];
}

def Flash_BoundedAttr : Flash_Attr<"Bounded", "bounded"> {
  let summary = "A schedule for calls up to a length";
  let description = [{
    The length of a call is that of its queries or keys, whichever is longer.

    ```mlir
    #flash.bounded<up_to = 1408, schedule = <m = 128, n = 128, d = 16>>
    ```
  }];
  let parameters = (ins "int64_t":$up_to, "::flash::ScheduleAttr":$schedule);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Flash_PackingAttr : Flash_Attr<"Packing", "packing"> {
  let summary = "Which query and which head a row of a tile of several heads is";
  let description = [{
    A tile of `heads` query heads that share their keys. Its rows are in the order
    of the query tensor's memory: neighbours are heads of one position (layout
    BSHD), or, with `headsOuter`, positions of one head (BHSD). Row r of M is

    ```
    position r / heads,       head r % heads
    position r % (M / heads), head r / (M / heads)      with headsOuter
    ```

    ```mlir
    #flash.packing<heads = 8, headsOuter = true>
    ```
  }];
  let parameters = (ins "int64_t":$heads,
    DefaultValuedParameter<"bool", "false", "heads one after the other">:$headsOuter);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Flash_SliceAttr : Flash_Attr<"Slice", "slice"> {
  let summary = "One of several slices of the keys that each batch has";
  let description = [{
    Keys are cut into `of` slices of the same number of units of `unit` keys (the
    last ones may have fewer, or none); this is number `part`, from 0 on.

    ```mlir
    #flash.slice<part = 1, of = 3, unit = 16>
    ```
  }];
  let parameters = (ins
    "int64_t":$part, "int64_t":$of,
    DefaultValuedParameter<"int64_t", "1", "keys that stay together">:$unit);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Flash_TargetAttr : Flash_Attr<"Target", "target"> {
  let summary = "What the compiler knows of a machine";
  let description = [{
    ```mlir
    #flash.target<kind = "sm_90a", cores = 132, fastMemory = 232448, registers = 65536, l2 = 52428800, vectorBits = 0>
    ```
    `kind` is `cpu` (the machine that compiles), a CPU by LLVM's name for it (`cpu:x86-64-v3`, `cpu:znver4`) or an NVIDIA architecture
    (`sm_80`, `sm_86`, `sm_89`, `sm_90a`, `sm_100`, `sm_120`). `fastMemory` is the bytes of shared memory a block may have, or of a CPU
    core's L2 cache.
  }];
  let parameters = (ins
    "::mlir::StringAttr":$kind,
    DefaultValuedParameter<"int64_t", "0", "cores, or streaming multiprocessors">:$cores,
    DefaultValuedParameter<"int64_t", "0", "bytes of fast memory a core">:$fastMemory,
    DefaultValuedParameter<"int64_t", "0", "registers: 32-bit ones an SM, vector ones a CPU core">:$registers,
    DefaultValuedParameter<"int64_t", "0", "bytes of the cache that all cores share">:$l2,
    DefaultValuedParameter<"int64_t", "0", "bits of a vector register (CPU)">:$vectorBits
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    bool isCPU() const {
      return getKind().getValue() == "cpu" || !getCPUName().empty();
    }
    /// LLVM's name of a CPU that was given by name; empty for the host and GPUs.
    ::llvm::StringRef getCPUName() const {
      ::llvm::StringRef kind = getKind().getValue();
      return kind.consume_front("cpu:") ? kind : ::llvm::StringRef();
    }
    bool hasWgmma() const { return getKind().getValue() == "sm_90a"; }
  }];
}

#endif // FLASH_DIALECT_FLASH_IR_FLASHBASE
