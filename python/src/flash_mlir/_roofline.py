# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a call moves, and a picture of what bounds it.

The bytes are those of the IO model (docs/IO.md); operations are those of the blocks that are loaded. A roofline has
operations for each byte of memory along its axis, and operations a second upward: below the slope memory bounds a kernel,
below the flat part arithmetic does. The picture is SVG, made here.
"""

from __future__ import annotations

import json
import math
import os
import time
from typing import Any, NamedTuple

from ._errors import ArgumentError, FlashError

# Dense 16-bit tensor operations a second, bytes a second of device memory: data sheets (A100 80 GB SXM, A10, L40S, H100 SXM,
# B200, RTX 5090).
DATA_SHEETS = {"sm_80": (312e12, 2039e9, "A100 SXM"), "sm_86": (125e12, 600e9, "A10"), "sm_89": (362e12, 864e9, "L40S"),
               "sm_90a": (989e12, 3350e9, "H100 SXM"), "sm_90": (989e12, 3350e9, "H100 SXM"), "sm_100": (2250e12, 8000e9, "B200"),
               "sm_120": (210e12, 1792e9, "RTX 5090")}


class IOReport:
    """What a call moves.

    Attributes:
        text: the report of `flash-run --io-report`, which str() gives.
        data: the same as a dictionary (docs/IO.md).
    """

    def __init__(self, text: str, data: str):
        self.text: str = text
        self.data: dict[str, Any] = json.loads(data)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<IOReport: {self.operations:.3g} operations, {self.compulsory:,} bytes at least, {self.moved:,} by the schedule>"

    def _bytes(self, column: str, boundary: str | None = None) -> int:
        total = self.data["total"][column]
        total = total if boundary is None else total[boundary]
        return total["read"] + total["written"]

    @property
    def compulsory(self) -> int:
        """Bytes that any kernel moves: each input read once, each output written once."""
        return self._bytes("compulsory")

    @property
    def moved(self) -> int:
        """Bytes between memory and the shared cache, by the schedule: an estimate from the cache's size."""
        return self._bytes("schedule", "hbm_estimate")

    @property
    def loaded(self) -> int:
        """Bytes between the shared cache and fast memory, by the schedule: exact."""
        return self._bytes("schedule", "on_chip")

    @property
    def unfused(self) -> int:
        """Bytes between memory and the shared cache of attention with scores in memory."""
        return self._bytes("unfused", "hbm")

    @property
    def operations(self) -> float:
        """Floating-point operations of both products, on the blocks that are loaded."""
        total = 0.0
        for op in self.data["operations"]:
            sizes = op.get("sizes", {})
            if "dqk" in sizes:
                pairs = sizes["batch"] * sizes["heads"] * sizes["sq"] * sizes["sk"] * op["blocks"]["density"]
                total += 2.0 * pairs * (sizes["dqk"] + sizes["dv"])
        return total


class Point(NamedTuple):
    """A kernel: its name, operations for each byte, operations a second (a bound, or measured)."""

    name: str
    intensity: float
    speed: float


