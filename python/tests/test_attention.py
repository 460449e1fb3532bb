# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""attention(): every option against float64."""

import numpy as np
import pytest
from conftest import assert_close, positions, reference

import flash_mlir
from flash_mlir import attention


def causal(b, h, i, j, shift=0):
    return i + shift >= j


def test_plain_and_lse(inputs):
    q, k, v = inputs(dv=16)
    o, lse = attention(q, k, v, return_lse=True)
    expected = reference(q, k, v)
    assert_close(o, expected[0])
    assert_close(lse, expected[1])
    assert o.dtype == np.float32 and lse.dtype == np.float32


@pytest.mark.parametrize("dtype,tolerance", [("float16", 2e-3), ("float64", 1e-12)])
def test_types(inputs, dtype, tolerance):
    q, k, v = inputs(dtype=dtype)
    o = attention(q, k, v, causal=True)
    assert o.dtype == dtype
    assert_close(o, reference(q, k, v, mask=causal)[0], tolerance)


def test_bfloat16(inputs):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    q, k, v = inputs(dtype=ml_dtypes.bfloat16)
    o = attention(q, k, v)
    assert o.dtype == ml_dtypes.bfloat16
    assert_close(o, reference(q, k, v)[0], 2e-2)


@pytest.mark.parametrize("sq,sk", [(70, 70), (33, 90), (90, 33), (1, 200)])
def test_causal_is_aligned_with_the_last_key(inputs, sq, sk):
    q, k, v = inputs(sq=sq, sk=sk)
    o, lse = attention(q, k, v, causal=True, return_lse=True)
    expected = reference(q, k, v, mask=lambda b, h, i, j: i + sk - sq >= j)
    assert_close(o, expected[0])
    assert_close(np.exp(lse), np.exp(expected[1]))


@pytest.mark.parametrize("window,left,right", [((9, 4), 9, 4), ((9, -1), 9, None), ((None, 0), None, 0), ([5, 0], 5, 0)])
def test_window(inputs, window, left, right):
    q, k, v = inputs()
    o = attention(q, k, v, window=window)
    assert_close(o, reference(q, k, v, mask=lambda b, h, i, j: ((left is None) | (i - j <= (left or 0))) & ((right is None) | (j - i <= (right or 0))))[0])


def test_scale_softcap(inputs):
    q, k, v = inputs()
    o = attention(q, k, v, scale=0.25, softcap=3.0)
    assert_close(o, reference(q, k, v, scale=0.25, score=lambda s, *_: 3 * np.tanh(s / 3))[0])


@pytest.mark.parametrize("batched", [False, True])
def test_alibi(inputs, rng, batched):
    q, k, v = inputs(sq=40)
    slopes = rng.random((2, 4) if batched else 4).astype("float32")
    o = attention(q, k, v, causal=True, alibi_slopes=slopes)
    pick = (lambda b, h: slopes[b, h]) if batched else (lambda b, h: slopes[h])
    assert_close(o, reference(q, k, v, mask=lambda b, h, i, j: i + 30 >= j, score=lambda s, b, h, i, j: s - pick(b, h) * abs(i + 30 - j))[0])


def test_lists_are_taken_for_slopes(inputs):
    q, k, v = inputs()
    np.testing.assert_array_equal(attention(q, k, v, alibi_slopes=[0.1, 0.2, 0.3, 0.4]),
                                  attention(q, k, v, alibi_slopes=np.array([0.1, 0.2, 0.3, 0.4], "float32")))


@pytest.mark.parametrize("shape", [(2, 4, 70, 70), (1, 4, 70, 70), (2, 1, 1, 70), (70, 70), (4, 1, 70)])
def test_bias(inputs, rng, shape):
    q, k, v = inputs()
    bias = rng.standard_normal(shape).astype("float32")
    full = np.broadcast_to(bias, (2, 4, 70, 70))
    assert_close(attention(q, k, v, bias=bias), reference(q, k, v, score=lambda s, *_: s + full)[0])


def test_sinks(inputs, rng):
    q, k, v = inputs()
    sinks = rng.standard_normal(4).astype("float32")
    o, lse = attention(q, k, v, causal=True, sinks=sinks, return_lse=True)
    expected = reference(q, k, v, mask=causal, sinks=sinks)
    assert_close(o, expected[0])
    assert_close(lse, expected[1])


@pytest.mark.parametrize("pair", [False, True])
def test_segments(inputs, rng, pair):
    q, k, v = inputs(sk=50 if pair else 70)
    ids = np.sort(rng.integers(0, 4, (2, 70)))
    keys = ids[:, :50] if pair else ids
    o = attention(q, k, v, segment_ids=(ids, keys) if pair else ids)
    assert_close(o, reference(q, k, v, mask=lambda b, h, i, j: ids[b, i] == keys[b, j])[0])


def test_layout_bshd(inputs):
    q, k, v = inputs(sq=40)
    turned = [np.ascontiguousarray(x.swapaxes(1, 2)) for x in (q, k, v)]
    o, lse = attention(*turned, causal=True, layout="bshd", return_lse=True)
    expected = reference(q, k, v, mask=lambda b, h, i, j: i + 30 >= j)
    assert_close(o.swapaxes(1, 2), expected[0])
    assert_close(lse, expected[1])


