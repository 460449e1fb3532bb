# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where tensors live and how launches are timed: PyTorch on a GPU, or NumPy on the CPU for a dry run.

A dry run goes through everything but the peers, with tiny shapes: what it measures means nothing.
"""

import os
import time


class NumpyBackend:
    """bf16, which NumPy does not have, is f32 here."""

    name = "cpu"
    stream = 0

    def __init__(self):
        # Threads that spin between two small products would take the cores that ours runs on.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        import numpy
        self.np = self.xp = numpy
        self.types = {"bf16": numpy.float32, "f16": numpy.float16, "f32": numpy.float32}

    def element_type(self, dtype):
        """The type of tensors of a case's type, for our compiler."""
        return "f32" if dtype == "bf16" else dtype

    def normal(self, shape, seed):
        return self.np.random.default_rng(seed).standard_normal(shape, dtype=self.np.float32)

    def column(self, values):
        return self.np.asarray(values, dtype=self.np.float32)[:, None]

    def array(self, values, kind):
        return self.np.asarray(values, dtype={"bool": self.np.bool_, "i32": self.np.int32, "i64": self.np.int64, "f32": self.np.float32}[kind])

    def arange(self, start, stop):
        return self.np.arange(start, stop)

    def cast(self, x, dtype):
        return self.np.ascontiguousarray(x.astype(self.types[dtype]))

    def poisoned(self, shape, dtype):
        return self.np.full(shape, self.np.nan, dtype=self.types[dtype])

    def poison(self, x):
        x[...] = self.np.nan

    def double(self, x):
        return x.astype(self.np.float64)

    def norm(self, x):
        return self.np.linalg.norm(x)

    def same_bits(self, x, y):
        return x.tobytes() == y.tobytes()

    def copy(self, x):
        return x.copy()

    def synchronize(self):
        pass

    def release(self):
        pass

    def time(self, launch, count, sample):
        """Milliseconds of `count` launches after one that is not counted, and what `sample` saw in their midst."""
        launch()
        times = []
        for _ in range(count):
            start = time.perf_counter()
            launch()
            times.append(1e3 * (time.perf_counter() - start))
        return times, sample()


class TorchBackend:
    name = "cuda"
    # About a millisecond: the launches are all in the queue before the first begins, so that events measure the device alone.
    spin_cycles = 2_000_000

    def __init__(self):
        import torch
        if not torch.cuda.is_available():
            raise RuntimeError("PyTorch sees no GPU (--device=cpu --dry-run needs none)")
        self.torch = self.xp = torch
        torch.cuda.init()
        self.types = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
        self.events = []

    @property
    def stream(self):
        return self.torch.cuda.current_stream().cuda_stream

    def element_type(self, dtype):
        return dtype

    def normal(self, shape, seed):
        generator = self.torch.Generator(device="cuda").manual_seed(seed)
        return self.torch.randn(shape, device="cuda", dtype=self.torch.float32, generator=generator)

    def column(self, values):
        return self.torch.tensor(values, device="cuda", dtype=self.torch.float32)[:, None]

    def array(self, values, kind):
        t = self.torch
        return t.tensor(values, device="cuda", dtype={"bool": t.bool, "i32": t.int32, "i64": t.int64, "f32": t.float32}[kind])

    def arange(self, start, stop):
        return self.torch.arange(start, stop, device="cuda")

    def cast(self, x, dtype):
        return x.to(self.types[dtype]).contiguous()

    def poisoned(self, shape, dtype):
        return self.torch.full(shape, float("nan"), device="cuda", dtype=self.types[dtype])

    def poison(self, x):
        x.fill_(float("nan"))

    def double(self, x):
        return x.double()

    def norm(self, x):
        return x.norm()

    def same_bits(self, x, y):
        return bool((x.view(self.torch.int16) == y.view(self.torch.int16)).all())

    def copy(self, x):
        return x.clone()

    def synchronize(self):
        self.torch.cuda.synchronize()

    def release(self):
        """Gives memory of the last case back."""
        import gc
        gc.collect()
        self.torch.cuda.empty_cache()

    def time(self, launch, count, sample):
        torch = self.torch
        while len(self.events) < count:
            self.events.append((torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)))
        events = self.events[:count]
        torch.cuda._sleep(self.spin_cycles)
        launch()
        for begin, end in events:
            begin.record()
            launch()
            end.record()
        events[count // 2][0].synchronize()
        seen = sample()
        torch.cuda.synchronize()
        return [begin.elapsed_time(end) for begin, end in events], seen
