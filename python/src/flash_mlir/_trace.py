# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scalars of a traced function, whose operators build a graph (_graph.py).

    score_mod = lambda score, b, h, q, kv: score - slopes[h] * (q - kv)
    ->  sub(score, mul(load(slopes, h), float(sub(q, kv))))

A `Value` has a kind: `float` (f32, or f64 for f64 inputs), `int` (MLIR's index, 64 bits) or `bool` (i1). Nothing is known of
its number, so that a branch on one, or its conversion to Python's int, is an error that names the line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._errors import TraceAttributeError, TraceError

if TYPE_CHECKING:
    from ._graph import Graph

FLOAT, INT, BOOL = "float", "int", "bool"
_HERE = os.path.dirname(os.path.abspath(__file__))


def where_in_user_code() -> str:
    """`file.py:12`: the innermost frame that is not of this package."""
    frame = sys._getframe(1)
    while frame is not None and os.path.dirname(os.path.abspath(frame.f_code.co_filename)) == _HERE:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "?"


def fail(message: str, kind: type[TraceError] = TraceError) -> TraceError:
    """An error at the user's line, to be raised."""
    return kind(f"{where_in_user_code()}: {message}")


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
            raise fail(f"a traced value has no '{name}'; it has operators and {', '.join(sorted(_functions.FUNCTIONS))}", TraceAttributeError)
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
    """Python's own numbers: NumPy's float64 is a float, too, but its operators would ask the traced value again."""
    return type(value) in (bool, int, float)


def scalar_of(value: Any) -> bool | int | float | None:
    """The number of a NumPy scalar, or of an array of one element that tracing was not shown (made in the function)."""
    if is_number(value):
        return value
    if getattr(type(value), "is_traced", False):
        return None
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        number = value.item()
        return number if is_number(number) else None
    return int(value) if isinstance(value, int) else float(value) if isinstance(value, float) else None
