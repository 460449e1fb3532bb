# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shapes: one Case is one line of the results, and `sweep` the shapes of the bars (batch * length and heads * head dim fixed)."""

import dataclasses

from .variants import Variant

TOKENS, WIDTH = 16384, 2048
LENGTHS = (512, 1024, 2048, 4096, 8192, 16384)


@dataclasses.dataclass(frozen=True)
class Case:
    variant: Variant
    head_dim: int
    head_dim_v: int
    length: int
    batch: int
    heads: int
    kv_heads: int
    dtype: str

    def flops(self):
        return 2.0 * self.batch * self.heads * self.variant.pairs(self.length) * (self.head_dim + self.head_dim_v)

    def shapes(self):
        """Of Q, K, V and O, as batch x heads x length x head dim."""
        return ((self.batch, self.heads, self.length, self.head_dim), (self.batch, self.kv_heads, self.length, self.head_dim),
                (self.batch, self.kv_heads, self.length, self.head_dim_v), (self.batch, self.heads, self.length, self.head_dim_v))

    def row(self):
        """What a line of results says of it."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "variant"}
        return {"case": self.variant.name, "causal": self.variant.causal, **fields}

    def __str__(self):
        dims = str(self.head_dim) if self.head_dim == self.head_dim_v else f"{self.head_dim}/{self.head_dim_v}"
        groups = "" if self.heads == self.kv_heads else f"/{self.kv_heads}"
        return f"{self.dtype} d{dims} b{self.batch} h{self.heads}{groups} s{self.length} {self.variant.name}"


def head_dims(text):
    """(Dqk, Dv) of "128" or "192/128"."""
    first, _, second = text.partition("/")
    return int(first), int(second or first)


def sweep(variants, dims, lengths, dtypes=("bf16",), gqa=1, tokens=TOKENS, width=WIDTH):
    """Every combination. Heads are as many as fill the width, a multiple of `gqa`."""
    result = []
    for dtype in dtypes:
        for dqk, dv in dims:
            heads = max(1, width // dqk)
            kv_heads = max(1, heads // gqa)
            heads = kv_heads * gqa
            for variant in variants:
                # Sequences that are packed fill one batch entry.
                sizes = [(tokens, 1)] if variant.kind == "ragged" else [(n, max(1, tokens // n)) for n in lengths]
                result += [Case(variant, dqk, dv, n, batch, heads, kv_heads, dtype) for n, batch in sizes]
    return result
