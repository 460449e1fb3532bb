#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The README's tables of GPU results, as Markdown; scripts/update-docs.py puts them between their markers.

    python3 benchmarks/table.py [FILE...]      prints them; by default of all of benchmarks/results
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "benchmarks"))
from harness.inputs import KINDS  # noqa: E402
from harness.summary import PEER_NAMES, Summary, geometric_mean, gpu_files, is_ours, kernel_order, primary, ratios  # noqa: E402

CASES = {"full": "dense", "causal": "causal", "window": "window of {} keys", "blocks": "128 x 128 blocks, density {}",
         "documents": "{} documents", "ragged": "{} ragged sequences, causal", "alibi": "ALiBi, causal", "softcap": "softcap {}, causal"}


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def length_name(length):
    return f"{length // 1024}k" if length % 1024 == 0 else str(length)


def dims(dqk, dv, grouping=1):
    return f"head dim {dqk}" + (f"/{dv}" if dv != dqk else "") + (f", {grouping} queries a key head" if grouping > 1 else "")


def kernel_name(kernel):
    return PEER_NAMES.get(kernel, kernel)


def case_name(case):
    kind, _, parameter = case.partition(":")
    return CASES.get(kind, kind).format(parameter)


def sweep(summary):
    """A row a kernel, a column a length; the last column is ours over the kernel."""
    groups = {group: lengths for group, lengths in summary.groups().items() if len(lengths) > 1}
    columns = sorted({length for lengths in groups.values() for length in lengths})
    rows = []
    for (dtype, dqk, dv, grouping, case), lengths in groups.items():
        kernels = sorted({k for kernels in lengths.values() for k in kernels}, key=kernel_order)
        for index, kernel in enumerate(kernels):
            cells = [f"{lengths[n][kernel]['tflops']:.0f}" if kernel in lengths.get(n, {}) else "" for n in columns]
            found = ratios(lengths, kernel)
            ratio = f"{geometric_mean(found.values()):.2f} ({min(found.values()):.2f} to {max(found.values()):.2f})" if found and not is_ours(kernel) else ""
            rows.append((f"{dtype}, {dims(dqk, dv, grouping)}, {case}" if index == 0 else "", kernel_name(kernel), *cells, ratio))
    if not rows:
        return ""
    return "TFLOP/s, and the geometric mean of ours over each peer (least to most):\n\n" + table(
        ("", "", *map(length_name, columns), "ours over it"), rows)


def flex(summary):
    rows = []
    for (case, (dtype, dqk, dv, batch, heads, _, length)), (_, kernels) in sorted(
            summary.flex.items(), key=lambda item: list(CASES).index(item[0][0].partition(":")[0])):
        ours = primary(kernels)
        if "flex" not in kernels:
            continue
        speed = f"{kernels['flex']['ms'] / kernels[ours]['ms']:.2f}" if ours else ""
        rows.append((f"{dtype}, {dims(dqk, dv)}, batch {batch}, {heads} heads, length {length}", case_name(case),
                     f"{kernels[ours]['tflops']:.0f}" if ours else "not yet", f"{kernels['flex']['tflops']:.0f}", speed))
    return "FlexAttention's cases, TFLOP/s on visible pairs:\n\n" + table(("", "case", "flash", "FlexAttention", "ours over it"), rows) if rows else ""


def errors(summary):
    """The worse of causal and not, for each kind of input; in brackets over cuDNN's."""
    found = {}
    for (kind, case, (dtype, dqk, dv, *_)), (_, kernels) in summary.errors.items():
        ours = primary(kernels)
        if ours:
            error = float(kernels[ours]["error"])
            ratio = error / float(kernels["cudnn"]["error"]) if "cudnn" in kernels else None
            cell = found.setdefault((dtype, dqk, dv), {}).setdefault(kind, [0.0, None])
            cell[0] = max(cell[0], error)
            cell[1] = max(filter(None, (cell[1], ratio)), default=None)

    def show(cell):
        return "" if cell is None else f"{cell[0]:.2e}" + (f" ({cell[1]:.2f})" if cell[1] else "")

    rows = [(f"{dtype}, {dims(dqk, dv)}", *(show(kinds.get(k)) for k in KINDS)) for (dtype, dqk, dv), kinds in sorted(found.items())]
    return "Error against float64 (over cuDNN's), on N(0, 1), growing keys, spikes, queries scaled by 300:\n\n" + table(
        ("", *KINDS), rows) if rows else ""


def costs(summary):
    text = ""
    if record := summary.latest("compile"):
        stages = [s for s in record["compile"][0]["stages_ms"] if s != "total"]
        rows = [(f"{r['kernel']}, {dims(r['head_dim'], r['head_dim_v'])}, {r['case']}", f"{r['compile_ms']:.0f}", *(f"{r['stages_ms'].get(s, 0):.0f}" for s in stages),
                 f"{r['load_ms']:.0f}", f"{r['process_ms']:.0f}") for r in record["compile"] if is_ours(r["kernel"])]
        text += "Compilation in a new process, ms:\n\n" + table(("", "compile", *stages, "load", "whole process"), rows) + "\n"
    if record := summary.latest("launch"):
        rows = [(kernel_name(r["kernel"]), f"{r['host_us']:.1f}", f"{r['per_second'] / 1e3:.0f}") for r in record["launch"]]
        text += "A launch from Python, tiny problem:\n\n" + table(("", "host's time, us", "thousands a second"), rows)
    return text.rstrip("\n") + "\n" if text else ""


def facts(summary):
    """What it was measured on; of what is shown."""
    shown = summary.shown()
    last = max(shown, key=lambda record: record["date"])
    commits = sorted({record["commit"] for record in shown} - {"unknown"})
    parts = [last["device"].get("name", ""), last["date"][:10]] + ([f"commit {', '.join(commits)}"] if commits else [])
    parts += [f"PyTorch {last['torch']}"] if last.get("torch") else []
    if number := last.get("cudnn"):
        parts.append(f"cuDNN {number // 10000}.{number // 100 % 100}.{number % 100}")
    parts += [f"ptxas {last['ptxas']}"] if last.get("ptxas") else []
    return ", ".join(parts)


def markdown(path):
    """All tables of a file; nothing if it holds nothing to show."""
    summary = Summary(path)
    parts = [part for part in (sweep(summary), flex(summary), errors(summary), costs(summary)) if part]
    return f"{facts(summary)} ([data]({os.path.relpath(path, ROOT)})):\n\n" + "\n".join(parts) if parts else ""


def main():
    for path in sys.argv[1:] or gpu_files(ROOT):
        print(markdown(path))


if __name__ == "__main__":
    main()
