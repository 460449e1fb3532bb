#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention on the CPU beside OpenBLAS's sgemm, in one process, in turns.

    python3 benchmarks/attention_cpu.py --threads 1,2 --head-dim 64,128 --length 2048,4096 --json benchmarks/results/cpu.json

Attention is two matrix products, so a matrix product is what it can be held against.
f32, N(0, 1) inputs; FLOPs are 4 * heads * length^2 * head dim, for causal those of
visible pairs (length * (length + 1) / 2). The rate of sgemm is that of 2048^3.
Medians of --rounds rounds, in each of which every kernel runs once. Also measured: the error
of a row against float64, and the memory that the first call adds to what it was given.
Needs libflash-c (FLASH_LIBRARY, or the build tree's) and libopenblas (FLASH_OPENBLAS, or the system's).
"""

import argparse
import array
import ctypes
import ctypes.util
import datetime
import json
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Argument(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dims", ctypes.POINTER(ctypes.c_int64)), ("value", ctypes.c_int64),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("number", ctypes.c_double)]


class Flash:
    """The few entries of the C library that are needed here."""

    def __init__(self, path):
        self.library = lib = ctypes.CDLL(path)
        lib.flashCompile.restype = ctypes.c_void_p
        lib.flashCompile.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_char_p]
        lib.flashGetLastError.restype = ctypes.c_char_p
        lib.flashFunctionLaunch.argtypes = [ctypes.c_void_p] + [ctypes.POINTER(Argument)] * 2 + [ctypes.c_void_p]
        lib.flashFunctionDestroy.argtypes = [ctypes.c_void_p]
        lib.flashSetNumThreads.argtypes = [ctypes.c_int32]

    def fail(self):
        sys.exit("flash: " + self.library.flashGetLastError().decode())

    def compile(self, text):
        function = self.library.flashCompile(text.encode(), len(text.encode()), b"cpu", b"")
        return function or self.fail()

    def launcher(self, function, arguments, results):
        def pack(arrays):
            out = (Argument * len(arrays))()
            for slot, (data, dims) in zip(out, arrays):
                slot.data = data.buffer_info()[0]
                slot.dims = ctypes.cast((ctypes.c_int64 * len(dims))(*dims), ctypes.POINTER(ctypes.c_int64))
            return out

        ins, outs = pack(arguments), pack(results)

        def launch():
            if self.library.flashFunctionLaunch(function, ins, outs, None):
                self.fail()

        return launch


def attention_mlir(heads, head_dim, causal):
    tensor = f"tensor<1x{heads}x?x{head_dim}xf32>"
    mask = " {mask = #flash.causal}" if causal else ""
    return (f"func.func @attention(%q: {tensor}, %k: {tensor}, %v: {tensor}) -> {tensor} {{\n"
            f"  %o = flash.attention %q, %k, %v{mask} : {tensor}, {tensor}, {tensor} -> {tensor}\n"
            f"  return %o : {tensor}\n}}\n")


def normal(count, generator):
    """N(0, 1) values: a pool of them, drawn from at random places."""
    pool = array.array("f", (generator.gauss(0, 1) for _ in range(1 << 16)))
    values = array.array("f")
    while len(values) < count:
        start = generator.randrange(len(pool) - 4096)
        values.extend(pool[start:start + 4096])
    return values[:count]


def error_of_row(q, k, v, o, row, length, head_dim, causal):
    """Relative error of one row of the first head, against float64."""
    keys = row + 1 if causal else length
    scores = [sum(q[row * head_dim + d] * k[j * head_dim + d] for d in range(head_dim)) / math.sqrt(head_dim) for j in range(keys)]
    top = max(scores)
    weights = [math.exp(s - top) for s in scores]
    total = sum(weights)
    exact = [sum(w * v[j * head_dim + d] for j, w in enumerate(weights)) / total for d in range(head_dim)]
    difference = math.sqrt(sum((o[row * head_dim + d] - e) ** 2 for d, e in enumerate(exact)))
    return difference / math.sqrt(sum(e * e for e in exact))


def memory(field):
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":")) * 1024


def added_memory(launch):
    """Bytes by which the resident set grows, at its highest, during a call."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # the high-water mark starts again
    before = memory("VmRSS")
    launch()
    return max(0, memory("VmHWM") - before)


