# REQUIRES: matplotlib
# RUN: rm -f %t.json %t.svg %t.png %t.again.svg
# RUN: env FLASH_LIBRARY=%flash_obj/lib/libflash-c.so %python %flash_src/benchmarks/unfused_cpu.py --length 64,160 --heads 2 --rounds 1 \
# RUN:   --json %t.json | FileCheck %s --check-prefix=MEASURED
# RUN: env PYTHONPATH=%flash_src/benchmarks %plot_python %s %t.json %t.svg %t.again.svg %t.png | FileCheck %s
# RUN: FileCheck %s --check-prefix=SVG < %t.svg
# RUN: cmp %t.svg %t.again.svg
"""Attention beside an unfused one: a small run, and the plot of what it kept."""

import contextlib
import json
import sys

import unfused_cpu


def series(axis):
    return {line.get_label(): list(zip(map(int, line.get_xdata()), map(float, line.get_ydata()))) for line in axis.lines}


def result(kernel, length, cpu_ms, mebibytes):
    return {"kernel": kernel, "length": length, "ms": 0.5 * cpu_ms, "cpu_ms": cpu_ms, "added_bytes": int(mebibytes * 2**20)}


# Lengths in any order; a kernel that was not run; a call that added no memory, which a logarithm has no place for.
record = {"heads": 3, "device": {"name": "a processor"}, "results": [
    result("unfused", 1024, 40.0, 8), result("flash", 1024, 16.0, 0.5), result("unfused", 512, 10.0, 2), result("flash", 512, 4.0, 0)]}
figure = unfused_cpu.draw(record)
time, memory = figure.axes
# CHECK: NumPy and OpenBLAS, unfused [(512, 10.0), (1024, 40.0)] [(512, 2.0), (1024, 8.0)]
# CHECK-NEXT: Flash [(512, 4.0), (1024, 16.0)] [(512, 0.01), (1024, 0.5)]
for name, points in series(time).items():
    print(name, points, series(memory).get(name))
# CHECK: 3 heads of 64, f32, 2 threads, a processor
print(figure.get_suptitle())
# CHECK: length | CPU time of both threads, ms | log log ['512', '1024']
# CHECK-NEXT: length | peak memory added, MiB | log log ['512', '1024']
for axis in figure.axes:
    print(axis.get_xlabel(), "|", axis.get_ylabel(), "|", axis.get_xscale(), axis.get_yscale(), [tick.get_text() for tick in axis.get_xticklabels()])

# CHECK: wrote {{.*}}.svg: 6 results
# CHECK: --plot needs a file of results
results, *pictures = sys.argv[1:]
for arguments in [(path, results) for path in pictures] + [pictures[:1]]:
    sys.argv = ["unfused_cpu.py", "--plot", *arguments]
    with contextlib.redirect_stderr(sys.stdout), contextlib.suppress(SystemExit):
        unfused_cpu.main()
with open(results, encoding="utf-8") as file:
    measured = json.loads(file.read())
# CHECK: 6 ['Flash', 'Flash, causal', 'NumPy and OpenBLAS, unfused'] True
drawn = series(unfused_cpu.draw(measured).axes[0])
print(len(measured["results"]), sorted(drawn),
      drawn["Flash"] == [(r["length"], max(r["cpu_ms"], 0.01)) for r in measured["results"] if r["kernel"] == "flash"])
# CHECK: PNG True
with open(pictures[-1], "rb") as file:
    data = file.read()
print(data[1:4].decode(), len(data) > 10000 and data.endswith(b"IEND\xaeB`\x82"))

# MEASURED: length    64 unfused {{.*}} ms of CPU
# MEASURED: length   160 differ by {{[0-9.]+e-0[67]$}}
# SVG-DAG: >2 heads of 64, f32, 2 threads, {{.*}}</text>
# SVG-DAG: >peak memory added, MiB</text>
# SVG-DAG: >NumPy and OpenBLAS, unfused</text>
# SVG-DAG: >160</text>
