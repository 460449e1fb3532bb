# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The graph of a traced function: what operators of values mean.

Kinds are as in Python and PyTorch: ints divide to floats, floor division and remainders round down, bools add as 0 and 1.
Operations of the same operands are one node, and what is constant is computed at once. Bounds of integers that are known
for sure go along, so that an index that is within its array needs no clamp, and a remainder of positive numbers is one
instruction, which the analysis of blocks follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ._trace import BOOL, FLOAT, INT, Value, fail, scalar_of


def _kind_of(value: Value | bool | int | float) -> str:
    if isinstance(value, Value):
        return value.kind
    number = scalar_of(value)
    return BOOL if isinstance(number, bool) else INT if isinstance(number, int) else FLOAT


def _bounds(value: Value | int) -> tuple[int | None, int | None]:
    return (value.low, value.high) if isinstance(value, Value) else (int(value), int(value))


_COMPARE: dict[str, Callable] = {"lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
                                 "eq": lambda a, b: a == b, "ne": lambda a, b: a != b}
_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
_RANK = {BOOL: 0, INT: 1, FLOAT: 2}


class Graph:
    """What a function computes. `float_type` is float32, or float64 for f64 inputs; `rows_known`: the arguments q and kv
    are rows of the query and the key, and not positions in a sequence whose length is data."""

    def __init__(self, float_type: str = "float32", rows_known: bool = True):
        self.float_type, self.rows_known = float_type, rows_known
        self.nodes: dict[tuple, Value] = {}

    def node(self, op: str, args: tuple, kind: str, low: int | None = None, high: int | None = None) -> Value:
        key = (op, kind, tuple(("node", a.number) if isinstance(a, Value) else (type(a), repr(a)) for a in args))
        found = self.nodes.get(key)
        if found is None:
            found = self.nodes[key] = Value(self, op, args, kind, low, high)
        return found

    def argument(self, name: str, kind: str, high: int | None = None) -> Value:
        return self.node("argument", (name,), kind, 0 if kind == INT else None, high)

    def constant(self, number: bool | int | float, kind: str) -> Value:
        number = {FLOAT: float, INT: int, BOOL: bool}[kind](number)
        low = number if kind == INT else None
        return self.node("constant", (number,), kind, low, low)

    def lift(self, value: Any, kind: str) -> Value:
        """A value, or a number, as a value of a kind that holds it."""
        if not isinstance(value, Value):
            number = scalar_of(value)
            if number is None:
                raise fail(f"{type(value).__name__} where a number or a traced value is expected")
            return self.constant(number, kind)
        if value.kind == kind:
            return value
        if value.op == "constant":
            return self.constant(value.args[0], kind)
        if kind == BOOL:
            return self.binary("ne", value, 0)
        low, high = (0, 1) if value.kind == BOOL else (None, None)
        return self.node("convert", (value,), kind, low if kind == INT else None, high if kind == INT else None)

    def truncate(self, value: Value) -> Value:
        """A float's integral part, as int() and .long() have it."""
        return value if value.kind == INT else self.lift(value, INT) if value.kind == BOOL else self.node("truncate", (value,), INT)

    def cast(self, value: Any, dtype: Any) -> Value:
        name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
        name = str(name).rpartition(".")[2]
        value = value if isinstance(value, Value) else self.lift(value, _kind_of(value))
        if name in ("bool", "bool_"):
            return self.lift(value, BOOL)
        if name in ("float32", "float", "float64", "double"):
            return self.lift(value, FLOAT)
        if name in ("float16", "half", "bfloat16"):
            return self.node("round_to", (self.lift(value, FLOAT), "bf16" if name == "bfloat16" else "f16"), FLOAT)
        if name in ("int", "long", "int64", "int32", "int16", "int8", "short", "uint8"):
            return self.truncate(value)
        raise fail(f"a cast to {dtype!r} is not traced; there are floats, integers and bool")

    # -- Operators

    def unary(self, op: str, x: Value) -> Value:
        if op == "not":
            if x.kind == FLOAT:
                raise fail("~ is of bools and integers, not of floats")
            return self.node("not", (x,), x.kind) if x.kind == BOOL else self.binary("sub", -1, x)
        if x.kind == BOOL:
            x = self.lift(x, INT)
        if x.op == "constant":
            return self.constant(-x.args[0] if op == "neg" else abs(x.args[0]), x.kind)
        if op == "neg":
            return self.binary("sub", 0, x) if x.kind == INT else self.node("neg", (x,), FLOAT)
        return self.node("abs", (x,), x.kind, 0 if x.kind == INT else None)

    def binary(self, op: str, x: Any, y: Any) -> Value:
        kind = max(_kind_of(x), _kind_of(y), key=_RANK.__getitem__)
        if op in _COMPARE:
            return self._compare(op, x, y, kind)
        if op in ("and", "or", "xor"):
            return self._bits(op, x, y, kind)
        if op == "pow":
            return self._power(x, y, kind)
        if op == "div":
            kind = FLOAT
        elif kind == BOOL:
            kind = INT
        if op in ("shl", "shr") and kind != INT:
            raise fail(f"{'<<' if op == 'shl' else '>>'} is of integers, not of floats")
        x, y = self.lift(x, kind), self.lift(y, kind)
        if x.op == y.op == "constant":
            return self.constant(self._compute(op, x.args[0], y.args[0], kind), kind)
        if kind == INT:
            return self._integer(op, x, y)
        if op == "floordiv":
            return self.node("floor", (self.node("div", (x, y), FLOAT),), FLOAT)
        if op == "mod":  # of Python and PyTorch: the sign of the divisor
            quotient = self.node("floor", (self.node("div", (x, y), FLOAT),), FLOAT)
            return self.node("sub", (x, self.node("mul", (quotient, y), FLOAT)), FLOAT)
        return self.node(op, (x, y), FLOAT)

    @staticmethod
    def _compute(op: str, x: Any, y: Any, kind: str) -> Any:
        try:
            return {"add": lambda: x + y, "sub": lambda: x - y, "mul": lambda: x * y, "div": lambda: x / y, "floordiv": lambda: x // y,
                    "mod": lambda: x % y, "shl": lambda: x << y, "shr": lambda: x >> y}[op]()
        except ZeroDivisionError:
            if kind == FLOAT and op == "div":
                return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1, y)
            raise fail("division by zero") from None

    def _integer(self, op: str, x: Value, y: Value) -> Value:
        (xl, xh), (yl, yh) = _bounds(x), _bounds(y)
        constant = y.args[0] if y.op == "constant" else None
        if op == "add":
            if constant == 0:
                return x
            if x.op == "constant" and x.args[0] == 0:
                return y
            return self.node("add", (x, y), INT, None if xl is None or yl is None else xl + yl, None if xh is None or yh is None else xh + yh)
        if op == "sub":
            if constant == 0:
                return x
            return self.node("sub", (x, y), INT, None if xl is None or yh is None else xl - yh, None if xh is None or yl is None else xh - yl)
        positive = xl is not None and xl >= 0
        if op == "mul":
            if constant == 1:
                return x
            known = positive and yl is not None and yl >= 0
            return self.node("mul", (x, y), INT, xl * yl if known else None, xh * yh if known and None not in (xh, yh) else None)
        if op in ("floordiv", "mod"):
            if constant == 0:
                raise fail("division by zero")
            if constant == 1:
                return x if op == "floordiv" else self.constant(0, INT)
            if op == "floordiv":
                known = positive and yl is not None and yl > 0
                return self.node("floordiv", (x, y), INT, 0 if known else None, xh // yl if known and xh is not None else None)
            if positive and yl is not None and yl > 0:
                # The remainder of the hardware is Python's: block analysis follows it.
                return self.node("rem", (x, y), INT, 0, None if yh is None else yh - 1)
            rest = self.node("rem", (x, y), INT)
            if yl is not None and yl > 0:
                moved = self.select(self.binary("lt", rest, 0), self.binary("add", rest, y), rest)
                return self.node("known", (moved,), INT, 0, None if yh is None else yh - 1)
            other = self.binary("and", self.binary("ne", rest, 0), self.binary("xor", self.binary("lt", rest, 0), self.binary("lt", y, 0)))
            return self.select(other, self.binary("add", rest, y), rest)
        return self.node(op, (x, y), INT, 0 if positive and op == "shr" else None, xh if positive and op == "shr" else None)

    def _compare(self, op: str, x: Any, y: Any, kind: str) -> Value:
        if kind == BOOL:
            if op not in ("eq", "ne"):
                return self._compare(op, self.lift(x, INT), self.lift(y, INT), INT)
            different = self._bits("xor", x, y, BOOL)
            return different if op == "ne" else self.unary("not", different)
        x, y = self.lift(x, kind), self.lift(y, kind)
        if x.op == y.op == "constant":
            return self.constant(_COMPARE[op](x.args[0], y.args[0]), BOOL)
        # One form of each: what bounds is on the left.
        return self.node(_MIRRORED[op], (y, x), BOOL) if x.op == "constant" else self.node(op, (x, y), BOOL)

    def _bits(self, op: str, x: Any, y: Any, kind: str) -> Value:
        if kind == FLOAT:
            raise fail("& | ^ are of bools and integers, not of floats")
        x, y = self.lift(x, kind), self.lift(y, kind)
        if x.op == y.op == "constant":
            a, b = x.args[0], y.args[0]
            return self.constant({"and": a & b, "or": a | b, "xor": a ^ b}[op], kind)
        if x.op == "constant":
            x, y = y, x
        if kind == BOOL and y.op == "constant":
            truth = y.args[0]
            if op == "and":
                return x if truth else y
            if op == "or":
                return y if truth else x
            return self.unary("not", x) if truth else x
        if x is y:
            return x if op != "xor" else self.constant(0, kind)
        low = 0 if kind == INT and all(b is not None and b >= 0 for b in (x.low, y.low)) else None
        return self.node(op, (x, y), kind, low)

    def _power(self, x: Any, y: Any, kind: str) -> Value:
        exponent = scalar_of(y) if not isinstance(y, Value) else y.args[0] if y.op == "constant" else None
        if exponent is not None and float(exponent).is_integer() and 0 <= exponent <= 16:
            x = self.lift(x, INT if kind == BOOL else kind)
            if exponent == 0:
                return self.constant(1, x.kind)
            result, power, rest = None, x, int(exponent)
            while rest:
                if rest & 1:
                    result = power if result is None else self.binary("mul", result, power)
                rest >>= 1
                power = self.binary("mul", power, power) if rest else power
            return result
        if exponent == 0.5:
            return self.node("sqrt", (self.lift(x, FLOAT),), FLOAT)
        if exponent == -1:
            return self.binary("div", 1.0, x)
        return self.node("pow", (self.lift(x, FLOAT), self.lift(y, FLOAT)), FLOAT)

    # -- Choices, bounds, functions

    def select(self, condition: Any, x: Any, y: Any) -> Value:
        condition = self.lift(condition, BOOL)
        kind = max(_kind_of(x), _kind_of(y), key=_RANK.__getitem__)
        x, y = self.lift(x, kind), self.lift(y, kind)
        if condition.op == "constant":
            return x if condition.args[0] else y
        if x is y:
            return x
        if kind == BOOL:
            if x.op == "constant":
                return self._bits("or", condition, y, BOOL) if x.args[0] else self._bits("and", self.unary("not", condition), y, BOOL)
            if y.op == "constant":
                return self._bits("or", self.unary("not", condition), x, BOOL) if y.args[0] else self._bits("and", condition, x, BOOL)
        low = min(x.low, y.low) if None not in (x.low, y.low) else None
        high = max(x.high, y.high) if None not in (x.high, y.high) else None
        return self.node("select", (condition, x, y), kind, low, high)

    def extreme(self, op: str, x: Any, y: Any) -> Value:
        """`min` or `max`; of floats NaN wins, as in PyTorch."""
        kind = max(_kind_of(x), _kind_of(y), key=_RANK.__getitem__)
        if kind == BOOL:
            return self._bits("and" if op == "min" else "or", x, y, BOOL)
        x, y = self.lift(x, kind), self.lift(y, kind)
        if x.op == y.op == "constant":
            return self.constant((min if op == "min" else max)(x.args[0], y.args[0]), kind)
        choose = min if op == "min" else max
        lows, highs = [b for b in (x.low, y.low) if b is not None], [b for b in (x.high, y.high) if b is not None]
        whole_low, whole_high = len(lows) == 2, len(highs) == 2
        low = choose(lows) if whole_low or (op == "max" and lows) else None
        high = choose(highs) if whole_high or (op == "min" and highs) else None
        return self.node(op, (x, y), kind, low if kind == INT else None, high if kind == INT else None)

    def function(self, name: str, x: Any, *rest: Any) -> Value:
        """A function of floats, by the name of MLIR's math dialect."""
        return self.node(name, (self.lift(x, FLOAT), *(self.lift(y, FLOAT) for y in rest)), FLOAT)
