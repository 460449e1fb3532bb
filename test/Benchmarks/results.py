# RUN: env PYTHONPATH=%flash_src/benchmarks %python %s %t.json | FileCheck %s
"""Which figures are shown: the newest run that has both sides of a ratio, means, and the bars."""

import sys

import bars
import table
from harness import variants
from harness.records import Recorder
from harness.summary import Summary, geometric_mean, ratios

path = sys.argv[1]
open(path, "w").close()


def row(kernel, length, ms, **more):
    return {"kernel": kernel, "section": "sweep", "case": "full", "causal": False, "head_dim": 128, "head_dim_v": 128, "length": length,
            "batch": 16384 // length, "heads": 16, "kv_heads": 16, "dtype": "bf16", "ms": ms, "tflops": 1000 / ms, "error": 1e-3, **more}


def write(date, *rows, **sections):
    recorder = Recorder(path, {"date": date, "commit": "c" + date[-2:], "device": {"name": "GPU"}, "cudnn": 91902, "results": []})
    for entry in rows:
        recorder.add("results", entry)
        recorder.save()
    recorder.record.update(sections)
    recorder.save()


write("2026-01-01", *(row(k, n, ms) for n in (512, 1024) for k, ms in (("flash sm_90a", 4.0), ("flash sm_80", 8.0), ("cudnn", 2.0))))
# Newer and complete: it takes the place of the first. An experiment is not ours.
write("2026-01-02", row("flash sm_90a", 512, 2.0), row("cudnn", 512, 3.0), row("flash sm_90a@n=64", 512, 1.0))
# Without cuDNN it does not.
write("2026-01-03", row("flash sm_90a", 1024, 1.0),
      errors=[{**row("flash sm_90a", 2048, 1.0), "inputs": "scaled", "error": float("inf")}, {**row("cudnn", 2048, 1.0), "inputs": "scaled"}])

# CHECK: 3 records
print(sum(1 for _ in open(path)), "records")
summary = Summary(path)
lengths, = summary.groups().values()
# CHECK: {512: 1.5, 1024: 0.5} 0.8660
print(ratios(lengths, "cudnn"), f"{geometric_mean(ratios(lengths, 'cudnn').values()):.4f}")
# CHECK: GPU, 2026-01-03, commit c01, c02, c03, cuDNN 9.19.2 (
# CHECK: | bf16, head dim 128, full | flash sm_90a | 500 | 250 | |
# CHECK-NEXT: | flash sm_80 | | 125 | |
# CHECK-NEXT: | cuDNN | 333 | 500 | 0.87 (0.50 to 1.50) |
# CHECK: | bf16, head dim 128 | | | | inf (inf) |
print(table.markdown(path).replace("  |", " |"))
verdicts = {bar: reached for bar, _, _, reached in bars.judge(summary)}
# Two lengths of six are not a geometric mean; what was not measured and what is infinite is not reached.
# CHECK: head dim 128, full: over cuDNN, geometric mean False
# CHECK: error on normal inputs {{.*}} False
# CHECK: error on scaled inputs {{.*}} False
for bar, reached in verdicts.items():
    print(bar, reached)

# FLOPs count what the reference's predicate shows.
# CHECK: full True causal True window:5 True blocks:0.5 True documents:3 True alibi True
shown = []
for name in ("full", "causal", "window:5", "blocks:0.5", "documents:3", "alibi"):
    variant, n = variants.parse(name), 300
    blocks = {(q, k): seen for q, line in enumerate(variant.blocks(n) if variant.sparse else ()) for k, seen in enumerate(line)}

    class Blocks:
        def __getitem__(self, index):
            return blocks[index]

    seen = sum(1 if (v := variant.visible(i, j, Blocks())) is None else bool(v) for i in range(n) for j in range(n))
    shown.append(f"{name} {seen == variant.pairs(n)}")
print(*shown)
# CHECK: there is no case 'fulll'
try:
    variants.parse("fulll")
except ValueError as error:
    print(error)
