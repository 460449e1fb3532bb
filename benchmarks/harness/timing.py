# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times implementations in turns.

On a board at its power limit the order of runs decides the ranking. So every round runs each implementation for a few
launches, each round in another order, with a pause after each, and the clock and the power are read while it runs.
"""

import statistics
import time


def warm_up(backend, launchers, launches=3):
    for launch in launchers.values():
        for _ in range(launches):
            launch()
    backend.synchronize()


def in_turns(backend, launchers, rounds, launches, pause, sample):
    """{name: {"ms", "ms_min", "ms_p90", "samples", ...what sample() gives, as medians}}"""
    warm_up(backend, launchers)
    times = {name: [] for name in launchers}
    seen = {name: [] for name in launchers}
    names = list(launchers)
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            milliseconds, state = backend.time(launchers[name], launches, sample)
            times[name] += milliseconds
            seen[name].append(state)
            time.sleep(pause)
    results = {}
    for name, values in times.items():
        values = sorted(values)
        results[name] = {"ms": statistics.median(values), "ms_min": values[0], "ms_p90": values[int(0.9 * (len(values) - 1))],
                         "samples": len(values)}
        for key in seen[name][0]:
            readings = [state[key] for state in seen[name] if state.get(key) is not None]
            results[name][key] = statistics.median(readings) if readings else None
    return results


class Stopwatch:
    """Milliseconds on the host's clock, as `ms`."""

    def __enter__(self):
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.ms = 1e3 * (time.perf_counter() - self.start)
