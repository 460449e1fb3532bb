# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which masks are recognised, by the text that the compiler gets."""

import re

import numpy as np
import pytest
from conftest import assert_close, reference

import flash_mlir as fm

DOC = (np.arange(70) // 20).astype("int32")
BATCHED = np.stack([DOC, DOC[::-1]]).copy()
KINDS = (np.arange(70) % 3).astype("int32")
PREFIX = np.array([7, 12], "int32")
FLOATS = np.zeros(70, "float32")


@pytest.mark.parametrize("mod,attribute,region", [
    (lambda b, h, i, j: i >= j, "#flash.causal", False),
    (lambda b, h, i, j: j <= i, "#flash.causal", False),
    (lambda b, h, i, j: i - j >= 0, "#flash.causal", False),
    (lambda b, h, i, j: j < i + 1, "#flash.causal", False),
    (lambda b, h, i, j: (i >= j) & (i - j < 16), "#flash.window<left = 15, right = 0>", False),
    (lambda b, h, i, j: (i >= j) & (j > i - 16), "#flash.window<left = 15, right = 0>", False),
    (lambda b, h, i, j: abs(i - j) <= 8, "#flash.window<left = 8, right = 8>", False),
    (lambda b, h, i, j: abs(i - j) < 8, "#flash.window<left = 7, right = 7>", False),
    (lambda b, h, i, j: i - j <= 8, "#flash.window<left = 8>", False),
    (lambda b, h, i, j: j - i <= 8, "#flash.window<right = 8>", False),
    (lambda b, h, i, j: DOC[i] == DOC[j], "#flash.segments", False),
    (lambda b, h, i, j: BATCHED[b, i] == BATCHED[b, j], "#flash.segments", False),
    (lambda b, h, i, j: (i >= j) & (DOC[i] == DOC[j]), "#flash.and<#flash.causal, #flash.segments>", False),
    (lambda b, h, i, j: (i >= j) & (DOC[i] == DOC[j]) & (KINDS[i] == KINDS[j]), "#flash.and<#flash.causal, #flash.segments, #flash.segments>", False),
    (lambda b, h, i, j: (i >= j) | (j < PREFIX[b]), "#flash.or<#flash.causal, #flash.prefix>", False),
    (lambda b, h, i, j: (i >= j) & (j % 2 == 0), "#flash.and<#flash.causal, #flash.region>", True),
    (lambda b, h, i, j: i > j, "#flash.region", True),
    (lambda b, h, i, j: (i >= j) & (FLOATS[i] == FLOATS[j]), "#flash.and<#flash.causal, #flash.region>", True),
    (lambda b, h, i, j: (i >= j) | (j % 2 == 0), "#flash.region", True),
    (lambda b, h, i, j: i + j >= 0, "#flash.region", True),
    (lambda b, h, i, j: 2 * i >= j, "#flash.region", True),
    (lambda b, h, i, j: True, None, False),
])
def test_recognised(inputs, mod, attribute, region):
    q, k, v = inputs()
    program = fm.compile(q, k, v, mask_mod=mod)
    found = re.search(r"mask = (#flash\.[^}]*?)[,}]?(?:}|, scores)", program.text)
    assert (found.group(1) if found else None) == attribute
    assert (" mask {" in program.text) == region
    full = (lambda b, h, i, j: np.broadcast_to(mod(b, h, i, j), i.shape))
    assert_close(fm.attention(q, k, v, mask_mod=mod), reference(q, k, v, mask=full)[0])


def test_a_mask_in_a_score_function_is_a_mask(inputs):
    q, k, v = inputs()
    program = fm.compile(q, k, v, score_mod=lambda s, b, h, i, j: np.where(i >= j, s * 2, -np.inf))
    assert "mask = #flash.causal" in program.text and "arith.select" not in program.text


def test_rows_that_are_aligned_by_the_function(inputs):
    # FlexAttention's rows count from 0: with fewer queries than keys the last query does not see the last key.
    q, k, v = inputs(sq=20, sk=70)
    mod = lambda b, h, i, j: i >= j  # noqa: E731
    assert_close(fm.attention(q, k, v, mask_mod=mod), reference(q, k, v, mask=mod)[0])
    shifted = lambda b, h, i, j: i + 50 >= j  # noqa: E731
    np.testing.assert_allclose(fm.attention(q, k, v, mask_mod=shifted), fm.attention(q, k, v, causal=True), rtol=1e-6, atol=1e-6)


def test_segments_longer_than_the_rows(inputs):
    q, k, v = inputs(sq=40, sk=60)
    mod = lambda b, h, i, j: BATCHED[b, i] == BATCHED[b, j]  # noqa: E731
    assert_close(fm.attention(q, k, v, mask_mod=mod), reference(q, k, v, mask=mod)[0])


def test_masked_blocks_are_not_loaded(inputs):
    q, k, v = (fm.Spec((1, 4, 4096, 64)) for _ in range(3))
    whole = fm.compile(q, k, v, target="cpu:x86-64-v3").io_report()
    window = fm.compile(q, k, v, target="cpu:x86-64-v3", mask_mod=lambda b, h, i, j: (i >= j) & (i - j < 128)).io_report()
    assert window.data["operations"][0]["blocks"]["density"] < 0.1
    assert window.loaded < whole.loaded / 5
