# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of traced values: what NumPy and PyTorch call them, in one table.

`flash_mlir.where`, `flash_mlir.exp` and so on are these; `torch.where(...)` and `numpy.exp(...)` of traced values come here,
too, and so do methods, as in `score.tanh()`.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

from ._captures import Rows, unwrap
from ._trace import BOOL, FLOAT, Value, fail, is_number, scalar_of

FUNCTIONS: dict[str, Callable] = {}


def _graph(*values: Any):
    for value in values:
        if isinstance(value, Value):
            return value.graph
        if isinstance(value, Rows):
            return value.graph
    return None


def traced(*names: str) -> Callable:
    """Adds a function to the table; rows are gone through element by element."""

    def add(function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            args = tuple(unwrap(a) for a in args)
            if any(isinstance(a, Rows) for a in args):
                return Rows.zip(lambda *elements: wrapper(*elements, **kwargs), *args)
            return function(*args, **kwargs)

        for name in names:
            FUNCTIONS[name] = wrapper
        return wrapper

    return add


def call(name: str, args: tuple, kwargs: dict) -> Any:
    """What a library's function of this name does with traced values."""
    name = name.strip("_") if not name.startswith("__") else name
    if name.startswith("__") and name.endswith("__"):
        method = getattr(operator, name, None)
        if method is not None:
            return method(*(a if isinstance(a, (Value, Rows)) else _number(a) for a in args))
        if name.startswith("__r") and (method := getattr(operator, f"__{name[3:]}", None)):
            return method(_number(args[1]), args[0])
    function = FUNCTIONS.get(name)
    if function is None:
        raise fail(f"'{name}' is not traced; there are operators and {', '.join(sorted(FUNCTIONS))}")
    return function(*args, **kwargs)


def _number(value: Any) -> Any:
    number = scalar_of(value)
    return value if number is None else number


def _plain(values: tuple) -> bool:
    return all(is_number(v) for v in values)


def _unary(name: str, plain: Callable[[float], float], *names: str) -> Callable:
    @traced(name, *names)
    def function(x, **_):
        graph = _graph(x)
        return plain(x) if graph is None else graph.function(name, x)

    function.__name__ = name
    function.__doc__ = f"`{name}` of a traced value, a row of them, or a number."
    return function


exp, exp2, expm1 = _unary("exp", math.exp), _unary("exp2", lambda x: 2.0 ** x), _unary("expm1", math.expm1)
log, log2 = _unary("log", math.log), _unary("log2", math.log2)
log10, log1p = _unary("log10", math.log10), _unary("log1p", math.log1p)
sqrt, rsqrt = _unary("sqrt", math.sqrt), _unary("rsqrt", lambda x: 1 / math.sqrt(x))
sin, cos, tan = _unary("sin", math.sin), _unary("cos", math.cos), _unary("tan", math.tan)
sinh, cosh, tanh = _unary("sinh", math.sinh), _unary("cosh", math.cosh), _unary("tanh", math.tanh)
asin, acos, atan = _unary("asin", math.asin, "arcsin"), _unary("acos", math.acos, "arccos"), _unary("atan", math.atan, "arctan")
erf, erfc = _unary("erf", math.erf), _unary("erfc", math.erfc)
floor, ceil, trunc = _unary("floor", math.floor), _unary("ceil", math.ceil), _unary("trunc", math.trunc)
round = _unary("roundeven", round, "round")  # noqa: A001: the name of NumPy and PyTorch


@traced("sigmoid")
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + exp(-x * 1.0))


@traced("silu")
def silu(x):
    """x sigmoid(x)."""
    return x * sigmoid(x)


@traced("relu")
def relu(x):
    """max(x, 0)."""
    return maximum(x, 0)


@traced("gelu")
def gelu(x, approximate: str = "none"):
    """The Gaussian error linear unit, exact or by tanh."""
    if approximate == "tanh":
        return 0.5 * x * (1.0 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1.0 + erf(x * math.sqrt(0.5)))


@traced("softplus")
def softplus(x):
    """log(1 + exp(x))."""
    return maximum(x, 0.0) + log1p(exp(-absolute(x) * 1.0))


@traced("where")
def where(condition, x, y):
    """x where the condition holds, else y."""
    graph = _graph(condition, x, y)
    return (x if condition else y) if graph is None else graph.select(condition, x, y)


@traced("minimum", "fmin", "min")
def minimum(x, y=None):
    """The lesser of two."""
    if y is None:
        return x
    graph = _graph(x, y)
    return min(x, y) if graph is None else graph.extreme("min", _number(x), _number(y))


@traced("maximum", "fmax", "max")
def maximum(x, y=None):
    """The greater of two."""
    if y is None:
        return x
    graph = _graph(x, y)
    return max(x, y) if graph is None else graph.extreme("max", _number(x), _number(y))


@traced("clamp", "clip")
def clamp(x, min=None, max=None):  # noqa: A002: PyTorch's names
    """x, but at least `min` and at most `max`."""
    x = x if min is None else maximum(x, min)
    return x if max is None else minimum(x, max)


clamp_min = traced("clamp_min")(lambda x, min: maximum(x, min))  # noqa: A002
clamp_max = traced("clamp_max")(lambda x, max: minimum(x, max))  # noqa: A002


