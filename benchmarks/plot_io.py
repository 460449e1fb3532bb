#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plots what an attention moves, from `flash-run --io-report=json`.

    build/bin/flash-run examples/attention.mlir --target=sm_90a --io-report=json --dim=sq=4096 --dim=sk=4096 > io.json
    python3 benchmarks/plot_io.py io.json -o io.png

    # with times of this machine's CPU for tiles of several heights, as data for the third panel:
    python3 benchmarks/plot_io.py io.json -o io.png --measure build/bin/flash-run --json benchmarks/results/cpu-tiles.json
    python3 benchmarks/plot_io.py io.json -o io.png --tiles benchmarks/results/cpu-tiles.json

Left: bytes over both boundaries, for each operand. Middle: what crosses into fast memory of several sizes, with the
largest tile that fits each, beside N^2 d^2 / M, which is an order of growth: only its slope means something.
Right, as in figure 2 of the FlashAttention paper: tiles of more queries move less, and take less time until
arithmetic is what takes it. Needs matplotlib.
"""

import argparse
import datetime
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import textwrap

# One colour an operand, whatever the panel.
COLOURS = {"query": "#4269d0", "key": "#efb118", "value": "#ff725c", "scores": "#9498a0", "probabilities": "#c7cad1",
           "output": "#3ca951", "lse": "#a463f2"}
TILE_PROGRAM = """func.func @f(%q: tensor<1x4x{n}x64xf32>, %k: tensor<1x4x{n}x64xf32>, %v: tensor<1x4x{n}x64xf32>) -> tensor<1x4x{n}x64xf32> {{
  %o = flash.attention %q, %k, %v : tensor<1x4x{n}x64xf32>, tensor<1x4x{n}x64xf32>, tensor<1x4x{n}x64xf32> -> tensor<1x4x{n}x64xf32>
  return %o : tensor<1x4x{n}x64xf32>
}}
"""


def both(bytes_):
    return bytes_["read"] + bytes_["written"]


def readable(count):
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


def measure(flash_run, length, heights, repeat):
    """Times and bytes of one attention on this CPU, with tiles of several numbers of queries."""
    points = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tiles.mlir")
        with open(path, "w", encoding="utf-8") as file:
            file.write(TILE_PROGRAM.format(n=length))
        for m in heights:
            schedule = f"--schedule=#flash.schedule<m = {m}, n = 48>"
            common = [flash_run, path, "--target=cpu", "--threads=1", schedule]
            run = json.loads(subprocess.run(common + [f"--repeat={repeat}", "--report=json"], check=True, capture_output=True, text=True).stdout)
            io = json.loads(subprocess.run(common + ["--io-report=json"], check=True, capture_output=True, text=True).stdout)
            points.append({"m": m, "n": 48, "milliseconds": run["milliseconds"], "on_chip": both(io["total"]["schedule"]["on_chip"])})
            print(f"m = {m}: {points[-1]['milliseconds']:.1f} ms, {readable(points[-1]['on_chip'])}", file=sys.stderr)
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")), "CPU")
    return {"device": cpu, "threads": 1, "date": datetime.date.today().isoformat(), "repeat": repeat,
            "attention": {"heads": 4, "sq": length, "sk": length, "dqk": 64, "dv": 64, "type": "f32", "mask": ""}, "tiles": points}


def plot_bytes(axes, report):
    bars = [("compulsory", lambda o: o["compulsory"]), ("unfused", lambda o: o["unfused"]["hbm"]),
            ("schedule\n(estimate)", lambda o: o["schedule"]["hbm_estimate"]), ("unfused ", lambda o: o["unfused"]["on_chip"]),
            ("schedule", lambda o: o["schedule"]["on_chip"])]
    positions = [0, 1, 2, 3.6, 4.6]
    names = []
    for op in report["operations"]:
        for operand in op["operands"]:
            # The parts of a merge by their kind.
            kind = operand["name"].split()[0]
            if kind not in names:
                names.append(kind)
    tops = [0] * len(bars)
    for name in names:
        heights = [sum(both(get(o)) for op in report["operations"] for o in op["operands"] if o["name"].split()[0] == name) for _, get in bars]
        axes.bar(positions, heights, bottom=tops, color=COLOURS.get(name, "#6cc5b0"), label=name, width=0.8)
        tops = [a + b for a, b in zip(tops, heights)]
    for x, top in zip(positions, tops):
        axes.text(x, top, readable(top), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(positions, [name for name, _ in bars], fontsize=8)
    axes.set_ylim(0, max(tops) * 1.12 or 1)
    for x, text in ((1, "HBM \u2194 shared cache"), (4.1, "shared cache \u2194 fast memory")):
        axes.text(x, -0.16, text, ha="center", va="top", fontsize=9, transform=axes.get_xaxis_transform())
    axes.set_yticks([])
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    axes.set_title("Bytes moved", fontsize=10)


def plot_sweep(axes, report):
    attentions = [op for op in report["operations"] if op.get("sweep")]
    if not attentions:
        empty = not any(op.get("blocks", {}).get("loaded") for op in report["operations"])
        axes.text(0.5, 0.5, f"no sweep: {'no block is loaded' if empty else 'tiles lie in the blocks of a list'}", ha="center")
        axes.set_axis_off()
        return
    op = attentions[0]
    memory = [p["fast_memory"] / 1024 for p in op["sweep"]]
    axes.loglog(memory, [p["on_chip"] for p in op["sweep"]], "o-", color="#4269d0", label="largest tile that fits, exact")
    axes.loglog(memory, [p["order"] for p in op["sweep"]], "--", color="#9498a0", label="N\u00b2d\u00b2/M: order of growth, no count")
    axes.axhline(both(op["total"]["unfused"]["on_chip"]), color="#ff725c", label="unfused, same tiles as the schedule")
    axes.axhline(both(op["total"]["compulsory"]), color="#3ca951", label="compulsory")
    here = report["target"]["fast_memory"] / 1024
    axes.axvline(here, color="#c7cad1", linewidth=1)
    axes.text(here, 0.88, f" {report['target']['kind']}", fontsize=8, va="top", transform=axes.get_xaxis_transform())
    for p in op["sweep"]:
        axes.annotate(f"{p['m']}\u00d7{p['n']}", (p["fast_memory"] / 1024, p["on_chip"]), textcoords="offset points", xytext=(3, 5), fontsize=7)
    axes.set_xlim(memory[0] / 1.3, memory[-1] * 1.9)
    axes.set_xticks(memory, [f"{m / 1024:g} MiB" if m >= 1024 else f"{m:g} KiB" for m in memory], fontsize=8, rotation=30)
    axes.minorticks_off()
    axes.set_ylabel("bytes into and out of fast memory")
    axes.set_xlabel("fast memory M")
    axes.legend(fontsize=8, frameon=False, loc="lower left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("A sweep of fast memory (tile: queries \u00d7 keys)", fontsize=10)


def plot_tiles(axes, data):
    tiles = data["tiles"]
    heights = [t["m"] for t in tiles]
    size = data["attention"]
    axes.plot(heights, [t["on_chip"] / 2**30 for t in tiles], "o-", color="#4269d0")
    axes.set_xscale("log", base=2)
    axes.set_ylim(0)
    axes.set_xticks(heights, heights, fontsize=8)
    axes.minorticks_off()
    axes.set_xlabel("queries of a tile (48 keys)")
    axes.set_ylabel("GiB into and out of fast memory", color="#4269d0")
    time = axes.twinx()
    time.plot(heights, [t["milliseconds"] for t in tiles], "s--", color="#ff725c")
    time.set_ylim(0)
    time.set_ylabel("milliseconds, one thread", color="#ff725c")
    for side in (axes, time):
        side.spines["top"].set_visible(False)
    axes.set_title(f"Tiles on a CPU: {size['heads']} heads, {size['sq']} \u00d7 {size['sk']}, head dim {size['dqk']}, {size['type']}\n{data['device']}", fontsize=10)


def draw(report, tiles=None):
    """The figure: two panels, and a third if there are times of tiles."""
    import matplotlib
    matplotlib.use("Agg")
    # The same file for the same data, with text that is text.
    matplotlib.rcParams.update({"svg.hashsalt": "flash", "svg.fonttype": "none"})
    from matplotlib import pyplot

    panels = 3 if tiles else 2
    figure, axes = pyplot.subplots(1, panels, figsize=(5.4 * panels, 4.4), layout="constrained")
    plot_bytes(axes[0], report)
    plot_sweep(axes[1], report)
    if tiles:
        plot_tiles(axes[2], tiles)
    op = next((op for op in report["operations"] if "tile" in op), report["operations"][0])
    size = op["sizes"]
    what = f"@{report['function']} for {report['target']['kind']}"
    if "sq" in size:
        what += (f": batch {size['batch']}, {size['heads']} heads ({size['kv_heads']} of keys), {size['sq']} \u00d7 {size['sk']}, head dim {size['dqk']}, {size['type']}"
                 f"{', ' + op['mask'] if op['mask'] else ''}; tile {op['tile']['m']} \u00d7 {op['tile']['n']}, density {op['blocks']['density']:.3g}")
    # As many characters as the panels are wide.
    figure.suptitle(textwrap.fill(what, 52 * panels, break_long_words=False), fontsize=11)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", help="what flash-run --io-report=json printed (- for standard input)")
    parser.add_argument("-o", "--output", required=True, help="the picture: .png, .svg or .pdf")
    parser.add_argument("--measure", metavar="FLASH_RUN", help="time tiles on this CPU with this flash-run")
    parser.add_argument("--length", type=int, default=3072, help="of the attention that is timed (%(default)s)")
    parser.add_argument("--heights", default="8,16,24,48,96,192,384", help="numbers of queries of a tile (%(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="runs a tile; the median counts (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="where --measure keeps its data")
    parser.add_argument("--tiles", metavar="FILE", help="data of an earlier --measure")
    options = parser.parse_args()
    if not importlib.util.find_spec("matplotlib"):
        parser.error("matplotlib is not here: pip install matplotlib")
    with sys.stdin if options.report == "-" else open(options.report, encoding="utf-8") as file:
        report = json.load(file)
    tiles = None
    if options.measure:
        tiles = measure(options.measure, options.length, [int(m) for m in options.heights.split(",")], options.repeat)
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump(tiles, file, indent=1)
                file.write("\n")
    elif options.tiles:
        with open(options.tiles, encoding="utf-8") as file:
            tiles = json.load(file)

    figure = draw(report, tiles)
    figure.savefig(options.output, dpi=110, metadata={"Date": None} if options.output.endswith(".svg") else None)
    print(f"wrote {options.output}: {len(figure.axes) - bool(tiles)} panels, {len(report['operations'])} operations")


if __name__ == "__main__":
    main()
