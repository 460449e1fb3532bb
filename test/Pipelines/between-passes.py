#!/usr/bin/env python3
"""Passes on L3 find what they look for, whatever was simplified between them.

For some kernels: the pipeline from L2 to L3 as it is, and with `canonicalize` and `cse` after each of its passes. Both
must leave as many operations of each kind, and the same remarks: a pass that reads a fact back from the form of
arithmetic would do less than before, without an error.
"""

import argparse
import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Target", "PTX"))
import kernels  # noqa: E402

SIMPLIFY = ["canonicalize", "cse"]


def run(command, text):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)[:200]}: {done.stderr.strip()[:2000]}")
    return done.stdout, done.stderr


def split(text):
    """What stands between commas, outside of brackets."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "({") - (c in ")}")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return parts


def inside(text, anchor):
    return text[len(anchor) + 1 : -1] if text.startswith(anchor + "(") else None


def get_pipeline(opt, target):
    _, printed = run([opt, "-", f"--flash-gpu-tile-pipeline=target={target}", "--dump-pass-pipeline"], "module {}")
    # A pass a line, for readers; one line is what the option takes.
    return re.sub(r"\s+(?![a-z-]+=)", "", printed[printed.index("builtin.module") :])


def interleave(pipeline):
    """The pipeline with other passes after each of its own."""
    passes = []
    for entry in split(inside(pipeline, "builtin.module")):
        nested = inside(entry, "gpu.module")
        if nested is None:
            passes += [entry] + SIMPLIFY
            continue
        for one in split(inside(nested, "gpu.func")):
            passes += [f"gpu.module(gpu.func({one}))"] + SIMPLIFY
    return f"builtin.module({','.join(passes)})"


def count(text):
    return collections.Counter(re.findall(r"\b(?:flash_tile|scf|math)\.[a-z_0-9]+", text))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--opt", default="flash-opt")
    parser.add_argument("--target", default="sm_90a")
    parser.add_argument("kernels", nargs="*", default=list(kernels.KERNELS))
    args = parser.parse_args()
    pipeline = get_pipeline(args.opt, args.target)
    bad = 0
    for name in args.kernels:
        source, options = kernels.KERNELS[name]
        front = (f"builtin.module(func.func(flash-choose-schedule{{target={args.target}{options}}},"
                 "flash-tile-attention,flash-decompose-attention))")
        tiles, _ = run([args.opt, "-", f"--pass-pipeline={front}"], source)
        plain, remarks = run([args.opt, "-", f"--pass-pipeline={pipeline}"], tiles)
        between, others = run([args.opt, "-", f"--pass-pipeline={interleave(pipeline)}"], tiles)
        a, b = count(plain), count(between)
        differ = [f"{op}: {a[op]}, {b[op]}" for op in sorted(set(a) | set(b)) if a[op] != b[op]]
        if remarks.count("remark:") != others.count("remark:"):
            differ.append(f"remarks: {remarks.count('remark:')}, {others.count('remark:')}")
        print(f"{name}: {'; '.join(differ) or 'the same'}")
        bad += bool(differ)
    return bad


if __name__ == "__main__":
    sys.exit(main() and "error: passes do other work when what lies between them is simplified")