@traced("abs", "absolute", "fabs")
def absolute(x):
    """|x|."""
    return abs(x)


@traced("sign", "sgn")
def sign(x):
    """-1, 0 or 1."""
    return where(x > 0, 1, where(x < 0, -1, 0)) * (1.0 if getattr(x, "kind", FLOAT) == FLOAT else 1)


@traced("pow", "power", "float_power")
def power(x, y):
    """x to the power of y."""
    return x ** y


@traced("atan2", "arctan2")
def atan2(x, y):
    """The angle of (y, x)."""
    graph = _graph(x, y)
    return math.atan2(x, y) if graph is None else graph.function("atan2", x, y)


@traced("isnan")
def isnan(x):
    """Whether x is not a number."""
    return x != x


@traced("isinf")
def isinf(x):
    """Whether x is infinite."""
    return absolute(x) == math.inf


@traced("logical_not", "bitwise_not", "invert")
def logical_not(x):
    """not x, of bools; ~x of integers."""
    return ~x if isinstance(x, Value) else not x


for _name, _operator in (("add", operator.add), ("sub", operator.sub), ("mul", operator.mul), ("div", operator.truediv),
                         ("floordiv", operator.floordiv), ("mod", operator.mod), ("and", operator.and_), ("or", operator.or_),
                         ("xor", operator.xor), ("lt", operator.lt), ("le", operator.le), ("gt", operator.gt), ("ge", operator.ge),
                         ("eq", operator.eq), ("ne", operator.ne), ("shl", operator.lshift), ("shr", operator.rshift)):
    _names = {"add": ("add",), "sub": ("sub", "subtract"), "mul": ("mul", "multiply"), "div": ("div", "divide", "true_divide"),
              "floordiv": ("floor_divide",), "mod": ("remainder", "mod"), "and": ("logical_and", "bitwise_and"),
              "or": ("logical_or", "bitwise_or"), "xor": ("logical_xor", "bitwise_xor"), "lt": ("lt", "less"), "le": ("le", "less_equal"),
              "gt": ("gt", "greater"), "ge": ("ge", "greater_equal"), "eq": ("eq", "equal"), "ne": ("ne", "not_equal"),
              "shl": ("bitwise_left_shift", "left_shift"), "shr": ("bitwise_right_shift", "right_shift")}[_name]
    traced(*_names)(lambda x, y, _operator=_operator, **_: _operator(_number(x), _number(y)))
traced("neg", "negative")(lambda x: -x)
traced("square")(lambda x: x * x)
traced("reciprocal")(lambda x: 1.0 / x)
traced("rsub")(lambda x, y: y - x)
traced("addcmul")(lambda x, y, z, value=1: x + value * y * z)
traced("lerp")(lambda x, y, weight: x + weight * (y - x))
traced("float", "double")(lambda x: x.graph.cast(x, "float32"))
traced("half")(lambda x: x.graph.cast(x, "float16"))
traced("bfloat16")(lambda x: x.graph.cast(x, "bfloat16"))
traced("int", "long", "short")(lambda x: x.graph.cast(x, "int64"))
traced("bool")(lambda x: x.graph.lift(x, BOOL))


@traced("zeros_like", "ones_like", "full_like", "empty_like")
def _like(x, value=0, **_):
    return x.graph.constant(value, x.kind)


FUNCTIONS["zeros_like"] = lambda x, **_: _like(x, 0)
FUNCTIONS["ones_like"] = lambda x, **_: _like(x, 1)


# Of rows: one value of many.
def _reduction(*names: str) -> Callable:
    def add(function: Callable) -> Callable:
        for name in names:
            before = FUNCTIONS.get(name)

            def either(x, *args, _before=before, **kwargs):
                if isinstance(x, Rows) and not any(isinstance(a, (Rows, Value)) for a in args):
                    return x.reduce(function, *args, **kwargs)
                if _before is not None:
                    return _before(x, *args, **kwargs)
                return function([x])

            FUNCTIONS[name] = either
        return function

    return add


@_reduction("sum")
def sum_of(elements):
    return functools.reduce(operator.add, elements)


@_reduction("prod")
def product_of(elements):
    return functools.reduce(operator.mul, elements)


@_reduction("mean")
def mean_of(elements):
    return sum_of(elements) / float(len(elements))


@_reduction("any")
def any_of(elements):
    return functools.reduce(operator.or_, [e != 0 for e in elements])


@_reduction("all")
def all_of(elements):
    return functools.reduce(operator.and_, [e != 0 for e in elements])


@_reduction("max", "amax")
def greatest_of(elements):
    return functools.reduce(maximum, elements)


@_reduction("min", "amin")
def least_of(elements):
    return functools.reduce(minimum, elements)


@_reduction("logsumexp")
def logsumexp_of(elements):
    most = greatest_of(elements)
    return most + log(sum_of([exp(e - most) for e in elements]))


def dot(x, y):
    """The sum of products of two rows."""
    x, y = unwrap(x), unwrap(y)
    if not (isinstance(x, Rows) or isinstance(y, Rows)):
        return x * y
    return Rows.zip(operator.mul, x, y).reduce(sum_of)


for _name in ("dot", "inner", "vdot", "matmul"):
    FUNCTIONS[_name] = dot
