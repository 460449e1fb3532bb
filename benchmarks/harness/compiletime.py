# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How long it takes from MLIR text to code that is loaded: in a process of its own, by stage.

    python3 -m harness.compiletime SPEC HEAD_DIM HEAD_DIM_V ELEMENT CASE      prints one JSON object

`library_ms` is opening the library, `compile_ms` the call of flashCompile, `load_ms` the driver's loading of
the code with the making of a CUDA context (none on the CPU), `process_ms` all of it with Python's start.
"""

import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def cold(ours, case, element):
    """Runs this file in a new process; an error is told as {"error": ...}."""
    command = [sys.executable, "-m", "harness.compiletime", ours.spec, str(case.head_dim), str(case.head_dim_v), element, case.variant.name]
    start = time.perf_counter()
    try:
        result = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return {"error": "no end after 120 s"}
    if result.returncode:
        return {"error": (result.stderr.strip().split("\n") or [""])[-1]}
    return {**json.loads(result.stdout), "process_ms": 1e3 * (time.perf_counter() - start)}


def main(spec, head_dim, head_dim_v, element, variant):
    from . import programs, variants
    start = time.perf_counter()
    from . import ours
    ours.flash_ctypes.set_num_threads(0)
    library_ms = 1e3 * (time.perf_counter() - start)
    source = programs.text(variants.parse(variant), int(head_dim), int(head_dim_v), element)
    program = ours.Program(ours.Ours(spec), source)
    report = program.report()
    print(json.dumps({"library_ms": library_ms, "compile_ms": program.compile_ms, "load_ms": program.load_ms,
                      "stages_ms": report["compile_ms"], "schedules": report["schedules"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
