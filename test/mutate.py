#!/usr/bin/env python3
"""Mutates the tests' own IR and looks how flash-opt and flash-run take it.

Tokens are swapped for others of their kind (types, numbers, attributes, names),
deleted, doubled; lines are deleted, doubled, moved, taken from other files. Whatever
comes of it, a tool ends in time, with status 0 or 1, without a crash, a failed
assertion or a word of a sanitizer (it is meant for a build with them: -B build-asan).

Many mutants go through one process of flash-opt (--split-input-file); of a batch that
fails the mutant is found by halving, then lines and tokens are dropped while it still
fails. What is printed brings it back: the command, and the smallest input.

  test/mutate.py -B build-asan --batches 200 --seed fresh
"""

import argparse
import concurrent.futures
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
SEPARATOR = "\n// -----\n"
TOKEN = re.compile(r"//[^\n]*|\"[^\"\n]*\"|[%@#^!][\w$.-]+|[A-Za-z_][\w$.]*|\d+\.\d+(?:e[+-]?\d+)?|\d+|->|\s+|.", re.S)
NUMBERS = ["0", "1", "2", "3", "7", "16", "63", "64", "65", "128", "255", "257", "4096", "65537", "2147483648",
           "4294967296", "9223372036854775807", "9223372036854775808", "-1", "-9223372036854775808", "?", "0.0", "1.0e30",
           "-0.5", "0x7FC00000", "0xFF800000"]
ELEMENTS = ["f16", "bf16", "f32", "f64", "i1", "i8", "i32", "i64", "index", "f8E4M3FN", "f8E5M2", "none", "si8", "ui32",
            "complex<f32>", "tf32"]
ATTRIBUTES = ["#flash.causal", "#flash.prefix", "#flash.segments", "#flash.region", "#flash.alibi", "#flash.bias",
              "#flash.softcap<30.0 : f32>", "#flash.window<left = 3, right = 0>", "#flash.window<left = -7>",
              "#flash.block_sparse<bq = 64, bk = 64>", "#flash.block_sparse<bq = 0, bk = 1>",
              "#flash.slice<part = 1, of = 3, unit = 16>", "#flash.slice<part = 0, of = 9223372036854775807>",
              "#flash.and<#flash.causal, #flash.prefix>", "#flash.or<#flash.causal, #flash.region>", "#flash.layout<bshd>",
              "#flash.schedule<m = 7, n = 5>", "#flash.schedule<m = 64, n = 32, warps = 3>", "#flash.schedule<stages = 2>",
              "unit", "0 : i64", "\"text\"", "[]", "[#flash.alibi]", "dense<1> : tensor<2xi32>"]
# What else than its own RUN line is tried on a file, by the ops in it.
L0 = ["--pass-pipeline=builtin.module(flash-cpu-pipeline)",
      "--pass-pipeline=builtin.module(func.func(flash-choose-schedule{target=cpu:x86-64-v3},flash-tile-attention,flash-decompose-attention),canonicalize,cse)",
      "--pass-pipeline=builtin.module(func.func(flash-choose-schedule{target=sm_80},flash-tile-attention,flash-decompose-attention),flash-count-io,canonicalize)",
      "--pass-pipeline=builtin.module(func.func(flash-choose-schedule{target=sm_90a}),flash-io-report{target=sm_90a dims=sq=9,sk=11,batch=1})",
      "--pass-pipeline=builtin.module(func.func(flash-insert-checks,flash-split-kv{parts=3}),canonicalize)",
      "--flash-gpu-pipeline=target=sm_80", "--flash-gpu-pipeline=target=sm_90a"]
LATER = ["--canonicalize", "--pass-pipeline=builtin.module(func.func(flash-decompose-attention),canonicalize)",
         "--flash-cpu-lowering-pipeline"]
LINALG = ["--flash-raise", "--pass-pipeline=builtin.module(flash-raise,canonicalize)"]
BAD = re.compile(r"AddressSanitizer|runtime error:|UndefinedBehavior|LLVM ERROR|PLEASE submit a bug|Stack dump|Assertion|"
                 r"UNREACHABLE|LeakSanitizer|failed to legalize.*BUG")


