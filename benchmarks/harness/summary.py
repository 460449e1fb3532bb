# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Out of all records, what is shown: for each case the rows of one run, so that ratios are of the same minutes.

That run is the newest that has ours and the peer that it is held against (cuDNN; in the flex section FlexAttention);
if none has both, the newest of all. Experiments (`flash sm_90a@...`, `...%...`) are not shown.
"""

import math
import os
import re

from . import records

PEER_NAMES = {"cudnn": "cuDNN", "fa2": "FlashAttention-2", "fa3": "FlashAttention-3", "fa4": "FlashAttention-4", "varlen": "varlen_attn",
              "flex": "FlexAttention"}


def is_ours(kernel):
    return kernel.startswith("flash ") and not set("@%") & set(kernel)


def kernel_order(kernel):
    """Ours first, the newest architecture before others; then the peers as in PEER_NAMES."""
    if is_ours(kernel):
        return 0, -int((re.findall(r"\d+", kernel) or [0])[0])
    return 1, list(PEER_NAMES).index(kernel) if kernel in PEER_NAMES else len(PEER_NAMES)


def shape(row):
    return tuple(row[field] for field in ("dtype", "head_dim", "head_dim_v", "batch", "heads", "kv_heads", "length"))


def choose(chosen, record, rows, peer, key):
    """Puts a record's rows in the place of older ones, unless only these have ours and the peer."""
    found = {}
    for row in rows:
        if is_ours(row["kernel"]) or row["kernel"] in PEER_NAMES:
            found.setdefault(key(row), {})[row["kernel"]] = row

    def complete(kernels):
        return peer in kernels and primary(kernels) is not None

    for case, kernels in found.items():
        if complete(kernels) or not complete(chosen.get(case, (None, {}))[1]):
            chosen[case] = (record, kernels)


class Summary:
    """What a file says. `sweep` and `flex` are {(case, shape): (record, {kernel: row})}, `errors` has the kind of
    inputs in front of the key."""

    def __init__(self, path):
        self.path = path
        self.records = [r for r in records.load(path) if not r["device"].get("dry_run")]
        self.sweep, self.flex, self.errors = {}, {}, {}
        for record in self.records:
            for section, chosen, peer in (("sweep", self.sweep, "cudnn"), ("flex", self.flex, "flex")):
                rows = [row for row in record.get("results", []) if row["section"] == section]
                choose(chosen, record, rows, peer, lambda row: (row["case"], shape(row)))
            choose(self.errors, record, record.get("errors", []), "cudnn", lambda row: (row["inputs"], row["case"], shape(row)))

    def latest(self, section):
        """The newest record that has the section, or nothing."""
        return next((r for r in reversed(self.records) if r.get(section)), None)

    def shown(self):
        """Records that figures are taken from."""
        found = [record for record, _ in (*self.sweep.values(), *self.flex.values(), *self.errors.values())]
        return found + [r for r in (self.latest("compile"), self.latest("launch")) if r]

    def groups(self, cases=("full", "causal")):
        """{(dtype, head dim, head dim of V, grouping, case): {length: {kernel: row}}} of the sweep's shapes."""
        found = {}
        for (case, (dtype, dqk, dv, _, heads, kv_heads, length)), (_, rows) in self.sweep.items():
            if case in cases:
                found.setdefault((dtype, dqk, dv, heads // kv_heads, case), {})[length] = rows
        order = {64: 1, 128: 0, 256: 2}
        return dict(sorted(found.items(), key=lambda g: (g[0][0], g[0][3], order.get(g[0][1], g[0][1]), g[0][4] != "full")))


def primary(kernels):
    """Our kernel that ratios are of: the one for the newest architecture."""
    return min((k for k in kernels if is_ours(k)), key=kernel_order, default=None)


def ratios(lengths, kernel):
    """Ours over `kernel`, as rates, for each length at which both were measured."""
    found = {}
    for length, rows in sorted(lengths.items()):
        ours = primary(rows)
        if ours and kernel in rows:
            found[length] = rows[kernel]["ms"] / rows[ours]["ms"]
    return found


def geometric_mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def gpu_files(root):
    """Files of GPU results; others have another form."""
    folder = os.path.join(root, "benchmarks", "results")
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if re.search(r"\.jsonl?$", name):
            with open(path, encoding="utf-8") as file:
                first = file.readline()
            if first.strip() and '"tflops"' in first:
                yield path
