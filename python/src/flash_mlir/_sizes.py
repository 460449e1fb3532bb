# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a call is made of: options in one form, operands, and sizes that go together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from ._arrays import Array, dense_strides
from ._closures import Closure
from ._errors import ArgumentError

FLOATS = ("f32", "f16", "bf16", "f64")


@dataclasses.dataclass
class Options:
    """The options of `attention`, checked and in one form. Arrays are numbers of `arrays`, which holds them in order."""

    causal: bool = False
    window: tuple[int | None, int | None] = (None, None)
    scale: float | None = None
    softcap: float | None = None
    dropout_p: float = 0.0
    layout: str = "bhsd"
    return_lse: bool = False
    arrays: dict[str, int] = dataclasses.field(default_factory=dict)
    score_mod: Callable | None = None
    mask_mod: Callable | None = None
    score_closure: Closure | None = None
    mask_closure: Closure | None = None
    block_size: tuple[int, int] | None = None
    block_mod: Callable | None = None
    block_closure: Closure | None = None
    # Where the arrays of each closure begin.
    closures: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Operand:
    """An argument of the program: an array of the call as the operation sees it, or a number."""

    name: str
    type: str
    array: int | None = None
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] | None = None
    number: str = ""  # "seed" or "offset"


@dataclasses.dataclass
class Source:
    """A program's text, its operands, and the results of a call with these sizes."""

    text: str
    operands: list[Operand]
    results: list[tuple[tuple[int, ...], str]]


def strides_of(array: Array) -> tuple[int, ...]:
    """Its strides in elements, whether it says them or not."""
    return dense_strides(array.shape) if array.strides is None else array.strides


def tensor_type(sizes: Sequence[int | None], element: str) -> str:
    """`tensor<?x8x?x64xf32>`; None: known at run time."""
    return f"tensor<{''.join(f'{n if n is not None else chr(63)}x' for n in sizes)}{element}>"


class Sizes:
    """What the shapes of query, key and value say, and that they go together."""

    def __init__(self, q: Array, k: Array, v: Array, options: Options):
        self.layout = options.layout
        if self.layout not in ("bhsd", "bshd"):
            raise ArgumentError("layout", repr(self.layout), "'bhsd' (batch, heads, length, head dim) or 'bshd'")
        self.ragged = "cu_seqlens_q" in options.arrays
        self.paged = "page_table" in options.arrays
        # Ragged sequences may come without a batch.
        self.squeezed = self.ragged and len(q.shape) == 3
        self.h, self.s = (1, 2) if self.layout == "bhsd" else (2, 1)
        self.arrays = []
        for name, array in (("q", q), ("k", k), ("v", v)):
            self.arrays.append(self._check(name, array))
        (b, _, _, dqk), (kb, _, _, dk), (vb, _, _, dv) = shapes = [a.shape for a in self.arrays]
        self.batch, self.dqk, self.dv = b, dqk, dv
        self.heads, self.queries = shapes[0][self.h], shapes[0][self.s]
        self.key_heads, self.keys = shapes[1][self.h], shapes[1][self.s]
        if dk != dqk:
            raise ArgumentError("k", f"head dim {dk} (shape {shapes[1]})", f"{dqk}, that of q (shape {shapes[0]})")
        if not self.paged and kb != b:
            raise ArgumentError("k", f"batch {kb}", f"{b}, that of q")
        if (vb, shapes[2][self.h], shapes[2][self.s]) != (kb, self.key_heads, self.keys):
            raise ArgumentError("v", f"shape {shapes[2]}", f"batch, heads and length of k, whose shape is {shapes[1]} (layout {self.layout})")
        if self.key_heads == 0 or self.heads % self.key_heads:
            raise ArgumentError("k", f"{self.key_heads} heads", f"a number that divides the {self.heads} heads of q")
        if self.ragged and b != 1:
            raise ArgumentError("q", f"batch {b}", "1: with cu_seqlens_q sequences lie one after another along the length")
        self.element = q.element
        if q.element not in FLOATS:
            raise ArgumentError("q", q.element, f"one of {', '.join(FLOATS)}")
        for name, array in (("k", k), ("v", v)):
            if array.element != q.element:
                raise ArgumentError(name, array.element, f"{q.element}, the type of q")

    def _check(self, name: str, array: Array) -> Array:
        if self.squeezed and len(array.shape) == 3:
            array = array._replace(shape=(1, *array.shape), strides=(0, *strides_of(array)))
        if len(array.shape) != 4:
            dims = "batch, heads, length, head dim" if self.layout == "bhsd" else "batch, length, heads, head dim"
            raise ArgumentError(name, f"shape {array.shape}", f"4 dimensions ({dims}: layout {self.layout})")
        check_contiguous(name, array)
        return array

    def type(self, heads: int, dim: int, batch: int | None = None, length: int | None = None) -> str:
        middle = (heads, length) if self.layout == "bhsd" else (length, heads)
        return tensor_type((1 if self.ragged else batch, *middle, dim), self.element)

    def output(self) -> tuple[int, ...]:
        middle = (self.heads, self.queries) if self.layout == "bhsd" else (self.queries, self.heads)
        return (*(() if self.squeezed else (self.batch,)), *middle, self.dv)

    def lse(self) -> tuple[int, ...]:
        return (*(() if self.squeezed else (self.batch,)), self.heads, self.queries)


def check_contiguous(name: str, array: Array) -> None:
    """The last dimension of every operand is contiguous."""
    if array.strides is not None and array.shape and array.shape[-1] > 1 and array.strides[-1] != 1:
        raise ArgumentError(name, f"strides {array.strides} (in elements)", "a last dimension that is contiguous: make a contiguous copy")
