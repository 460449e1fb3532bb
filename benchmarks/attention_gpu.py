#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times our kernels beside PyTorch's on the same tensors, in one process.

    python3 benchmarks/attention_gpu.py --target sm_90a,sm_80 --head-dim 128 --length 8192 --json out.json

Inputs are N(0, 1). Every implementation is warmed up, then all are timed in
turns (so that the board's clock is the same for each), one CUDA event pair a
launch, and the median is reported, with the error against float64 of a few heads.
FLOPs are 4 * batch * heads * length^2 * head dim, half of that when causal.
Needs torch with CUDA and libflash-c (FLASH_LIBRARY, or the build tree's).
"""

import argparse
import datetime
import json
import math
import os
import statistics
import subprocess
import sys
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flash_ctypes  # noqa: E402


def attention_mlir(head_dim, causal, dtype, lse=False):
    q = f"tensor<?x?x?x{head_dim}x{dtype}>"
    mask = " {mask = #flash.causal}" if causal else ""
    return (f"func.func @attention(%q: {q}, %k: {q}, %v: {q}) -> {q} {{\n"
            f"  %o = flash.attention %q, %k, %v{mask} : {q}, {q}, {q} -> {q}\n"
            f"  return %o : {q}\n}}\n")


def our_kernel(target, schedule, head_dim, causal, dtype, q, k, v):
    """A launcher of ours and its milliseconds of compilation."""
    start = time.perf_counter()
    program = flash_ctypes.compile(attention_mlir(head_dim, causal, dtype), target=target, options=f"schedule={schedule}" if schedule else "")
    out = torch.full_like(q, float("nan"))
    stream = torch.cuda.current_stream().cuda_stream

    def launch():
        program.launch([q, k, v], [out], stream=stream)
        return out

    launch()
    torch.cuda.synchronize()
    return launch, 1e3 * (time.perf_counter() - start)


def torch_kernel(backend, causal, q, k, v):
    def launch():
        with sdpa_kernel(backend):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=q.shape[1] != k.shape[1])

    launch()
    return launch


def reference(q, k, v, causal, head):
    """One head in float64."""
    group = q.shape[1] // k.shape[1]
    qh, kh, vh = q[0, head].double(), k[0, head // group].double(), v[0, head // group].double()
    out = torch.empty_like(qh)
    for start in range(0, qh.shape[0], 1024):
        scores = qh[start:start + 1024] @ kh.T / math.sqrt(qh.shape[1])
        if causal:
            row = torch.arange(start, min(start + 1024, qh.shape[0]), device=q.device)
            hidden = torch.arange(kh.shape[0], device=q.device)[None, :] > row[:, None] + (kh.shape[0] - qh.shape[0])
            scores.masked_fill_(hidden, -math.inf)
        out[start:start + 1024] = torch.softmax(scores, dim=-1) @ vh
    return out


def error(out, q, k, v, causal):
    heads = sorted({0, q.shape[1] - 1})
    worst = 0.0
    for head in heads:
        ref = reference(q, k, v, causal, head)
        worst = max(worst, float((out[0, head].double() - ref).norm() / ref.norm()))
    return worst


def time_in_turns(kernels, rounds, launches):
    """Median milliseconds of each launcher."""
    for launch in kernels.values():
        for _ in range(3):
            launch()
    torch.cuda.synchronize()
    times = {name: [] for name in kernels}
    for _ in range(rounds):
        for name, launch in kernels.items():
            events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(launches)]
            launch()
            for begin, end in events:
                begin.record()
                launch()
                end.record()
            torch.cuda.synchronize()
            times[name] += [begin.elapsed_time(end) for begin, end in events]
            time.sleep(0.02)
    return {name: statistics.median(t) for name, t in times.items()}


def device_state():
    query = "name,driver_version,clocks.sm,clocks.mem,power.draw,temperature.gpu"
    try:
        values = subprocess.check_output(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"], text=True).strip().split(", ")
        return dict(zip(query.split(","), values))
    except (OSError, subprocess.CalledProcessError):
        return {"name": torch.cuda.get_device_name()}


def run_case(args, head_dim, length, causal):
    dtype = {"bf16": torch.bfloat16, "f16": torch.float16}[args.dtype]
    batch = max(1, args.tokens // length)
    heads = args.heads or max(1, 2048 // head_dim)
    generator = torch.Generator(device="cuda").manual_seed(args.seed)
    q, k, v = (torch.randn(batch, h, length, head_dim, device="cuda", dtype=torch.float32, generator=generator).to(dtype)
               for h in (heads, args.kv_heads or heads, args.kv_heads or heads))
    flops = 4.0 * batch * heads * length * length * head_dim * (0.5 if causal else 1.0)
    kernels, compile_ms, failures = {}, {}, {}
    for entry in filter(None, args.target.split(",")):
        target, _, schedule = entry.partition("@")
        try:
            kernels[f"flash {entry}"], compile_ms[f"flash {entry}"] = our_kernel(
                target, f"#flash.schedule<{schedule.replace(';', ', ')}>" if schedule else "", head_dim, causal, args.dtype, q, k, v)
        except flash_ctypes.FlashError as e:
            failures[f"flash {entry}"] = str(e)
            print(f"flash {entry}: {e}", file=sys.stderr)
    for name, backend in (("cudnn", SDPBackend.CUDNN_ATTENTION), ("fa2", SDPBackend.FLASH_ATTENTION)):
        if name in args.peers.split(","):
            try:
                kernels[name] = torch_kernel(backend, causal, q, k, v)
            except RuntimeError as e:
                failures[name] = str(e)
    errors = {name: error(launch(), q, k, v, causal) for name, launch in kernels.items()}
    medians = time_in_turns(kernels, args.rounds, args.launches)
    rows = []
    for name, ms in medians.items():
        rows.append({"kernel": name, "head_dim": head_dim, "length": length, "batch": batch, "heads": heads, "kv_heads": args.kv_heads or heads,
                     "causal": causal, "dtype": args.dtype, "ms": ms, "tflops": flops / ms / 1e9, "error": errors[name],
                     "compile_ms": compile_ms.get(name)})
        print(f"d{head_dim} s{length} b{batch} h{heads} {'causal' if causal else 'full':6} {name:40} {ms:9.4f} ms {flops / ms / 1e9:8.1f} TFLOP/s"
              f"  error {errors[name]:.3e}" + (f"  compile {compile_ms[name]:.0f} ms" if name in compile_ms else ""), flush=True)
    return rows, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="sm_90a,sm_80", help="targets of ours; NAME@m=128;n=64 overrides the schedule")
    parser.add_argument("--peers", default="cudnn,fa2", help="cudnn, fa2")
    parser.add_argument("--head-dim", default="128", help="comma-separated")
    parser.add_argument("--length", default="8192", help="comma-separated")
    parser.add_argument("--causal", default="0,1", help="0, 1 or both")
    parser.add_argument("--dtype", default="bf16", choices=["bf16", "f16"])
    parser.add_argument("--tokens", type=int, default=16384, help="batch * length")
    parser.add_argument("--heads", type=int, default=0, help="default: heads * head dim = 2048")
    parser.add_argument("--kv-heads", type=int, default=0, help="default: as many as heads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--launches", type=int, default=6, help="timed launches a round")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="append the results to this file")
    args = parser.parse_args()
    rows, failures = [], {}
    before = device_state()
    for head_dim in map(int, args.head_dim.split(",")):
        for causal in args.causal.split(","):
            for length in map(int, args.length.split(",")):
                case_rows, case_failures = run_case(args, head_dim, length, causal == "1")
                rows += case_rows
                failures.update(case_failures)
    if args.json:
        try:
            commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True, stderr=subprocess.DEVNULL).strip()
        except (OSError, subprocess.CalledProcessError):
            commit = os.environ.get("FLASH_COMMIT", "unknown")
        record = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit, "device": before,
                  "device_after": device_state(), "torch": torch.__version__, "cudnn": torch.backends.cudnn.version(),
                  "samples": args.rounds * args.launches, "failures": failures, "results": rows}
        with open(args.json, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