class Roofline:
    """A picture of what bounds a call. Notebooks show it; `save` writes it.

    Attributes:
        svg: the picture.
        points: what is drawn.
        peak: operations a second. bandwidth: bytes a second. machine: whose they are.
    """

    def __init__(self, points: list[Point], peak: float, bandwidth: float, machine: str):
        self.points, self.peak, self.bandwidth, self.machine = points, peak, bandwidth, machine
        self.svg = _picture(self)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return "\n".join([f"{self.machine}: {self.peak / 1e12:.3g} TFLOP/s, {self.bandwidth / 1e9:.4g} GB/s"] + [
            f"{p.name}: {p.intensity:.3g} operations a byte, {p.speed / 1e12:.3g} TFLOP/s" for p in self.points])

    def save(self, path: str | os.PathLike) -> None:
        """Writes the picture, an .svg."""
        if not os.fspath(path).endswith(".svg"):
            raise ArgumentError("path", repr(os.fspath(path)), "a name that ends in .svg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.svg)


def measure_host() -> tuple[float, float]:
    """Operations a second of NumPy's f32 matmul, and bytes a second of a copy, here."""
    import numpy
    a = numpy.ones((1024, 1024), "float32")
    block = numpy.ones(1 << 25, "uint8")
    best_product, best_copy = math.inf, math.inf
    for _ in range(3):
        begin = time.perf_counter()
        a @ a
        best_product = min(best_product, time.perf_counter() - begin)
        begin = time.perf_counter()
        block.copy()
        best_copy = min(best_copy, time.perf_counter() - begin)
    return 2 * 1024 ** 3 / best_product, 2 * block.nbytes / best_copy


def draw(io: IOReport, target: str, element: str, peak: float | None, bandwidth: float | None, seconds: float | None) -> Roofline:
    """The roofline of a call.

    Raises:
        FlashError: the call moves or computes nothing, or nothing is known of the target.
    """
    machine = "given"
    if peak is None or bandwidth is None:
        if target.startswith("cpu"):
            known, machine = measure_host(), "this CPU (NumPy's matmul and copy)"
        elif target in DATA_SHEETS:
            *known, machine = DATA_SHEETS[target]
        else:
            raise FlashError(f"nothing is known of the speed of {target}: give peak= and bandwidth=")
        peak, bandwidth = peak or known[0], bandwidth or known[1]
    if not (peak > 0 and bandwidth > 0):
        raise ArgumentError("peak, bandwidth", (peak, bandwidth), "positive numbers")
    if not io.operations or not io.moved:
        raise FlashError("this call computes nothing: there is no roofline of it")

    def bound(name: str, moved: int) -> Point:
        intensity = io.operations / max(1, moved)
        return Point(name, intensity, min(peak, intensity * bandwidth))

    points = [bound("unfused", io.unfused), bound("this schedule, at most", io.moved)]
    if seconds is not None:
        if not seconds > 0:
            raise ArgumentError("seconds", seconds, "a positive number")
        points.append(Point("measured", points[1].intensity, io.operations / seconds))
    return Roofline(points, peak, bandwidth, machine)


def _picture(roof: Roofline) -> str:
    width, height, left, bottom, top, right = 640, 400, 70, 50, 30, 20
    ridge = roof.peak / roof.bandwidth
    intensities = [p.intensity for p in roof.points] + [ridge]
    low, high = math.floor(math.log10(min(intensities) / 3)), math.ceil(math.log10(max(intensities) * 3))
    speeds = [p.speed for p in roof.points] + [roof.peak]
    least, most = math.floor(math.log10(min(speeds) / 2)), math.ceil(math.log10(max(speeds) * 1.2))

    def x(intensity: float) -> float:
        return left + (math.log10(intensity) - low) / (high - low) * (width - left - right)

    def y(speed: float) -> float:
        return height - bottom - (math.log10(speed) - least) / (most - least) * (height - bottom - top)

    def text(px: float, py: float, words: str, anchor: str = "middle", extra: str = "") -> str:
        return f'<text x="{px:.1f}" y="{py:.1f}" text-anchor="{anchor}"{extra}>{words}</text>'

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>']
    for power in range(low, high + 1):
        parts.append(f'<line x1="{x(10 ** power):.1f}" y1="{top}" x2="{x(10 ** power):.1f}" y2="{height - bottom}" stroke="#e4e4e4"/>')
        parts.append(text(x(10 ** power), height - bottom + 16, f"{10.0 ** power:g}"))
    for power in range(least, most + 1):
        parts.append(f'<line x1="{left}" y1="{y(10 ** power):.1f}" x2="{width - right}" y2="{y(10 ** power):.1f}" stroke="#e4e4e4"/>')
        parts.append(text(left - 6, y(10 ** power) + 4, f"{10.0 ** (power - 12):g}", "end"))
    begin = max(10.0 ** low, 10.0 ** least / roof.bandwidth)
    parts.append(f'<polyline fill="none" stroke="#333" stroke-width="2" points="{x(begin):.1f},{y(begin * roof.bandwidth):.1f} '
                 f'{x(ridge):.1f},{y(roof.peak):.1f} {x(10 ** high):.1f},{y(roof.peak):.1f}"/>')
    for number, (point, colour) in enumerate(zip(roof.points, ("#c44", "#28c", "#2a4"))):
        parts.append(f'<circle cx="{x(point.intensity):.1f}" cy="{y(point.speed):.1f}" r="5" fill="{colour}"/>')
        parts.append(f'<circle cx="{width - 220}" cy="{height - bottom - 62 + 18 * number}" r="5" fill="{colour}"/>')
        parts.append(text(width - 208, height - bottom - 58 + 18 * number, f"{point.name}: {point.speed / 1e12:.3g} TFLOP/s", "start"))
    parts.append(text((left + width - right) / 2, height - 10, "operations for each byte of memory"))
    parts.append(text(16, (top + height - bottom) / 2, "TFLOP/s", extra=f' transform="rotate(-90 16 {(top + height - bottom) / 2:.1f})"'))
    parts.append(text(left, 18, f"{roof.machine}: {roof.peak / 1e12:.3g} TFLOP/s, {roof.bandwidth / 1e9:.4g} GB/s", "start"))
    return "\n".join([*parts, "</svg>", ""])
