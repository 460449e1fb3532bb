# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a launch costs the host, on a problem so small that the GPU is not what is waited for.

`host_us`: microseconds until a launch returns, the best of several bursts that fit the driver's queue.
`per_second`: launches finished in a second, waiting for the device at the end of a burst.
"""

import contextlib
import functools
import time

from .peers import PEERS

BURST, BURSTS = 400, 15


def measure(backend, launch, context=contextlib.nullcontext):
    with context():
        for _ in range(20):  # the first may compile
            launch()
        backend.synchronize()
        enqueue, whole = [], []
        for _ in range(BURSTS if backend.name == "cuda" else 2):
            start = time.perf_counter()
            for _ in range(BURST):
                launch()
            enqueue.append(time.perf_counter() - start)
            backend.synchronize()
            whole.append(time.perf_counter() - start)
    return {"host_us": 1e6 * min(enqueue) / BURST, "per_second": BURST / min(whole)}


def candidates(backend, cache, ours, peers, case, tensors, launcher):
    """{name: a function that gives (launch, context)} of each way to call."""
    q, k, v = tensors
    found = {}

    def bound(entry):
        return launcher(backend, cache, entry, case, q, k, v)[0], contextlib.nullcontext

    def packed(entry):
        launch, program = launcher(backend, cache, entry, case, q, k, v)
        out = launch()
        return lambda: program.function.launch([q, k, v], [out], stream=backend.stream), contextlib.nullcontext

    def package():
        # What users call: checks, output and workspace are its own.
        import flash_mlir
        return lambda: flash_mlir.attention(q, k, v, causal=case.variant.causal), contextlib.nullcontext

    def sdpa(name):
        # The choice of a backend is made once, as a program would.
        from torch.nn.attention import SDPBackend, sdpa_kernel
        which = SDPBackend.CUDNN_ATTENTION if name == "cudnn" else SDPBackend.FLASH_ATTENTION
        attention = backend.torch.nn.functional.scaled_dot_product_attention
        return lambda: attention(q, k, v, is_causal=case.variant.causal), lambda: sdpa_kernel(which)

    def other(name):
        return PEERS[name](backend, case, q, k, v, None), contextlib.nullcontext

    for entry in ours:
        found[f"{entry.name}, bound"] = functools.partial(bound, entry)
        found[f"{entry.name}, packed each time"] = functools.partial(packed, entry)
    if case.variant.kind in ("full", "causal"):
        found["flash_mlir.attention"] = package
    for name in peers:
        found[name] = functools.partial(sdpa if name in ("cudnn", "fa2") else other, name)
    return found
