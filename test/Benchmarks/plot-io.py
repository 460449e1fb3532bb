# REQUIRES: matplotlib
# RUN: flash-run %flash_src/examples/attention.mlir --target=cpu --schedule='#flash.schedule<m = 48, n = 48>' --dim=sq=96 --dim=sk=96 \
# RUN:   --io-report=json > %t.json
# RUN: rm -f %t.svg %t.png %t.tiles.json
# RUN: env PYTHONPATH=%flash_src/benchmarks %plot_python %s %t.json %t.tiles.json %t.svg %t.png < %t.json | FileCheck %s
# RUN: FileCheck %s --check-prefix=SVG < %t.svg
"""The plot of an IO report: what its bars, lines and labels say is what the report says."""

import json
import sys

import plot_io


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def bars(axes):
    """Bytes by operand: a list over the five bars of each."""
    return {series.get_label(): [int(bar.get_height()) for bar in series] for series in axes.containers}


def texts(axes):
    return [text.get_text() for text in axes.texts]


def lines(axes):
    return {line.get_label(): [float(y) for y in line.get_ydata()] for line in axes.lines}


def run(*arguments):
    sys.argv = ["plot_io.py", *arguments]
    plot_io.main()


report_path, tiles_path, svg, png = sys.argv[1:]
# CHECK: wrote {{.*}}.svg: 3 panels, 1 operations
# CHECK-NEXT: wrote {{.*}}.png: 2 panels, 1 operations
run(report_path, "-o", svg, "--measure", "flash-run", "--length", "96", "--heights", "16,48", "--repeat", "1", "--json", tiles_path)
run("-", "-o", png)
report, tiles = map(load, (report_path, tiles_path))
figure = plot_io.draw(report, tiles)
moved, sweep, times, right = figure.axes

# 32 heads of 96 x 128 bf16, 8 of keys; 3 of 4 tiles of 48 x 48 are below the diagonal. Unfused, each block of queries reads all keys
# and each block of keys all queries, scores have 4 bytes and probabilities 2, and both are written and read.
# CHECK: query [786432, 786432, 786432, 1572864, 786432]
# CHECK-NEXT: key [196608, 196608, 196608, 1572864, 1179648]
# CHECK-NEXT: value [196608, 196608, 196608, 1572864, 1179648]
# CHECK-NEXT: scores [0, 2359296, 0, 2359296, 0]
# CHECK-NEXT: probabilities [0, 1179648, 0, 1179648, 0]
# CHECK-NEXT: output [786432, 786432, 786432, 786432, 786432]
# CHECK-NEXT: lse [12288, 12288, 12288, 12288, 12288]
for name, heights in bars(moved).items():
    print(name, heights)
# Bars stand on each other: the last ends at the sum, and the text over it says so.
# CHECK: ['1.89 MiB', '5.26 MiB', '1.89 MiB', '8.64 MiB', '3.76 MiB', 'HBM
print(texts(moved))
# CHECK: True ['compulsory', 'unfused', 'schedule|(estimate)', 'unfused ', 'schedule']
total = report["total"]
expected = [total["compulsory"], total["unfused"]["hbm"], total["schedule"]["hbm_estimate"], total["unfused"]["on_chip"], total["schedule"]["on_chip"]]
tops = [bar.get_y() + bar.get_height() for bar in moved.containers[-1]]
print(tops == [t["read"] + t["written"] for t in expected], [tick.get_text().replace("\n", "|") for tick in moved.get_xticklabels()])

# CHECK: True True unfused [9056256.0] compulsory [1978368.0]
points, curves = report["operations"][0]["sweep"], lines(sweep)
flat = {name.split(",")[0]: sorted(set(values)) for name, values in curves.items() if name.split(",")[0] in ("unfused", "compulsory")}
print(curves["largest tile that fits, exact"] == [p["on_chip"] for p in points],
      [value for name, value in curves.items() if name.startswith("N\u00b2d\u00b2/M")] == [[p["order"] for p in points]],
      *(part for item in flat.items() for part in item))
# CHECK: True log log 'fast memory M' 'bytes into and out of fast memory' ['32 KiB', {{.*}}, '2 MiB']
print(texts(sweep) == [" cpu"] + [f"{p['m']}\u00d7{p['n']}" for p in points], sweep.get_xscale(), sweep.get_yscale(), repr(sweep.get_xlabel()),
      repr(sweep.get_ylabel()), [tick.get_text() for tick in sweep.get_xticklabels()])

# 4 heads of 96 x 64 f32: Q and O once, K and V once for each block of queries.
# CHECK: [16, 48] [1376256, 589824] True
print([t["m"] for t in tiles["tiles"]], [t["on_chip"] for t in tiles["tiles"]], all(t["milliseconds"] > 0 for t in tiles["tiles"]))
# CHECK: True True queries of a tile (48 keys) | GiB into and out of fast memory | milliseconds, one thread
print(list(lines(times).values()) == [[t["on_chip"] / 2**30 for t in tiles["tiles"]]],
      list(lines(right).values()) == [[t["milliseconds"] for t in tiles["tiles"]]], " | ".join([times.get_xlabel(), times.get_ylabel(), right.get_ylabel()]))

# Without times there are two panels; tiles of a list have no sweep; a title that is too long for two panels has two lines.
# CHECK: 2 ['no sweep: tiles lie in the blocks of a list'] 2
# CHECK-NEXT: 2 ['no sweep: no block is loaded'] 2
for loaded in (96, 0):
    op = {**report["operations"][0], "sweep": [], "mask": "#flash.block_sparse<bq = 48, bk = 48, partial = #flash.causal>"}
    figure = plot_io.draw({**report, "operations": [{**op, "blocks": {**op["blocks"], "loaded": loaded}}]})
    print(len(figure.axes), texts(figure.axes[1]), len(figure.get_suptitle().split("\n")))

# CHECK: PNG True
with open(png, "rb") as file:
    data = file.read()
print(data[1:4].decode(), len(data) > 10000 and data.endswith(b"IEND\xaeB`\x82"))

# SVG-DAG: >Bytes moved</text>
# SVG-DAG: >@attention for cpu: batch 1, 32 heads (8 of keys), 96 × 96, head dim 128, bf16, #flash.causal; tile 48 × 48, density 0.75</text>
# SVG-DAG: >milliseconds, one thread</text>
# SVG-DAG: >probabilities</text>
