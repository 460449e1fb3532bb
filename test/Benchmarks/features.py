# RUN: rm -f %t.json
# RUN: (env FLASH_LIBRARY=%flash_obj/lib/libflash-c.so %python %flash_src/benchmarks/features_cpu.py --length 256 --rounds 1 \
# RUN:   --only 1/2,ragged,sinks,pages,f8 --json %t.json || true) | FileCheck %s --check-prefix=SMALL
# RUN: env PYTHONPATH=%flash_src/benchmarks FLASH_LIBRARY=%flash_obj/lib/libflash-c.so %python %s %t.json | FileCheck %s
"""What features cost on the CPU: a small run, whose rows are compared with float64; tables and verdicts; 8-bit numbers."""

import json
import sys

import numpy

import features_cpu

path = sys.argv[1]
# CHECK: True True True
with open(path, encoding="utf-8") as file:
    record = json.loads(file.read())
print(all(row["ms"] > 0 and row["ratio"] > 0 for row in record["results"]), record["samples"] == 1, record["only"].startswith("1/2"))


def row(section, case, length, ratio, **facts):
    return {"section": section, "case": case, "length": length, "heads": 2, "beside": "full", "ms": 10 * ratio, "beside_ms": 10.0, "ratio": ratio, **facts}


def write(*records):
    with open(path, "w", encoding="utf-8") as file:
        for number, (rows, more) in enumerate(records):
            file.write(json.dumps({"date": f"2026-01-0{number + 1}", "commit": "c", "device": {"name": "a processor"}, "samples": 21, "load": 0,
                                   "head_dim": 64, "time": "medians", "results": rows, **more}) + "\n")


def run(*arguments):
    sys.argv = ["features_cpu.py", *arguments]
    return features_cpu.main()


rows = [row("visible", "causal", 512, 0.6, tiles=0.5), row("visible", "causal", 1024, 0.7, tiles=0.5), row("documents", "ids at random", 512, 1.5, tiles=1.0),
        {**row("documents", "8 ragged sequences", 512, 0.9), "beside": "8 documents"},
        *(row("lists", f"{n} of 4 blocks a row", 512, 0.1 + 0.3 * n, blocks=n * 8, density=n / 4) for n in (1, 2, 4)),
        row("scores", "dropout", 512, 3.0), row("keys", "pages of 16 keys", 512, 2.0)]
# An earlier whole run has least times, and no ratio; a later one of a few features is not what is shown.
old = [{"section": "scores", "case": "ALiBi", "length": 512, "heads": 2, "beside": "full", "ms": 12.0, "plain_ms": 10.0},
       {"section": "visible", "case": "causal", "length": 512, "heads": 2, "ms": 6.0, "full_ms": 10.0, "tiles": 0.5}]
write((old, {}), (rows, {}), (old, {"only": "ALiBi"}))
# CHECK: a processor, 2026-01-02, commit c: 2 heads of 64, f32, one thread; medians, 21 rounds, load 0.00.
# CHECK: | causal | full | 6.00 | 0.600 | 1.200 x 0.500 | 7.00 | 0.700 | 1.400 x 0.500 | 1.25 | missed at 1024 |
# CHECK-NEXT: | ids at random | full | 15.00 | 1.500 | | | | | 1.5 | reached |
# CHECK-NEXT: | 8 ragged sequences | 8 documents | 9.00 | 0.900 | | | | | | |
# CHECK-NEXT: | lists, density 0.25 | full | 4.00 | 0.400 | | | | | | |
# CHECK: | lists: a of a + b x blocks | all blocks | | 0.077 | | | | | 0.03 | missed at 512 |
# CHECK-NEXT: | lists: off proportion, from density 0.25 | all blocks | | 0.231 | | | | | 0.15 | missed at 512 |
# CHECK-NEXT: | dropout | full | 30.00 | 3.000 | | | | | | |
# CHECK-NEXT: | pages of 16 keys | full | 20.00 | 2.000 | | | | | | |
# CHECK-NEXT: 0
print(run("--table", path))
# CHECK: missed at 512
# CHECK: judged 1
print("judged", run("--judge", path))
write((old, {}))
# CHECK: | ALiBi | full | 12.00 | 1.200 | | 1.5 | reached |
# CHECK: | causal | full | 6.00 | 0.600 | 1.200 x 0.500 | 1.25 | reached |
# CHECK: judged 0
print("judged", run("--judge", path))

# CHECK: i8 255 -127.0 127.0
# CHECK: f8E4M3FN 254 -448.0 448.0 [0.001953125, 0.0136{{[0-9]+}}, 0.015625, 1.0, 1.125]
for kind, codes in (("i8", ()), ("f8E4M3FN", (0x01, 0x07, 0x08, 0x38, 0x39))):
    values, bytes_ = features_cpu.eight_bit_values(numpy, kind)
    of = {int(b): float(v) for v, b in zip(values, bytes_)}
    print(kind, len(values), values.min(), values.max(), [of[code] for code in codes])
# The nearest, by a factor that makes the largest of a head the type's largest.
# CHECK: [-127, 64, 1, 0] [127, 0, 0, 0] [2.0, 0.5]
array = numpy.array([[-254, 127.2, 1.1, 0.9], [63.5, 0, 0, 0]], "float32").reshape(1, 2, 1, 4)
codes, factors, exact = features_cpu.narrowed(numpy, array, "i8")
print(*(list(map(int, x)) for x in codes.view("int8")[0, :, 0]), factors.tolist())

# Tiles of 48: two windows of two tiles, a prefix that adds the one above the diagonal.
# CHECK: 0.75 1.0 0.625
print(features_cpu.tiles(96, None, 0), features_cpu.tiles(96, None, 0, prefix=49), features_cpu.tiles(192, None, 0))
# CHECK: row 1 is off by
bench = features_cpu.Bench(1, 0)
inputs = bench.inputs(1, 4)
wrong = numpy.full_like(inputs[0], inputs[2][0, 0].mean())
wrong[0, 0, 0] = inputs[2][0, 0, 0]
try:
    bench.check("causal", inputs, features_cpu.Case(sees=features_cpu.below), wrong)
except SystemExit as error:
    print(error)

# SMALL: | prefix-LM, a prefix of 1/2 | full |
# SMALL-NEXT: | 8 ragged sequences | full |
# SMALL-NEXT: | 8 ragged sequences | 8 documents |
# SMALL-NEXT: | sinks | full |
# SMALL-NEXT: | sinks, causal | causal |
# SMALL-NEXT: | pages of 16 keys | full |
# SMALL: | pages of 128 keys | full |
# SMALL-NEXT: | f8E4M3FN keys and values | full |
