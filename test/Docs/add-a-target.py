#!/usr/bin/env python3
"""add-a-target.py SOURCE BUILD SCRATCH: does what docs/AddATarget.md says of a GPU of a known family, in a copy.

A row for sm_87 (Jetson Orin), which the table does not have, is put into a copy of the file that the document quotes; that file alone
is compiled, and a flash-opt linked with it. It knows the target then, and makes kernels for it that assemble without spills.
"""

import json
import os
import re
import shlex
import subprocess
import sys

SOURCE, BUILD, SCRATCH = map(os.path.abspath, sys.argv[1:4])
sys.path.insert(0, os.path.join(SOURCE, "test", "Target", "PTX"))
from kernels import KERNELS  # noqa: E402

FILE = os.path.join("lib", "Target", "TargetInfo.cpp")
ROW = '    {"sm_87", 16, 163 << 10, 65536, 4 << 20},\n'


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)[:300]}\n{done.stderr[:3000]}")
    return done


def compile_with_row():
    """The object of the file with one more row, in the place that the document shows."""
    with open(os.path.join(SOURCE, FILE), encoding="utf-8") as file:
        text = file.read()
    changed = re.sub(r"(docs: begin targets\n.*?)(?=^\};)", lambda match: match[1] + ROW, text, flags=re.S | re.M)
    if changed == text:
        sys.exit(f"error: {FILE} has no lines from 'docs: begin targets' on that end a table")
    copy, compiled = os.path.join(SCRATCH, "TargetInfo.cpp"), os.path.join(SCRATCH, "TargetInfo.o")
    with open(copy, "w", encoding="utf-8") as file:
        file.write(changed)
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        entry = next(entry for entry in json.load(file) if entry["file"].endswith(FILE))
    command = shlex.split(entry["command"])
    command[command.index("-c") + 1] = copy
    command[command.index("-o") + 1] = compiled
    run(command + [f"-I{os.path.dirname(os.path.join(SOURCE, FILE))}"], cwd=entry["directory"])
    return compiled


def link(compiled):
    """A flash-opt with the object, which stands before the archive that has it as it was."""
    last = run(["ninja", "-C", BUILD, "-t", "commands", "bin/flash-opt"]).stdout.strip().split("\n")[-1]
    command = shlex.split(re.fullmatch(r"(?:: && )?(.*?)(?: && :)?", last)[1])
    tool = os.path.join(SCRATCH, "flash-opt")
    command[command.index("-o") + 1] = tool
    command.insert(command.index("-o"), compiled)
    run(command, cwd=BUILD)
    return tool


def main():
    os.makedirs(SCRATCH, exist_ok=True)
    tool = link(compile_with_row())
    for name in ("hd128", "hd64-causal"):
        level4 = run([tool, "--flash-gpu-pipeline=target=sm_87 schedule-table=none"], input=KERNELS[name][0]).stdout
        ptx = run(["flash-translate", "--flash-to-ptx", "--flash-target=sm_87"], input=level4).stdout
        path = os.path.join(SCRATCH, f"{name}.ptx")
        with open(path, "w", encoding="utf-8") as file:
            file.write(ptx)
        if "FLASH_PTXAS" not in os.environ:
            sys.exit("error: there is no ptxas: set FLASH_PTXAS")
        log = run([os.environ["FLASH_PTXAS"], "-v", "-arch=sm_87", "-o", path + ".cubin", path]).stderr
        spilled = [int(count) for count in re.findall(r"(\d+) bytes spill", log)]
        print(f"{name} for sm_87: {'spills' if any(spilled) or not spilled else 'no spills'}, {ptx.count('mma.sync')} mma.sync")


if __name__ == "__main__":
    main()
