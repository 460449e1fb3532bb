# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Recognises what a mask function says: causal, windows, documents, prefixes.

    (q >= kv) & (q - kv < 128) & (doc[q] == doc[kv])
    ->  #flash.and<#flash.window<left = 127, right = 0>, #flash.segments>

Attributes bound the loop over keys without a look at a block, and have kernels of their own. What is not recognised
stays a region, of which the compiler analyses the blocks.
"""

from __future__ import annotations

from typing import NamedTuple

from ._captures import Capture
from ._trace import BOOL, INT, Value

QUERY, KEY, BATCH = "q", "kv", "b"


class Operand(NamedTuple):
    """Data of a structured mask: ids of `queries` or `keys`, or a number for each `batch`; `axes` name the array's dimensions."""

    capture: Capture
    axes: tuple[str, ...]
    role: str


class Mask(NamedTuple):
    """An attribute (None: everything is seen), its operands in order, and what a region has to say beside it."""

    attribute: str | None
    operands: tuple[Operand, ...]
    region: Value | None


def combine(word: str, parts: list[str]) -> str | None:
    """`#flash.and<...>` of several, the one, or none."""
    return f"#flash.{word}<{', '.join(parts)}>" if len(parts) > 1 else parts[0] if parts else None


def _linear(value: Value) -> dict[str, int] | None:
    """Coefficients of q, of kv, and of 1."""
    if value.kind != INT:
        return None
    if value.op == "argument":
        return {value.args[0]: 1} if value.args[0] in (QUERY, KEY) else None
    if value.op == "constant":
        return {"1": value.args[0]}
    if value.op in ("add", "sub"):
        x, y = (_linear(a) for a in value.args)
        if x is None or y is None:
            return None
        sign = 1 if value.op == "add" else -1
        total = {k: x.get(k, 0) + sign * y.get(k, 0) for k in x.keys() | y.keys()}
        return {k: n for k, n in total.items() if n}
    return None


def _distances(term: Value) -> tuple[int | None, int | None] | None:
    """What a term says of q - kv, if nothing else: its least and its greatest value."""
    if term.op not in ("lt", "le", "gt", "ge"):
        return None
    small, large = term.args if term.op in ("lt", "le") else term.args[::-1]
    strict = 1 if term.op in ("lt", "gt") else 0
    if small.op == "abs" and small.kind == INT:
        inner, limit = _linear(small.args[0]), _linear(large)
        if inner is None or limit is None or set(limit) - {"1"} or abs(inner.get(QUERY, 0)) != 1 or inner.get(QUERY, 0) != -inner.get(KEY, 0):
            return None
        reach, shift = limit.get("1", 0) - strict, inner.get("1", 0) * inner[QUERY]
        return -reach - shift, reach - shift
    x, y = _linear(small), _linear(large)
    if x is None or y is None:
        return None
    room = {k: y.get(k, 0) - x.get(k, 0) for k in (QUERY, KEY, "1")}  # 0 <= room - strict
    if (room[QUERY], room[KEY]) == (1, -1):
        return strict - room["1"], None
    if (room[QUERY], room[KEY]) == (-1, 1):
        return None, room["1"] - strict
    return None


def _read(value: Value) -> tuple[Capture, tuple[str, ...]] | None:
    """An i32 array that is read at arguments as they are."""
    if value.op != "load" or value.kind != INT or value.args[0].element != "i32":
        return None
    places = value.args[1:]
    if not all(p.op == "argument" for p in places):
        return None
    return value.args[0], tuple(p.args[0] for p in places)


def _segments(term: Value) -> tuple[Operand, Operand] | None:
    """doc[q] == doc[kv], with or without a batch."""
    if term.op != "eq":
        return None
    reads = [_read(a) for a in term.args]
    if None in reads:
        return None
    by_axis = {axes[-1] if axes else None: (capture, axes) for capture, axes in reads}
    if set(by_axis) != {QUERY, KEY} or any(axes[:-1] not in ((), (BATCH,)) for _, axes in reads):
        return None
    return Operand(*by_axis[QUERY], "queries"), Operand(*by_axis[KEY], "keys")


def _prefix(term: Value) -> Operand | None:
    """kv < prefix[b]."""
    if term.op not in ("lt", "gt"):
        return None
    key, bound = term.args if term.op == "lt" else term.args[::-1]
    read = _read(bound)
    if key.op != "argument" or key.args[0] != KEY or read is None or read[1] != (BATCH,):
        return None
    return Operand(*read, "batch")


def _terms(value: Value, op: str) -> list[Value]:
    if value.op == op and value.kind == BOOL:
        return [t for a in value.args for t in _terms(a, op)]
    return [value]


def recognize(value: Value, with_data: bool = True) -> Mask:
    """Splits a mask into an attribute and a region; `with_data`: documents and prefixes, too."""
    graph = value.graph
    least: int | None = None
    most: int | None = None
    parts: list[str] = []
    operands: list[Operand] = []
    rest: list[Value] = []
    for term in _terms(value, "and"):
        if term.op == "constant" and term.args[0]:
            continue
        bounds = _distances(term)
        # An attribute says q - kv >= -right and q - kv <= left, of numbers that are not negative.
        if bounds and (bounds[0] is None or bounds[0] <= 0) and (bounds[1] is None or bounds[1] >= 0):
            least = max((b for b in (least, bounds[0]) if b is not None), default=None)
            most = min((b for b in (most, bounds[1]) if b is not None), default=None)
        elif with_data and (pair := _segments(term)):
            parts.append("#flash.segments")
            operands += pair
        elif with_data and (prefix := _prefix(term)):
            parts.append("#flash.prefix")
            operands.append(prefix)
        elif (either := _either(term, with_data)) is not None:
            parts.append(either.attribute)
            operands += either.operands
        else:
            rest.append(term)
    if least is not None or most is not None:
        parts.insert(0, window(most, None if least is None else -least))
    region = None
    for term in rest:
        region = term if region is None else graph.binary("and", region, term)
    return Mask(combine("and", parts), tuple(operands), region)


def _either(term: Value, with_data: bool) -> Mask | None:
    """An `or` of masks that are attributes, each of them."""
    if term.op != "or":
        return None
    masks = [recognize(t, with_data) for t in _terms(term, "or")]
    if any(m.region is not None or m.attribute is None for m in masks):
        return None
    return Mask(combine("or", [m.attribute for m in masks]), tuple(o for m in masks for o in m.operands), None)


def window(left: int | None, right: int | None) -> str:
    """The attribute of a window; a side that is None has no bound."""
    if left is None and right == 0:
        return "#flash.causal"
    sides = ([f"left = {left}"] if left is not None else []) + ([f"right = {right}"] if right is not None else [])
    return f"#flash.window<{', '.join(sides)}>"
