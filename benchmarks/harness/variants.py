# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is computed: a mask and a score function, said once for the float64 reference and for FlexAttention.

    full  causal  window[:1024]  blocks[:0.25]  documents[:8]  ragged[:16]  alibi  softcap[:30]

`visible` and `score` work on anything that has arithmetic and indexing: NumPy arrays, tensors, and the symbolic
indices that FlexAttention traces. Windows, ragged sequences, ALiBi and softcap are causal, as in language models.
`blocks` draws 128 x 128 blocks with that density, `documents` that many documents of whole blocks, `ragged` that many
sequences of any length, packed one after the other in one batch entry; all are data at run time.
"""

import dataclasses
import random

BLOCK = 128
DEFAULTS = {"full": None, "causal": None, "window": 1024, "blocks": 0.25, "documents": 8, "ragged": 16, "alibi": None, "softcap": 30.0}


@dataclasses.dataclass(frozen=True)
class Variant:
    kind: str
    parameter: object = None

    @property
    def name(self):
        return self.kind if self.parameter is None else f"{self.kind}:{self.parameter}"

    @property
    def causal(self):
        return self.kind in ("causal", "window", "ragged", "alibi", "softcap")

    @property
    def sparse(self):
        """Whether the mask is data: a matrix of blocks."""
        return self.kind in ("blocks", "documents")

    def visible(self, i, j, blocks=None):
        """Whether query i sees key j; None where every query sees every key. `blocks` is what `data` returns."""
        if self.sparse:
            return blocks[i // BLOCK, j // BLOCK]
        if self.kind == "ragged":
            return (blocks[i] == blocks[j]) & (j <= i)
        if self.kind == "window":
            return (j <= i) & (i - j < self.parameter)
        return j <= i if self.causal else None

    def score(self, s, i, j, slope, tanh):
        """The score before the softmax, from the scaled product."""
        if self.kind == "softcap":
            return self.parameter * tanh(s / self.parameter)
        if self.kind == "alibi":
            return s + slope * (j - i)
        return s

    def slope(self, head, heads):
        return 2.0 ** (-8.0 * (head + 1) / heads)

    def blocks(self, length):
        """Rows of booleans, one for each block of queries."""
        count = -(-length // BLOCK)
        draw = random.Random(f"{self.name} {length}")
        if self.kind == "documents":
            starts = sorted(draw.sample(range(1, count), min(int(self.parameter), count) - 1)) if count > 1 else []
            document = [sum(start <= block for start in starts) for block in range(count)]
            return [[document[q] == document[k] for k in range(count)] for q in range(count)]
        # The diagonal is kept: no query is without a key.
        return [[q == k or draw.random() < self.parameter for k in range(count)] for q in range(count)]

    def starts(self, length):
        """Where the sequences begin, and the end of the last."""
        draw = random.Random(f"{self.name} {length}")
        return [0, *sorted(draw.sample(range(1, length), int(self.parameter) - 1)), length]

    def data(self, length):
        """(what a mask that is data reads, its type): a matrix of blocks, or the sequence of each position; else None."""
        if self.sparse:
            return self.blocks(length), "bool"
        if self.kind == "ragged":
            starts = self.starts(length)
            return [n for n, (first, end) in enumerate(zip(starts, starts[1:])) for _ in range(first, end)], "i32"
        return None

    def pairs(self, length):
        """How many (query, key) pairs are visible: what FLOPs are counted on."""
        if self.sparse:
            size = [min(BLOCK, length - BLOCK * b) for b in range(-(-length // BLOCK))]
            return sum(size[q] * size[k] for q, row in enumerate(self.blocks(length)) for k, seen in enumerate(row) if seen)
        if self.kind == "ragged":
            starts = self.starts(length)
            return sum((end - first) * (end - first + 1) // 2 for first, end in zip(starts, starts[1:]))
        if self.kind == "window":
            w = min(self.parameter, length)
            return w * (w + 1) // 2 + (length - w) * w
        return length * (length + 1) // 2 if self.causal else length * length


def parse(text):
    kind, _, parameter = text.partition(":")
    if kind not in DEFAULTS:
        raise ValueError(f"there is no case '{kind}'; there are {', '.join(DEFAULTS)}")
    default = DEFAULTS[kind]
    if not parameter:
        return Variant(kind, default)
    if default is None:
        raise ValueError(f"the case '{kind}' takes no parameter")
    return Variant(kind, type(default)(parameter))
