# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs: N(0, 1), and peaked ones, on which a softmax is decided by few keys.

    normal    N(0, 1)
    growing   the keys grow along the sequence, from 1 to 16 times: the maximum of a row moves all the time
    spikes    eight keys a head, the last among them, are 30 times as large: the maximum jumps
    scaled    the queries are 300 times as large: nearly one key a row
"""

KINDS = ("normal", "growing", "spikes", "scaled")


def make(backend, case, kind="normal", seed=0):
    """Q, K, V of a case, in its type."""
    if kind not in KINDS:
        raise ValueError(f"there are no inputs '{kind}'; there are {', '.join(KINDS)}")
    q, k, v = (backend.normal(shape, 3 * seed + i) for i, shape in enumerate(case.shapes()[:3]))
    n = case.length
    if kind == "growing":
        k = k * backend.column([1.0 + 15.0 * j / max(1, n - 1) for j in range(n)])
    elif kind == "spikes":
        spikes = {round((i + 1) * (n - 1) / 8) for i in range(8)}
        k = k * backend.column([30.0 if j in spikes else 1.0 for j in range(n)])
    elif kind == "scaled":
        q = q * 300.0
    return tuple(backend.cast(x, case.dtype) for x in (q, k, v))
