# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays that a traced function reads, and rows of their elements.

`table[h, q]` is a load where the function runs: the index is clamped to the array (a negative one counts from the end, as
everywhere in Python), unless it is one of the function's own arguments, whose range the caller's shapes are held against.
`embedding[q]` of a matrix is a short row, whose elements are loads; sums and products of rows are unrolled.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

from ._errors import TraceAttributeError
from ._graph import Graph
from ._trace import BOOL, FLOAT, INT, Value, fail, scalar_of

MOST_ELEMENTS = 1024


class Capture:
    """An array of the caller's in a traced function: it is indexed. `name` is what the function calls it."""

    is_traced = True
    __array_priority__ = 1000

    def __init__(self, graph: Graph, name: str, number: int, shape: tuple[int, ...], element: str):
        self.graph, self.name, self.number, self.shape, self.element = graph, name, number, shape, element
        # Dimensions whose size the program depends on.
        self.fixed: set[int] = set()
        # (dimension, argument): indexed by an argument as it is, which the caller's sizes must allow.
        self.direct: set[tuple[int, str]] = set()

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> str:
        return {FLOAT: self.graph.float_type, INT: "int64", BOOL: "bool"}[self.kind]

    @property
    def kind(self) -> str:
        return BOOL if self.element == "i1" else INT if self.element[0] == "i" else FLOAT

    def size(self, dim: int | None = None):
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        if not self.shape:
            raise fail(f"'{self.name}' has no dimensions")
        return self.shape[0]

    def __getitem__(self, index):
        return read(self, index if isinstance(index, tuple) else (index,))

    def value(self) -> Value | Rows:
        """All of it: of a 0-d array its number, else rows."""
        return read(self, (Ellipsis,) if self.shape else ())

    def __setitem__(self, *_):
        raise fail(f"'{self.name}' is read, not written, in a traced function")

    def __bool__(self):
        raise fail(f"'{self.name}' is known in the kernel alone: it cannot be branched on")

    def to(self, *_, **__):
        return self

    cuda = cpu = contiguous = detach = clone = to

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.value(), name)

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        from . import _functions
        name = getattr(function, "__name__", str(function))
        if name in ("getitem", "__getitem__"):
            return args[0][args[1]]
        return _functions.call(name, tuple(unwrap(a) for a in args), {k: unwrap(v) for k, v in (kwargs or {}).items()})

    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        return Value.__array_ufunc__(unwrap(self), ufunc, method, *(unwrap(a) for a in args), **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        from . import _functions
        if function.__name__ == "take" and len(args) == 2:
            return args[0][args[1]]
        return _functions.call(function.__name__, tuple(unwrap(a) for a in args), {k: unwrap(v) for k, v in kwargs.items()})


def unwrap(value: Any) -> Any:
    return value.value() if isinstance(value, Capture) else value


def _forward(name: str, unary: bool) -> Callable:
    method = getattr(operator, name)
    if unary:
        return lambda self: method(unwrap(self))
    return lambda self, other: method(unwrap(self), unwrap(other))


def _backward(name: str) -> Callable:
    method = getattr(operator, name)
    return lambda self, other: method(unwrap(other), unwrap(self))


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift", "rshift", "matmul")


def _give_operators(kind: type) -> None:
    for name in _BINARY:
        setattr(kind, f"__{name.rstrip('_')}__", _forward(name, unary=False))
        setattr(kind, f"__r{name.rstrip('_')}__", _backward(name))
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(kind, f"__{name}__", _forward(name, unary=False))
    for name in ("neg", "pos", "abs", "invert"):
        setattr(kind, f"__{name}__", _forward(name, unary=True))
    kind.__hash__ = object.__hash__


_give_operators(Capture)


class Rows:
    """A short array of traced values: elements in C order, and a shape."""

    is_traced = True
    __array_priority__ = 1000

    def __init__(self, graph: Graph, shape: tuple[int, ...], elements: list):
        self.graph, self.shape, self.elements = graph, shape, elements

    ndim = property(lambda self: len(self.shape))
    T = property(lambda self: self if len(self.shape) < 2 else self._transposed())

    def size(self, dim: int | None = None):
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def _transposed(self) -> Rows:
        m, n = self.shape
        return Rows(self.graph, (n, m), [self.elements[i * n + j] for j in range(n) for i in range(m)])

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        if any(isinstance(i, Value) for i in index):
            raise fail("a row is not indexed by a traced value; index the array itself")
        numbers, shape = _numbers(self.shape, index)
        return _pack(self.graph, shape, [self.elements[i] for i in numbers])

    def __bool__(self):
        raise fail("a row of traced values is no condition; write any() or all()")

    def to(self, *args, **kwargs):
        return Rows(self.graph, self.shape, [e.to(*args, **kwargs) for e in self.elements])

    @staticmethod
    def zip(function: Callable, *values: Any) -> Any:
        """Element by element, with shapes broadcast as NumPy does."""
        rows = [v for v in values if isinstance(v, Rows)]
        rank = max(len(r.shape) for r in rows)
        shape = [1] * rank
        for row in rows:
            for i, n in enumerate(row.shape[::-1]):
                if n != 1 and shape[rank - 1 - i] not in (1, n):
                    raise fail(f"rows of shapes {rows[0].shape} and {row.shape} do not go together")
                shape[rank - 1 - i] = max(n, shape[rank - 1 - i])
        elements = []
        for place in itertools.product(*map(range, shape)):
            elements.append(function(*(v._at(place) if isinstance(v, Rows) else v for v in values)))
        return _pack(rows[0].graph, tuple(shape), elements)

    def _at(self, place: tuple[int, ...]) -> Value:
        number = 0
        for n, i in zip(self.shape, place[len(place) - len(self.shape):]):
            number = number * n + (0 if n == 1 else i)
        return self.elements[number]

    def reduce(self, function: Callable, axis: int | None = None, dim: int | None = None, keepdim: bool = False, **_: Any) -> Any:
        axis = dim if axis is None else axis
        if axis is None or len(self.shape) == 1:
            return function(self.elements)
        axis %= len(self.shape)
        shape = self.shape[:axis] + self.shape[axis + 1:]
        elements = [function([self._at(place[:axis] + (i,) + place[axis:]) for i in range(self.shape[axis])])
                    for place in itertools.product(*map(range, shape))]
        return _pack(self.graph, shape, elements)

    def __matmul__(self, other):
        from . import _functions
        return _functions.dot(self, unwrap(other))

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        from . import _functions
        function = _functions.FUNCTIONS.get(name)
        if function is None:
            raise fail(f"a row of traced values has no '{name}'", TraceAttributeError)
        return lambda *args, **kwargs: function(self, *args, **kwargs)

    __torch_function__ = Capture.__torch_function__
    __array_function__ = Capture.__array_function__

    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        from . import _functions
        return _functions.call(ufunc.__name__, tuple(unwrap(a) for a in args), kwargs)


def _rows_operator(name: str, turned: bool) -> Callable:
    method = getattr(operator, name)

    def apply(self, other):
        other = unwrap(other)
        if not isinstance(other, (Rows, Value)):
            number = scalar_of(other)
            if number is None:
                return NotImplemented
            other = number
        return Rows.zip(method, *((other, self) if turned else (self, other)))

    return apply


for _name in _BINARY[:-1]:
    setattr(Rows, f"__{_name.rstrip('_')}__", _rows_operator(_name, turned=False))
    setattr(Rows, f"__r{_name.rstrip('_')}__", _rows_operator(_name, turned=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Rows, f"__{_name}__", _rows_operator(_name, turned=False))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Rows, f"__{_name}__", lambda self, _method=getattr(operator, _name): Rows.zip(_method, self))
Rows.__hash__ = object.__hash__


def _pack(graph: Graph, shape: tuple[int, ...], elements: list) -> Any:
    return elements[0] if not shape else Rows(graph, shape, elements)


def _spread(rank: int, index: Sequence[Any]) -> list[Any]:
    """An index of each dimension: an ellipsis stands for those that are left."""
    index = list(index)
    if any(i is None for i in index):
        raise fail("new dimensions are not traced")
    places = [i for i, part in enumerate(index) if part is Ellipsis]
    place = places[0] if places else len(index)
    rest = index[place + 1:]
    index = index[:place]
    if len(index) + len(rest) > rank:
        raise fail(f"{len(index) + len(rest)} indices of an array with {rank} dimensions")
    return index + [slice(None)] * (rank - len(index) - len(rest)) + rest


def _numbers(shape: tuple[int, ...], index: Sequence[Any]) -> tuple[list[int], tuple[int, ...]]:
    """Places in C order that a constant index names, and the shape of what is left."""
    ranges, left = [], []
    for n, part in zip(shape, _spread(len(shape), index)):
        if isinstance(part, slice):
            ranges.append(range(*part.indices(n)))
            left.append(len(ranges[-1]))
        else:
            ranges.append([operator.index(part) % n])
    numbers = []
    for place in itertools.product(*ranges):
        number = 0
        for n, i in zip(shape, place):
            number = number * n + i
        numbers.append(number)
    return numbers, tuple(left)


def _place(capture: Capture, dim: int, part: Any) -> Value:
    """An index of one dimension, within the array."""
    graph, size = capture.graph, capture.shape[dim]
    if not isinstance(part, Value):
        number = scalar_of(part)
        if not isinstance(number, int):
            raise fail(f"'{capture.name}' is indexed by {type(part).__name__}, expected a traced integer, a number or a slice")
        if not -size <= number < size:
            raise fail(f"index {number} of dimension {dim} of '{capture.name}', which has {size} elements")
        if number < 0:
            capture.fixed.add(dim)
            number += size
        return graph.constant(number, INT)
    if part.kind == FLOAT:
        raise fail(f"'{capture.name}' is indexed by a float; write .to(int) or //")
    part = graph.lift(part, INT)
    if part.op == "argument" and (graph.rows_known or part.args[0] == "h"):
        capture.direct.add((dim, part.args[0]))
        return part
    length = graph.node("size", (capture, dim), INT, 1)
    if part.low is None or part.low < 0:
        part = graph.select(graph.binary("lt", part, 0), graph.binary("add", part, length), part)
        part = graph.extreme("max", part, 0)
    if part.high is None or part.high >= size:
        part = graph.extreme("min", part, graph.binary("sub", length, 1))
    return part


def read(capture: Capture, index: Sequence[Any]) -> Any:
    """The elements that an index names: a value, or rows of them."""
    index = [unwrap(i) for i in index]
    ranges, left, count = [], [], 1
    for dim, part in enumerate(_spread(capture.ndim, index)):
        if not isinstance(part, slice):
            ranges.append([_place(capture, dim, part)])
            continue
        places = range(*part.indices(capture.shape[dim]))
        count *= len(places)
        if count > MOST_ELEMENTS:
            if len(index) < capture.ndim and not any(i is Ellipsis or isinstance(i, slice) for i in index):
                return Partial(capture, index)  # `table[i][j]` goes on with the other indices
            raise fail(f"{count} elements of '{capture.name}' at once: a row of more than {MOST_ELEMENTS} is not unrolled")
        capture.fixed.add(dim)
        ranges.append([capture.graph.constant(i, INT) for i in places])
        left.append(len(places))
    if left and not any(isinstance(i, slice) or i is Ellipsis for i in index):
        return Partial(capture, index)
    elements = [_load(capture, place) for place in itertools.product(*ranges)]
    return _pack(capture.graph, tuple(left), elements)


def _load(capture: Capture, place: tuple[Value, ...]) -> Value:
    return capture.graph.node("load", (capture, *place), capture.kind)


class Partial(Capture):
    """`table[i]` of a table with more dimensions: what is left is indexed, or read as a row."""

    def __init__(self, capture: Capture, index: Sequence[Any]):
        self.capture, self.index = capture, [i for i in index]
        self.graph, self.name, self.element, self.number = capture.graph, capture.name, capture.element, capture.number
        self.shape = capture.shape[len(index):]

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        return read(self.capture, [*self.index, *index])

    def value(self):
        return read(self.capture, [*self.index, Ellipsis])


_give_operators(Partial)
Capture.__repr__ = lambda self: f"<array {self.number} {self.name}>"
