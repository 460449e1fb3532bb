//===- Passes.td - Passes of the flash dialect --------------*- tablegen -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_DIALECT_FLASH_TRANSFORMS_PASSES
#define FLASH_DIALECT_FLASH_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def ChooseSchedule : Pass<"flash-choose-schedule", "::mlir::func::FuncOp"> {
  let summary = "Give each attention a schedule: a measured one, or a model's";
  let description = [{
    Fills in what the op's own `schedule` attribute and the option `schedule`
    leave open. The attribute wins over the option, the option over the choice:
    the schedule that a table of measurements has for the problem on this target
    (docs/Tuning.md), else the cheapest by a model of the target. An entry of a
    table that the target cannot run is left out, and a remark says why.

    ```mlir
    flash.attention %q, %k, %v : ...
    // with target=#flash.target<kind = "sm_80", ...> becomes
    flash.attention %q, %k, %v {schedule = #flash.schedule<m = 128, n = 64, warps = 4, ...>} : ...
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", /*default=*/"\"cpu\"",
           "A target's name (cpu, sm_80, sm_86, sm_89, sm_90a, sm_100, sm_120; cpu:NAME, as cpu:x86-64-v3) or a #flash.target attribute">,
    Option<"schedule", "schedule", "std::string", /*default=*/"\"\"",
           "A #flash.schedule attribute that overrides the choice">,
    Option<"exact", "exact", "bool", /*default=*/"false",
           "The option schedule is the whole schedule: nothing is chosen">,
    Option<"table", "table", "std::string", /*default=*/"\"\"",
           "Tables of measured schedules: files, separated by commas; none; or those that are built in">
  ];
  let dependentDialects = ["::flash::FlashDialect"];
}

def Differentiate : Pass<"flash-differentiate", "::mlir::ModuleOp"> {
  let summary = "Add a function's forward and backward, at L0";
  let description = [{
    For a function `@f` with attentions, adds `@f_forward`, which gives `@f`'s results
    and then what the backward keeps, and `@f_backward`. That takes the gradients for
    `@f`'s results that are tensors of floats, in order, `@f`'s arguments, and what is
    kept; it gives the gradients for the arguments of `@f` that are tensors of floats,
    in order, or for those that `wrt` numbers.

    ```mlir
    func.func @f(%q: T, %k: T, %v: T) -> T {
      %o = flash.attention %q, %k, %v : T, T, T -> T
      return %o : T
    }
    // becomes, beside @f,
    func.func @f_forward(%q: T, %k: T, %v: T) -> (T, T, L) {
      %o, %lse = flash.attention %q, %k, %v : T, T, T -> T, L
      return %o, %o, %lse : T, T, L
    }
    func.func @f_backward(%do: T, %q: T, %k: T, %v: T, %o: T, %lse: L) -> (T, T, T) {
      %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %lse, %do
          : T, T, T, T, L, T -> query T key T value T
      return %dq, %dk, %dv : T, T, T
    }
    ```

    Known are `flash.attention`, `flash.merge` (so attentions over slices of the keys
    and rings of devices), linalg on tensors whose results are element-wise or sums,
    and slices, casts, reshapes, concatenations and pads; another operation that a
    gradient has to pass is an error that names it. Without `function`, all functions
    that hold an attention; the attribute `wrt = [0, 2]` of a function says the same
    as the option.
  }];
  let options = [
    Option<"function", "function", "std::string", "", "The function, without @; all that hold an attention if it is not given">,
    Option<"wrt", "wrt", "std::string", "", "Numbers of the arguments with gradients, as in wrt=0,2">];
  let statistics = [Statistic<"numDifferentiated", "num-differentiated", "Number of functions differentiated">];
  let dependentDialects = ["::flash::FlashDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

def ScheduleRecompute : Pass<"flash-schedule-recompute", "::mlir::func::FuncOp"> {
  let summary = "Decide what each backward recomputes, in which loops";
  let description = [{
    Gives each `flash.attention_backward` that has none its `recompute` attribute:
    which loop is outside, and how gradients are added up. An attribute that is there
    is kept, and checked: a gradient that the loop outside cannot give is an error,
    and so is one in any order of an op that is `deterministic`.

    | target | gradients | |
    |---|---|---|
    | GPU | dQ with dK or dV | `outer = keys, sum = added`: five products, dQ in f32 in device memory |
    | GPU, `deterministic` (the op's, or this pass's) | the same | `outer = both`: seven products, each sum in a fixed order |
    | GPU, head dims over 128 | any | `outer = each`: registers hold one gradient of a tile |
    | CPU | the same | `outer = keys, sum = owned`: one thread walks all keys of a head |
    | CPU, fewer heads than cores | the same | `outer = both`: more blocks than heads |
    | any | dQ alone | `outer = queries`: three products |
    | any | dK, dV | `outer = keys` |

    ```mlir
    %dq, %dk, %dv = flash.attention_backward ...
    // becomes
    %dq, %dk, %dv = flash.attention_backward ... {recompute = #flash.recompute<outer = keys, sum = added>}
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", "\"cpu\"", "Target's name, or a whole #flash.target attribute">,
    Option<"deterministic", "deterministic", "bool", "false", "Add up each gradient in a fixed order">];
  let dependentDialects = ["::flash::FlashDialect"];
}

def SplitSchedule : Pass<"flash-split-schedule"> {
  let summary = "Give a schedule in short to its readers (L2)";
  let description = [{
    For loops over tiles that are written by hand; those that `flash-tile-attention`
    makes have the attributes of a schedule's readers from the start. Passes that
    would find nothing to do in the loop are not asked for. A loop that has the
    attributes already is an error.

    ```mlir
    scf.forall ... {flash.schedule = #flash.schedule<warps = 8, stages = 2, instruction = mma_sync>}
    // becomes
    scf.forall ... {flash_tile.kernel = #flash_tile.kernel<warps = 8, instruction = #flash_tile.mma_sync, stages = 2>,
                    flash_tile.passes = [#flash_tile.keep_operands]}
    ```
  }];
  let dependentDialects = ["::flash::FlashDialect", "::flash::tile::FlashTileDialect"];
}

def InsertChecks : Pass<"flash-insert-checks", "::mlir::func::FuncOp"> {
  let summary = "Assert what must hold of the sizes of a call (L0)";
  let description = [{
    Dynamic batch, heads and lengths that have to agree become `cf.assert`; the
    message may say `{lhs}` and `{rhs}` for the two sizes.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::tensor::TensorDialect"];
}

def SimplifyAround : Pass<"flash-simplify-around", "::mlir::func::FuncOp"> {
  let summary = "Give what stands around attentions forms that targets know (L0)";
  let description = [{
    Operations of `arith` and `math` on tensors, `tensor.bitcast` and `linalg.softmax` become `linalg.generic`s:

    ```mlir
    %r = arith.addf %x, %y : tensor<8x64xf32>
    // becomes
    %r = linalg.generic {...} ins(%x, %y : ...) outs(%x : ...) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %s = arith.addf %a, %b : f32
      linalg.yield %s : f32
    } -> tensor<8x64xf32>
    ```

    What a loop carries from iteration to iteration is copied to where it was, unless it is made there:

    ```mlir
    %r = scf.for ... iter_args(%x = %q) -> tensor<...> {
      %o = flash.attention %x, %k, %v : ...
      scf.yield %o : tensor<...>
    // becomes
      %c = linalg.copy ins(%o : ...) outs(%x : ...) -> tensor<...>
      scf.yield %c : tensor<...>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def TileElementwise : Pass<"flash-tile-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Tile element-wise ops around attentions, for a GPU (L0 to L2)";
  let description = [{
    A chain of `linalg` ops without reductions becomes one, and that a loop over tiles of its result: on a GPU, a kernel.

    ```mlir
    %y = linalg.generic {...} ins(%x, %w : tensor<2x8x?x64xbf16>, tensor<64xbf16>) outs(%e : tensor<2x8x?x64xbf16>) { arith.mulf }
    // becomes
    %y = scf.forall (%b, %h, %i) in (2, 8, %n) shared_outs(%o = %e) -> (tensor<2x8x?x64xbf16>) {
      %t = tensor.extract_slice %x[%b, %h, %first, 0] [1, 1, %rows, 64] [1, 1, 1, 1] : ... to tensor<?x64xbf16>
      %p = tensor.pad %t low[0, 0] high[%rest, 0] { ... zero } : tensor<?x64xbf16> to tensor<64x64xbf16>
      %r = linalg.generic {...} ins(%p : tensor<64x64xbf16>) outs(%u : tensor<64x64xbf16>) {
        %j = linalg.index 1 : index
        %s = tensor.extract %w[%j] : tensor<64xbf16>
        ...
    ```

    What reduces, or has a last dimension that is not known, is an error that says so.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def SplitKV : Pass<"flash-split-kv", "::mlir::func::FuncOp"> {
  let summary = "Split attention over the keys and merge the parts (L0 to L0)";
  let description = [{
    Rounding changes: parts are f32 and merged in f32.

    ```mlir
    %o = flash.attention %q, %k, %v : ...
    // with parts=2 becomes
    %o0, %l0 = flash.attention %q, %k0, %v0 q_offset(%qo) kv_offset(%c0) : ... -> tensor<...xf32>, ...
    %o1, %l1 = flash.attention %q, %k1, %v1 q_offset(%qo) kv_offset(%c1) : ... -> tensor<...xf32>, ...
    %o = flash.merge outputs(%o0, %o1) lses(%l0, %l1) -> ...
    ```

    Ragged sequences, keys with `kv_lengths` or in pages and those that lists number
    are not sliced but keep all operands: `key_slice` says which part is whose.
  }];
  let options = [Option<"parts", "parts", "int64_t", /*default=*/"2", "Number of parts, 1 to 16">];
  let statistics = [Statistic<"numSplit", "num-split", "Number of attentions split">];
  let dependentDialects = ["::flash::FlashDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::affine::AffineDialect"];
}

def TileAttention : Pass<"flash-tile-attention", "::mlir::func::FuncOp"> {
  let summary = "Tile attention over queries and keys (L0 to L1)";
  let description = [{
    One `scf.forall` over (batch, head, query block), in it a loop over the key
    blocks that the mask lets through, with static padded tiles, carrying the state
    of `flash.online_attention`. `flash.merge` becomes a forall over row blocks.
    An op without a schedule is an error: run `flash-choose-schedule` first.
  }];
  let statistics = [Statistic<"numTiled", "num-tiled", "Number of operations tiled">];
  let dependentDialects = ["::flash::FlashDialect", "::flash::tile::FlashTileDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::affine::AffineDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect",
                           "::mlir::math::MathDialect"];
}

def DecomposeAttention : Pass<"flash-decompose-attention", "::mlir::func::FuncOp"> {
  let summary = "Write a tile step as contractions, mask and online softmax (L1 to L2)";
  let description = [{
    ```mlir
    %r:3 = flash.online_attention ins(%q, %k, %v) outs(%acc, %max, %sum) ...
    // becomes
    %s = linalg.matmul ins(%q, %k) outs(%zero)                     // S = Q K^T
    %m = scf.if %partial { mask } else { %s }
    %p, %max1, %sum1, %alpha = flash.online_softmax ins(%m) outs(...)
    %a = linalg.generic { acc * alpha }
    %o = linalg.matmul ins(%p, %v) outs(%a)                        // O += P V
    ```
  }];
  let statistics = [Statistic<"numDecomposed", "num-decomposed", "Number of steps decomposed">];
  let dependentDialects = ["::flash::FlashDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect"];
}

def IOReport : Pass<"flash-io-report", "::mlir::ModuleOp"> {
  let summary = "Report the bytes that each attention moves, and why its tile is what it is (L0)";
  let description = [{
    Changes nothing. Ops need a schedule (`flash-choose-schedule`); sizes that the
    types leave open are set by name. Tells, for each operand and in all, the bytes
    that cross from device memory to the cache that all cores share (HBM), and from
    there to a core's fast memory (on-chip), for unfused attention and for the
    schedule; the compulsory bytes; blocks that the mask lets through; what bound the
    tile; and a sweep over sizes of fast memory (docs/IO.md).

    ```
    flash-opt f.mlir --flash-choose-schedule=target=sm_90a \
      --flash-io-report='target=sm_90a dims=sq=4096,sk=4096' -o /dev/null
    ```

    `flash-run --io-report` does the same with the sizes of a run.
  }];
  let options = [
    Option<"target", "target", "std::string", /*default=*/"\"cpu\"",
           "A target's name, or a #flash.target attribute">,
    Option<"format", "format", "std::string", /*default=*/"\"text\"", "text or json">,
    Option<"file", "file", "std::string", /*default=*/"\"-\"", "Where the report goes; - is standard output">,
    ListOption<"dims", "dims", "std::string",
               "NAME=N: batch, heads, kv_heads, sq, sk for open sizes (1, 1, 1, 1024, 1024 if not given), argK for index arguments (0)">
  ];
}

def CountIO : Pass<"flash-count-io", "::mlir::ModuleOp"> {
  let summary = "Count the bytes that tiles load and store while a program runs (L1 or L2)";
  let description = [{
    Beside each slice of a tensor of the function that a parallel loop takes, and
    each slice that it writes back, an atomic addition to a counter: one for each
    tensor and loop, in a global that the attribute `flash.io_counters` describes.
    What runs is otherwise the same program; `flash-io-report` must tell the same
    numbers.

    ```mlir
    %t = tensor.extract_slice %k[%b, %h, %k0, 0] [1, 1, %rows, 128] [1, 1, 1, 1] : ...
    // becomes
    %t = tensor.extract_slice ...
    %n = arith.muli %rows, %c512 : index                       // bytes
    memref.atomic_rmw addi %n64, %counters[%c1] : (i64, memref<5xi64>) -> i64
    ```
  }];
  let statistics = [Statistic<"numSites", "num-sites", "Number of loads and stores that are counted">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}

def ExpandPages : Pass<"flash-expand-pages", "::mlir::func::FuncOp"> {
  let summary = "Put tiles of paged keys together row by row (L2, for the CPU)";
  let description = [{
    `flash.read_pages` becomes a loop over its rows, each of which is looked up and
    copied. On a GPU threads look their rows up themselves.

    ```mlir
    %t = flash.read_pages %k[%h] page_table(%table[%b]) first(%k0) : ... -> tensor<48x64xf32>
    // becomes
    %t = scf.for %r = %c0 to %c48 step %c1 iter_args(%tile = %zeros) -> (tensor<48x64xf32>) {
      %number = tensor.extract %table[%b, %place]
      %row = tensor.extract_slice %k[%page, %h, %inside, 0] [1, 1, 1, 64] [1, 1, 1, 1] : ...
      ...
    }
    ```
  }];
  let statistics = [Statistic<"numExpanded", "num-expanded", "Number of tiles">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def VerifyLevel : Pass<"flash-verify-level"> {
  let summary = "Check that only what belongs to a level is there";
  let description = [{
    L0: no tiled ops. L1: no `flash.attention`, `flash.merge`. L2: no
    `flash.online_attention`. L3: no tensors in kernels. L4: only target dialects in kernels. An op that does not belong is
    an error at its location, and so is an attribute of ours, on another dialect's
    op, whose name has no dialect: nobody reads it.
  }];
  let options = [Option<"level", "level", "std::string", /*default=*/"\"L0\"", "L0, L1, L2, L3 or L4">];
}

#endif // FLASH_DIALECT_FLASH_TRANSFORMS_PASSES
