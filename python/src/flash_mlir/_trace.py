# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scalars of a traced function: a graph of operations that Python's operators build.

    score_mod = lambda score, b, h, q, kv: score - slopes[h] * (q - kv)
    ->  sub(score, mul(load(slopes, h), float(sub(q, kv))))

A `Value` has a kind: `float` (f32, or f64 for f64 inputs), `int` (MLIR's index, 64 bits) or `bool` (i1). Operations of
the same operands are one node. What is constant is computed at once. Nothing is known of a value's number, so that a
branch on one, or its conversion to Python's int, is an error that names the line.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from typing import Any

from ._errors import TraceError

FLOAT, INT, BOOL = "float", "int", "bool"
_HERE = os.path.dirname(os.path.abspath(__file__))


def where_in_user_code() -> str:
    """`file.py:12`: the innermost frame that is not of this package."""
    frame = sys._getframe(1)
    while frame is not None and os.path.dirname(os.path.abspath(frame.f_code.co_filename)) == _HERE:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "?"


def fail(message: str) -> TraceError:
    """An error at the user's line, to be raised."""
    return TraceError(f"{where_in_user_code()}: {message}")


def _no_branch(what: str) -> Callable:
    def method(self, *_):
        raise fail(f"{what} needs a number, but this one is known in the kernel alone; write & | ~ in place of and, or, not; "
                   "where(condition, a, b) in place of if; minimum and maximum in place of min and max")

    return method


class Value:
    """A scalar of the kernel. `op` is the operation's name, `args` its operands and numbers."""

    __slots__ = ("graph", "op", "args", "kind", "low", "high", "number")

    def __init__(self, graph: Graph, op: str, args: tuple, kind: str, low: int | None = None, high: int | None = None):
        self.graph, self.op, self.args, self.kind = graph, op, args, kind
        # Bounds of an int that are known for sure: what need not be clamped where an array is read.
        self.low, self.high = low, high
        self.number = len(graph.nodes)

    is_traced = True
    # What code written for tensors asks of a scalar.
    shape: tuple = ()
    ndim = 0
    device = "kernel"
    requires_grad = False

    @property
    def dtype(self) -> str:
        return {FLOAT: self.graph.float_type, INT: "int64", BOOL: "bool"}[self.kind]

    def size(self) -> tuple:
        return ()

    def dim(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"<{self.kind} {self.op}>"

    __hash__ = object.__hash__
    __bool__ = _no_branch("a condition")
    __int__ = _no_branch("int()")
    __float__ = _no_branch("float() (and a function of Python's math module; flash_mlir has exp, log, ...)")
    __index__ = _no_branch("an index of a list, or of an array that the function does not name")
    __len__ = _no_branch("len()")
    __iter__ = _no_branch("a loop")
    __contains__ = _no_branch("in")
    item = tolist = numpy = _no_branch("a Python number")
    __round__ = _no_branch("round()")

    def __setitem__(self, *_):
        raise fail("values are not assigned to; write where(condition, a, b)")

    def __getitem__(self, index):
        if index is Ellipsis or index == ():
            return self
        raise fail("a scalar has no elements")

    def __array__(self, *_, **__):
        raise fail("a traced value is no array; compute with it in the function")

    # What the graph can say of a captured array's dtype: `x.to(score.dtype)`.
    def to(self, *args, **kwargs):
        for candidate in (*args, kwargs.get("dtype")):
            if isinstance(candidate, (Value,)):
                return self.graph.cast(self, candidate.dtype)
            if candidate is not None and not (isinstance(candidate, str) and candidate in ("kernel", "cpu", "cuda")):
                return self.graph.cast(self, candidate)
        return self

    type = astype = type_as = to

    def new_zeros(self, *shape, dtype=None, **_):
        return self._new(shape, 0, dtype)

    def new_ones(self, *shape, dtype=None, **_):
        return self._new(shape, 1, dtype)

    def new_full(self, shape, value, dtype=None, **_):
        return self._new((shape,), value, dtype)

    new_tensor = lambda self, value, **_: value  # noqa: E731

    def _new(self, shape, value, dtype):
        if shape not in ((), ((),), ([],)):
            raise fail(f"a new tensor of shape {shape}: values are scalars, so the shape is ()")
        return self.graph.constant(value, self.kind) if dtype is None else self.graph.cast(value, dtype)

    def clone(self, *_, **__):
        return self

    detach = contiguous = requires_grad_ = cpu = cuda = squeeze = unsqueeze = view = reshape = expand = clone

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        from . import _functions
        return _functions.call(getattr(function, "__name__", str(function)), args, kwargs or {})

    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        from . import _functions
        if method != "__call__":
            raise fail(f"numpy.{ufunc.__name__}.{method} is not traced")
        return _functions.call(ufunc.__name__, args, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        from . import _functions
        return _functions.call(function.__name__, args, kwargs)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        from . import _functions
        function = _functions.FUNCTIONS.get(name.rstrip("_"))
        if function is None:
            raise fail(f"a traced value has no '{name}'; it has operators and {', '.join(sorted(_functions.FUNCTIONS))}")
        return lambda *args, **kwargs: function(self, *args, **kwargs)


def _binary(name: str, turned: bool = False) -> Callable:
    def method(self, other):
        if not isinstance(other, Value) and not is_number(other):
            constant = scalar_of(other)
            if constant is None:
                return NotImplemented
            other = constant
        return self.graph.binary(name, other, self) if turned else self.graph.binary(name, self, other)

    return method


for _name, _python in (("add", "add"), ("sub", "sub"), ("mul", "mul"), ("div", "truediv"), ("floordiv", "floordiv"), ("mod", "mod"),
                       ("pow", "pow"), ("and", "and"), ("or", "or"), ("xor", "xor"), ("shl", "lshift"), ("shr", "rshift")):
    setattr(Value, f"__{_python}__", _binary(_name))
    setattr(Value, f"__r{_python}__", _binary(_name, turned=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Value, f"__{_name}__", _binary(_name))
Value.__neg__ = lambda self: self.graph.unary("neg", self)
Value.__pos__ = lambda self: self
Value.__abs__ = lambda self: self.graph.unary("abs", self)
Value.__invert__ = lambda self: self.graph.unary("not", self)


def is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float))


def scalar_of(value: Any) -> bool | int | float | None:
    """The number of a NumPy scalar, or of an array of one element that tracing was not shown (made in the function)."""
    if is_number(value):
        return value
    if getattr(type(value), "is_traced", False):
        return None
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        number = value.item()
        return number if is_number(number) else None
    return None


def _kind_of(value: Value | bool | int | float) -> str:
    if isinstance(value, Value):
        return value.kind
    return BOOL if isinstance(value, bool) else INT if isinstance(value, int) else FLOAT


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
