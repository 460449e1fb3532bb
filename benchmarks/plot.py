#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The README's plot of GPU results: rates over length, a panel for each head dim and mask. Needs matplotlib.

    python3 benchmarks/plot.py [--file FILE] [-o docs/benchmark.svg]
"""

import argparse
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "benchmarks"))
from harness.summary import PEER_NAMES, Summary, gpu_files, is_ours, kernel_order, primary  # noqa: E402
from table import dims, facts, length_name  # noqa: E402

# Colours that keep apart in print and for the colour-blind (Okabe and Ito).
STYLES = {"flash": ("#d55e00", "o", 2.6), "cudnn": ("#0072b2", "s", 1.6), "fa2": ("#999999", "^", 1.6), "fa3": ("#009e73", "v", 1.6),
          "fa4": ("#cc79a7", "D", 1.6), "other": ("#e69f00", "x", 1.2)}


def draw(summary, path):
    import matplotlib
    matplotlib.use("Agg")
    # The same file for the same data.
    matplotlib.rcParams.update({"svg.hashsalt": "flash", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    import matplotlib.pyplot as plt

    groups = {g: lengths for g, lengths in summary.groups().items() if len(lengths) > 1 and g[0] == "bf16" and g[3] == 1}
    columns = sorted({(dqk, dv) for _, dqk, dv, _, _ in groups})
    cases = [c for c in ("full", "causal") if any(g[4] == c for g in groups)]
    if not groups:
        sys.exit("plot.py: no shapes at several lengths")
    figure, axes = plt.subplots(len(cases), len(columns), figsize=(3.4 * len(columns) + 0.6, 2.7 * len(cases) + 0.9), squeeze=False, sharey=True)
    handles = {}
    for (_, dqk, dv, _, case), lengths in groups.items():
        axis = axes[cases.index(case)][columns.index((dqk, dv))]
        ours = primary({k for rows in lengths.values() for k in rows})
        for kernel in sorted({k for rows in lengths.values() for k in rows}, key=kernel_order, reverse=True):
            if is_ours(kernel) and kernel != ours:
                continue
            colour, marker, width = STYLES["flash" if kernel == ours else kernel if kernel in STYLES else "other"]
            points = sorted((n, rows[kernel]["tflops"]) for n, rows in lengths.items() if kernel in rows)
            handles[kernel], = axis.plot(*zip(*points), color=colour, marker=marker, linewidth=width, markersize=4.5)
        axis.set_xscale("log", base=2)
        ticks = sorted(lengths)
        axis.set_xticks(ticks, [length_name(n) for n in ticks])
        axis.minorticks_off()
        axis.grid(axis="y", color="#dddddd", linewidth=0.7)
        axis.set_title(f"{dims(dqk, dv)}, {'causal' if case == 'causal' else 'no mask'}", fontsize=10)
    # The panels share their scale: a limit set before the last is drawn would cut it off.
    axes[0][0].set_ylim(bottom=0)
    for row in axes:
        row[0].set_ylabel("TFLOP/s")
    for axis in axes[-1]:
        axis.set_xlabel("sequence length")
    order = sorted(handles, key=kernel_order)
    figure.legend([handles[k] for k in order], [PEER_NAMES.get(k, "Flash") for k in order], loc="upper center", ncol=len(order), frameon=False)
    figure.text(0.5, 0.004, f"bf16 forward; {facts(summary)}", ha="center", fontsize=7, color="#555555")
    figure.tight_layout(rect=(0, 0.02, 1, 0.94))
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=150)
    print(f"wrote {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", help="results (default: the first of benchmarks/results)")
    parser.add_argument("-o", default=os.path.join(ROOT, "docs", "benchmark.svg"), help="SVG or PNG")
    args = parser.parse_args()
    path = args.file or next(gpu_files(ROOT), None)
    if not path:
        sys.exit("plot.py: no results")
    draw(Summary(path), args.o)


if __name__ == "__main__":
    main()