def chunks_of(path):
    with open(os.path.join(ROOT, path)) as file:
        text = file.read()
    lines = [line for line in text.split("\n") if not re.match(r"\s*//(?! -----)", line)]
    return [chunk.strip("\n") for chunk in re.split(r"(?m)^// -----.*$", "\n".join(lines)) if chunk.strip()]


def own_pipelines(path):
    """Arguments of flash-opt in the file's RUN lines, without what concerns the test."""
    found = []
    with open(os.path.join(ROOT, path)) as file:
        for line in file:
            match = re.search(r"RUN:\s*flash-opt %s (.*?)(\||>|$)", line)
            if not match or "%" in match[1]:
                continue
            try:
                words = shlex.split(match[1])
            except ValueError:
                continue
            words = [w for w in words if not re.match(r"-?-(split-input-file|verify-diagnostics|allow-unregistered|o$|mlir-print)", w)
                     and w.startswith("-")]
            found.append(words)
    return found or [[]]


class Corpus:
    def __init__(self):
        listed = subprocess.run(["git", "ls-files", "test/*.mlir", "examples/*.mlir"], cwd=ROOT, capture_output=True,
                                text=True).stdout.split()
        if not listed:  # not a git checkout
            listed = [os.path.relpath(os.path.join(folder, name), ROOT) for part in ("test", "examples")
                      for folder, _, names in os.walk(os.path.join(ROOT, part)) for name in names if name.endswith(".mlir")]
        self.entries = []  # (chunk, [pipelines])
        self.lines, self.runnable = [], []
        for path in sorted(listed):
            pipelines = own_pipelines(path)
            for chunk in chunks_of(path):
                if len(chunk) > 12000:
                    continue
                more = []
                if "flash.attention" in chunk or "flash.merge" in chunk:
                    more = [[p] for p in L0]
                elif "flash.online" in chunk:
                    more = [[p] for p in LATER]
                elif "linalg." in chunk:
                    more = [[p] for p in LINALG]
                self.entries.append((chunk, pipelines + more))
                self.lines += [line for line in chunk.split("\n") if line.strip()]
                if re.search(r"flash\.(attention|merge)", chunk) and "func.func" in chunk:
                    self.runnable.append(chunk)


def kind_of(token):
    if re.fullmatch(r"-?\d+(\.\d+.*)?|\?", token):
        return "number"
    if token in ELEMENTS:
        return "element"
    if token.startswith("#"):
        return "attribute"
    if token.startswith("%"):
        return "value"
    return "other"


def mutate_shape(token, rng):
    """`4x?x64xf32`: one of its parts."""
    parts = re.split(r"(x)", token)
    at = rng.randrange(0, len(parts), 2)
    if kind_of(parts[at]) == "element":
        parts[at] = rng.choice(ELEMENTS)
    else:
        parts[at] = rng.choice(NUMBERS[:20] + ["?", "?"])
    if rng.random() < 0.15:
        del parts[at:at + 2]
    return "".join(parts)


def mutate_token(tokens, rng):
    real = [i for i, t in enumerate(tokens) if not t.isspace()]
    if not real:
        return
    at = rng.choice(real)
    token, way = tokens[at], rng.random()
    kind = kind_of(token)
    if way < 0.1:
        del tokens[at]
    elif way < 0.17:
        tokens.insert(at, token)
    elif way < 0.25:
        other = rng.choice(real)
        tokens[at], tokens[other] = tokens[other], tokens[at]
    elif re.search(r"x(?:f|bf|i)\d+|xindex", token):
        tokens[at] = mutate_shape(token, rng)
    elif kind == "number":
        tokens[at] = rng.choice(NUMBERS)
    elif kind == "element":
        tokens[at] = rng.choice(ELEMENTS)
    elif kind == "attribute":
        tokens[at] = rng.choice(ATTRIBUTES)
    else:  # another token of the same kind from the same text
        alike = [t for t in tokens if kind_of(t) == kind and not t.isspace()]
        tokens[at] = rng.choice(alike)


