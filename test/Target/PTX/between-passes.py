#!/usr/bin/env python3
"""Puts canonicalize and cse between all passes of L3, and compares the instructions of the kernels.

    between-passes.py [--each] [--kernel NAME] [--show]

test/Pipelines/between-passes.py does this from L2 to L3 and compares operations; here the passes to L4 have it, too, of forwards and
backwards, and what is compared is code. So kernels are compiled twice, by the pipeline and by the same with `canonicalize`
and `cse` after each pass of flash-gpu-tile-pipeline and, until loops become blocks, of flash-gpu-lowering-pipeline. The PTX has as many instructions of each
kind. `--each` puts them after one pass at a time, and says after which there is a difference.
"""

import argparse
import collections
import concurrent.futures
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kernels import INSTRUCTIONS, attention  # noqa: E402

TARGET = "sm_90a"
SIMPLIFY = "canonicalize,cse"
# From here on loops are blocks. MLIR simplifies branches, LLVM then lays blocks out in another way, with some instructions less; no
# pass that comes looks for anything but operations to convert.
BLOCKS = "convert-scf-to-cf"
FORWARDS = {f"hd{d}{'-causal' if causal else ''}": attention(dqk=d, causal=causal, lse=True) for d in (64, 128, 256) for causal in (False, True)}
BACKWARDS = {f"backward-hd{d}{'-causal' if causal else ''}": attention(dqk=d, causal=causal, heads=4, key_heads=4)
             for d in (64, 128) for causal in (False, True)}
KERNELS = {**FORWARDS, **BACKWARDS}
# Besides, what arithmetic and control costs: all instructions of PTX by their first word.
KINDS = {**INSTRUCTIONS, "branch": r"\bbra\b", "loads": r"\bld\.", "stores": r"\bst\.", "exp2": r"\bex2\.", "shuffles": r"\bshfl\."}


def run(command, text):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[:1500]}")
    return done.stdout


def split(pipeline):
    """`a,b{x=1,2},c(d,e)` -> its elements; commas inside of brackets are no ends."""
    elements, depth, current = [], 0, ""
    for char in pipeline:
        depth += (char in "({[<") - (char in ")}]>")
        if char == "," and depth == 0:
            elements.append(current)
            current = ""
        else:
            current += char
    return elements + [current] if current else elements


def passes(pipeline, before, simplify_after):
    """The pipeline with canonicalize and cse after the passes whose number `simplify_after` takes."""
    out = []
    for element in split(pipeline):
        nested = re.fullmatch(r"([\w.\-]+)\((.*)\)", element, re.S)
        if nested:
            out.append(f"{nested[1]}({passes(nested[2], before, simplify_after)})")
            continue
        out.append(element)
        number = len(before)
        before.append(element)
        if simplify_after(number) and not any(name.startswith(BLOCKS) for name in before):
            out.append(SIMPLIFY)
    return ",".join(out)


def dumped(name):
    """What a named pipeline consists of."""
    text = subprocess.run(["flash-opt", f"--{name}=target={TARGET}", "--dump-pass-pipeline"], input="", capture_output=True, text=True,
                          check=True).stderr
    # A pass a line, for readers; one line is what the option takes.
    text = re.sub(r"\s+(?![a-z-]+=)", "", text[text.index("builtin.module"):])
    return re.fullmatch(r"builtin\.module\((.*)\)", text)[1]


def ptx(level2, pipeline):
    level4 = run(["flash-opt", f"--pass-pipeline=builtin.module({pipeline})"], level2)
    return run(["flash-translate", "--flash-to-ptx", f"--flash-target={TARGET}"], level4)


def count(text):
    facts = {kind: len(re.findall(pattern, text)) for kind, pattern in KINDS.items()}
    words = re.findall(r"^\t(?:@!?%p\d+ )?([a-z][\w.]*)", text, re.M)
    facts["all instructions"] = len(words)
    return facts, collections.Counter(words)


def level2_of(name):
    source = KERNELS[name]
    stages = ["flash-insert-checks", f"flash-schedule-recompute{{target={TARGET}}}", f"flash-choose-schedule{{target={TARGET} table=none}}",
              "flash-tile-elementwise", "flash-tile-attention", "flash-decompose-attention"]
    before = "flash-differentiate," if name.startswith("backward") else ""
    return run(["flash-opt", f"--pass-pipeline=builtin.module({before}func.func({','.join(stages)}))"], source)


def differences(name, pipeline, options):
    level2 = level2_of(name)
    plain, words = count(ptx(level2, pipeline))
    if plain["wgmma"] == 0:
        return [f"{name}: there is no wgmma in it"], plain

    def compare(simplify_after, where):
        other, other_words = count(ptx(level2, passes(pipeline, [], simplify_after)))
        found = [f"{name}{where}: {kind}: {plain[kind]}, but {other[kind]} with canonicalize and cse between passes"
                 for kind in plain if plain[kind] != other[kind]]
        if found and options.show:
            found += [f"    {word} {words[word]} -> {other_words[word]}" for word in sorted(words | other_words)
                      if words[word] != other_words[word]]
        return found

    if not options.each:
        return compare(lambda number: True, ""), plain
    names = []
    passes(pipeline, names, lambda number: False)
    return [line for at, element in enumerate(names) for line in compare(lambda number: number == at, f" after {element}")], plain


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", action="store_true", help="after one pass at a time")
    parser.add_argument("--show", action="store_true", help="show which instructions differ")
    parser.add_argument("--kernel", action="append", help="only this kernel (repeatable)")
    options = parser.parse_args()
    pipeline = dumped("flash-gpu-tile-pipeline") + "," + dumped("flash-gpu-lowering-pipeline")
    names = options.kernel or list(KERNELS)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        results = dict(zip(names, pool.map(lambda name: differences(name, pipeline, options), names)))
    problems = [line for found, _ in results.values() for line in found]
    for name, (found, plain) in results.items():
        print(f"{name}: {'differs' if found else 'the same'}, {plain['all instructions']} instructions, {plain['wgmma']} wgmma")
    print("\n".join(problems), end="\n" if problems else "")
    print(f"{len(names)} kernels, {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
