# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Score and mask functions that people write for FlexAttention (its tests, attention-gym), as they write them."""

import numpy as np
import pytest
from conftest import assert_close, reference

import flash_mlir as fm
from flash_mlir import attention

N, HEADS = 96, 4
RNG = np.random.default_rng(11)


def sandwich(bar_d=8):
    # Cosines of distances: unrolled.
    scales = [10000.0 ** (-i / bar_d) for i in range(bar_d)]

    def mod(score, b, h, q, kv):
        total = 0.0
        for scale in scales:
            total = total + np.cos((q - kv) * scale)
        return score + 0.1 * (h + 1) * total

    return mod


def wrap_nested(mod, offsets, sequence):
    # Ragged sequences packed in one: positions within each.
    def wrapped(score, b, h, q, kv):
        same = sequence[q] == sequence[kv]
        inner = mod(score, b, h, q - offsets[sequence[q]], kv - offsets[sequence[kv]])
        return np.where(same, inner, -np.inf)

    return wrapped


def natten(width, kernel):
    def mask(b, h, q, kv):
        qx, qy, kx, ky = q // width, q % width, kv // width, kv % width
        cx = np.clip(qx, kernel // 2, N // width - 1 - kernel // 2)
        cy = np.clip(qy, kernel // 2, width - 1 - kernel // 2)
        return (abs(cx - kx) <= kernel // 2) & (abs(cy - ky) <= kernel // 2)

    return mask


def morton(width, kernel):
    # Z-order: bits of the index are those of x and y in turns.
    def decode(n):
        n = n & 0x5555
        n = (n ^ (n >> 1)) & 0x3333
        n = (n ^ (n >> 2)) & 0x0F0F
        return (n ^ (n >> 4)) & 0x00FF

    def mask(b, h, q, kv):
        return (abs(decode(q) - decode(kv)) <= kernel) & (abs(decode(q >> 1) - decode(kv >> 1)) <= kernel)

    return mask


def sliding_tile(canvas=(4, 4, 6), kernel=(2, 1, 2)):
    # STA: three dimensions.
    _, y_size, x_size = canvas

    def place(n):
        return n // (y_size * x_size), n // x_size % y_size, n % x_size

    def mask(b, h, q, kv):
        good = None
        for a, c, reach in zip(place(q), place(kv), kernel):
            near = abs(a - c) <= reach
            good = near if good is None else good & near
        return good

    return mask


def spatial_temporal(frame=16):
    # SVG: half of the heads see their frame, half their place in all frames.
    def mask(b, h, q, kv):
        return ((h < 2) & (q // frame == kv // frame)) | ((h >= 2) & (q % frame == kv % frame))

    return mask


def block_lists(table, size):
    # VSA: which block sees which is data.
    return lambda b, h, q, kv: table[h, q // size, kv // size]


def flamingo(images):
    # Text sees the image before it: cumulated numbers of images.
    return lambda b, h, q, kv: images[b, q] == kv // 8


def block_diffusion(n=N // 2, block=8):
    def mask(b, h, q, kv):
        q_clean, kv_clean = q >= n, kv >= n
        q_block, kv_block = np.where(q_clean, (q - n) // block, q // block), np.where(kv_clean, (kv - n) // block, kv // block)
        diagonal = (q_block == kv_block) & (q_clean == kv_clean)
        offset = (q_block > kv_block) & kv_clean & ~q_clean
        causal = (q_block >= kv_block) & kv_clean & q_clean
        return diagonal | offset | causal

    return mask


def shared_prefix(length, sequence):
    return lambda b, h, q, kv: (kv <= q) & ((kv < length) | (sequence[q] == sequence[kv]))


def rope_part(query, key):
    # MLA: a short part of the score comes of other rows.
    return lambda score, b, h, q, kv: score + 0.1 * fm.dot(query[b, h, q], key[b, kv])


def graph_distances(table, distance):
    # Graphormer: a learned bias of each distance.
    return lambda score, b, h, q, kv: score + table[distance[b, q, kv], h]


def t5(table, buckets=8, most=40):
    def mod(score, b, h, q, kv):
        n = np.maximum(q - kv, 0)
        far = buckets // 2 + np.log((np.maximum(n, 1)) / (buckets // 2)) / np.log(most / (buckets // 2)) * (buckets - buckets // 2)
        return score + table[h, np.minimum(fm_floor(far, n), buckets - 1) * (n >= buckets // 2) + n * (n < buckets // 2)]

    return mod


def fm_floor(x, like):
    return np.floor(x).astype(int) if isinstance(x, np.ndarray) else np.floor(x).to(int)


SEQUENCE = (np.arange(N) // 40).astype("int32")
OFFSETS = np.array([0, 40, 80], "int32")
TABLE = RNG.standard_normal((HEADS, 12)).astype("float32")
ROPE_Q = RNG.standard_normal((2, HEADS, N, 8)).astype("float32")
ROPE_K = RNG.standard_normal((2, N, 8)).astype("float32")
DISTANCE = RNG.integers(0, 12, (2, N, N)).astype("int32")

SCORES = {
    "sandwich": (sandwich(), None),
    "njt": (wrap_nested(lambda s, b, h, i, j: s + 0.1 * (i - j), OFFSETS, SEQUENCE), None),
    "mla rope": (rope_part(ROPE_Q, ROPE_K), lambda s, b, h, i, j: s + 0.1 * (ROPE_Q[b, h, i] * ROPE_K[b, j]).sum(-1)),
    "graphormer": (graph_distances(TABLE.T.copy(), DISTANCE), None),
    "t5": (t5(TABLE[:, :8].copy()), None),
}
MASKS = {
    "natten": natten(12, 3), "natten Morton": morton(16, 2), "sta": sliding_tile(), "svg": spatial_temporal(),
    "vsa": block_lists(RNG.random((HEADS, 12, 12)) > 0.6, 8), "flamingo": flamingo(RNG.integers(0, 12, (2, N)).astype("int32")),
    "block diffusion": block_diffusion(), "shared prefix": shared_prefix(16, SEQUENCE),
}


@pytest.mark.parametrize("name", SCORES)
def test_score(inputs, name):
    q, k, v = inputs(sq=N, sk=N)
    mod, plain = SCORES[name]
    assert_close(attention(q, k, v, score_mod=mod), reference(q, k, v, score=plain or mod)[0], 2e-5)


@pytest.mark.parametrize("name", MASKS)
def test_mask(inputs, name):
    q, k, v = inputs(sq=N, sk=N)
    assert_close(attention(q, k, v, mask_mod=MASKS[name]), reference(q, k, v, mask=MASKS[name])[0])


@pytest.mark.parametrize("name", [*SCORES, *MASKS])
def test_compiles_for_gpus(monkeypatch, name):
    monkeypatch.setenv("FLASH_PTXAS", "")
    monkeypatch.setenv("FLASH_NVJITLINK", "")
    q = fm.Spec((2, HEADS, N, 64), "bfloat16")
    options = {"score_mod": SCORES[name][0]} if name in SCORES else {"mask_mod": MASKS[name]}
    assert ".entry" in fm.compile(q, q, q, target="sm_90a", **options).ptx
