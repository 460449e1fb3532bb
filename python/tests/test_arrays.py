# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays as they lie: views, strides, and other libraries' arrays."""

import numpy as np
import pytest
from conftest import assert_close, reference

from flash_mlir import attention


def views(rng):
    packed = rng.standard_normal((2, 50, 3, 4, 32)).astype("float32")  # batch, length, q/k/v, heads, head dim
    yield "packed qkv", [packed[:, :, i].swapaxes(1, 2) for i in range(3)]
    hidden = [rng.standard_normal((2, 50, 4 * 32)).astype("float32").reshape(2, 50, 4, 32).transpose(0, 2, 1, 3) for _ in range(3)]
    yield "Hugging Face's", hidden
    one = rng.standard_normal((1, 1, 50, 32)).astype("float32")
    yield "expanded", [np.broadcast_to(one, (2, 4, 50, 32)), *hidden[1:]]
    wide = rng.standard_normal((2, 4, 120, 40)).astype("float32")
    yield "every other row, backward", [wide[:, :, ::-2][:, :, :50, :32], wide[:, :, 5:55, 8:40], wide[::-1, :, 1:51, 3:35]]


@pytest.mark.parametrize("number", range(4))
def test_a_view_equals_its_dense_copy_bit_for_bit(rng, number):
    name, given = list(views(rng))[number]
    dense = [np.ascontiguousarray(x) for x in given]
    np.testing.assert_array_equal(attention(*given, causal=True), attention(*dense, causal=True), err_msg=name)


def test_views_of_operands(inputs, rng):
    q, k, v = inputs()
    bias = rng.standard_normal((70, 2, 4, 70)).astype("float32").transpose(1, 2, 0, 3)
    np.testing.assert_array_equal(attention(q, k, v, bias=bias), attention(q, k, v, bias=bias.copy()))
    table = rng.standard_normal((9, 4, 70)).astype("float32")[3]
    wide = rng.standard_normal((4, 140)).astype("float32")[:, :70]

    def mod(t):
        return lambda s, b, h, i, j: s + t[h, j]

    for view in (table, wide):
        np.testing.assert_array_equal(attention(q, k, v, score_mod=mod(view)), attention(q, k, v, score_mod=mod(view.copy())))


class Exported:
    """A stranger's array: it has DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **_):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_dlpack(inputs):
    q, k, v = inputs()
    o = attention(*(Exported(x) for x in (q, k, v)), causal=True)
    assert isinstance(o, np.ndarray)
    np.testing.assert_array_equal(o, attention(q, k, v, causal=True))
    turned = [Exported(x.swapaxes(1, 2)) for x in (q, k, v)]
    np.testing.assert_array_equal(attention(*turned, causal=True, layout="bshd").swapaxes(1, 2), o)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_jax(inputs, dtype):
    jax = pytest.importorskip("jax")
    q, k, v = (jax.numpy.asarray(x, dtype) for x in inputs())
    slopes = jax.numpy.array([0.1, 0.2, 0.3, 0.4])
    o, lse = attention(q, k, v, score_mod=lambda s, b, h, i, j: s - slopes[h] * abs(i - j), return_lse=True)
    assert isinstance(o, jax.Array) and o.dtype == q.dtype and isinstance(lse, jax.Array)
    s = np.asarray(slopes)
    expected = reference(*(np.asarray(x, "float32") for x in (q, k, v)), score=lambda x, b, h, i, j: x - s[h] * abs(i - j))
    assert_close(np.asarray(o, "float32"), expected[0], 3e-6 if dtype == "float32" else 2e-2)


def test_jax_in_jit(inputs):
    jax = pytest.importorskip("jax")
    with pytest.raises(ValueError, match="got a tracer of JAX, expected a concrete array"):
        jax.jit(attention)(*(jax.numpy.asarray(x) for x in inputs()))


def test_torch(inputs):
    torch = pytest.importorskip("torch")
    q, k, v = (torch.from_numpy(x) for x in inputs())
    o = attention(q, k, v, causal=True)
    assert isinstance(o, torch.Tensor)
    np.testing.assert_array_equal(o.numpy(), attention(q.numpy(), k.numpy(), v.numpy(), causal=True))
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    assert_close(o.numpy(), expected.numpy())
    half = [x.bfloat16() for x in (q, k, v)]
    assert attention(*half).dtype == torch.bfloat16
    with pytest.raises(ValueError, match="q: got a tensor that requires grad"):
        attention(q.clone().requires_grad_(), k, v)
    with torch.no_grad():
        attention(q.clone().requires_grad_(), k, v)
    with pytest.raises(ValueError, match="requires grad"):
        attention(q.clone().requires_grad_(), k, v)


def test_flex_attention(inputs):
    torch = pytest.importorskip("torch")
    flex = pytest.importorskip("torch.nn.attention.flex_attention")
    q, k, v = (torch.from_numpy(x) for x in inputs(sq=256, sk=256))
    document, slopes = torch.arange(256) // 60, torch.tensor([0.1, 0.2, 0.3, 0.4])

    def causal(b, h, q_idx, kv_idx):
        return q_idx >= kv_idx

    def same(b, h, q_idx, kv_idx):
        return document[q_idx] == document[kv_idx]

    def alibi(score, b, h, q_idx, kv_idx):
        return score - slopes[h] * (q_idx - kv_idx)

    mask = flex.and_masks(causal, same)
    block_mask = flex.create_block_mask(mask, 2, 4, 256, 256, device="cpu", BLOCK_SIZE=64)
    expected = flex.flex_attention(q, k, v, score_mod=alibi, block_mask=block_mask, enable_gqa=True)
    assert_close(attention(q, k, v, score_mod=alibi, mask_mod=mask), expected, 1e-5)
    assert_close(attention(q, k, v, score_mod=alibi, mask_mod=flex.or_masks(mask, mask)), expected, 1e-5)
    assert_close(attention(q, k, v, score_mod=alibi, block_mask=block_mask), expected, 1e-5)


def test_torch_functions(inputs):
    torch = pytest.importorskip("torch")
    q, k, v = (torch.from_numpy(x) for x in inputs())
    table, cap = torch.rand(70, 70), torch.tensor(5.0)

    class Capped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.tanh(x)

        @staticmethod
        def backward(ctx, grad):
            return grad

    def mod(score, b, h, i, j):
        score = cap * Capped.apply(score / cap) + torch.where(i > j, table[i, j], score.new_zeros(()))
        return torch.clamp(score, max=torch.tensor(4.0)).to(torch.float32)

    t, c = table.numpy(), 5.0
    o = attention(q, k, v, score_mod=mod)
    expected = reference(q, k, v, score=lambda s, b, h, i, j: np.minimum(c * np.tanh(s / c) + np.where(i > j, t[i, j], 0), 4))
    assert_close(o.numpy(), expected[0])
