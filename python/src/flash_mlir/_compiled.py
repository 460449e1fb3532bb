# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""compile(): what a call becomes, to be looked at, level by level."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from . import _arrays, _attention, _library, _plan
from ._errors import ArgumentError, FlashError
from ._function import Function, compile_text
from ._program import Builder
from ._roofline import IOReport, Roofline, draw

LEVELS = ("L0", "L1", "L2", "L3", "L4")


def find_tool(name: str, variable: str) -> str | None:
    """A program of the CUDA toolkit: named by a variable, on the path, of the toolkit, or of a wheel."""
    wheels = (f"cu13/bin/{name}", f"cuda_nvdisasm/bin/{name}", f"cuda_nvcc/bin/{name}")
    for path in (os.environ.get(variable), shutil.which(name), f"/usr/local/cuda/bin/{name}", _library._find_in_wheels(wheels)):
        if path and os.access(path, os.X_OK):
            return path
    return None


class Program:
    """A compiled function, and everything that it went through.

    Attributes:
        text: the program at L0 as it was given to the compiler.
        target: what it was compiled for: `cpu`, `cpu:x86-64-v3`, `sm_90a`, ...
        function: the function itself, for launches on one's own memory.
    """

    def __init__(self, text: str, target: str, function: Function, arguments: Sequence[Any] | None = None, call: Callable | None = None):
        self.text, self.function = text, function
        self.target: str = function.report()["target"]
        self._arguments, self._call = arguments, call

    def __repr__(self) -> str:
        return f"<flash_mlir.Program for {self.target}: {self.function.arguments} -> {self.function.results}>"

    def __call__(self, *arrays: Any) -> Any:
        """Runs it on arrays like those that it was compiled for, and returns the results.

        Raises:
            FlashError: it was compiled from a text (launch `function`), or for a machine that this is not.
        """
        if self._call is None:
            raise FlashError("a program from a text is launched by program.function.launch(arguments, results)")
        return self._call(*arrays)

    # -- Code

    def mlir(self, level: str = "L0") -> str:
        """The IR of a level: L0 what is computed, L1 tiles, L2 steps, L3 the schedule (GPUs), L4 instructions.

        Raises:
            FlashError: the target has no such level (the CPU has no L3).
        """
        if level not in LEVELS:
            raise ArgumentError("level", repr(level), f"one of {', '.join(LEVELS)}")
        return self.function.code(level).decode()

    @property
    def llvm(self) -> str:
        """LLVM IR, optimised (GPU) or as it goes to the optimiser (CPU)."""
        return self.function.code("llvm").decode()

    @property
    def ptx(self) -> str:
        """PTX; an error for a CPU."""
        return self.function.code("ptx").decode()

    @property
    def cubin(self) -> bytes:
        """Machine code of a GPU; needs ptxas or nvJitLink."""
        return self.function.code("cubin")

    @property
    def plan(self) -> str:
        """The launch plan: what the host does in a call."""
        return self.function.code("plan").decode()

    @property
    def sass(self) -> str:
        """The GPU's instructions, by nvdisasm (FLASH_NVDISASM, the path, CUDA's toolkit, or `pip install nvidia-cuda-nvdisasm`)."""
        tool = find_tool("nvdisasm", "FLASH_NVDISASM")
        if tool is None:
            raise FlashError("there is no nvdisasm: set FLASH_NVDISASM, put it on the PATH, or install nvidia-cuda-nvdisasm")
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(self.cubin)
            file.flush()
            done = subprocess.run([tool, file.name], capture_output=True, text=True)
        if done.returncode:
            raise FlashError(f"nvdisasm ({tool}) failed: {done.stderr.strip()}")
        return done.stdout

    # -- What was decided

    @property
    def report(self) -> dict[str, Any]:
        """Target, schedules, remarks, assembler, milliseconds of each stage, whether it came from the cache."""
        return self.function.report()

    @property
    def schedule(self) -> str:
        """The schedule of long sequences, as `#flash.schedule<...>`; `schedules` has all."""
        return (self.report["schedules"] or [""])[-1]

    @property
    def schedules(self) -> list[tuple[str, str]]:
        """Each schedule, and where it came from: a table of measurements, the model, or given."""
        report = self.report
        return list(zip(report["schedules"], report["schedule_sources"]))

    @property
    def remarks(self) -> list[str]:
        """What passes had to say of what they did not do, and why."""
        return self.report["remarks"]

    # -- What it moves

    def io_report(self, *arguments: Any) -> IOReport:
        """What a call moves, by the model of docs/IO.md: bytes over both boundaries, of the schedule, of unfused attention,
        and the least possible. No GPU is needed.

        Args:
            arguments: arrays or Specs, one for each of `function.arguments`; those it was compiled for, if none are given.
        """
        values = list(arguments) or self._arguments
        if values is None:
            raise ArgumentError("arguments", "none", f"an array or Spec for each of {self.function.arguments}")
        return IOReport(self.function.io_report(values), self.function.io_report(values, "json"))

    def roofline(self, *arguments: Any, peak: float | None = None, bandwidth: float | None = None, seconds: float | None = None) -> Roofline:
        """A picture: what bounds a call, arithmetic or memory, beside unfused attention.

        Args:
            arguments: as for `io_report`.
            peak: the machine's floating-point operations a second; by default the data sheet's of the target, or of a
                CPU what NumPy's matmul reaches here.
            bandwidth: bytes a second of its memory.
            seconds: what a call took; a point is drawn for it.
        """
        return draw(self.io_report(*arguments), self.target, self.function.arguments[0].type, peak, bandwidth, seconds)


