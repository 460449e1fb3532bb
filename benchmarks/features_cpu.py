#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What masks, score functions, pages and 8-bit keys cost on the CPU, beside plain attention of the same sizes in the same process.

    python3 benchmarks/features_cpu.py --json benchmarks/results/cpu-features.json     measures, keeps, judges; about two minutes
    python3 benchmarks/features_cpu.py --judge benchmarks/results/cpu-features.json    judges what was kept: the last whole run
    python3 benchmarks/features_cpu.py --only pages,"8 documents" --length 4096        some features; --list names them

f32, head dim 64, N(0, 1) inputs, one thread. After a warm-up, kernels take turns, --rounds times, each round beginning with another. A
time is CPU time of the thread, and the median of the rounds; what a feature costs is the median of its time over plain attention's
in the same round, so that what else runs on the machine moves it little. Outputs are compared with float64 where the answer is a
masked softmax. Bars: masks and ragged sequences cost what the tiles that they see cost; ids at random, which hide nothing, at most half
as much again as plain attention; lists of blocks a + b x blocks with a small a; score functions, a bias, regions and sinks at most half
as much again. Dropout (random numbers), pages and 8-bit keys have no bar. Needs NumPy and libflash-c (FLASH_LIBRARY, or the build tree's).
"""

import argparse
import dataclasses
import datetime
import itertools
import json
import os
import statistics
import sys
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "benchmarks"))
from attention_cpu import Flash, commit, machine  # noqa: E402

HEAD_DIM, TILE, BLOCK, DOCUMENTS, PAGES = 64, 48, 128, 8, (16, 64, 128)
OVER_TILES, OVER_PLAIN, LEAST_DENSITY, CONSTANT, OFF_PROPORTION = 1.25, 1.5, 0.25, 0.03, 0.15
ERROR = 1e-5  # of a row, against float64

POSITIONS = "%b: index, %h: index, %i: index, %j: index"
CAUSAL = "{mask = #flash.causal}"
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
    "sinks": ("", "sinks(%sinks : tensor<?xf32>)", "", ["%sinks: tensor<?xf32>"], "full"),
    "sinks, causal": ("{mask = #flash.causal}", "sinks(%sinks : tensor<?xf32>)", "", ["%sinks: tensor<?xf32>"], "causal"),
    "dropout": ("{dropout_p = 0.1 : f32}", "dropout(%seed, %offset)", "", [], "full"),
}
WITHOUT_BAR = ("dropout",)
LISTS = ["%pn: tensor<1x1x?xi32>", "%pl: tensor<1x1x?x?xi32>", "%fn: tensor<1x1x?xi32>", "%fl: tensor<1x1x?x?xi32>"]


@dataclasses.dataclass
class Case:
    """A kernel: text of the operation, and what it reads beside the inputs of its section."""
    attributes: str = ""
    operands: str = ""
    regions: str = ""
    parameters: typing.Sequence[str] = ()
    extras: typing.Sequence[typing.Any] = ()  # arrays for the parameters
    beside: typing.Sequence[str] = ("full",)  # kernels of the section that it is held against
    facts: dict = dataclasses.field(default_factory=dict)  # for its row: the tiles that it sees, ...
    key_type: str = ""  # of keys and values, if not that of the queries, with ...
    keys: typing.Any = None  # ... both of these arrays
    # What float64 is asked for: which keys a row sees (None: it is not asked), a sink of head 0, keys and values in f32.
    sees: typing.Any = None
    sink: float = -float("inf")
    exact_keys: typing.Any = None


def program(heads, case):
    tensor = f"tensor<1x{heads}x?x{HEAD_DIM}xf32>"
    key = case.key_type or tensor
    more = "".join(f", {p}" for p in case.parameters)
    return (f"func.func @attention(%q: {tensor}, %k: {key}, %v: {key}{more}) -> {tensor} {{\n"
            f"  %seed = arith.constant 1234 : i64\n  %offset = arith.constant 5 : i64\n"
            f"  %o = flash.attention %q, %k, %v {case.operands} {case.attributes} {case.regions} : {tensor}, {key}, {key} -> {tensor}\n"
            f"  return %o : {tensor}\n}}\n")


class Buffer:
    """A NumPy array as attention_cpu.Flash takes arguments."""

    def __init__(self, values):
        self.values = values

    def buffer_info(self):
        return self.values.ctypes.data, self.values.size


class Bench:
    def __init__(self, rounds, seed, only=(), listing=False):
        import numpy
        self.numpy, self.rounds, self.only, self.listing = numpy, rounds, [part.lower() for part in only], listing
        self.compiled = {}  # lengths are those of a call
        self.generator = numpy.random.default_rng(seed)
        self.flash = Flash(os.environ.get("FLASH_LIBRARY", os.path.join(ROOT, "build", "lib", "libflash-c.so")))
        self.flash.library.flashSetNumThreads(1)

    def kernel(self, inputs, case):
        np = self.numpy
        output = np.full_like(inputs[0], np.nan)
        arrays = [np.ascontiguousarray(x) for x in (inputs[0], *(case.keys or inputs[1:]), *case.extras)]
        text = program(inputs[0].shape[1], case)
        if text not in self.compiled:
            self.compiled[text] = self.flash.compile(text)
        launch = self.flash.launcher(self.compiled[text], [(Buffer(x), x.shape) for x in arrays], [(Buffer(output), output.shape)])
        return launch, (arrays, output)

    def inputs(self, heads, length):
        return [self.generator.standard_normal((1, heads, length, HEAD_DIM), dtype="float32") for _ in range(3)]

    def check(self, name, inputs, case, output):
        """A few rows of head 0 against float64, or times would mean nothing."""
        np, length = self.numpy, inputs[0].shape[2]
        if not np.isfinite(output).all():
            sys.exit(f"{name}: the output is not finite")
        if case.sees is None:
            return
        q, k, v = (x[0, 0].astype("float64") for x in (inputs[0], *(case.exact_keys or inputs[1:])))
        for row in (0, length // 3, length - 1):
            seen = case.sees(row, np.arange(length))
            scores = k[seen] @ q[row] / HEAD_DIM ** 0.5
            top = max(scores.max(), case.sink)
            weights = np.exp(scores - top)
            exact = weights @ v[seen] / (weights.sum() + np.exp(case.sink - top))
            error = np.linalg.norm(output[0, 0, row] - exact) / np.linalg.norm(exact)
            if not error <= ERROR:
                sys.exit(f"{name}, length {length}: row {row} is off by {error:.1e}")

    def samples(self, kernels):
        """CPU milliseconds of each in each round, run in turns, each round beginning with another."""
        names = list(kernels)
        times = {name: [] for name in names}
        for turn in range(self.rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                launch = kernels[name][0]
                begin = time.thread_time()
                launch()
                times[name].append(1e3 * (time.thread_time() - begin))
        return times

    def measure(self, section, heads, inputs, cases):
        """Rows of the cases that are asked for. Those without a kernel beside them are what others are held against."""
        if self.listing:
            print("\n".join(f"{section}: {name}" for name, case in cases.items() if case.beside))
            return []
        wanted = {name for name, case in cases.items()
                  if case.beside and (not self.only or any(part in f"{section}: {name}".lower() for part in self.only))}
        needed = wanted | {other for name in wanted for other in cases[name].beside}
        kernels = {name: self.kernel(inputs, case) for name, case in cases.items() if name in needed}
        for name, (launch, (_, output)) in kernels.items():
            launch()  # the warm-up
            self.check(name, inputs, cases[name], output)
        times = self.samples(kernels) if kernels else {}
        return [{"section": section, "case": name, "length": inputs[0].shape[2], "heads": heads, "beside": other, "ms": statistics.median(times[name]),
                 "beside_ms": statistics.median(times[other]), "ratio": statistics.median(a / b for a, b in zip(times[name], times[other])),
                 **(case.facts if other == case.beside[0] else {})}
                for name, case in cases.items() if name in wanted for other in case.beside]


def everything(row, j):
    return j >= 0


def below(row, j):
    return j <= row


FULL = Case(beside=(), sees=everything)


def tiles(length, left, right, prefix=0):
    """Tiles that a window, or a prefix beside it, sees, of all."""
    seen = total = 0
    for first in range(0, length, TILE):
        last = min(first + TILE, length) - 1
        low = 0 if left is None or prefix else max(0, first - left)
        high = length - 1 if right is None else min(length - 1, max(last + right, prefix - 1))
        seen += high // TILE - low // TILE + 1
        total += -(-length // TILE)
    return seen / total


def visible(bench, length, heads):
    np = bench.numpy
    cases = {"full": FULL, "causal": Case(CAUSAL, facts={"tiles": tiles(length, None, 0)}, sees=below)}
    for left in (128, 512, 2048):
        if left < length:
            cases[f"window {left}"] = Case(f"{{mask = #flash.window<left = {left}, right = 0>}}", facts={"tiles": tiles(length, left, 0)},
                                           sees=lambda row, j, left=left: (j <= row) & (j >= row - left))
    for part in (8, 2):
        prefix = length // part
        cases[f"prefix-LM, a prefix of 1/{part}"] = Case(
            "{mask = #flash.or<#flash.causal, #flash.prefix>}", "mask_operands(%prefix : tensor<1xi32>)", "", ["%prefix: tensor<1xi32>"],
            [np.array([prefix], "int32")], facts={"tiles": tiles(length, None, 0, prefix)},
            sees=lambda row, j, prefix=prefix: (j <= row) | (j < prefix))
    return bench.measure("visible", heads, bench.inputs(heads, length), cases)


def shared_tiles(ids):
    """Tiles whose queries' and keys' ranges of ids meet, of all."""
    ranges = [(min(ids[first:first + TILE]), max(ids[first:first + TILE])) for first in range(0, len(ids), TILE)]
    seen = sum(low <= end and first <= high for low, high in ranges for first, end in ranges)
    return seen / len(ranges) ** 2


def documents(bench, length, heads):
    np, cases = bench.numpy, {"full": FULL}
    inputs, each = bench.inputs(heads, length), length // DOCUMENTS
    in_order = np.arange(length, dtype="int32") * DOCUMENTS // length
    for name, ids in ((f"{DOCUMENTS} documents", in_order), ("ids at random", bench.generator.integers(0, DOCUMENTS, length, dtype="int32"))):
        cases[name] = Case("{mask = #flash.segments}", "mask_operands(%qs, %ks : tensor<1x?xi32>, tensor<1x?xi32>)", "",
                           ["%qs: tensor<1x?xi32>", "%ks: tensor<1x?xi32>"], [ids[None], ids[None]], facts={"tiles": shared_tiles(ids.tolist())},
                           sees=lambda row, j, ids=ids: ids[j] == ids[row])
    # The same documents as sequences of their own: blocks begin where they begin.
    begins = np.arange(DOCUMENTS + 1, dtype="int32") * each
    cases[f"{DOCUMENTS} ragged sequences"] = Case(
        "", "cu_seqlens_q(%cq : tensor<?xi32>) cu_seqlens_k(%ck : tensor<?xi32>)", "", ["%cq: tensor<?xi32>", "%ck: tensor<?xi32>"],
        [begins, begins], beside=("full", f"{DOCUMENTS} documents"), facts={"tiles": DOCUMENTS * (-(-each // TILE) / -(-length // TILE)) ** 2},
        sees=lambda row, j: j // each == row // each)
    return bench.measure("documents", heads, inputs, cases)


def lists(bench, length, heads):
    np, cases, side = bench.numpy, {"full": FULL}, length // BLOCK
    inputs = bench.inputs(heads, length)
    none, nothing = np.zeros((1, 1, side), "int32"), np.zeros((1, 1, side, 1), "int32")
    for each in sorted({1, 2, side // 8, side // 4, side // 2, 3 * side // 4, side} - {0}):
        full = np.stack([np.sort(bench.generator.permutation(side)[:each]) for _ in range(side)]).astype("int32")
        cases[f"{each} of {side} blocks a row"] = Case(
            f"{{mask = #flash.block_sparse<bq = {BLOCK}, bk = {BLOCK}>}}",
            "mask_operands(%pn, %pl, %fn, %fl : tensor<1x1x?xi32>, tensor<1x1x?x?xi32>, tensor<1x1x?xi32>, tensor<1x1x?x?xi32>)", "", LISTS,
            [none, nothing, np.full((1, 1, side), each, "int32"), full[None, None]],
            facts={"blocks": each * side * heads, "density": each / side},
            sees=lambda row, j, full=full: np.isin(j // BLOCK, full[row // BLOCK]))
    return bench.measure("lists", heads, inputs, cases)


def scores(bench, length, heads):
    np, inputs = bench.numpy, bench.inputs(heads, length)
    operands = {"%slopes": np.linspace(0.01, 0.1, heads, dtype="float32"), "%sinks": np.linspace(4, 8, heads, dtype="float32"),
                "%bias": bench.generator.standard_normal((1, 1, length, length), dtype="float32")}
    sees = {"sinks": everything, "sinks, causal": below, "mask region (causal)": below,
            "mask region (every third key)": lambda row, j: np.fmod(row - j, 3) == 0}
    cases = {"full": FULL, "causal": Case(CAUSAL, beside=(), sees=below)}
    for name, (attributes, ops, regions, parameters, beside) in SCORES.items():
        cases[name] = Case(attributes, ops, regions, parameters, [operands[p.split(":")[0]] for p in parameters], (beside,), sees=sees.get(name),
                           sink=float(operands["%sinks"][0]) if name.startswith("sinks") else -float("inf"))
    return bench.measure("scores", heads, inputs, cases)


def eight_bit_values(np, kind):
    """What the 8-bit type has: values in order, and their bytes."""
    codes = np.arange(256, dtype="uint8")
    if kind == "i8":
        values = codes.view("int8").astype("float32")
        codes, values = codes[values > -128], values[values > -128]
    else:  # f8E4M3FN: sign, 4 bits of exponent with bias 7, 3 of mantissa; all ones is NaN
        exponent, mantissa = (codes >> 3 & 15).astype("float32"), (codes & 7).astype("float32")
        values = np.where(exponent == 0, mantissa * 2.0 ** -9, (1 + mantissa / 8) * 2.0 ** (exponent - 7)).astype("float32")
        values = np.where(codes < 128, values, -values)
        codes, values = codes[(codes & 127) != 127], values[(codes & 127) != 127]
    order = np.argsort(values, kind="stable")
    return values[order], codes[order]


def narrowed(np, array, kind):
    """Bytes with a factor for each head, so that the largest element is the type's largest; and what they stand for."""
    values, codes = eight_bit_values(np, kind)
    factors = np.abs(array).max(axis=(0, 2, 3)) / values[-1]
    nearest = np.searchsorted((values[1:] + values[:-1]) / 2, array / factors[None, :, None, None])
    return codes[nearest], factors.astype("float32"), values[nearest] * factors[None, :, None, None]


def keys(bench, length, heads):
    """Where keys lie, and what they are: pages at random places, 8-bit types, a number of keys that is known at run time."""
    np, inputs = bench.numpy, bench.inputs(heads, length)
    count = np.array([length], "int32")
    cases = {"full": FULL,
             "kv_lengths, all keys": Case("", "kv_lengths(%n : tensor<1xi32>)", "", ["%n: tensor<1xi32>"], [count], sees=everything)}
    for size in PAGES:
        table = bench.generator.permutation(length // size).astype("int32")

        def paged(array):
            pages = np.empty((length // size, heads, size, HEAD_DIM), "float32")
            pages[table] = array[0].reshape(heads, length // size, size, HEAD_DIM).swapaxes(0, 1)
            return pages

        cases[f"pages of {size} keys"] = Case(
            "", "kv_lengths(%n : tensor<1xi32>) page_table(%t : tensor<1x?xi32>)", "", ["%n: tensor<1xi32>", "%t: tensor<1x?xi32>"],
            [count, table[None]], key_type=f"tensor<?x{heads}x{size}x{HEAD_DIM}xf32>", keys=[paged(x) for x in inputs[1:]], sees=everything)
    for kind in ("i8", "f8E4M3FN"):
        (k, key_factors, exact_k), (v, value_factors, exact_v) = (narrowed(np, x, kind) for x in inputs[1:])
        cases[f"{kind} keys and values"] = Case(
            "", "key_scale(%ks : tensor<?xf32>) value_scale(%vs : tensor<?xf32>)", "", ["%ks: tensor<?xf32>", "%vs: tensor<?xf32>"],
            [key_factors, value_factors], key_type=f"tensor<1x{heads}x?x{HEAD_DIM}x{kind}>", keys=[k, v], sees=everything,
            exact_keys=[exact_k, exact_v])
    return bench.measure("keys", heads, inputs, cases)


SECTIONS = (visible, documents, lists, scores, keys)


def cost(row):
    """Time over the kernel beside it. Records without the ratio have the least times of both."""
    return row["ratio"] if "ratio" in row else row["ms"] / row.get("plain_ms", row.get("full_ms"))


def beside(row):
    return row.get("beside", "full")


def bar(row):
    """What is judged, and the most that is allowed or None."""
    if "tiles" in row and row["tiles"] < 1:
        return cost(row) / row["tiles"], OVER_TILES
    barred = row["section"] == "scores" and row["case"] not in WITHOUT_BAR or "tiles" in row
    return cost(row), OVER_PLAIN if barred else None


def judge(record):
    """(case, beside, length, milliseconds or None, over the other, share of tiles or None, what is judged, the most that is allowed or None)"""
    rows = [row for row in record["results"] if row["case"] != "full"]
    for section in dict.fromkeys(row["section"] for row in rows):
        for row in (row for row in rows if row["section"] == section):
            name = f"lists, density {row['density']:.4g}" if section == "lists" else row["case"]
            yield name, beside(row), row["length"], row["ms"], cost(row), row.get("tiles"), *bar(row)
        listed = sorted((row for row in rows if row["section"] == section == "lists"), key=lambda row: (row["length"], row["blocks"]))
        for length, group in itertools.groupby(listed, key=lambda row: row["length"]):
            found = list(group)
            dense = found[-1]
            if len(found) < 3 or dense["density"] < 1:
                continue  # some were not asked for
            constant = max(fit(found)[0], 0) / cost(dense)
            yield "lists: a of a + b x blocks", "all blocks", length, None, constant, None, constant, CONSTANT
            worst = max(abs(cost(r) / (r["density"] * cost(dense)) - 1) for r in found if r["density"] >= LEAST_DENSITY)
            yield f"lists: off proportion, from density {LEAST_DENSITY}", "all blocks", length, None, worst, None, worst, OFF_PROPORTION


def fit(rows):
    """a and b of cost = a + b x blocks, least squares of relative errors: small times count as much as large ones."""
    weights = [1 / cost(r) ** 2 for r in rows]
    total = sum(weights)
    x = sum(w * r["blocks"] for w, r in zip(weights, rows)) / total
    y = sum(w * cost(r) for w, r in zip(weights, rows)) / total
    b = (sum(w * (r["blocks"] - x) * (cost(r) - y) for w, r in zip(weights, rows)) /
         sum(w * (r["blocks"] - x) ** 2 for w, r in zip(weights, rows)))
    return y - b * x, b


def table(record):
    """Markdown: what was measured how, and a line a feature with columns for each length; and how many bars were missed."""
    lengths = sorted({row["length"] for row in record["results"]})
    lines, missed = {}, 0
    for case, other, length, ms, over, share, judged, most in judge(record):
        line = lines.setdefault((case, other), {"most": most, "missed": []})
        line[length] = ("" if ms is None else f"{ms:.2f}", f"{over:.3f}", "" if share in (None, 1) else f"{judged:.3f} x {share:.3f}")
        if most is not None and not judged <= most:
            line["missed"].append(str(length))
            missed += 1
    text = [f"{record['device']['name']}, {record['date'][:10]}, commit {record['commit']}: {record['results'][0]['heads']} heads of "
            f"{record['head_dim']}, f32, one thread; {record['time']}, {record['samples']} rounds, load {record['load']:.2f}.", "",
            "|  | beside | " + " | ".join(f"{n}: ms | over it | over its tiles" for n in lengths) + " | at most |  |", "|" + "---|" * (4 + 3 * len(lengths))]
    for (case, other), line in lines.items():
        cells = [cell for n in lengths for cell in line.get(n, ("", "", ""))]
        verdict = f"missed at {', '.join(line['missed'])}" if line["missed"] else "reached"
        text.append("| " + " | ".join([case, other, *cells, *(("", "") if line["most"] is None else (str(line["most"]), verdict))]) + " |")
    return "\n".join(text), missed


def last_whole(path):
    with open(path, encoding="utf-8") as file:
        records = [json.loads(line) for line in file if line.strip()]
    return next((record for record in reversed(records) if not record.get("only")), records[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", default="2048,4096", help="comma-separated, multiples of %d" % BLOCK)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="comma-separated parts of 'section: case'; such a run is kept, but not shown or judged later")
    parser.add_argument("--list", action="store_true", help="measure nothing; name the cases of these lengths, as 'section: case'")
    parser.add_argument("--json", help="append the results to this file")
    parser.add_argument("--judge", metavar="FILE", help="measure nothing; judge the last whole run in this file")
    parser.add_argument("--table", metavar="FILE", help="the same, with success whatever the verdicts")
    args = parser.parse_args()
    if args.judge or args.table:
        record = last_whole(args.judge or args.table)
    else:
        bench, rows = Bench(args.rounds, args.seed, [part for part in args.only.split(",") if part], args.list), []
        for length in map(int, args.length.split(",")):
            for section in SECTIONS:
                rows += section(bench, length, args.heads)
                print(f"length {length}: {section.__name__}", file=sys.stderr, flush=True)
        if args.list:
            return 0
        if not rows:
            parser.error(f"no case has '{args.only}' in its name; --list names them")
        record = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit(), "device": machine(),
                  "threads": 1, "time": "medians of CPU time of the thread", "samples": args.rounds, "load": os.getloadavg()[0],
                  "head_dim": HEAD_DIM, **({"only": args.only} if args.only else {}), "results": rows}
        if args.json:
            with open(args.json, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
    text, missed = table(record)
    print(text)
    return 1 if missed and not args.table else 0


if __name__ == "__main__":
    sys.exit(main())
