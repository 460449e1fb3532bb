# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a graph of traced values to the text of a region.

    sub(score, mul(load(slopes, h), float(sub(q, kv))))
    ->  %0 = tensor.extract %slopes[%h] : tensor<?xf32>
        %1 = arith.subi %q, %kv : index
        %2 = arith.index_cast %1 : index to i64
        %3 = arith.sitofp %2 : i64 to f32
        ...
"""

from __future__ import annotations

import math
import struct
from typing import Any

from ._captures import Capture
from ._trace import BOOL, FLOAT, INT, Value

_INTEGER = {"add": "addi", "sub": "subi", "mul": "muli", "floordiv": "floordivsi", "rem": "remsi", "shl": "shli", "shr": "shrsi",
            "and": "andi", "or": "ori", "xor": "xori", "min": "minsi", "max": "maxsi"}
_FLOATING = {"add": "arith.addf", "sub": "arith.subf", "mul": "arith.mulf", "div": "arith.divf", "min": "arith.minimumf",
             "max": "arith.maximumf", "pow": "math.powf", "neg": "arith.negf", "abs": "math.absf", "atan2": "math.atan2"}
_PREDICATES = {"lt": ("slt", "olt"), "le": ("sle", "ole"), "gt": ("sgt", "ogt"), "ge": ("sge", "oge"), "eq": ("eq", "oeq"), "ne": ("ne", "une")}


def float_literal(number: float, kind: str) -> str:
    """A float as MLIR reads it: exact."""
    if math.isfinite(number):
        return f"{number:.17e}" if kind == "f64" else f"{_round_to_f32(number):.9e}"
    code, size = ("<d", "<Q") if kind == "f64" else ("<f", "<I")
    return f"0x{struct.unpack(size, struct.pack(code, number))[0]:0{2 * struct.calcsize(code)}X}"


def _round_to_f32(number: float) -> float:
    try:
        return struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)


class Region:
    """Lines of a region's body. `capture_types` are what arrays are declared as."""

    def __init__(self, float_type: str, capture_types: dict[int, str], names: dict[str, str] | None = None):
        self.types = {FLOAT: float_type, INT: "index", BOOL: "i1"}
        self.capture_types = capture_types
        self.arguments = names or {}
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.constants: dict[str, str] = {}

    def line(self, text: str) -> str:
        name = f"%{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name

    def constant(self, literal: str, kind: str) -> str:
        key = f"arith.constant {literal} : {kind}" if kind != "i1" else f"arith.constant {literal}"
        if key not in self.constants:
            self.constants[key] = self.line(key)
        return self.constants[key]

    def value(self, root: Value) -> str:
        """The name of a value; what it needs is written first, without recursion."""
        stack = [root]
        while stack:
            value = stack[-1]
            if value.number in self.names:
                stack.pop()
                continue
            needed = [a for a in value.args if isinstance(a, Value) and a.number not in self.names]
            if needed:
                stack.extend(reversed(needed))
                continue
            self.names[value.number] = self._write(value)
            stack.pop()
        return self.names[root.number]

    def _write(self, value: Value) -> str:
        op, kind, args = value.op, value.kind, value.args
        names = [self.names[a.number] if isinstance(a, Value) else a for a in args]
        written = self.types[kind]
        if op == "argument":
            return self.arguments.get(args[0], f"%{args[0]}")
        if op == "constant":
            return self.constant(float_literal(args[0], written) if kind == FLOAT else str(args[0]).lower(), written)
        if op == "known":
            return names[0]
        if op == "convert":
            return self._convert(args[0].kind, kind, names[0])
        if op == "truncate":
            return self.line(f"arith.index_cast {self.line(f'arith.fptosi {names[0]} : {self.types[FLOAT]} to i64')} : i64 to index")
        if op == "round_to":
            if written == names[1]:
                return names[0]
            return self.line(f"arith.extf {self.line(f'arith.truncf {names[0]} : {written} to {names[1]}')} : {names[1]} to {written}")
        if op == "not":
            return self.line(f"arith.xori {names[0]}, {self.constant('true', 'i1')} : i1")
        if op in _PREDICATES:
            operand = args[0].kind
            form, predicate = ("cmpf", _PREDICATES[op][1]) if operand == FLOAT else ("cmpi", _PREDICATES[op][0])
            return self.line(f"arith.{form} {predicate}, {names[0]}, {names[1]} : {self.types[operand]}")
        if op == "select":
            return self.line(f"arith.select {names[0]}, {names[1]}, {names[2]} : {written}")
        if op == "size":
            return self._size(*args)
        if op == "load":
            return self._load(args[0], names[1:], kind)
        if kind != FLOAT:
            return self.line(f"math.absi {names[0]} : {written}" if op == "abs" else f"arith.{_INTEGER[op]} {names[0]}, {names[1]} : {written}")
        return self.line(f"{_FLOATING.get(op, f'math.{op}')} {', '.join(names)} : {written}")

    def _convert(self, source: str, kind: str, name: str) -> str:
        written = self.types[kind]
        if source == BOOL:
            return self.line(f"arith.index_castui {name} : i1 to index" if kind == INT else f"arith.uitofp {name} : i1 to {written}")
        return self.line(f"arith.sitofp {self.line(f'arith.index_cast {name} : index to i64')} : i64 to {written}")

    def _size(self, capture: Capture, dim: int) -> str:
        if dim in capture.fixed:
            return self.constant(str(capture.shape[dim]), "index")
        return self.line(f"tensor.dim %t{capture.number}, {self.constant(str(dim), 'index')} : {self.capture_types[capture.number]}")

    def _load(self, capture: Capture, index: list[str], kind: str) -> str:
        name = self.line(f"tensor.extract %t{capture.number}[{', '.join(index)}] : {self.capture_types[capture.number]}")
        element, written = capture.element, self.types[kind]
        if kind == BOOL or element == written:
            return name
        if kind == INT:
            return self.line(f"arith.index_cast {name} : {element} to index")
        wider = {"f64": 8, "f32": 4}.get(written, 2) > {"f64": 8, "f32": 4}.get(element, 2)
        return self.line(f"arith.{'extf' if wider else 'truncf'} {name} : {element} to {written}")


def capture_type(capture: Any) -> str:
    """`tensor<?x64xf32>`: sizes that the program depends on are in it."""
    sizes = "".join(f"{n if i in capture.fixed else '?'}x" for i, n in enumerate(capture.shape))
    return f"tensor<{sizes}{capture.element}>"