def compile(program: Any, k: Any = None, v: Any = None, *, target: str | None = None, compiler_options: str = "",  # noqa: A001
            **options: Any) -> Program:
    """Compiles a call of `attention`, or an MLIR text, and shows what became of it.

        program = flash_mlir.compile(q, k, v, causal=True, target="sm_90a")
        print(program.mlir("L1"), program.ptx, program.io_report())

    Args:
        program: q, an array or `Spec`, with k and v; or the text of an MLIR program with one function (or
            `compiler_options="entry=NAME"`).
        k: an array or Spec.
        v: an array or Spec.
        target: `cpu`, `cpu:x86-64-v3`, `sm_80`, `sm_90a`, ...: by default where the arrays are (Specs: `auto`, the GPU if
            there is one). A GPU is not needed to compile for one.
        compiler_options: of flashCompile, separated by semicolons: `schedule=#flash.schedule<...>`, `split-kv=N`,
            `schedule-table=FILE`, `passes=NAME=VALUE ...`, `entry=NAME`.
        options: those of `attention`.

    Raises:
        ArgumentError, TraceError, FlashError: as `attention`.
    """
    if isinstance(program, str):
        if options or k is not None or v is not None:
            raise ArgumentError("options", ", ".join(options) or "k and v", "none beside an MLIR text")
        target = target or "auto"
        return Program(program, target, compile_text(program, target, compiler_options))
    if k is None or v is None:
        raise ArgumentError("k" if k is None else "v", None, "an array or a Spec, as q")
    unknown = set(options) - set(_DEFAULTS)
    if unknown:
        raise ArgumentError(sorted(unknown)[0], "an option", f"one of {', '.join(_DEFAULTS)}")
    values = {**_DEFAULTS, **options}
    values.pop("deterministic")
    arrays, read, _ = _attention.read_options(program, k, v, **values)
    described = _plan.describe_all(arrays, read)
    source = Builder(described, read).build()
    if target is None:
        target = "auto" if any(isinstance(a, _arrays.Spec) for a in arrays[:3]) or described[0].device is not None else "cpu"
    function = _plan.get_function(source, target, compiler_options)
    shaped = [described[o.array]._replace(shape=o.shape, strides=o.strides) if o.array is not None else 0 for o in source.operands]
    call = None
    if not any(isinstance(a, _arrays.Spec) for a in arrays[:3]) and function.on_device != (described[0].device is None):
        plans: list[_plan.Plan] = []

        def call(*given: Any) -> Any:
            if len(given) not in (0, 3):
                raise ArgumentError("arrays", f"{len(given)} arrays", "q, k and v, or none: options stay as they were")
            every = (*given, *arrays[len(given):])
            if not _same(given, arrays):
                return _attention.attention(*every[:3], **options)
            if not plans:
                plans.append(_plan.Plan(function, source, every, described[0].device))
            return plans[0].run(every)
    return Program(source.text, target, function, shaped, call)


def _same(given: Sequence[Any], arrays: Sequence[Any]) -> bool:
    return all(_arrays.describe(a)[1:5] == _arrays.describe(b)[1:5] for a, b in zip(given, arrays))


_DEFAULTS: dict[str, Any] = {
    "causal": False, "window": None, "scale": None, "softcap": None, "alibi_slopes": None, "bias": None, "sinks": None, "score_mod": None,
    "mask_mod": None, "block_mask": None, "segment_ids": None, "cu_seqlens_q": None, "cu_seqlens_k": None, "kv_lengths": None,
    "page_table": None, "dropout_p": 0.0, "layout": "bhsd", "return_lse": False, "deterministic": False}
