# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Score and mask functions: every operation that is traced, against NumPy; what is not traced, with file and line.

A function of these tests is called twice: with traced scalars by attention(), and with whole arrays by the reference.
"""

import functools
import math
import sys

import numpy as np
import pytest
from conftest import assert_close, reference

import flash_mlir as fm
from flash_mlir import TraceError, attention

TABLE = np.random.default_rng(3).standard_normal((4, 80, 80)).astype("float32")
SLOPES = np.array([0.1, -0.2, 0.3, 0.05], "float32")
IDS = np.arange(80) // 9


def erf(x):
    return np.vectorize(math.erf)(x)


def of(x, function, plain):
    """A function of the package for traced values, NumPy's for arrays."""
    return plain(x) if isinstance(x, np.ndarray) else function(x)


SCORES = {
    "x2": lambda s, b, h, i, j: s * 2,
    "squared": lambda s, b, h, i, j: s * s,
    "power": lambda s, b, h, i, j: abs(s) ** 1.5 + s ** 3 + 2 ** (i % 3) + abs(s) ** 0.5,
    "causal": lambda s, b, h, i, j: np.where(i >= j, s, -np.inf),
    "rel_bias": lambda s, b, h, i, j: s + (i - j),
    "rel_causal": lambda s, b, h, i, j: np.where(i <= j, s + (i - j) * 0.1, s),
    "alibi": lambda s, b, h, i, j: s + (j - i) * SLOPES[h],
    "head offset": lambda s, b, h, i, j: s + h * 0.5 - b,
    "table": lambda s, b, h, i, j: s + TABLE[h, i, j],
    "nested": lambda s, b, h, i, j: s + TABLE[h][i][j] if isinstance(s, np.ndarray) is False else s + TABLE[h, i, j],
    "from the end": lambda s, b, h, i, j: s + SLOPES[-1] + TABLE[-2, i, j],
    "negative index": lambda s, b, h, i, j: s + SLOPES[h - 4] + TABLE[0, i, j - 70],
    "distance table": lambda s, b, h, i, j: s + TABLE[1, 0, np.clip(i - j + 40, 0, 79)],
    "trig": lambda s, b, h, i, j: np.sin(s) + np.cos(s) + np.tan(s * 0.1),
    "tanh": lambda s, b, h, i, j: 3.0 * np.tanh(s / 3.0),
    "exp log": lambda s, b, h, i, j: np.log(1 + np.exp(s)) + np.exp2(s * 0.1) + np.log2(2 + s * s) + np.log1p(s * s) + np.expm1(s * 0.1),
    "sqrt": lambda s, b, h, i, j: np.sqrt(np.abs(s)),
    "sigmoid": lambda s, b, h, i, j: of(s, fm.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "silu": lambda s, b, h, i, j: of(s, fm.silu, lambda x: x / (1 + np.exp(-x))),
    "gelu": lambda s, b, h, i, j: of(s, fm.gelu, lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2)))),
    "erf": lambda s, b, h, i, j: of(s, fm.erf, erf),
    "clamp": lambda s, b, h, i, j: np.clip(s, -0.5, 1.0) + np.maximum(i, j) * 0.01 + np.minimum(i, j) * 0.02,
    "arithmetic": lambda s, b, h, i, j: s + (i // 3) * 0.1 + (j % 5) * 0.2 - (i - j) / 7 + (i - j) // 4 * 0.1 + (i - j) % 6 * 0.3 + (i - j) % -6 * 0.1,
    "floats": lambda s, b, h, i, j: s // 0.5 + s % 0.7 - s % -0.9 + (-s) + abs(s),
    "comparisons": lambda s, b, h, i, j: s + (i > j) * 0.5 + (s > 0) - (i == j) * 2 + (i != j) + (s <= 0.3) + (b >= 1) + (h < 2),
    "bits": lambda s, b, h, i, j: s + (i & 3) * 0.1 + (i | 4) * 0.01 + (i ^ j) * 0.001 + (i << 2) * 0.001 + (j >> 1) * 0.01 + ~i * 0.01,
    "bool algebra": lambda s, b, h, i, j: s + ((i > j) & (s > 0) | ~(j > 3) ^ (h == 1)) * 1.0,
    "where of ints": lambda s, b, h, i, j: s + np.where(i > j, i, -j) * 0.01,
    "ids": lambda s, b, h, i, j: s + (IDS[i] - IDS[j]) * 0.1,
    "numbers of NumPy": lambda s, b, h, i, j: s * np.float64(0.5) + np.float32(2) * i * 0.01 + np.int64(3) * j * 0.01 + np.where(True, 2, 1) * s + np.bool_(True)
    + TABLE[0, 0, np.where(i > j, np.int64(3), np.int32(5))],
    "array that is not read": lambda s, b, h, i, j: s * 2 + 0 * len(TABLE),
    "constant": lambda s, b, h, i, j: s * 0 + 1.0,
    "infinity": lambda s, b, h, i, j: np.where((i + j) % 2 == 0, s, -math.inf),
    "rounding": lambda s, b, h, i, j: np.floor(s) + np.ceil(s * 2) + np.round(s * 3),
}


