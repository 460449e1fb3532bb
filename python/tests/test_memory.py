# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory does not grow; a cached call does little."""

import gc
import importlib.util
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import flash_mlir
from flash_mlir import attention

CALLS = 10_000


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def call_many(call, count):
    for _ in range(count):
        call()


@pytest.mark.parametrize("kind", ["plain", "function", "views", "refused"])
def test_no_memory_grows(inputs, kind):
    flash_mlir.set_num_threads(1)
    q, k, v = inputs(b=1, h=2, hk=1, sq=4, sk=4, d=16)
    slopes = np.ones(2, "float32")

    def plain():
        attention(q, k, v, causal=True)

    def function():
        attention(q, k, v, score_mod=lambda s, b, h, i, j: s - slopes[h] * (i - j))

    def views():
        attention(q[:, :, ::-1], k, v)

    def refused():
        with pytest.raises(flash_mlir.FlashError):
            attention(q, k, v[:, :, :2])

    call = {"plain": plain, "function": function, "views": views, "refused": refused}[kind]
    count = CALLS if kind != "refused" else CALLS // 10
    call_many(call, count // 10)
    # Tables of NumPy's and Python's own grow now and then; a leak grows in each round.
    traced, grown = [], []
    for _ in range(3):
        gc.collect()
        tracemalloc.start()
        call_many(call, count // 10)
        gc.collect()
        traced.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        before = resident()
        call_many(call, count // 3)
        gc.collect()
        grown.append(resident() - before)
    flash_mlir.set_num_threads(0)
    assert min(traced) < count // 10 * 16, f"{traced} bytes of Python's"
    assert min(grown) < 1 << 20, f"{grown} bytes of the process"


def test_plans_are_bounded(inputs, monkeypatch):
    from flash_mlir import _attention
    monkeypatch.setattr(_attention, "MOST_PLANS", 8)
    for n in range(1, 40):
        q, k, v = inputs(b=1, sq=n, sk=n, d=16)
        attention(q, k, v)
    assert len(_attention._plans) <= 8


# A CUDA driver that does nothing: what is left of a call is what the host does.
CUPY = """
from null_arrays import ndarray

q, k, v = (ndarray((1, 16, 128, 64), np.dtype("float16")) for _ in range(3))
"""

# PyTorch's tensors of the host in the place of a device's, of sizes that need no workspace: its memory does not begin as a device's.
TORCH = """
import torch
from torch._C._dynamo import guards

adapter = _arrays.TorchAdapter
describe = adapter.describe
adapter.describe = staticmethod(lambda a: describe(a)._replace(device=0))
adapter.maker = staticmethod(lambda like, shape, element, is_current=False: functools.partial(
    guards._empty_strided_cpu, shape, _arrays.dense_strides(shape), getattr(torch, _arrays.NAMES[element])))
torch._C._cuda_getCurrentRawStream = abs
q, k, v = (torch.randn(1, 4, 128, 128).half() for _ in range(3))
"""

HOST = """
import functools, sys, time
import numpy as np
import flash_mlir
from flash_mlir import _arrays, _attention, _plan
ARRAYS
def best(call):
    times = []
    for _ in range(50):
        begin = time.perf_counter()
        for _ in range(400): call()
        times.append((time.perf_counter() - begin) / 400)
    return 1e6 * min(times)

call = lambda: flash_mlir.attention(q, k, v, causal=True)
call()
plan = next(iter(_attention._plans.values()))
assert plan.function.on_device
whole, slot = best(call), plan.slots[0]
print(f"{whole:.2f} {best(lambda: _plan._library.raw_launch(plan.handle, slot.first, slot.second, None)):.2f}")
"""


@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_host_time_of_a_cached_call(tmp_path, null_cuda, library):
    """The host's share of a GPU call, against a driver that does nothing: printed, and held to a limit that a busy machine meets."""
    if library == "torch" and importlib.util.find_spec("torch") is None:
        pytest.skip("no PyTorch")
    environment = {**os.environ, "LD_LIBRARY_PATH": null_cuda, "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path]),
                   "FLASH_CACHE_DIR": str(tmp_path / "cache")}
    program = HOST.replace("ARRAYS", {"cupy": CUPY, "torch": TORCH}[library])
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    whole, launch = map(float, done.stdout.split())
    print(f"{library}, a cached call: {whole} us of the host; a launch through ctypes {launch} us")
    assert whole < 40
