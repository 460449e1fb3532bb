# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Our kernels through the C library: one `Ours` for a target, a schedule and options of the passes.

    sm_90a                        what the compiler chooses
    sm_90a@m=192;n=112            parts of the schedule, as in #flash.schedule<...>
    sm_90a%overlap=false          options of flash-gpu-pipeline
    sm_90a!                       without tables of measured schedules (sm_90a!@...)
    auto                          the target of this machine's GPU
"""

import dataclasses
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import flash_ctypes  # noqa: E402

from . import programs  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Ours:
    spec: str

    @property
    def name(self):
        return f"flash {self.spec}"

    @property
    def target(self):
        return self.spec.partition("%")[0].partition("@")[0].rstrip("!") or "auto"

    @property
    def options(self):
        head, _, passes = self.spec.partition("%")
        schedule = head.partition("@")[2].replace(";", ", ")
        parts = [f"schedule=#flash.schedule<{schedule}>"] if schedule else []
        parts += ["schedule-table=none"] if head.partition("@")[0].endswith("!") else []
        return ";".join(parts + ([f"passes={passes}"] if passes else []))


class Program:
    """A compiled program; lengths are known at run time, so one serves every shape."""

    def __init__(self, ours, source):
        start = time.perf_counter()
        self.function = flash_ctypes.compile(source, target=ours.target, options=ours.options)
        self.compile_ms = 1e3 * (time.perf_counter() - start)
        start = time.perf_counter()
        self.function.prepare()
        self.load_ms = 1e3 * (time.perf_counter() - start)

    def report(self):
        """Target, schedules and milliseconds of each stage; an older library does not say."""
        try:
            return json.loads(self.function.code("report"))
        except flash_ctypes.FlashError:
            return {"target": None, "schedules": [], "compile_ms": {}}


class Cache:
    """Programs by what they were compiled from; a failure is remembered too."""

    def __init__(self):
        self.programs = {}

    def get(self, ours, source):
        key = (ours.spec, source)
        if key not in self.programs:
            try:
                self.programs[key] = Program(ours, source)
            except flash_ctypes.FlashError as error:
                self.programs[key] = error
        if isinstance(self.programs[key], Exception):
            raise self.programs[key]
        return self.programs[key]


def launcher(backend, cache, ours, case, q, k, v):
    """(a call that enqueues the kernel and returns its output, the program)"""
    variant = case.variant
    program = cache.get(ours, programs.text(variant, case.head_dim, case.head_dim_v, backend.element_type(case.dtype)))
    out = backend.poisoned(case.shapes()[3], case.dtype)
    call = program.function.bind([q, k, v, *programs.extra_arguments(backend, case)], [out], backend.stream)

    def launch():
        call()
        return out

    return launch, program