@pytest.mark.parametrize("batchless", [False, True])
@pytest.mark.parametrize("layout", ["bhsd", "bshd"])
def test_ragged(inputs, layout, batchless):
    cu = np.array([0, 13, 13, 60], "int64")
    q, k, v = inputs(b=1, sq=60, sk=60)
    given = [x if layout == "bhsd" else x.swapaxes(1, 2).copy() for x in (q, k, v)]
    given = [x[0] if batchless else x for x in given]
    o, lse = attention(*given, causal=True, cu_seqlens_q=cu, layout=layout, return_lse=True)
    assert o.ndim == (3 if batchless else 4) and lse.ndim == o.ndim - 1
    o = o if layout == "bhsd" else o.swapaxes(-2, -3)
    expected = reference(q, k, v, mask=lambda b, h, i, j: (i >= j) & ((i < 13) == (j < 13)))
    assert_close(o if not batchless else o[None], expected[0])
    assert_close(lse if not batchless else lse[None], expected[1])


def test_key_lengths(inputs):
    q, k, v = inputs(sq=3)
    lengths = np.array([70, 20], "int32")
    k[1, :, 20:] = v[1, :, 20:] = np.nan
    o = attention(q, k, v, causal=True, kv_lengths=lengths)
    assert_close(o, reference(q, np.nan_to_num(k), np.nan_to_num(v), mask=lambda b, h, i, j: j <= i + lengths[b] - 3)[0])


def test_pages(inputs, rng):
    q, k, v = inputs(sq=2, sk=64)
    table = rng.permutation(8).reshape(2, 4).astype("int32")
    pages = [np.empty((8, 2, 16, 32), "float32") for _ in range(2)]
    for page, whole in zip(pages, (k, v)):
        for b in range(2):
            for n in range(4):
                page[table[b, n]] = whole[b, :, 16 * n:16 * n + 16]
    lengths = np.array([64, 37], "int32")
    o = attention(q, *pages, kv_lengths=lengths, page_table=table)
    assert_close(o, reference(q, k, v, mask=lambda b, h, i, j: j < lengths[b])[0])


def test_dropout_is_seeded(inputs):
    q, k, v = inputs()
    v[:] = 1
    flash_mlir.manual_seed(5)
    first, second = attention(q, k, v, dropout_p=0.5), attention(q, k, v, dropout_p=0.5)
    flash_mlir.manual_seed(5)
    np.testing.assert_array_equal(first, attention(q, k, v, dropout_p=0.5))
    assert not np.array_equal(first, second)
    assert abs(first.mean() - 1) < 0.05


class BlockMask:
    """As much of FlexAttention's as is read."""

    def __init__(self, counts, lists, size, mask_mod=None, full=None):
        self.kv_num_blocks, self.kv_indices, self.BLOCK_SIZE, self.mask_mod = counts, lists, size, mask_mod
        self.full_kv_num_blocks, self.full_kv_indices = full or (None, None)


def test_block_mask(inputs):
    q, k, v = inputs(sq=64, sk=64)
    # Blocks of 16: the diagonal ones are causal inside, the first one is full everywhere.
    counts, lists = np.ones((1, 1, 4), "int32"), np.zeros((1, 1, 4, 4), "int32")
    lists[0, 0, :, 0] = np.arange(4)
    full_counts, full_lists = np.array([[[0, 1, 1, 1]]], "int32"), np.zeros((1, 1, 4, 4), "int32")
    mask = BlockMask(counts, lists, (16, 16), lambda b, h, i, j: i >= j, (full_counts, full_lists))
    o = attention(q, k, v, block_mask=mask)
    assert_close(o, reference(q, k, v, mask=lambda b, h, i, j: ((i // 16 == j // 16) & (i >= j)) | ((i >= 16) & (j < 16)))[0])
    o = attention(q, k, v, block_mask=BlockMask(counts, lists, 16))
    assert_close(o, reference(q, k, v, mask=lambda b, h, i, j: i // 16 == j // 16)[0])


def test_functions_with_bottom_right_options(inputs):
    # A function's rows count from 0 while `causal` is aligned with the last key.
    q, k, v = inputs(sq=30, sk=70)
    o = attention(q, k, v, causal=True, score_mod=lambda s, b, h, i, j: s + 0.01 * i - 0.02 * j, mask_mod=lambda b, h, i, j: (i + j) % 3 != 0)
    assert_close(o, reference(q, k, v, score=lambda s, b, h, i, j: s + 0.01 * i - 0.02 * j, mask=lambda b, h, i, j: (i + 40 >= j) & ((i + j) % 3 != 0))[0])


def test_rows_without_keys_and_empty_lengths(inputs):
    q, k, v = inputs(sq=40, sk=10)
    o, lse = attention(q, k, v, causal=True, return_lse=True)
    assert np.all(o[:, :, :30] == 0) and np.all(np.isneginf(lse[:, :, :30]))
    o, lse = attention(q, k[:, :, :0], v[:, :, :0], return_lse=True)
    assert np.all(o == 0) and np.all(np.isneginf(lse))
    assert attention(q[:, :, :0], k, v).shape == (2, 4, 0, 32)


def test_one_program_serves_every_length(inputs):
    from flash_mlir import _plan
    before = len(_plan._functions)
    for n in (5, 64, 129):
        q, k, v = inputs(b=1 + n % 2, sq=n, sk=n, d=24)
        assert_close(attention(q, k, v, causal=True), reference(q, k, v, mask=causal)[0])
    assert len(_plan._functions) == before + 1


def test_threads_share_a_program(inputs):
    import concurrent.futures
    cases = [inputs(sq=10 + n, sk=10 + n, d=40) for n in range(16)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda c: attention(*c, softcap=2.0), cases * 4))
    for result, case in zip(results, cases * 4):
        assert_close(result, reference(*case, score=lambda s, *_: 2 * np.tanh(s / 2))[0])


def test_positions_helper():
    assert positions(1, 2, 3, 4)[3].shape == (1, 2, 3, 4)
