#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fills in what the documentation quotes: IR from the compiler, code from its files, figures from benchmarks/results.

    scripts/update-docs.py            rewrites README.md and docs/*.md in place
    scripts/update-docs.py --check    fails, naming the places, if one is out of date

In a Markdown file, everything from a line `<!-- generated: KIND ... -->` to the line `<!-- end -->` is replaced:

    generated: run COMMAND            what the shell command prints (flash-opt and the like are on the path), as MLIR
    generated: text COMMAND           the same, as plain text
    generated: markdown COMMAND       the same, as it is (scripts/reference.py for docs/reference)
    generated: snippet FILE NAME      the lines of FILE between `docs: begin NAME` and `docs: end NAME`
    generated: results                tables of what benchmarks/results holds
"""

import glob
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "benchmarks"))
import table as gpu_tables  # noqa: E402
BUILD = os.environ.get("FLASH_BUILD", os.path.join(ROOT, "build"))
LANGUAGES = {".td": "tablegen", ".cpp": "cpp", ".h": "cpp", ".py": "python", ".mlir": "mlir"}
BLOCK = re.compile(r"(<!-- generated: (\w+) ?(.*?) *-->\n)(.*?)(<!-- end -->)", re.S)


class Problem(Exception):
    pass


def run(command, language="mlir"):
    environment = dict(os.environ, PATH=os.path.join(BUILD, "bin") + os.pathsep + os.environ["PATH"])
    result = subprocess.run(["bash", "-c", "set -o pipefail; " + command], cwd=ROOT, env=environment, capture_output=True, text=True)
    if result.returncode != 0 or not result.stdout.strip():
        raise Problem(f"'{command}' failed: {result.stderr.strip() or 'it printed nothing'}")
    if language == "markdown":
        return f"\n{result.stdout.strip()}\n\n"
    lines = result.stdout.rstrip().split("\n")
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return f"```{language}\n" + "\n".join(line[indent:] for line in lines) + "\n```\n"


def snippet(arguments):
    path, name = arguments.split()
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        text = file.read()
    found = re.search(rf"^[^\n]*docs: begin {re.escape(name)}\n(.*?)^[^\n]*docs: end {re.escape(name)}\n", text, re.S | re.M)
    if not found:
        raise Problem(f"{path} has no lines from 'docs: begin {name}' to 'docs: end {name}'")
    return f"```{LANGUAGES.get(os.path.splitext(path)[1], '')}\n{found.group(1).strip(chr(10))}\n```\n"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def case(row):
    return (f"{row['dtype']}, head dim {row['head_dim']}", str(row["length"]), "causal" if row["causal"] else "full")


def cpu_table(rows):
    return table(("", "length", "mask", "threads", "flash, GFLOP/s", "sgemm, GFLOP/s", "share"),
                 [(*case(r), str(r["threads"]), f"{r['gflops']:.0f}", f"{r['sgemm_gflops']:.0f}", f"{100 * r['share']:.0f} %")
                  for r in rows.values()])


def cpu_results(path):
    """A file holds one JSON record, a run in one process, a line. Each line of the table comes from the newest run that has it."""
    with open(path, encoding="utf-8") as file:
        records = sorted((json.loads(line) for line in file if line.strip()), key=lambda record: record["date"])
    chosen = {}
    for record in records:
        for row in record["results"]:
            chosen[(*case(row), row["threads"])] = (record, row)
    shown = [record for record, _ in chosen.values()]
    last = max(shown, key=lambda record: record["date"])
    facts = [f"{last['device']['name']}, {last['device']['cpus']} CPUs", last["date"][:10]]
    commits = sorted({record["commit"] for record in shown} - {"unknown"})
    facts += [f"commit {', '.join(commits)}"] if commits else []
    return f"{', '.join(facts)} ([data]({os.path.relpath(path, ROOT)})):\n\n" + cpu_table({key: row for key, (_, row) in chosen.items()})


def results(_):
    parts = [cpu_results(os.path.join(ROOT, "benchmarks", "results", "cpu.json"))]
    parts += filter(None, map(gpu_tables.markdown, gpu_tables.gpu_files(ROOT)))
    return "\n" + "\n".join(parts) + "\n"


KINDS = {"run": run, "text": lambda command: run(command, "text"), "markdown": lambda command: run(command, "markdown"),
         "snippet": snippet, "results": results}


def updated(path, text):
    def replace(match):
        head, kind, arguments, _, tail = match.groups()
        if kind not in KINDS:
            raise Problem(f"{path}: there is no kind '{kind}'; there are {', '.join(KINDS)}")
        return head + KINDS[kind](arguments) + tail

    if text.count("<!-- generated: ") != len(BLOCK.findall(text)):
        raise Problem(f"{path}: a '<!-- generated: ... -->' has no '<!-- end -->'")
    return BLOCK.sub(replace, text)


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    stale = 0
    for path in [os.path.join(ROOT, "README.md")] + sorted(glob.glob(os.path.join(ROOT, "docs", "**", "*.md"), recursive=True)):
        name = os.path.relpath(path, ROOT)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        try:
            new = updated(name, text)
        except Problem as problem:
            print(f"error: {name}: {problem}", file=sys.stderr)
            stale += 1
            continue
        if new == text:
            continue
        if check:
            line = next(i for i, (a, b) in enumerate(zip(text.split("\n"), new.split("\n") + [""]), 1) if a != b)
            print(f"error: {name}:{line} is out of date: run scripts/update-docs.py", file=sys.stderr)
            stale += 1
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(new)
            print(f"updated {name}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
