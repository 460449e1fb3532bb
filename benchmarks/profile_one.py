#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launches one implementation once between cudaProfilerStart and -Stop, after warming it up: what profile_gpu.sh profiles.

    python3 benchmarks/profile_one.py KERNEL [--backward] [--case causal] [--head-dim 128] [--length 8192]
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import backward, cases, inputs, ours, sections, variants  # noqa: E402
from harness.backend import TorchBackend  # noqa: E402
from harness.peers import PEERS  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernel", help="a peer, or TARGET[@SCHEDULE][%%PASSES]")
    parser.add_argument("--backward", action="store_true", help="the gradients of Q, K and V")
    parser.add_argument("--case", default="full")
    parser.add_argument("--head-dim", default="128")
    parser.add_argument("--length", type=int, default=8192)
    parser.add_argument("--dtype", default="bf16", choices=["bf16", "f16"])
    parser.add_argument("--gqa", type=int, default=1)
    args = parser.parse_args()
    backend = TorchBackend()
    backend.torch.set_grad_enabled(False)
    case, = cases.sweep([variants.parse(args.case)], [cases.head_dims(args.head_dim)], [args.length], [args.dtype], args.gqa)
    tensors = inputs.make(backend, case)
    if args.backward:
        tensors = (*tensors, backend.cast(backend.normal(case.shapes()[3], 7), case.dtype))
        if args.kernel in backward.PEERS:
            launch = backward.PEERS[args.kernel](backend, case, *tensors)
        else:
            launch, _ = backward.flash(backend, ours.Cache(), ours.Ours(args.kernel), case, *tensors)
    elif args.kernel in PEERS:
        launch = PEERS[args.kernel](backend, case, *tensors, sections.blocks_of(backend, case))
    else:
        launch, _ = ours.launcher(backend, ours.Cache(), ours.Ours(args.kernel), case, *tensors)
    for _ in range(3):
        launch()
    backend.synchronize()
    backend.torch.cuda.profiler.start()
    launch()
    backend.synchronize()
    backend.torch.cuda.profiler.stop()


if __name__ == "__main__":
    main()