def mutate_line(lines, rng, corpus):
    if not lines:
        return
    at, way = rng.randrange(len(lines)), rng.random()
    if way < 0.4:
        del lines[at]
    elif way < 0.6:
        lines.insert(at, lines[at])
    elif way < 0.8:
        other = rng.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines.insert(at, rng.choice(corpus.lines))


TYPED = re.compile(r"(?:\d+|\?)(?:x(?:\d+|\?))*x(?:f\d+\w*|bf16|i\d+|index)|[\w]*\d[\w]*x")


def tokenize(text):
    """Tokens of MLIR, with the shapes inside of types whole."""
    tokens, at = [], 0
    while at < len(text):
        match = TYPED.match(text, at) if text[at - 1:at] in ("<", "") else None
        match = match or TOKEN.match(text, at)
        tokens.append(match[0])
        at = match.end()
    return tokens


def mutant(chunk, rng, corpus):
    text = chunk
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 5])):
        if rng.random() < 0.75:
            tokens = tokenize(text)
            mutate_token(tokens, rng)
            text = "".join(tokens)
        else:
            lines = text.split("\n")
            mutate_line(lines, rng, corpus)
            text = "\n".join(lines)
    return text


UPSTREAM = "upstream"


class Tool:
    """Runs a command on a text; says what is wrong with how it ended, or nothing. A crash with no function of ours on
    the stack is UPSTREAM."""

    def __init__(self, build, folder, limit):
        self.bin, self.folder, self.limit = os.path.join(build, "bin"), folder, limit
        self.environment = dict(os.environ)
        self.environment["ASAN_OPTIONS"] = ("detect_container_overflow=0:allow_user_poisoning=0:detect_leaks=0:exitcode=99:"
                                            "allocator_may_return_null=1:hard_rss_limit_mb=6000")
        self.environment["UBSAN_OPTIONS"] = "print_stacktrace=1:exitcode=99"
        self.environment["FLASH_NUM_THREADS"] = "2"
        self.upstream, self.lock = {}, threading.Lock()
        self.seconds, self.runs = 0, 0

    def run(self, command, text):
        path = os.path.join(self.folder, f"input-{threading.get_ident()}.mlir")
        with open(path, "w") as file:
            file.write(text)
        # A slow machine gives more time; a mean of few runs says little.
        limit, begin = self.limit or 100 * max(self.seconds / max(self.runs, 1), 2), time.time()
        try:
            done = subprocess.run([os.path.join(self.bin, command[0]), path, *command[1:]], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=limit,
                                  env=self.environment, cwd=self.folder)
        except subprocess.TimeoutExpired:
            return f"no end after {limit:.0f} s"
        with self.lock:
            self.seconds, self.runs = self.seconds + time.time() - begin, self.runs + 1
        errors = done.stderr.decode(errors="replace")
        if done.returncode in (0, 1) and not BAD.search(errors):
            return ""
        # LLVM's own parsers and passes can be brought down too (as linalg.transpose's by `permutation = [0, }]`).
        # Where memory ran out, frames of a library without names are all that there is.
        if done.returncode not in (0, 1) and "flash::" not in errors and re.search(r"#\d+ .*(\bmlir::|/lib(MLIR|LLVM)\.so)", errors):
            with self.lock:
                where = re.search(r"#\d+ \S+ (?:in )?(mlir::[\w:]+)", errors)
                self.upstream[where[1] if where else "mlir"] = self.upstream.get(where[1] if where else "mlir", 0) + 1
            return UPSTREAM
        told = [line for line in errors.split("\n") if BAD.search(line) or re.match(r"\s*#\d+ .*flash", line)]
        return f"status {done.returncode}: " + " | ".join(line.strip()[:160] for line in told[:6])


def narrow(tool, command, texts):
    """The texts of a batch that fail by themselves, with how."""
    how = tool.run(command, SEPARATOR.join(texts))
    if not how:
        return []
    if len(texts) == 1:
        return [] if how == UPSTREAM else [(texts[0], how)]
    half = len(texts) // 2
    found = narrow(tool, command, texts[:half]) + narrow(tool, command, texts[half:])
    return found or ([] if how == UPSTREAM else [(SEPARATOR.join(texts), how)])


