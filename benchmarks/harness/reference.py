# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention in float64, a head at a time, and the relative error against it: ||o - ref|| / ||ref||.

NaN compares as infinitely wrong. Only the first and the last head are computed, of the first and the last batch entry.
"""

import math

ROWS = 1024


def attention(backend, case, q, k, v, head, blocks):
    """One head: arrays of length x head dim."""
    xp, n, variant = backend.xp, case.length, case.variant
    q, k, v = backend.double(q), backend.double(k), backend.double(v)
    j = backend.arange(0, n)[None, :]
    parts = []
    for start in range(0, n, ROWS):
        i = backend.arange(start, min(start + ROWS, n))[:, None]
        s = (q[start:start + ROWS] @ k.T) / math.sqrt(case.head_dim)
        s = variant.score(s, backend.double(i), backend.double(j), variant.slope(head, case.heads), xp.tanh)
        seen = variant.visible(i, j, blocks)
        if seen is not None:
            s = xp.where(seen, s, -math.inf)
        top = xp.amax(s, 1)
        p = xp.exp(s - xp.where(top == -math.inf, 0.0, top)[:, None])
        total = xp.sum(p, 1)[:, None]
        parts.append((p @ v) / xp.where(total == 0, 1.0, total))
    return xp.concatenate(parts)


def references(backend, case, q, k, v, blocks=None):
    """{(batch entry, head): float64 output} of the heads that are compared."""
    group = case.heads // case.kv_heads
    return {(b, h): attention(backend, case, q[b, h], k[b, h // group], v[b, h // group], h, blocks)
            for b in sorted({0, case.batch - 1}) for h in sorted({0, case.heads - 1})}


def error(backend, out, refs):
    """The largest relative error of a head."""
    worst = 0.0
    for (b, h), ref in refs.items():
        value = float(backend.norm(backend.double(out[b, h]) - ref)) / float(backend.norm(ref))
        worst = max(worst, value if value == value else math.inf)
    return worst
