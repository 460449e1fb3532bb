# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured: throughput and error of a case, errors on other inputs, compilation, cost of a launch.

Each function adds rows to the record's section of its name; what cannot be measured goes to `failures` with the reason.
"""

import traceback

from . import compiletime, inputs, launchcost, ours, reference, timing
from .peers import PEERS, Unsupported


class Run:
    """What all sections share."""

    def __init__(self, backend, monitor, recorder, progress, entries, options):
        self.backend, self.monitor, self.recorder, self.progress = backend, monitor, recorder, progress
        self.ours = entries
        self.options = options
        self.cache = ours.Cache()
        # What cannot be imported is asked once.
        self.unsupported = set()

    def fail(self, what, error, expected=False):
        self.recorder.add("failures", {"what": what, "error": str(error) or type(error).__name__})
        self.progress.say(f"  {what}: {str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}")
        if not expected and not isinstance(error, ours.flash_ctypes.FlashError):
            traceback.print_exception(type(error), error, error.__traceback__, limit=-4)

    def launchers(self, case, tensors, blocks, peers):
        """{name: (launch, first output, facts)} of all that do the case; first calls are made and timed here."""
        found = {}

        def attempt(name, make):
            try:
                with timing.Stopwatch() as watch:
                    launch, program = make()
                    out = launch()
                    self.backend.synchronize()
                found[name] = (launch, out, {"first_ms": watch.ms, **({"compile_ms": program.compile_ms} if program else {})})
            except Unsupported as error:
                if (name, str(error)) not in self.unsupported:
                    self.unsupported.add((name, str(error)))
                    self.fail(f"{name}, {case}", error, expected=True)
            except Exception as error:  # one that fails must not end the others
                self.fail(f"{name}, {case}", error, expected="No available kernel" in str(error))

        for entry in self.ours:
            attempt(entry.name, lambda e=entry: ours.launcher(self.backend, self.cache, e, case, *tensors))
        for name in peers:
            attempt(name, lambda n=name: (PEERS[n](self.backend, case, *tensors, blocks), None))
        return found


def blocks_of(backend, case):
    data = case.variant.data(case.length)
    return backend.array(*data) if data else None


def throughput(run, section, case, peers):
    """Times everybody in turns; error on the same tensors; whether two launches of ours give the same bits."""
    backend, options = run.backend, run.options
    tensors = inputs.make(backend, case, seed=options.seed)
    blocks = blocks_of(backend, case)
    found = run.launchers(case, tensors, blocks, peers)
    if not found:
        return
    refs = reference.references(backend, case, *tensors, blocks)
    facts = {}
    for name, (launch, out, first) in found.items():
        facts[name] = {**first, "error": reference.error(backend, out, refs)}
        if name.startswith("flash"):
            before = backend.copy(out)
            backend.poison(out)
            facts[name]["repeatable"] = backend.same_bits(before, launch())
    times = timing.in_turns(backend, {name: entry[0] for name, entry in found.items()}, options.rounds, options.launches, options.pause,
                            run.monitor.sample)
    for name, time in times.items():
        row = {"kernel": name, "section": section, **case.row(), **time, "tflops": case.flops() / time["ms"] / 1e9, **facts[name]}
        run.recorder.add("results", row)
        clock = f"  {row['sm_mhz']:4.0f} MHz {row['power_w']:3.0f} W" if row.get("sm_mhz") else ""
        doubt = "" if row.get("repeatable", True) else "  NOT REPEATABLE"
        run.progress.say(f"  {name:32} {row['ms']:9.4f} ms {row['tflops']:8.1f} TFLOP/s  error {row['error']:.2e}{clock}{doubt}")
    best = max((n for n in times if n.startswith("flash")), key=lambda n: -times[n]["ms"], default=None)
    if best and len(times) > 1:
        run.progress.say("  " + best + ": " + ", ".join(f"{times[n]['ms'] / times[best]['ms']:.3f} x {n}" for n in times if n != best))


def errors(run, case, kind, peers):
    """The error of everybody against float64, on inputs of a kind."""
    tensors = inputs.make(run.backend, case, kind, seed=run.options.seed)
    blocks = blocks_of(run.backend, case)
    refs = reference.references(run.backend, case, *tensors, blocks)
    told = []
    for name, (_, out, _) in run.launchers(case, tensors, blocks, peers).items():
        error = reference.error(run.backend, out, refs)
        run.recorder.add("errors", {"kernel": name, **case.row(), "inputs": kind, "error": error})
        told.append(f"{name} {error:.3e}")
    run.progress.say("  " + ", ".join(told))


def compilation(run, entry, case):
    found = compiletime.cold(entry, case, run.backend.element_type(case.dtype))
    if "error" in found:
        run.fail(f"compiling {entry.name}, {case}", found["error"], expected=True)
        return
    run.recorder.add("compile", {"kernel": entry.name, **case.row(), **found})
    stages = ", ".join(f"{name} {ms:.0f}" for name, ms in found["stages_ms"].items())
    run.progress.say(f"  compile {found['compile_ms']:.0f} ms ({stages}), load {found['load_ms']:.0f} ms, process {found['process_ms']:.0f} ms")


def launches(run, case, peers):
    backend = run.backend
    tensors = inputs.make(backend, case, seed=run.options.seed)
    for name, make in launchcost.candidates(backend, run.cache, run.ours, peers, case, tensors, ours.launcher).items():
        try:
            cost = launchcost.measure(backend, *make())
        except Exception as error:  # one that fails must not end the others
            run.fail(f"{name}, launching {case}", error, expected=isinstance(error, Unsupported))
            continue
        run.recorder.add("launch", {"kernel": name, **case.row(), **cost})
        run.progress.say(f"  {name:40} {cost['host_us']:8.2f} us a launch, {cost['per_second']:9.0f} launches a second")
