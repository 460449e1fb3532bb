#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What masks and score functions cost on the CPU, beside plain attention of the same sizes in the same process.

    python3 benchmarks/features_cpu.py --json benchmarks/results/cpu-features.json     measures, keeps, judges
    python3 benchmarks/features_cpu.py --judge benchmarks/results/cpu-features.json    judges what was kept

f32, N(0, 1) inputs, one thread. Kernels take turns, --rounds times; a kernel's time is the least CPU time of its thread
over the rounds, so that what else runs on the machine moves a ratio little. Bars: causal and windows cost
what the tiles that they see cost, and so do 8 documents (segments), which are told apart by their ids; ids at random cost
at most half as much again as plain attention (both by the median of the rounds' ratios); lists of blocks cost a + b x
blocks with a small a; score functions and regions cost at most half as much again. A bias (bytes) and dropout (random numbers) have no bar. Needs NumPy and libflash-c (FLASH_LIBRARY, or the build tree's).
"""

import argparse
import datetime
import json
import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "benchmarks"))
from attention_cpu import Flash, commit, machine  # noqa: E402

HEAD_DIM, TILE, BLOCK, DOCUMENTS = 64, 48, 128, 8
OVER_TILES, OVER_PLAIN, LEAST_DENSITY, CONSTANT, OFF_PROPORTION = 1.25, 1.5, 0.25, 0.03, 0.15

POSITIONS = "%b: index, %h: index, %i: index, %j: index"
CAUSAL = ("{mask = #flash.causal}", "", "", [])
SLOPES = ["%slopes: tensor<?xf32>"]
# Each: attributes, operands, regions, parameters, and whether it is beside causal or beside full attention.
SCORES = {
    "ALiBi": ("{scores = [#flash.alibi]}", "score_operands(%slopes : tensor<?xf32>)", "", SLOPES, "full"),
    "ALiBi, causal": ("{scores = [#flash.alibi], mask = #flash.causal}", "score_operands(%slopes : tensor<?xf32>)", "", SLOPES, "causal"),
    "softcap": ("{scores = [#flash.softcap<30.0 : f32>]}", "", "", [], "full"),
    "softcap, causal": ("{scores = [#flash.softcap<30.0 : f32>], mask = #flash.causal}", "", "", [], "causal"),
    "score region (distance, captured slope)": ("", "captures(%slopes : tensor<?xf32>)", f"""score {{
  ^bb0(%s: f32, {POSITIONS}, %a: tensor<?xf32>):
    %slope = tensor.extract %a[%h] : tensor<?xf32>
    %d = arith.subi %i, %j : index
    %n = arith.index_cast %d : index to i32
    %f = arith.sitofp %n : i32 to f32
    %p = arith.mulf %slope, %f : f32
    %r = arith.subf %s, %p : f32
    flash.yield %r : f32
  }}""", SLOPES, "full"),
    "score region (exp)": ("", "", f"""score {{
  ^bb0(%s: f32, {POSITIONS}):
    %a = math.absf %s : f32
    %m = arith.negf %a : f32
    %e = math.exp %m : f32
    %r = arith.addf %s, %e : f32
    flash.yield %r : f32
  }}""", [], "full"),
    "mask region (causal)": ("", "", f"""mask {{
  ^bb0({POSITIONS}):
    %seen = arith.cmpi sle, %j, %i : index
    flash.yield %seen : i1
  }}""", [], "causal"),
    "mask region (every third key)": ("", "", f"""mask {{
  ^bb0({POSITIONS}):
    %c3 = arith.constant 3 : index
    %c0 = arith.constant 0 : index
    %d = arith.subi %i, %j : index
    %m = arith.remsi %d, %c3 : index
    %seen = arith.cmpi eq, %m, %c0 : index
    flash.yield %seen : i1
  }}""", [], "full"),
    "bias": ("{scores = [#flash.bias]}", "score_operands(%bias : tensor<1x1x?x?xf32>)", "", ["%bias: tensor<1x1x?x?xf32>"], "full"),
    "dropout": ("{dropout_p = 0.1 : f32}", "dropout(%seed, %offset)", "", [], "full"),
}
WITHOUT_BAR = ("bias", "dropout")
LISTS = ["%pn: tensor<1x1x?xi32>", "%pl: tensor<1x1x?x?xi32>", "%fn: tensor<1x1x?xi32>", "%fl: tensor<1x1x?x?xi32>"]


def program(heads, attributes="", operands="", regions="", parameters=()):
    tensor = f"tensor<1x{heads}x?x{HEAD_DIM}xf32>"
    more = "".join(f", {p}" for p in parameters)
    return (f"func.func @attention(%q: {tensor}, %k: {tensor}, %v: {tensor}{more}) -> {tensor} {{\n"
            f"  %seed = arith.constant 1234 : i64\n  %offset = arith.constant 5 : i64\n"
            f"  %o = flash.attention %q, %k, %v {operands} {attributes} {regions} : {tensor}, {tensor}, {tensor} -> {tensor}\n"
            f"  return %o : {tensor}\n}}\n")


class Buffer:
    """A NumPy array as attention_cpu.Flash takes arguments."""

    def __init__(self, values):
        self.values = values

    def buffer_info(self):
        return self.values.ctypes.data, self.values.size


class Bench:
    def __init__(self, rounds, seed):
        import numpy
        self.numpy, self.rounds = numpy, rounds
        self.generator = numpy.random.default_rng(seed)
        self.flash = Flash(os.environ.get("FLASH_LIBRARY", os.path.join(ROOT, "build", "lib", "libflash-c.so")))
        self.flash.library.flashSetNumThreads(1)

    def kernel(self, heads, length, inputs, text, extras=()):
        np = self.numpy
        output = np.empty_like(inputs[0])
        arrays = [*inputs, *[np.ascontiguousarray(x) for x in extras]]
        function = self.flash.compile(text)
        return self.flash.launcher(function, [(Buffer(x), x.shape) for x in arrays], [(Buffer(output), output.shape)]), (arrays, output)

    def inputs(self, heads, length):
        return [self.generator.standard_normal((1, heads, length, HEAD_DIM), dtype="float32") for _ in range(3)]

    def samples(self, kernels):
        """CPU milliseconds of each in each round, run in turns."""
        times = {name: [] for name in kernels}
        for launch, _ in kernels.values():
            launch()
        for _ in range(self.rounds):
            for name, (launch, _) in kernels.items():
                begin = time.thread_time()
                launch()
                times[name].append(1e3 * (time.thread_time() - begin))
        return times

    def measure(self, kernels):
        """Least CPU milliseconds of each."""
        return {name: min(times) for name, times in self.samples(kernels).items()}


def tiles(length, left, right):
    """Tiles that a window sees, of all."""
    seen = total = 0
    for first in range(0, length, TILE):
        last = min(first + TILE, length) - 1
        low = 0 if left is None else max(0, first - left)
        high = length - 1 if right is None else min(length - 1, last + right)
        seen += high // TILE - low // TILE + 1
        total += -(-length // TILE)
    return seen / total


def windows(bench, length, heads):
    inputs = bench.inputs(heads, length)
    cases = {"full": ("", None, None), "causal": ("{mask = #flash.causal}", None, 0)}
    for left in (128, 512, 2048):
        if left < length:
            cases[f"window {left}"] = (f"{{mask = #flash.window<left = {left}, right = 0>}}", left, 0)
    kernels = {name: bench.kernel(heads, length, inputs, program(heads, text)) for name, (text, _, _) in cases.items()}
    times = bench.measure(kernels)
    return [{"section": "visible", "case": name, "length": length, "heads": heads, "ms": times[name], "full_ms": times["full"],
             "tiles": tiles(length, *cases[name][1:])} for name in cases]


def shared_tiles(ids):
    """Tiles whose queries' and keys' ranges of ids meet, of all."""
    ranges = [(min(ids[first:first + TILE]), max(ids[first:first + TILE])) for first in range(0, len(ids), TILE)]
    seen = sum(low <= end and first <= high for low, high in ranges for first, end in ranges)
    return seen / len(ranges) ** 2


def documents(bench, length, heads):
    np, inputs = bench.numpy, bench.inputs(heads, length)
    text = program(heads, "{mask = #flash.segments}", "mask_operands(%qs, %ks : tensor<1x?xi32>, tensor<1x?xi32>)", "",
                   ["%qs: tensor<1x?xi32>", "%ks: tensor<1x?xi32>"])
    cases = {f"{DOCUMENTS} documents": np.arange(length, dtype="int32") * DOCUMENTS // length,
             "ids at random": bench.generator.integers(0, DOCUMENTS, length, dtype="int32")}
    kernels = {"full": bench.kernel(heads, length, inputs, program(heads))}
    for name, ids in cases.items():
        kernels[name] = bench.kernel(heads, length, inputs, text, [ids[None], ids[None]])
    times = bench.samples(kernels)
    return [{"section": "documents", "case": name, "length": length, "heads": heads, "ms": min(times[name]), "full_ms": min(times["full"]),
             "ratio": statistics.median(t / full for t, full in zip(times[name], times["full"])), "tiles": shared_tiles(ids.tolist())}
            for name, ids in cases.items()]


def lists(bench, length, heads):
    np = bench.numpy
    inputs, side = bench.inputs(heads, length), length // BLOCK
    text = program(heads, f"{{mask = #flash.block_sparse<bq = {BLOCK}, bk = {BLOCK}>}}",
                   "mask_operands(%pn, %pl, %fn, %fl : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>)", "", LISTS)
    kernels, counts = {"full": bench.kernel(heads, length, inputs, program(heads))}, {}
    for each in sorted({1, 2, side // 8, side // 4, side // 2, 3 * side // 4, side}):
        full = np.stack([np.sort(bench.generator.permutation(side)[:each]) for _ in range(side)]).astype("int32")
        counts[each] = each * side * heads
        none, nothing = np.zeros((1, 1, side), "int32"), np.zeros((1, 1, side, 1), "int32")
        kernels[each] = bench.kernel(heads, length, inputs, text, [none, nothing, np.full((1, 1, side), each, "int32"), full[None, None]])
    times = bench.measure(kernels)
    return [{"section": "lists", "case": f"{each} of {side} blocks a row", "length": length, "heads": heads, "blocks": counts[each],
             "density": each / side, "ms": times[each], "full_ms": times["full"]} for each in counts]


def scores(bench, length, heads):
    np, inputs = bench.numpy, bench.inputs(heads, length)
    operands = {"%slopes": np.linspace(0.01, 0.1, heads, dtype="float32"),
                "%bias": bench.generator.standard_normal((1, 1, length, length), dtype="float32")}
    kernels = {"full": bench.kernel(heads, length, inputs, program(heads)), "causal": bench.kernel(heads, length, inputs, program(heads, CAUSAL[0]))}
    for name, (attributes, ops, regions, parameters, _) in SCORES.items():
        extras = [operands[p.split(":")[0]] for p in parameters]
        kernels[name] = bench.kernel(heads, length, inputs, program(heads, attributes, ops, regions, parameters), extras)
    times = bench.measure(kernels)
    return [{"section": "scores", "case": name, "length": length, "heads": heads, "beside": SCORES[name][4], "ms": times[name],
             "plain_ms": times[SCORES[name][4]]} for name in SCORES]


def judge(record):
    """(bar, measured, most that is allowed)"""
    rows = record["results"]
    for row in rows:
        if row["section"] == "visible" and row["case"] != "full":
            yield (f"{row['case']}, length {row['length']}: time over its {row['tiles']:.3f} of the tiles",
                   row["ms"] / row["full_ms"] / row["tiles"], OVER_TILES)
    for row in rows:
        if row["section"] == "documents" and row["tiles"] < 1:
            yield (f"{row['case']}, length {row['length']}: time over its {row['tiles']:.3f} of the tiles",
                   row["ratio"] / row["tiles"], OVER_TILES)
        elif row["section"] == "documents":
            yield f"{row['case']}, length {row['length']}: over plain full", row["ratio"], OVER_PLAIN
    for length in sorted({r["length"] for r in rows if r["section"] == "lists"}):
        found = sorted((r for r in rows if r["section"] == "lists" and r["length"] == length), key=lambda r: r["blocks"])
        a, b = fit(found)
        dense = found[-1]
        yield f"block lists, length {length}: a of a + b x blocks, over the time of all blocks", max(a, 0) / dense["ms"], CONSTANT
        worst = max(abs(r["ms"] / (r["density"] * dense["ms"]) - 1) for r in found if r["density"] >= LEAST_DENSITY)
        yield f"block lists, length {length}: off proportion, from density {LEAST_DENSITY}", worst, OFF_PROPORTION
    for row in rows:
        if row["section"] == "scores" and row["case"] not in WITHOUT_BAR:
            yield f"{row['case']}, length {row['length']}: over plain {row['beside']}", row["ms"] / row["plain_ms"], OVER_PLAIN


def fit(rows):
    """a and b of ms = a + b x blocks, least squares of relative errors: small times count as much as large ones."""
    weights = [1 / r["ms"] ** 2 for r in rows]
    total = sum(weights)
    x = sum(w * r["blocks"] for w, r in zip(weights, rows)) / total
    y = sum(w * r["ms"] for w, r in zip(weights, rows)) / total
    b = (sum(w * (r["blocks"] - x) * (r["ms"] - y) for w, r in zip(weights, rows)) /
         sum(w * (r["blocks"] - x) ** 2 for w, r in zip(weights, rows)))
    return y - b * x, b


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", default="2048,4096", help="comma-separated, multiples of %d" % BLOCK)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="append the results to this file")
    parser.add_argument("--judge", metavar="FILE", help="measure nothing; judge the last record of this file")
    args = parser.parse_args()
    if args.judge:
        with open(args.judge, encoding="utf-8") as file:
            record = json.loads(file.read().strip().split("\n")[-1])
    else:
        bench, rows = Bench(args.rounds, args.seed), []
        for length in map(int, args.length.split(",")):
            for section in (windows, documents, lists, scores):
                rows += section(bench, length, args.heads)
                print(f"length {length}: {section.__name__}", flush=True)
        record = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit(), "device": machine(),
                  "threads": 1, "time": "least CPU time of the thread", "samples": args.rounds, "load": os.getloadavg()[0],
                  "head_dim": HEAD_DIM, "results": rows}
        if args.json:
            with open(args.json, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
    missed = 0
    for row in record["results"]:
        if row["section"] == "scores" and row["case"] in WITHOUT_BAR:
            print(f"           {row['case']}, length {row['length']}: over plain {row['beside']:31} {row['ms'] / row['plain_ms']:23.3f}")
    for bar, measured, most in judge(record):
        missed += not measured <= most
        print(f"  {'reached' if measured <= most else 'MISSED '}  {bar:75} {measured:6.3f}  at most {most}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
