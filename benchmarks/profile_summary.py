#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What profiles say, side by side: a column a kernel, from the CSV of `ncu --page raw --csv --print-units base`.

    python3 benchmarks/profile_summary.py NAME=FILE.csv...

Of several kernels in a file the longest is taken. Stall reasons are in cycles that a warp waits for each instruction
it issues, the largest first, and as a share of all.
"""

import csv
import re
import sys

# (what it is called, metric, scale, form)
LINES = (
    ("duration, us", r"gpu__time_duration\.sum", 1e-3, "{:.1f}"),
    ("SM clock, MHz", r"smsp?__cycles_elapsed\.avg\.per_second", 1e-6, "{:.0f}"),
    ("tensor pipe active, %", r"sm__pipe_tensor_cycles_active\.avg\.pct_of_peak_sustained_active", 1, "{:.1f}"),
    ("tensor pipe (HMMA) active, %", r"sm__(pipe|inst_executed_pipe)_tensor_op_hmma\w*\.avg\.pct_of_peak_sustained_active", 1, "{:.1f}"),
    ("tensor pipe (GMMA) issued, %", r"sm__inst_executed_pipe_tensor_op_gmma\.avg\.pct_of_peak_sustained_active", 1, "{:.1f}"),
    ("XU pipe (exp2), %", r"sm__inst_executed_pipe_xu\.avg\.pct_of_peak_sustained_active", 1, "{:.1f}"),
    ("FMA pipe, %", r"sm__pipe_fma_cycles_active\.avg\.pct_of_peak_sustained_active", 1, "{:.1f}"),
    ("issue slots busy, %", r"sm(sp)?__inst_issued\.avg\.pct_of_peak_sustained_active|smsp__issue_active\.avg\.pct\w*", 1, "{:.1f}"),
    ("compute throughput, %", r"sm__throughput\.avg\.pct_of_peak_sustained_elapsed", 1, "{:.1f}"),
    ("DRAM read, MB", r"dram__bytes_read\.sum", 1e-6, "{:.1f}"),
    ("DRAM written, MB", r"dram__bytes_write\.sum", 1e-6, "{:.1f}"),
    ("L2 bytes, MB", r"lts__t_bytes\.sum", 1e-6, "{:.1f}"),
    ("L2 hit rate, %", r"lts__t_sector_hit_rate\.pct", 1, "{:.1f}"),
    ("registers a thread", r"launch__registers_per_thread", 1, "{:.0f}"),
    ("threads a block", r"launch__block_size", 1, "{:.0f}"),
    ("blocks", r"launch__grid_size", 1, "{:.0f}"),
    ("shared memory a block, KB", r"launch__shared_mem_per_block(_dynamic)?", 1e-3, "{:.1f}"),
    ("waves", r"launch__waves_per_multiprocessor", 1, "{:.2f}"),
)
STALL = re.compile(r"smsp__average_warps_issue_stalled_(\w+)_per_issue_active\.ratio")


def number(text):
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def read(path):
    """{metric: value} of the longest kernel of a file, its name under `kernel`."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(file)
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        sys.exit(f"profile_summary.py: {path} has no table: {''.join(lines[-2:]).strip()}")
    header, _, *rows = csv.reader(lines[start:])
    kernels = []
    for row in rows:
        entry = dict(zip(header, row))
        values = {name: value for name, text in entry.items() if (value := number(text)) is not None}
        kernels.append({**values, "kernel": entry.get("Kernel Name", "")})
    if not kernels:
        sys.exit(f"profile_summary.py: {path} has no kernel: nothing was launched between start and stop")
    return max(kernels, key=lambda k: k.get("gpu__time_duration.sum", 0.0))


def find(kernel, pattern):
    return next((kernel[name] for name in sorted(kernel) if name != "kernel" and re.fullmatch(pattern, name)), None)


def stalls(kernel):
    found = {m.group(1): value for name, value in kernel.items() if (m := STALL.fullmatch(name)) and m.group(1) != "selected"}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def summarise(profiles):
    """Rows of text: a name, then a cell for each profile."""
    rows = [("kernel", *(k["kernel"][:28] for _, k in profiles))]
    for name, pattern, scale, form in LINES:
        values = [find(kernel, pattern) for _, kernel in profiles]
        if any(value is not None for value in values):
            rows.append((name, *("-" if value is None else form.format(value * scale) for value in values)))
    reasons = sorted({reason for _, kernel in profiles for reason in list(stalls(kernel))[:6]},
                     key=lambda reason: -max(stalls(kernel).get(reason, 0) for _, kernel in profiles))
    for reason in reasons:
        cells = []
        for _, kernel in profiles:
            found = stalls(kernel)
            total = sum(found.values())
            cells.append(f"{found[reason]:.2f} ({100 * found[reason] / total:.0f} %)" if reason in found and total else "-")
        rows.append((f"stall: {reason}", *cells))
    return rows


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    profiles = []
    for argument in sys.argv[1:]:
        # A schedule has '=' in its name, a file has none.
        name, _, path = argument.rpartition("=")
        profiles.append((name or path, read(path)))
    rows = [("", *(name for name, _ in profiles)), *summarise(profiles)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]).rstrip())


if __name__ == "__main__":
    main()
