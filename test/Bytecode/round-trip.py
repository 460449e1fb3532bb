#!/usr/bin/env python3
"""Sends every module below the tests' folder that parses through bytecode, and compares its generic text.

    round-trip.py TESTS

A file's modules, split at `// -----`, are printed in the generic form without aliases; those of all files become one module,
which goes through `flash-opt --emit-bytecode | flash-opt`.
"""

import concurrent.futures
import difflib
import os
import re
import subprocess
import sys

GENERIC = ["--mlir-print-op-generic", "--mlir-print-local-scope", "--allow-unregistered-dialect"]


def flash_opt(*arguments, text=None):
    return subprocess.run(["flash-opt", *arguments], input=text, capture_output=True, check=False)


def modules(path):
    """The generic text of each module of the file that parses and verifies."""
    printed = flash_opt(path, "--split-input-file", *GENERIC).stdout.decode()
    found = [part.strip() for part in re.split(r"^// -----$", printed, flags=re.M)]
    # What lies outside of modules: large constants, whose names would have to be unique in the whole.
    return [part for part in found if part and "{-#" not in part]


def inside(text):
    return f'"builtin.module"() ({{\n{text}\n}}) : () -> ()\n'


def main():
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(sys.argv[1]) for name in names
                   if name.endswith(".mlir"))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = dict(zip(paths, pool.map(modules, paths)))
    # One around each: some have names, and not all names differ.
    whole = inside("\n".join(inside(part) for parts in found.values() for part in parts))
    count = sum(map(len, found.values()))
    before = flash_opt("-", *GENERIC, "--no-implicit-module", text=whole.encode())
    written = flash_opt("-", "--emit-bytecode", "--allow-unregistered-dialect", "--no-implicit-module", text=whole.encode())
    after = flash_opt("-", *GENERIC, "--no-implicit-module", text=written.stdout)
    for what, result in (("the text", before), ("writing bytecode", written), ("reading bytecode", after)):
        if result.returncode:
            sys.exit(f"{what} of all modules failed:\n{result.stderr.decode()[:4000]}")
    if not written.stdout.startswith(b"ML\xefR"):
        sys.exit("what was written is no bytecode")
    lines = [result.stdout.decode().split("\n") for result in (before, after)]
    difference = list(difflib.unified_diff(*lines, "text", "bytecode", lineterm="", n=1)) if lines[0] != lines[1] else []
    if difference:
        sys.exit("bytecode changed a module:\n" + "\n".join(difference[:40]))
    ours = {dialect: len(re.findall(rf'"{dialect}\.', whole)) for dialect in ("flash", "flash_tile", "tm_tensor")}
    print(f"{count} modules of {len(paths)} files are the same, {', '.join(f'{n} operations of {d}' for d, n in ours.items())}")


if __name__ == "__main__":
    main()
