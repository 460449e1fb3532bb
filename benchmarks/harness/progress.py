# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A line for each thing measured, a bar where tqdm is and somebody looks, and a budget of time."""

import sys
import time


class Progress:
    def __init__(self, total, budget):
        self.total, self.done, self.start, self.budget = total, 0, time.monotonic(), budget
        self.bar, self.longest, self.skipped = None, 0.0, []
        self.before = self.start
        if sys.stderr.isatty():
            try:
                import tqdm
                self.bar = tqdm.tqdm(total=total, unit="case")
            except ImportError:
                pass

    def begin(self, what):
        """Whether there is time for it: as much as the longest so far took."""
        now = time.monotonic()
        self.longest = max(self.longest, now - self.before) if self.done else 0.0
        self.before = now
        if now - self.start + self.longest > self.budget:
            self.skipped.append(what)
            return False
        self.done += 1
        if self.bar is not None:
            self.bar.set_description(what, refresh=False)
            self.bar.update()
        else:
            print(f"[{self.done}/{self.total}, {now - self.start:.0f} s] {what}", flush=True)
        return True

    def say(self, text):
        if self.bar is not None:
            self.bar.write(text)
        else:
            print(text, flush=True)

    def end(self):
        if self.bar is not None:
            self.bar.close()
        if self.skipped:
            print(f"no time left for {len(self.skipped)}: {', '.join(self.skipped)}")
