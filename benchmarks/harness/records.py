# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Results as data: a file holds one JSON record a line, a run of one process; only ever appended to.

While a run goes on its record is written again after each case, so that a run that is cut off has left what it had.
"""

import json
import math
import os


def finite(value):
    """JSON has no infinities and no NaN: they are told as text, which float() reads."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class Recorder:
    def __init__(self, path, record):
        self.path, self.record = path, record
        self.offset = os.path.getsize(path) if path and os.path.exists(path) else 0
        if path:
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)

    def add(self, section, row):
        self.record.setdefault(section, []).append(row)

    def save(self):
        if not self.path:
            return
        with open(self.path, "r+b" if os.path.exists(self.path) else "w+b") as file:
            file.seek(self.offset)
            file.write((json.dumps(finite(self.record), allow_nan=False) + "\n").encode())
            file.truncate()


def load(path):
    """The records of a file, oldest first. Rows of before there were cases are completed."""
    with open(path, encoding="utf-8") as file:
        records = [json.loads(line) for line in file if line.strip()]
    for record in records:
        for row in record.get("results", []):
            row.setdefault("case", "causal" if row.get("causal") else "full")
            row.setdefault("head_dim_v", row["head_dim"])
            row.setdefault("section", "sweep")
    return sorted(records, key=lambda record: record["date"])