def sgemm_launcher(blas, size, generator):
    a, b = normal(size * size, generator), normal(size * size, generator)
    c = array.array("f", bytes(4 * size * size))
    pointer = ctypes.POINTER(ctypes.c_float)
    pa, pb, pc = (ctypes.cast(x.buffer_info()[0], pointer) for x in (a, b, c))
    blas.cblas_sgemm.argtypes = [ctypes.c_int] * 6 + [ctypes.c_float, pointer, ctypes.c_int, pointer, ctypes.c_int, ctypes.c_float, pointer, ctypes.c_int]
    keep = (a, b, c)
    return lambda: keep and blas.cblas_sgemm(101, 111, 111, size, size, size, 1.0, pa, size, pb, size, 0.0, pc, size)


def seconds(launch):
    start = time.perf_counter()
    launch()
    return time.perf_counter() - start


def machine():
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return {"name": name, "cpus": os.cpu_count()}


def commit():
    try:
        return subprocess.check_output(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], text=True, stderr=subprocess.DEVNULL).strip()
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("FLASH_COMMIT", "unknown")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2", help="comma-separated")
    parser.add_argument("--head-dim", default="64,128", help="comma-separated")
    parser.add_argument("--length", default="2048,4096", help="comma-separated")
    parser.add_argument("--causal", default="0,1", help="0, 1 or both")
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bar", type=float, default=0.75, help="fail below this share of sgemm's rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="append the results to this file")
    args = parser.parse_args()

    flash = Flash(os.environ.get("FLASH_LIBRARY", os.path.join(ROOT, "build", "lib", "libflash-c.so")))
    blas_path = os.environ.get("FLASH_OPENBLAS") or ctypes.util.find_library("openblas")
    if not blas_path:
        sys.exit("attention_cpu.py needs OpenBLAS: on Debian, apt-get install libopenblas0-pthread.")
    blas = ctypes.CDLL(blas_path)
    generator = random.Random(args.seed)
    size = 2048
    gemm = sgemm_launcher(blas, size, generator)
    rows, below = [], 0

    for head_dim in map(int, args.head_dim.split(",")):
        for causal in (c == "1" for c in args.causal.split(",")):
            function = flash.compile(attention_mlir(args.heads, head_dim, causal))
            for length in map(int, args.length.split(",")):
                dims = (1, args.heads, length, head_dim)
                q, k, v = (normal(math.prod(dims), generator) for _ in range(3))
                o = array.array("f", [math.nan]) * math.prod(dims)
                launch = flash.launcher(function, [(q, dims), (k, dims), (v, dims)], [(o, dims)])
                pairs = length * (length + 1) / 2 if causal else length * length
                flops = 4.0 * args.heads * pairs * head_dim
                for threads in map(int, args.threads.split(",")):
                    flash.library.flashSetNumThreads(threads)
                    blas.openblas_set_num_threads(threads)
                    extra = added_memory(launch)
                    gemm()
                    times, gemm_times = [], []
                    for _ in range(args.rounds):
                        gemm_times.append(seconds(gemm))
                        times.append(seconds(launch))
                    rate = flops / statistics.median(times) / 1e9
                    gemm_rate = 2.0 * size**3 / statistics.median(gemm_times) / 1e9
                    row = {"kernel": "flash cpu", "head_dim": head_dim, "length": length, "heads": args.heads, "causal": causal, "dtype": "f32",
                           "threads": threads, "ms": 1e3 * statistics.median(times), "gflops": rate, "sgemm_gflops": gemm_rate,
                           "share": rate / gemm_rate, "added_bytes": extra,
                           "error": max(error_of_row(q, k, v, o, r, length, head_dim, causal) for r in (0, length // 2, length - 1))}
                    rows.append(row)
                    below += row["share"] < args.bar
                    print(f"d{head_dim} s{length} {'causal' if causal else 'full':6} threads {threads}: {row['ms']:8.2f} ms  {rate:7.1f} GFLOP/s"
                          f"  sgemm {gemm_rate:7.1f}  share {row['share']:.2f}  added {extra >> 10} KiB  error {row['error']:.1e}", flush=True)
            flash.library.flashFunctionDestroy(function)

    if args.json:
        record = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit(),
                  "device": machine(), "peer": "OpenBLAS sgemm 2048x2048x2048", "samples": args.rounds, "results": rows}
        with open(args.json, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    print(f"{len(rows) - below} of {len(rows)} cases reach {args.bar:.0%} of sgemm's rate")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