def shrink(tool, command, text, attempts):
    """Drops lines, then tokens, while it still fails."""
    for split, join in ((lambda t: t.split("\n"), "\n"), (tokenize, "")):
        size = max(1, len(split(text)) // 2)
        while size and attempts > 0:
            parts, at = split(text), 0
            while at < len(parts) and attempts > 0:
                shorter, attempts = join.join(parts[:at] + parts[at + size:]), attempts - 1
                if shorter != text and shorter.strip() and tool.run(command, shorter) not in ("", UPSTREAM):
                    parts, text = split(shorter), shorter
                else:
                    at += size
            size //= 2
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-B", "--build", default=os.path.join(ROOT, "build"), help="build folder")
    parser.add_argument("--seed", default="0", help="a number, or 'fresh': another one each time, printed")
    parser.add_argument("--batches", type=int, default=80, help="how many batches")
    parser.add_argument("--time", type=float, default=float("inf"), help="seconds after which no batch begins")
    parser.add_argument("--batch", type=int, default=24, help="mutants a process of flash-opt")
    parser.add_argument("--limit", type=float, help="seconds after which a tool hangs (default: 100 times as long as the mean run)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    parser.add_argument("--no-shrink", action="store_true")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed == "fresh" else int(options.seed)
    print(f"seed {seed}", flush=True)
    corpus, begin = Corpus(), time.time()
    totals = {"mutants": 0, "processes": 0}
    failures, lock, counter = [], threading.Lock(), iter(range(options.batches))
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(os.path.abspath(options.build), folder, options.limit)

        def work(_):
            while time.time() - begin < options.time and len(failures) < options.failures:
                with lock:
                    number = next(counter, None)
                if number is None:
                    return
                rng = random.Random(seed * 1000003 + number)
                # A process of flash-run takes one program; every fourth batch is a few of these.
                if number % 4 == 3:
                    command = ["flash-run", "--target=cpu", "--check", "--dim=batch=2", "--dim=sq=5", "--dim=sk=7"]
                    command = rng.choice([command, ["flash-run", "--target=cpu"],
                                          ["flash-run", "--target=sm_90a", "--emit=plan"],
                                          ["flash-run", "--target=sm_80", "--io-report"], command[:3]])
                    texts = [mutant(rng.choice(corpus.runnable), rng, corpus)]
                else:
                    first = rng.choice(corpus.entries)
                    pipeline = rng.choice(first[1])
                    alike = [chunk for chunk, pipelines in corpus.entries if pipeline in pipelines]
                    command = ["flash-opt", *pipeline, "--split-input-file"]
                    texts = [mutant(rng.choice(alike), rng, corpus) for _ in range(options.batch)]
                found = narrow(tool, command, texts)
                with lock:
                    totals["mutants"] += len(texts)
                    totals["processes"] += 1
                    failures.extend((number, command, text, how) for text, how in found)

        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for done in [pool.submit(work, i) for i in range(options.jobs)]:
                done.result()
        seconds = time.time() - begin
        for number, command, text, how in failures[:options.failures]:
            print(f"FAIL batch {number} of seed {seed}: {' '.join(map(shlex.quote, command))}\n  {how}")
            small = text if options.no_shrink else shrink(tool, command, text, attempts=400)
            print("  smallest:\n" + "\n".join("    " + line for line in small.split("\n")), flush=True)
    bad = len(failures)
    print(f"seed {seed}: {totals['mutants']} mutants in {totals['processes']} processes, {seconds:.0f} s")
    for where, count in sorted(tool.upstream.items()):
        print(f"  {count} crashes without a function of ours on the stack, first in {where}")
    print(f"{totals['mutants'] - bad} passed, {bad} failed")
    return 1 if bad or not totals["mutants"] else 0


if __name__ == "__main__":
    sys.exit(main())
