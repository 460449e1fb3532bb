#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Holds GPU results to the bars that the Hopper kernels are to reach; a bar that was not measured is not reached.

    python3 benchmarks/bars.py [FILE...]       one line a bar; the exit status is 1 unless all are reached
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "benchmarks"))
from harness.cases import LENGTHS  # noqa: E402
from harness.inputs import KINDS  # noqa: E402
from harness.summary import Summary, geometric_mean, gpu_files, primary, ratios  # noqa: E402

MARKS = (500, 600, 680, 740, 780)  # TFLOP/s at head dim 128, length 16384, not causal
OVER_CUDNN = {(128, "full"): 1.15, (128, "causal"): 1.15, (64, "full"): 1.20, (64, "causal"): 1.05, (256, "full"): 1.0, (256, "causal"): 1.0}
LEAST_OVER_CUDNN = 0.90
FLEX_CASES, OVER_FLEX = ("full", "causal", "window", "blocks", "alibi", "softcap"), 1.5
ERROR_OVER_CUDNN = {kind: 1.1 if kind == "normal" else 1.25 for kind in KINDS}


def judge(summary):
    """(bar, what was measured or None, least that is asked, whether it is reached)"""
    groups = summary.groups()
    best = max((rows[primary(rows)]["tflops"] for rows in [groups.get(("bf16", 128, 128, 1, "full"), {}).get(16384, {})] if primary(rows)), default=None)
    for mark in MARKS:
        yield f"head dim 128, length 16384, full: {mark} TFLOP/s", best, mark, best is not None and best >= mark
    for (dim, case), bar in OVER_CUDNN.items():
        found = ratios(groups.get(("bf16", dim, dim, 1, case), {}), "cudnn")
        name = f"head dim {dim}, {case}: over cuDNN"
        complete = set(LENGTHS) <= set(found)
        mean = geometric_mean(found[n] for n in LENGTHS) if complete else None
        yield f"{name}, geometric mean", mean, bar, complete and mean >= bar
        least = min(found.values(), default=None)
        yield f"{name}, least of {len(found)} lengths", least, LEAST_OVER_CUDNN, complete and least >= LEAST_OVER_CUDNN
    for kind in FLEX_CASES:
        found = [rows["flex"]["ms"] / rows[primary(rows)]["ms"] for (case, _), (_, rows) in summary.flex.items()
                 if case.partition(":")[0] == kind and "flex" in rows and primary(rows)]
        yield f"FlexAttention, {kind}: over it", min(found, default=None), OVER_FLEX, bool(found) and min(found) >= OVER_FLEX
    for kind, bar in ERROR_OVER_CUDNN.items():
        found = [float(rows[primary(rows)]["error"]) / float(rows["cudnn"]["error"]) for (inputs, _, _), (_, rows) in summary.errors.items()
                 if inputs == kind and "cudnn" in rows and primary(rows)]
        # NaN and infinity compare as not reached.
        yield f"error on {kind} inputs over cuDNN's, most of {len(found)}", max(found, default=None), bar, bool(found) and all(x <= bar for x in found)
    rows = [row for _, kernels in (*summary.sweep.values(), *summary.flex.values()) for name, row in kernels.items() if "repeatable" in row]
    equal = sum(row["repeatable"] for row in rows)
    yield f"bitwise repeatable, of {len(rows)} cases", float(equal) if rows else None, len(rows), bool(rows) and equal == len(rows)


def main():
    missed = 0
    for path in sys.argv[1:] or gpu_files(ROOT):
        print(os.path.relpath(path))
        for bar, measured, asked, reached in judge(Summary(path)):
            missed += not reached
            print(f"  {'reached' if reached else 'MISSED ' if measured is not None else 'unknown'}  {bar:60} "
                  f"{'-' if measured is None else f'{measured:.3f}':>9}  asked {asked}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
