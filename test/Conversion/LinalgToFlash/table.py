#!/usr/bin/env python3
"""Raises modules, and prints a table: how many attentions each has, their attributes, operands and types, and the remarks.

    table.py [--option finite-minima-hide] FILE-OR-FOLDER...
"""

import argparse
import os
import re
import subprocess
import sys

OPERANDS = ("q_offset", "mask_operands", "score_operands", "sinks", "captures")


def describe(line):
    """mask, score functions, operands and element types of an attention in one line."""
    attributes = line[line.index("{"):line.rindex("}")] if "{" in line else ""
    parts = [match.group(1).strip() for match in [re.search(r"mask = (#flash\.and<[^>]*>[^,]*>|#flash\.\w+(?:<[^>]*>)?)", attributes)] if match]
    scores = re.search(r"scores = \[(.*?)\]", attributes)
    parts += [f"scores {scores.group(1)}"] if scores else []
    parts += [name for name in OPERANDS if f" {name}(" in line]
    parts += ["lse"] if "%lse" in line.split("=")[0] else []
    return ", ".join(parts) or "plain"


def raise_module(path, option):
    """Lines that describe the attentions, and the remarks."""
    command = ["flash-opt", path, "--inline", "--canonicalize", "--flash-raise" + (f"={option}" if option else ""), "--canonicalize"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    errors = re.findall(r"error: .*", done.stderr)
    remarks = re.findall(r"remark: (.*)", done.stderr)
    found = []
    lines = done.stdout.split("\n")
    for number, line in enumerate(lines):
        if " = flash.attention " not in line:
            continue
        # The types stand behind the regions.
        end = next(text for text in lines[number:] if re.search(r": tensor<.*-> tensor<", text))
        types = re.findall(r"x([a-z]\w+)>", end[end.rindex(" : tensor<"):])
        found.append(f"{describe(line)} ({types[0]})")
    return found, remarks, errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--option", help="an option of flash-raise")
    arguments = parser.parse_args()
    files = []
    for path in arguments.paths:
        files += sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(".mlir")) if os.path.isdir(path) else [path]
    failed = 0
    for path in files:
        found, remarks, errors = raise_module(path, arguments.option)
        notes = [f"remark: {text}" for text in remarks] + errors
        print(f"{os.path.basename(path)} | {len(found)} | {'; '.join(found)} | {'; '.join(notes)}")
        failed += bool(errors) or not (found or remarks)
    print(f"{len(files)} modules, {failed} neither raised nor explained")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