@pytest.mark.parametrize("name", SCORES)
def test_score(inputs, name):
    q, k, v = inputs(sq=60)
    o = attention(q, k, v, score_mod=SCORES[name])
    # The limits of what jumps are met at other scores in f32: leave out what is near one.
    if name in ("floats", "rounding"):
        good = np.abs(o - reference(q, k, v, score=SCORES[name])[0]) < 1e-3
        assert good.mean() > 0.97
        return
    assert_close(o, reference(q, k, v, score=SCORES[name])[0], 2e-5)


MASKS = {
    "causal": lambda b, h, i, j: i >= j,
    "padded": lambda b, h, i, j: (i < 50) & (j < 55),
    "documents": lambda b, h, i, j: IDS[i] == IDS[j],
    "odd keys": lambda b, h, i, j: j % 2 == 1,
    "natten": lambda b, h, i, j: (abs(i // 8 - j // 8) <= 2) & (abs(i % 8 - j % 8) <= 2),
    "dilated": lambda b, h, i, j: ((i - j) % 4 == 0) & (i >= j) & (i - j <= 40),
    "prefix or causal": lambda b, h, i, j: (j < 10) | (i >= j),
    "blocks": lambda b, h, i, j: (i // 16 == j // 16) | (i // 16 == j // 16 + 1),
    "heads differ": lambda b, h, i, j: (i - j < 10 * (h + 1)) & (i >= j),
    "table": lambda b, h, i, j: TABLE[h, i, j] > 0,
    "not": lambda b, h, i, j: ~((i < j) | (j == 3)),
    "all": lambda b, h, i, j: i >= 0,
    "integers": lambda b, h, i, j: (i + j) % 2,
}


@pytest.mark.parametrize("name", MASKS)
def test_mask(inputs, name):
    q, k, v = inputs(sq=60)
    o, lse = attention(q, k, v, mask_mod=MASKS[name], return_lse=True)
    expected = reference(q, k, v, mask=MASKS[name])
    assert_close(o, expected[0])
    assert_close(np.exp(lse), np.exp(expected[1]), 1e-3)


# -- Closures


def test_closures_constants_and_new_lambdas_trace_once(inputs, monkeypatch):
    q, k, v = inputs()
    from flash_mlir import _plan

    def make(slopes, factor):
        return lambda s, b, h, i, j: s - factor * slopes[h] * abs(i - j)

    attention(q, k, v, score_mod=make(SLOPES, 2.0))
    before = len(_plan._functions)
    for n in range(5):
        slopes = SLOPES * n
        assert_close(attention(q, k, v, score_mod=make(slopes, 2.0)),
                     reference(q, k, v, score=lambda s, b, h, i, j, t=slopes: s - 2 * t[h] * abs(i - j))[0], 1e-5)
    assert len(_plan._functions) == before
    attention(q, k, v, score_mod=make(SLOPES, 3.0))
    assert len(_plan._functions) == before + 1


def test_arrays_are_read_when_the_call_is_made(inputs):
    q, k, v = inputs()
    table = np.zeros(70, "float32")
    mod = lambda s, b, h, i, j: s + table[j]  # noqa: E731
    first = attention(q, k, v, score_mod=mod)
    table[:] = np.arange(70) * 0.05
    assert not np.allclose(first, attention(q, k, v, score_mod=mod))
    assert_close(attention(q, k, v, score_mod=mod), reference(q, k, v, score=mod)[0])


def helper(i, j):
    return TABLE[2, i, j] * SLOPES[0]


class Config:
    def __init__(self):
        self.slopes, self.window = SLOPES, 20


class Relative:
    def __init__(self, table):
        self.table = table

    def __call__(self, s, b, h, i, j):
        return s + self.table[h, i, j]

    def method(self, s, b, h, i, j):
        return s - self.table[h, j, i]


CONFIG = Config()


def test_ways_to_name_an_array(inputs):
    q, k, v = inputs()

    def default(s, b, h, i, j, t=SLOPES, *, more=SLOPES):
        return s + t[h] + more[0] * i

    def partial(t, s, b, h, i, j):
        return s + t[h, i, j]

    cases = {"default": default, "partial": functools.partial(partial, TABLE), "global helper": lambda s, b, h, i, j: s + helper(i, j),
             "object": lambda s, b, h, i, j: s + CONFIG.slopes[h], "callable": Relative(TABLE), "method": Relative(TABLE).method,
             "tuple": (lambda pair: lambda s, b, h, i, j: s + pair[0][h] + pair[1][h, i, j])((SLOPES, TABLE)),
             "dict": (lambda d: lambda s, b, h, i, j: s + d["a"][h])({"a": SLOPES})}
    for name, mod in cases.items():
        o = attention(q, k, v, score_mod=mod)
        assert np.abs(o - reference(q, k, v, score=mod)[0]).max() < 1e-5, name


def test_masks_of_masks(inputs):
    q, k, v = inputs()

    def both(*masks):
        def mask(b, h, i, j):
            result = masks[0](b, h, i, j)
            for other in masks[1:]:
                result = result & other(b, h, i, j)
            return result

        return mask

    mod = both(lambda b, h, i, j: i >= j, lambda b, h, i, j: i - j < 16, lambda b, h, i, j: IDS[i] == IDS[j])
    assert_close(attention(q, k, v, mask_mod=mod), reference(q, k, v, mask=mod)[0])
    program = fm.compile(q, k, v, mask_mod=mod)
    assert "#flash.and<#flash.window<left = 15, right = 0>, #flash.segments>" in program.text and "mask {" not in program.text


def test_scalars_of_arrays(inputs):
    q, k, v = inputs()
    cap, shift, flag = np.array(4.0, "float32"), np.array(3), np.array(True)

    def mod(s, b, h, i, j):
        return np.where(flag, cap * np.tanh(s / cap) + shift, s)

    assert_close(attention(q, k, v, score_mod=mod), reference(q, k, v, score=mod)[0])
    cap[...] = 2.0
    assert_close(attention(q, k, v, score_mod=mod), reference(q, k, v, score=mod)[0])


def test_rows(inputs, rng):
    q, k, v = inputs()
    points = rng.standard_normal((70, 3)).astype("float32")
    kinds = rng.random((70, 3)) > 0.6

    def euclid(s, b, h, i, j):
        return s - ((points[i] - points[j]) ** 2).sum(-1)

    def rope(s, b, h, i, j):
        return s + 0.5 * fm.dot(points[i], points[j]) + (points[i] * SLOPES[0]).max()

    def any_of(b, h, i, j):
        return (kinds[i] & kinds[j]).any(-1) | (i == j)

    assert_close(attention(q, k, v, score_mod=euclid), reference(q, k, v, score=euclid)[0], 1e-5)
    assert_close(attention(q, k, v, score_mod=rope),
                 reference(q, k, v, score=lambda s, b, h, i, j: s + 0.5 * (points[i] * points[j]).sum(-1) + (points[i] * SLOPES[0]).max(-1))[0], 1e-5)
    assert_close(attention(q, k, v, mask_mod=any_of), reference(q, k, v, mask=any_of)[0])


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8", "int32", "int64", "uint32", "float16", "float64", "bool"])
def test_types_of_arrays(inputs, rng, dtype):
    q, k, v = inputs()
    table = (rng.random((70, 70)) * 4).astype(dtype)
    mod = lambda s, b, h, i, j: s + table[i, j] * 0.5  # noqa: E731
    exact = lambda s, b, h, i, j: s + table[i, j].astype("float64") * 0.5  # noqa: E731
    assert_close(attention(q, k, v, score_mod=mod), reference(q, k, v, score=exact)[0], 1e-4 if dtype == "float16" else 1e-5)


def test_an_index_out_of_range_is_kept_within(inputs):
    q, k, v = inputs()
    table = np.arange(8, dtype="float32")
    o = attention(q, k, v, score_mod=lambda s, b, h, i, j: s + table[i + j])
    assert_close(o, reference(q, k, v, score=lambda s, b, h, i, j: s + table[np.minimum(i + j, 7)])[0])


def test_f64(inputs):
    q, k, v = inputs(dtype="float64")
    mod = lambda s, b, h, i, j: s * 1.0000001 + SLOPES[h] * (i - j)  # noqa: E731
    assert_close(attention(q, k, v, score_mod=mod), reference(q, k, v, score=mod)[0], 1e-12)


# -- What is not traced


def line():
    return sys._getframe(1).f_lineno


@pytest.mark.parametrize("mod,reason", [
    (lambda s, b, h, i, j: s if i > j else -s, "where"),
    (lambda s, b, h, i, j: s if i > j and j > 2 else -s, "and"),
    (lambda s, b, h, i, j: s + [1, 2, 3][h], "index"),
    (lambda s, b, h, i, j: s + math.exp(s), "math module"),
    (lambda s, b, h, i, j: max(s, 0), "maximum"),
    (lambda s, b, h, i, j: s + SLOPES[s], "indexed by a float"),
    (lambda s, b, h, i, j: s + np.linalg.norm(s), "is not traced"),
    (lambda s, b, h, i, j: s.cumsum(), "has no 'cumsum'"),
    (lambda s, b, h, i, j: s + (s & 1), "not of floats"),
    (lambda s, b, h, i, j: s + undefined_name, "NameError"),  # noqa: F821
    (lambda s, b, h, i, j: s + 1 // 0, "ZeroDivisionError"),
    (lambda s, b, h, i, j: s + SLOPES[9], "which has 4 elements"),
    (lambda s, b, h, i, j: [s for _ in range(i)], "index"),
    (lambda s, b, h, i, j: "score", "returns str"),
    (lambda s, b, h, i, j: None, "returns NoneType"),
    (lambda s, b, h, i, j: s + TABLE[h], "not unrolled"),
])
def test_errors_have_file_and_line(inputs, mod, reason):
    q, k, v = inputs()
    with pytest.raises(TraceError, match=reason) as caught:
        attention(q, k, v, score_mod=mod)
    assert f"test_trace.py:{mod.__code__.co_firstlineno}" in str(caught.value)


def test_errors_in_helpers_name_the_helper(inputs):
    q, k, v = inputs()

    def bad(i):
        if i > 3:
            return 1
        return 0

    with pytest.raises(TraceError, match=f"test_trace.py:{bad.__code__.co_firstlineno + 1}"):
        attention(q, k, v, score_mod=lambda s, b, h, i, j: s + bad(i))


def test_a_mask_that_is_no_bool(inputs):
    q, k, v = inputs()
    with pytest.raises(TraceError, match="returns a float, expected a bool"):
        attention(q, k, v, mask_mod=lambda b, h, i, j: i * 0.5)


def test_wrong_number_of_arguments(inputs):
    q, k, v = inputs()
    with pytest.raises(TraceError, match="missing|positional"):
        attention(q, k, v, score_mod=lambda s, b, h, i: s)


def test_an_array_that_is_too_short_is_an_error(inputs):
    q, k, v = inputs()
    short = np.zeros(50, "float32")
    with pytest.raises(ValueError, match="'short' of score_mod: got 50 elements in dimension 0 .*expected at least 70: it is indexed by kv"):
        attention(q, k, v, score_mod=lambda s, b, h, i, j: s + short[j])


def test_ragged_positions_are_of_the_sequence(inputs):
    q, k, v = inputs(b=1, sq=60, sk=60)
    cu = np.array([0, 20, 60], "int32")
    table = np.arange(30, dtype="float32") * 0.1
    o = attention(q, k, v, cu_seqlens_q=cu, score_mod=lambda s, b, h, i, j: s + table[j] * (b + 1), mask_mod=lambda b, h, i, j: i >= j)

    def score(s, b, h, i, j):
        n, row = (j >= 20).astype(int), j - 20 * (j >= 20)
        return s + table[np.minimum(row, 29)] * (n + 1)

    assert_close(o, reference(q, k, v, score=score, mask=lambda b, h, i, j: ((i >= 20) == (j >= 20)) & (i >= j))[0])


# -- On a GPU


@pytest.mark.parametrize("number,kind,name", [(i, *c) for i, c in enumerate([("score", n) for n in SCORES] + [("mask", n) for n in MASKS])])
def test_compiles_for_gpus(monkeypatch, number, kind, name):
    # Whether PTX comes of it, for one family or the other.
    target = ("sm_80", "sm_90a")[number % 2]
    monkeypatch.setenv("FLASH_PTXAS", "")
    monkeypatch.setenv("FLASH_NVJITLINK", "")
    q = fm.Spec((2, 4, 80, 64), "bfloat16")
    mod = (SCORES if kind == "score" else MASKS)[name]
    assert ".entry" in fm.compile(q, q, q, target=target, **{f"{kind}_mod": mod}).ptx

