#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention on the CPU beside an unfused one: time and peak memory over the length.

    python3 benchmarks/unfused_cpu.py --json benchmarks/results/cpu-unfused.json
    python3 benchmarks/unfused_cpu.py --plot docs/cpu-unfused.png benchmarks/results/cpu-unfused.json

The unfused one is as good as NumPy makes it: heads are shared out to two threads, each with one score matrix that it
keeps; S = Q K^T by OpenBLAS into it, then scale, maximum, exp, sum, in place by NumPy's vector loops, then S V by OpenBLAS and
the division on O. Ours has two threads too. f32, N(0, 1), head dim 64. Kernels take turns; two times are kept, the least
wall time and the least CPU time of the process, which on a machine with other work says more. Peak memory is what
a first call adds to the resident set.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of each of NumPy's two threads

import argparse  # noqa: E402
import concurrent.futures  # noqa: E402
import datetime  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "benchmarks"))
from attention_cpu import Flash, added_memory, attention_mlir, commit, machine  # noqa: E402
from features_cpu import Buffer  # noqa: E402

HEAD_DIM, THREADS = 64, 2


class Unfused:
    def __init__(self, np, q, k, v, o):
        self.np, self.arrays = np, (q[0], k[0], v[0], o[0])
        self.pool = concurrent.futures.ThreadPoolExecutor(THREADS)

    def heads(self, first):
        np, (q, k, v, o) = self.np, self.arrays
        length = q.shape[1]
        scores, row = np.empty((length, length), "float32"), np.empty((length, 1), "float32")
        for h in range(first, q.shape[0], THREADS):
            np.matmul(q[h], k[h].T, out=scores)
            np.multiply(scores, np.float32(1 / math.sqrt(HEAD_DIM)), out=scores)
            np.max(scores, axis=1, keepdims=True, out=row)
            np.subtract(scores, row, out=scores)
            np.exp(scores, out=scores)
            np.sum(scores, axis=1, keepdims=True, out=row)
            np.matmul(scores, v[h], out=o[h])
            np.divide(o[h], row, out=o[h])

    def __call__(self):
        list(self.pool.map(self.heads, range(THREADS)))


def measure(kernels, rounds):
    best = {name: [math.inf, math.inf] for name in kernels}
    for _ in range(rounds):
        for name, call in kernels.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            spent = time.perf_counter() - wall, time.process_time() - cpu
            best[name] = [min(a, b) for a, b in zip(best[name], spent)]
    return best


def draw(record):
    """The figure: CPU time and added memory over the length, a line a kernel."""
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "flash", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    import matplotlib.pyplot as plt
    styles = {"unfused": ("#0072b2", "s", "NumPy and OpenBLAS, unfused"), "flash": ("#d55e00", "o", "Flash"),
              "flash causal": ("#e69f00", "^", "Flash, causal")}
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    for axis, field, label, scale in ((axes[0], "cpu_ms", "CPU time of both threads, ms", 1), (axes[1], "added_bytes", "peak memory added, MiB", 2**-20)):
        for kernel, (colour, marker, name) in styles.items():
            points = sorted((r["length"], max(r[field] * scale, 1e-2)) for r in record["results"] if r["kernel"] == kernel)
            axis.plot(*zip(*points), color=colour, marker=marker, label=name)
        lengths = sorted({r["length"] for r in record["results"]})
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(lengths, [str(n) for n in lengths])
        axis.minorticks_off()
        axis.set_xlabel("length")
        axis.set_ylabel(label)
        axis.grid(axis="y", color="#dddddd", linewidth=0.7)
    axes[0].legend(frameon=False)
    figure.suptitle(f"{record['heads']} heads of {HEAD_DIM}, f32, {THREADS} threads, {record['device']['name']}", fontsize=10)
    figure.tight_layout()
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", default="512,1024,2048,4096,8192", help="comma-separated")
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="append the results to this file")
    parser.add_argument("--plot", metavar="PICTURE", help="measure nothing; plot the last record of FILE as .png or .svg")
    parser.add_argument("file", metavar="FILE", nargs="?", help="results, for --plot")
    args = parser.parse_args()
    if args.plot:
        if not args.file:
            parser.error("--plot needs a file of results")
        if not importlib.util.find_spec("matplotlib"):
            parser.error("matplotlib is not here: pip install matplotlib")
        with open(args.file, encoding="utf-8") as file:
            record = json.loads(file.read().strip().split("\n")[-1])
        # The same file for the same data.
        draw(record).savefig(args.plot, dpi=130, metadata={"Date": None} if args.plot.endswith(".svg") else {"Software": None})
        print(f"wrote {args.plot}: {len(record['results'])} results")
        return 0

    import numpy as np
    generator = np.random.default_rng(args.seed)
    flash = Flash(os.environ.get("FLASH_LIBRARY", os.path.join(ROOT, "build", "lib", "libflash-c.so")))
    flash.library.flashSetNumThreads(THREADS)
    functions = {name: flash.compile(attention_mlir(args.heads, HEAD_DIM, name != "flash")) for name in ("flash", "flash causal")}
    rows, differs = [], 0
    for length in map(int, args.length.split(",")):
        dims = (1, args.heads, length, HEAD_DIM)
        q, k, v = (generator.standard_normal(dims, dtype="float32") for _ in range(3))
        outputs = {name: np.zeros(dims, "float32") for name in ("unfused", *functions)}
        kernels = {"unfused": Unfused(np, q, k, v, outputs["unfused"])}
        for name, function in functions.items():
            kernels[name] = flash.launcher(function, [(Buffer(x), dims) for x in (q, k, v)], [(Buffer(outputs[name]), dims)])
        added = {name: added_memory(call) for name, call in kernels.items()}
        times = measure(kernels, args.rounds)
        # Both compute the same, or the times mean nothing.
        error = float(np.linalg.norm(outputs["flash"] - outputs["unfused"]) / np.linalg.norm(outputs["unfused"]))
        differs += not error < 1e-5
        for name, (wall, cpu) in times.items():
            rows.append({"kernel": name, "length": length, "ms": 1e3 * wall, "cpu_ms": 1e3 * cpu, "added_bytes": added[name]})
            print(f"length {length:5} {name:13} {1e3 * wall:9.1f} ms, {1e3 * cpu:9.1f} ms of CPU, {added[name] / 2**20:8.1f} MiB", flush=True)
        print(f"length {length:5} differ by {error:.1e}")
    record = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit(), "device": machine(),
              "peer": f"NumPy {np.__version__} with its OpenBLAS", "heads": args.heads, "head_dim": HEAD_DIM, "threads": THREADS,
              "samples": args.rounds, "load": os.getloadavg()[0], "results": rows}
    if args.json:
        with open(args.json, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())
