# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random score and mask functions, traced, against the same functions of NumPy's arrays in float64."""

import operator
import random

import numpy as np
import pytest
from conftest import reference

from flash_mlir import attention

SHAPE = (2, 4, 50, 50)
GENERATOR = np.random.default_rng(0)
TABLE = GENERATOR.standard_normal((4, 60)).astype("float32")
NUMBERS = GENERATOR.integers(-70, 70, 60).astype("int32")
FLAGS = GENERATOR.random((60, 60)) > 0.5


def within(x):
    return np.clip(x, 0, 59)


class Draw:
    """Functions of an environment {s, b, h, i, j}; the same for values and for arrays."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def integer(self, depth):
        kind = self.random.randrange(9 if depth > 0 else 2)
        if kind == 0:
            name = self.random.choice("bhij")
            return lambda e: e[name]
        if kind == 1:
            number = self.random.randrange(-9, 10)
            return lambda e: number
        x = self.integer(depth - 1)
        if kind == 2:
            return lambda e: abs(x(e))
        if kind == 3:
            number, op = self.random.choice([-7, -3, 2, 3, 5, 16]), self.random.choice([operator.floordiv, operator.mod])
            return lambda e: op(x(e), number)
        if kind == 4:
            return lambda e: NUMBERS[within(x(e))]
        y = self.integer(depth - 1)
        if kind == 5:
            condition = self.boolean(depth - 1)
            return lambda e: np.where(condition(e), x(e), y(e))
        op = self.random.choice([operator.add, operator.sub, operator.mul, np.minimum, np.maximum])
        return lambda e: op(x(e), y(e))

    def boolean(self, depth):
        kind = self.random.randrange(6 if depth > 0 else 3)
        if kind <= 2:
            x, y = self.integer(max(0, depth - 1)), self.integer(max(0, depth - 1))
            op = self.random.choice([operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
            return lambda e: op(x(e), y(e))
        if kind == 3:
            x, y = self.boolean(depth - 1), self.boolean(depth - 1)
            op = self.random.choice([operator.and_, operator.or_, operator.xor])
            return lambda e: op(x(e), y(e))
        if kind == 4:
            x, y = self.integer(depth - 1), self.integer(depth - 1)
            return lambda e: FLAGS[within(x(e)), within(y(e))]
        x = self.boolean(depth - 1)
        return lambda e: np.logical_not(x(e))

    def score(self, depth):
        kind = self.random.randrange(6 if depth > 0 else 1)
        if kind == 0:
            return lambda e: e["s"]
        if kind == 1:
            x, factor = self.integer(depth - 1), self.random.choice([0.01, 0.1, -0.05])
            return lambda e: np.clip(x(e), -50, 50) * factor
        if kind == 2:
            x = self.integer(depth - 1)
            return lambda e: TABLE[e["h"], within(x(e))]
        x = self.score(depth - 1)
        if kind == 3:
            function = self.random.choice([np.tanh, np.sin, np.cos, np.abs])
            return lambda e: function(x(e))
        y = self.score(depth - 1)
        if kind == 4:
            condition = self.boolean(depth - 1)
            return lambda e: np.where(condition(e), x(e), y(e))
        op = self.random.choice([operator.add, operator.sub])
        return lambda e: op(x(e), np.tanh(y(e)))


@pytest.mark.parametrize("seed", range(40))
def test_random_functions(inputs, seed):
    draw = Draw(seed)
    score, mask = draw.score(4), draw.boolean(4)
    options = {
        "score_mod": lambda s, b, h, i, j: score({"s": s, "b": b, "h": h, "i": i, "j": j}),
        "mask_mod": lambda b, h, i, j: mask({"b": b, "h": h, "i": i, "j": j}),
    }
    options = {k: v for k, v in options.items() if seed % 3 == 0 or k.startswith(("score", "mask")[seed % 3 - 1])}
    q, k, v = inputs(sq=50, sk=50, d=16)
    whole = {name.partition("_")[0]: lambda *place, f=f: np.broadcast_to(f(*place), SHAPE) for name, f in options.items()}
    expected = reference(q, k, v, **whole)[0]
    assert np.abs(attention(q, k, v, **options) - expected).max() < 1e-4
