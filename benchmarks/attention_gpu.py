#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Our attention beside its peers on a GPU: the same tensors, one process, in turns.

    python3 benchmarks/attention_gpu.py --json benchmarks/results/h100-attention.json     everything, within --budget
    python3 benchmarks/attention_gpu.py --quick                                           a few shapes, about a minute
    python3 benchmarks/attention_gpu.py --sections sweep --head-dims 64 --cases causal \\
        --schedules sm_90a 'sm_90a@m=192;n=112' 'sm_90a%overlap=false'                    schedules against one another
    python3 benchmarks/attention_gpu.py --device=cpu --dry-run                            the harness itself, without a GPU

Sections:
    sweep     head dims x full and causal x lengths, batch * length = 16384, heads * head dim = 2048
    flex      FlexAttention's cases at length 8192: full, causal, window, blocks, documents, ragged, alibi, softcap
    errors    against float64, on N(0, 1) and on peaked inputs, at length 2048
    compile   from MLIR text to loaded code, by stage, in a process of its own
    launch    what a launch costs the host
    backward  the gradients: the sweep's shapes, then FlexAttention's cases that have a backward, at length 8192

Inputs are N(0, 1). Each implementation is warmed up; then, for some rounds, all run in turns, with pauses; the time
of a launch is that between CUDA events around it, with all launches of a turn queued before the first begins; medians
are reported, with the clock and power read during the turn. FLOPs are those of visible pairs: 2 (Dqk + Dv) each.
Needs PyTorch with CUDA and libflash-c (FLASH_LIBRARY, or the build tree's). FLASH_COMMIT names the commit where there
is no repository. The README's tables and plot are made by table.py and plot.py from what --json wrote.
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flash_ctypes  # noqa: E402
from harness import backward, cases, device, inputs, programs, sections, variants  # noqa: E402
from harness.backend import NumpyBackend, TorchBackend  # noqa: E402
from harness.ours import Ours  # noqa: E402
from harness.peers import PEERS  # noqa: E402
from harness.progress import Progress  # noqa: E402
from harness.records import Recorder  # noqa: E402

SECTIONS = ("sweep", "flex", "errors", "compile", "launch", "backward")
FLEX_CASES = tuple(variants.DEFAULTS)
# Those that our backward takes.
BACKWARD_CASES = ("full", "causal", "window", "alibi", "softcap")


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    several = {"type": lambda text: tuple(filter(None, text.split(",")))}
    parser.add_argument("--sections", **several, default=SECTIONS, help="comma-separated")
    parser.add_argument("--cases", **several, help="of sweep and flex: full, causal, window:1024, blocks:0.25, documents:8, ragged:16, alibi, softcap:30")
    parser.add_argument("--head-dims", **several, help="as 64,128,192/128 (default: 128,64,256; all five where errors are measured)")
    parser.add_argument("--lengths", **several, help="comma-separated (default: 512 to 16384; 8192 in flex)")
    parser.add_argument("--dtypes", **several, default=("bf16",), help="bf16, f16")
    parser.add_argument("--tokens", type=int, default=cases.TOKENS, help="batch * length")
    parser.add_argument("--width", type=int, default=cases.WIDTH, help="heads * head dim")
    parser.add_argument("--gqa", type=int, default=1, help="query heads for a key head")
    parser.add_argument("--schedules", nargs="+", default=["auto"], help="TARGET[@SCHEDULE][%%PASSES]; see harness/ours.py")
    parser.add_argument("--peers", **several, default=tuple(PEERS), help=f"of {', '.join(PEERS)}; '-' for none")
    parser.add_argument("--quick", action="store_true", help="a few shapes")
    parser.add_argument("--rounds", type=int, help="default: 5; quick: 4")
    parser.add_argument("--launches", type=int, help="timed launches a round (default: 6; quick: 5)")
    parser.add_argument("--pause", type=float, help="seconds after each turn (default: 0.1; quick: 0.05)")
    parser.add_argument("--budget", type=float, default=540, help="seconds after which no case is begun")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="append the record to this file")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--dry-run", action="store_true", help="tiny shapes on the CPU, without PyTorch")
    args = parser.parse_args(arguments)
    if args.dry_run != (args.device == "cpu"):
        parser.error("--device=cpu and --dry-run go together: figures from a CPU mean nothing here")
    for name, usual, quick in (("rounds", 5, 4), ("launches", 6, 5), ("pause", 0.1, 0.05)):
        if getattr(args, name) is None:
            setattr(args, name, quick if args.quick else usual)
    args.peers = tuple(p for p in args.peers if p != "-")
    for given, known in ((args.sections, SECTIONS), (args.peers, PEERS), (args.dtypes, ("bf16", "f16"))):
        if unknown := sorted(set(given) - set(known)):
            parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    if args.rounds * args.launches < 20 and not args.dry_run:
        parser.error("a median of at least 20 samples: --rounds times --launches")
    try:
        args.variants = [variants.parse(text) for text in args.cases] if args.cases else None
        args.dims = [cases.head_dims(text) for text in args.head_dims] if args.head_dims else None
        args.sizes = [int(text) for text in args.lengths] if args.lengths else None
    except ValueError as error:
        parser.error(str(error))
    return args


