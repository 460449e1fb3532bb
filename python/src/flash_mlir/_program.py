# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a call's options to the text of `flash.attention` at L0.

The text depends on head dims, numbers of heads, element types and options; batch and lengths are known at run time, so that
one program serves every length. What a program takes beside query, key and value is a list of operands, each of which is an
array of the call (seen with other sizes or strides, where that is what the operation wants) or a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from . import _masks
from ._arrays import Array
from ._captures import Capture
from ._closures import Closure
from ._emit import Region, capture_type, float_literal
from ._errors import ArgumentError, FlashError, TraceError
from ._graph import Graph
from ._sizes import FLOATS, Operand, Options, Sizes, Source, check_contiguous, strides_of, tensor_type
from ._trace import BOOL, FLOAT, INT, Value, scalar_of

class Builder:
    """Writes the program of a call."""

    def __init__(self, arrays: Sequence[Array], options: Options):
        self.arrays, self.options = arrays, options
        self.sizes = Sizes(*arrays[:3], options)
        self.accumulator = "f64" if self.sizes.element == "f64" else "f32"
        self.operands: list[Operand] = []
        self.mask_operands: list[Operand] = []
        self.score_operands: list[Operand] = []
        self.captured: dict[int, tuple[Operand, Capture]] = {}
        self.before: list[str] = []
        self.masks: list[str] = []
        self.scores: list[str] = []
        self.clauses: list[str] = []
        self.attributes: list[str] = []
        self.regions: list[tuple[str, Region, Value]] = []
        self.by_position = self.sizes.ragged or "kv_lengths" in options.arrays or self.sizes.paged
        self.shift = False
        self.graph = Graph("float64" if self.accumulator == "f64" else "float32", rows_known=not self.by_position)

    # -- Operands

    def operand(self, name: str, number: int, shape: tuple[int, ...], strides: tuple[int, ...] | None, written: str) -> Operand:
        operand = Operand(f"%a{len(self.operands)}", written, number, shape, strides)
        self.operands.append(operand)
        return operand

    def data(self, name: str, ranks: tuple[int, ...], element: str, sizes: dict[int, tuple[tuple[int | None, ...], tuple[int | None, ...]]]) -> Operand:
        """An array option of one of some ranks: (sizes that it must have, sizes that the type says) for each."""
        number = self.options.arrays[name]
        array = self.arrays[number]
        if array.element != element:
            raise ArgumentError(name, array.element, f"{element}, as dtype {'float32' if element == 'f32' else 'int32'}")
        if len(array.shape) not in ranks:
            raise ArgumentError(name, f"shape {array.shape}", f"{' or '.join(map(str, ranks))} dimension{'s' if ranks[-1] > 1 else ''}")
        wanted, known = sizes[len(array.shape)]
        if any(w is not None and n != w for n, w in zip(array.shape, wanted)):
            raise ArgumentError(name, f"shape {array.shape}", "(" + ", ".join("any" if w is None else str(w) for w in wanted) + ")")
        check_contiguous(name, array)
        return self.operand(name, number, array.shape, array.strides, tensor_type(known, element))

    # -- Scores

    def add_scores(self) -> None:
        options, sizes = self.options, self.sizes
        if options.softcap is not None:
            self.scores.append(f"#flash.softcap<{float_literal(options.softcap, 'f32')}>")
        if "alibi_slopes" in options.arrays:
            heads = sizes.heads
            self.score_operands.append(self.data("alibi_slopes", (1, 2), "f32", {
                1: ((heads,), (heads,)), 2: ((None if sizes.ragged else sizes.batch, heads), (None, heads))}))
            self.scores.append("#flash.alibi")
        if "bias" in options.arrays:
            self.add_bias()
        if options.score_mod is not None:
            self.add_score_mod()

    def add_bias(self) -> None:
        sizes, number = self.sizes, self.options.arrays["bias"]
        array = self.arrays[number]
        if array.element not in FLOATS:
            hint = "; of a boolean mask make mask_mod=lambda b, h, q, kv: mask[b, h, q, kv]" if array.element == "i1" else ""
            raise ArgumentError("bias", array.element, f"floats, which are added to the scores{hint}")
        shape = (1,) * (4 - len(array.shape)) + array.shape
        wanted = (1 if sizes.ragged else sizes.batch, sizes.heads, sizes.queries, None if sizes.paged else sizes.keys)
        if len(shape) > 4 or any(w is not None and n not in (1, w) for n, w in zip(shape, wanted)):
            raise ArgumentError("bias", f"shape {array.shape}", f"(batch, heads, queries, keys) = {wanted}, where each may be 1 or lack in front")
        check_contiguous("bias", array)
        strides = (0,) * (4 - len(array.shape)) + strides_of(array)
        types = [1 if n == 1 else w if i == 1 else None for i, (n, w) in enumerate(zip(shape, wanted))]
        self.score_operands.append(self.operand("bias", number, shape, strides, tensor_type(types, array.element)))
        self.scores.append("#flash.bias")

    # -- Functions of the caller's

    def trace(self, name: str, function: Callable, closure: Closure, first: int, arguments: tuple[str, ...]) -> tuple[Any, list[Capture]]:
        graph, sizes = self.graph, self.sizes
        captures = []
        for i, variable in enumerate(closure.names):
            array = self.arrays[first + i]
            if 0 in array.shape:
                raise ArgumentError(f"'{variable}' of {name}", f"shape {array.shape}", "at least one element")
            if array.element not in (*FLOATS, "i32", "i64", "i1"):
                raise ArgumentError(f"'{variable}' of {name}", array.element, "f32, f16, bf16, f64, i32, i64 or bool elements")
            check_contiguous(f"'{variable}' of {name}", array)
            known = self.captured.get(first + i)
            captures.append(known[1] if known else Capture(graph, variable, len(self.captured) + i, array.shape, array.element))
        highs = {"b": None if self.by_position else sizes.batch - 1, "h": sizes.heads - 1}
        values = [graph.argument("score", FLOAT) if a == "score" else graph.argument(a, INT, highs.get(a)) for a in arguments]
        traced = closure.replace(function, captures)
        try:
            result = traced(*values)
        except TraceError:
            raise
        except Exception as error:
            raise TraceError(f"{_place(error, function)}: {name} cannot be traced: {type(error).__name__}: {error}") from error
        for i, capture in enumerate(captures):
            if first + i not in self.captured:
                self.captured[first + i] = (Operand("", "", first + i, capture.shape, self.arrays[first + i].strides), capture)
        return result, captures

    def check_direct(self, name: str) -> None:
        """Arrays that are read at positions as they are have one element for each."""
        sizes = self.sizes
        limits = {"b": sizes.batch, "h": sizes.heads, "q": sizes.queries, "kv": sizes.keys}
        for _, capture in self.captured.values():
            for dim, argument in sorted(capture.direct):
                if capture.shape[dim] < limits[argument]:
                    raise ArgumentError(f"'{capture.name}' of {name}", f"{capture.shape[dim]} elements in dimension {dim} (shape {capture.shape})",
                                        f"at least {limits[argument]}: it is indexed by {argument}")

    def add_score_mod(self) -> None:
        options = self.options
        result, _ = self.trace("score_mod", options.score_mod, options.score_closure, options.closures["score"], ("score", "b", "h", "q", "kv"))
        value = self.result("score_mod", result, FLOAT, options.score_mod)
        self.check_direct("score_mod")
        # where(condition, score, -inf) is a mask: blocks are not loaded.
        if value.op == "select" and value.args[2].op == "constant" and value.args[2].args[0] == -math.inf:
            self.add_mask_value(value.args[0])
            value = value.args[1]
        if value.op == "argument":
            return
        self.scores.append("#flash.region")
        self.regions.append(("score", Region(self.accumulator, {}), value))

    def result(self, name: str, result: Any, kind: str, function: Callable) -> Value:
        result = result.value() if isinstance(result, Capture) else result
        if not isinstance(result, Value) and scalar_of(result) is None:
            raise TraceError(f"{_place(None, function)}: {name} returns {type(result).__name__}, expected {'a score' if kind == FLOAT else 'a bool'}")
        if kind == BOOL and getattr(result, "kind", BOOL) == FLOAT:
            raise TraceError(f"{_place(None, function)}: {name} returns a float, expected a bool")
        return self.graph.lift(result, kind)

    def trace_mask(self, name: str, function: Callable, closure: Closure, first: int) -> Value:
        result, _ = self.trace(name, function, closure, first, ("b", "h", "q", "kv"))
        value = self.result(name, result, BOOL, function)
        self.check_direct(name)
        return value

    # -- Masks

    def add_masks(self) -> None:
        options = self.options
        left, right = options.window
        if options.causal:
            right = 0 if right is None else min(right, 0)
        if left is not None or right is not None:
            self.masks.append(_masks.window(left, right))
        if "segment_ids_q" in options.arrays:
            self.add_segments()
        if options.block_size is not None:
            self.add_block_mask()
        if options.mask_mod is not None:
            self.add_mask_value(self.trace_mask("mask_mod", options.mask_mod, options.mask_closure, options.closures["mask"]))

    def add_segments(self) -> None:
        sizes = self.sizes
        for name, length in (("segment_ids_q", sizes.queries), ("segment_ids_k", sizes.keys)):
            number = self.options.arrays[name]
            array = self.arrays[number]
            if array.element != "i32":
                raise ArgumentError("segment_ids", array.element, "i32, as dtype int32")
            if len(array.shape) == 1:
                array = array._replace(shape=(sizes.batch, *array.shape), strides=(0, 1))
            if array.shape != (sizes.batch, length):
                raise ArgumentError("segment_ids", f"shape {self.arrays[number].shape}", f"({sizes.batch}, {length}) or ({length},)"
                                    + (": ids of queries and keys are two arrays" if sizes.queries != sizes.keys else ""))
            check_contiguous("segment_ids", array)
            self.mask_operands.append(self.operand(name, number, array.shape, array.strides, tensor_type((1 if sizes.ragged else None, None), "i32")))
        self.masks.append("#flash.segments")

    def add_block_mask(self) -> None:
        options, sizes = self.options, self.sizes
        bq, bk = options.block_size
        blocks = -(-sizes.queries // bq)
        for name in ("kv_num_blocks", "kv_indices", "full_kv_num_blocks", "full_kv_indices"):
            number = options.arrays[name]
            array = self.arrays[number]
            rank = 4 if name.endswith("indices") else 3
            if array.element != "i32" or len(array.shape) != rank:
                raise ArgumentError(f"block_mask.{name}", f"{array.element} of shape {array.shape}", f"int32 of {rank} dimensions")
            good = array.shape[0] in (1, sizes.batch) and array.shape[1] in (1, sizes.heads)
            if not good or (not sizes.ragged and array.shape[2] != blocks):
                raise ArgumentError(f"block_mask.{name}", f"shape {array.shape}",
                                    f"(1 or {sizes.batch}, 1 or {sizes.heads}, {blocks}{', any' if rank == 4 else ''}) for blocks of {bq} queries")
            check_contiguous(f"block_mask.{name}", array)
            known = (1 if array.shape[0] == 1 else None, array.shape[1], None, None)[:rank]
            self.mask_operands.append(self.operand(name, number, array.shape, array.strides, tensor_type(known, "i32")))
        partial = ""
        if options.block_mod is not None:
            value = self.trace_mask("block_mask.mask_mod", options.block_mod, options.block_closure, options.closures["block"])
            mask = self.recognized(value)
            parts = [mask.attribute] if mask.attribute else []
            if mask.region is not None:
                parts.append("#flash.region")
                self.regions.append(("mask", Region(self.accumulator, {}), mask.region))
            inner = _masks.combine("and", parts)
            partial = f", partial = {inner}" if inner else ""
        self.masks.append(f"#flash.block_sparse<bq = {bq}, bk = {bk}{partial}>")

    def recognized(self, value: Value) -> _masks.Mask:
        """What attributes say of a mask; their data become operands."""
        if self.shift:  # its positions are rows, those of attributes are not
            return _masks.Mask(None, (), value)
        mask = _masks.recognize(value, with_data=not self.by_position)
        for operand in mask.operands:
            self.mask_operands.append(self.structured(operand))
        return mask

    def structured(self, operand: _masks.Operand) -> Operand:
        """An array of a mask function as a structured mask takes it: (batch, length), or (batch)."""
        sizes = self.sizes
        number = next(n for n, (_, c) in self.captured.items() if c is operand.capture)
        array = self.arrays[number]
        strides = strides_of(array)
        if operand.role == "batch":
            return self.operand(operand.capture.name, number, (sizes.batch,), strides, tensor_type((None,), "i32"))
        length = sizes.queries if operand.role == "queries" else sizes.keys
        strides = (strides[0] if len(operand.axes) == 2 else 0, 1)
        return self.operand(operand.capture.name, number, (sizes.batch, length), strides, tensor_type((None, None), "i32"))

    def add_mask_value(self, value: Value) -> None:
        if value.op == "constant" and value.args[0]:
            return
        mask = self.recognized(value)
        if mask.attribute:
            self.masks.append(mask.attribute)
        if mask.region is None:
            return
        for i, (what, region, other) in enumerate(self.regions):
            if what == "mask":
                if "#flash.block_sparse" in " ".join(self.masks):
                    raise FlashError("block_mask.mask_mod and mask_mod: got two functions of no known structure, expected at most one; "
                                     "make one function of both, and a block_mask without a function of it")
                self.regions[i] = (what, region, self.graph.binary("and", other, mask.region))
                return
        self.masks.append("#flash.region")
        self.regions.append(("mask", Region(self.accumulator, {}), mask.region))

    # -- The text

    def build(self) -> Source:
        options, sizes = self.options, self.sizes
        page = sizes.keys if sizes.paged else None
        kv = [sizes.type(sizes.key_heads, d, length=page) if sizes.ragged and not sizes.paged else
              tensor_type((None, *((sizes.key_heads, page) if sizes.layout == "bhsd" else (page, sizes.key_heads)), d), sizes.element)
              for d in (sizes.dqk, sizes.dv)]
        types = [sizes.type(sizes.heads, sizes.dqk), *kv]
        for i, (name, array, written) in enumerate(zip("qkv", sizes.arrays, types)):
            self.operands.append(Operand(f"%{name}", written, i, array.shape, array.strides))
        self.place_sequences()
        mods = options.score_mod is not None or options.mask_mod is not None or options.block_mod is not None
        structured = options.causal or options.window != (None, None) or "alibi_slopes" in options.arrays
        self.shift = mods and structured and not self.by_position and sizes.queries != sizes.keys
        if mods and not self.by_position and not self.shift:
            self.before.append("%zero = arith.constant 0 : index")
            self.clauses.insert(0, "q_offset(%zero)")
        # Masks first: a score function may add one.
        self.add_masks()
        self.add_scores()
        self.add_rest()
        return self.write(types)

    def place_sequences(self) -> None:
        options, sizes = self.options, self.sizes
        for name in ("cu_seqlens_q", "cu_seqlens_k"):
            if name in options.arrays:
                operand = self.data(name, (1,), "i32", {1: ((None,), (None,))})
                self.clauses.append(f"{name}({operand.name} : {operand.type})")
        sequences = self.arrays[options.arrays["cu_seqlens_q"]].shape[0] - 1 if sizes.ragged else sizes.batch
        if "kv_lengths" in options.arrays:
            operand = self.data("kv_lengths", (1,), "i32", {1: ((sequences,), (None,))})
            self.clauses.append(f"kv_lengths({operand.name} : {operand.type})")
        if "page_table" in options.arrays:
            operand = self.data("page_table", (2,), "i32", {2: ((sequences, None), (None, None))})
            self.clauses.append(f"page_table({operand.name} : {operand.type})")

    def add_rest(self) -> None:
        options, sizes = self.options, self.sizes
        for word, operands in (("mask_operands", self.mask_operands), ("score_operands", self.score_operands)):
            if operands:
                self.clauses.append(f"{word}({', '.join(o.name for o in operands)} : {', '.join(o.type for o in operands)})")
        if "sinks" in options.arrays:
            operand = self.data("sinks", (1,), "f32", {1: ((sizes.heads,), (sizes.heads,))})
            self.clauses.append(f"sinks({operand.name} : {operand.type})")
        if options.dropout_p:
            self.operands += [Operand("%seed", "i64", number="seed"), Operand("%offset", "i64", number="offset")]
            self.clauses.append("dropout(%seed, %offset)")
            self.attributes.append(f"dropout_p = {float_literal(options.dropout_p, 'f32')} : f32")
        if options.scale is not None:
            self.attributes.append(f"scale = {float_literal(options.scale, 'f32')} : f32")
        if sizes.layout == "bshd":
            self.attributes.append("layout = #flash.layout<bshd>")
        if mask := _masks.combine("and", self.masks):
            self.attributes.append(f"mask = {mask}")
        if self.scores:
            self.attributes.append(f"scores = [{', '.join(self.scores)}]")

    def write(self, types: list[str]) -> Source:
        options, sizes = self.options, self.sizes
        # A size that a later function wants in the type is known now; arrays that nothing reads are left out.
        read = {a.number for _, _, value in self.regions for a in _captures_of(value)}
        captures: list[tuple[str, str]] = []
        declared: dict[int, str] = {}
        for operand, capture in self.captured.values():
            if capture.number not in read:
                continue
            operand.name, operand.type = f"%x{capture.number}", capture_type(capture)
            declared[capture.number] = operand.type
            captures.append((operand.name, operand.type))
            self.operands.append(operand)
        if self.shift and self.regions:
            self.before += [f"%length = arith.constant {sizes.s} : index", f"%sq = tensor.dim %q, %length : {types[0]}",
                            f"%sk = tensor.dim %k, %length : {types[1]}", "%shift = arith.subi %sk, %sq : index"]
            captures.append(("%shift", "index"))
        if captures:
            self.clauses.append(f"captures({', '.join(n for n, _ in captures)} : {', '.join(t for _, t in captures)})")
        bodies = [self.write_region(what, value, declared, captures) for what, _, value in sorted(self.regions, key=lambda r: r[0] != "score")]
        results = [sizes.type(sizes.heads, sizes.dv)]
        if options.return_lse:
            results.append(tensor_type((1 if sizes.ragged else None, sizes.heads, None), self.accumulator))
        outputs = ["%o", "%lse"][:len(results)]
        parameters = ", ".join(f"{o.name}: {o.type}" for o in self.operands)
        attributes = f" {{{', '.join(self.attributes)}}}" if self.attributes else ""
        lines = [f"func.func @attention({parameters}) -> ({', '.join(results)}) {{", *(f"  {line}" for line in self.before),
                 f"  {', '.join(outputs)} = flash.attention {' '.join(['%q, %k, %v', *self.clauses])}{attributes}{''.join(bodies)}",
                 f"      : {', '.join(types)} -> {', '.join(results)}", f"  return {', '.join(outputs)} : {', '.join(results)}", "}", ""]
        shapes = [(sizes.output(), sizes.element)] + ([(sizes.lse(), self.accumulator)] if options.return_lse else [])
        return Source("\n".join(lines), self.operands, shapes)

    def write_region(self, what: str, value: Value, declared: dict[int, str], captures: list[tuple[str, str]]) -> str:
        # Names that the function around does not have.
        names = {"score": "%score", "b": "%b", "h": "%h", "q": "%i", "kv": "%j"}
        region = Region(self.accumulator, declared, {**names, "q": "%row"} if self.shift else names)
        if self.shift:
            region.lines.append("%row = arith.subi %i, %d : index")
        name = region.value(value)
        arguments = ([f"%score: {self.accumulator}"] if what == "score" else []) + [f"{names[a]}: index" for a in ("b", "h", "q", "kv")]
        arguments += [f"{'%d' if n == '%shift' else n.replace('%x', '%t')}: {t}" for n, t in captures]
        kind = self.accumulator if what == "score" else "i1"
        return "\n".join([f" {what} {{", f"  ^bb0({', '.join(arguments)}):", *(f"    {line}" for line in region.lines),
                          f"    flash.yield {name} : {kind}", "  }"])


def _captures_of(root: Value) -> list[Capture]:
    """Arrays that a value reads, directly or not."""
    seen, stack, found = set(), [root], []
    while stack:
        value = stack.pop()
        if isinstance(value, Capture):
            found.append(value)
        elif isinstance(value, Value) and value.number not in seen:
            seen.add(value.number)
            stack.extend(value.args)
    return found


def _place(error: BaseException | None, function: Callable) -> str:
    """Where in the caller's code an error came from; without one, where the function is."""
    from ._trace import _HERE
    place = ""
    trace = error.__traceback__ if error is not None else None
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if not filename.startswith(_HERE):
            place = f"{filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    code = getattr(function, "__code__", None)
    return place or (f"{code.co_filename}:{code.co_firstlineno}" if code else getattr(function, "__name__", type(function).__name__))