def plan(args):
    """[(section, what is measured as text, arguments)] in the order of importance: a run that is cut off has the first."""
    size = {"tokens": 512, "width": 32} if args.dry_run else {"tokens": args.tokens, "width": args.width}
    full, causal = variants.parse("full"), variants.parse("causal")

    def shapes(given, dims, lengths, dtypes=args.dtypes):
        return cases.sweep(given, args.dims or dims, args.sizes or lengths, dtypes, args.gqa, **size)

    def one_length(given, dims):
        """Where the length hardly matters: the nearest that was asked for."""
        length = min(args.sizes or [error_length], key=lambda n: abs(n - error_length))
        return cases.sweep(given, args.dims or dims, [length], args.dtypes, args.gqa, **size)

    all_dims = [(128, 128), (64, 64), (256, 256), (192, 128), (96, 96)]
    dims, lengths, flex_length, error_length = all_dims[:3], cases.LENGTHS, 8192, 2048
    if args.quick:
        dims, lengths = all_dims[:2], (1024, 8192)
    if args.dry_run:
        all_dims = [(16, 16), (32, 16)]
        dims, lengths, flex_length, error_length = all_dims[:1], (128, 256), 256, 128
    chosen = args.variants
    sweep = [("sweep", case) for case in shapes([v for v in chosen or (full, causal) if v.kind in ("full", "causal")], dims, lengths)]
    kinds = [variants.parse("window:64" if args.dry_run and k == "window" else k) for k in (("window",) if args.quick else FLEX_CASES)]
    flex = [("flex", case) for case in shapes(chosen or kinds, dims[:1], (flex_length,), args.dtypes[:1])]
    error_shapes = one_length(chosen or [full, causal], dims[:1] if args.quick else all_dims)
    errors = [("errors", case, kind) for case in error_shapes for kind in inputs.KINDS]
    compiled = [("compile", case, entry) for entry in args.schedules for case in one_length(chosen or [full, causal], dims)]
    launch = [("launch", cases.Case(causal, dqk, dv, 128, 1, 4, 4, args.dtypes[0])) for dqk, dv in (args.dims or dims)[:1]]
    gradients = [("backward", case) for _, case in sweep]
    gradients += [("backward", case) for _, case in flex if case.variant.kind in BACKWARD_CASES and ("backward", case) not in gradients]
    steps = [step for step in sweep + compiled + launch + flex + errors + gradients if step[0] in args.sections]
    return steps


def resolve(spec, backend):
    """`auto` by the name of the target that the library chooses here, so that results say it."""
    if not spec.startswith("auto"):
        return spec
    if backend.name == "cpu":
        return "cpu" + spec[4:]
    source = programs.text(variants.parse("full"), 64, 64, "bf16")
    return json.loads(flash_ctypes.compile(source, target="auto").code("report"))["target"] + spec[4:]


def measure(run, step, peers):
    section, case = step[:2]
    # FlexAttention compiles for each shape anew, for seconds.
    if run.options.quick and section != "flex":
        peers = [p for p in peers if p != "flex"]
    if section in ("sweep", "flex"):
        sections.throughput(run, section, case, [p for p in peers if p != "flex" or section == "flex"])
    elif section == "backward":
        backward.throughput(run, case, [p for p in peers if p != "flex" or case.length == 8192 and case.head_dim == 128])
    elif section == "errors":
        sections.errors(run, case, step[2], [p for p in peers if p != "flex" or case.head_dim == 128])
    elif section == "compile":
        sections.compilation(run, Ours(step[2]), case)
    else:
        sections.launches(run, case, [p for p in peers if p != "unfused"])


def main():
    args = parse_arguments()
    # A process of the compile section runs in another folder.
    if os.environ.get("FLASH_LIBRARY"):
        os.environ["FLASH_LIBRARY"] = os.path.abspath(os.environ["FLASH_LIBRARY"])
    try:
        backend = NumpyBackend() if args.dry_run else TorchBackend()
        args.schedules = [resolve(spec, backend) for spec in args.schedules]
    except (ImportError, RuntimeError) as error:
        sys.exit(f"attention_gpu.py: {error}")
    if backend.name == "cuda":
        # FlexAttention writes its log-sum-exp where gradients could be asked for; ours does not.
        backend.torch.set_grad_enabled(False)
    peers = [p for p in args.peers if (p == "unfused") == args.dry_run]
    monitor = device.Monitor(backend)
    recorder = Recorder(args.json, {
        "date": device.now(), "commit": device.commit(), "device": device.state(backend, monitor), **device.versions(backend),
        "samples": args.rounds * args.launches, "protocol": {"rounds": args.rounds, "launches": args.launches, "pause_s": args.pause, "order": "rotated"},
        "failures": [], "results": []})
    steps = plan(args)
    progress = Progress(len(steps), args.budget)
    run = sections.Run(backend, monitor, recorder, progress, [Ours(spec) for spec in args.schedules], args)
    broken = 0
    for step in steps:
        what = ", ".join([step[0], *map(str, step[1:])])
        if not progress.begin(what):
            continue
        try:
            measure(run, step, peers)
        except Exception as error:  # out of memory in one case, say
            run.fail(what, error)
            broken += 1
        recorder.record["device_after"] = device.state(backend, monitor)
        recorder.save()
        backend.release()
    progress.end()
    recorder.record["skipped"] = progress.skipped
    recorder.save()
    failures = recorder.record["failures"]
    print(f"{len(recorder.record['results'])} results, {len(failures)} failures" + (f", in {args.json}" if args.json else ""))
    return 1 if broken or any(f["what"].startswith(("flash", "compiling flash")) for f in failures) else 0


if __name__ == "__main__":
    sys.exit(main())
